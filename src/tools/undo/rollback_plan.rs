//! Undoes a plan that was carried out: as approved as the plan itself, for a day after its end.

use events::{
    device::Environment,
    ids::{DeviceId, JobId, Moment, PlanId},
    job::StepStatus,
    plan::Plan,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Tier,
    domain::{
        Command,
        job::JobState,
        plan::{PlanState, PlanStatus},
        undo::{self, ROLLBACK_OF},
    },
    engine::mint,
    failure::{Code, Failure},
    tools::{
        context::Cx,
        params::{DeviceRef, Text},
        plan::job_shown::unread,
        tool::{Spec, Targets, Tool},
        undo::reversal,
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    plan_id: PlanId,
    /// Why.
    reason: Text<1, 512>,
    /// False: answers once it is started.
    #[serde(default = "yes")]
    wait: bool,
}

const fn yes() -> bool {
    true
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
    fn plan(&self) -> Option<PlanId> {
        Some(self.plan_id)
    }
}

/// How many devices it is about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Summary {
    total: usize,
    success: usize,
    failed: usize,
}

/// One device.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    device_id: DeviceId,
    /// `rolled_back`, `failed`, `unclear` (a person must look), `skipped` (by a person), `not_begun`, `waiting`.
    status: &'static str,
    /// Our word for its failure; none where nothing was asked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A reversal that a person approves first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ToApprove {
    plan_hash: String,
    approval_expires_at: Moment,
    /// Why the approval of the plan is not enough.
    why: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// Of the plan that is undone; `rolling_back` while it goes on.
    status: PlanStatus,
    plan_id: PlanId,
    rollback_plan_id: PlanId,
    /// None while a person must approve it.
    job_id: Option<JobId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_approve: Option<ToApprove>,
    devices_affected: usize,
    summary: Summary,
    devices: Vec<Device>,
    next_step: String,
}

pub struct ConfigRollbackPlan;

impl Tool for ConfigRollbackPlan {
    const SPEC: Spec = Spec::write(
        "config_rollback_plan",
        "Roll a plan back",
        "Undoes a finished plan within 24 h of its end. Where it could cut off a production router, a person approves it.",
    )
    .needs(&[])
    .tier(Tier::Professional)
    .timeout_s(300);
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let plan_id = params.plan_id;
        let (rules, at) = (cx.engine().rules(), cx.now());
        let original = cx
            .view(|views| undo::rolls_back(&views.state, rules, plan_id, at).cloned())
            .map_err(|refusal| explained(refusal.into(), plan_id))?;
        reversal::may_change(cx, &original.plan)?;
        let waves = reversal::parts(cx, &[plan_id], original.plan.environment, &original.plan.rollout)
            .await
            .map_err(|failure| explained(failure, plan_id))?;
        let device_count = waves.iter().flatten().count();
        let risky = waves.iter().flatten().any(undo::is_risky);
        let for_a_person = why_a_person(cx, &original, risky);
        if for_a_person.is_none() {
            cx.has_a_place_for(plan_id, device_count)?;
        }
        let steps = waves.iter().flatten().map(|part| part.operations.len()).sum();
        let plan = Plan {
            plan_id: mint!(PlanId),
            tool: cx.tool().to_owned(),
            summary: format!(
                "roll back {plan_id} on {device_count} device{}",
                if device_count == 1 { "" } else { "s" }
            ),
            environment: original.plan.environment,
            waves,
            rollback_on_failure: false,
            rollout: undo::watched(&original.plan.rollout, risky),
            undoes: vec![plan_id],
            reason: params.reason.0,
        };
        let rollback_plan_id = plan.plan_id;
        if let Some(why) = for_a_person {
            return to_approve(cx, plan, original.status_at(at), why).await;
        }
        cx.submit(Command::ProposePlan {
            plan: Box::new(plan),
            approval_token_sha256: String::new(),
            policy: Some(format!("{ROLLBACK_OF}{plan_id}")),
            origin: cx.origin(),
        })
        .await
        .map_err(|failure| explained(failure, plan_id))?;
        let job_id = cx.start(rollback_plan_id, steps, None).await?;
        cx.progress(0.0, Some(100.0), "started");
        let rested = if params.wait { cx.followed(job_id, None).await? } else { None };
        let job = rested
            .or_else(|| cx.view(|views| views.state.jobs.get(&job_id).cloned()))
            .ok_or_else(|| Failure::new(Code::Bug, "a started job is not there"))?;
        let answer = answer(cx, plan_id, &job);
        if params.wait && answer.summary.success == 0 && job.status.is_over() {
            cx.ended_well(&job)?;
        }
        Ok(answer)
    }

    fn say(answer: &Answer) -> String {
        let Summary { total, success, .. } = answer.summary;
        if answer.to_approve.is_some() {
            return format!("{} would undo it and waits for a person's approval", answer.rollback_plan_id);
        }
        format!("{} is {}: {success} of {total} devices undone", answer.plan_id, answer.status.as_str())
    }
}

/// Why an agent does not undo a plan by itself: what could cut off a production router, and what two persons approved, is
/// looked at by a person again. A person who asks for it has looked.
fn why_a_person(cx: &Cx, original: &PlanState, risky: bool) -> Option<String> {
    if !cx.principal().is_agent() {
        return None;
    }
    if original.approvals_needed > 1 {
        return Some(format!("{} needed {} approvers", original.plan.plan_id, original.approvals_needed));
    }
    let in_prod = original.plan.environment == Environment::Prod;
    (risky && in_prod).then(|| "it could cut our own way to production routers".to_owned())
}

/// Proposes the reversal as a plan that a person approves and starts.
async fn to_approve(cx: &Cx, plan: Plan, status: PlanStatus, why: String) -> Result<Answer, Failure> {
    let plan_id = plan.undoes[0];
    let devices: Vec<Device> = plan
        .waves
        .iter()
        .flatten()
        .map(|part| Device { device_id: part.device_id.clone(), status: "waiting", reason: None })
        .collect();
    let proposed = cx.propose(plan).await.map_err(|failure| explained(failure, plan_id))?;
    Ok(Answer {
        status,
        plan_id,
        rollback_plan_id: proposed.plan_id,
        job_id: None,
        to_approve: Some(ToApprove {
            plan_hash: proposed.plan_hash,
            approval_expires_at: proposed.approval_expires_at,
            why,
        }),
        devices_affected: 0,
        summary: Summary { total: devices.len(), success: 0, failed: 0 },
        devices,
        next_step: proposed.next_step,
    })
}

/// A refusal with the way forward.
fn explained(failure: Failure, plan_id: PlanId) -> Failure {
    match failure.code {
        Code::PlanExpired => failure.hint(format!(
            "a person proposes its reversal for approval: `appliance plan undo --plan {plan_id} --reason …`"
        )),
        Code::UnsafeOperation
            if failure.details.as_ref().is_some_and(|details| details["field"] == "without_dead_man") =>
        {
            failure.hint(format!(
                "a person proposes its reversal without one: `appliance plan undo --plan {plan_id} --without-dead-man --reason …`"
            ))
        }
        Code::Conflict => failure.hint(
            "plan_details and job_status tell where it stands; job_cancel ends a job that is carried out",
        ),
        _ => failure,
    }
}

/// One device, as its job left it.
fn told(job: &JobState, device_id: &DeviceId) -> Device {
    let has = |is: &dyn Fn(StepStatus) -> bool| job.steps_of(device_id).find(|step| is(step.status));
    let broken = has(&|status| matches!(status, StepStatus::Diverged | StepStatus::InDoubt));
    let undone = job.steps_of(device_id).all(|step| step.status == StepStatus::Applied);
    let failed = has(&|status| {
        matches!(status, StepStatus::NotApplied | StepStatus::Refused | StepStatus::RevertedByRouter)
    });
    // Nothing was sent where the router's timed undo could not be armed.
    let unarmed = job.dead_men.iter().find(|(id, man)| *id == device_id && man.has_failed());
    let unread = job.steps_of(device_id).find_map(|step| unread(job, step));
    let tried = failed.is_some() || unarmed.is_some() || unread.is_some();
    let status = match (broken, undone, tried) {
        (Some(_), ..) => "unclear",
        (None, true, _) => "rolled_back",
        (None, false, _) if job.skipped.contains(device_id) => "skipped",
        (None, false, true) => "failed",
        (None, false, false) if job.status.is_over() => "not_begun",
        (None, false, false) => "waiting",
    };
    let code = broken.or(failed).and_then(|step| step.code.clone());
    let reason = code.or_else(|| unarmed.and_then(|(_, man)| man.code.clone())).or(unread);
    Device { device_id: device_id.clone(), status, reason }
}

fn answer(cx: &Cx, plan_id: PlanId, job: &JobState) -> Answer {
    let mut devices: Vec<Device> = Vec::new();
    for step in &job.steps {
        let device_id = &step.layout.device_id;
        if !devices.iter().any(|device| device.device_id == *device_id) {
            devices.push(told(job, device_id));
        }
    }
    // What is not known of a device could not be reversed.
    let left = cx.view(|views| undo::standing(&views.state, plan_id));
    let unclear = left.into_iter().filter(|left| left.unclear);
    for left in unclear {
        if !devices.iter().any(|device| device.device_id == left.device_id) {
            devices.push(Device { device_id: left.device_id, status: "unclear", reason: None });
        }
    }
    let status = cx.view(|views| views.state.plans.get(&plan_id).map(|plan| plan.status));
    let success = devices.iter().filter(|device| device.status == "rolled_back").count();
    let waiting = devices.iter().filter(|device| device.status == "waiting").count();
    let job_id = job.job_id;
    let next_step = match (job.status.is_over(), success == devices.len()) {
        (true, true) => "none".to_owned(),
        (true, false) => format!("job_status {job_id} tells why; rolling back once more does the rest"),
        (false, _) => format!("job_status {job_id} tells where it stands; nothing is sent twice"),
    };
    Answer {
        status: status.unwrap_or(PlanStatus::RollingBack),
        plan_id,
        rollback_plan_id: job.plan_id,
        job_id: Some(job_id),
        to_approve: None,
        devices_affected: success,
        summary: Summary { total: devices.len(), success, failed: devices.len() - success - waiting },
        devices,
        next_step,
    }
}

#[cfg(test)]
mod tests {
    use events::{
        job::{JobStatus, StepSettled},
        plan::Origin,
    };

    use super::*;
    use crate::domain::testing::{added, agent, device_id, dns_plan, given, job_id, plan_id, step_id};

    #[test]
    fn nothing_is_claimed_of_a_router_that_nobody_asked() {
        let mut given = given([added("r1", 1, Environment::Lab), added("r2", 2, Environment::Lab)]);
        let propose = Command::ProposePlan {
            plan: Box::new(dns_plan(1, Environment::Lab, &["r1", "r2"])),
            approval_token_sha256: String::new(),
            policy: Some("immediate_writes:lab".into()),
            origin: Origin::default(),
        };
        given.when(&agent(), propose);
        let (plan_id, job_id, step_ids) = (plan_id(1), job_id(1), vec![step_id(1), step_id(2)]);
        let start = Command::StartJob { plan_id, job_id, step_ids, approval_token_sha256: None };
        given.when(&agent(), start);
        let status = |status| Command::SetJobStatus { job_id, status, reason: String::new() };
        given.when(&agent(), status(JobStatus::Running));
        let now = |given: &crate::domain::testing::Given| {
            ["r1", "r2"].map(|id| {
                let device = told(&given.state.jobs[&job_id], &device_id(id));
                (device.status, device.reason)
            })
        };
        assert_eq!(now(&given), [("waiting", None), ("waiting", None)]);
        let (code, detail, observed) = (Some("device_unreachable".to_owned()), String::new(), Vec::new());
        given.when(
            &agent(),
            Command::SettleStep(StepSettled {
                job_id,
                step_id: step_id(1),
                device_id: device_id("r1"),
                status: StepStatus::NotApplied,
                code: code.clone(),
                detail,
                observed,
            }),
        );
        given.when(&agent(), status(JobStatus::Failed));
        assert_eq!(now(&given), [("failed", code), ("not_begun", None)]);
    }
}
