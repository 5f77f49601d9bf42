//! `/interface/list/member`: which interface is in which list.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One membership.
    ListMember in "/interface/list/member", PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// List.
    list: Untrusted = untrusted must "list";
    /// Interface.
    interface: Untrusted = untrusted must "interface";
}
