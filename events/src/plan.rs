//! Facts about plans and their approval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    device::Environment,
    ids::{DeviceId, Moment, PlanId},
    operation::Operation,
    principal::Actor,
};

/// How bad it would be if this went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    /// Score below 30.
    Low,
    /// Score 30–59.
    Medium,
    /// Score 60 and more.
    High,
}

/// Risk of one device's part, with its reasons (DECISIONS: risk).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Risk {
    /// 0–100.
    pub score: u8,
    /// Level that the score means.
    pub level: RiskLevel,
    /// Why, one short sentence each.
    pub reasons: Vec<String>,
}

/// One device's part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DevicePart {
    /// Which device.
    pub device_id: DeviceId,
    /// What will be done, in order.
    pub operations: Vec<Operation>,
    /// How risky it is.
    pub risk: Risk,
}

/// A plan: immutable and specific. Nothing about it is decided later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Its id.
    pub plan_id: PlanId,
    /// The tool that proposed it.
    pub tool: String,
    /// One line for people, made by us from typed data.
    pub summary: String,
    /// All devices of a plan belong to one environment.
    pub environment: Environment,
    /// Waves of device parts; the first wave is the canary.
    pub waves: Vec<Vec<DevicePart>>,
    /// Undo what was applied when something fails.
    pub rollback_on_failure: bool,
}

/// A plan was proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanProposed {
    /// The plan.
    pub plan: Plan,
    /// SHA-256 over the canonical bytes of the plan (64 hex digits): what an approver approves.
    pub plan_hash: String,
    /// Who proposed it.
    pub by: Actor,
    /// SHA-256 of the approval token (64 hex digits); empty when policy approved at once and none was made.
    pub approval_token_sha256: String,
    /// Unapproved, it ends then.
    pub expires_at: Moment,
}

/// Who said yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovedBy {
    /// A named person with the approver role.
    Person(Actor),
    /// A rule of the configuration, by its name (`immediate_writes:lab`).
    Policy(String),
}

/// A plan was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanApproved {
    /// Which plan.
    pub plan_id: PlanId,
    /// The hash that was approved.
    pub plan_hash: String,
    /// Who approved it.
    pub by: ApprovedBy,
    /// In the approver's words.
    pub comment: String,
    /// It must be started before then.
    pub start_before: Moment,
}

/// A plan was rejected by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRejected {
    /// Which plan.
    pub plan_id: PlanId,
    /// Who rejected it.
    pub by: Actor,
    /// Why.
    pub comment: String,
}

/// A plan was not approved, or not started, in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanExpired {
    /// Which plan.
    pub plan_id: PlanId,
}

/// What a plan was made from is not what the router shows any more; it can never be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStale {
    /// Which plan.
    pub plan_id: PlanId,
    /// The device that differs.
    pub device_id: DeviceId,
}
