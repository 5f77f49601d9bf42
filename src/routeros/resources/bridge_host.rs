//! `/interface/bridge/host`: which hardware address was learnt behind which port.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One learnt or own hardware address.
    BridgeHost in "/interface/bridge/host";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Hardware address.
    mac_address: Untrusted = untrusted must "mac-address";
    /// Bridge.
    bridge: Option<Untrusted> = some may "bridge";
    /// Port behind which it was learnt.
    on_interface: Option<Untrusted> = some may "on-interface";
    /// Port as it was set.
    interface: Option<Untrusted> = some may "interface";
    /// VLAN in which it was learnt.
    vid: Option<u64> = number may "vid";
    /// The bridge's or a port's own address.
    local: bool = flag may "local";
    /// Learnt.
    dynamic: bool = flag may "dynamic";
}
