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

impl Action {
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

/// What a reading of one record (or of a singleton menu) must show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expectation {
    /// Menu to read.
    pub menu: String,
    /// The record, or none for a singleton menu.
    pub id: Option<String>,
    /// Properties that must have these values; `None` means absent or empty.
    pub properties: Vec<(String, Option<String>)>,
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
