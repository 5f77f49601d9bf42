//! `/interface`: every interface.

use crate::routeros::{
    port::Row,
    resources::{Reading, flag, number, text},
    text::{Untrusted, clean},
};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// RouterOS's id.
    pub id: String,
    /// Name. May hold spaces and slashes.
    pub name: Untrusted,
    /// Such as `ether`, `bridge`, `vlan`.
    pub kind: String,
    /// Has a link.
    pub running: bool,
    /// Switched off.
    pub disabled: bool,
    /// Comment, or empty.
    pub comment: Untrusted,
    /// Set MTU in bytes; `None` when RouterOS says `auto`.
    pub mtu: Option<u64>,
    /// MTU in force, in bytes.
    pub actual_mtu: Option<u64>,
    /// Layer-2 MTU, in bytes.
    pub l2mtu: Option<u64>,
    /// Largest layer-2 MTU, in bytes.
    pub max_l2mtu: Option<u64>,
    /// Hardware address.
    pub mac_address: String,
}

impl Reading for Interface {
    const MENU: &'static str = "/interface";
    const REQUIRED: &'static [&'static str] = &[".id", "name", "type"];

    fn from_row(row: &Row) -> Self {
        Self {
            id: clean(text(row, ".id")),
            name: Untrusted::new(text(row, "name")),
            kind: clean(text(row, "type")),
            running: flag(row, "running"),
            disabled: flag(row, "disabled"),
            comment: Untrusted::new(text(row, "comment")),
            mtu: number(row, "mtu"),
            actual_mtu: number(row, "actual-mtu"),
            l2mtu: number(row, "l2mtu"),
            max_l2mtu: number(row, "max-l2mtu"),
            mac_address: clean(text(row, "mac-address")),
        }
    }
}
