//! What a seed means: routers, a plan for them, and what will go wrong.

use std::collections::BTreeMap;

use events::{
    device::Environment,
    ids::DeviceId,
    operation::{Action, Expectation, Operation, Place, Which},
    plan::{DeadMan, DevicePart, GatePolicy, Plan, Risk, RiskLevel, Rollout, Rung},
};

use crate::{
    domain::testing::{device_id, plan_id},
    runner::seeds::{
        rng::Rng,
        router::{CUT, Config, ENTRIES, JOBS, ONE, RULES, Script, Sick, TWO, row},
    },
};

/// How often what goes wrong, in percent.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    /// No connection, a busy lane.
    pub nothing_sent: u64,
    pub lost_request: u64,
    pub lost_answer: u64,
    pub refused: u64,
    /// It says no, and has done it.
    pub refused_yet_done: u64,
    /// It says yes, and has not.
    pub yes_but_nothing: u64,
    /// Something else than was wanted.
    pub strange: u64,
    /// A request that needs more than a minute.
    pub slow: u64,
    pub unread: u64,
    /// A timed undo that runs late, or never.
    pub late_timer: u64,
    /// Nothing of it happens any more after so many seconds.
    pub until_s: u64,
}

/// What happens by itself.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// A router does not answer for so long; `None`: for ever.
    Silent(DeviceId, Option<u64>),
    Reboot(DeviceId),
    /// Somebody else changes a router.
    Edit(DeviceId),
    /// The store is away for so long; a commit in hand may have become durable all the same.
    StoreAway(u64, bool),
    /// The clock is set, by so many seconds.
    Clock(i64),
    /// An admin confirms another key.
    Rekey(DeviceId),
    Cancel,
    /// Somebody else wants one of the routers.
    Rival,
}

/// Who looks after the job.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// Decisions made without thinking; after them come those that end it.
    pub whims: u32,
    pub looks_every_s: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub seed: u64,
    pub routers: BTreeMap<DeviceId, (Config, Option<Sick>, bool)>,
    pub plan: Plan,
    /// A plan for other routers, carried out at the same time.
    pub beside: Option<Plan>,
    /// A plan that reverses the first one, carried out when that is completed.
    pub reverse: Option<Plan>,
    pub faults: Faults,
    pub happenings: Vec<(u64, Happening)>,
    /// The process dies after so many doings of it.
    pub crashes: Vec<u64>,
    pub person: Option<Person>,
}

impl Scenario {
    pub(super) fn of(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let large = rng.chance(2);
        let devices = if large { rng.between(17, 24) } else { rng.between(1, 13) };
        let ids: Vec<DeviceId> = (1..=devices).map(|n| device_id(&format!("r{n}"))).collect();
        let calm = rng.chance(25);
        let gate = rng.chance(70).then(|| GatePolicy {
            resolve: rng.chance(30).then(|| "example.com".to_owned()),
            ntp: rng.chance(30),
            ..GatePolicy::default()
        });
        let soak_seconds = u32::try_from(rng.pick(&[0, 0, 30, 90, 300])).unwrap();
        let sick = if calm { 2 } else { 8 };
        let mut routers = BTreeMap::new();
        let mut parts = Vec::new();
        let beside = if rng.chance(25) { rng.between(1, 4) } else { 0 };
        let others = (1..=beside).map(|n| device_id(&format!("s{n}")));
        for device_id in ids.iter().cloned().chain(others) {
            let config = config(rng);
            let guarded = rng.chance(45);
            // Some changes under a timed undo cut the way indeed.
            let one = if guarded && !calm && rng.chance(15) { CUT } else { "9.9.9.9" };
            let operations = operations(rng, &config, one);
            let dead_man = guarded.then(|| dead_man(rng, &device_id, &operations, soak_seconds));
            let all = [Sick::Busy, Sick::Full, Sick::Cluttered, Sick::Hot, Sick::Deaf];
            let sick = rng.chance(sick).then(|| rng.pick(&all));
            routers.insert(device_id.clone(), (config, sick, rng.chance(20)));
            parts.push(part(device_id, operations, dead_man));
        }
        let others = parts.split_off(ids.len());
        let mut waves = Vec::new();
        let many = if large { 1 } else { rng.between(1, 5) };
        let size = parts.len().div_ceil(usize::try_from(many).unwrap()).max(1);
        while !parts.is_empty() {
            let rest = parts.split_off(size.min(parts.len()));
            waves.push(std::mem::replace(&mut parts, rest));
        }
        let plan = Plan {
            plan_id: plan_id(1),
            tool: "a_model".into(),
            summary: "a model of a rollout".into(),
            environment: Environment::Lab,
            waves,
            rollback_on_failure: rng.chance(60),
            rollout: Rollout {
                pause_seconds: u32::try_from(rng.pick(&[0, 0, 10, 60])).unwrap(),
                soak_seconds,
                gate,
                without_dead_man: false,
            },
            undoes: vec![],
            reason: String::new(),
        };
        let beside = (!others.is_empty()).then(|| Plan {
            plan_id: plan_id(4),
            waves: others.chunks(2).map(<[DevicePart]>::to_vec).collect(),
            ..plan.clone()
        });
        let reverse = rng.chance(35).then(|| reversed(rng, &plan));
        let faults = if calm { Faults::default() } else { faults(rng) };
        let mut happenings = if calm { Vec::new() } else { happenings(rng, &ids) };
        if rng.chance(12) {
            happenings.push((rng.between(0, 400), Happening::Cancel));
        }
        if rng.chance(20) {
            happenings.push((rng.between(1, 200), Happening::Rival));
        }
        happenings.sort_by_key(|(at, _)| *at);
        let deaths = if rng.chance(40) { rng.between(1, 4) } else { 0 };
        let crashes = (0..deaths).map(|_| rng.between(1, 60 * devices)).collect();
        let person = rng.chance(85).then(|| Person {
            whims: u32::try_from(rng.between(0, 6)).unwrap(),
            looks_every_s: rng.between(20, 400),
        });
        Self { seed, routers, plan, beside, reverse, faults, happenings, crashes, person }
    }
}

fn faults(rng: &mut Rng) -> Faults {
    let mut some = |most: u64| if rng.chance(40) { rng.between(1, most) } else { 0 };
    Faults {
        nothing_sent: some(20),
        lost_request: some(20),
        lost_answer: some(20),
        refused: some(8),
        refused_yet_done: some(5),
        yes_but_nothing: some(8),
        strange: some(4),
        slow: some(4),
        unread: some(30),
        late_timer: some(30),
        until_s: rng.between(10, 3600),
    }
}

fn happenings(rng: &mut Rng, ids: &[DeviceId]) -> Vec<(u64, Happening)> {
    let mut all = Vec::new();
    for device_id in ids {
        let at = rng.between(0, 300);
        if rng.chance(5) {
            let long = (!rng.chance(25)).then(|| rng.between(3, 900));
            all.push((at, Happening::Silent(device_id.clone(), long)));
        }
        if rng.chance(5) {
            all.push((rng.between(0, 200), Happening::Reboot(device_id.clone())));
        }
        if rng.chance(2) {
            all.push((rng.between(0, 300), Happening::Edit(device_id.clone())));
        }
        if rng.chance(1) {
            all.push((rng.between(0, 300), Happening::Rekey(device_id.clone())));
        }
    }
    for _ in 0..2 {
        if rng.chance(12) {
            all.push((rng.between(0, 300), Happening::StoreAway(rng.between(1, 120), rng.chance(50))));
        }
        if rng.chance(8) {
            let by = rng.pick(&[-86_400, -3600, -60, -5, 5, 60, 3600, 86_400]);
            all.push((rng.between(0, 300), Happening::Clock(by)));
        }
    }
    all
}

fn config(rng: &mut Rng) -> Config {
    let rule =
        |n: u64| row(&[(".id", &format!("*{n}")), ("comment", &format!("rule-{n}")), ("value", "old")]);
    let last = rng.between(4, 7);
    Config {
        one: row(&[("a", "1.1.1.1"), ("other", "kept")]),
        two: if rng.chance(50) { row(&[("b", "10")]) } else { row(&[]) },
        rules: (2..=last).map(rule).collect(),
    }
}

/// One to three changes of things that are apart from each other.
fn operations(rng: &mut Rng, config: &Config, one: &str) -> Vec<Operation> {
    let many = usize::try_from(rng.between(1, 4)).unwrap();
    let kinds = rng.some(&["one", "two", "set", "shape"], many);
    let rules = rng.some(&(0..config.rules.len()).collect::<Vec<_>>(), 2);
    let make = |kind: &&str| match *kind {
        "one" => set_menu(ONE, "a", config.one.get("a"), one),
        "two" => set_menu(TWO, "b", config.two.get("b"), "20"),
        "set" => set_rule(rng, config, rules[0]),
        _ => shape(rng, config, rules[1]),
    };
    kinds.iter().map(make).collect()
}

fn operation(
    action: Action,
    undo: Action,
    expect_before: Expectation,
    expect_after: Expectation,
) -> Operation {
    Operation { action, undo: vec![undo], expect_before, expect_after, risky: None }
}

fn set_menu(menu: &str, name: &str, before: Option<&String>, after: &str) -> Operation {
    let set = |value: &str| Action::SetSingleton {
        menu: menu.to_owned(),
        properties: vec![(name.to_owned(), value.to_owned())],
    };
    let expect =
        |value: Option<&str>| Expectation::of_menu(menu, vec![(name.to_owned(), value.map(str::to_owned))]);
    let before = before.map(String::as_str);
    operation(set(after), set(before.unwrap_or("")), expect(before), expect(Some(after)))
}

fn wanted(pairs: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
}

fn find(comment: &str) -> Which {
    Which::Find { by: wanted(&[("comment", comment)]), narrow: vec![], except: vec![] }
}

fn set_rule(rng: &mut Rng, config: &Config, at: usize) -> Operation {
    let (id, comment) = (config.rules[at][".id"].clone(), config.rules[at]["comment"].clone());
    let (which, id) = match rng.chance(50) {
        true => (Which::Id(id.clone()), id),
        false => (find(&comment), events::operation::FOUND.to_owned()),
    };
    let set = |value: &str| Action::Set {
        menu: RULES.to_owned(),
        id: id.clone(),
        properties: vec![("value".to_owned(), value.to_owned())],
    };
    let expect = |value: &str| Expectation::of(RULES, which.clone(), wanted(&[("value", value)]));
    operation(set("new"), set("old"), expect("old"), expect("new"))
}

/// A rule more, a rule less, or one elsewhere.
fn shape(rng: &mut Rng, config: &Config, at: usize) -> Operation {
    let found = || events::operation::FOUND.to_owned();
    let id = |at: usize| config.rules.get(at).map(|row| row[".id"].clone());
    let add = |comment: &str, value: &str, before: Option<String>| {
        let mut properties =
            vec![("comment".to_owned(), comment.to_owned()), ("value".to_owned(), value.to_owned())];
        properties.extend(before.map(|id| ("place-before".to_owned(), id)));
        Action::Add { menu: RULES.to_owned(), properties }
    };
    let remove = Action::Remove { menu: RULES.to_owned(), id: found() };
    let stands = |before: Option<String>| Some(before.map_or(Place::Last, Place::Before));
    let comment = config.rules[at]["comment"].clone();
    match rng.between(0, 3) {
        0 => {
            let before = id(at).filter(|_| rng.chance(60));
            let there = Expectation {
                place: stands(before.clone()),
                ..Expectation::of(RULES, find("added"), wanted(&[("value", "new")]))
            };
            let count = rng.chance(50).then_some(config.rules.len() as u64);
            let gone = Expectation { count, ..Expectation::gone(RULES, find("added")) };
            operation(add("added", "new", before), remove, gone, there)
        }
        1 => {
            let there = Expectation {
                place: stands(id(at + 1)),
                ..Expectation::of(RULES, find(&comment), wanted(&[("value", "old")]))
            };
            let gone = Expectation::gone(RULES, find(&comment));
            operation(remove, add(&comment, "old", id(at + 1)), there, gone)
        }
        _ => {
            // Far enough away to be a move at all.
            let target = if at >= 2 { Some(0) } else { (at + 2 < config.rules.len()).then_some(at + 2) };
            let to = |before: Option<String>| {
                let mut properties = vec![("numbers".to_owned(), found())];
                properties.extend(before.map(|id| ("destination".to_owned(), id)));
                Action::Command { menu: RULES.to_owned(), command: "move".to_owned(), properties }
            };
            let there = |before: Option<String>| Expectation {
                place: stands(before),
                ..Expectation::of(RULES, find(&comment), vec![])
            };
            let (back, forth) = (id(at + 1), target.and_then(id));
            operation(to(forth.clone()), to(back.clone()), there(back), there(forth))
        }
    }
}

fn part(device_id: DeviceId, mut operations: Vec<Operation>, dead_man: Option<DeadMan>) -> DevicePart {
    if dead_man.is_some() {
        operations[0].risky = Some("it could cut our own way".into());
    }
    DevicePart {
        device_id,
        operations,
        risk: Risk { score: 30, level: RiskLevel::Medium, reasons: vec![] },
        bound_sha256: String::new(),
        checks: vec![],
        dead_man,
    }
}

/// A timed undo; some are too short for their gate.
fn dead_man(rng: &mut Rng, device_id: &DeviceId, operations: &[Operation], soak_seconds: u32) -> DeadMan {
    let seconds = match rng.chance(80) {
        true => soak_seconds + u32::try_from(rng.between(60, 400)).unwrap(),
        false => u32::try_from(rng.between(2, 40)).unwrap(),
    };
    let script = Script { seconds, operations: operations.to_vec() };
    let text = serde_json::to_string(&script).unwrap();
    let rung = rng.pick(&[Rung::TimerJob, Rung::Scheduler]);
    let name = format!("appliance-undo-{device_id}");
    let property = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (arm, menu, name) = match rung {
        Rung::TimerJob => (
            Action::Command {
                menu: "/".to_owned(),
                command: "execute".to_owned(),
                properties: vec![property("script", &text)],
            },
            JOBS,
            None,
        ),
        Rung::Scheduler => (
            Action::Add {
                menu: ENTRIES.to_owned(),
                properties: vec![property("name", &name), property("on-event", &text)],
            },
            ENTRIES,
            Some(name),
        ),
    };
    DeadMan { rung, seconds, arm, menu: menu.to_owned(), name }
}

fn reversed(rng: &mut Rng, plan: &Plan) -> Plan {
    let back = |operation: &Operation| Operation {
        action: operation.undo[0].clone(),
        undo: vec![operation.action.clone()],
        expect_before: operation.expect_after.clone(),
        expect_after: operation.expect_before.clone(),
        risky: None,
    };
    let mut part_of = |one: &DevicePart| {
        let operations: Vec<Operation> = one.operations.iter().rev().map(back).collect();
        let soak = plan.rollout.soak_seconds;
        let dead_man = one.dead_man.as_ref().map(|_| dead_man(rng, &one.device_id, &operations, soak));
        part(one.device_id.clone(), operations, dead_man)
    };
    let waves = plan.waves.iter().rev().map(|parts| parts.iter().map(&mut part_of).collect()).collect();
    Plan {
        plan_id: plan_id(2),
        waves,
        rollback_on_failure: false,
        undoes: vec![plan.plan_id],
        reason: "it was not wanted after all".into(),
        ..plan.clone()
    }
}
