//! Looks at gates once more, by other words than the rules: who was looked at, when, and what it means.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use events::{
    gate::{GateSample, GateSampled, Vitals},
    ids::{DeviceId, JobId},
    plan::GatePolicy,
};
use tokio::time::Instant;

use crate::runner::seeds::check::{Checker, JobView, StepView};

/// Looks at a wave whose devices answer: one before it and three after it.
const LOOKS: usize = 4;
/// A router that is up for less than this was just booted.
const YOUNG_S: u64 = 60;
/// Moments are counted in whole parts of a second.
const SLACK: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Default)]
pub(super) struct GateView {
    pub looks: Vec<Vec<GateSample>>,
    pub passed: Option<bool>,
    pub accepted: bool,
    /// When the last step of its wave was settled.
    pub settled: Option<Instant>,
    judged: Option<Instant>,
    /// A person had it looked at again: what booted before is known.
    again: bool,
}

impl GateView {
    /// The next wave may follow.
    pub(super) fn is_open(&self) -> bool {
        self.passed == Some(true) || self.accepted
    }

    /// What is written after a verdict needs another one.
    pub(super) fn anew(&mut self) {
        (self.passed, self.accepted, self.judged) = (None, false, None);
        self.looks.truncate(1);
    }

    /// A gate that failed, and a look before the wave that failed, are looked at anew.
    pub(super) fn look_again(&mut self) {
        if self.is_open() {
            return;
        }
        let unread = self.looks.first().is_some_and(|look| look.iter().any(|s| s.problem.is_some()));
        self.looks.truncate(usize::from(!unread || self.settled.is_some()));
        (self.passed, self.judged) = (None, None);
        self.again |= !self.looks.is_empty();
        self.settled = self.settled.map(|_| Instant::now());
    }

    /// How long nothing was done to its wave, if it was written to.
    pub(super) fn rested(&self) -> Option<Duration> {
        self.judged.or(self.settled).map(|since| since.elapsed() + SLACK)
    }
}

fn figures(vitals: Vitals, policy: &GatePolicy) -> [(&'static str, bool); 4] {
    [
        ("CPU", vitals.cpu_percent >= policy.cpu_percent),
        ("memory", vitals.memory_percent >= policy.memory_percent),
        ("disk", vitals.disk_percent >= policy.disk_percent),
        ("heat", vitals.temperature_celsius.is_some_and(|c| c >= i16::from(policy.temperature_celsius))),
    ]
}

/// What is not well: a device that is lost, that booted meanwhile or just before, that fails its probes twice, or that
/// twice shows a figure beyond its limit and did not before.
fn trouble(policy: &GatePolicy, looks: &[Vec<GateSample>], again: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Some((before, after)) = looks.split_first() else { return found };
    let first: BTreeMap<&DeviceId, Vitals> =
        before.iter().filter_map(|s| Some((&s.device_id, s.vitals?))).collect();
    let mut times: BTreeMap<(&DeviceId, &str), u32> = BTreeMap::new();
    let mut up: BTreeMap<&DeviceId, u64> = BTreeMap::new();
    if !again {
        up.extend(first.iter().map(|(id, vitals)| (*id, vitals.uptime_seconds)));
    }
    for sample in after.iter().flatten() {
        let id = &sample.device_id;
        let Some(vitals) = sample.vitals else {
            found.insert(format!("{id} is lost"));
            continue;
        };
        let was = first.get(id);
        let earlier = up.insert(id, vitals.uptime_seconds);
        let young = !again && vitals.uptime_seconds < YOUNG_S;
        if young || earlier.is_some_and(|earlier| vitals.uptime_seconds < earlier) {
            found.insert(format!("{id}: it booted"));
        }
        if sample.problem.is_some() {
            *times.entry((id, "probe")).or_default() += 1;
        }
        for (what, bad) in figures(vitals, policy) {
            let before = was.is_some_and(|was| figures(*was, policy).contains(&(what, true)));
            if bad && !before {
                *times.entry((id, what)).or_default() += 1;
            }
        }
    }
    let twice = times.into_iter().filter(|(_, times)| *times >= 2);
    found.extend(twice.map(|((id, what), _)| format!("{id}: {what}")));
    found
}

impl Checker {
    fn gate(&mut self, job_id: JobId, wave: u32) -> Option<&mut GateView> {
        self.jobs.get_mut(&job_id)?.gates.get_mut(wave as usize - 1)
    }

    pub(super) fn looked(&mut self, e: &GateSampled) {
        let (wave, number) = (e.wave.0, usize::from(e.sample));
        let Some(job) = self.jobs.get(&e.job_id).cloned() else { return };
        let gate = &job.gates[wave as usize - 1];
        let seen: BTreeSet<&DeviceId> = e.devices.iter().map(|sample| &sample.device_id).collect();
        let missed = meant(&job, wave, number == 0).find(|id| !seen.contains(id));
        self.must(number == gate.looks.len(), || format!("look {number} at wave {wave} is not the next one"));
        self.must(missed.is_none(), || format!("look {number} at wave {wave} leaves out {missed:?}"));
        let due = Duration::from_secs(job.plan.rollout.soak_seconds.into()) * u32::from(e.sample) / 3;
        let early = gate.settled.is_some_and(|at| at.elapsed() + SLACK < due) && number > 0;
        self.must(!early || self.clock_set, || format!("look {number} at wave {wave} comes before its time"));
        if let Some(gate) = self.gate(e.job_id, wave) {
            gate.looks.push(e.devices.clone());
        }
    }

    pub(super) fn judged(&mut self, job_id: JobId, wave: u32, passed: bool) {
        let Some(job) = self.jobs.get(&job_id) else { return };
        let (Some(policy), gate) = (job.plan.rollout.gate.clone(), job.gates[wave as usize - 1].clone())
        else {
            return self.fault("a gate was judged that its plan does not have".to_owned());
        };
        let bad = trouble(&policy, &gate.looks, gate.again);
        let many = gate.looks.len();
        let lost = bad.iter().any(|what| what.ends_with("is lost"));
        self.figures.count(format!("gate passed: {passed}"));
        for what in &bad {
            let what = what.split_once(' ').map_or("", |(_, what)| what);
            self.figures.count(format!("gate: {what}"));
        }
        self.must(lost || many == LOOKS, || format!("wave {wave} was judged after {many} looks"));
        let well = bad.is_empty();
        self.must(!passed || well, || format!("the gate passed of wave {wave}, which is not well: {bad:?}"));
        self.must(passed || !well, || format!("the gate failed of wave {wave}, which is well"));
        if let Some(gate) = self.gate(job_id, wave) {
            (gate.passed, gate.judged) = (Some(passed), Some(Instant::now()));
        }
    }
}

/// The devices that a look must see: all before the wave, after it those that have the change.
fn meant(job: &JobView, wave: u32, before: bool) -> impl Iterator<Item = &DeviceId> {
    let parts = &job.plan.waves[wave as usize - 1];
    let left = parts.iter().map(|part| &part.device_id).filter(|id| !job.skipped.contains(*id));
    left.filter(move |id| before || job.of(id).any(StepView::is_on_router))
}
