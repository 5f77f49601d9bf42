//! What a router is and how it is doing, in one answer.

use events::{ids::DeviceId, ids::Moment};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::{
            health::{Sensor, hottest, voltage},
            identity::Identity,
            routerboard::Routerboard,
            system_resource::SystemResource,
        },
        text::Untrusted,
    },
    tools::{
        context::Cx,
        listing::Origin,
        params::OneDevice,
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    device_id: DeviceId,
    device_name: String,
    system_identity: Untrusted,
    routeros_version: Untrusted,
    hardware_model: Untrusted,
    architecture: Untrusted,
    serial_number: Option<Untrusted>,
    firmware: Option<Untrusted>,
    cpu_count: Option<u64>,
    cpu_usage_percent: Option<u64>,
    memory_total_bytes: Option<u64>,
    memory_used_bytes: Option<u64>,
    memory_free_bytes: Option<u64>,
    memory_usage_percent: Option<f64>,
    temperature_celsius: Option<f64>,
    voltage: Option<f64>,
    uptime_seconds: Option<u64>,
    uptime_formatted: Option<String>,
    timestamp: Moment,
    #[serde(flatten)]
    origin: Origin,
}

pub struct GetSystemOverview;

impl Tool for GetSystemOverview {
    const SPEC: Spec = Spec::read(
        "get_system_overview",
        "System overview",
        "Identity, version, board, load, memory, temperature and uptime of a router.",
    );
    type Params = OneDevice;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<SystemResource>(),
        Endpoint::print::<Identity>(),
        Endpoint::print::<Routerboard>(),
        Endpoint::print::<Sensor>(),
    ];

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let resource = router.read::<SystemResource>().await?;
        let identity = router.read::<Identity>().await?;
        // Absent on CHR and x86.
        let board = router.read_all_if_any::<Routerboard>().await?.into_iter().next();
        let sensors = router.read_all_if_any::<Sensor>().await?;
        let model = board.as_ref().map(|board| board.model.clone()).filter(|model| !model.is_empty());
        Ok(Answer {
            device_id: device.device_id.clone(),
            device_name: device.settings.name,
            system_identity: identity.name,
            hardware_model: model.unwrap_or_else(|| resource.board_name.clone()),
            architecture: resource.architecture.clone(),
            serial_number: board.as_ref().map(|board| board.serial_number.clone()),
            firmware: board.as_ref().map(|board| board.current_firmware.clone()),
            cpu_count: resource.cpu_count,
            cpu_usage_percent: resource.cpu_load,
            memory_total_bytes: resource.total_memory,
            memory_used_bytes: resource
                .total_memory
                .zip(resource.free_memory)
                .map(|(t, f)| t.saturating_sub(f)),
            memory_free_bytes: resource.free_memory,
            memory_usage_percent: resource.memory_percent(),
            temperature_celsius: hottest(&sensors),
            voltage: voltage(&sensors),
            uptime_seconds: resource.uptime.map(|uptime| uptime.as_secs()),
            uptime_formatted: resource.uptime.map(|uptime| formatted(uptime.as_secs())),
            routeros_version: resource.version,
            timestamp: cx.now(),
            origin: Origin::REST,
        })
    }
}

/// `3d 4h 5m`.
fn formatted(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m {}s", seconds % 60),
        (0, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn uptimes_read_well() {
        assert_eq!([59, 3_700, 270_000].map(super::formatted), ["0m 59s", "1h 1m", "3d 3h 0m"]);
    }
}
