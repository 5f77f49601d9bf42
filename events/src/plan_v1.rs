//! `PlanProposed` as version 1 wrote it: an expectation named its record by id only. Frozen.

use serde::{Deserialize, Serialize};

use crate::{
    codec::{BodyError, CONFIG, decode_whole},
    device::Environment,
    ids::{DeviceId, Moment, PlanId},
    operation::{Action, Expectation, Operation, Which},
    plan::Risk,
    plan_v2::{DevicePartV2, PlanProposedV2, PlanV2},
    principal::Actor,
};

#[derive(Serialize, Deserialize)]
struct PlanProposedV1 {
    plan: PlanV1,
    plan_hash: String,
    by: Actor,
    approval_token_sha256: String,
    expires_at: Moment,
}

#[derive(Serialize, Deserialize)]
struct PlanV1 {
    plan_id: PlanId,
    tool: String,
    summary: String,
    environment: Environment,
    waves: Vec<Vec<DevicePartV1>>,
    rollback_on_failure: bool,
}

#[derive(Serialize, Deserialize)]
struct DevicePartV1 {
    device_id: DeviceId,
    operations: Vec<OperationV1>,
    risk: Risk,
}

#[derive(Serialize, Deserialize)]
struct OperationV1 {
    action: Action,
    undo: Vec<Action>,
    expect_before: ExpectationV1,
    expect_after: ExpectationV1,
    risky: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ExpectationV1 {
    menu: String,
    id: Option<String>,
    properties: Vec<(String, Option<String>)>,
}

/// Version 1 to version 2.
pub fn raise(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let old: PlanProposedV1 = decode_whole(body)?;
    Ok(bincode::serde::encode_to_vec(proposed(old), CONFIG).expect("a plan is plain data"))
}

/// What the hash of a plan of version 1 is over.
pub fn canonical(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let old: PlanProposedV1 = decode_whole(body)?;
    Ok(serde_json::to_vec(&old.plan).expect("a plan is plain data with text keys"))
}

fn proposed(old: PlanProposedV1) -> PlanProposedV2 {
    let PlanV1 { plan_id, tool, summary, environment, waves, rollback_on_failure } = old.plan;
    let waves = waves.into_iter().map(|parts| parts.into_iter().map(part).collect()).collect();
    PlanProposedV2 {
        plan: PlanV2 { plan_id, tool, summary, environment, waves, rollback_on_failure },
        plan_hash: old.plan_hash,
        by: old.by,
        approval_token_sha256: old.approval_token_sha256,
        expires_at: old.expires_at,
    }
}

fn part(old: DevicePartV1) -> DevicePartV2 {
    let operations = old.operations.into_iter().map(operation).collect();
    DevicePartV2 { device_id: old.device_id, operations, risk: old.risk }
}

fn operation(old: OperationV1) -> Operation {
    Operation {
        action: old.action,
        undo: old.undo,
        expect_before: expectation(old.expect_before),
        expect_after: expectation(old.expect_after),
        risky: old.risky,
    }
}

fn expectation(old: ExpectationV1) -> Expectation {
    let which = old.id.map_or(Which::Menu, Which::Id);
    Expectation::of(&old.menu, which, old.properties)
}
