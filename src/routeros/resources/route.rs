//! `/ip/route`: the IPv4 routes.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One route. A disabled one tells neither distance nor table.
    Route in "/ip/route", PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Destination with its prefix length.
    dst_address: Untrusted = untrusted must "dst-address";
    /// Address, interface, `address%interface` or `address@table`; none for a blackhole.
    gateway: Option<Untrusted> = some may "gateway";
    /// Next hops in force, each with its interface.
    immediate_gateway: Option<Untrusted> = some may "immediate-gw";
    /// 1–255, smaller wins.
    distance: Option<u64> = number may "distance";
    /// 0–255.
    scope: Option<u64> = number may "scope";
    /// 0–255.
    target_scope: Option<u64> = number may "target-scope";
    /// Table.
    routing_table: Option<Untrusted> = some may "routing-table";
    /// In use.
    active: bool = flag may "active";
    /// Not set by a person.
    dynamic: bool = flag may "dynamic";
    /// Set by a person.
    fixed: bool = flag may "static";
    /// To a network on an interface.
    connected: bool = flag may "connect";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Drops what it matches.
    blackhole: bool = flag may "blackhole";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
