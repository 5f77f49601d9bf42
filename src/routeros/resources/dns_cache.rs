//! `/ip/dns/cache`: what the router's resolver remembers.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One remembered answer.
    CachedName in "/ip/dns/cache", PICKS = true;
    /// Name asked for.
    name: Untrusted = untrusted must "name";
    /// Type of the record, such as `A`.
    kind: Untrusted = untrusted may "type";
    /// What the record says.
    data: Untrusted = untrusted may "data";
    /// Seconds that it is still good for.
    ttl_s: Option<u64> = seconds may "ttl";
}
