//! What uses a pool of `/ip/pool` besides DHCP servers: RouterOS removes a pool all the same, and leaves them without.

use crate::routeros::{
    compat::{Presence, Versions},
    resources::reading,
    text::Untrusted,
};

reading! {
    /// An address of a pool that is in use.
    UsedAddress in "/ip/pool/used",
        PRESENCE = Presence::optional(Versions::ALL, ""), PICKS = true;
    /// Pool.
    pool: Untrusted = untrusted must "pool";
    /// Address.
    address: Untrusted = untrusted may "address";
    /// Who uses it: `DHCP`, or a service such as PPP or hotspot.
    owner: Untrusted = untrusted may "owner";
}

reading! {
    /// A rule that picks the pool of a client by what the client says.
    DhcpMatcher in "/ip/dhcp-server/matcher",
        PRESENCE = Presence::optional(Versions::ALL, ""), PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Option that it looks at.
    code: Untrusted = untrusted must "code";
    /// Server.
    server: Untrusted = untrusted may "server";
    /// Pool.
    address_pool: Untrusted = untrusted may "address-pool";
}

reading! {
    /// A hotspot.
    Hotspot in "/ip/hotspot",
        PRESENCE = Presence::HOTSPOT, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Interface.
    interface: Untrusted = untrusted must "interface";
    /// Pool.
    address_pool: Untrusted = untrusted may "address-pool";
}

reading! {
    /// A profile of hotspot users.
    HotspotUserProfile in "/ip/hotspot/user/profile",
        PRESENCE = Presence::HOTSPOT, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// Pool.
    address_pool: Untrusted = untrusted may "address-pool";
}

reading! {
    /// What IPsec clients are given.
    IpsecModeConfig in "/ip/ipsec/mode-config",
        PRESENCE = Presence::optional(Versions::ALL, ""), PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// Pool.
    address_pool: Untrusted = untrusted may "address-pool";
}
