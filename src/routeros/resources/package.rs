//! `/system/package`: what is installed, and on newer versions what could be.

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record, flag, number},
    text::Untrusted,
};

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: Untrusted,
    /// Installed version; empty when it is only available.
    pub version: Untrusted,
    /// When it was built, as told.
    pub build_time: Untrusted,
    /// Bytes, where told.
    pub size: Option<u64>,
    /// Switched off.
    pub disabled: bool,
    /// Could be installed.
    pub available: bool,
    /// What the next reboot will do, where told.
    pub scheduled: Untrusted,
}

impl Package {
    /// A row without a version is only on offer (FACTS 2).
    #[must_use]
    pub fn is_installed(&self) -> bool {
        !self.version.is_empty()
    }

    /// True when it is this package, installed and switched on.
    #[must_use]
    pub fn runs(&self, name: &str) -> bool {
        self.name.expose() == name && self.is_installed() && !self.disabled
    }
}

impl Reading for Package {
    const MENU: &'static str = "/system/package";
    const FIELDS: &'static [Field] = &[
        Field::must("name"),
        Field::may("version"),
        Field::may("build-time"),
        Field::may("size"),
        Field::may("disabled"),
        Field::may("available"),
        Field::may("scheduled"),
    ];

    fn from_row(row: &Record<'_>) -> Self {
        Self {
            name: row.untrusted("name"),
            version: row.untrusted("version"),
            build_time: row.untrusted("build-time"),
            size: number(row, "size"),
            disabled: flag(row, "disabled"),
            available: flag(row, "available"),
            scheduled: row.untrusted("scheduled"),
        }
    }
}
