//! `/interface/bridge/port`: what is in a bridge.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One port.
    BridgePort in "/interface/bridge/port";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Interface or list of interfaces; an id such as `*5` when it is gone.
    interface: Untrusted = untrusted must "interface";
    /// Bridge.
    bridge: Untrusted = untrusted must "bridge";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Has no link.
    inactive: bool = flag may "inactive";
    /// Made by RouterOS itself.
    dynamic: bool = flag may "dynamic";
    /// May be forwarded by the switch chip.
    hw: bool = flag may "hw";
    /// Is forwarded by the switch chip.
    hw_offload: bool = flag may "hw-offload";
    /// VLAN of untagged frames.
    pvid: Option<u64> = number may "pvid";
    /// Priority of the spanning tree, hexadecimal as told.
    priority: Untrusted = untrusted may "priority";
    /// Cost of the spanning tree.
    path_cost: Option<u64> = number may "path-cost";
    /// Ports of one horizon do not talk to each other; `none` or a number.
    horizon: Untrusted = untrusted may "horizon";
    /// `auto`, `yes`, `no`, …
    edge: Untrusted = untrusted may "edge";
    /// `auto`, `yes`, `no`.
    point_to_point: Untrusted = untrusted may "point-to-point";
    /// `auto`, `yes`, `no`.
    learn: Untrusted = untrusted may "learn";
    /// DHCP answers may come from here.
    trusted: bool = flag may "trusted";
    /// Frames let in.
    frame_types: Untrusted = untrusted may "frame-types";
    /// Drops frames of VLANs that the port is not in.
    ingress_filtering: bool = flag may "ingress-filtering";
    /// Tags frames although they have a tag.
    tag_stacking: bool = flag may "tag-stacking";
    /// Role in the spanning tree.
    role: Option<Untrusted> = some may "role";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
