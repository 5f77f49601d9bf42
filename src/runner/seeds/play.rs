//! Plays a scenario from its plan to its end, in virtual time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use events::{
    ids::{DeviceId, JobId},
    job::{JobStatus, StepStatus},
    operation::Operation,
    plan::{DevicePart, Origin, Plan},
};
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        Command,
        job::part_of,
        plan::PlanStatus,
        testing::{agent, job_id, step_id},
        undo::{ROLLBACK_OF, is_risky, reversal, watched},
    },
    runner::{
        Desk as _, Runner,
        seeds::{
            check::StepView,
            figures::Figures,
            mutants::Mutant,
            people,
            plans::{Person, Scenario},
            stage::Stage,
            wire,
        },
    },
};

/// A story has a virtual day; then everything must be over, or wait for somebody.
const DAY: Duration = Duration::from_secs(86_400);
/// Jobs are looked at this often even when nothing is heard.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After so long without a fact nobody will do anything any more.
const QUIET: Duration = Duration::from_secs(3 * 3600);

/// How a story ended.
pub(super) struct End {
    pub faults: Vec<String>,
    pub story: Vec<String>,
    pub figures: Figures,
}

/// Plays one seed; `told` keeps every line of it.
pub(super) fn play(scenario: &Scenario, mutant: Option<Mutant>, told: bool) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a timer runtime can be made");
    runtime.block_on(async {
        let (stage, ends) = Stage::new(scenario, mutant, told);
        for (device_id, end) in ends {
            tokio::spawn(wire::serve(Arc::clone(&stage), device_id, end));
        }
        let mut play = Play { stage: Arc::clone(&stage), scenario, agenda: 0, deaths: 0 };
        play.whole().await;
        let mut scene = stage.scene();
        let scene = &mut *scene;
        let mut figures = std::mem::take(&mut scene.checker.figures);
        figures.add_many("facts", scene.checker.events);
        figures.add_many("timed undos that ran", scene.routers.values().map(|r| u64::from(r.ran)).sum());
        figures.add_many("deaths of the process", play.deaths);
        End {
            faults: std::mem::take(&mut scene.checker.faults),
            story: scene.story.take().unwrap_or_default(),
            figures,
        }
    })
}

struct Play<'a> {
    stage: Arc<Stage>,
    scenario: &'a Scenario,
    agenda: usize,
    deaths: u64,
}

/// Why a life of the process ended.
enum Life {
    Died,
    /// Everything is over, or waits for somebody who does not come.
    Rests,
}

impl Play<'_> {
    async fn whole(&mut self) {
        self.stage.furnish(self.scenario);
        self.start(&self.scenario.plan, 1);
        if let Some(beside) = &self.scenario.beside {
            self.start(beside, 4);
        }
        self.live().await;
        let completed = self.stage.job(job_id(1)).is_some_and(|(job, _)| job.status == JobStatus::Completed);
        let cuts = self.stage.scene().routers.values().any(|router| !router.answers(Instant::now()));
        if let Some(reverse) = self.scenario.reverse.as_ref().filter(|_| completed && !cuts) {
            // Where nothing is left, or a router is another box now, there is nothing to begin.
            let reverse = self.exactly(reverse);
            let now = self.stage.bound(&self.scenario.plan);
            let same = now == *self.stage.scene().state.plans[&now.plan_id].plan;
            if !reverse.waves.is_empty() && same {
                self.start(&reverse, 2);
                self.live().await;
            }
        }
        // Whatever still waits on a router has run by then.
        tokio::time::sleep(Duration::from_secs(7200)).await;
        self.judge();
    }

    /// The plan that reverses, with exactly what is left to reverse: the rules take no other.
    fn exactly(&self, reverse: &Plan) -> Plan {
        let left = reversal(&self.stage.scene().state, &reverse.undoes).unwrap_or_default();
        let part = |(device_id, operations): (DeviceId, Vec<Operation>)| {
            let own = part_of(reverse, &device_id).unwrap();
            DevicePart { operations, ..own.clone() }
        };
        let waves: Vec<Vec<DevicePart>> =
            left.into_iter().map(|parts| parts.into_iter().map(part).collect()).collect();
        let risky = waves.iter().flatten().any(is_risky);
        Plan { rollout: watched(&reverse.rollout, risky), waves, ..reverse.clone() }
    }

    fn start(&self, plan: &Plan, n: u128) {
        let plan = self.stage.bound(plan);
        let policy = match plan.undoes.first() {
            Some(undone) => format!("{ROLLBACK_OF}{undone}"),
            None => "immediate_writes:lab".to_owned(),
        };
        let plan_id = plan.plan_id;
        let steps: usize = plan.waves.iter().flatten().map(|part| part.operations.len()).sum();
        let step_ids = (0..steps).map(|at| step_id(1000 * n + at as u128)).collect();
        let propose = Command::ProposePlan {
            plan: Box::new(plan),
            approval_token_sha256: String::new(),
            policy: Some(policy),
            origin: Origin::default(),
        };
        let start = Command::StartJob { plan_id, job_id: job_id(n), step_ids, approval_token_sha256: None };
        self.stage.scene().store_away = None;
        for command in [propose, start] {
            if let Err(failure) = self.stage.submit_now(&agent(), command) {
                self.stage.scene().checker.fault(format!("the scenario cannot begin: {failure}"));
            }
        }
    }

    /// Lives of the process, one after the other, until all jobs rest.
    async fn live(&mut self) {
        loop {
            let doings = self.stage.doings();
            let deaths = usize::try_from(self.deaths).unwrap();
            let dies_at = self.scenario.crashes.get(deaths).map(|after| doings + after);
            {
                let mut scene = self.stage.scene();
                (scene.dies_at, scene.down) = (dies_at, false);
                scene.checker.forget_readings();
            }
            match self.one_life().await {
                Life::Rests => return,
                Life::Died => {
                    self.deaths += 1;
                    self.stage.tell(|| "the process dies".to_owned());
                    if !self.stage.scene().checker.faults.is_empty() {
                        return;
                    }
                    let pause = self.stage.scene().rng.between(0, 240);
                    tokio::time::sleep(Duration::from_secs(pause)).await;
                    self.stage.replay();
                    self.stage.tell(|| "a new process begins".to_owned());
                }
            }
        }
    }

    async fn one_life(&mut self) -> Life {
        let stage = Arc::clone(&self.stage);
        let stop = CancellationToken::new();
        let runner =
            Runner::new(Arc::clone(&stage) as _, Arc::clone(&stage) as _, Arc::clone(&stage) as _, stop);
        let mut drives: FuturesUnordered<BoxFuture<'_, JobId>> = FuturesUnordered::new();
        let mut driven: BTreeSet<JobId> = BTreeSet::new();
        let mut person = Looks::of(self.scenario.person.as_ref());
        let mut heard = (stage.scene().checker.events, Instant::now());
        let mut look = Instant::now();
        let mut known = None;
        loop {
            if !stage.scene().checker.faults.is_empty() {
                return Life::Rests;
            }
            let facts = stage.scene().checker.events;
            if facts != heard.0 {
                heard = (facts, Instant::now());
            }
            let now = stage.begun().elapsed();
            let over = stage.open_jobs().is_empty();
            if driven.is_empty() && (over || heard.1.elapsed() >= QUIET) || now >= DAY {
                return Life::Rests;
            }
            if heard.1.elapsed() >= QUIET && person.is_none() && !stage.scene().store_is_away() {
                return Life::Rests;
            }
            let news = known.replace(facts) != Some(facts) || Instant::now() >= look;
            for open in stage.open_jobs().into_iter().filter(|_| news) {
                if driven.insert(open) {
                    let runner = runner.clone();
                    drives.push(Box::pin(async move {
                        runner.drive(open).await;
                        open
                    }));
                }
            }
            if Instant::now() >= look {
                look = Instant::now() + LOOK_EVERY;
            }
            let next = self.scenario.happenings.get(self.agenda);
            let due = next.map(|(at, _)| stage.begun() + Duration::from_secs(*at));
            let wake = [due, person.as_ref().map(|looks| looks.at)].into_iter().flatten();
            let wake = wake.min().map_or(look, |at| at.min(look));
            tokio::select! {
                biased;
                () = stage.death.notified() => return Life::Died,
                Some(job_id) = drives.next(), if !drives.is_empty() => { driven.remove(&job_id); }
                () = tokio::time::sleep_until(wake) => {}
            }
            if due.is_some_and(|due| Instant::now() >= due)
                && let Some((_, happening)) = next
            {
                self.agenda += 1;
                people::happen(&stage, happening);
            } else if let Some(looks) = &mut person
                && Instant::now() >= looks.at
            {
                looks.look(&stage);
            } else {
                continue;
            }
            for wake in runner.wakes().values() {
                wake.notify_one();
            }
        }
    }

    /// When everything has come to rest.
    fn judge(&self) {
        let stage = &self.stage;
        let devices: Vec<DeviceId> = self.scenario.routers.keys().cloned().collect();
        for device_id in &devices {
            stage.scene().tick(stage.begun(), device_id);
        }
        if stage.scene().checker.faults.is_empty() {
            stage.scene().store_is_away();
            self.ends();
            self.plans();
            stage.replay();
            devices.iter().for_each(|device_id| self.truth(device_id));
        }
    }

    /// A job is over, and its devices are free; or it stands, and says what it waits for.
    fn ends(&self) {
        let mut scene = self.stage.scene();
        let jobs: Vec<_> = scene.state.jobs.values().cloned().collect();
        for job in jobs {
            let held: BTreeSet<_> = scene
                .state
                .leases
                .iter()
                .filter(|(_, holder)| **holder == job.job_id)
                .map(|(id, _)| id)
                .collect();
            let all: BTreeSet<_> = job.steps.iter().map(|step| &step.layout.device_id).collect();
            let right = if job.status.is_over() { held.is_empty() } else { held == all };
            let checker = &mut scene.checker;
            if !right {
                checker.fault(format!("the lease of {} is wrong: it is {:?}", job.job_id, job.status));
            }
            let stands = matches!(job.status, JobStatus::Halted | JobStatus::Stuck) && !job.reason.is_empty();
            let nobody = self.scenario.person.is_none();
            if !(job.status.is_over() || (stands && nobody)) {
                checker.fault(format!("no end in sight: {:?} ({})", job.status, job.reason));
            }
            checker.figures.count(format!("ends {:?}", job.status));
        }
    }

    /// A router is, to the letter, as the steps on record say.
    fn truth(&self, device_id: &DeviceId) {
        let mut scene = self.stage.scene();
        let scene = &mut *scene;
        let router = &scene.routers[device_id];
        // What stands on it, in the order in which it was made.
        let mut made: Vec<Operation> = Vec::new();
        for job in scene.checker.jobs.values() {
            let diverged =
                |status| matches!(status, StepStatus::Diverged | StepStatus::InDoubt | StepStatus::Started);
            let steps = || job.steps.iter().filter(|step| step.layout.device_id == *device_id);
            let open = !job.status.is_over() && steps().any(|step| step.status == StepStatus::Held);
            let why = [
                (router.touched, "somebody else changed it"),
                (job.skipped.contains(device_id), "a person left it alone"),
                (open, "its timed undo is not over"),
                (steps().any(|s| diverged(s.status)), "it is in doubt"),
            ];
            if let Some((_, why)) = why.iter().find(|(is, _)| *is) {
                scene.checker.figures.count(format!("routers not proven: {why}"));
                return;
            }
            let stands = |step: &&StepView| matches!(step.status, StepStatus::Applied | StepStatus::Held);
            if job.plan.undoes.is_empty() {
                made.extend(steps().filter(stands).map(|step| job.operation(&step.layout).clone()));
                continue;
            }
            // Each step of a reversal takes back the last thing that stood.
            let (stood, all) = (steps().filter(stands).count(), steps().count());
            made.truncate(made.len().saturating_sub(stood));
            if (1..all).contains(&stood) {
                scene.checker.figures.count("routers reversed in part");
            }
        }
        let mut wanted = router.start.clone();
        made.iter().for_each(|operation| wanted.redo(operation));
        if wanted.letter() != router.config.letter() {
            let (is, should) = (router.config.letter(), wanted.letter());
            scene.checker.fault(format!("{device_id} is not as its steps say: {is:?}, and not {should:?}"));
        }
        scene.checker.figures.count("routers proven to the letter");
    }

    /// A plan whose reversal left a router out is not said to be rolled back.
    fn plans(&self) {
        let mut scene = self.stage.scene();
        let scene = &mut *scene;
        let Some(plan) = scene.state.plans.get(&self.scenario.plan.plan_id) else { return };
        for job in scene.checker.jobs.values().filter(|job| job.status.is_over()) {
            let left =
                job.plan.undoes.iter().any(|_| job.steps.iter().any(|s| s.status != StepStatus::Applied));
            if left && plan.status == PlanStatus::RolledBack {
                scene.checker.fault("a plan is rolled back, and a router was left out".to_owned());
                return;
            }
        }
    }
}

/// When a person looks next.
struct Looks {
    at: Instant,
    every: Duration,
    whims: u32,
}

impl Looks {
    fn of(person: Option<&Person>) -> Option<Self> {
        person.map(|person| {
            let every = Duration::from_secs(person.looks_every_s);
            Self { at: Instant::now() + every, every, whims: person.whims }
        })
    }

    fn look(&mut self, stage: &Stage) {
        self.at = Instant::now() + self.every;
        let patient = stage.begun().elapsed() < Duration::from_secs(4 * 3600);
        for job_id in stage.open_jobs() {
            let Some((job, _)) = stage.job(job_id) else { continue };
            let stands = matches!(job.status, JobStatus::Halted | JobStatus::Stuck);
            if stands && self.whims > 0 {
                self.whims -= 1;
                people::whim(stage, &job);
            } else if stands || !patient {
                people::conclude(stage, job_id);
            }
        }
    }
}
