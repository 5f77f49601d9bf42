//! `/system/identity`: the router's own name.

use crate::routeros::{
    port::Row,
    resources::{Reading, text},
    text::Untrusted,
};

/// The router's own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As kept on the router, for comparing.
    pub raw: String,
    /// For showing.
    pub name: Untrusted,
}

impl Reading for Identity {
    const MENU: &'static str = "/system/identity";
    const REQUIRED: &'static [&'static str] = &["name"];

    fn from_row(row: &Row) -> Self {
        Self { raw: text(row, "name").to_owned(), name: Untrusted::new(text(row, "name")) }
    }
}
