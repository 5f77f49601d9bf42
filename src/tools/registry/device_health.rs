//! Looks at a router once, judges what it sees, and keeps the sample.

use events::{device::DeviceStatus, ids::Moment, sample::HealthSample};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        resources::{
            health::{Sensor, hottest},
            identity::Identity,
            routerboard::Routerboard,
            system_resource::SystemResource,
        },
    },
    tools::{
        context::Cx,
        params::OneDevice,
        registry::check_connectivity::identify,
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// healthy, degraded, unreachable or quarantined.
    status: DeviceStatus,
    timestamp: Moment,
    cpu_usage_percent: Option<f64>,
    memory_usage_percent: Option<f64>,
    disk_usage_percent: Option<f64>,
    temperature_celsius: Option<f64>,
    uptime_seconds: Option<u64>,
    /// Over a critical threshold, or not reachable.
    issues: Vec<String>,
    /// Over a warning threshold.
    warnings: Vec<String>,
    transport: &'static str,
    fallback_used: bool,
}

/// Warning and critical thresholds (DECISIONS: thresholds).
const CPU_PERCENT: (f64, f64) = (80.0, 95.0);
const MEMORY_PERCENT: (f64, f64) = (85.0, 95.0);
const DISK_PERCENT: (f64, f64) = (85.0, 95.0);
const CELSIUS: (f64, f64) = (70.0, 80.0);
/// Up for less than this means that it has just rebooted.
const REBOOTED_S: u64 = 60;

pub struct DeviceHealth;

impl Tool for DeviceHealth {
    const SPEC: Spec = Spec::read(
        "device_health",
        "Device health",
        "Reads CPU, memory, disk, temperature and uptime of a router now and judges them. An unreachable router is an answer.",
    );
    type Params = OneDevice;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<SystemResource>(),
        Endpoint::print::<Sensor>(),
        Endpoint::print::<Identity>(),
        Endpoint::print::<Routerboard>(),
    ];

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let resource = match router.read::<SystemResource>().await {
            Ok(resource) => resource,
            Err(failure) if tells_of_device(failure.code) => {
                return Ok(unreachable(cx, &device.device_id, &failure));
            }
            Err(failure) => return Err(failure),
        };
        let sensors = router.read_all_if_any::<Sensor>().await.unwrap_or_default();
        identify(cx, &device.device_id, &resource).await;
        let answer = judge(cx.now(), &resource, hottest(&sensors));
        let permille = |percent: Option<f64>| percent.map(tenths);
        let sample = HealthSample {
            device_id: device.device_id.clone(),
            at: answer.timestamp,
            status: answer.status,
            cpu_permille: permille(answer.cpu_usage_percent),
            memory_permille: permille(answer.memory_usage_percent),
            disk_permille: permille(answer.disk_usage_percent),
            temperature_decicelsius: answer
                .temperature_celsius
                .map(|t| i16::try_from((t * 10.0).round() as i64).unwrap_or(i16::MAX)),
            uptime_s: answer.uptime_seconds,
        };
        let reason =
            answer.issues.first().or(answer.warnings.first()).and_then(|line| line.split(' ').next());
        cx.observe(sample, reason.unwrap_or("ok"));
        Ok(answer)
    }

    fn say(answer: &Answer) -> String {
        format!(
            "{}: {} issues, {} warnings",
            answer.status.as_str(),
            answer.issues.len(),
            answer.warnings.len()
        )
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0–1000 fits; larger is cut")]
fn tenths(percent: f64) -> u16 {
    (percent * 10.0).round().clamp(0.0, 1000.0) as u16
}

#[expect(clippy::cast_precision_loss, reason = "percentages are small")]
fn judge(at: Moment, resource: &SystemResource, celsius: Option<f64>) -> Answer {
    let mut issues = Vec::new();
    let mut warnings = Vec::new();
    let mut check = |what: &str, unit: &str, value: Option<f64>, (warning, critical): (f64, f64)| {
        let Some(value) = value else { return };
        if value >= critical {
            issues.push(format!("{what} at {value:.0} {unit} (critical from {critical:.0})"));
        } else if value >= warning {
            warnings.push(format!("{what} at {value:.0} {unit} (warning from {warning:.0})"));
        }
    };
    let cpu = resource.cpu_load.map(|load| load as f64);
    check("cpu", "%", cpu, CPU_PERCENT);
    check("memory", "%", resource.memory_percent(), MEMORY_PERCENT);
    check("disk", "%", resource.disk_percent(), DISK_PERCENT);
    check("temperature", "°C", celsius, CELSIUS);
    let uptime_seconds = resource.uptime.map(|uptime| uptime.as_secs());
    if uptime_seconds.is_some_and(|uptime| uptime < REBOOTED_S) {
        warnings.push(format!("rebooted less than {REBOOTED_S} s ago"));
    }
    let degraded = !issues.is_empty() || !warnings.is_empty();
    Answer {
        status: if degraded { DeviceStatus::Degraded } else { DeviceStatus::Healthy },
        timestamp: at,
        cpu_usage_percent: cpu,
        memory_usage_percent: resource.memory_percent(),
        disk_usage_percent: resource.disk_percent(),
        temperature_celsius: celsius,
        uptime_seconds,
        issues,
        warnings,
        transport: "rest",
        fallback_used: false,
    }
}

/// Failures that say something about the device. A busy lane or a missing login says nothing about it, so nothing is noted.
const fn tells_of_device(code: Code) -> bool {
    matches!(
        code,
        Code::DeviceUnreachable
            | Code::DeviceTimeout
            | Code::DeviceAuthFailed
            | Code::DeviceForbidden
            | Code::DeviceGarbled
            | Code::DeviceRefused
            | Code::DeviceUnsupported
            | Code::DeviceQuarantined
            | Code::TlsMismatch
    )
}

fn unreachable(cx: &Cx, device_id: &events::ids::DeviceId, failure: &Failure) -> Answer {
    let quarantined = matches!(failure.code, Code::DeviceQuarantined | Code::TlsMismatch);
    let status = if quarantined { DeviceStatus::Quarantined } else { DeviceStatus::Unreachable };
    let at = cx.now();
    let sample = HealthSample {
        device_id: device_id.clone(),
        at,
        status,
        cpu_permille: None,
        memory_permille: None,
        disk_permille: None,
        temperature_decicelsius: None,
        uptime_s: None,
    };
    cx.observe(sample, failure.code.as_str());
    Answer {
        status,
        timestamp: at,
        cpu_usage_percent: None,
        memory_usage_percent: None,
        disk_usage_percent: None,
        temperature_celsius: None,
        uptime_seconds: None,
        issues: vec![format!("{}: {}", failure.code, failure.say)],
        warnings: Vec::new(),
        transport: "rest",
        fallback_used: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(cpu: u64, free_memory: u64, uptime_s: u64) -> SystemResource {
        SystemResource {
            uptime: Some(std::time::Duration::from_secs(uptime_s)),
            version: "7.20.8 (long-term)".into(),
            cpu_load: Some(cpu),
            cpu_count: Some(4),
            free_memory: Some(free_memory),
            total_memory: Some(1000),
            free_disk: Some(900),
            total_disk: Some(1000),
            board_name: "".into(),
            architecture: "".into(),
        }
    }

    #[test]
    fn thresholds_are_those_of_the_contract() {
        let at = Moment::from_micros(0);
        for (cpu, free, celsius, uptime, issues, warnings) in [
            (79, 151, 69.9, 60, 0, 0),
            (80, 500, 20.0, 60, 0, 1),
            (95, 500, 20.0, 60, 1, 0),
            (10, 150, 20.0, 60, 0, 1),
            (10, 50, 20.0, 60, 1, 0),
            (10, 500, 70.0, 60, 0, 1),
            (10, 500, 80.0, 60, 1, 0),
            (10, 500, 20.0, 59, 0, 1),
        ] {
            let answer = judge(at, &resource(cpu, free, uptime), Some(celsius));
            assert_eq!(
                (answer.issues.len(), answer.warnings.len()),
                (issues, warnings),
                "{cpu} {free} {celsius} {uptime}"
            );
            let degraded = issues + warnings > 0;
            assert_eq!(answer.status == DeviceStatus::Degraded, degraded);
        }
    }
}
