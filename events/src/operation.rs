//! One change of one device as plain data: what to do, how to undo it, what must be true before and after.
//!
//! The runner chooses nothing: everything it sends to a router stands here, was hashed into the plan, and was approved.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A property and its value, both in RouterOS's own words (`servers` = `9.9.9.9,1.1.1.1`).
pub type Property = (String, String);

/// One request that changes a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Set properties of a menu without records (`/ip/dns`): `POST menu/set`.
    SetSingleton {
        /// Menu, such as `/ip/dns`.
        menu: String,
        /// New values.
        properties: Vec<Property>,
    },
    /// Set properties of one record: `PATCH menu/*id`.
    Set {
        /// Menu, such as `/interface`.
        menu: String,
        /// RouterOS's id, with its star.
        id: String,
        /// New values.
        properties: Vec<Property>,
    },
    /// Add a record: `PUT menu`.
    Add {
        /// Menu.
        menu: String,
        /// Its properties.
        properties: Vec<Property>,
    },
    /// Remove a record: `DELETE menu/*id`.
    Remove {
        /// Menu.
        menu: String,
        /// RouterOS's id, with its star.
        id: String,
    },
    /// Run a command that changes something: `POST menu/command`.
    Command {
        /// Menu.
        menu: String,
        /// The command's word.
        command: String,
        /// Its arguments.
        properties: Vec<Property>,
    },
}

/// In place of an id: the record that the reading right before the write found. An undo of an added record needs it,
/// since the router gives the id when it adds, and so does what is done to a record that was put back.
pub const FOUND: &str = "@";

impl Action {
    /// True when it names no id of its own but the one that a reading finds.
    #[must_use]
    pub fn needs_found(&self) -> bool {
        match self {
            Self::Set { id, .. } | Self::Remove { id, .. } => id == FOUND,
            Self::Command { properties, .. } => properties.iter().any(|(_, value)| value == FOUND),
            Self::SetSingleton { .. } | Self::Add { .. } => false,
        }
    }

    /// The action on the record that was found.
    #[must_use]
    pub fn on_found(&self, found: &str) -> Self {
        let mut action = self.clone();
        match &mut action {
            Self::Set { id, .. } | Self::Remove { id, .. } if id == FOUND => found.clone_into(id),
            Self::Command { properties, .. } => {
                let named = properties.iter_mut().filter(|(name, value)| name == "numbers" && value == FOUND);
                named.for_each(|(_, value)| found.clone_into(value));
            }
            _ => {}
        }
        action
    }

    /// The menu that the action touches.
    #[must_use]
    pub fn menu(&self) -> &str {
        match self {
            Self::SetSingleton { menu, .. }
            | Self::Set { menu, .. }
            | Self::Add { menu, .. }
            | Self::Remove { menu, .. }
            | Self::Command { menu, .. } => menu,
        }
    }
}

/// A property and the value that it must have; `None` means absent, empty or false. RouterOS leaves out what is unset,
/// and flags that are off (some of them only until they were written once).
pub type Wanted = (String, Option<String>);

/// Which record of a menu is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The menu itself: it has no records.
    Menu,
    /// The record with this id.
    Id(String),
    /// The only record with these properties, whatever its id.
    Find {
        /// What it is known by.
        by: Vec<Wanted>,
        /// The filter that the router itself is asked with, so that a large menu is not read whole; empty reads all.
        narrow: Vec<Property>,
        /// Records that look the same and are not meant, by id.
        except: Vec<String>,
    },
}

/// Where a record stands in a menu whose order means something. Records that RouterOS made itself do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Right before the record with this id.
    Before(String),
    /// At the end.
    Last,
}

/// What a reading of one record (or of a singleton menu) must show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expectation {
    /// Menu to read.
    pub menu: String,
    /// Which of its records.
    pub which: Which,
    /// It is there; `false`: it must not be.
    pub present: bool,
    /// Properties that must have these values.
    pub properties: Vec<Wanted>,
    /// Properties that may be set besides; any other must be absent, empty or off. `None`: whatever else.
    pub others: Option<Vec<String>>,
    /// Where it must stand.
    pub place: Option<Place>,
    /// How many records there are that RouterOS did not make itself. With it a record that was added, but not as wanted,
    /// is not taken for one that was not added.
    pub count: Option<u64>,
}

impl Expectation {
    /// A menu without records shows these values.
    #[must_use]
    pub fn of_menu(menu: &str, properties: Vec<Wanted>) -> Self {
        Self::of(menu, Which::Menu, properties)
    }

    /// The record with an id shows these values.
    #[must_use]
    pub fn of_id(menu: &str, id: &str, properties: Vec<Wanted>) -> Self {
        Self::of(menu, Which::Id(id.to_owned()), properties)
    }

    /// A record is there and shows these values.
    #[must_use]
    pub fn of(menu: &str, which: Which, properties: Vec<Wanted>) -> Self {
        Self {
            menu: menu.to_owned(),
            which,
            present: true,
            properties,
            others: None,
            place: None,
            count: None,
        }
    }

    /// The record is not there.
    #[must_use]
    pub fn gone(menu: &str, which: Which) -> Self {
        Self { present: false, ..Self::of(menu, which, Vec::new()) }
    }
}

/// One change with its undo and its expectations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// What is sent.
    pub action: Action,
    /// What restores the state before, in order.
    pub undo: Vec<Action>,
    /// What must be read before the write; otherwise the plan is stale.
    pub expect_before: Expectation,
    /// What must be read after the write.
    pub expect_after: Expectation,
    /// Why this could cut our own way to the router, if it could.
    pub risky: Option<String>,
}
