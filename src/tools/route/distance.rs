//! A route's distance as callers give it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// 1–255; among routes to the same destination the smaller wins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distance(pub(super) u8);

impl<'de> Deserialize<'de> for Distance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let asked = i64::deserialize(deserializer)?;
        match u8::try_from(asked) {
            Ok(distance @ 1..) => Ok(Self(distance)),
            _ => Err(de::Error::custom(format!("1–255, got {asked}"))),
        }
    }
}

impl JsonSchema for Distance {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Distance".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": 255 })
    }
}
