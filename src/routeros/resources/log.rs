//! `/log`: what the router keeps in memory, oldest first.

use chrono::{NaiveDate, NaiveDateTime};

use crate::routeros::{figures::log_time, resources::reading, text::Untrusted};

reading! {
    /// One line.
    LogLine in "/log", PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// When, in the router's own time and in its release's form.
    time: Untrusted = untrusted must "time";
    /// Topics.
    topics: Vec<Untrusted> = list may "topics";
    /// What happened.
    message: Untrusted = untrusted must "message";
}

impl LogLine {
    /// When it was written, in the router's own time; `today` is the router's date.
    #[must_use]
    pub fn at(&self, today: NaiveDate) -> Option<NaiveDateTime> {
        log_time(self.time.expose(), today)
    }
}
