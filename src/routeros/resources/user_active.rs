//! `/user/active`: who is logged in, and where from.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One login.
    ActiveUser in "/user/active";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// The router user.
    name: Untrusted = untrusted must "name";
    /// How: `rest-api`, `winbox`, `ssh`, …
    via: Untrusted = untrusted must "via";
    /// Where from; none for the REST server's own login to the binary API.
    address: Option<Untrusted> = some may "address";
}
