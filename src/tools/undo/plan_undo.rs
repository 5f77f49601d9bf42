//! Proposes one plan that reverses what one session, or one older plan, left on routers; a person approves it.

use events::{
    device::Environment,
    ids::{DeviceId, Moment, PlanId},
    operation::Operation,
    plan::{GatePolicy, Plan, RiskLevel, Rollout},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    access::principal::Kind,
    changes::diff_lines,
    domain::{
        State,
        plan::{PlanState, PlanStatus},
        undo,
    },
    engine::mint,
    failure::{Code, Failure},
    tools::{
        context::Cx,
        operator::OPERATORS,
        params::{DeviceRef, Text},
        plan::plan_details::sees_plan,
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

/// A plan that is reversed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reversed {
    plan_id: PlanId,
    tool_name: String,
    summary: String,
    requested_by: String,
    client: String,
    ended_at: Option<Moment>,
}

/// A plan that cannot be reversed, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Left {
    plan_id: PlanId,
    summary: String,
    why: String,
}

/// One device of the new plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    device_id: DeviceId,
    /// What differs, one line a property.
    changes: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// The plan that a person must approve.
    #[serde(flatten)]
    plan: PlanToApprove,
    risk_level: RiskLevel,
    /// What it reverses, newest first.
    reverses: Vec<Reversed>,
    /// What it does not reverse.
    not_reversed: Vec<Left>,
    devices: Vec<Device>,
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
    .timeout_s(120);
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let (meant, not_reversed) = cx.view(|views| sorted(cx, &views.state, &params))?;
        let environment = one_environment(&meant)?;
        meant.iter().try_for_each(|plan| reversal::may_change(cx, &plan.plan))?;
        let undoes: Vec<PlanId> = meant.iter().map(|plan| plan.plan.plan_id).collect();
        let rollout = slowest(&meant, params.without_dead_man);
        let waves = reversal::parts(cx, &undoes, environment, &rollout).await?;
        let parts = || waves.iter().flatten();
        fits(&parts().map(|part| part.operations.len()).collect::<Vec<_>>())?;
        let devices = parts()
            .map(|part| Device {
                device_id: part.device_id.clone(),
                changes: part.operations.iter().flat_map(diff_lines).collect(),
            })
            .collect();
        let risk_level = parts().map(|part| part.risk.level).max().unwrap_or(RiskLevel::Low);
        let what = match &params.correlation {
            Some(correlation) => format!("undo the session `{}`", correlation.0),
            None => format!("undo {}", undoes[0]),
        };
        let plan = Plan {
            plan_id: mint!(PlanId),
            tool: cx.tool().to_owned(),
            summary: format!("{what}: {} plans on {} devices", undoes.len(), parts().count()),
            environment,
            rollback_on_failure: false,
            rollout,
            waves,
            undoes,
            reason: params.reason.0,
        };
        let plan = cx.propose(plan).await?;
        let reverses = meant
            .iter()
            .map(|plan| Reversed {
                plan_id: plan.plan.plan_id,
                tool_name: plan.plan.tool.clone(),
                summary: plan.plan.summary.clone(),
                requested_by: format!("{} ({})", plan.by.label, plan.by.name),
                client: plan.origin.client.clone(),
                ended_at: plan.ended_at,
            })
            .collect();
        Ok(Answer { plan, risk_level, reverses, not_reversed, devices })
    }

    fn say(answer: &Answer) -> String {
        format!(
            "{} reverses {} plans and waits for a person's approval",
            answer.plan.plan_id,
            answer.reverses.len()
        )
    }
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

/// As careful as the most careful of the plans.
fn slowest(meant: &[PlanState], without_dead_man: bool) -> Rollout {
    let of = |seconds: fn(&Rollout) -> u32| meant.iter().map(|plan| seconds(&plan.plan.rollout)).max();
    Rollout {
        pause_seconds: of(|rollout| rollout.pause_seconds).unwrap_or_default(),
        soak_seconds: of(|rollout| rollout.soak_seconds).unwrap_or_default(),
        // A plan for people is never without a gate.
        gate: meant.iter().find_map(|plan| plan.plan.rollout.gate.clone()).or(Some(GatePolicy::default())),
        without_dead_man,
    }
}
