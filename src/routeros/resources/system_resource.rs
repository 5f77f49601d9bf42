//! `/system/resource`: load, memory, version, uptime.

use std::time::Duration;

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record, number},
    text::Untrusted,
    value::{Version, duration},
};

/// What the box is and how it is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemResource {
    /// Since boot.
    pub uptime: Option<Duration>,
    /// As told, such as `7.20.8 (long-term)`.
    pub version: Untrusted,
    /// Load in percent.
    pub cpu_load: Option<u64>,
    /// Cores.
    pub cpu_count: Option<u64>,
    /// Bytes.
    pub free_memory: Option<u64>,
    /// Bytes.
    pub total_memory: Option<u64>,
    /// Bytes.
    pub free_disk: Option<u64>,
    /// Bytes.
    pub total_disk: Option<u64>,
    /// Such as `RB5009UG+S+`.
    pub board_name: Untrusted,
    /// Such as `arm64`.
    pub architecture: Untrusted,
}

impl Reading for SystemResource {
    const MENU: &'static str = "/system/resource";
    const FIELDS: &'static [Field] = &[
        Field::must("version"),
        Field::must("uptime"),
        Field::may("cpu-load"),
        Field::may("cpu-count"),
        Field::may("free-memory"),
        Field::may("total-memory"),
        Field::may("free-hdd-space"),
        Field::may("total-hdd-space"),
        Field::may("board-name"),
        Field::may("architecture-name"),
    ];

    fn from_row(row: &Record<'_>) -> Self {
        Self {
            uptime: row.get("uptime").and_then(|value| duration(value)),
            version: row.untrusted("version"),
            cpu_load: number(row, "cpu-load"),
            cpu_count: number(row, "cpu-count"),
            free_memory: number(row, "free-memory"),
            total_memory: number(row, "total-memory"),
            free_disk: number(row, "free-hdd-space"),
            total_disk: number(row, "total-hdd-space"),
            board_name: row.untrusted("board-name"),
            architecture: row.untrusted("architecture-name"),
        }
    }
}

impl SystemResource {
    /// The release that it tells; none where it is not understood.
    #[must_use]
    pub fn release(&self) -> Option<Version> {
        Version::parse(self.version.expose())
    }

    /// Memory in use, in percent.
    #[must_use]
    pub fn memory_percent(&self) -> Option<f64> {
        used_percent(self.free_memory, self.total_memory)
    }

    /// Disk in use, in percent.
    #[must_use]
    pub fn disk_percent(&self) -> Option<f64> {
        used_percent(self.free_disk, self.total_disk)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage of bytes needs no more than 52 bits")]
fn used_percent(free: Option<u64>, total: Option<u64>) -> Option<f64> {
    let (free, total) = (free?, total.filter(|total| *total > 0)?);
    Some((total.saturating_sub(free) as f64) * 100.0 / total as f64)
}
