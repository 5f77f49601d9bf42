//! A job as agents and people see it: in short, wave by wave, device by device. Only what was read is claimed.

use std::collections::BTreeMap;

use events::{
    gate::{DeadManStatus, GateSample, Vitals},
    ids::{DeviceId, JobId, Moment, PlanId, WaveNo},
    job::{JobStatus, StepStatus},
    plan::{Plan, Rung},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    domain::{
        State,
        job::{JobState, StepState, part_of},
    },
    routeros::text::Untrusted,
    tools::plan::job_waits::{self, WaitsFor},
};

/// A wish that a job ends.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Cancel {
    requested_by: String,
    requested_at: Moment,
    reason: String,
}

/// A job in short.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Summary {
    pub(in crate::tools) job_id: JobId,
    plan_id: PlanId,
    pub(in crate::tools) status: JobStatus,
    /// 100 only once it is over.
    pub(in crate::tools) progress_percent: u8,
    current_device_id: Option<DeviceId>,
    /// The one that is worked on.
    wave: u32,
    wave_count: usize,
    device_count: usize,
    started_at: Moment,
    started_by: String,
    duration_s: f64,
    /// Why it stands there, when there is something to say.
    reason: String,
    /// Somebody wants it to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<Cancel>,
    /// What it waits for just now.
    waits_for: Option<WaitsFor>,
}

impl Summary {
    /// One line for people.
    pub(in crate::tools) fn say(&self) -> String {
        let waits =
            self.waits_for.as_ref().map_or_else(String::new, |waits| format!("; waits for {}", waits.say));
        format!("{} is {} at {} %{waits}", self.job_id, self.status.as_str(), self.progress_percent)
    }
}

/// The timed undo that a router keeps.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TimedUndo {
    status: DeadManStatus,
    rung: Option<Rung>,
    /// The router undoes by itself from then on, unless it is disarmed before.
    undoes_at: Option<Moment>,
    /// Our word for its failure.
    reason: Option<String>,
}

/// One device of a job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeviceState {
    device_id: DeviceId,
    wave: u32,
    /// Of the step that matters: the one in trouble, else the last one begun.
    status: StepStatus,
    /// Steps that the router has, as read.
    steps_applied: usize,
    steps: usize,
    attempts: u32,
    /// A person left it as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    skipped: bool,
    /// Our word for its failure.
    reason: Option<String>,
    /// RouterOS's own words.
    routeros: Untrusted,
    #[serde(skip_serializing_if = "Option::is_none")]
    timed_undo: Option<TimedUndo>,
}

/// Where a wave stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaveStatus {
    /// Not begun.
    Waiting,
    /// Its devices are written to.
    Running,
    /// Written; its devices are looked at.
    Soaking,
    /// Its gate passed.
    Passed,
    /// Its gate failed.
    Failed,
    /// Its gate failed, and a person let it pass.
    Accepted,
    /// Over, without a gate.
    Done,
}

/// What the looks at a device showed: before the wave, then after it; null where it could not be read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Looked {
    device_id: DeviceId,
    cpu_percent: Vec<Option<u8>>,
    memory_percent: Vec<Option<u8>>,
    disk_percent: Vec<Option<u8>>,
    temperature_celsius: Vec<Option<i16>>,
    /// Our word for what fails it whatever the figures.
    problem: Option<String>,
}

/// A wave of a job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WaveShown {
    wave: u32,
    status: WaveStatus,
    device_count: usize,
    /// Looks taken after the wave, of three.
    looks: usize,
    judged_at: Option<Moment>,
    /// Why its gate failed, or what should be known.
    reasons: Vec<String>,
    /// For the wave that is worked on, and one that failed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    gate: Vec<Looked>,
}

/// A job in full.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    #[serde(flatten)]
    pub(in crate::tools) summary: Summary,
    waves: Vec<WaveShown>,
    devices: Vec<DeviceState>,
}

/// A job in short, at a moment.
pub(in crate::tools) fn summary(state: &State, job: &JobState, plan: &Plan, at: Moment) -> Summary {
    let micros = job.ended_at.unwrap_or(at).micros_since(job.started_at);
    #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
    let duration_s = micros.max(0) as f64 / 1e6;
    let wave = job.current_wave(plan);
    Summary {
        job_id: job.job_id,
        plan_id: job.plan_id,
        status: job.status,
        progress_percent: job.progress_percent(),
        current_device_id: in_hand(job, wave).map(|step| step.layout.device_id.clone()),
        wave: wave.0,
        wave_count: plan.waves.len(),
        device_count: plan.waves.iter().map(Vec::len).sum(),
        started_at: job.started_at,
        started_by: format!("{} ({})", job.by.label, job.by.name),
        duration_s,
        reason: job.reason.clone(),
        cancel: job.cancel.as_ref().map(|wish| Cancel {
            requested_by: format!("{} ({})", wish.by.label, wish.by.name),
            requested_at: wish.at,
            reason: wish.reason.clone(),
        }),
        waits_for: job_waits::of(state, job, plan, at),
    }
}

/// The step that is worked on, or that comes next in its wave.
pub(in crate::tools) fn in_hand(job: &JobState, wave: WaveNo) -> Option<&StepState> {
    let mut steps = job.steps.iter().filter(|step| !job.skipped.contains(&step.layout.device_id));
    match job.status {
        JobStatus::Running => steps
            .clone()
            .find(|step| step.is_unsettled())
            .or_else(|| steps.find(|step| step.layout.wave == wave && step.is_open())),
        JobStatus::RollingBack => {
            let first = steps.clone().find(|step| step.is_unsettled());
            first.or_else(|| steps.rfind(|step| step.is_on_router()))
        }
        _ => None,
    }
}

/// A job in full, at a moment.
pub(in crate::tools) fn shown(state: &State, job: &JobState, plan: &Plan, at: Moment) -> Answer {
    let mut by_device: BTreeMap<&DeviceId, Vec<&StepState>> = BTreeMap::new();
    for step in &job.steps {
        by_device.entry(&step.layout.device_id).or_default().push(step);
    }
    let parts = plan.waves.iter().flatten();
    let devices = parts.filter_map(|part| device(job, plan, by_device.get(&part.device_id)?)).collect();
    let waves = (1u32..).map(WaveNo).zip(&plan.waves);
    let waves = waves.map(|(wave, parts)| shown_wave(job, plan, wave, parts.len())).collect();
    Answer { summary: summary(state, job, plan, at), waves, devices }
}

/// The step of a device that says most about it.
pub(in crate::tools) fn telling<'a>(job: &JobState, steps: &[&'a StepState]) -> Option<&'a StepState> {
    let first = |is: fn(&StepState) -> bool| steps.iter().copied().find(|step| is(step));
    first(|step| step.status == StepStatus::Diverged)
        .or_else(|| first(StepState::is_unsettled))
        .or_else(|| first(StepState::has_failed))
        .or_else(|| {
            let left = steps.iter().rev().copied().find(|step| step.is_on_router());
            left.filter(|_| job.rolling_back)
        })
        .or_else(|| steps.iter().rev().copied().find(|step| step.status != StepStatus::Waiting))
        .or_else(|| steps.first().copied())
}

/// Our word for why nothing was sent to a device of a wave before which it could not be read.
pub(in crate::tools) fn unread(job: &JobState, step: &StepState) -> Option<String> {
    let first = job.wave(step.layout.wave)?.samples.first()?;
    let look = first.iter().find(|look| look.device_id == step.layout.device_id)?;
    look.problem.clone().filter(|_| job.unread_before(step))
}

fn device(job: &JobState, plan: &Plan, steps: &[&StepState]) -> Option<DeviceState> {
    let step = telling(job, steps)?;
    let device_id = &step.layout.device_id;
    let timed_undo = job.dead_men.get(device_id).map(|man| TimedUndo {
        status: man.status,
        rung: part_of(plan, device_id).and_then(|part| part.dead_man.as_ref()).map(|dead_man| dead_man.rung),
        undoes_at: job.undoes_itself_at(plan, device_id),
        reason: man.code.clone(),
    });
    Some(DeviceState {
        device_id: device_id.clone(),
        wave: step.layout.wave.0,
        status: step.status,
        steps_applied: steps.iter().filter(|step| step.is_on_router()).count(),
        steps: steps.len(),
        attempts: step.attempts,
        skipped: job.skipped.contains(device_id),
        reason: step.code.clone().or_else(|| unread(job, step)),
        routeros: Untrusted::new(&step.detail),
        timed_undo,
    })
}

fn shown_wave(job: &JobState, plan: &Plan, number: WaveNo, device_count: usize) -> WaveShown {
    let state = job.wave(number);
    let judged = state.and_then(|wave| wave.judged.as_ref());
    let mut steps = job.steps.iter().filter(|step| step.layout.wave == number);
    let written = || {
        let mut own = steps.clone().filter(|step| !job.skipped.contains(&step.layout.device_id));
        own.all(StepState::is_on_router)
    };
    let status = match judged {
        Some(judged) if judged.passed => WaveStatus::Passed,
        Some(judged) if judged.accepted => WaveStatus::Accepted,
        Some(_) => WaveStatus::Failed,
        None if job.wave_is_done(plan, number) => WaveStatus::Done,
        None if plan.rollout.gate.is_some() && written() => WaveStatus::Soaking,
        None if steps.any(|step| step.status != StepStatus::Waiting) => WaveStatus::Running,
        None => WaveStatus::Waiting,
    };
    let samples = state.map(|wave| wave.samples.as_slice()).unwrap_or_default();
    let told = status == WaveStatus::Failed || number == job.current_wave(plan);
    WaveShown {
        wave: number.0,
        status,
        device_count,
        looks: samples.len().saturating_sub(1),
        judged_at: judged.map(|judged| judged.at),
        reasons: judged.map(|judged| judged.reasons.clone()).unwrap_or_default(),
        gate: if told { looked(samples) } else { Vec::new() },
    }
}

fn looked(samples: &[Vec<GateSample>]) -> Vec<Looked> {
    let mut devices: Vec<&DeviceId> = samples.iter().flatten().map(|sample| &sample.device_id).collect();
    devices.sort();
    devices.dedup();
    let of = |device_id: &DeviceId| {
        let seen: Vec<Option<&GateSample>> =
            samples.iter().map(|looks| looks.iter().find(|sample| sample.device_id == *device_id)).collect();
        let figure = |of: fn(&Vitals) -> u8| {
            seen.iter().map(|sample| sample.and_then(|sample| sample.vitals.as_ref()).map(of)).collect()
        };
        let warmth = |sample: &Option<&GateSample>| sample.and_then(|s| s.vitals?.temperature_celsius);
        let temperature_celsius: Vec<Option<i16>> = seen.iter().map(warmth).collect();
        Looked {
            device_id: device_id.clone(),
            cpu_percent: figure(|vitals| vitals.cpu_percent),
            memory_percent: figure(|vitals| vitals.memory_percent),
            disk_percent: figure(|vitals| vitals.disk_percent),
            temperature_celsius,
            problem: seen.iter().rev().find_map(|sample| sample.and_then(|sample| sample.problem.clone())),
        }
    };
    devices.into_iter().map(of).collect()
}
