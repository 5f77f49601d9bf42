//! `/ip/dhcp-server`: the servers.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One server.
    DhcpServer in "/ip/dhcp-server";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// Interface.
    interface: Untrusted = untrusted must "interface";
    /// Pool; `static-only` for none, an id such as `*1` when the pool is gone.
    address_pool: Untrusted = untrusted may "address-pool";
    /// Seconds that a lease is good for.
    lease_time_s: Option<u64> = seconds may "lease-time";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Cannot work: its interface is gone or is a bridge's port.
    invalid: bool = flag may "invalid";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
