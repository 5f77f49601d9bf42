//! A box's gauges, where somebody tampered with them: what a health gate reads.
//!
//! Knows which menus show them; what a box shows by itself is decided in `views`.

use serde_json::{Map, Value};

use crate::state::State;
use crate::table::Record;

/// What the gauges show instead of what they would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// `cpu-load` of `/system/resource`, percent.
    pub cpu_load: Option<u64>,
    /// `free-memory` of `/system/resource`, bytes.
    pub free_memory: Option<u64>,
    /// `free-hdd-space` of `/system/resource`, bytes.
    pub free_hdd_space: Option<u64>,
    /// The thermometer of `/system/health`, degrees Celsius.
    pub temperature: Option<u64>,
}

/// The names of the thermometers.
const THERMOMETERS: [&str; 2] = ["temperature", "cpu-temperature"];

impl Vitals {
    /// Takes over what a JSON object names: a number sets a gauge, `null` lets it go.
    ///
    /// # Errors
    /// A name that is no gauge, or a value that is no number.
    pub fn tamper(&mut self, with: &Map<String, Value>) -> Result<(), String> {
        let mut next = self.clone();
        for (name, value) in with {
            let slot = match name.as_str() {
                "cpu-load" => &mut next.cpu_load,
                "free-memory" => &mut next.free_memory,
                "free-hdd-space" => &mut next.free_hdd_space,
                "temperature" => &mut next.temperature,
                other => {
                    return Err(format!(
                        "{other} is no gauge: cpu-load, free-memory, free-hdd-space, temperature"
                    ));
                }
            };
            let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
            if number.is_none() && !value.is_null() {
                return Err(format!("{name} must be a number or null"));
            }
            *slot = number;
        }
        *self = next;
        Ok(())
    }

    /// Another's gauges over these.
    pub fn overlay(&mut self, other: &Vitals) {
        self.cpu_load = other.cpu_load.or(self.cpu_load);
        self.free_memory = other.free_memory.or(self.free_memory);
        self.free_hdd_space = other.free_hdd_space.or(self.free_hdd_space);
        self.temperature = other.temperature.or(self.temperature);
    }

    /// Writes them into the row of `/system/resource`.
    pub fn resource(&self, row: &mut Record) {
        let gauges = [
            ("cpu-load", self.cpu_load),
            ("free-memory", self.free_memory),
            ("free-hdd-space", self.free_hdd_space),
        ];
        for (name, value) in gauges {
            if let Some(value) = value {
                row.set(name, value.to_string());
            }
        }
    }

    /// Writes them into a row of `/system/health`.
    pub fn health(&self, row: &mut Record) {
        if let Some(degrees) = self.temperature
            && THERMOMETERS.contains(&row.text("name"))
        {
            row.set("value", degrees.to_string());
        }
    }
}

/// Whether the box has a thermometer; virtual ones have none.
pub fn has_thermometer(state: &mut State) -> bool {
    state.table("/system/health").rows.iter().any(|row| THERMOMETERS.contains(&row.text("name")))
}
