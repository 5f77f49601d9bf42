//! `/system/logging`: which topics go where.

use crate::routeros::{resources::reading, text::Untrusted};

reading! {
    /// One rule.
    LoggingRule in "/system/logging";
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Topics; `!` before one leaves it out.
    topics: Vec<Untrusted> = list must "topics";
    /// Where to: `memory`, `disk`, `echo`, `remote` or a name of one's own.
    action: Untrusted = untrusted may "action";
    /// Put before each line.
    prefix: Untrusted = untrusted may "prefix";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Its action is gone.
    invalid: bool = flag may "invalid";
}
