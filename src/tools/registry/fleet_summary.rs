//! The fleet as our records know it: how many devices stand how, and which need a look. Asks no router.

use std::{cmp::Reverse, collections::BTreeMap};

use events::{
    device::{DeviceStatus, Environment},
    ids::{DeviceId, Moment},
    sample::HealthSample,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{device::Device, plan::PlanStatus},
    failure::Failure,
    routeros::text::Untrusted,
    tools::{
        context::Cx,
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

/// Devices named for a look; all of them are counted.
const ATTENTION_MAX: usize = 100;
/// Releases told apart; more are found with list_devices.
const VERSIONS_MAX: usize = 50;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Only this environment.
    environment: Option<Environment>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

/// Devices by status, as the last look found them.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ByStatus {
    /// Never reached yet.
    pending: usize,
    healthy: usize,
    degraded: usize,
    unreachable: usize,
    quarantined: usize,
}

impl ByStatus {
    const fn count(&mut self, status: DeviceStatus) {
        let counted = match status {
            DeviceStatus::Pending => &mut self.pending,
            DeviceStatus::Healthy => &mut self.healthy,
            DeviceStatus::Degraded => &mut self.degraded,
            DeviceStatus::Unreachable => &mut self.unreachable,
            DeviceStatus::Quarantined => &mut self.quarantined,
        };
        *counted += 1;
    }
}

/// Devices by environment.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ByEnvironment {
    lab: usize,
    staging: usize,
    prod: usize,
}

/// Devices of one release.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Release {
    /// Empty until first contact.
    routeros_version: Untrusted,
    count: usize,
}

/// A device that does not stand well.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Attention {
    device_id: DeviceId,
    environment: Environment,
    status: DeviceStatus,
    /// Our word for why.
    status_reason: String,
    status_since: Moment,
    /// Null: never looked at since it was kept.
    last_look: Option<Moment>,
    cpu_usage_percent: Option<f64>,
    memory_usage_percent: Option<f64>,
    disk_usage_percent: Option<f64>,
    temperature_celsius: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    environment: Option<Environment>,
    timestamp: Moment,
    total_count: usize,
    by_status: ByStatus,
    by_environment: ByEnvironment,
    /// Most frequent first.
    releases: Vec<Release>,
    /// Worst first, at most 100.
    attention: Vec<Attention>,
    attention_count: usize,
    /// The age of what is said here: the oldest and the newest look at any of these devices.
    oldest_look: Option<Moment>,
    newest_look: Option<Moment>,
    never_looked_at: usize,
    devices_in_jobs: usize,
    plans_waiting: usize,
}

pub struct FleetSummary;

impl Tool for FleetSummary {
    const SPEC: Spec = Spec::read(
        "fleet_summary",
        "Fleet summary",
        "How the routers you may see stand by our records: counts, releases, which need a look. Asks no router; device_health does.",
    )
    .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let at = cx.now();
        let fits = |environment| params.environment.is_none_or(|wanted| wanted == environment);
        Ok(cx.view(|views| {
            let (state, samples) = (&views.state, &views.health.newest);
            let seen = state.devices.values().filter(|device| cx.principal().sees(device));
            let devices: Vec<&Device> = seen.filter(|device| fits(device.settings.environment)).collect();
            let looks = || devices.iter().filter_map(|device| samples.get(&device.device_id)).map(|s| s.at);
            let waiting = state.plans.values().filter(|plan| {
                fits(plan.plan.environment)
                    && plan.status_at(at) == PlanStatus::Pending
                    && cx.principal().sees_plan(state, plan)
            });
            let (mut by_status, mut by_environment) = (ByStatus::default(), ByEnvironment::default());
            for device in &devices {
                by_status.count(device.status);
                *match device.settings.environment {
                    Environment::Lab => &mut by_environment.lab,
                    Environment::Staging => &mut by_environment.staging,
                    Environment::Prod => &mut by_environment.prod,
                } += 1;
            }
            let (attention, attention_count) = attention(&devices, samples);
            Answer {
                environment: params.environment,
                timestamp: at,
                total_count: devices.len(),
                by_status,
                by_environment,
                releases: releases(&devices),
                attention,
                attention_count,
                oldest_look: looks().min(),
                newest_look: looks().max(),
                never_looked_at: devices.len() - looks().count(),
                devices_in_jobs: devices.iter().filter(|d| state.leases.contains_key(&d.device_id)).count(),
                plans_waiting: waiting.count(),
            }
        }))
    }

    fn say(answer: &Answer) -> String {
        format!("{} devices, {} need a look", answer.total_count, answer.attention_count)
    }
}

fn releases(devices: &[&Device]) -> Vec<Release> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for device in devices {
        *counts.entry(&device.identification.routeros_version).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let release = |(version, count)| Release { routeros_version: Untrusted::new(version), count };
    counts.into_iter().take(VERSIONS_MAX).map(release).collect()
}

/// The devices that do not stand well, worst first, and how many there are.
fn attention(devices: &[&Device], samples: &BTreeMap<DeviceId, HealthSample>) -> (Vec<Attention>, usize) {
    let stands_well = |status| matches!(status, DeviceStatus::Healthy | DeviceStatus::Pending);
    let mut bad: Vec<&&Device> = devices.iter().filter(|device| !stands_well(device.status)).collect();
    // Statuses are declared from good to bad.
    bad.sort_by_key(|device| Reverse(device.status));
    let percent = |permille: Option<u16>| permille.map(|tenths| f64::from(tenths) / 10.0);
    let named = bad.iter().take(ATTENTION_MAX).map(|device| {
        let sample = samples.get(&device.device_id);
        Attention {
            device_id: device.device_id.clone(),
            environment: device.settings.environment,
            status: device.status,
            status_reason: device.status_reason.clone(),
            status_since: device.status_since,
            last_look: sample.map(|sample| sample.at),
            cpu_usage_percent: sample.and_then(|sample| percent(sample.cpu_permille)),
            memory_usage_percent: sample.and_then(|sample| percent(sample.memory_permille)),
            disk_usage_percent: sample.and_then(|sample| percent(sample.disk_permille)),
            temperature_celsius: sample
                .and_then(|sample| sample.temperature_decicelsius)
                .map(|tenths| f64::from(tenths) / 10.0),
        }
    });
    (named.collect(), bad.len())
}
