//! `/interface/bridge/vlan`: which ports of a bridge are in which VLANs.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One entry.
    BridgeVlan in "/interface/bridge/vlan";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Bridge.
    bridge: Untrusted = untrusted must "bridge";
    /// VLANs and ranges of them.
    vlan_ids: Vec<Untrusted> = list must "vlan-ids";
    /// Ports that send with the tag.
    tagged: Vec<Untrusted> = list may "tagged";
    /// Ports that send without it.
    untagged: Vec<Untrusted> = list may "untagged";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Made by RouterOS itself, from a port's `pvid` for example.
    dynamic: bool = flag may "dynamic";
}
