//! Facts about plans and their approval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    device::Environment,
    ids::{CallId, DeviceId, Moment, PlanId},
    operation::{Action, Operation},
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

/// One check made while a plan was made. What must hold refuses the plan; what stands here held, or is a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Precheck {
    /// What was looked at: `reachable`, `version`, `device_mode`, `capability`, `management_path`, `health`.
    pub check: String,
    /// It held; otherwise it is a warning.
    pub passed: bool,
    /// What was seen, in one line made by us.
    pub note: String,
}

/// How a router undoes a change by itself when we are gone (FACTS section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// A script that waits and then undoes: `/execute`. Lost when the router reboots.
    TimerJob,
    /// An entry of `/system/scheduler` that undoes and removes itself. Survives a reboot.
    Scheduler,
}

/// A timed undo that is armed on the router before its first step is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadMan {
    /// By what means.
    pub rung: Rung,
    /// The router undoes this long after it was armed.
    pub seconds: u32,
    /// What arms it, to the letter.
    pub arm: Action,
    /// The menu in which it is seen while it is armed.
    pub menu: String,
    /// The name by which it is known there; a timer job has none and is known by the id that arming answered.
    pub name: Option<String>,
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
    /// SHA-256 over address, port and trust of the device when the plan was made (64 hex digits): the plan is about that
    /// box. Empty in plans made before there was one.
    pub bound_sha256: String,
    /// What was checked while the plan was made.
    pub checks: Vec<Precheck>,
    /// The timed undo under which risky operations are made, where one is needed and can be armed.
    pub dead_man: Option<DeadMan>,
}

/// When a wave is healthy enough for the next one (DECISIONS: jobs on routers, 2; thresholds).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatePolicy {
    /// A CPU load from here on is too high, in percent.
    pub cpu_percent: u8,
    /// Memory in use from here on is too much, in percent.
    pub memory_percent: u8,
    /// Disk in use from here on is too much, in percent.
    pub disk_percent: u8,
    /// A temperature from here on is too high.
    pub temperature_celsius: u8,
    /// A name that each device must be able to resolve after the wave.
    pub resolve: Option<String>,
    /// Each device's clock must be synchronised after the wave.
    pub ntp: bool,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            cpu_percent: 80,
            memory_percent: 85,
            disk_percent: 85,
            temperature_celsius: 70,
            resolve: None,
            ntp: false,
        }
    }
}

/// How a plan goes through its waves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Rollout {
    /// Rest between a wave whose gate passed and the next wave, in seconds.
    pub pause_seconds: u32,
    /// How long a wave is watched before its gate is judged, in seconds.
    pub soak_seconds: u32,
    /// What is judged after each wave; none: the next wave follows at once.
    pub gate: Option<GatePolicy>,
    /// Risky operations may be made on devices where no timed undo can be armed.
    pub without_dead_man: bool,
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
    /// How it goes through its waves.
    pub rollout: Rollout,
    /// The plans that this one reverses, if it does: it goes on past a device that fails.
    pub undoes: Vec<PlanId>,
    /// Why it was made, in the requester's words; empty when they gave none.
    pub reason: String,
}

/// The call that a plan comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The call as recorded.
    pub call_id: Option<CallId>,
    /// The caller's own word for its session; empty when it gave none.
    pub correlation_id: String,
    /// The program that called, as it named itself (`claude-desktop 1.2`); empty when it did not.
    pub client: String,
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
    /// How many named persons must approve it.
    pub approvals_needed: u8,
    /// The call that it comes from.
    pub origin: Origin,
    /// Unapproved, it ends then.
    pub expires_at: Moment,
}

/// Who said yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovedBy {
    /// A named person with the approver role.
    Person(Actor),
    /// A rule of the configuration, by its name (`immediate_writes:lab`, `workflow:ntp-sites`), or that a plan was approved
    /// with its undo (`rollback_of:plan_…`).
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

/// Approval by trusted workflows was stopped, or allowed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoApprovalSwitched {
    /// Allowed from now on.
    pub on: bool,
    /// Why, in the words of who switched.
    pub reason: String,
}
