//! Which port of which bridge, as callers give it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::tools::{
    params::{DeviceRef, Text},
    tool::Targets,
    topic::Devices,
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    pub(super) device_ids: Devices,
    /// Name of the bridge (see list_bridges).
    pub(super) bridge_name: Text<1, 255>,
    /// Name of the interface (see list_interfaces).
    pub(super) interface: Text<1, 255>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}
