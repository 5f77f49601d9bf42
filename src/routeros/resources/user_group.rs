//! `/user/group`: what the users of a group may do.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One group.
    UserGroup in "/user/group", PICKS = true;
    /// The name.
    name: Untrusted = untrusted must "name";
    /// Its policies in a row; one with `!` in front is not granted.
    policy: Untrusted = untrusted must "policy";
}
