//! `/ip/firewall/address-list`: named sets of addresses. Can hold very many.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One member of a list.
    AddressListEntry in "/ip/firewall/address-list", PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name of the list.
    list: Untrusted = untrusted must "list";
    /// Address, network, range or name.
    address: Untrusted = untrusted must "address";
    /// Seconds after which it goes by itself; none stays.
    timeout_s: Option<u64> = seconds may "timeout";
    /// Goes by itself, or was put there by a rule.
    dynamic: bool = flag may "dynamic";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// When it was added, in the router's own time.
    creation_time: Option<Untrusted> = some may "creation-time";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
