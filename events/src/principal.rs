//! Who: the principal of a call or decision, as recorded.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a principal may do, in one word (DECISIONS: `approver` executes nothing, `admin` does not approve).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads routers and records; changes nothing.
    ReadOnly,
    /// Reads, proposes plans and starts approved ones.
    OpsRw,
    /// Everything but approval.
    Admin,
    /// Approves and rejects plans of others; executes nothing.
    Approver,
}

impl Role {
    /// The word used on the command line, in answers and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::OpsRw => "ops_rw",
            Self::Admin => "admin",
            Self::Approver => "approver",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        [Self::ReadOnly, Self::OpsRw, Self::Admin, Self::Approver]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole)
    }
}

/// A role's word that is none of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of read_only, ops_rw, admin, approver")]
pub struct UnknownRole;

/// The door through which a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// MCP over HTTP.
    McpHttp,
    /// MCP over standard input and output.
    McpStdio,
    /// The admin API.
    Api,
    /// The command line.
    Cli,
    /// The product itself: settling, recovery, policies.
    System,
}

/// Who acted, as recorded: a stable name such as `token:tok_01k…`, `local:1000` or `system`, and the role at that time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// Stable name; equal names are the same principal.
    pub name: String,
    /// The person or program the name stands for, in words chosen when the token was made.
    pub label: String,
    /// The role that the principal had.
    pub role: Role,
    /// Where it came in.
    pub door: Door,
}

impl Actor {
    /// The product itself.
    #[must_use]
    pub fn system() -> Self {
        Self { name: "system".into(), label: "appliance".into(), role: Role::Admin, door: Door::System }
    }

    /// True for a user of this machine, known by the operating system rather than by a token.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.name.starts_with("local:")
    }
}
