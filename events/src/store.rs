//! Facts about the log itself.

use serde::{Deserialize, Serialize};

use crate::ids::{Moment, StoreId};

/// The first event of every store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreCreated {
    /// Its name.
    pub store_id: StoreId,
    /// The version that made it.
    pub product_version: String,
    /// The key that signs checkpoints, in the form that `verify --key` takes.
    pub verifier_key: String,
}

/// While the disk could not be written, reads went on; this sums up the calls that could not be recorded one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditGap {
    /// When writing became impossible.
    pub from: Moment,
    /// When it was possible again.
    pub to: Moment,
    /// How many calls of read tools were answered meanwhile.
    pub calls: u64,
}
