//! `/system/identity`: the router's own name.

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record, text},
    text::{Exact, Untrusted},
};

/// The router's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As kept on the router, for comparing.
    pub raw: Exact,
    /// For showing.
    pub name: Untrusted,
}

impl Reading for Identity {
    const MENU: &'static str = "/system/identity";
    const FIELDS: &'static [Field] = &[Field::must("name")];

    fn from_row(row: &Record<'_>) -> Self {
        Self { raw: Exact::new(text(row, "name")), name: row.untrusted("name") }
    }
}
