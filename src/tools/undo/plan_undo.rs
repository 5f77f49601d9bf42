//! Proposes one plan that reverses what one session, or one older plan, left on routers; a person approves it.

use events::{
    device::Environment,
    ids::PlanId,
    operation::Operation,
    plan::{GatePolicy, Plan, RiskLevel, Rollout},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    access::principal::Kind,
    domain::{
        State,
        plan::{PlanState, PlanStatus},
        undo,
    },
    engine::mint,
    failure::{Code, Failure},
    tools::{
        context::Cx,
        grouped::{self, Group},
        operator::OPERATORS,
        params::{DeviceRef, Text},
        plan::plan_details::{Reversed, sees_plan},
        propose::PlanToApprove,
        rollout::fits,
        tool::{Spec, Targets, Tool},
        undo::reversal,
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// All that the calls with this `correlation_id` left. (Each call has one of its own, hence the other name.)
    correlation: Option<Text<1, 64>>,
    /// Or what this plan left.
    plan_id: Option<PlanId>,
    /// Only devices of this environment: a plan is about one.
    environment: Option<Environment>,
    /// Why.
    reason: Text<1, 512>,
    /// Make risky operations also where the router cannot keep a timed undo.
    #[serde(default)]
    without_dead_man: bool,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
    fn plan(&self) -> Option<PlanId> {
        self.plan_id
    }
}

/// A plan that cannot be reversed, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Left {
    plan_id: PlanId,
    summary: String,
    why: String,
}

/// A plan is about so many devices at most.
const DEVICES_MAX: usize = 50;
/// Plans that are told of in the answer; plan_details of the new plan has them all.
const TOLD_MAX: usize = 100;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// The plan that a person must approve.
    #[serde(flatten)]
    plan: PlanToApprove,
    risk_level: RiskLevel,
    /// What it reverses, newest first, 100 at most.
    reverses: Vec<Reversed>,
    reverses_count: usize,
    /// What it does not reverse, 100 at most.
    not_reversed: Vec<Left>,
    not_reversed_count: usize,
    device_count: usize,
    /// What is the same on several devices, once; of a large plan the first part (plan_details has all).
    groups: Vec<Group>,
}

pub struct PlanUndo;

impl Tool for PlanUndo {
    const SPEC: Spec = Spec::operator(
        "plan_undo",
        "Undo a session",
        "Proposes one plan that reverses what the calls of a correlation id, or an older plan, left on routers.",
        Kind::Write,
        OPERATORS,
    )
    .changes_routers()
    .open_world()
    .timeout_s(120);
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let (meant, not_reversed) = cx.view(|views| sorted(cx, &views.state, &params))?;
        let environment = one_environment(&meant)?;
        meant.iter().try_for_each(|plan| reversal::may_change(cx, &plan.plan))?;
        let undoes: Vec<PlanId> = meant.iter().map(|plan| plan.plan.plan_id).collect();
        let rollout = slowest(&meant, params.without_dead_man);
        let device_count = cx.view(|views| few_devices(&views.state, &undoes))?;
        let waves = reversal::parts(cx, &undoes, environment, &rollout).await?;
        let parts = || waves.iter().flatten();
        fits(&parts().map(|part| part.operations.len()).collect::<Vec<_>>())?;
        let risk_level = parts().map(|part| part.risk.level).max().unwrap_or(RiskLevel::Low);
        let what = match &params.correlation {
            Some(correlation) => format!("undo the session `{}`", correlation.0),
            None => format!("undo {}", undoes[0]),
        };
        let plan = Plan {
            plan_id: mint!(PlanId),
            tool: cx.tool().to_owned(),
            summary: format!("{what}: {} plans on {device_count} devices", undoes.len()),
            environment,
            rollback_on_failure: false,
            rollout,
            waves,
            undoes,
            reason: params.reason.0,
        };
        let groups = grouped::groups(&plan);
        let plan = cx.propose(plan).await?;
        let (reverses_count, not_reversed_count) = (meant.len(), not_reversed.len());
        let reverses = meant.iter().take(TOLD_MAX).map(Reversed::of).collect();
        let not_reversed = not_reversed.into_iter().take(TOLD_MAX).collect();
        Ok(Answer {
            plan,
            risk_level,
            reverses,
            reverses_count,
            not_reversed,
            not_reversed_count,
            device_count,
            groups,
        })
    }

    fn say(answer: &Answer) -> String {
        format!(
            "{} reverses {} plans and waits for a person's approval",
            answer.plan.plan_id, answer.reverses_count
        )
    }
}

/// How many devices it is about: no more than a plan may be.
fn few_devices(state: &State, undoes: &[PlanId]) -> Result<usize, Failure> {
    let count = undo::reversal(state, undoes)?.iter().map(Vec::len).sum();
    if count <= DEVICES_MAX {
        return Ok(count);
    }
    let newest = undoes.first().map(ToString::to_string).unwrap_or_default();
    Err(Failure::param(
        "correlation",
        format!("it left something on {count} devices; a plan is about {DEVICES_MAX} at most"),
    )
    .hint(format!("undo it plan by plan, the newest first: `appliance plan undo --plan {newest} --reason …`"))
    .details(json!({ "field": "correlation", "devices": count, "limit": DEVICES_MAX,
            "plans": undoes.iter().take(TOLD_MAX).collect::<Vec<_>>() })))
}

/// The plans that are meant and can be reversed, newest first; and those that cannot.
fn sorted(cx: &Cx, state: &State, params: &Params) -> Result<(Vec<PlanState>, Vec<Left>), Failure> {
    let of_session = |plan: &&PlanState, correlation: &str| {
        plan.origin.correlation_id == correlation && plan.job_id.is_some() && sees_plan(cx, state, plan)
    };
    let all: Vec<&PlanState> = match (&params.correlation, params.plan_id) {
        (Some(correlation), None) => {
            let found: Vec<_> =
                state.plans.values().filter(|plan| of_session(plan, &correlation.0)).collect();
            if found.is_empty() {
                return Err(Failure::new(
                    Code::NotFound,
                    "no plan of a call with this correlation id was carried out",
                )
                .hint("`appliance events list --json` shows the correlation id of each call"));
            }
            found
        }
        (None, Some(plan_id)) => vec![undo::reversible(state, plan_id).map_err(Failure::from)?],
        _ => return Err(Failure::param("correlation", "give either the correlation id or the plan")),
    };
    let (mut meant, mut left) = (Vec::new(), Vec::new());
    for plan in all {
        let plan_id = plan.plan.plan_id;
        let elsewhere = params.environment.is_some_and(|environment| environment != plan.plan.environment);
        let why = match undo::reversible(state, plan_id) {
            _ if elsewhere => format!("it is about {}", plan.plan.environment.as_str()),
            // What is undone already is no news.
            Err(_) if plan.status == PlanStatus::RolledBack => continue,
            Err(refusal) => refusal.say,
            Ok(_) => match without_undo(state, plan) {
                Some(menu) => format!("what it did in {menu} has no undo"),
                None => {
                    meant.push(plan.clone());
                    continue;
                }
            },
        };
        left.push(Left { plan_id, summary: plan.plan.summary.clone(), why });
    }
    if meant.is_empty() {
        return Err(Failure::new(Code::Conflict, "nothing of this can be reversed")
            .details(json!({ "not_reversed": left })));
    }
    meant.sort_by_key(|plan| std::cmp::Reverse(plan.job_id));
    Ok((meant, left))
}

/// The menu of something that stands and has no undo.
fn without_undo(state: &State, plan: &PlanState) -> Option<String> {
    let standing = undo::standing(state, plan.plan.plan_id);
    let mut operations = standing.iter().flat_map(|left| {
        let part = crate::domain::job::part_of(&plan.plan, &left.device_id);
        left.steps.iter().filter_map(move |stood| part?.operations.get(stood.operation))
    });
    operations.find(|operation: &&Operation| operation.undo.is_empty()).map(|op| op.action.menu().to_owned())
}

fn one_environment(meant: &[PlanState]) -> Result<Environment, Failure> {
    let first = meant[0].plan.environment;
    match meant.iter().find(|plan| plan.plan.environment != first) {
        None => Ok(first),
        Some(other) => Err(Failure::param(
            "environment",
            format!(
                "a plan is about one environment, and this changed devices of {} and {}: name one of them",
                first.as_str(),
                other.plan.environment.as_str()
            ),
        )),
    }
}

/// What any of the gates asks, at the lowest threshold of all.
fn strictest<'a>(gates: impl Iterator<Item = &'a GatePolicy>) -> GatePolicy {
    let both = |a: GatePolicy, b: GatePolicy| GatePolicy {
        cpu_percent: a.cpu_percent.min(b.cpu_percent),
        memory_percent: a.memory_percent.min(b.memory_percent),
        disk_percent: a.disk_percent.min(b.disk_percent),
        temperature_celsius: a.temperature_celsius.min(b.temperature_celsius),
        resolve: a.resolve.or(b.resolve),
        ntp: a.ntp || b.ntp,
    };
    gates.cloned().reduce(both).unwrap_or_default()
}

/// As careful as the most careful of the plans.
fn slowest(meant: &[PlanState], without_dead_man: bool) -> Rollout {
    let of = |seconds: fn(&Rollout) -> u32| meant.iter().map(|plan| seconds(&plan.plan.rollout)).max();
    Rollout {
        pause_seconds: of(|rollout| rollout.pause_seconds).unwrap_or_default(),
        soak_seconds: of(|rollout| rollout.soak_seconds).unwrap_or_default(),
        // A plan for people is never without a gate.
        gate: Some(strictest(meant.iter().filter_map(|plan| plan.plan.rollout.gate.as_ref()))),
        without_dead_man,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_merged_into_one_that_asks_what_any_of_them_asks() {
        let one = GatePolicy { cpu_percent: 70, ntp: true, ..GatePolicy::default() };
        let other = GatePolicy {
            memory_percent: 60,
            disk_percent: 90,
            temperature_celsius: 65,
            resolve: Some("example.com".into()),
            ..GatePolicy::default()
        };
        let merged = GatePolicy {
            cpu_percent: 70,
            memory_percent: 60,
            disk_percent: 85,
            temperature_celsius: 65,
            resolve: Some("example.com".into()),
            ntp: true,
        };
        assert_eq!(strictest([&one, &other].into_iter()), merged);
        assert_eq!(strictest([&other, &one].into_iter()), merged);
        assert_eq!(strictest(std::iter::empty()), GatePolicy::default());
    }
}
