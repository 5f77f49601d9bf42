//! `/ip/address`: addresses of interfaces.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One address.
    IpAddress in "/ip/address";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Address with its prefix length.
    address: Untrusted = untrusted must "address";
    /// Its network.
    network: Untrusted = untrusted may "network";
    /// The interface as it was set.
    interface: Untrusted = untrusted must "interface";
    /// The interface that carries it: a bridge where the set one is a bridge's port.
    actual_interface: Option<Untrusted> = some may "actual-interface";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Learnt, by DHCP for example.
    dynamic: bool = flag may "dynamic";
    /// Its interface is gone or cannot carry it.
    invalid: bool = flag may "invalid";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
