//! `/interface/bridge`: the bridges.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One bridge.
    Bridge in "/interface/bridge";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// Set MTU in bytes; none when RouterOS says `auto`.
    mtu: Option<u64> = number may "mtu";
    /// MTU in force, in bytes.
    actual_mtu: Option<u64> = number may "actual-mtu";
    /// Layer-2 MTU, in bytes.
    l2mtu: Option<u64> = number may "l2mtu";
    /// Hardware address.
    mac_address: Untrusted = untrusted may "mac-address";
    /// `enabled`, `disabled`, `proxy-arp`, …
    arp: Untrusted = untrusted may "arp";
    /// Seconds; none when RouterOS says `auto`.
    arp_timeout_s: Option<u64> = seconds may "arp-timeout";
    /// Takes its hardware address from a port.
    auto_mac: bool = flag may "auto-mac";
    /// Seconds that a host is remembered.
    ageing_time_s: Option<u64> = seconds may "ageing-time";
    /// Priority of the spanning tree, hexadecimal as told.
    priority: Untrusted = untrusted may "priority";
    /// `none`, `stp`, `rstp`, `mstp`.
    protocol_mode: Untrusted = untrusted may "protocol-mode";
    /// Forwards past the slow path.
    fast_forward: bool = flag may "fast-forward";
    /// Keeps VLANs apart.
    vlan_filtering: bool = flag may "vlan-filtering";
    /// Works.
    running: bool = flag may "running";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
