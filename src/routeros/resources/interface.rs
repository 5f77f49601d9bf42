//! `/interface`: every interface.

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record, flag, number, text},
    text::{Exact, Untrusted},
};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// RouterOS's id.
    pub id: Untrusted,
    /// Name as kept on the router, for asking about it.
    pub raw_name: Exact,
    /// Name. May hold spaces and slashes.
    pub name: Untrusted,
    /// Such as `ether`, `bridge`, `vlan`.
    pub kind: Untrusted,
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
    pub mac_address: Untrusted,
    /// When its link last came up, in the router's own time.
    pub last_link_up_time: Option<Untrusted>,
}

impl Reading for Interface {
    const MENU: &'static str = "/interface";
    const FIELDS: &'static [Field] = &[
        Field::must(".id"),
        Field::must("name"),
        Field::must("type"),
        Field::may("running"),
        Field::may("disabled"),
        Field::may("comment"),
        Field::may("mtu"),
        Field::may("actual-mtu"),
        Field::may("l2mtu"),
        Field::may("max-l2mtu"),
        Field::may("mac-address"),
        Field::may("last-link-up-time"),
    ];

    fn from_row(row: &Record<'_>) -> Self {
        Self {
            id: row.untrusted(".id"),
            raw_name: Exact::new(text(row, "name")),
            name: row.untrusted("name"),
            kind: row.untrusted("type"),
            running: flag(row, "running"),
            disabled: flag(row, "disabled"),
            comment: row.untrusted("comment"),
            mtu: number(row, "mtu"),
            actual_mtu: number(row, "actual-mtu"),
            l2mtu: number(row, "l2mtu"),
            max_l2mtu: number(row, "max-l2mtu"),
            mac_address: row.untrusted("mac-address"),
            last_link_up_time: row.some("last-link-up-time"),
        }
    }
}
