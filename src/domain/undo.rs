//! Plans that reverse others: what a plan left on routers, what reverses exactly that, and who may approve it.
//!
//! A plan that says that it reverses others is held against what they left, when it is proposed and again when it is
//! started. So the approval of a plan is good for its undo and for nothing else, whoever brings the plan.

use std::collections::BTreeMap;

use events::{
    ids::{DeviceId, JobId, Moment, PlanId},
    job::StepStatus,
    operation::Operation,
    plan::{DevicePart, GatePolicy, Plan, Rollout},
};

use crate::{
    domain::{
        Refusal, Rules, State,
        invert::reversed,
        job::{JobState, StepState},
        plan::{self, PlanState, PlanStatus},
    },
    failure::Code,
};

/// The policy under which a plan is approved together with its undo begins so; the plan's id follows.
pub const ROLLBACK_OF: &str = "rollback_of:";

/// What a plan left on one router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which device.
    pub device_id: DeviceId,
    /// Its wave in the plan (0-based).
    pub wave: usize,
    /// What stands there, in the order in which it was done.
    pub steps: Vec<Stood>,
    /// Something on this router is neither as before nor as wanted, or was never read: nothing can be computed for it.
    pub unclear: bool,
}

/// One operation that stands on a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// Which operation of the device's part (0-based).
    pub operation: usize,
    /// The id of the record that it added.
    pub added: Option<String>,
}

/// What reverses something, wave by wave: devices with their operations.
pub type Waves = Vec<Vec<(DeviceId, Vec<Operation>)>>;

/// What a plan left on routers, as read back, and what was not reversed since; routers on which nothing is left are not
/// among them.
#[must_use]
pub fn standing(state: &State, plan_id: PlanId) -> Vec<Standing> {
    standing_before(state, plan_id, None)
}

/// The same as it was before a job that reversed it was started.
fn standing_before(state: &State, plan_id: PlanId, before: Option<JobId>) -> Vec<Standing> {
    let Some((plan, job)) = state.plans.get(&plan_id).and_then(|plan| Some((plan, job_of(state, plan)?)))
    else {
        return Vec::new();
    };
    let parts = plan.plan.waves.iter().enumerate();
    let parts = parts.flat_map(|(wave, parts)| parts.iter().map(move |part| (wave, &part.device_id)));
    let mut all: Vec<Standing> = parts.map(|(wave, device_id)| left_by(job, wave, device_id)).collect();
    for (reverser, its_job) in reversers(state, plan_id, before) {
        let earlier: Vec<Standing> = reverser
            .plan
            .undoes
            .iter()
            .take_while(|other| **other != plan_id)
            .flat_map(|other| standing_before(state, *other, Some(its_job.job_id)))
            .collect();
        for left in all.iter_mut().filter(|left| !left.unclear) {
            let of_others =
                earlier.iter().filter(|other| other.device_id == left.device_id && !other.unclear);
            let others: usize = of_others.map(|other| other.steps.len()).sum();
            let own = || its_job.steps_of(&left.device_id).skip(others).take(left.steps.len());
            let undone = own().take_while(|step| step.status == StepStatus::Applied).count();
            left.unclear = own().any(is_unclear);
            left.steps.truncate(left.steps.len() - undone);
        }
    }
    all.retain(|left| !left.steps.is_empty() || left.unclear);
    all
}

fn left_by(job: &JobState, wave: usize, device_id: &DeviceId) -> Standing {
    let added = |step: &StepState| {
        step.observed.iter().find(|(name, _)| name == ".id").and_then(|(_, value)| value.clone())
    };
    let applied = job.steps_of(device_id).filter(|step| step.status == StepStatus::Applied);
    let stood = |step: &StepState| Stood {
        operation: usize::try_from(step.layout.operation).unwrap_or(usize::MAX),
        added: added(step),
    };
    Standing {
        device_id: device_id.clone(),
        wave,
        steps: applied.map(stood).collect(),
        unclear: job.steps_of(device_id).any(is_unclear),
    }
}

const fn is_unclear(step: &StepState) -> bool {
    step.is_unsettled() || matches!(step.status, StepStatus::Diverged | StepStatus::Held)
}

fn job_of<'a>(state: &'a State, plan: &PlanState) -> Option<&'a JobState> {
    state.jobs.get(&plan.job_id?)
}

/// The plans that reversed a plan, or began to, in order.
fn reversers(state: &State, plan_id: PlanId, before: Option<JobId>) -> Vec<(&PlanState, &JobState)> {
    let reverse = state.plans.values().filter(|plan| plan.plan.undoes.contains(&plan_id));
    let started = reverse.filter_map(|plan| Some((plan, job_of(state, plan)?)));
    let mut started: Vec<_> =
        started.filter(|(_, job)| before.is_none_or(|before| job.job_id < before)).collect();
    started.sort_by_key(|(_, job)| job.job_id);
    started
}

/// What reverses all that some plans left, the newest first; waves come in the order in which it is undone. Routers of
/// which it is not clear what they have are left out.
///
/// # Errors
/// `conflict` when something that stands has no undo.
pub fn reversal(state: &State, undoes: &[PlanId]) -> Result<Waves, Refusal> {
    let mut waves: Vec<Vec<DeviceId>> = Vec::new();
    let mut of_device: BTreeMap<DeviceId, Vec<(PlanId, Stood)>> = BTreeMap::new();
    for plan_id in undoes {
        let mut wave_no = None;
        for left in standing(state, *plan_id).into_iter().rev().filter(|left| !left.unclear) {
            let all = of_device.entry(left.device_id.clone()).or_default();
            if all.is_empty() {
                if wave_no != Some(left.wave) {
                    waves.push(Vec::new());
                    wave_no = Some(left.wave);
                }
                waves.last_mut().into_iter().for_each(|wave| wave.push(left.device_id.clone()));
            }
            // Newest first here, and in the order in which they were made within a plan.
            all.splice(0..0, left.steps.into_iter().map(|stood| (*plan_id, stood)));
        }
    }
    let operations = |device_id: &DeviceId| {
        let steps = of_device.get(device_id).into_iter().flatten();
        let stood: Vec<_> = steps
            .filter_map(|(plan_id, stood)| {
                let part = super::job::part_of(&state.plans.get(plan_id)?.plan, device_id)?;
                Some((part.operations.get(stood.operation)?, stood.added.as_deref()))
            })
            .collect();
        reversed(stood.into_iter()).ok_or_else(|| {
            Refusal::new(Code::Conflict, format!("something that was done on `{device_id}` has no undo"))
        })
    };
    // Routers of a wave in the order in which the plan had them.
    waves
        .iter()
        .map(|wave| {
            wave.iter().rev().map(|id| operations(id).map(|operations| (id.clone(), operations))).collect()
        })
        .collect()
}

/// The plan, when it is over and left something that can be reversed.
///
/// # Errors
/// `unknown_plan`; `conflict` while it is carried out or reversed, and for one that reverses others; `plan_closed` when
/// nothing of it stands.
pub fn reversible(state: &State, plan_id: PlanId) -> Result<&PlanState, Refusal> {
    let plan = plan::find(state, plan_id)?;
    let no = |code, say: String| Err(Refusal { job_id: plan.job_id, ..Refusal::new(code, say) });
    if !plan.plan.undoes.is_empty() {
        let say = format!("{plan_id} reverses another plan; propose that change again instead");
        return no(Code::Conflict, say);
    }
    let Some(job) = job_of(state, plan) else {
        return no(Code::Conflict, format!("{plan_id} was not carried out: there is nothing to reverse"));
    };
    if !job.status.is_over() {
        let say = format!("{} still carries out {plan_id}; cancel it, or direct it if it stands", job.job_id);
        return no(Code::Conflict, say);
    }
    if plan.before_undo.is_some() {
        return no(Code::Conflict, format!("{plan_id} is being reversed already"));
    }
    if plan.status == PlanStatus::RolledBack {
        return no(Code::PlanClosed, format!("{plan_id} is rolled back already"));
    }
    match standing(state, plan_id) {
        left if left.is_empty() => {
            no(Code::PlanClosed, format!("{plan_id} left nothing on any router that could be reversed"))
        }
        left if left.iter().all(|left| left.unclear) => no(
            Code::Conflict,
            format!("what {plan_id} left on its routers is not known: a person must look at them"),
        ),
        _ => Ok(plan),
    }
}

/// The plan, when its own approval is still good for its undo.
///
/// # Errors
/// As [`reversible`]; `plan_expired` when it ended too long ago.
pub fn rolls_back<'a>(
    state: &'a State,
    rules: &Rules,
    plan_id: PlanId,
    at: Moment,
) -> Result<&'a PlanState, Refusal> {
    let plan = reversible(state, plan_id)?;
    let hours = rules.rollback_within_s / 3600;
    match plan.ended_at {
        Some(ended) if at <= ended.plus_secs(rules.rollback_within_s) => Ok(plan),
        _ => Err(Refusal::new(
            Code::PlanExpired,
            format!(
                "{plan_id} ended more than {hours} hours ago; its approval is no longer good for its undo"
            ),
        )),
    }
}

/// How a reversal goes through its waves: as the plan that it reverses, and never without a gate where its timed undos are
/// to be disarmed only once the router was reached again.
#[must_use]
pub fn watched(original: &Rollout, risky: bool) -> Rollout {
    let gate = original.gate.clone().or_else(|| risky.then(GatePolicy::default));
    Rollout { gate, ..original.clone() }
}

/// True when something about a router may cut our own way.
#[must_use]
pub fn is_risky(part: &DevicePart) -> bool {
    part.operations.iter().any(|operation| operation.risky.is_some())
}

/// Whether a plan is what it says about others: it reverses exactly what they left. One that is approved with the plan
/// that it reverses is about no other, comes in time, and goes the same way.
///
/// # Errors
/// As [`reversible`] and [`rolls_back`]; `plan_stale` when it is not what reverses them, or a device is another box now.
pub(super) fn admit(
    state: &State,
    rules: &Rules,
    plan: &Plan,
    policy: Option<&str>,
    at: Moment,
) -> Result<(), Refusal> {
    let of = policy.map(|policy| policy.strip_prefix(ROLLBACK_OF));
    let forged = |why: &str| Err(Refusal::new(Code::PlanStale, format!("`undoes`: {why}")));
    match (plan.undoes.as_slice(), of) {
        ([], None | Some(None)) => return Ok(()),
        ([], Some(Some(_))) => {
            return forged("a plan that reverses nothing is not approved with another one");
        }
        (_, None) => {}
        (_, Some(None)) => {
            return forged("what reverses plans is approved by a person, or with the plan that it reverses");
        }
        ([undone], Some(Some(named))) if undone.to_string() == named => {
            let original = &rolls_back(state, rules, *undone, at)?.plan;
            let risky = plan.waves.iter().flatten().any(is_risky);
            if plan.rollout != watched(&original.rollout, risky) || plan.rollback_on_failure {
                return forged("it does not go through its waves as the plan that it reverses");
            }
            let unguarded = |part: &DevicePart| part.dead_man.is_none() && is_risky(part);
            if !plan.rollout.without_dead_man && plan.waves.iter().flatten().any(unguarded) {
                return forged("what is risky is not done without a timed undo");
            }
        }
        (_, Some(Some(_))) => return forged("it is approved with another plan than it reverses"),
    }
    exact(state, plan)
}

/// Whether a plan reverses exactly what others left; every plan does that reverses nothing.
///
/// # Errors
/// As [`admit`].
pub(super) fn exact(state: &State, plan: &Plan) -> Result<(), Refusal> {
    if plan.undoes.is_empty() {
        return Ok(());
    }
    let no = |why: String| Err(Refusal::new(Code::PlanStale, why));
    let mut newest_first: Option<JobId> = None;
    for undone in &plan.undoes {
        let job_id = reversible(state, *undone)?.job_id;
        if newest_first.is_some() && newest_first <= job_id {
            return no("`undoes`: plans are reversed once each, the newest first".to_owned());
        }
        newest_first = job_id;
    }
    let wanted = reversal(state, &plan.undoes)?;
    let given: Vec<Vec<(&DeviceId, &[Operation])>> = plan
        .waves
        .iter()
        .map(|wave| wave.iter().map(|part| (&part.device_id, part.operations.as_slice())).collect())
        .collect();
    let wanted: Vec<Vec<(&DeviceId, &[Operation])>> = wanted
        .iter()
        .map(|wave| wave.iter().map(|(id, operations)| (id, operations.as_slice())).collect())
        .collect();
    if given != wanted {
        return no("`undoes`: the operations are not what reverses the plans it names".to_owned());
    }
    for part in plan.waves.iter().flatten() {
        let bound = plan.undoes.iter().filter_map(|undone| {
            let original = super::job::part_of(&state.plans.get(undone)?.plan, &part.device_id)?;
            Some(&original.bound_sha256).filter(|bound| !bound.is_empty())
        });
        if bound.clone().any(|bound| *bound != part.bound_sha256) {
            return no(format!(
                "address or key of device `{}` changed since: it may be another box now",
                part.device_id
            ));
        }
    }
    Ok(())
}

/// Where a plan stands once a job that reversed it is over.
pub(super) fn after_reversal(
    state: &State,
    plan_id: PlanId,
    job_id: JobId,
    before: PlanStatus,
) -> PlanStatus {
    let left = standing(state, plan_id);
    if left.is_empty() {
        return PlanStatus::RolledBack;
    }
    if left == standing_before(state, plan_id, Some(job_id)) {
        before
    } else {
        PlanStatus::PartiallyRolledBack
    }
}
