//! The canonical bytes of an action, spelled out once more: what an intent names is their SHA-256.

use events::operation::{Action, Property};
use sha2::{Digest as _, Sha256};

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn pairs(properties: &[Property]) -> String {
    let pair = |(name, value): &Property| format!("[{},{}]", text(name), text(value));
    format!("[{}]", properties.iter().map(pair).collect::<Vec<_>>().join(","))
}

fn spelled(action: &Action) -> String {
    let (word, fields) = match action {
        Action::SetSingleton { menu, properties } => {
            ("set_singleton", format!(r#""menu":{},"properties":{}"#, text(menu), pairs(properties)))
        }
        Action::Set { menu, id, properties } => {
            ("set", format!(r#""menu":{},"id":{},"properties":{}"#, text(menu), text(id), pairs(properties)))
        }
        Action::Add { menu, properties } => {
            ("add", format!(r#""menu":{},"properties":{}"#, text(menu), pairs(properties)))
        }
        Action::Remove { menu, id } => ("remove", format!(r#""menu":{},"id":{}"#, text(menu), text(id))),
        Action::Command { menu, command, properties } => (
            "command",
            format!(
                r#""menu":{},"command":{},"properties":{}"#,
                text(menu),
                text(command),
                pairs(properties)
            ),
        ),
    };
    format!(r#"{{"{word}":{{{fields}}}}}"#)
}

/// SHA-256 of it, in 64 hex digits.
pub(super) fn digest(action: &Action) -> String {
    Sha256::digest(spelled(action)).iter().map(|byte| format!("{byte:02x}")).collect()
}
