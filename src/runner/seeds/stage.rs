//! Where a story happens: a ledger in memory, model routers, chance, and somebody who checks everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::{
    checkpoint::Signer,
    event::{Envelope, Keep, NewEvent},
    fold::Fold as _,
    ids::{CommandId, DeviceId, JobId, Moment, Seq},
    log::EventLog,
    operation::Action,
    plan::Plan,
    principal::Actor,
    ticket::Ticket,
};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use crate::{
    domain::{
        Command, Rules, State, decide,
        job::{JobState, bound_sha256},
        testing::{NOON, agent, settings},
    },
    engine::{Committed, digest_of},
    failure::{Code, Failure},
    routeros::port::Promise,
    runner::{
        Desk,
        seeds::{
            check::Checker,
            mutants::Mutant,
            plans::{Faults, Scenario},
            rng::Rng,
            router::{Router, USER},
            wire::Request,
        },
    },
};

/// No story needs so many.
const DOINGS_MAX: u64 = 60_000;
/// More facts in a virtual hour than this are no progress.
const FACTS_AN_HOUR_MAX: u64 = 2500;

/// Everything that changes.
pub(super) struct Scene {
    pub log: EventLog,
    pub state: State,
    pub routers: BTreeMap<DeviceId, Router>,
    pub rng: Rng,
    pub checker: Checker,
    pub faults: Faults,
    /// Doings of the process so far.
    doings: u64,
    /// The virtual hour, and how many facts there were at its begin.
    hour: (u64, u64),
    /// It dies at this one.
    pub dies_at: Option<u64>,
    /// It is dead.
    pub down: bool,
    /// The store is away until then; a commit in hand may become durable all the same.
    pub store_away: Option<(Instant, bool)>,
    /// Durable, and not known yet.
    unseen: Vec<Envelope>,
    /// The clock is set wrong by so many seconds.
    pub clock_off_s: i64,
    /// A write that waits for its turn: a deliberate mistake.
    pub late_write: Option<(Ticket, Action)>,
    commands: u128,
    pub mutant: Option<Mutant>,
    /// Every line of the story, when somebody wants to read it.
    pub story: Option<Vec<String>>,
}

pub(super) struct Stage {
    scene: Mutex<Scene>,
    begun: Instant,
    /// Something was decided.
    pub news: Notify,
    pub death: Notify,
    pub wires: BTreeMap<DeviceId, mpsc::UnboundedSender<Request>>,
}

impl Scene {
    pub(super) fn tell(&mut self, begun: Instant, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let at = begun.elapsed();
            story.push(format!("{:>9}.{:03} {}", at.as_secs(), at.subsec_millis(), line()));
        }
    }

    /// Timers whose time has come run before anything else is done to a router.
    pub(super) fn tick(&mut self, begun: Instant, device_id: &DeviceId) {
        let now = Instant::now();
        let Some(router) = self.routers.get_mut(device_id) else { return };
        for timer in router.tick(now) {
            let due = timer.due.duration_since(begun);
            self.tell(begun, || format!("{device_id}: its timed undo ran at {due:?}"));
        }
    }

    fn take(&mut self, envelope: &Envelope) {
        self.state.apply(envelope);
        if let Some(mutant) = self.mutant {
            mutant.bend_state(&mut self.state, &envelope.event);
        }
    }

    /// Ends an absence of the store whose time is over.
    pub(super) fn store_is_away(&mut self) -> bool {
        match self.store_away {
            Some((until, _)) if Instant::now() < until => true,
            Some(_) => {
                self.store_away = None;
                for envelope in std::mem::take(&mut self.unseen) {
                    self.take(&envelope);
                }
                false
            }
            None => false,
        }
    }
}

impl Stage {
    pub(super) fn new(
        scenario: &Scenario,
        mutant: Option<Mutant>,
        told: bool,
    ) -> (Arc<Self>, BTreeMap<DeviceId, mpsc::UnboundedReceiver<Request>>) {
        let mut routers = BTreeMap::new();
        let (mut wires, mut ends) = (BTreeMap::new(), BTreeMap::new());
        for (device_id, (config, sick, always)) in &scenario.routers {
            let router =
                Router { sick: *sick, always: *always, ..Router::new(config.clone(), Instant::now()) };
            routers.insert(device_id.clone(), router);
            let (wire, end) = mpsc::unbounded_channel();
            wires.insert(device_id.clone(), wire);
            ends.insert(device_id.clone(), end);
        }
        let log = EventLog::in_memory(Signer::from_bytes([7; 32]));
        let mut state = State::default();
        for envelope in log.reader().page(Some(Keep::Ledger), Seq(1), 10).unwrap() {
            state.apply(&envelope);
        }
        let scene = Scene {
            log,
            state,
            routers,
            rng: Rng::new(scenario.seed ^ 0x5eed),
            checker: Checker::default(),
            faults: scenario.faults.clone(),
            doings: 0,
            hour: (0, 0),
            dies_at: None,
            down: false,
            store_away: None,
            unseen: Vec::new(),
            clock_off_s: 0,
            late_write: None,
            commands: 0,
            mutant,
            story: told.then(Vec::new),
        };
        let stage = Self {
            scene: Mutex::new(scene),
            begun: Instant::now(),
            news: Notify::new(),
            death: Notify::new(),
            wires,
        };
        (Arc::new(stage), ends)
    }

    pub(super) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) fn tell(&self, line: impl FnOnce() -> String) {
        self.scene().tell(self.begun, line);
    }

    /// Registers the routers, and binds the plan to them.
    pub(super) fn furnish(&self, scenario: &Scenario) {
        for (n, device_id) in (1u8..).zip(scenario.routers.keys()) {
            let settings = settings(device_id.as_str(), n, scenario.plan.environment);
            let command = Command::AddDevice {
                device_id: device_id.clone(),
                settings,
                trust: None,
                logins: Vec::new(),
            };
            self.submit_now(&agent(), command).unwrap();
        }
    }

    /// The plan, about the boxes that there are.
    pub(super) fn bound(&self, plan: &Plan) -> Plan {
        let scene = self.scene();
        let mut plan = plan.clone();
        for part in plan.waves.iter_mut().flatten() {
            part.bound_sha256 = bound_sha256(&scene.state.devices[&part.device_id]);
        }
        plan
    }

    /// The process dies here when its time has come; nothing goes on in a dead one.
    pub(super) async fn doing(&self) {
        let dead = {
            let mut scene = self.scene();
            scene.doings += 1;
            let hour = self.begun.elapsed().as_secs() / 3600;
            if hour != scene.hour.0 {
                scene.hour = (hour, scene.checker.events);
            }
            let no_end =
                scene.doings == DOINGS_MAX || scene.checker.events - scene.hour.1 > FACTS_AN_HOUR_MAX;
            if no_end && !scene.down {
                scene
                    .checker
                    .fault("no end in sight: thousands of facts in an hour, or of requests".to_owned());
                scene.down = true;
                self.death.notify_one();
            }
            if scene.dies_at == Some(scene.doings) {
                scene.down = true;
                self.death.notify_one();
            }
            scene.down
        };
        if dead {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn doings(&self) -> u64 {
        self.scene().doings
    }

    /// Decides and keeps, in one go: nothing else happens meanwhile.
    pub(super) fn submit_now(&self, actor: &Actor, command: Command) -> Result<Committed, Failure> {
        let at = self.now();
        let mut scene = self.scene();
        let away = || Failure::new(Code::StorageUnavailable, "the disk cannot be written now");
        let in_hand = matches!(scene.store_away, Some((_, true))) && scene.unseen.is_empty();
        if scene.store_is_away() && !in_hand {
            return Err(away());
        }
        let command = match scene.mutant {
            Some(mutant) => mutant.bend_command(command),
            None => command,
        };
        let decided = decide(&scene.state, &Rules::default(), actor, command.clone(), at);
        let mut events = decided.map_err(|refusal| {
            scene.tell(self.begun, || format!("refused to {}: {command:?}: {}", actor.label, refusal.say));
            Failure::from(refusal)
        })?;
        scene.commands += 1;
        let command_id = CommandId::from_parts(NOON, scene.commands);
        if let Some(mutant) = scene.mutant {
            events.iter_mut().for_each(|event| mutant.bend_event(event));
        }
        let new = |event| NewEvent { at, actor: actor.clone(), command_id, event };
        let batch: Vec<NewEvent> = events.into_iter().map(new).collect();
        if batch.is_empty() {
            return Ok(Committed { command_id, envelopes: vec![], tickets: vec![] });
        }
        let appended = scene.log.append(batch, &[]).expect("memory takes every write");
        let scene = &mut *scene;
        for envelope in &appended.envelopes {
            scene.tell(self.begun, || format!("{} {:?}", envelope.seq.0, envelope.event));
            if !scene.mutant.is_some_and(|mutant| mutant.hides(&envelope.event)) {
                scene.checker.take(envelope, &scene.routers);
            }
            if let Some(mutant) = scene.mutant {
                mutant.bend_routers(&mut scene.routers, &envelope.event);
            }
        }
        if scene.store_away.is_some() {
            scene.tell(self.begun, || "… and nobody is told: the store is away".to_owned());
            scene.unseen = appended.envelopes;
            return Err(Failure::new(Code::OutcomeUnknown, "the disk failed while this was being kept"));
        }
        for envelope in &appended.envelopes {
            scene.take(envelope);
        }
        self.news.notify_one();
        let tickets: Vec<Ticket> = appended.tickets;
        Ok(Committed { command_id, envelopes: appended.envelopes, tickets })
    }

    /// What a new process knows: the fold of the log. It must be what the old one knew.
    pub(super) fn replay(&self) {
        let mut scene = self.scene();
        let scene = &mut *scene;
        scene.store_away = None;
        for envelope in std::mem::take(&mut scene.unseen) {
            scene.take(&envelope);
        }
        let mut replayed = State::default();
        let mut from = Seq(1);
        while let Ok(page) = scene.log.reader().page(Some(Keep::Ledger), from, 1000) {
            let Some(last) = page.last() else { break };
            from = last.seq.next();
            for envelope in &page {
                replayed.apply(envelope);
            }
        }
        if digest_of(&replayed) != digest_of(&scene.state) {
            scene.checker.fault("the live state is not the fold of the log".to_owned());
        }
        scene.state = replayed;
    }
}

impl Desk for Stage {
    fn submit(&self, command: Command) -> Promise<'_, Result<Committed, Failure>> {
        Box::pin(async move {
            self.doing().await;
            let pause = self.scene().rng.between(0, 4);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let kept = self.submit_now(&Actor::system(), command);
            self.doing().await;
            kept
        })
    }

    fn job(&self, job_id: JobId) -> Option<(JobState, Arc<Plan>)> {
        let mut scene = self.scene();
        scene.store_is_away();
        let job = scene.state.jobs.get(&job_id)?;
        let plan = scene.state.plans.get(&job.plan_id)?;
        Some((job.clone(), Arc::clone(&plan.plan)))
    }

    fn open_jobs(&self) -> BTreeSet<JobId> {
        let mut scene = self.scene();
        scene.store_is_away();
        scene.state.leases.values().copied().collect()
    }

    fn user(&self, _: &DeviceId) -> Option<String> {
        Some(USER.to_owned())
    }

    fn bound(&self, device_id: &DeviceId) -> Option<String> {
        self.scene().state.devices.get(device_id).map(bound_sha256)
    }

    fn now(&self) -> Moment {
        let off = self.scene().clock_off_s;
        let micros = i64::try_from(self.begun.elapsed().as_micros()).unwrap();
        Moment::from_micros(NOON.as_micros() + micros).plus_secs(off)
    }
}
