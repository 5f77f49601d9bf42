//! The rules: what may happen next, and what a fact means for the state. Pure.
//!
//! [`decide`] turns a wish into events or a refusal; [`apply`](State::apply) takes an event in and cannot fail. No clock,
//! no randomness, no disk, no router: the caller brings `now` and every id.

pub mod approval;
pub mod device;
pub mod gate;
pub mod invert;
pub mod job;
pub mod plan;
pub mod token;
pub mod undo;
pub mod workflow;

#[cfg(test)]
mod approval_tests;
#[cfg(test)]
mod forgery_tests;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod undo_tests;

use std::collections::{BTreeMap, BTreeSet};

use events::{
    access::{SignInRefused, TokenCreated},
    call::{ToolCalled, ToolDenied},
    device::{DeviceSettings, DeviceStatus, Identification, Purpose, Trust},
    event::{Envelope, Event, Keep},
    fold::Fold,
    gate::{DeadManSettled, GateSample},
    ids::{CommandId, CredentialId, DeviceId, JobId, Moment, PlanId, Seq, StepId, StoreId, TokenId, WaveNo},
    job::{Direction, JobStatus, StepSettled},
    plan::{AutoApprovalSwitched, Origin, Plan},
    principal::Actor,
    sample::HealthBatch,
    store::AuditGap,
};
use serde::{Deserialize, Serialize};

use crate::failure::Code;

/// How many command ids are remembered for answering a repetition: at tens of commands a second, minutes.
const COMMANDS_REMEMBERED_MAX: usize = 4096;

/// A "no" with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable word.
    pub code: Code,
    /// One sentence for people.
    pub say: String,
    /// The job that holds the device, or that the plan already started.
    pub job_id: Option<JobId>,
    /// What to do next, if we know.
    pub hint: Option<&'static str>,
}

impl Refusal {
    /// A refusal with its sentence.
    #[must_use]
    pub fn new(code: Code, say: impl Into<String>) -> Self {
        Self { code, say: say.into(), job_id: None, hint: None }
    }
    /// Adds what to do next.
    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// What the configuration decides for the rules. Part of the inputs, never of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How long a plan waits for approval, in seconds (24 h).
    pub approval_wait_s: i64,
    /// How long an approved plan may wait for its start, in seconds (15 min).
    pub start_within_s: i64,
    /// In `lab`, the requester may approve their own plan (still never over MCP).
    pub lab_self_approval: bool,
    /// Plans of high risk need two named persons.
    pub two_approvers_for_high_risk: bool,
    /// Plans that these describe are approved without a person.
    pub workflows: Vec<workflow::Trusted>,
    /// How long the approval of a plan is good for its undo too, in seconds after its end (24 h).
    pub rollback_within_s: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            approval_wait_s: 24 * 3600,
            start_within_s: 15 * 60,
            lab_self_approval: false,
            two_approvers_for_high_risk: false,
            workflows: Vec::new(),
            rollback_within_s: 24 * 3600,
        }
    }
}

/// A login that was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The record.
    pub credential_id: CredentialId,
    /// What for.
    pub purpose: Purpose,
    /// The router user.
    pub username: String,
}

/// A device as it was when somebody decided to change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its settings.
    pub settings: DeviceSettings,
    /// Its logins: record and router user.
    pub logins: BTreeMap<Purpose, (CredentialId, String)>,
}

impl From<&device::Device> for Seen {
    fn from(device: &device::Device) -> Self {
        Self { settings: device.settings.clone(), logins: device.credentials.clone() }
    }
}

/// A wish. Identity comes with it from the door, never inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Register a device, with its trust and logins if they are known already: all of it or nothing.
    AddDevice {
        /// Its id, for ever.
        device_id: DeviceId,
        /// What the operator says.
        settings: DeviceSettings,
        /// How it is recognised, when an admin has confirmed it.
        trust: Option<Trust>,
        /// Its logins; the sealed bytes travel beside the command, in the same transaction.
        logins: Vec<Login>,
    },
    /// Replace a device's settings, and its trust and logins where given: all of it or nothing.
    EditDevice {
        /// Which device.
        device_id: DeviceId,
        /// What the wish was made from: refused when somebody changed it meanwhile.
        seen: Box<Seen>,
        /// All settings from now on.
        settings: DeviceSettings,
        /// How it is recognised from now on.
        trust: Option<Trust>,
        /// New logins; the sealed bytes travel beside the command, in the same transaction.
        logins: Vec<Login>,
    },
    /// Take a device out, its logins with it.
    RemoveDevice {
        /// Which device.
        device_id: DeviceId,
        /// Why.
        reason: String,
    },
    /// Confirm how a device is recognised.
    TrustDevice {
        /// Which device.
        device_id: DeviceId,
        /// The rule.
        trust: Trust,
    },
    /// A device showed another key.
    QuarantineDevice {
        /// Which device.
        device_id: DeviceId,
        /// SHA-256 of what it showed.
        seen_sha256: String,
    },
    /// A device told what it is.
    IdentifyDevice {
        /// Which device.
        device_id: DeviceId,
        /// What it told.
        identification: Identification,
    },
    /// A device was looked at.
    ObserveDevice {
        /// Which device.
        device_id: DeviceId,
        /// What the look means.
        status: DeviceStatus,
        /// Why, in a stable word.
        reason: String,
    },
    /// Propose a plan.
    ProposePlan {
        /// The plan.
        plan: Box<Plan>,
        /// SHA-256 of its approval token, or empty when a policy approves at once.
        approval_token_sha256: String,
        /// The rule of the configuration that approves it at once, if one does.
        policy: Option<String>,
        /// The call that it comes from.
        origin: Origin,
    },
    /// Approve a plan.
    ApprovePlan {
        /// Which plan.
        plan_id: PlanId,
        /// The hash the approver was shown.
        plan_hash: String,
        /// In their words.
        comment: String,
        /// True when the principal is a named person.
        personal: bool,
    },
    /// Reject a plan.
    RejectPlan {
        /// Which plan.
        plan_id: PlanId,
        /// Why.
        comment: String,
        /// True when the principal is a named person.
        personal: bool,
    },
    /// End plans whose time is over.
    ExpirePlan {
        /// Which plan.
        plan_id: PlanId,
    },
    /// Start an approved plan.
    StartJob {
        /// Which plan.
        plan_id: PlanId,
        /// The new job's id.
        job_id: JobId,
        /// One id for each operation of the plan, in order.
        step_ids: Vec<StepId>,
        /// SHA-256 of the approval token shown, or `None` when a person or a policy starts it.
        approval_token_sha256: Option<String>,
    },
    /// Ask for a ticket: the intent to send one write.
    BeginStep {
        /// Which job.
        job_id: JobId,
        /// Which step.
        step_id: StepId,
        /// The undo rather than the operation.
        undo: bool,
        /// SHA-256 of what will be sent.
        operation_sha256: String,
    },
    /// Say what became of a step, as read from the device.
    SettleStep(StepSettled),
    /// The device is not as the plan expects; end the plan before anything is sent.
    StalePlan {
        /// Which job.
        job_id: JobId,
        /// Which device differs.
        device_id: DeviceId,
    },
    /// Change a job's state.
    SetJobStatus {
        /// Which job.
        job_id: JobId,
        /// The new state.
        status: JobStatus,
        /// Why.
        reason: String,
    },
    /// Arm a router's timed undo, or disarm it: the intent.
    BeginDeadMan {
        /// Which job.
        job_id: JobId,
        /// Which device.
        device_id: DeviceId,
        /// Disarm it.
        disarm: bool,
        /// SHA-256 of what will be sent.
        operation_sha256: String,
    },
    /// Say what became of it, as read from the device.
    SettleDeadMan(DeadManSettled),
    /// Record a look at the devices of a wave.
    RecordGate {
        /// Which job.
        job_id: JobId,
        /// Which wave.
        wave: WaveNo,
        /// 0 before it, then 1 to 3.
        sample: u8,
        /// Each device.
        devices: Vec<GateSample>,
    },
    /// Have the gate of a wave judged by the rules.
    JudgeGate {
        /// Which job.
        job_id: JobId,
        /// Which wave.
        wave: WaveNo,
    },
    /// End a job: one that runs finishes the devices in hand first.
    CancelJob {
        /// Which job.
        job_id: JobId,
        /// Why.
        reason: String,
    },
    /// Say how a job that stands goes on.
    DirectJob {
        /// Which job.
        job_id: JobId,
        /// What.
        direction: Direction,
        /// Why.
        reason: String,
    },
    /// Stop approval by trusted workflows, or allow it again.
    SwitchAutoApproval {
        /// Allow it.
        on: bool,
        /// Why.
        reason: String,
    },
    /// Make a token's record.
    CreateToken(TokenCreated),
    /// End a token.
    RevokeToken {
        /// Which token.
        token_id: TokenId,
    },
    /// Record a call.
    RecordCall(ToolCalled),
    /// Record a refused call.
    RecordDenial(ToolDenied),
    /// Record refused sign-ins.
    RecordSignInRefused(SignInRefused),
    /// Record health samples.
    RecordHealth(HealthBatch),
    /// Sum up calls that could not be recorded.
    RecordGap(AuditGap),
}

/// Everything that decisions need to know, folded from the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The last event taken in.
    pub seq: Seq,
    /// The store's name.
    pub store_id: Option<StoreId>,
    /// The key that signs checkpoints, in the form of `verify --key`.
    pub verifier_key: String,
    /// Devices by id.
    pub devices: BTreeMap<DeviceId, device::Device>,
    /// Ids that were used once and are never given to another box.
    pub retired_devices: BTreeSet<DeviceId>,
    /// Plans by id.
    pub plans: BTreeMap<PlanId, plan::PlanState>,
    /// Jobs by id.
    pub jobs: BTreeMap<JobId, job::JobState>,
    /// Which job holds a device.
    pub leases: BTreeMap<DeviceId, JobId>,
    /// A person stopped approval by trusted workflows.
    pub auto_approval_stopped: Option<workflow::Stopped>,
    /// Token records by id.
    pub tokens: BTreeMap<TokenId, token::Token>,
    /// The first event of each recent command, for answering a repetition.
    pub commands: BTreeMap<CommandId, Seq>,
}

/// What a wish leads to, or why it is refused.
///
/// # Errors
/// [`Refusal`] with a stable word; nothing has changed then.
pub fn decide(
    state: &State,
    rules: &Rules,
    actor: &Actor,
    command: Command,
    at: Moment,
) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::AddDevice { device_id, settings, trust, logins } => {
            device::add(state, device_id, settings, trust, logins)
        }
        Command::EditDevice { device_id, seen, settings, trust, logins } => {
            device::edit(state, device_id, &seen, settings, trust, logins)
        }
        Command::RemoveDevice { device_id, reason } => device::remove(state, device_id, reason),
        Command::TrustDevice { device_id, trust } => device::trust(state, device_id, trust),
        Command::QuarantineDevice { device_id, seen_sha256 } => {
            device::quarantine(state, device_id, seen_sha256)
        }
        Command::IdentifyDevice { device_id, identification } => {
            device::identify(state, device_id, identification)
        }
        Command::ObserveDevice { device_id, status, reason } => {
            device::observe(state, device_id, status, reason)
        }
        Command::ProposePlan { plan, approval_token_sha256, policy, origin } => {
            plan::propose(state, rules, actor, *plan, approval_token_sha256, policy, origin, at)
        }
        Command::ApprovePlan { plan_id, plan_hash, comment, personal } => {
            approval::approve(state, rules, actor, plan_id, &plan_hash, comment, personal, at)
        }
        Command::RejectPlan { plan_id, comment, personal } => {
            approval::reject(state, actor, plan_id, comment, personal, at)
        }
        Command::ExpirePlan { plan_id } => approval::expire(state, plan_id, at),
        Command::StartJob { plan_id, job_id, step_ids, approval_token_sha256 } => {
            job::start(state, actor, plan_id, job_id, &step_ids, approval_token_sha256.as_deref(), at)
        }
        Command::BeginStep { job_id, step_id, undo, operation_sha256 } => {
            job::begin_step(state, rules, job_id, step_id, undo, operation_sha256, at)
        }
        Command::SettleStep(settled) => job::settle_step(state, settled, at),
        Command::BeginDeadMan { job_id, device_id, disarm, operation_sha256 } => {
            job::begin_dead_man(state, rules, job_id, &device_id, disarm, operation_sha256, at)
        }
        Command::SettleDeadMan(settled) => job::settle_dead_man(state, settled, at),
        Command::RecordGate { job_id, wave, sample, devices } => {
            job::record_gate(state, job_id, wave, sample, devices)
        }
        Command::JudgeGate { job_id, wave } => job::judge_gate(state, job_id, wave),
        Command::CancelJob { job_id, reason } => job::cancel(state, actor, job_id, reason),
        Command::DirectJob { job_id, direction, reason } => {
            job::direct(state, actor, job_id, direction, reason)
        }
        Command::SwitchAutoApproval { on, reason } if on == state.auto_approval_stopped.is_some() => {
            Ok(vec![AutoApprovalSwitched { on, reason }.into()])
        }
        Command::SwitchAutoApproval { .. } => Ok(Vec::new()),
        Command::StalePlan { job_id, device_id } => job::stale(state, job_id, device_id),
        Command::SetJobStatus { job_id, status, reason } => job::set_status(state, job_id, status, reason),
        Command::CreateToken(created) => token::create(state, created, at),
        Command::RevokeToken { token_id } => token::revoke(state, actor, token_id),
        Command::RecordCall(called) => Ok(vec![called.into()]),
        Command::RecordDenial(denied) => Ok(vec![denied.into()]),
        Command::RecordSignInRefused(refused) => Ok(vec![refused.into()]),
        Command::RecordHealth(batch) => Ok(vec![batch.into()]),
        Command::RecordGap(gap) => Ok(vec![gap.into()]),
    }
}

impl Fold for State {
    const NAME: &'static str = "state";
    const VERSION: u32 = 6;

    fn apply(&mut self, envelope: &Envelope) {
        let at = envelope.at;
        if envelope.event.keep() == Keep::Samples {
            return; // samples are retired one day; nothing may be decided by them
        }
        self.seq = envelope.seq;
        match &envelope.event {
            Event::StoreCreated(e) => {
                self.store_id = Some(e.store_id);
                self.verifier_key.clone_from(&e.verifier_key);
            }
            // Calls change no decision; they are read from the log when somebody asks.
            Event::AuditGap(_)
            | Event::ToolCalled(_)
            | Event::ToolDenied(_)
            | Event::SignInRefused(_)
            | Event::HealthBatch(_) => {
                return;
            }
            Event::DeviceAdded(_)
            | Event::DeviceEdited(_)
            | Event::DeviceRemoved(_)
            | Event::DeviceTrusted(_)
            | Event::DeviceQuarantined(_)
            | Event::DeviceIdentified(_)
            | Event::DeviceStatusChanged(_)
            | Event::CredentialSet(_)
            | Event::CredentialErased(_) => device::apply(self, &envelope.event, at),
            Event::PlanProposed(_)
            | Event::PlanApproved(_)
            | Event::PlanRejected(_)
            | Event::PlanExpired(_)
            | Event::PlanStale(_) => plan::apply(self, &envelope.event, at),
            Event::AutoApprovalSwitched(e) => {
                let stopped =
                    || workflow::Stopped { by: envelope.actor.clone(), at, reason: e.reason.clone() };
                self.auto_approval_stopped = (!e.on).then(stopped);
            }
            Event::JobStarted(_)
            | Event::StepStarted(_)
            | Event::StepSettled(_)
            | Event::JobStatusChanged(_)
            | Event::JobCancelRequested(_)
            | Event::JobDirected(_)
            | Event::GateSampled(_)
            | Event::GateJudged(_)
            | Event::DeadManStarted(_)
            | Event::DeadManSettled(_) => job::apply(self, &envelope.event, at),
            Event::TokenCreated(_) | Event::TokenRevoked(_) => token::apply(self, &envelope.event),
        }
        self.commands.entry(envelope.command_id).or_insert(envelope.seq);
        // The oldest go by place, not by id: ids carry a time, and clocks step back. Many at once, so that it costs little.
        if self.commands.len() > 2 * COMMANDS_REMEMBERED_MAX {
            let mut places: Vec<Seq> = self.commands.values().copied().collect();
            let (_, oldest_kept, _) = places.select_nth_unstable(COMMANDS_REMEMBERED_MAX);
            let oldest_kept = *oldest_kept;
            self.commands.retain(|_, seq| *seq >= oldest_kept);
        }
    }
}

impl State {
    /// The device, or the refusal that names it unknown.
    ///
    /// # Errors
    /// `unknown_device`.
    pub fn device(&self, device_id: &DeviceId) -> Result<&device::Device, Refusal> {
        self.devices
            .get(device_id)
            .ok_or_else(|| Refusal::new(Code::UnknownDevice, format!("there is no device `{device_id}`")))
    }

    /// The device with this id or unique name.
    #[must_use]
    pub fn find_device(&self, id_or_name: &str) -> Option<&device::Device> {
        id_or_name
            .parse::<DeviceId>()
            .ok()
            .and_then(|id| self.devices.get(&id))
            .or_else(|| self.devices.values().find(|device| device.settings.name == id_or_name))
    }
}
