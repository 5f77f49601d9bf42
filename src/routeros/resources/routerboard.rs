//! `/system/routerboard`: what the board is. Absent on CHR and x86.

use crate::routeros::{
    compat::{Field, Presence, Versions},
    resources::{Reading, Record, flag, text},
    text::clean,
};

/// The board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routerboard {
    /// True on MikroTik's own boards.
    pub routerboard: bool,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial_number: String,
    /// Firmware in use.
    pub current_firmware: String,
    /// Firmware that an upgrade would write.
    pub upgrade_firmware: String,
}

impl Reading for Routerboard {
    const MENU: &'static str = "/system/routerboard";
    const PRESENCE: Presence = Presence::optional(Versions::ALL, "hardware only");
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
            model: clean(text(row, "model")),
            serial_number: clean(text(row, "serial-number")),
            current_firmware: clean(text(row, "current-firmware")),
            upgrade_firmware: clean(text(row, "upgrade-firmware")),
        }
    }
}
