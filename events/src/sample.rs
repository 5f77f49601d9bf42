//! Health samples: many small facts in one event, kept apart from decisions and dropped after their time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    device::DeviceStatus,
    ids::{DeviceId, Moment},
};

/// One look at one device. Absent values were not readable; they are never made up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthSample {
    /// Which device.
    pub device_id: DeviceId,
    /// When the answer (or its absence) was known.
    pub at: Moment,
    /// What it means by the thresholds of the time.
    pub status: DeviceStatus,
    /// CPU load in tenths of a percent.
    pub cpu_permille: Option<u16>,
    /// Memory in use in tenths of a percent.
    pub memory_permille: Option<u16>,
    /// Disk in use in tenths of a percent.
    pub disk_permille: Option<u16>,
    /// Temperature in tenths of a degree Celsius.
    pub temperature_decicelsius: Option<i16>,
    /// Seconds since boot.
    pub uptime_s: Option<u64>,
}

/// The samples of one tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthBatch {
    /// In order of arrival.
    pub samples: Vec<HealthSample>,
}
