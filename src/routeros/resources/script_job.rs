//! `/system/script/job`: scripts that run.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One script that runs.
    ScriptJob in "/system/script/job";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Whose it is.
    owner: Option<Untrusted> = some may "owner";
}
