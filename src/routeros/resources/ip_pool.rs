//! `/ip/pool`: ranges of addresses.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One pool.
    IpPool in "/ip/pool";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// Ranges `first-last`, networks or addresses.
    ranges: Vec<Untrusted> = list may "ranges";
    /// Pool that is used when this one is empty.
    next_pool: Option<Untrusted> = some may "next-pool";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
}
