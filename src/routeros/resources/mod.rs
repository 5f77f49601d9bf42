//! Typed readings, one file a menu.
//!
//! A reading says which keys an answer must have: right after boot RouterOS may answer with another menu's rows.

pub mod clock;
pub mod dns;
pub mod health;
pub mod identity;
pub mod interface;
pub mod ntp_client;
pub mod package;
pub mod routerboard;
pub mod system_resource;

use crate::routeros::{
    error::RouterError,
    port::{Reply, Row},
};

/// One record of a menu, with types.
pub trait Reading: Sized {
    /// The menu.
    const MENU: &'static str;
    /// Keys that every record has; an answer without them belongs to another menu.
    const REQUIRED: &'static [&'static str];
    /// From a record that has the required keys.
    fn from_row(row: &Row) -> Self;

    /// From a record.
    ///
    /// # Errors
    /// `Garbled` when a required key is missing.
    fn read(row: &Row) -> Result<Self, RouterError> {
        match Self::REQUIRED.iter().find(|key| !row.contains_key(**key)) {
            None => Ok(Self::from_row(row)),
            Some(key) => Err(RouterError::Garbled(format!("{} without `{key}`", Self::MENU))),
        }
    }

    /// The only record of a menu without records.
    ///
    /// # Errors
    /// `Garbled` when there is none or it lacks a required key.
    fn one(reply: &Reply) -> Result<Self, RouterError> {
        let row = reply.rows.first();
        row.map_or_else(|| Err(RouterError::Garbled(format!("{} is empty", Self::MENU))), Self::read)
    }

    /// Every record.
    ///
    /// # Errors
    /// `Garbled` when one lacks a required key.
    fn all(reply: &Reply) -> Result<Vec<Self>, RouterError> {
        reply.rows.iter().map(Self::read).collect()
    }
}

/// True when a record can be one of this menu. Menus that no reading knows are believed.
#[must_use]
pub fn looks_right(menu: &str, row: &Row) -> bool {
    const KNOWN: &[(&str, &[&str])] = &[
        (dns::DnsSettings::MENU, dns::DnsSettings::REQUIRED),
        (identity::Identity::MENU, identity::Identity::REQUIRED),
        (ntp_client::NtpClient::MENU, ntp_client::NtpClient::REQUIRED),
        (system_resource::SystemResource::MENU, system_resource::SystemResource::REQUIRED),
        (interface::Interface::MENU, interface::Interface::REQUIRED),
    ];
    let required = KNOWN.iter().find(|(known, _)| *known == menu).map_or(&[][..], |(_, keys)| *keys);
    required.iter().all(|key| row.contains_key(*key))
}

/// The text of a key, or nothing where it is unset.
pub(crate) fn text<'a>(row: &'a Row, key: &str) -> &'a str {
    row.get(key).map(String::as_str).unwrap_or_default()
}

/// A flag; an absent one is false.
pub(crate) fn flag(row: &Row, key: &str) -> bool {
    row.get(key).and_then(|text| crate::routeros::value::boolean(text)).unwrap_or(false)
}

/// A whole number.
pub(crate) fn number(row: &Row, key: &str) -> Option<u64> {
    row.get(key).and_then(|text| crate::routeros::value::whole(text))
}
