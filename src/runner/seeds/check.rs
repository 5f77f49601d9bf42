//! Checks every fact and every request when it comes. It folds the facts by itself and asks the product nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use events::{
    event::{Envelope, Event},
    gate::{DeadManSettled, DeadManStarted, DeadManStatus, GateSample, GateSampled},
    ids::{DeviceId, JobId, PlanId, Seq, StepId},
    job::{
        Direction, JobStarted, JobStatus, JobStatusChanged, StepLayout, StepSettled, StepStarted, StepStatus,
    },
    operation::{Action, Operation},
    plan::{DevicePart, Plan},
    ticket::Ticket,
};

use tokio::time::Instant;

use crate::{
    routeros::port::Row,
    runner::seeds::router::{Router, is_as, shows_timer},
};

/// A job that changes its state more often in a virtual hour goes to and fro.
const CHANGES_AN_HOUR_MAX: usize = 60;
/// Writes of one job on their way at the same time.
const IN_FLIGHT_MAX: i32 = 16;

#[derive(Debug, Clone)]
pub(super) struct StepView {
    pub layout: StepLayout,
    pub status: StepStatus,
    pub undo: bool,
    pub attempts: u32,
}

impl StepView {
    const fn is_unsettled(&self) -> bool {
        matches!(self.status, StepStatus::Started | StepStatus::InDoubt)
    }

    const fn is_on_router(&self) -> bool {
        matches!(self.status, StepStatus::Applied | StepStatus::Held)
    }
}

#[derive(Debug, Clone, Default)]
struct GateView {
    looks: Vec<Vec<GateSample>>,
    passed: Option<bool>,
    accepted: bool,
}

impl GateView {
    /// A gate that failed, and a look before the wave that failed, are looked at anew.
    fn look_again(&mut self) {
        if self.passed == Some(true) || self.accepted {
            return;
        }
        let unread = self.looks.first().is_some_and(|look| look.iter().any(|s| s.problem.is_some()));
        let begun = self.looks.len() > 1 || self.passed.is_some();
        self.looks.truncate(usize::from(!unread || begun));
        self.passed = None;
    }
}

#[derive(Debug, Clone)]
pub(super) struct JobView {
    pub plan: Plan,
    pub status: JobStatus,
    pub steps: Vec<StepView>,
    gates: Vec<GateView>,
    pub timers: BTreeMap<DeviceId, DeadManStatus>,
    pub skipped: BTreeSet<DeviceId>,
    cancelled: bool,
    rolled_back: bool,
}

impl JobView {
    fn of(&self, device_id: &DeviceId) -> impl Iterator<Item = &StepView> {
        self.steps.iter().filter(move |step| step.layout.device_id == *device_id)
    }

    fn part(&self, device_id: &DeviceId) -> &DevicePart {
        self.plan
            .waves
            .iter()
            .flatten()
            .find(|part| part.device_id == *device_id)
            .expect("a device of the plan")
    }

    pub(super) fn operation(&self, layout: &StepLayout) -> &Operation {
        &self.part(&layout.device_id).operations[layout.operation as usize]
    }

    fn others<'a>(&'a self, device_id: &'a DeviceId) -> impl Iterator<Item = &'a StepView> {
        self.steps.iter().filter(move |step| {
            step.layout.device_id != *device_id && !self.skipped.contains(&step.layout.device_id)
        })
    }

    fn timer_is_live(&self, device_id: &DeviceId) -> bool {
        use DeadManStatus::{Armed, Arming, Disarming, InDoubt};
        self.timers
            .get(device_id)
            .is_some_and(|status| matches!(status, Armed | Arming | Disarming | InDoubt))
    }
}

/// What was sent to a device last, and what was read since.
#[derive(Debug, Default)]
struct Known {
    sent_at: u64,
    /// The last request certainly never left.
    unsent: bool,
    reads: BTreeMap<String, (u64, Vec<Row>)>,
}

/// How a story went, in figures.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures(pub BTreeMap<String, u64>);

impl Figures {
    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(super) fn add_many(&mut self, what: &str, many: u64) {
        *self.0.entry(what.to_owned()).or_default() += many;
    }

    pub(super) fn add(&mut self, other: Self) {
        for (what, many) in other.0 {
            *self.0.entry(what).or_default() += many;
        }
    }
}

#[derive(Default)]
pub(super) struct Checker {
    plans: BTreeMap<PlanId, Plan>,
    pub jobs: BTreeMap<JobId, JobView>,
    intents: BTreeMap<Seq, (DeviceId, String, bool)>,
    open: BTreeMap<DeviceId, String>,
    known: BTreeMap<DeviceId, Known>,
    clock: u64,
    pub in_flight: i32,
    pub faults: Vec<String>,
    pub figures: Figures,
    pub events: u64,
    /// When the job changed its state, in the last hour.
    changes: Vec<Instant>,
}

impl Checker {
    pub(super) fn fault(&mut self, why: String) {
        self.faults.push(why);
    }

    fn must(&mut self, holds: bool, why: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(why());
        }
    }

    /// A new process has read nothing yet.
    pub(super) fn forget_readings(&mut self) {
        self.known.values_mut().for_each(|known| known.reads.clear());
    }

    pub(super) fn read(&mut self, device_id: &DeviceId, menu: &str, rows: &[Row]) {
        self.clock += 1;
        let known = self.known.entry(device_id.clone()).or_default();
        known.reads.insert(menu.to_owned(), (self.clock, rows.to_vec()));
    }

    /// A request goes out.
    pub(super) fn sent(&mut self, ticket: &Ticket, action: &Action, digest: &str) {
        self.clock += 1;
        self.in_flight += 1;
        self.figures.count("writes");
        let clock = self.clock;
        let known = self.known.entry(ticket.device_id().clone()).or_default();
        (known.sent_at, known.unsent) = (clock, false);
        let many = self.in_flight;
        self.must(many <= IN_FLIGHT_MAX, || format!("{many} writes on their way at the same time"));
        let intent = self.intents.get_mut(&ticket.seq()).map(|intent| {
            let twice = std::mem::replace(&mut intent.2, true);
            (intent.0.clone(), intent.1.clone(), twice)
        });
        let Some((device_id, sha256, twice)) = intent else {
            return self.fault(format!("a write without a durable intent: {action:?}"));
        };
        self.must(!twice, || format!("{device_id}: one intent was sent twice"));
        self.must(device_id == *ticket.device_id() && sha256 == digest, || {
            format!("{device_id}: what is sent is not what its intent says: {action:?}")
        });
        let planned = self.planned(ticket, action);
        self.must(planned, || format!("{device_id}: what is sent is not in the plan: {action:?}"));
    }

    /// The last request to this device certainly never left.
    pub(super) fn sent_nothing(&mut self, ticket: &Ticket) {
        self.known.entry(ticket.device_id().clone()).or_default().unsent = true;
    }

    fn planned(&self, ticket: &Ticket, action: &Action) -> bool {
        let Some(job) = self.jobs.get(&ticket.job_id()) else { return false };
        let Some(step_id) = ticket.step_id() else {
            let dead_man = job.part(ticket.device_id()).dead_man.as_ref();
            return dead_man.is_some_and(|dead_man| match action {
                Action::Remove { menu, .. } => *menu == dead_man.menu,
                arm => *arm == dead_man.arm,
            });
        };
        let Some(step) = job.steps.iter().find(|step| step.layout.step_id == step_id) else { return false };
        let operation = job.operation(&step.layout);
        let planned = if ticket.is_undo() { &operation.undo[0] } else { &operation.action };
        let id = match action {
            Action::Set { id, .. } | Action::Remove { id, .. } => id.clone(),
            Action::Command { properties, .. } => properties
                .iter()
                .find(|(name, _)| name == "numbers")
                .map(|(_, id)| id.clone())
                .unwrap_or_default(),
            _ => String::new(),
        };
        planned.on_found(&id) == *action
    }

    /// What was read of a menu after everything that was sent.
    fn fresh(&self, device_id: &DeviceId, menu: &str) -> Option<&[Row]> {
        let known = self.known.get(device_id)?;
        known.reads.get(menu).filter(|(at, _)| *at > known.sent_at).map(|(_, rows)| rows.as_slice())
    }

    pub(super) fn take(&mut self, envelope: &Envelope, routers: &BTreeMap<DeviceId, Router>) {
        self.events += 1;
        match &envelope.event {
            Event::PlanProposed(e) => {
                self.plans.insert(e.plan.plan_id, e.plan.clone());
            }
            Event::JobStarted(e) => self.job_started(e),
            Event::StepStarted(e) => {
                self.intents.insert(envelope.seq, (e.device_id.clone(), e.operation_sha256.clone(), false));
                self.step_started(e);
            }
            Event::StepSettled(e) => self.step_settled(e, routers),
            Event::GateSampled(e) => self.looked(e),
            Event::GateJudged(e) => self.judged(e.job_id, e.wave.0, e.passed),
            Event::DeadManStarted(e) => {
                self.intents.insert(envelope.seq, (e.device_id.clone(), e.operation_sha256.clone(), false));
                self.timer_started(e);
            }
            Event::DeadManSettled(e) => self.timer_settled(e),
            Event::JobStatusChanged(e) => self.job_changed(e),
            Event::JobCancelRequested(e) => {
                if let Some(job) = self.jobs.get_mut(&e.job_id) {
                    job.cancelled = true;
                }
            }
            Event::JobDirected(e) => self.directed(e.job_id, &e.direction),
            _ => {}
        }
    }

    fn job_started(&mut self, e: &JobStarted) {
        let plan = self.plans[&e.plan_id].clone();
        let held = self.jobs.values().find(|job| {
            !job.status.is_over()
                && job.steps.iter().any(|s| e.steps.iter().any(|n| n.device_id == s.layout.device_id))
        });
        let free = held.is_none();
        self.must(free, || "a job started on a device that another one holds".to_owned());
        let fresh = |layout: &StepLayout| StepView {
            layout: layout.clone(),
            status: StepStatus::Waiting,
            undo: false,
            attempts: 0,
        };
        let job = JobView {
            status: JobStatus::Pending,
            steps: e.steps.iter().map(fresh).collect(),
            gates: vec![GateView::default(); plan.waves.len()],
            timers: BTreeMap::new(),
            skipped: BTreeSet::new(),
            cancelled: false,
            rolled_back: false,
            plan,
        };
        self.jobs.insert(e.job_id, job);
    }

    fn step_started(&mut self, e: &StepStarted) {
        let earlier = self.open.insert(e.device_id.clone(), format!("{} of {}", e.step_id, e.job_id));
        self.must(earlier.is_none(), || {
            format!("{}: a second intent while {} is unsettled", e.device_id, earlier.unwrap_or_default())
        });
        let Some(job) = self.jobs.get(&e.job_id) else {
            return self.fault("an intent of no job".to_owned());
        };
        let why = match e.undo {
            false => why_not_forward(job, e),
            true => why_not_back(job, e),
        };
        self.faults.extend(why.map(|why| format!("{}: an intent {why}", e.device_id)));
        self.change(e.job_id, e.step_id, |step| {
            (step.status, step.undo, step.attempts) = (StepStatus::Started, e.undo, step.attempts + 1);
        });
        let job = self.jobs.get_mut(&e.job_id).filter(|_| !e.undo);
        let Some(job) = job else { return };
        let wave = job.of(&e.device_id).next().map_or(0, |step| step.layout.wave.0 as usize - 1);
        // What is written after a verdict needs another one.
        let gate = &mut job.gates[wave];
        (gate.passed, gate.accepted) = (None, false);
        gate.looks.truncate(1);
    }

    fn change(&mut self, job_id: JobId, step_id: StepId, with: impl FnOnce(&mut StepView)) {
        let job = self.jobs.get_mut(&job_id);
        if let Some(step) = job.and_then(|job| job.steps.iter_mut().find(|s| s.layout.step_id == step_id)) {
            with(step);
        }
    }

    fn step_settled(&mut self, e: &StepSettled, routers: &BTreeMap<DeviceId, Router>) {
        use StepStatus::{Applied, Diverged, Held, InDoubt, NotApplied, Refused, RevertedByRouter, Undone};
        let Some(job) = self.jobs.get(&e.job_id) else { return };
        let Some(step) = job.steps.iter().find(|step| step.layout.step_id == e.step_id).cloned() else {
            return;
        };
        let operation = job.operation(&step.layout).clone();
        let guarded = job.timer_is_live(&e.device_id);
        let told = format!("{}: {:?} after {:?}", e.device_id, e.status, step.status);
        let rows = self.fresh(&e.device_id, &operation.expect_after.menu).map(<[Row]>::to_vec);
        let unsent = self.known.get(&e.device_id).is_some_and(|known| known.unsent);
        let shows = |expected| rows.as_ref().is_some_and(|rows| is_as(rows, expected));
        let proven = match e.status {
            InDoubt => true,
            Applied if step.undo => unsent || shows(&operation.expect_after),
            Applied | Held => shows(&operation.expect_after),
            Undone | RevertedByRouter => shows(&operation.expect_before),
            // It could not be begun.
            NotApplied if !step.is_unsettled() => true,
            NotApplied | Refused => unsent || shows(&operation.expect_before),
            Diverged => rows.is_some(),
            StepStatus::Waiting | StepStatus::Started => false,
        };
        self.must(proven, || format!("{told}: what is claimed was not read: {rows:?}"));
        if step.status == Held && e.status == Applied {
            self.must(!guarded, || format!("{told}: its timed undo is still armed"));
        }
        if e.status == Applied && !step.undo {
            let waits = routers[&e.device_id].timers.iter().any(|timer| timer.due > Instant::now());
            self.must(!waits, || format!("{told}: confirmed, and a timed undo still waits on the router"));
            self.must(!guarded, || format!("{told}: confirmed under an armed timed undo"));
        }
        if e.status != InDoubt {
            self.open.remove(&e.device_id);
        }
        self.figures.count(format!("step {:?}", e.status));
        self.change(e.job_id, e.step_id, |step| step.status = e.status);
    }

    fn looked(&mut self, e: &GateSampled) {
        let gate = self.jobs.get_mut(&e.job_id).and_then(|job| job.gates.get_mut(e.wave.0 as usize - 1));
        if let Some(gate) = gate {
            gate.looks.push(e.devices.clone());
        }
    }

    /// Judged once more, by other words: a device that is lost, or twice too busy and was not before.
    fn judged(&mut self, job_id: JobId, wave: u32, passed: bool) {
        let Some(gate) = self.jobs.get_mut(&job_id).and_then(|job| job.gates.get_mut(wave as usize - 1))
        else {
            return;
        };
        gate.passed = Some(passed);
        let busy = |sample: &GateSample| sample.vitals.is_some_and(|vitals| vitals.cpu_percent >= 80);
        let (before, after) = gate.looks.split_at(1.min(gate.looks.len()));
        let was_busy = |id: &DeviceId| before.iter().flatten().any(|s| s.device_id == *id && busy(s));
        let mut worse: BTreeMap<&DeviceId, u32> = BTreeMap::new();
        let mut lost = false;
        for sample in after.iter().flatten() {
            lost |= sample.vitals.is_none();
            *worse.entry(&sample.device_id).or_default() += u32::from(busy(sample));
        }
        let bad = lost || worse.iter().any(|(id, times)| *times >= 2 && !was_busy(id));
        self.figures.count(format!("gate passed: {passed}"));
        self.must(!(passed && bad), || format!("the gate passed of wave {wave}, which is not well"));
    }

    fn timer_started(&mut self, e: &DeadManStarted) {
        let earlier = self.open.insert(e.device_id.clone(), format!("a timed undo of {}", e.job_id));
        self.must(earlier.is_none(), || {
            format!("{}: a second intent while {} is unsettled", e.device_id, earlier.unwrap_or_default())
        });
        let Some(job) = self.jobs.get_mut(&e.job_id) else { return };
        let status = if e.disarm { DeadManStatus::Disarming } else { DeadManStatus::Arming };
        job.timers.insert(e.device_id.clone(), status);
        // It undoes everything of the device, also what was confirmed before.
        let mine = |step: &&mut StepView| step.layout.device_id == e.device_id && step.is_on_router();
        let steps = job.steps.iter_mut().filter(mine).filter(|_| !e.disarm);
        steps.for_each(|step| step.status = StepStatus::Held);
        let held = job.of(&e.device_id).any(|step| step.status == StepStatus::Held);
        let wave = job.of(&e.device_id).next().map_or(0, |step| step.layout.wave.0 as usize - 1);
        let gate = &job.gates[wave];
        let judged = gate.passed == Some(true) || gate.accepted || job.plan.rollout.gate.is_none();
        let legal = !e.disarm || !held || judged || job.rolled_back;
        let reason = format!("{}: disarmed before the gate of its wave passed", e.device_id);
        self.must(legal, || reason);
    }

    fn timer_settled(&mut self, e: &DeadManSettled) {
        use DeadManStatus::{Armed, Arming, Disarmed, Disarming, InDoubt, Lapsed, NotArmed};
        let Some(job) = self.jobs.get(&e.job_id) else { return };
        let dead_man = job.part(&e.device_id).dead_man.clone().expect("a timed undo of the plan");
        let rows = self.fresh(&e.device_id, &dead_man.menu).map(<[Row]>::to_vec);
        let unsent = self.known.get(&e.device_id).is_some_and(|known| known.unsent);
        let there = rows.as_ref().map(|rows| shows_timer(rows, &dead_man));
        let proven = match e.status {
            Armed => there == Some(true),
            NotArmed => unsent || there == Some(false),
            Disarmed => there == Some(false),
            // Told by the clock, which may be wrong: steps under it are not believed before it is gone.
            Lapsed | InDoubt | Arming | Disarming => true,
        };
        self.must(proven, || {
            format!(
                "{}: its timed undo is said to be {:?}, which was not read: {rows:?}",
                e.device_id, e.status
            )
        });
        if e.status != InDoubt {
            self.open.remove(&e.device_id);
        }
        self.figures.count(format!("timed undo {:?}", e.status));
        if let Some(job) = self.jobs.get_mut(&e.job_id) {
            job.timers.insert(e.device_id.clone(), e.status);
        }
    }

    fn job_changed(&mut self, e: &JobStatusChanged) {
        let Some(job) = self.jobs.get_mut(&e.job_id) else { return };
        job.status = e.status;
        job.rolled_back |= e.status == JobStatus::RollingBack;
        let job = job.clone();
        self.figures.count(format!("job {:?}", e.status));
        self.changes.retain(|at| at.elapsed() < Duration::from_secs(3600));
        self.changes.push(Instant::now());
        let many = self.changes.len();
        self.must(many <= CHANGES_AN_HOUR_MAX, || format!("{many} changes of state in an hour: to and fro"));
        let stands = matches!(e.status, JobStatus::Halted | JobStatus::Stuck);
        self.must(!stands || !e.reason.is_empty(), || "a job stands and does not say why".to_owned());
        if !e.status.is_over() {
            return;
        }
        let left: Vec<_> =
            job.steps.iter().filter(|step| !job.skipped.contains(&step.layout.device_id)).collect();
        let unsettled = left.iter().any(|step| step.is_unsettled() || step.status == StepStatus::Held);
        self.must(!unsettled, || format!("{:?} with an unsettled step", e.status));
        let armed = job.timers.keys().any(|id| !job.skipped.contains(id) && job.timer_is_live(id));
        self.must(!armed, || format!("{:?} with a timed undo that may run", e.status));
        let all = left.iter().all(|step| step.status == StepStatus::Applied);
        self.must(e.status != JobStatus::Completed || all, || {
            "completed, and not all steps are applied".to_owned()
        });
        let any = job
            .steps
            .iter()
            .find(|step| step.is_on_router() || step.is_unsettled() || step.status == StepStatus::Diverged);
        self.must(e.status != JobStatus::RolledBack || any.is_none(), || {
            format!("rolled back, and a step is not: {any:?}")
        });
        self.open.retain(|device_id, _| job.of(device_id).next().is_none());
    }

    fn directed(&mut self, job_id: JobId, direction: &Direction) {
        self.figures.count(match direction {
            Direction::Skip(_) => "directed Skip".to_owned(),
            other => format!("directed {other:?}"),
        });
        let Some(job) = self.jobs.get_mut(&job_id) else { return };
        match direction {
            Direction::Skip(device_id) => {
                job.skipped.insert(device_id.clone());
                self.open.remove(device_id);
                // Its wave is judged anew, without it.
                let wave = job.of(device_id).next().map(|step| step.layout.wave.0 as usize - 1);
                if let Some(gate) = wave.and_then(|wave| job.gates.get_mut(wave)) {
                    gate.look_again();
                }
            }
            Direction::Resume => {
                let failed = |gate: &&mut GateView| gate.passed == Some(false);
                job.gates.iter_mut().filter(failed).for_each(|gate| gate.accepted = true);
            }
            Direction::Retry => {
                job.gates.iter_mut().for_each(GateView::look_again);
                let skipped = job.skipped.clone();
                for step in job.steps.iter_mut().filter(|step| !skipped.contains(&step.layout.device_id)) {
                    if matches!(step.status, StepStatus::Refused | StepStatus::RevertedByRouter) {
                        step.status = StepStatus::NotApplied;
                    }
                }
            }
            Direction::RollBack => {}
        }
    }
}

/// Why a step may not be begun, if so.
fn why_not_forward(job: &JobView, e: &StepStarted) -> Option<&'static str> {
    let step = job.steps.iter().find(|step| step.layout.step_id == e.step_id)?;
    let wave = step.layout.wave.0 as usize - 1;
    let gated = job.plan.rollout.gate.is_some();
    let reverses = !job.plan.undoes.is_empty();
    let failed = |step: &StepView| matches!(step.status, StepStatus::Refused | StepStatus::RevertedByRouter);
    let done = |step: &&StepView| step.status == StepStatus::Applied;
    for (number, gate) in job.gates.iter().enumerate().take(wave) {
        let of_wave: Vec<_> = job
            .steps
            .iter()
            .filter(|s| s.layout.wave.0 as usize - 1 == number && !job.skipped.contains(&s.layout.device_id))
            .collect();
        let finished = of_wave.iter().all(|s| {
            let over = |s: &StepView| failed(s) || s.status == StepStatus::NotApplied;
            done(s)
                || (reverses && !s.is_unsettled() && job.of(&s.layout.device_id).any(over))
                || (reverses && s.attempts == 0)
        });
        if !finished {
            return Some("of a later wave before the earlier one is done");
        }
        let passed = gate.passed == Some(true) || gate.accepted;
        if gated && of_wave.iter().any(done) && !passed {
            return Some("of a later wave before the gate of an earlier one passed");
        }
    }
    if job.gates.iter().any(|gate| gate.passed == Some(false) && !gate.accepted) {
        return Some("after a gate that failed");
    }
    if gated && job.gates[wave].looks.is_empty() {
        return Some("before the first look at its wave");
    }
    if job.status != JobStatus::Running || job.rolled_back {
        return Some("of a job that does not run");
    }
    if job.skipped.contains(&e.device_id) {
        return Some("on a device that was left out");
    }
    let begun = job.timers.contains_key(&e.device_id) || job.of(&e.device_id).any(|s| s.attempts > 0);
    if job.cancelled && !begun {
        return Some("on a new device after a wish to cancel");
    }
    if !reverses && job.others(&e.device_id).any(failed) {
        return Some("after a step on another device failed");
    }
    if job.others(&e.device_id).any(|s| matches!(s.status, StepStatus::InDoubt | StepStatus::Diverged)) {
        return Some("while another device is in doubt");
    }
    let earlier =
        job.of(&e.device_id).take_while(|s| s.layout.step_id != e.step_id).all(StepView::is_on_router);
    if !earlier {
        return Some("before the earlier steps of its device");
    }
    let armed = job.timers.get(&e.device_id) == Some(&DeadManStatus::Armed);
    if job.part(&e.device_id).dead_man.is_some() && !armed {
        return Some("of a risky change without an armed undo");
    }
    None
}

/// Why an undo may not be begun, if so.
fn why_not_back(job: &JobView, e: &StepStarted) -> Option<&'static str> {
    let step = job.steps.iter().find(|step| step.layout.step_id == e.step_id)?;
    let later = job.of(&e.device_id).skip_while(|s| s.layout.step_id != e.step_id).skip(1);
    if job.status != JobStatus::RollingBack {
        return Some("to undo in a job that does not roll back");
    }
    if step.status != StepStatus::Applied {
        return Some("to undo what is not applied");
    }
    if later.into_iter().any(|s| s.is_on_router() || s.is_unsettled()) {
        return Some("to undo before the later steps of its device");
    }
    if job.timer_is_live(&e.device_id) {
        return Some("to undo under a live timed undo");
    }
    if job.skipped.contains(&e.device_id) {
        return Some("to undo on a device that was left out");
    }
    None
}
