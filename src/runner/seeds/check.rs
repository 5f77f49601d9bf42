//! Checks every fact and every request when it comes. It folds the facts by itself and asks the product nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use events::{
    event::{Envelope, Event},
    gate::{DeadManSettled, DeadManStarted, DeadManStatus},
    ids::{DeviceId, JobId, PlanId, Seq, StepId},
    job::{
        Direction, JobStarted, JobStatus, JobStatusChanged, StepLayout, StepSettled, StepStarted, StepStatus,
    },
    operation::{Action, Expectation, Operation},
    plan::{DevicePart, Plan},
    ticket::Ticket,
};

use tokio::time::Instant;

use crate::{
    routeros::port::Row,
    runner::seeds::{
        allowed::{why_not_back, why_not_forward},
        figures::Figures,
        router::{Router, is_as, is_ours, meant, shows_timer},
        spelled::digest,
        verdict::GateView,
    },
};

/// A job that changes its state more often in a virtual hour goes to and fro.
const CHANGES_AN_HOUR_MAX: usize = 60;
/// What is open in the name of a timed undo begins so.
const TIMER: &str = "a timed undo";
/// Writes of one job on their way at the same time.
const IN_FLIGHT_MAX: i32 = 16;

#[derive(Debug, Clone)]
pub(super) struct StepView {
    pub layout: StepLayout,
    pub status: StepStatus,
    pub undo: bool,
    pub attempts: u32,
    pub undo_tries: u32,
}

impl StepView {
    pub(super) const fn is_unsettled(&self) -> bool {
        matches!(self.status, StepStatus::Started | StepStatus::InDoubt)
    }

    pub(super) const fn is_on_router(&self) -> bool {
        matches!(self.status, StepStatus::Applied | StepStatus::Held)
    }
}

#[derive(Debug, Clone)]
pub(super) struct JobView {
    pub plan: Plan,
    pub status: JobStatus,
    pub steps: Vec<StepView>,
    pub gates: Vec<GateView>,
    pub timers: BTreeMap<DeviceId, DeadManStatus>,
    /// The id under which a timed undo was seen.
    ids: BTreeMap<DeviceId, String>,
    pub skipped: BTreeSet<DeviceId>,
    pub cancelled: bool,
    pub rolled_back: bool,
}

impl JobView {
    pub(super) fn of(&self, device_id: &DeviceId) -> impl Iterator<Item = &StepView> {
        self.steps.iter().filter(move |step| step.layout.device_id == *device_id)
    }

    pub(super) fn part(&self, device_id: &DeviceId) -> &DevicePart {
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

    pub(super) fn others<'a>(&'a self, device_id: &'a DeviceId) -> impl Iterator<Item = &'a StepView> {
        self.steps.iter().filter(move |step| {
            step.layout.device_id != *device_id && !self.skipped.contains(&step.layout.device_id)
        })
    }

    pub(super) fn timer_is_live(&self, device_id: &DeviceId) -> bool {
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

/// What an intent allows: one request.
struct Intent {
    device_id: DeviceId,
    step_id: Option<StepId>,
    sha256: String,
    sent: bool,
    settled: bool,
}

#[derive(Default)]
pub(super) struct Checker {
    plans: BTreeMap<PlanId, Plan>,
    pub jobs: BTreeMap<JobId, JobView>,
    intents: BTreeMap<Seq, Intent>,
    open: BTreeMap<DeviceId, String>,
    known: BTreeMap<DeviceId, Known>,
    clock: u64,
    in_flight: BTreeMap<JobId, i32>,
    /// Devices that did not answer, and of which nothing was told since.
    away: BTreeSet<DeviceId>,
    /// Devices that are other boxes now.
    other_boxes: BTreeSet<DeviceId>,
    /// Somebody set the clock: waits may be shorter.
    pub clock_set: bool,
    pub faults: Vec<String>,
    pub figures: Figures,
    pub events: u64,
    /// When jobs changed their state, in the last hour.
    changes: BTreeMap<JobId, Vec<Instant>>,
}

impl Checker {
    pub(super) fn fault(&mut self, why: String) {
        self.faults.push(why);
    }

    pub(super) fn must(&mut self, holds: bool, why: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(why());
        }
    }

    /// A new process has read nothing yet.
    pub(super) fn forget_readings(&mut self) {
        self.known.values_mut().for_each(|known| known.reads.clear());
    }

    /// A moment, in the order of what happens.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Somebody took an answer that the router gave at a moment.
    pub(super) fn read(&mut self, device_id: &DeviceId, menu: String, at: u64, rows: Vec<Row>) {
        let known = self.known.entry(device_id.clone()).or_default();
        let newest = known.reads.get(&menu).is_none_or(|(before, _)| *before < at);
        if newest {
            known.reads.insert(menu, (at, rows));
        }
    }

    pub(super) fn is_away(&mut self, device_id: &DeviceId) {
        self.away.insert(device_id.clone());
    }

    /// A deliberate mistake: its intent says what is sent, whatever that is.
    pub(super) fn excuse(&mut self, ticket: &Ticket, action: &Action) {
        if let Some(intent) = self.intents.get_mut(&ticket.seq()) {
            intent.sha256 = digest(action);
        }
    }

    pub(super) fn answered(&mut self, job_id: JobId) {
        *self.in_flight.entry(job_id).or_default() -= 1;
    }

    /// A request goes out.
    pub(super) fn sent(&mut self, ticket: &Ticket, action: &Action) {
        let sha256 = digest(action);
        let clock = self.tick();
        let in_flight = self.in_flight.entry(ticket.job_id()).or_default();
        *in_flight += 1;
        let many = *in_flight;
        self.figures.count("writes");
        let known = self.known.entry(ticket.device_id().clone()).or_default();
        (known.sent_at, known.unsent) = (clock, false);
        self.must(many <= IN_FLIGHT_MAX, || format!("{many} writes on their way at the same time"));
        let device_id = ticket.device_id().clone();
        let Some(intent) = self.intents.get_mut(&ticket.seq()) else {
            return self.fault(format!("a write without a durable intent: {action:?}"));
        };
        let (twice, late) = (std::mem::replace(&mut intent.sent, true), intent.settled);
        let same = intent.device_id == device_id && intent.sha256 == sha256;
        self.must(!twice, || format!("{device_id}: one intent was sent twice"));
        self.must(!late, || format!("{device_id}: a write after its intent was settled: {action:?}"));
        self.must(same, || format!("{device_id}: what is sent is not what its intent says: {action:?}"));
        match self.planned(ticket) {
            Ok(planned) => self.must(planned == *action, || {
                format!("{device_id}: what is sent is not in the plan: {action:?}, and not {planned:?}")
            }),
            Err(why) => self.fault(format!("{device_id}: a write {why}: {action:?}")),
        }
    }

    /// The last request to this device certainly never left.
    pub(super) fn sent_nothing(&mut self, ticket: &Ticket) {
        self.known.entry(ticket.device_id().clone()).or_default().unsent = true;
    }

    /// What may be sent for a ticket, to the letter; or why nothing may.
    fn planned(&self, ticket: &Ticket) -> Result<Action, &'static str> {
        let job = self.jobs.get(&ticket.job_id()).ok_or("of no job")?;
        let device_id = ticket.device_id();
        if job.skipped.contains(device_id) {
            return Err("on a device that was left out");
        }
        let read = |menu: &str| self.known.get(device_id).and_then(|known| known.reads.get(menu));
        let Some(step_id) = ticket.step_id() else {
            let dead_man =
                job.part(device_id).dead_man.as_ref().ok_or("of a timed undo that nobody planned")?;
            if job.timers.get(device_id) == Some(&DeadManStatus::Arming) {
                return Ok(dead_man.arm.clone());
            }
            let rows = read(&dead_man.menu).ok_or("without a look at the timers")?;
            let row =
                rows.1.iter().find(|row| is_ours(row, dead_man)).ok_or("that ends what is not there")?;
            return Ok(Action::Remove { menu: dead_man.menu.clone(), id: row[".id"].clone() });
        };
        let step = job.steps.iter().find(|step| step.layout.step_id == step_id).ok_or("of no step")?;
        let operation = job.operation(&step.layout);
        let planned = if ticket.is_undo() { &operation.undo[0] } else { &operation.action };
        if !planned.needs_found() {
            return Ok(planned.clone());
        }
        let Expectation { menu, which, .. } = &operation.expect_after;
        let rows = read(menu).ok_or("without a look at its menu")?;
        match meant(&rows.1, which)[..] {
            [row] => Ok(planned.on_found(&row[".id"])),
            _ => Err("on a record that no reading names"),
        }
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
                self.intend(envelope.seq, &e.device_id, Some(e.step_id), &e.operation_sha256);
                self.step_started(e);
            }
            Event::StepSettled(e) => self.step_settled(e, routers),
            Event::GateSampled(e) => self.looked(e),
            Event::GateJudged(e) => self.judged(e.job_id, e.wave.0, e.passed),
            Event::DeadManStarted(e) => {
                self.intend(envelope.seq, &e.device_id, None, &e.operation_sha256);
                self.timer_started(e, routers);
            }
            Event::DeadManSettled(e) => self.timer_settled(e),
            Event::JobStatusChanged(e) => self.job_changed(e),
            Event::JobCancelRequested(e) => {
                if let Some(job) = self.jobs.get_mut(&e.job_id) {
                    job.cancelled = true;
                }
            }
            Event::JobDirected(e) => self.directed(e.job_id, &e.direction),
            Event::DeviceTrusted(e) => drop(self.other_boxes.insert(e.device_id.clone())),
            _ => {}
        }
    }

    fn intend(&mut self, seq: Seq, device_id: &DeviceId, step_id: Option<StepId>, sha256: &str) {
        let (device_id, sha256) = (device_id.clone(), sha256.to_owned());
        self.intents.insert(seq, Intent { device_id, step_id, sha256, sent: false, settled: false });
    }

    fn settle_intents(&mut self, device_id: &DeviceId, step_id: Option<StepId>) {
        let its = |intent: &&mut Intent| intent.device_id == *device_id && intent.step_id == step_id;
        self.intents.values_mut().filter(its).for_each(|intent| intent.settled = true);
        self.away.remove(device_id);
    }

    fn job_started(&mut self, e: &JobStarted) {
        let plan = self.plans[&e.plan_id].clone();
        let held = self.jobs.values().find(|job| {
            !job.status.is_over()
                && job.steps.iter().any(|s| e.steps.iter().any(|n| n.device_id == s.layout.device_id))
        });
        let free = held.is_none();
        self.must(free, || "a job started on a device that another one holds".to_owned());
        for undone in &plan.undoes {
            let left = self.left_by(*undone);
            let reversed = |id: &DeviceId| e.steps.iter().filter(|step| step.device_id == *id).count();
            let missed = left.iter().find(|(id, steps)| reversed(id) != **steps);
            self.must(missed.is_none(), || format!("the reversal leaves out what stands: {missed:?}"));
        }
        let fresh = |layout: &StepLayout| StepView {
            layout: layout.clone(),
            status: StepStatus::Waiting,
            undo: false,
            attempts: 0,
            undo_tries: 0,
        };
        let job = JobView {
            status: JobStatus::Pending,
            steps: e.steps.iter().map(fresh).collect(),
            gates: vec![GateView::default(); plan.waves.len()],
            timers: BTreeMap::new(),
            ids: BTreeMap::new(),
            skipped: BTreeSet::new(),
            cancelled: false,
            rolled_back: false,
            plan,
        };
        self.jobs.insert(e.job_id, job);
    }

    /// The steps of a plan that stand, by device; devices of which that is not known aside.
    fn left_by(&self, plan_id: PlanId) -> BTreeMap<DeviceId, usize> {
        let of_plan = self.jobs.values().filter(|job| job.plan.plan_id == plan_id);
        let mut left: BTreeMap<DeviceId, usize> = BTreeMap::new();
        for job in of_plan {
            let unclear = |s: &StepView| s.is_unsettled() || s.status == StepStatus::Diverged;
            let known = job.steps.iter().filter(|step| !job.of(&step.layout.device_id).any(unclear));
            for step in known.filter(|step| step.status == StepStatus::Applied) {
                *left.entry(step.layout.device_id.clone()).or_default() += 1;
            }
        }
        left
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
            false => why_not_forward(job, e, self.clock_set),
            true => why_not_back(job, e, &(&self.away | &self.other_boxes)),
        };
        self.faults.extend(why.map(|why| format!("{}: an intent {why}", e.device_id)));
        self.change(e.job_id, e.step_id, |step| {
            (step.status, step.undo, step.attempts) = (StepStatus::Started, e.undo, step.attempts + 1);
            step.undo_tries += u32::from(e.undo);
        });
        let job = self.jobs.get_mut(&e.job_id).filter(|_| !e.undo);
        let Some(job) = job else { return };
        let wave = job.of(&e.device_id).next().map_or(0, |step| step.layout.wave.0 as usize - 1);
        job.gates[wave].anew();
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
        let odd = routers[&e.device_id].odd;
        self.must(e.status != Diverged || odd, || {
            format!("{told}: diverged, and nobody changed it: {rows:?}")
        });
        if e.status != InDoubt {
            self.open.remove(&e.device_id);
            self.settle_intents(&e.device_id, Some(e.step_id));
        }
        self.figures.count(format!("step {:?}", e.status));
        self.change(e.job_id, e.step_id, |step| step.status = e.status);
        let job = self.jobs.get_mut(&e.job_id);
        if let Some(gate) = job.and_then(|job| job.gates.get_mut(step.layout.wave.0 as usize - 1)) {
            gate.settled = Some(Instant::now());
        }
    }

    fn timer_started(&mut self, e: &DeadManStarted, routers: &BTreeMap<DeviceId, Router>) {
        let Some(job) = self.jobs.get(&e.job_id) else { return };
        // What outlived its time is removed before anything under it is read.
        let lapsed = e.disarm && job.timers.get(&e.device_id) == Some(&DeadManStatus::Lapsed);
        let router = &routers[&e.device_id];
        let anothers = job.ids.get(&e.device_id).is_some_and(|id| router.others.contains(id));
        if !lapsed || !self.open.contains_key(&e.device_id) {
            let earlier = self.open.insert(e.device_id.clone(), format!("{TIMER} of {}", e.job_id));
            self.must(earlier.is_none(), || {
                format!("{}: a second intent while {} is unsettled", e.device_id, earlier.unwrap_or_default())
            });
        }
        let over = lapsed && router.timers.iter().all(|timer| timer.is_overdue());
        if e.disarm && anothers {
            self.figures.count("timed undos whose id another script has");
        }
        if lapsed {
            self.figures.count("timed undos that did not run in time");
        }
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
        let judged = gate.is_open() || job.plan.rollout.gate.is_none();
        let legal = !e.disarm || !held || judged || job.rolled_back || over;
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
            if self.open.get(&e.device_id).is_some_and(|what| what.starts_with(TIMER)) {
                self.open.remove(&e.device_id);
            }
            self.settle_intents(&e.device_id, None);
        }
        self.figures.count(format!("timed undo {:?}", e.status));
        if let Some(job) = self.jobs.get_mut(&e.job_id) {
            job.timers.insert(e.device_id.clone(), e.status);
            job.ids.extend(e.reference.clone().map(|id| (e.device_id.clone(), id)));
        }
    }

    fn job_changed(&mut self, e: &JobStatusChanged) {
        let Some(job) = self.jobs.get_mut(&e.job_id) else { return };
        let before = std::mem::replace(&mut job.status, e.status);
        job.rolled_back |= e.status == JobStatus::RollingBack;
        let job = job.clone();
        self.figures.count(format!("job {:?}", e.status));
        let by_itself = before == JobStatus::Running;
        let asked = job.plan.rollback_on_failure;
        let undoes = by_itself && e.status == JobStatus::RollingBack;
        self.must(!undoes || asked, || "undone by itself, and nobody had asked for that".to_owned());
        let gives_up = by_itself && matches!(e.status, JobStatus::Halted | JobStatus::Failed);
        let stands = job.steps.iter().any(StepView::is_on_router);
        self.must(!(gives_up && asked && stands), || {
            "it failed, and what was applied is not undone".to_owned()
        });
        let changes = self.changes.entry(e.job_id).or_default();
        changes.retain(|at| at.elapsed() < Duration::from_secs(3600));
        changes.push(Instant::now());
        let many = changes.len();
        self.must(many <= CHANGES_AN_HOUR_MAX, || format!("{many} changes of state in an hour: to and fro"));
        let waits = matches!(e.status, JobStatus::Halted | JobStatus::Stuck);
        self.must(!waits || !e.reason.is_empty(), || "a job stands and does not say why".to_owned());
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
                let Some(wave) = job.of(device_id).next().map(|step| step.layout.wave) else { return };
                let skipped = job.skipped.clone();
                let mut of_wave = job.steps.iter().filter(|step| step.layout.wave == wave);
                let left = of_wave.any(|s| !skipped.contains(&s.layout.device_id));
                // With no device left its verdict stands.
                let gate = &mut job.gates[wave.0 as usize - 1];
                if left || gate.passed.is_none() {
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
