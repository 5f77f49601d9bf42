//! Facts about who may come in.

use serde::{Deserialize, Serialize};

use crate::{
    device::Environment,
    ids::{Moment, TokenId},
    principal::{Actor, Door, Role},
};

/// A bearer token was made. The token itself was shown once and is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCreated {
    /// Its record's id.
    pub token_id: TokenId,
    /// The person or program it is for.
    pub label: String,
    /// What it may do.
    pub role: Role,
    /// True when it stands for a named person (only such tokens approve).
    pub personal: bool,
    /// Environments it may touch; empty means none.
    pub environments: Vec<Environment>,
    /// Devices it may touch: ids, `group:NAME`, `tag:key=value`, or `*`; empty means none.
    pub device_scopes: Vec<String>,
    /// SHA-256 of the token (64 hex digits); the token has 256 random bits, so its hash tells nothing.
    pub sha256: String,
    /// It ends then.
    pub expires_at: Moment,
    /// Who made it.
    pub by: Actor,
}

/// A token was ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// Which token.
    pub token_id: TokenId,
    /// Who ended it.
    pub by: Actor,
}

/// Sign-ins without a valid token were refused. Summed up, so that nobody fills the log by knocking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInRefused {
    /// Where they came in.
    pub door: Door,
    /// The address or `local:uid` they came from; `others` when too many knock at once.
    pub from: String,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub since: Moment,
}
