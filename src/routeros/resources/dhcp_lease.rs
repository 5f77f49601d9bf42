//! `/ip/dhcp-server/lease`: who has which address.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One lease.
    DhcpLease in "/ip/dhcp-server/lease", PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Address that is kept for the client; none where only a pool is set.
    address: Option<Untrusted> = some may "address";
    /// Hardware address.
    mac_address: Option<Untrusted> = some may "mac-address";
    /// Client's own id.
    client_id: Option<Untrusted> = some may "client-id";
    /// Name that the client tells.
    host_name: Option<Untrusted> = some may "host-name";
    /// Server; none for all of them, an id such as `*1` when the server is gone.
    server: Option<Untrusted> = some may "server";
    /// `bound`, `waiting`, `offered`, …
    status: Untrusted = untrusted may "status";
    /// Address in use.
    active_address: Option<Untrusted> = some may "active-address";
    /// Hardware address in use.
    active_mac_address: Option<Untrusted> = some may "active-mac-address";
    /// Seconds until it ends.
    expires_after_s: Option<u64> = seconds may "expires-after";
    /// Seconds since the client was heard; none for never.
    last_seen_s: Option<u64> = seconds may "last-seen";
    /// Made by the server, not by a person.
    dynamic: bool = flag may "dynamic";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
