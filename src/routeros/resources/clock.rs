//! `/system/clock`: the router's idea of the time.

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record, flag},
    text::Untrusted,
};

/// The router's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Local time, as told.
    pub time: Untrusted,
    /// Local date, as told (the form changed in 7.10).
    pub date: Untrusted,
    /// Such as `Europe/Berlin`.
    pub time_zone_name: Untrusted,
    /// Finds its zone by itself.
    pub time_zone_autodetect: bool,
    /// Such as `+01:00`.
    pub gmt_offset: Untrusted,
    /// Summer time now.
    pub dst_active: bool,
}

impl Reading for Clock {
    const MENU: &'static str = "/system/clock";
    const FIELDS: &'static [Field] = &[
        Field::must("time"),
        Field::must("date"),
        Field::may("time-zone-name"),
        Field::may("time-zone-autodetect"),
        Field::may("gmt-offset"),
        Field::may("dst-active"),
    ];

    fn from_row(row: &Record<'_>) -> Self {
        Self {
            time: row.untrusted("time"),
            date: row.untrusted("date"),
            time_zone_name: row.untrusted("time-zone-name"),
            time_zone_autodetect: flag(row, "time-zone-autodetect"),
            gmt_offset: row.untrusted("gmt-offset"),
            dst_active: flag(row, "dst-active"),
        }
    }
}
