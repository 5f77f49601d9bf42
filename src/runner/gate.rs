//! Looks at the devices of a wave, before it and after it; the rules judge what is seen.

use std::{collections::BTreeSet, time::Duration};

use events::{
    gate::{GateSample, Vitals},
    ids::{DeviceId, WaveNo},
    job::JobStatus,
    plan::{GatePolicy, Plan},
};
use futures_util::StreamExt as _;

use crate::{
    domain::{
        Command,
        job::{JobState, SOAK_SAMPLES, StepState},
    },
    failure::{Code, Failure},
    routeros::{
        error::{Garble, RouterError},
        port::{Ask, Priority, Reply},
        resources::{
            Reading,
            health::{Sensor, hottest},
            ntp_client::NtpClient,
            system_resource::SystemResource,
        },
    },
    runner::{
        Runner,
        drive::{DEVICES_AT_ONCE_MAX, Went},
        effect::{is_ours, step_of},
    },
};

/// One reading of a look.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// A device counts as lost after so many readings in vain (DECISIONS: jobs on routers, 2).
const TRIES: u32 = 3;
/// Between two of them.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);
/// A clock may take so long to be synchronised with new servers; then the gate only warns.
const NTP_PATIENCE_S: i64 = 600;
/// A look that we could not take is taken so much later.
const LOOK_LATER: Duration = Duration::from_secs(2);
/// It is asked this often meanwhile.
const NTP_EVERY: Duration = Duration::from_secs(10);

impl Runner {
    /// A job of several devices begins only when each of them still is as its plan expects.
    pub(super) async fn begin_job(
        &self,
        job: &JobState,
        plan: &Plan,
        reason: String,
    ) -> Result<Went, Failure> {
        let parts: Vec<_> = plan.waves.iter().flatten().collect();
        let compares = parts.iter().filter(|_| parts.len() > 1).map(|part| async {
            // Later changes of a menu expect what the earlier ones leave.
            let mut menus = BTreeSet::new();
            for step in job.steps_of(&part.device_id) {
                let (_, operation) = step_of(job, plan, step.layout.step_id).ok()?;
                if !menus.insert(operation.expect_before.menu.as_str()) {
                    continue;
                }
                let seen = self.look(&part.device_id, operation).await.ok()?;
                if !seen.matches(&operation.expect_before) || !seen.is_of(&operation.action) {
                    return Some(part.device_id.clone());
                }
            }
            None
        });
        let compares: Vec<_> = compares.collect();
        let differing: Vec<DeviceId> = futures_util::stream::iter(compares)
            .buffered(DEVICES_AT_ONCE_MAX)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if let Some(device_id) = differing.into_iter().next() {
            return self.say_stale(job, device_id).await;
        }
        self.set_status(job.job_id, JobStatus::Running, reason).await
    }

    /// One look at the devices of a wave: all of them before it, those that were written to after it.
    pub(super) async fn sample(
        &self,
        job: &JobState,
        plan: &Plan,
        wave: WaveNo,
        sample: u8,
    ) -> Result<Went, Failure> {
        let Some(policy) = &plan.rollout.gate else { return Ok(Went::On) };
        let index = usize::try_from(wave.0).unwrap_or(usize::MAX).saturating_sub(1);
        let parts = plan.waves.get(index).map(Vec::as_slice).unwrap_or_default();
        let meant = |device_id: &&DeviceId| {
            !job.skipped.contains(*device_id)
                && (sample == 0 || job.steps_of(device_id).any(StepState::is_on_router))
        };
        let devices: Vec<&DeviceId> = parts.iter().map(|part| &part.device_id).filter(meant).collect();
        if sample > 0 {
            // A rule that cuts us off may spare the connection that was there before it.
            let held = parts.iter().filter(|part| part.dead_man.is_some()).map(|part| &part.device_id);
            held.filter(|device_id| devices.contains(device_id))
                .for_each(|device_id| self.reader.renew(device_id));
        }
        let settled_at = job.wave(wave).and_then(|wave| wave.settled_at);
        let waited_s =
            settled_at.map_or(0, |settled| self.desk.now().micros_since(settled).max(0) / 1_000_000);
        let last = sample == SOAK_SAMPLES;
        let first = job.wave(wave).and_then(|wave| wave.samples.first());
        let looks: Vec<_> = devices
            .into_iter()
            .map(|device_id| {
                let sensor = first.is_none_or(|first| {
                    let before = first.iter().find(|s| s.device_id == *device_id).and_then(|s| s.vitals);
                    before.is_some_and(|vitals| vitals.temperature_celsius.is_some())
                });
                self.look_at(plan, device_id, policy, sample, sensor)
            })
            .collect();
        events::crash::point("gate.before_look");
        let looked: Vec<Option<(GateSample, bool)>> =
            futures_util::stream::iter(looks).buffered(DEVICES_AT_ONCE_MAX).collect().await;
        events::crash::point("gate.after_look");
        // What keeps us from looking is no fault of a router.
        let Some(looked) = looked.into_iter().collect::<Option<Vec<_>>>() else {
            return Ok(Went::Later(LOOK_LATER));
        };
        let unsynchronised = looked.iter().any(|(_, synchronised)| !synchronised);
        if policy.ntp && last && unsynchronised && waited_s < NTP_PATIENCE_S {
            return Ok(Went::Later(NTP_EVERY));
        }
        let noted = |(mut seen, synchronised): (GateSample, bool)| {
            if policy.ntp && last && !synchronised {
                seen.notes.push("its clock is not synchronised yet".to_owned());
            }
            seen
        };
        let devices = looked.into_iter().map(noted).collect();
        events::crash::point("gate.before_record");
        self.submit(Command::RecordGate { job_id: job.job_id, wave, sample, devices }).await?;
        events::crash::point("gate.after_record");
        Ok(Went::On)
    }

    /// A device's figures and probes, and whether its clock is synchronised; nothing when we could not ask it.
    async fn look_at(
        &self,
        plan: &Plan,
        device_id: &DeviceId,
        policy: &GatePolicy,
        sample: u8,
        sensor: bool,
    ) -> Option<(GateSample, bool)> {
        let mut seen =
            GateSample { device_id: device_id.clone(), vitals: None, problem: None, notes: Vec::new() };
        let vitals = self.vitals(device_id, sensor).await;
        if !self.is_that_box(plan, device_id) {
            seen.problem = Some(Code::PlanStale.as_str().to_owned());
            return Some((seen, true));
        }
        match vitals {
            Ok(vitals) => seen.vitals = Some(vitals),
            Err(error) if is_ours(&error) => return None,
            Err(error) => {
                seen.problem = Some(error.into_failure(device_id).code.as_str().to_owned());
                return Some((seen, true));
            }
        }
        if sample == 0 {
            return Some((seen, true));
        }
        let resolving = async {
            match &policy.resolve {
                Some(name) => self.resolves(device_id, name).await,
                None => Ok(()),
            }
        };
        let synchronising =
            async { !policy.ntp || sample < SOAK_SAMPLES || self.is_synchronised(device_id).await };
        // One request at a time a router user: the lane puts them in a row.
        let (resolved, synchronised) = futures_util::join!(resolving, synchronising);
        seen.problem = resolved.err().map(str::to_owned);
        Some((seen, synchronised))
    }

    async fn read(&self, device_id: &DeviceId, ask: Ask) -> Result<Reply, RouterError> {
        self.reader.read(device_id, ask, Priority::Job, READ_WITHIN).await
    }

    async fn vitals(&self, device_id: &DeviceId, sensor: bool) -> Result<Vitals, RouterError> {
        let mut tries = 1;
        let figures = loop {
            let read = self.read(device_id, Ask::print(SystemResource::MENU)).await;
            match read.and_then(|reply| SystemResource::one(&reply)).and_then(|resource| figures(&resource)) {
                Ok(figures) => break figures,
                Err(error) if tries >= TRIES || is_ours(&error) => return Err(error),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        };
        let mut temperature_celsius = None;
        if sensor {
            // A board without sensors has nothing to say, which is no fault.
            let read = self.read(device_id, Ask::print(Sensor::MENU)).await;
            let sensors = read.and_then(|reply| Sensor::all(&reply)).unwrap_or_default();
            temperature_celsius = hottest(&sensors).map(celsius);
        }
        Ok(Vitals { temperature_celsius, ..figures })
    }

    /// Whether a router resolves a name with the servers that it has now.
    async fn resolves(&self, device_id: &DeviceId, name: &str) -> Result<(), &'static str> {
        let script = format!(":put [:resolve {}]", crate::changes::dead_man::quoted(name));
        let ask = Ask::Command {
            menu: "/".to_owned(),
            command: "execute".to_owned(),
            arguments: vec![("script".into(), script), ("as-string".into(), "yes".into())],
        };
        match self.read(device_id, ask).await {
            Ok(reply) if reply.ret.as_deref().is_some_and(is_address) => Ok(()),
            Ok(_) => Err("not_resolved"),
            Err(_) => Err("probe_failed"),
        }
    }

    async fn is_synchronised(&self, device_id: &DeviceId) -> bool {
        let read = self.read(device_id, Ask::print(NtpClient::MENU)).await;
        let client = read.and_then(|reply| NtpClient::one(&reply));
        client.is_ok_and(|client| client.status.expose() == "synchronized")
    }
}

fn is_address(text: &str) -> bool {
    text.trim()
        .split([',', ';', ' ', '\r', '\n'])
        .next()
        .is_some_and(|first| first.parse::<std::net::IpAddr>().is_ok())
}

/// The figures of a reading. One that a router does not tell is not 0: such a reading is none.
fn figures(resource: &SystemResource) -> Result<Vitals, RouterError> {
    let without = |property| Garble::Without { menu: SystemResource::MENU, property };
    let load = resource.cpu_load.ok_or_else(|| without("cpu-load"))?;
    let memory = resource.memory_percent().ok_or_else(|| without("free-memory"))?;
    let disk = resource.disk_percent().ok_or_else(|| without("free-hdd-space"))?;
    let uptime = resource.uptime.ok_or_else(|| without("uptime"))?;
    Ok(Vitals {
        cpu_percent: u8::try_from(load.min(100)).unwrap_or(100),
        memory_percent: percent(memory),
        disk_percent: percent(disk),
        temperature_celsius: None,
        uptime_seconds: uptime.as_secs(),
    })
}

/// Whole percent, cut: a limit is reached when it is reached.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0–100")]
fn percent(value: f64) -> u8 {
    value.clamp(0.0, 100.0) as u8
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to what a sensor can show")]
fn celsius(value: f64) -> i16 {
    value.clamp(-200.0, 1000.0) as i16
}
