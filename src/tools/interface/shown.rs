//! An interface as tools show it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::routeros::{resources::interface::Interface, text::Untrusted};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    id: Untrusted,
    name: Untrusted,
    r#type: Untrusted,
    running: bool,
    disabled: bool,
    comment: Untrusted,
    /// Null when RouterOS says `auto`.
    mtu: Option<u64>,
    actual_mtu: Option<u64>,
    l2mtu: Option<u64>,
    max_l2mtu: Option<u64>,
    mac_address: Untrusted,
    /// In the router's own time.
    last_link_up_time: Option<Untrusted>,
}

impl From<Interface> for Shown {
    fn from(it: Interface) -> Self {
        Self {
            id: it.id,
            name: it.name,
            r#type: it.kind,
            running: it.running,
            disabled: it.disabled,
            comment: it.comment,
            mtu: it.mtu,
            actual_mtu: it.actual_mtu,
            l2mtu: it.l2mtu,
            max_l2mtu: it.max_l2mtu,
            mac_address: it.mac_address,
            last_link_up_time: it.last_link_up_time,
        }
    }
}
