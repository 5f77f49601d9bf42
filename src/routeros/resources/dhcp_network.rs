//! `/ip/dhcp-server/network`: what clients of a network are told.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One network.
    DhcpNetwork in "/ip/dhcp-server/network";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Network with its prefix length.
    address: Untrusted = untrusted must "address";
    /// Gateways.
    gateway: Vec<Untrusted> = list may "gateway";
    /// Resolvers.
    dns_servers: Vec<Untrusted> = list may "dns-server";
    /// Domain.
    domain: Option<Untrusted> = some may "domain";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
