//! Rules about the start of a job: an approved plan, once, on devices that are free and still the same.

use events::{
    event::Event,
    ids::{JobId, Moment, PlanId, StepId, WaveNo},
    job::{JobStarted, StepLayout},
    plan::{ApprovedBy, Plan},
    principal::{Actor, Door},
};

use crate::{
    domain::{
        Refusal, State, approval,
        device::Device,
        job::still_that_box,
        plan::{self, PlanState, PlanStatus},
        undo, workflow,
    },
    failure::Code,
};

/// What makes a device that very box.
#[must_use]
pub fn bound_sha256(device: &Device) -> String {
    let settings = &device.settings;
    events::device::bound_sha256(settings.management_ip, settings.management_port, &device.trust)
}

pub fn start(
    state: &State,
    actor: &Actor,
    plan_id: PlanId,
    job_id: JobId,
    step_ids: &[StepId],
    approval_token_sha256: Option<&str>,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    let plan = plan::find(state, plan_id)?;
    if let Some(refusal) = approval::over(plan, at) {
        return Err(refusal);
    }
    if plan.status == PlanStatus::Pending {
        let (got, needed) = (plan.approvals.len(), plan.approvals_needed);
        return Err(Refusal::new(
            Code::PlanNotApproved,
            format!("{plan_id} waits for a person's approval ({got} of {needed})"),
        )
        .hint("a named approver who is not the requester approves it; the same call is good afterwards"));
    }
    workflow::still_trusted(state, plan)?;
    token_fits(plan, actor, approval_token_sha256)?;
    undo::exact(state, &plan.plan)?;
    devices_fit(state, &plan.plan)?;
    let mut ids = step_ids.iter();
    let mut steps = Vec::new();
    for (wave, parts) in (1u32..).zip(&plan.plan.waves) {
        for part in parts {
            for operation in (0u32..).take(part.operations.len()) {
                let Some(step_id) = ids.next() else {
                    return Err(Refusal::new(Code::Bug, "fewer step ids than operations"));
                };
                steps.push(StepLayout {
                    step_id: *step_id,
                    device_id: part.device_id.clone(),
                    wave: WaveNo(wave),
                    operation,
                });
            }
        }
    }
    Ok(vec![JobStarted { job_id, plan_id, by: actor.clone(), steps }.into()])
}

/// Each device is where it was, is that box still, and is free.
fn devices_fit(state: &State, plan: &Plan) -> Result<(), Refusal> {
    for part in plan.waves.iter().flatten() {
        let environment = state.device(&part.device_id)?.settings.environment;
        if environment != plan.environment {
            return Err(Refusal::new(
                Code::PlanStale,
                format!(
                    "device `{}` was moved to {} since the plan was made; propose the change again",
                    part.device_id,
                    environment.as_str()
                ),
            ));
        }
        still_that_box(state, part)?;
        if let Some(holder) = state.leases.get(&part.device_id) {
            return Err(Refusal {
                job_id: Some(*holder),
                ..Refusal::new(Code::DeviceInJob, format!("device `{}` is held by {holder}", part.device_id))
            });
        }
    }
    Ok(())
}

/// Agents must show the token of a plan that a person approved; people and policies need none.
fn token_fits(plan: &PlanState, actor: &Actor, shown: Option<&str>) -> Result<(), Refusal> {
    let by_person = plan.approvals.iter().any(|approval| matches!(approval.by, ApprovedBy::Person(_)));
    let agent = matches!(actor.door, Door::McpHttp | Door::McpStdio);
    let fits = match shown {
        // Both are hashes of 256 random bits, so comparing them in variable time tells nothing.
        Some(shown) => !plan.approval_token_sha256.is_empty() && shown == plan.approval_token_sha256,
        None => !(by_person && agent),
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::new(Code::ApprovalTokenInvalid, "`approval_token`: not the token of this plan")
        .hint("use the token that this very plan was answered with"))
}
