//! Facts about the health gates of a rollout, and about the timed undos that routers keep meanwhile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, JobId, WaveNo};

/// How a device is, in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vitals {
    /// CPU load in percent.
    pub cpu_percent: u8,
    /// Memory in use, in percent.
    pub memory_percent: u8,
    /// Disk in use, in percent.
    pub disk_percent: u8,
    /// Temperature in degrees Celsius, where the board has a sensor.
    pub temperature_celsius: Option<i16>,
    /// Seconds since it booted.
    pub uptime_seconds: u64,
}

/// What one look at a device of a wave showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateSample {
    /// Which device.
    pub device_id: DeviceId,
    /// How it is; none when it could not be read.
    pub vitals: Option<Vitals>,
    /// Why it fails whatever the figures: a stable word (`device_unreachable`, `not_resolved`).
    pub problem: Option<String>,
    /// What does not fail it but should be known, one line each made by us.
    pub notes: Vec<String>,
}

/// The devices of a wave were looked at: before the wave (sample 0), and three times after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateSampled {
    /// Which job.
    pub job_id: JobId,
    /// Which wave.
    pub wave: WaveNo,
    /// 0 before the wave, then 1, 2, 3.
    pub sample: u8,
    /// Each device.
    pub devices: Vec<GateSample>,
}

/// The gate of a wave was judged by the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateJudged {
    /// Which job.
    pub job_id: JobId,
    /// Which wave.
    pub wave: WaveNo,
    /// The next wave may follow.
    pub passed: bool,
    /// Why it failed, or what should be known, one line each made by us.
    pub reasons: Vec<String>,
}

/// The intent to arm a timed undo on a router, or to disarm it. It yields a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadManStarted {
    /// Which job.
    pub job_id: JobId,
    /// Which device.
    pub device_id: DeviceId,
    /// 1 for the first try of each.
    pub attempt: u32,
    /// It is to be disarmed.
    pub disarm: bool,
    /// SHA-256 of the canonical bytes of what will be sent (64 hex digits).
    pub operation_sha256: String,
}

/// Where a timed undo stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadManStatus {
    /// The intent is durable; the answer is not known yet.
    Arming,
    /// Seen on the router.
    Armed,
    /// Not there, as read.
    NotArmed,
    /// The answer was lost; reading, or its time, will settle it.
    InDoubt,
    /// The intent to disarm is durable; the answer is not known yet.
    Disarming,
    /// Read back as gone, by us.
    Disarmed,
    /// Its time is over: the router has undone by itself, or had nothing to undo.
    Lapsed,
}

impl DeadManStatus {
    /// The word used in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arming => "arming",
            Self::Armed => "armed",
            Self::NotArmed => "not_armed",
            Self::InDoubt => "in_doubt",
            Self::Disarming => "disarming",
            Self::Disarmed => "disarmed",
            Self::Lapsed => "lapsed",
        }
    }
}

/// What became of arming or disarming, as read from the router or by its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadManSettled {
    /// Which job.
    pub job_id: JobId,
    /// Which device.
    pub device_id: DeviceId,
    /// Where it stands now.
    pub status: DeadManStatus,
    /// RouterOS's id of the timer or entry, while it is armed.
    pub reference: Option<String>,
    /// Our word for the failure, when there was one.
    pub code: Option<String>,
    /// RouterOS's own words, cleaned and cut; untrusted text.
    pub detail: String,
}
