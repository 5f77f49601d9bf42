//! `/system/routerboard`: what the board is. Absent on CHR and x86.

use crate::routeros::{
    port::Row,
    resources::{Reading, flag, text},
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
    const REQUIRED: &'static [&'static str] = &["routerboard"];

    fn from_row(row: &Row) -> Self {
        Self {
            routerboard: flag(row, "routerboard"),
            model: clean(text(row, "model")),
            serial_number: clean(text(row, "serial-number")),
            current_firmware: clean(text(row, "current-firmware")),
            upgrade_firmware: clean(text(row, "upgrade-firmware")),
        }
    }
}
