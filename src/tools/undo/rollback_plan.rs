//! Undoes a plan that was carried out: as approved as the plan itself, for a day after its end.

use events::{
    ids::{DeviceId, JobId, PlanId},
    job::{JobStatus, StepStatus},
    plan::Plan,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Tier,
    domain::{
        Command,
        job::JobState,
        plan::PlanStatus,
        undo::{self, ROLLBACK_OF},
    },
    engine::mint,
    failure::{Code, Failure},
    tools::{
        context::{ANSWER_MARGIN, Cx},
        params::{DeviceRef, Text},
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
    /// `rolled_back`, `failed`, `unclear` (a person must look), `waiting`.
    status: &'static str,
    /// Our word for its failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// Of the plan that is undone; `rolling_back` while it goes on.
    status: PlanStatus,
    plan_id: PlanId,
    rollback_plan_id: PlanId,
    job_id: JobId,
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
        "Undoes a finished plan. Needs no new approval within 24 h of its end.",
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
        let waves =
            reversal::parts(cx, &[plan_id], original.plan.environment, &original.plan.rollout).await?;
        let device_count = waves.iter().flatten().count();
        cx.has_a_place_for(plan_id, device_count)?;
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
            rollout: original.plan.rollout.clone(),
            undoes: vec![plan_id],
            reason: params.reason.0,
        };
        let rollback_plan_id = plan.plan_id;
        cx.submit(Command::ProposePlan {
            plan: Box::new(plan),
            approval_token_sha256: String::new(),
            policy: Some(format!("{ROLLBACK_OF}{plan_id}")),
            origin: cx.origin(),
        })
        .await
        .map_err(|failure| explained(failure, plan_id))?;
        let job_id = cx.start(rollback_plan_id, steps, None).await?;
        cx.progress(0.0, Some(1.0), "started");
        let rests = cx.engine().wait_until(|views| {
            let job = views.state.jobs.get(&job_id)?;
            let rests = job.status.is_over() || matches!(job.status, JobStatus::Stuck | JobStatus::Halted);
            rests.then(|| job.clone())
        });
        let patience = cx.time_left().saturating_sub(ANSWER_MARGIN);
        let rested = tokio::time::timeout(patience, rests).await.ok().transpose()?;
        let job = rested
            .or_else(|| cx.view(|views| views.state.jobs.get(&job_id).cloned()))
            .ok_or_else(|| Failure::new(Code::Bug, "a started job is not there"))?;
        let answer = answer(cx, plan_id, &job);
        if answer.summary.success == 0 && job.status.is_over() {
            cx.ended_well(&job)?;
        }
        Ok(answer)
    }

    fn say(answer: &Answer) -> String {
        let Summary { total, success, .. } = answer.summary;
        format!("{} is {}: {success} of {total} devices undone", answer.plan_id, answer.status.as_str())
    }
}

/// A refusal with the way forward.
fn explained(failure: Failure, plan_id: PlanId) -> Failure {
    match failure.code {
        Code::PlanExpired => failure.hint(format!(
            "a person proposes its reversal for approval: `appliance plan undo --plan {plan_id} --reason …`"
        )),
        Code::Conflict => failure.hint(
            "plan_details and job_status tell where it stands; job_cancel ends a job that is carried out",
        ),
        _ => failure,
    }
}

fn answer(cx: &Cx, plan_id: PlanId, job: &JobState) -> Answer {
    let mut devices: Vec<Device> = Vec::new();
    for step in &job.steps {
        let device_id = &step.layout.device_id;
        if devices.iter().any(|device| device.device_id == *device_id) {
            continue;
        }
        let over = job.status.is_over();
        let has = |is: &dyn Fn(StepStatus) -> bool| job.steps_of(device_id).find(|step| is(step.status));
        let broken = has(&|status| matches!(status, StepStatus::Diverged | StepStatus::InDoubt));
        let undone = job.steps_of(device_id).all(|step| step.status == StepStatus::Applied);
        let failed = has(&|status| {
            matches!(status, StepStatus::NotApplied | StepStatus::Refused | StepStatus::RevertedByRouter)
        });
        let status = match (broken, undone, failed) {
            (Some(_), ..) => "unclear",
            (None, true, _) => "rolled_back",
            (None, false, Some(_)) => "failed",
            (None, false, None) if over => "failed",
            (None, false, None) => "waiting",
        };
        let why = broken.or(failed).and_then(|step| step.code.clone());
        let away = status == "failed" && why.is_none();
        devices.push(Device {
            device_id: device_id.clone(),
            status,
            reason: why.or_else(|| away.then(|| Code::DeviceUnreachable.as_str().to_owned())),
        });
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
        (true, false) => "try it again when the failed devices can be reached".to_owned(),
        (false, _) => format!("job_status {job_id} tells where it stands; nothing is sent twice"),
    };
    Answer {
        status: status.unwrap_or(PlanStatus::RollingBack),
        plan_id,
        rollback_plan_id: job.plan_id,
        job_id,
        devices_affected: success,
        summary: Summary { total: devices.len(), success, failed: devices.len() - success - waiting },
        devices,
        next_step,
    }
}
