//! `/system/health` of RouterOS 7: rows of name and value. Empty on CHR; a value may be a word.

use crate::routeros::{
    compat::{Field, Presence, Versions},
    resources::{Reading, Record},
    text::Untrusted,
    value::decimal,
};

/// One sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Such as `temperature`, `cpu-temperature`, `voltage`.
    pub name: Untrusted,
    /// Its figure; `None` when it says a word (`ok`, `no-input`).
    pub value: Option<f64>,
}

impl Reading for Sensor {
    const MENU: &'static str = "/system/health";
    const PRESENCE: Presence = Presence::optional(Versions::ALL, "empty on virtual routers");
    const FIELDS: &'static [Field] = &[Field::must("name"), Field::may("value")];

    fn from_row(row: &Record<'_>) -> Self {
        Self { name: row.untrusted("name"), value: row.get("value").and_then(|value| decimal(value)) }
    }
}

/// The hottest temperature of the box, in degrees Celsius.
#[must_use]
pub fn hottest(sensors: &[Sensor]) -> Option<f64> {
    sensors
        .iter()
        .filter(|sensor| sensor.name.expose().contains("temperature"))
        .filter_map(|sensor| sensor.value)
        .reduce(f64::max)
}

/// The supply voltage, in volts.
#[must_use]
pub fn voltage(sensors: &[Sensor]) -> Option<f64> {
    sensors.iter().find(|sensor| sensor.name.expose() == "voltage").and_then(|sensor| sensor.value)
}
