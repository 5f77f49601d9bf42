//! `PlanProposed` as version 2 wrote it: waves without gates, parts without checks and timed undo. Frozen.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{BodyError, CONFIG, decode_whole},
    device::Environment,
    ids::{DeviceId, Moment, PlanId},
    operation::Operation,
    plan::{DevicePart, Origin, Plan, PlanProposed, Risk, Rollout},
    principal::Actor,
};

#[derive(Serialize, Deserialize)]
pub(crate) struct PlanProposedV2 {
    pub plan: PlanV2,
    pub plan_hash: String,
    pub by: Actor,
    pub approval_token_sha256: String,
    pub expires_at: Moment,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PlanV2 {
    pub plan_id: PlanId,
    pub tool: String,
    pub summary: String,
    pub environment: Environment,
    pub waves: Vec<Vec<DevicePartV2>>,
    pub rollback_on_failure: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DevicePartV2 {
    pub device_id: DeviceId,
    pub operations: Vec<Operation>,
    pub risk: Risk,
}

/// Version 2 to version 3: one wave after the other without a gate, as it was.
pub fn raise(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let old: PlanProposedV2 = decode_whole(body)?;
    Ok(bincode::serde::encode_to_vec(proposed(old), CONFIG).expect("a plan is plain data"))
}

/// What the hash of a plan of version 2 is over.
pub fn canonical(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let old: PlanProposedV2 = decode_whole(body)?;
    Ok(serde_json::to_vec(&old.plan).expect("a plan is plain data with text keys"))
}

fn proposed(old: PlanProposedV2) -> PlanProposed {
    let PlanV2 { plan_id, tool, summary, environment, waves, rollback_on_failure } = old.plan;
    let waves = waves.into_iter().map(|parts| parts.into_iter().map(part).collect()).collect();
    let rollout = Rollout { without_dead_man: true, ..Rollout::default() };
    let (undoes, reason) = (Vec::new(), String::new());
    PlanProposed {
        plan: Plan {
            plan_id,
            tool,
            summary,
            environment,
            waves,
            rollback_on_failure,
            rollout,
            undoes,
            reason,
        },
        plan_hash: old.plan_hash,
        by: old.by,
        approval_token_sha256: old.approval_token_sha256,
        approvals_needed: 1,
        origin: Origin::default(),
        expires_at: old.expires_at,
    }
}

fn part(old: DevicePartV2) -> DevicePart {
    DevicePart {
        device_id: old.device_id,
        operations: old.operations,
        risk: old.risk,
        bound_sha256: String::new(),
        checks: Vec::new(),
        dead_man: None,
    }
}
