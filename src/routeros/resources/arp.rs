//! `/ip/arp`: which hardware address has which address.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One neighbour.
    ArpEntry in "/ip/arp", PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Address.
    address: Untrusted = untrusted must "address";
    /// Hardware address; none while it is not resolved.
    mac_address: Option<Untrusted> = some may "mac-address";
    /// Interface.
    interface: Untrusted = untrusted must "interface";
    /// Learnt.
    dynamic: bool = flag may "dynamic";
    /// Resolved.
    complete: bool = flag may "complete";
    /// Made by a DHCP server.
    dhcp: bool = flag may "dhcp";
    /// The same, as old releases spell it.
    dhcp_old: bool = flag may "DHCP";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Its interface is gone.
    invalid: bool = flag may "invalid";
    /// `reachable`, `stale`, …: newer releases only.
    status: Option<Untrusted> = some may "status";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}

impl ArpEntry {
    /// Its state in one word; worked out from the flags where the release does not tell it.
    #[must_use]
    pub fn state(&self) -> Untrusted {
        let word = match (self.disabled, self.invalid, self.complete) {
            (true, ..) => "disabled",
            (_, true, _) => "invalid",
            (.., true) => "complete",
            _ => "incomplete",
        };
        self.status.clone().unwrap_or_else(|| Untrusted::new(word))
    }

    /// Made by a DHCP server, in either spelling.
    #[must_use]
    pub const fn by_dhcp(&self) -> bool {
        self.dhcp || self.dhcp_old
    }
}
