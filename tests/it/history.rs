//! What a log says and what a router saw, compared: a pure function that complains about every difference.
//!
//! It shares nothing with the runner: how an action looks on the wire is spelled out here once more.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    event::{Envelope, Event},
    gate::DeadManStatus,
    ids::{JobId, StepId},
    job::{JobStatus, StepStatus},
    operation::{Action, Expectation, Operation, Which},
    plan::DeadMan,
};
use serde_json::{Map, Value};

/// One request as a router saw it, in the router's order.
#[derive(Debug, Clone)]
pub struct Request {
    pub device: String,
    /// By the machine's clock, in microseconds since 1970.
    pub at: i64,
    pub user: String,
    pub method: String,
    pub path: String,
    pub body: Value,
    /// It changed the router.
    pub changed: bool,
}

impl Request {
    /// From an entry of the simulator's journal.
    pub fn of(device: &str, entry: &Value) -> Self {
        let text = |key: &str| entry[key].as_str().unwrap().to_owned();
        Self {
            device: device.to_owned(),
            at: entry["unix_us"].as_i64().unwrap(),
            user: text("user"),
            method: text("method"),
            path: text("path"),
            body: serde_json::from_str(&text("body")).unwrap_or(Value::Null),
            changed: entry["changed"].as_bool().unwrap(),
        }
    }

    fn is_write(&self) -> bool {
        self.method != "GET"
    }

    fn menu(&self) -> String {
        menu_of(&self.path)
    }
}

/// `/rest/ip/dns/set` and `/rest/ip/dns/*1` are about `/ip/dns`.
fn menu_of(path: &str) -> String {
    let path = path.strip_prefix("/rest").unwrap_or(path);
    let path = path.strip_suffix("/set").unwrap_or(path);
    path.split("/*").next().unwrap().to_owned()
}

/// Method, path and body of an action, as RouterOS wants them.
fn wire(action: &Action) -> (&'static str, String, Value) {
    let object = |properties: &[(String, String)]| {
        Value::Object(properties.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect())
    };
    match action {
        Action::SetSingleton { menu, properties } => ("POST", format!("/rest{menu}/set"), object(properties)),
        Action::Set { menu, id, properties } => ("PATCH", format!("/rest{menu}/{id}"), object(properties)),
        Action::Add { menu, properties } => ("PUT", format!("/rest{menu}"), object(properties)),
        Action::Remove { menu, id } => ("DELETE", format!("/rest{menu}/{id}"), Value::Null),
        Action::Command { menu, command, properties } => {
            ("POST", format!("/rest{}/{command}", menu.trim_end_matches('/')), object(properties))
        }
    }
}

/// What an intent, and its end, is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    /// A step.
    Step(StepId),
    /// The timed undo of a job on a device: armed, or disarmed.
    DeadMan(JobId, String, bool),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Step(StepStatus),
    DeadMan(DeadManStatus),
}

#[derive(Debug, Clone)]
struct Intent {
    seq: u64,
    at: i64,
    of: Of,
    device: String,
    attempt: u32,
    undo: bool,
    action: Option<Action>,
    digest: String,
}

#[derive(Debug, Clone)]
struct Outcome {
    seq: u64,
    at: i64,
    of: Of,
    end: End,
}

impl Outcome {
    fn is_doubt(&self) -> bool {
        match self.end {
            End::Step(status) => {
                matches!(status, StepStatus::InDoubt | StepStatus::Started | StepStatus::Waiting)
            }
            End::DeadMan(status) => matches!(status, DeadManStatus::InDoubt),
        }
    }
}

/// Both sides of a story.
#[derive(Debug, Default, Clone)]
pub struct History {
    intents: Vec<Intent>,
    outcomes: Vec<Outcome>,
    jobs: BTreeMap<JobId, JobStatus>,
    operations: BTreeMap<StepId, Operation>,
    dead_men: BTreeMap<(JobId, String), DeadMan>,
    /// All requests, in the routers' order.
    pub requests: Vec<Request>,
    /// What each (device, menu) really has in the end, row by row.
    pub truth: BTreeMap<(String, String), Vec<Map<String, Value>>>,
}

impl History {
    /// The log's side. Every event of a job that started at or after `from` counts.
    pub fn of_log(envelopes: &[Envelope], from: u64) -> Self {
        let mut history = Self::default();
        let mut plans = BTreeMap::new();
        let mut references = BTreeMap::new();
        let mut old = BTreeSet::new();
        for envelope in envelopes {
            let (seq, at) = (envelope.seq.0, envelope.at.as_micros());
            match &envelope.event {
                Event::PlanProposed(e) => drop(plans.insert(e.plan.plan_id, e.plan.clone())),
                Event::JobStarted(e) if seq < from => drop(old.insert(e.job_id)),
                Event::JobStarted(e) => {
                    history.jobs.insert(e.job_id, JobStatus::Pending);
                    let plan = plans.get(&e.plan_id).expect("a job's plan was proposed before");
                    for step in &e.steps {
                        let part =
                            plan.waves.iter().flatten().find(|p| p.device_id == step.device_id).unwrap();
                        let operation = part.operations[usize::try_from(step.operation).unwrap()].clone();
                        history.operations.insert(step.step_id, operation);
                        if let Some(dead_man) = &part.dead_man {
                            let key = (e.job_id, step.device_id.to_string());
                            history.dead_men.insert(key, dead_man.clone());
                        }
                    }
                }
                Event::DeadManStarted(e) if !old.contains(&e.job_id) => {
                    let key = (e.job_id, e.device_id.to_string());
                    let dead_man = &history.dead_men[&key];
                    let action = match e.disarm {
                        false => Some(dead_man.arm.clone()),
                        true => references.get(&key).map(|id: &String| Action::Remove {
                            menu: dead_man.menu.clone(),
                            id: id.clone(),
                        }),
                    };
                    history.intents.push(Intent {
                        seq,
                        at,
                        of: Of::DeadMan(e.job_id, e.device_id.to_string(), e.disarm),
                        device: e.device_id.to_string(),
                        attempt: e.attempt,
                        undo: false,
                        action,
                        digest: e.operation_sha256.clone(),
                    });
                }
                Event::DeadManSettled(e) if !old.contains(&e.job_id) => {
                    let key = (e.job_id, e.device_id.to_string());
                    if let Some(reference) = &e.reference {
                        references.insert(key.clone(), reference.clone());
                    }
                    // It ends what was begun last: arming, or disarming.
                    let disarm = history
                        .intents
                        .iter()
                        .rev()
                        .find_map(|intent| match &intent.of {
                            Of::DeadMan(job, device, disarm) if (job, device) == (&key.0, &key.1) => {
                                Some(*disarm)
                            }
                            _ => None,
                        })
                        .unwrap_or(false);
                    let of = Of::DeadMan(key.0, key.1, disarm);
                    history.outcomes.push(Outcome { seq, at, of, end: End::DeadMan(e.status) });
                }
                Event::StepStarted(e) if !old.contains(&e.job_id) => {
                    let operation = history.operations.get(&e.step_id);
                    let action = operation
                        .and_then(|o| if e.undo { o.undo.first() } else { Some(&o.action) })
                        .cloned();
                    history.intents.push(Intent {
                        seq,
                        at,
                        of: Of::Step(e.step_id),
                        device: e.device_id.to_string(),
                        attempt: e.attempt,
                        undo: e.undo,
                        action,
                        digest: e.operation_sha256.clone(),
                    });
                }
                Event::StepSettled(e) if !old.contains(&e.job_id) => {
                    let (of, end) = (Of::Step(e.step_id), End::Step(e.status));
                    history.outcomes.push(Outcome { seq, at, of, end });
                }
                Event::JobStatusChanged(e) if !old.contains(&e.job_id) => {
                    history.jobs.insert(e.job_id, e.status);
                }
                _ => {}
            }
        }
        history
    }

    /// Intents that stand in the log.
    pub fn intents(&self) -> usize {
        self.intents.len()
    }

    /// Jobs with their last status.
    pub fn jobs(&self) -> Vec<JobStatus> {
        self.jobs.values().copied().collect()
    }

    /// What ended an intent: the first outcome that is no doubt, before the next intent of the same.
    fn end_of(&self, intent: &Intent) -> Option<&Outcome> {
        self.ends_of(intent).next()
    }

    fn ends_of(&self, intent: &Intent) -> impl DoubleEndedIterator<Item = &Outcome> {
        let (of, seq) = (intent.of.clone(), intent.seq);
        let next = self.next_intent(intent).map_or(u64::MAX, |next| next.seq);
        self.outcomes.iter().filter(move |outcome| {
            outcome.of == of && outcome.seq > seq && outcome.seq < next && !outcome.is_doubt()
        })
    }

    fn next_intent(&self, intent: &Intent) -> Option<&Intent> {
        self.intents.iter().find(|other| other.of == intent.of && other.seq > intent.seq)
    }

    fn shows(&self, device: &str, expectation: &Expectation) -> Option<bool> {
        let rows = self.truth.get(&(device.to_owned(), expectation.menu.clone()))?;
        let shows = |row: &&Map<String, Value>, wanted: &[(String, Option<String>)]| {
            wanted.iter().all(|(name, wanted)| {
                // What is off is left out, or written out: both mean the same.
                let said = |text: &&str| !["", "false", "no"].contains(text);
                let actual = row.get(name).and_then(Value::as_str).filter(said);
                actual == wanted.as_deref().filter(said)
            })
        };
        let found: Vec<_> = rows
            .iter()
            .filter(|row| match &expectation.which {
                Which::Menu => true,
                Which::Id(id) => row.get(".id").and_then(Value::as_str) == Some(id),
                Which::Find { by, .. } => shows(row, by),
            })
            .collect();
        Some(match found.as_slice() {
            [] => !expectation.present,
            [row] => expectation.present && shows(row, &expectation.properties),
            // Two of what should be one.
            _ => false,
        })
    }
}

/// Everything that is wrong with a finished history, each in one line; nothing when all is well.
pub fn complaints(history: &History) -> Vec<String> {
    let mut found = Vec::new();
    let sent = match_writes(history, &mut found);
    readings_between(history, &mut found);
    for intent in &history.intents {
        settled(history, intent, sent.get(&intent.seq).copied(), &mut found);
    }
    for (job, status) in &history.jobs {
        if !status.is_over() && *status != JobStatus::Stuck {
            found.push(format!("open job: {job} is {status:?}"));
        }
    }
    found
}

/// Gives every write its intent: same device, same content, decided before the write, not settled before it, and given
/// to no other write. Answers which intent was sent, and whether that changed the router.
fn match_writes(history: &History, found: &mut Vec<String>) -> BTreeMap<u64, bool> {
    let mut sent = BTreeMap::new();
    for request in history.requests.iter().filter(|request| request.is_write()) {
        let what = format!("{} {} {} on {}", request.method, request.path, request.body, request.device);
        let same = |intent: &&Intent| {
            intent.device == request.device
                && intent.action.as_ref().is_some_and(|action| {
                    let (method, path, body) = wire(action);
                    (method, &path, &body) == (&request.method, &request.path, &request.body)
                        && intent.digest == appliance::routeros::port::action_digest(action)
                })
        };
        let fitting: Vec<&Intent> = history.intents.iter().filter(same).collect();
        if fitting.is_empty() {
            found.push(format!("orphan write: {what} has no intent"));
            continue;
        }
        let before: Vec<&Intent> = fitting.into_iter().filter(|intent| intent.at <= request.at).collect();
        // The newest intent before the write is the one that was being carried out.
        match before.last() {
            None => found.push(format!("write before intent: {what}")),
            Some(intent) if sent.contains_key(&intent.seq) => {
                found.push(format!("double write: {what} was sent twice for the intent at {}", intent.seq));
            }
            Some(intent) => {
                if history.end_of(intent).is_some_and(|end| end.at < request.at) {
                    found.push(format!("late write: {what} came after its intent was settled"));
                }
                sent.insert(intent.seq, request.changed);
            }
        }
    }
    sent
}

/// Between two writes to one menu of one device the same router user reads that menu.
fn readings_between(history: &History, found: &mut Vec<String>) {
    let mut last: BTreeMap<(&str, String), (usize, &Request)> = BTreeMap::new();
    for (at, request) in history.requests.iter().enumerate().filter(|(_, request)| request.is_write()) {
        let key = (request.device.as_str(), request.menu());
        if let Some((before, first)) = last.get(&key) {
            let read = history.requests[*before..at].iter().any(|between| {
                between.method == "GET"
                    && between.device == request.device
                    && between.menu() == key.1
                    && between.user == first.user
            });
            if !read {
                found.push(format!("blind second write: {} on {} without a reading", request.path, key.0));
            }
        }
        last.insert(key, (at, request));
    }
}

/// An intent has exactly one end, and the end is the truth.
fn settled(history: &History, intent: &Intent, sent: Option<bool>, found: &mut Vec<String>) {
    let name = format!("{:?} attempt {}", intent.of, intent.attempt);
    // What was held is told twice: at last it is what a reading showed once its timed undo was gone.
    let Some(end) = history.ends_of(intent).next_back() else {
        found.push(format!("forgotten step: {name} has an intent at {} and no end", intent.seq));
        return;
    };
    let last = history.next_intent(intent).is_none();
    let (Of::Step(step), End::Step(status)) = (&intent.of, end.end) else {
        let arms = matches!(intent.of, Of::DeadMan(_, _, false));
        if arms && matches!(end.end, End::DeadMan(DeadManStatus::Armed)) && sent != Some(true) {
            found.push(format!("false end: {name} is armed, but nothing was sent"));
        }
        return;
    };
    let operation = &history.operations[step];
    match (status, intent.undo) {
        (StepStatus::Applied, false)
            if sent != Some(true) && operation.expect_before != operation.expect_after =>
        {
            found.push(format!("false end: {name} is applied, but no write changed the router"));
        }
        (StepStatus::NotApplied | StepStatus::Refused, _) if sent == Some(true) => {
            found.push(format!("false end: {name} is {status:?}, but its write changed the router"));
        }
        _ => {}
    }
    if !last && !matches!(status, StepStatus::NotApplied) && !history.next_intent(intent).unwrap().undo {
        found.push(format!("second attempt: {name} was {status:?} and was begun again"));
    }
    if !last {
        return;
    }
    let truth = match status {
        StepStatus::Applied => history.shows(&intent.device, &operation.expect_after),
        StepStatus::NotApplied | StepStatus::Refused | StepStatus::Undone | StepStatus::RevertedByRouter => {
            history.shows(&intent.device, &operation.expect_before)
        }
        StepStatus::Diverged => history
            .shows(&intent.device, &operation.expect_after)
            .zip(history.shows(&intent.device, &operation.expect_before))
            .map(|(after, before)| !after && !before),
        _ => Some(false),
    };
    match truth {
        Some(true) => {}
        Some(false) => {
            found.push(format!("untrue end: {name} is {status:?}, the router shows otherwise"));
        }
        None => found.push(format!("no truth: nobody looked at {} in the end", intent.device)),
    }
}

mod tests {
    use events::{
        device::Environment,
        event::NewEvent,
        gate::{DeadManSettled, DeadManStarted},
        ids::{CommandId, Moment, PlanId, Seq, WaveNo},
        job::{JobStarted, JobStatusChanged, StepLayout, StepSettled, StepStarted},
        plan::{DevicePart, Origin, Plan, PlanProposed, Risk, RiskLevel, Rollout, Rung},
        principal::Actor,
    };
    use serde_json::json;

    use super::*;

    fn expectation(value: &str) -> Expectation {
        let properties = vec![("servers".into(), Some(value.into()))];
        Expectation::of_menu("/ip/dns", properties)
    }

    fn operation() -> Operation {
        Operation {
            action: Action::SetSingleton {
                menu: "/ip/dns".into(),
                properties: vec![("servers".into(), "9.9.9.9".into())],
            },
            undo: vec![],
            expect_before: expectation("1.1.1.1"),
            expect_after: expectation("9.9.9.9"),
            risky: None,
        }
    }

    /// Events at second 1, 2, 3, …
    fn log(events: Vec<Event>) -> Vec<Envelope> {
        let step = |(n, event): (i64, Event)| {
            let new = NewEvent {
                at: Moment::from_micros(n * 1_000_000),
                actor: Actor::system(),
                command_id: CommandId::from_u128(1),
                event,
            };
            let NewEvent { at, actor, command_id, event } = new;
            Envelope { seq: Seq(n.unsigned_abs()), leaf: None, at, actor, command_id, event }
        };
        (1i64..).zip(events).map(step).collect()
    }

    fn job() -> JobId {
        JobId::from_u128(5)
    }

    fn opening() -> Vec<Event> {
        let (plan_id, device_id) = (PlanId::from_u128(1), "r1".parse::<events::ids::DeviceId>().unwrap());
        let risk = Risk { score: 1, level: RiskLevel::Low, reasons: vec![] };
        let part = DevicePart {
            device_id: device_id.clone(),
            operations: vec![operation()],
            risk,
            bound_sha256: String::new(),
            checks: vec![],
            dead_man: None,
        };
        let plan = Plan {
            plan_id,
            tool: "update_dns_servers".into(),
            summary: String::new(),
            environment: Environment::Lab,
            waves: vec![vec![part]],
            rollback_on_failure: true,
            rollout: Rollout::default(),
            undoes: vec![],
            reason: String::new(),
        };
        let proposed = PlanProposed {
            approvals_needed: 1,
            origin: Origin::default(),
            plan,
            plan_hash: String::new(),
            by: Actor::system(),
            approval_token_sha256: String::new(),
            expires_at: Moment::default(),
        };
        let step = StepLayout { step_id: StepId::from_u128(7), device_id, wave: WaveNo(1), operation: 0 };
        let started = JobStarted { job_id: job(), plan_id, by: Actor::system(), steps: vec![step] };
        vec![proposed.into(), started.into()]
    }

    fn intent(attempt: u32) -> Event {
        StepStarted {
            job_id: job(),
            step_id: StepId::from_u128(7),
            device_id: "r1".parse().unwrap(),
            attempt,
            undo: false,
            operation_sha256: appliance::routeros::port::action_digest(&operation().action),
        }
        .into()
    }

    fn end(status: StepStatus) -> Event {
        StepSettled {
            job_id: job(),
            step_id: StepId::from_u128(7),
            device_id: "r1".parse().unwrap(),
            status,
            code: None,
            detail: String::new(),
            observed: vec![],
        }
        .into()
    }

    fn over(status: JobStatus) -> Event {
        JobStatusChanged { job_id: job(), plan_id: PlanId::from_u128(1), status, reason: String::new() }
            .into()
    }

    fn request(method: &str, path: &str, second: f64, body: Value) -> Request {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers of a test")]
        let at = (second * 1e6) as i64;
        let (device, user) = ("r1".to_owned(), "rw".to_owned());
        Request { device, at, user, method: method.into(), path: path.into(), body, changed: method != "GET" }
    }

    fn read(second: f64) -> Request {
        request("GET", "/rest/ip/dns", second, Value::Null)
    }

    fn write(second: f64) -> Request {
        request("POST", "/rest/ip/dns/set", second, json!({ "servers": "9.9.9.9" }))
    }

    fn story(events: Vec<Event>, requests: Vec<Request>, truth: &str) -> Vec<String> {
        let mut history = History::of_log(&log([opening(), events].concat()), 0);
        history.requests = requests;
        let row = json!({ "servers": truth }).as_object().unwrap().clone();
        history.truth.insert(("r1".into(), "/ip/dns".into()), vec![row]);
        complaints(&history)
    }

    fn applied() -> Vec<Event> {
        vec![intent(1), end(StepStatus::Applied), over(JobStatus::Completed)]
    }

    #[track_caller]
    fn complains(found: &[String], word: &str) {
        assert!(found.iter().any(|line| line.starts_with(word)), "{word}: {found:?}");
    }

    #[test]
    fn good_histories_are_left_alone() {
        assert_eq!(story(applied(), vec![read(2.5), write(3.5), read(3.6)], "9.9.9.9"), [""; 0]);
        assert_eq!(story(vec![], vec![read(2.5)], "1.1.1.1").len(), 1, "the job is still open");
        let twice = vec![
            intent(1),
            end(StepStatus::InDoubt),
            end(StepStatus::NotApplied),
            intent(2),
            end(StepStatus::Applied),
            over(JobStatus::Completed),
        ];
        let mut lost = write(3.5);
        lost.changed = false;
        assert_eq!(story(twice, vec![lost, read(4.5), write(6.5), read(6.6)], "9.9.9.9"), [""; 0]);
        let never_sent = vec![
            intent(1),
            end(StepStatus::NotApplied),
            intent(2),
            end(StepStatus::Applied),
            over(JobStatus::Completed),
        ];
        assert_eq!(story(never_sent, vec![read(3.5), write(5.5), read(5.6)], "9.9.9.9"), [""; 0]);
    }

    #[test]
    fn a_write_without_an_intent_is_an_orphan() {
        let failed = vec![over(JobStatus::Failed)];
        complains(&story(failed, vec![write(3.5)], "9.9.9.9"), "orphan write");
        let mut other = write(3.5);
        other.body = json!({ "servers": "6.6.6.6" });
        complains(&story(applied(), vec![other], "9.9.9.9"), "orphan write");
        let mut elsewhere = write(3.5);
        elsewhere.device = "r2".into();
        complains(&story(applied(), vec![write(3.5), elsewhere], "9.9.9.9"), "orphan write");
    }

    #[test]
    fn a_write_before_its_intent_or_after_its_end_is_told() {
        complains(&story(applied(), vec![write(2.9)], "9.9.9.9"), "write before intent");
        complains(&story(applied(), vec![write(4.1)], "9.9.9.9"), "late write");
    }

    #[test]
    fn a_second_write_for_one_intent_is_told_and_so_is_a_blind_one() {
        let found = story(applied(), vec![write(3.2), write(3.4)], "9.9.9.9");
        complains(&found, "double write");
        complains(&found, "blind second write");
        let with_reading = story(applied(), vec![write(3.2), read(3.3), write(3.4)], "9.9.9.9");
        complains(&with_reading, "double write");
        assert!(!with_reading.iter().any(|line| line.starts_with("blind")), "{with_reading:?}");
        let mut other_user = read(3.3);
        other_user.user = "ro".into();
        complains(
            &story(applied(), vec![write(3.2), other_user, write(3.4)], "9.9.9.9"),
            "blind second write",
        );
    }

    #[test]
    fn a_forgotten_step_and_an_open_job_are_told() {
        let found = story(vec![intent(1), end(StepStatus::InDoubt)], vec![write(3.5)], "9.9.9.9");
        complains(&found, "forgotten step");
        complains(&found, "open job");
        complains(
            &story(vec![intent(1), over(JobStatus::Completed)], vec![write(3.5)], "9.9.9.9"),
            "forgotten",
        );
    }

    #[test]
    fn ends_that_are_not_true_are_told() {
        complains(&story(applied(), vec![write(3.5)], "1.1.1.1"), "untrue end");
        complains(&story(applied(), vec![read(3.5)], "9.9.9.9"), "false end");
        let refused = vec![intent(1), end(StepStatus::Refused), over(JobStatus::Failed)];
        complains(&story(refused, vec![write(3.5)], "9.9.9.9"), "false end");
    }

    #[test]
    fn an_attempt_after_an_applied_one_is_told() {
        let again = vec![
            intent(1),
            end(StepStatus::Applied),
            intent(2),
            end(StepStatus::Applied),
            over(JobStatus::Completed),
        ];
        complains(&story(again, vec![write(3.5), read(4.5), write(5.5)], "9.9.9.9"), "second attempt");
    }

    /// Armed, written under it, disarmed.
    fn guarded(disarmed: &[Event]) -> Vec<String> {
        let dead_man = DeadMan {
            rung: Rung::TimerJob,
            seconds: 30,
            arm: Action::Command { menu: "/".into(), command: "execute".into(), properties: vec![] },
            menu: "/system/script/job".into(),
            name: None,
        };
        let device_id = || "r1".parse::<events::ids::DeviceId>().unwrap();
        let begun = |disarm: bool, action: &Action| {
            let operation_sha256 = appliance::routeros::port::action_digest(action);
            let job_id = job();
            Event::from(DeadManStarted {
                job_id,
                device_id: device_id(),
                attempt: 1,
                disarm,
                operation_sha256,
            })
        };
        let remove = Action::Remove { menu: dead_man.menu.clone(), id: "*5".into() };
        let mut events = opening();
        let Event::PlanProposed(proposed) = &mut events[0] else { unreachable!() };
        proposed.plan.waves[0][0].dead_man = Some(dead_man.clone());
        events.extend([begun(false, &dead_man.arm), dead_man_is(DeadManStatus::Armed)]);
        events.extend(applied()[..2].to_vec());
        events.push(begun(true, &remove));
        events.extend_from_slice(disarmed);
        events.push(over(JobStatus::Completed));
        let mut history = History::of_log(&log(events), 0);
        history.requests = vec![
            request("POST", "/rest/execute", 3.5, json!({})),
            write(5.5),
            request("DELETE", "/rest/system/script/job/*5", 7.5, Value::Null),
        ];
        let row = json!({ "servers": "9.9.9.9" }).as_object().unwrap().clone();
        history.truth.insert(("r1".into(), "/ip/dns".into()), vec![row]);
        complaints(&history)
    }

    fn dead_man_is(status: DeadManStatus) -> Event {
        let reference = (status == DeadManStatus::Armed).then(|| "*5".into());
        let (job_id, device_id) = (job(), "r1".parse().unwrap());
        DeadManSettled { job_id, device_id, status, reference, code: None, detail: String::new() }.into()
    }

    #[test]
    fn disarming_has_an_end_of_its_own() {
        assert_eq!(guarded(&[dead_man_is(DeadManStatus::Disarmed)]), [""; 0]);
        assert_eq!(guarded(&[dead_man_is(DeadManStatus::Lapsed)]), [""; 0]);
        complains(&guarded(&[]), "forgotten step");
        complains(&guarded(&[dead_man_is(DeadManStatus::InDoubt)]), "forgotten step");
    }

    #[test]
    fn an_intent_whose_digest_is_of_something_else_covers_nothing() {
        let mut forged = intent(1);
        if let Event::StepStarted(step) = &mut forged {
            step.operation_sha256 = "00".repeat(32);
        }
        let events = vec![forged, end(StepStatus::Applied), over(JobStatus::Completed)];
        complains(&story(events, vec![write(3.5)], "9.9.9.9"), "orphan write");
    }
}
