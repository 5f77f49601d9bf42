//! `/system/routerboard`: what the board is. Absent on CHR and x86.

use crate::routeros::{
    compat::{Field, Presence},
    resources::{Reading, Record, flag},
    text::Untrusted,
};

/// The board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routerboard {
    /// True on MikroTik's own boards.
    pub routerboard: bool,
    /// Model.
    pub model: Untrusted,
    /// Serial number.
    pub serial_number: Untrusted,
    /// Firmware in use.
    pub current_firmware: Untrusted,
    /// Firmware that an upgrade would write.
    pub upgrade_firmware: Untrusted,
}

impl Reading for Routerboard {
    const MENU: &'static str = "/system/routerboard";
    const PRESENCE: Presence = Presence::HARDWARE;
    const FIELDS: &'static [Field] = &[
        Field::must("routerboard"),
        Field::may("model"),
        Field::may("serial-number"),
        Field::may("current-firmware"),
        Field::may("upgrade-firmware"),
    ];

    fn from_row(row: &Record<'_>) -> Self {
        Self {
            routerboard: flag(row, "routerboard"),
            model: row.untrusted("model"),
            serial_number: row.untrusted("serial-number"),
            current_firmware: row.untrusted("current-firmware"),
            upgrade_firmware: row.untrusted("upgrade-firmware"),
        }
    }
}
