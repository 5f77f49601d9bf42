//! The one enum of all facts, the registry of their numbers, and the envelope they travel in.
//!
//! A number is given once and never reused; the order of variants means nothing. A shape that was ever written is
//! frozen: a new wording gets the next version and an upcaster in `upcast`.

use serde::{Deserialize, Serialize};

use crate::{
    access::{SignInRefused, TokenCreated, TokenRevoked},
    call::{ToolCalled, ToolDenied},
    device::{
        CredentialErased, CredentialSet, DeviceAdded, DeviceEdited, DeviceIdentified, DeviceQuarantined,
        DeviceRemoved, DeviceStatusChanged, DeviceTrusted,
    },
    gate::{DeadManSettled, DeadManStarted, GateJudged, GateSampled},
    ids::{CommandId, DeviceId, JobId, Moment, PlanId, Seq},
    job::{
        Direction, JobCancelRequested, JobDirected, JobStarted, JobStatusChanged, StepSettled, StepStarted,
    },
    plan::{AutoApprovalSwitched, PlanApproved, PlanExpired, PlanProposed, PlanRejected, PlanStale},
    principal::Actor,
    sample::HealthBatch,
    store::{AuditGap, StoreCreated},
};

/// Which of the two keeps an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Decisions: kept for ever, in the Merkle tree.
    Ledger,
    /// Health: dropped after its time.
    Samples,
}

/// The registry: number, version written today, name, keep. The macro only spells out the enum and its look-ups.
macro_rules! registry {
    ($($type_id:literal version $version:literal $keep:ident $name:ident;)+) => {
        /// Something that happened.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Event {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)+
        }

        $(impl From<$name> for Event {
            fn from(fact: $name) -> Self { Self::$name(fact) }
        })+

        impl Event {
            /// Every kind: number, version written today, name.
            pub const REGISTRY: &'static [(u16, u8, &'static str)] = &[$(($type_id, $version, stringify!($name)),)+];

            /// Its never-reused number.
            #[must_use]
            pub const fn type_id(&self) -> u16 {
                match self { $(Self::$name(_) => $type_id,)+ }
            }

            /// The version of its shape that is written today.
            #[must_use]
            pub const fn version(&self) -> u8 {
                match self { $(Self::$name(_) => $version,)+ }
            }

            /// Its name, as shown to people.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)+ }
            }

            /// The keep it belongs to.
            #[must_use]
            pub const fn keep(&self) -> Keep {
                match self { $(Self::$name(_) => Keep::$keep,)+ }
            }

            /// The body in the log's codec, without frame.
            ///
            /// # Errors
            /// Only when the codec refuses the value (a bug, since every fact is plain data).
            pub(crate) fn encode_body(&self) -> Result<Vec<u8>, bincode::error::EncodeError> {
                match self { $(Self::$name(fact) => bincode::serde::encode_to_vec(fact, crate::codec::CONFIG),)+ }
            }

            /// A body of today's version back to the fact; `None` for a number that is not in the registry.
            pub(crate) fn decode_body(type_id: u16, body: &[u8]) -> Option<Result<Self, crate::codec::BodyError>> {
                match type_id {
                    $($type_id => Some(crate::codec::decode_whole::<$name>(body).map(Self::$name)),)+
                    _ => None,
                }
            }

            /// The version written today for a number.
            #[must_use]
            pub const fn current_version(type_id: u16) -> Option<u8> {
                match type_id { $($type_id => Some($version),)+ _ => None }
            }
        }
    };
}

registry! {
    1   version 1 Ledger  StoreCreated;
    2   version 1 Ledger  AuditGap;
    100 version 1 Ledger  DeviceAdded;
    101 version 1 Ledger  DeviceEdited;
    102 version 1 Ledger  DeviceRemoved;
    103 version 1 Ledger  DeviceTrusted;
    104 version 1 Ledger  DeviceQuarantined;
    105 version 1 Ledger  DeviceIdentified;
    106 version 1 Ledger  DeviceStatusChanged;
    107 version 1 Ledger  CredentialSet;
    108 version 1 Ledger  CredentialErased;
    200 version 3 Ledger  PlanProposed;
    201 version 1 Ledger  PlanApproved;
    202 version 1 Ledger  PlanRejected;
    203 version 1 Ledger  PlanExpired;
    204 version 1 Ledger  PlanStale;
    205 version 1 Ledger  AutoApprovalSwitched;
    300 version 1 Ledger  JobStarted;
    301 version 1 Ledger  StepStarted;
    302 version 1 Ledger  StepSettled;
    303 version 1 Ledger  JobStatusChanged;
    304 version 1 Ledger  JobCancelRequested;
    305 version 1 Ledger  JobDirected;
    306 version 1 Ledger  GateSampled;
    307 version 1 Ledger  GateJudged;
    308 version 1 Ledger  DeadManStarted;
    309 version 1 Ledger  DeadManSettled;
    400 version 1 Ledger  TokenCreated;
    401 version 1 Ledger  TokenRevoked;
    402 version 1 Ledger  SignInRefused;
    500 version 1 Ledger  ToolCalled;
    501 version 1 Ledger  ToolDenied;
    900 version 1 Samples HealthBatch;
}

/// An event that is not in the log yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened.
    pub at: Moment,
    /// Who made it happen.
    pub actor: Actor,
    /// The wish it came from: repeating a wish finds its events by this.
    pub command_id: CommandId,
    /// What happened.
    pub event: Event,
}

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Its place.
    pub seq: Seq,
    /// Its leaf in the Merkle tree, counted from 0; `None` for samples.
    pub leaf: Option<u64>,
    /// When it happened.
    pub at: Moment,
    /// Who made it happen.
    pub actor: Actor,
    /// The wish it came from.
    pub command_id: CommandId,
    /// What happened.
    pub event: Event,
}

/// What an event is about: the keys of the look-up tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subjects {
    /// Devices it names.
    pub devices: Vec<DeviceId>,
    /// The plan it belongs to.
    pub plan: Option<PlanId>,
    /// The job it belongs to.
    pub job: Option<JobId>,
}

fn of_job(job_id: JobId, devices: Vec<DeviceId>) -> Subjects {
    Subjects { devices, plan: None, job: Some(job_id) }
}

impl Event {
    /// What the event is about. Samples are not indexed.
    #[must_use]
    pub fn subjects(&self) -> Subjects {
        let device = |id: &DeviceId| Subjects { devices: vec![id.clone()], ..Subjects::default() };
        match self {
            Self::StoreCreated(_)
            | Self::AuditGap(_)
            | Self::TokenCreated(_)
            | Self::TokenRevoked(_)
            | Self::AutoApprovalSwitched(_)
            | Self::SignInRefused(_) => Subjects::default(),
            Self::DeviceAdded(e) => device(&e.device_id),
            Self::DeviceEdited(e) => device(&e.device_id),
            Self::DeviceRemoved(e) => device(&e.device_id),
            Self::DeviceTrusted(e) => device(&e.device_id),
            Self::DeviceQuarantined(e) => device(&e.device_id),
            Self::DeviceIdentified(e) => device(&e.device_id),
            Self::DeviceStatusChanged(e) => device(&e.device_id),
            Self::CredentialSet(e) => device(&e.device_id),
            Self::CredentialErased(e) => device(&e.device_id),
            Self::PlanProposed(e) => Subjects {
                devices: e.plan.waves.iter().flatten().map(|part| part.device_id.clone()).collect(),
                plan: Some(e.plan.plan_id),
                job: None,
            },
            Self::PlanApproved(e) => Subjects { plan: Some(e.plan_id), ..Subjects::default() },
            Self::PlanRejected(e) => Subjects { plan: Some(e.plan_id), ..Subjects::default() },
            Self::PlanExpired(e) => Subjects { plan: Some(e.plan_id), ..Subjects::default() },
            Self::PlanStale(e) => {
                Subjects { devices: vec![e.device_id.clone()], plan: Some(e.plan_id), ..Subjects::default() }
            }
            Self::JobStarted(e) => Subjects {
                devices: e.steps.iter().map(|step| step.device_id.clone()).collect(),
                plan: Some(e.plan_id),
                job: Some(e.job_id),
            },
            Self::StepStarted(e) => {
                Subjects { devices: vec![e.device_id.clone()], plan: None, job: Some(e.job_id) }
            }
            Self::StepSettled(e) => {
                Subjects { devices: vec![e.device_id.clone()], plan: None, job: Some(e.job_id) }
            }
            Self::JobStatusChanged(e) => {
                Subjects { devices: Vec::new(), plan: Some(e.plan_id), job: Some(e.job_id) }
            }
            Self::JobCancelRequested(e) => of_job(e.job_id, Vec::new()),
            Self::JobDirected(e) => of_job(
                e.job_id,
                match &e.direction {
                    Direction::Skip(device_id) => vec![device_id.clone()],
                    _ => Vec::new(),
                },
            ),
            Self::GateSampled(e) => {
                of_job(e.job_id, e.devices.iter().map(|sample| sample.device_id.clone()).collect())
            }
            Self::GateJudged(e) => of_job(e.job_id, Vec::new()),
            Self::DeadManStarted(e) => of_job(e.job_id, vec![e.device_id.clone()]),
            Self::DeadManSettled(e) => of_job(e.job_id, vec![e.device_id.clone()]),
            Self::ToolCalled(e) => Subjects { devices: e.devices.clone(), ..Subjects::default() },
            Self::ToolDenied(e) => Subjects { devices: e.devices.clone(), ..Subjects::default() },
            Self::HealthBatch(_) => Subjects::default(),
        }
    }
}
