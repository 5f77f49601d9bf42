//! A record on its way to its type: only declared properties can be read.

use std::time::Duration;

use crate::routeros::{
    compat::Field,
    figures,
    port::Row,
    text::Untrusted,
    value::{boolean, duration, list, whole},
};

/// A record of a menu. In builds for tests, reading an undeclared property is a panic, and what was read is noted.
#[derive(Debug)]
pub struct Record<'a> {
    row: &'a Row,
    fields: &'static [Field],
    #[cfg(test)]
    asked: std::cell::RefCell<std::collections::BTreeSet<String>>,
}

impl<'a> Record<'a> {
    /// A record with the properties that may be read.
    #[must_use]
    pub fn new(row: &'a Row, fields: &'static [Field]) -> Self {
        Self {
            row,
            fields,
            #[cfg(test)]
            asked: std::cell::RefCell::default(),
        }
    }

    /// The text of a declared property.
    pub(crate) fn get(&self, key: &str) -> Option<&'a String> {
        debug_assert!(self.fields.iter().any(|field| field.name == key), "`{key}` is read but not declared");
        #[cfg(test)]
        self.asked.borrow_mut().insert(key.to_owned());
        self.row.get(key)
    }

    /// The properties read so far.
    #[cfg(test)]
    pub(super) fn asked(&self) -> std::collections::BTreeSet<String> {
        self.asked.borrow().clone()
    }

    /// Text; unset is empty.
    pub(crate) fn untrusted(&self, key: &str) -> Untrusted {
        Untrusted::new(text(self, key))
    }

    /// Text; unset and empty are none.
    pub(crate) fn some(&self, key: &str) -> Option<Untrusted> {
        self.get(key).filter(|text| !text.is_empty()).map(|text| Untrusted::new(text))
    }

    /// A flag; unset is false. RouterOS also writes a flag that is true as an empty text.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|text| text.is_empty() || boolean(text) == Some(true))
    }

    /// A whole number.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        number(self, key)
    }

    /// A comma list.
    pub(crate) fn list(&self, key: &str) -> Vec<Untrusted> {
        list(text(self, key)).into_iter().map(Untrusted::new).collect()
    }

    /// A duration.
    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        self.get(key).and_then(|text| duration(text))
    }

    /// A duration in whole seconds.
    pub(crate) fn seconds(&self, key: &str) -> Option<u64> {
        self.duration(key).map(|duration| duration.as_secs())
    }

    /// Two counters, sent and received.
    pub(crate) fn pair(&self, key: &str) -> Option<(u64, u64)> {
        self.get(key).and_then(|text| figures::pair(text))
    }

    /// A signal in dBm.
    pub(crate) fn dbm(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(|text| figures::dbm(text))
    }
}

/// The text of a property, or nothing where it is unset.
pub(crate) fn text<'a>(row: &Record<'a>, key: &str) -> &'a str {
    row.get(key).map(String::as_str).unwrap_or_default()
}

/// A flag; an absent one is false.
pub(crate) fn flag(row: &Record<'_>, key: &str) -> bool {
    row.get(key).and_then(|text| boolean(text)).unwrap_or(false)
}

/// A whole number.
pub(crate) fn number(row: &Record<'_>, key: &str) -> Option<u64> {
    row.get(key).and_then(|text| whole(text))
}

/// One declaration of a record: the type, the properties and the parse. A property is `must` (every record has it) or
/// `may`, and is read by the method of [`Record`] that is named; a range of releases may follow.
macro_rules! reading {
    (
        $(#[$doc:meta])* $name:ident in $menu:literal $(, $constant:ident = $value:expr)*;
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $parse:ident $need:ident $property:literal $(.$bound:ident($($number:literal),+))*;)+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl $crate::routeros::resources::Reading for $name {
            const MENU: &'static str = $menu;
            const FIELDS: &'static [$crate::routeros::compat::Field] =
                &[$($crate::routeros::compat::Field::$need($property)$(.$bound($($number),+))*,)+];
            $(const $constant: reading!(@type $constant) = $value;)*

            fn from_row(row: &$crate::routeros::resources::Record<'_>) -> Self {
                Self { $($field: row.$parse($property),)+ }
            }
        }
    };
    (@type PRESENCE) => { $crate::routeros::compat::Presence };
    (@type PICKS) => { bool };
}
pub(crate) use reading;
