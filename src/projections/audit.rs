//! Events in the form that people and programs read.

use events::{
    event::{Envelope, Event},
    ids::{DeviceId, Moment},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{projections::audit_line, routeros::text::clean_values};

/// An event as shown.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    /// Place in the log.
    pub seq: u64,
    /// When.
    pub at: Moment,
    /// What kind of fact.
    pub kind: &'static str,
    /// Who, by stable name.
    pub actor: String,
    /// Who, in words.
    pub actor_label: String,
    /// What it says, in one line.
    pub text: String,
    /// Devices it is about.
    pub devices: Vec<DeviceId>,
    /// The fact itself; hashes of tokens are left out.
    pub fact: Value,
}

/// The readable form of an event.
#[must_use]
pub fn show(envelope: &Envelope) -> Shown {
    let mut fact = serde_json::to_value(&envelope.event).unwrap_or(Value::Null);
    // `{"ToolCalled": {…}}` → `{…}`; the kind stands beside it.
    if let Value::Object(object) = &mut fact
        && let Some((_, inner)) = object.iter_mut().next()
    {
        fact = inner.take();
    }
    if let Value::Object(object) = &mut fact {
        for hidden in ["approval_token_sha256", "sha256"] {
            if !matches!(envelope.event, Event::DeviceTrusted(_)) {
                object.remove(hidden);
            }
        }
    }
    // Parameters were cut when they were recorded.
    clean_values(&mut fact, &["parameters"]);
    Shown {
        seq: envelope.seq.0,
        at: envelope.at,
        kind: envelope.event.kind(),
        actor: envelope.actor.name.clone(),
        actor_label: envelope.actor.label.clone(),
        text: audit_line::line(&envelope.event),
        devices: envelope.event.subjects().devices,
        fact,
    }
}
