//! State from events, one at a time.

use crate::event::Envelope;

/// Something rebuilt from the log. `apply` is total: it cannot fail and cannot ask anybody.
pub trait Fold: Default + serde::Serialize + serde::de::DeserializeOwned + Send + 'static {
    /// Name in snapshots; never changes.
    const NAME: &'static str;
    /// Raised when the saved form or the meaning of `apply` changes: older snapshots are then rebuilt from the log.
    const VERSION: u32;
    /// Takes in one event.
    fn apply(&mut self, envelope: &Envelope);
}
