//! What happened in stories, counted.

use std::collections::BTreeMap;

/// How a story went, in figures.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures(pub BTreeMap<String, u64>);

impl Figures {
    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(super) fn add_many(&mut self, what: &str, many: u64) {
        *self.0.entry(what.to_owned()).or_default() += many;
    }

    pub(super) fn add(&mut self, other: Self) {
        for (what, many) in other.0 {
            *self.0.entry(what).or_default() += many;
        }
    }
}
