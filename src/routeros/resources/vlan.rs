//! `/interface/vlan`: interfaces that are one VLAN of another interface.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One VLAN interface.
    Vlan in "/interface/vlan";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// The interface that it is a VLAN of.
    interface: Untrusted = untrusted must "interface";
    /// The VLAN.
    vlan_id: Option<u64> = number must "vlan-id";
    /// Switched off.
    disabled: bool = flag may "disabled";
}
