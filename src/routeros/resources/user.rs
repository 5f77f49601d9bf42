//! `/user`: who may log in to the router, and as what.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One router user.
    RouterUser in "/user", PICKS = true;
    /// The name.
    name: Untrusted = untrusted must "name";
    /// Its group.
    group: Untrusted = untrusted must "group";
}
