//! `/system/scheduler`: what a router does at set times.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One entry.
    Scheduler in "/system/scheduler";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Its name.
    name: Untrusted = untrusted must "name";
    /// Switched off.
    disabled: bool = flag may "disabled";
}
