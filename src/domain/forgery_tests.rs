//! Forged approvals: whatever is changed about a plan, an approval, its order or its time, nothing of it is accepted.
//!
//! `APPLIANCE_MUTATIONS` says how many are tried (2,000 otherwise); the totals of each kind are printed.

use std::collections::BTreeMap;

use events::{
    device::{Environment, Trust},
    event::Event,
    operation::Action,
    plan::{DeadMan, GatePolicy, Plan, Precheck, RiskLevel, Rollout, Rung},
    principal::{Actor, Door, Role},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::Value;

use crate::{
    domain::{
        Command, Rules, Seen,
        job::bound_sha256,
        plan::hash,
        testing::{Given, added, agent, device_id, dns_plan, given, job_id, plan_id, step_id},
    },
    failure::Code,
};

const TOKEN: &str = "5f2b8e4d0c1a69733e5f90b7a2d4c6180f1e2d3c4b5a69788796a5b4c3d2e1f0";
const OTHER_TOKEN: &str = "0f2b8e4d0c1a69733e5f90b7a2d4c6180f1e2d3c4b5a69788796a5b4c3d2e1f5";

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A field of the plan: the hash of that other plan is approved.
    PlanField,
    /// The plan is proposed anew, changed, under its own id.
    PlanAgain,
    /// The text of the hash.
    Hash,
    /// The plan that the approval names.
    PlanId,
    /// The approver's name, label, role or door.
    Approver,
    /// The approver stands for no person.
    Personal,
    /// The second of two approvers is the first one.
    Second,
    /// The text of the token.
    Token,
    /// Another plan's token, or none.
    TokenOfOther,
    /// The time of the approval.
    ApprovedLate,
    /// The time of the start.
    StartedLate,
    /// What comes first, what comes twice, what comes between.
    Order,
    /// A device since the plan was made.
    Device,
    /// A workflow's or a policy's name in place of a person.
    Policy,
}

const KINDS: [Kind; 14] = [
    Kind::PlanField,
    Kind::PlanAgain,
    Kind::Hash,
    Kind::PlanId,
    Kind::Approver,
    Kind::Personal,
    Kind::Second,
    Kind::Token,
    Kind::TokenOfOther,
    Kind::ApprovedLate,
    Kind::StartedLate,
    Kind::Order,
    Kind::Device,
    Kind::Policy,
];

/// One forgery: what, and the dice that decide how.
#[derive(Debug, Clone)]
struct Forgery {
    kind: Kind,
    high: bool,
    dice: [u32; 4],
    text: String,
}

fn forgery() -> impl Strategy<Value = Forgery> {
    (prop::sample::select(&KINDS[..]), any::<bool>(), any::<[u32; 4]>(), "[a-z0-9:. _-]{0,12}")
        .prop_map(|(kind, high, dice, text)| Forgery { kind, high, dice, text })
}

fn carol() -> Actor {
    Actor { name: "token:carol".into(), label: "carol".into(), role: Role::Approver, door: Door::Api }
}

fn dave() -> Actor {
    Actor { name: "token:dave".into(), label: "dave".into(), role: Role::Approver, door: Door::Cli }
}

/// Three prod routers, a plan of the agent's for two of them, and another plan of its for the third.
fn stage(high: bool) -> (Given, Plan) {
    let mut given =
        given(["r1", "r2", "r3"].into_iter().zip(1..).map(|(id, n)| added(id, n, Environment::Prod)));
    given.rules = Rules { two_approvers_for_high_risk: true, ..Rules::default() };
    for id in ["r1", "r2", "r3"] {
        let trust = Trust::SpkiPin { sha256: "ab".repeat(32) };
        given.when(&Actor::system(), Command::TrustDevice { device_id: device_id(id), trust });
    }
    let mut plan = dns_plan(1, Environment::Prod, &["r1", "r2"]);
    let mut other = dns_plan(2, Environment::Prod, &["r3"]);
    for part in plan.waves.iter_mut().chain(&mut other.waves).flatten() {
        part.bound_sha256 = bound_sha256(&given.state.devices[&part.device_id]);
        part.risk.level = if high { RiskLevel::High } else { RiskLevel::Medium };
        part.risk.reasons.push("it may cut our own way".into());
        part.operations[0].risky = Some("it may cut our own way".into());
        let note = "by a reading".to_owned();
        part.checks.push(Precheck { check: "reachable".into(), passed: true, note });
        part.dead_man = Some(dead_man());
    }
    for plan in [&mut plan, &mut other] {
        let gate = Some(GatePolicy { resolve: Some("example.com".into()), ..GatePolicy::default() });
        plan.rollout = Rollout { pause_seconds: 60, soak_seconds: 30, gate, without_dead_man: false };
        "two servers less".clone_into(&mut plan.reason);
    }
    given.when(&agent(), propose(&plan, TOKEN, None));
    given.when(&agent(), propose(&other, OTHER_TOKEN, None));
    (given, plan)
}

fn dead_man() -> DeadMan {
    let properties = vec![("script".into(), ":delay 120s; /ip/dns/set servers=\"1.1.1.1\"".into())];
    DeadMan {
        rung: Rung::TimerJob,
        seconds: 120,
        arm: Action::Command { menu: "/".into(), command: "execute".into(), properties },
        menu: "/system/script/job".into(),
        name: Some("appliance-undo-1".into()),
    }
}

fn propose(plan: &Plan, token: &str, policy: Option<String>) -> Command {
    Command::ProposePlan {
        plan: Box::new(plan.clone()),
        approval_token_sha256: token.to_owned(),
        policy,
        origin: events::plan::Origin::default(),
    }
}

fn approve(plan: &Plan) -> Command {
    Command::ApprovePlan {
        plan_id: plan.plan_id,
        plan_hash: hash(plan),
        comment: "fine".into(),
        personal: true,
    }
}

fn start(plan: &Plan, token: Option<&str>) -> Command {
    Command::StartJob {
        plan_id: plan.plan_id,
        job_id: job_id(1),
        step_ids: vec![step_id(1), step_id(2)],
        approval_token_sha256: token.map(str::to_owned),
    }
}

/// Every approval that the plan needs.
fn approved(given: &mut Given, plan: &Plan, high: bool) {
    given.when(&carol(), approve(plan));
    if high {
        given.when(&dave(), approve(plan));
    }
}

/// Another text: a character changed, taken away or added, or its case.
fn bent(text: &str, dice: [u32; 4]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = dice[1] as usize % chars.len().max(1);
    let other = char::from(b"0123456789abcdefg *"[dice[2] as usize % 19]);
    match dice[0] % 6 {
        0 if !chars.is_empty() => chars[at] = other,
        1 if !chars.is_empty() => drop(chars.remove(at)),
        2 => chars.insert(at, other),
        3 if chars.len() > 1 => chars.swap(at, (at + 1 + dice[3] as usize % (text.len() - 1)) % text.len()),
        4 => chars = text.to_uppercase().chars().collect(),
        _ => chars.truncate(at),
    }
    chars.into_iter().collect()
}

/// Every value inside a value, by its path: those without parts, lists, and what may be left out as a whole.
fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(path.clone());
            fields.iter().for_each(|(key, value)| leaves(value, format!("{path}/{key}"), found))
        }
        Value::Array(items) => {
            found.push(path.clone());
            items.iter().enumerate().for_each(|(n, value)| leaves(value, format!("{path}/{n}"), found));
        }
        _ => found.push(path),
    }
}

/// Another one of the words of which a value is one.
fn other_word(word: &str) -> Option<&'static str> {
    match word {
        "timer_job" => Some("scheduler"),
        "low" | "medium" => Some("high"),
        "high" => Some("low"),
        "prod" => Some("staging"),
        _ => None,
    }
}

/// A plan that differs in one place; nothing when the dice made it no plan, or the same one.
fn other_plan(plan: &Plan, dice: [u32; 4], text: &str) -> Option<Plan> {
    let mut value = serde_json::to_value(plan).unwrap();
    let mut paths = Vec::new();
    leaves(&value, String::new(), &mut paths);
    let path = &paths[dice[3] as usize % paths.len()];
    let place = value.pointer_mut(path).unwrap();
    *place = match place.take() {
        Value::Object(_) => Value::Null,
        Value::Array(items) if items.is_empty() => vec![match path.as_str() {
            "/undoes" => serde_json::to_value(plan_id(u128::from(dice[1]))).unwrap(),
            _ => text.into(),
        }]
        .into(),
        Value::String(old) if other_word(&old).is_some() => other_word(&old).unwrap().into(),
        Value::String(old) if dice[0].is_multiple_of(3) => format!("{old}{text}").into(),
        Value::String(old) => bent(&old, dice).into(),
        Value::Number(old) => (old.as_i64().unwrap_or(0) + i64::from(dice[1] % 9) - 4).into(),
        Value::Bool(old) => (!old).into(),
        Value::Null => text.into(),
        Value::Array(mut items) if !items.is_empty() => {
            let at = dice[1] as usize % items.len();
            match dice[0] % 3 {
                0 => items.push(items[at].clone()),
                1 => drop(items.remove(at)),
                _ => items.rotate_left(at),
            }
            items.into()
        }
        old => old,
    };
    serde_json::from_value(value).ok().filter(|other| other != plan)
}

/// What a forgery does, on a stage where the honest way would be accepted: the last wish is the forged one. Nothing when
/// the dice forged nothing.
fn forged(f: &Forgery) -> Option<(Given, Actor, Command)> {
    let (mut given, plan) = stage(f.high);
    let dice = f.dice;
    let approval = |plan_id, plan_hash: String, personal| Command::ApprovePlan {
        plan_id,
        plan_hash,
        comment: "fine".into(),
        personal,
    };
    match f.kind {
        Kind::PlanField => {
            let other = other_plan(&plan, dice, &f.text)?;
            Some((given, carol(), approval(plan.plan_id, hash(&other), true)))
        }
        Kind::PlanAgain => {
            let mut other = other_plan(&plan, dice, &f.text)?;
            other.plan_id = plan.plan_id;
            if dice[2].is_multiple_of(2) {
                approved(&mut given, &plan, f.high);
            }
            (other != plan).then(|| (given, agent(), propose(&other, TOKEN, None)))
        }
        Kind::Hash => {
            let other = bent(&hash(&plan), dice);
            (other != hash(&plan)).then(|| (given, carol(), approval(plan.plan_id, other, true)))
        }
        Kind::PlanId => {
            let other = plan_id(
                u128::from(dice[0] % 8) + if dice[1].is_multiple_of(4) { 1 } else { u128::from(dice[1]) },
            );
            (other != plan.plan_id).then(|| (given, carol(), approval(other, hash(&plan), true)))
        }
        Kind::Approver => {
            let mut actor = carol();
            let roles = [Role::ReadOnly, Role::OpsRw, Role::Admin];
            match dice[0] % 5 {
                0 => actor.role = roles[dice[1] as usize % 3],
                1 => agent().name.clone_into(&mut actor.name),
                2 => actor.label = spelled(&agent().label, dice),
                3 => actor.door = [Door::McpHttp, Door::McpStdio][dice[1] as usize % 2],
                _ => actor = Actor { door: Door::Api, ..agent() },
            }
            Some((given, actor, approve(&plan)))
        }
        Kind::Personal => Some((given, carol(), approval(plan.plan_id, hash(&plan), false))),
        Kind::Second => {
            let (mut given, plan) = stage(true);
            given.when(&carol(), approve(&plan));
            match dice[0] % 4 {
                0 => Some((given, carol(), approve(&plan))),
                1 => Some((given, Actor { label: f.text.clone(), ..carol() }, approve(&plan))),
                2 => {
                    let label = spelled("carol", dice);
                    Some((
                        given,
                        Actor { name: format!("token:{}", f.text), label, ..carol() },
                        approve(&plan),
                    ))
                }
                _ => Some((given, agent(), start(&plan, Some(TOKEN)))),
            }
        }
        Kind::Token => {
            approved(&mut given, &plan, f.high);
            let other = bent(TOKEN, dice);
            (other != TOKEN).then(|| (given, agent(), start(&plan, Some(&other))))
        }
        Kind::TokenOfOther => {
            approved(&mut given, &plan, f.high);
            let shown = [Some(OTHER_TOKEN), Some(""), None][dice[0] as usize % 3];
            let door = [Door::McpHttp, Door::McpStdio][dice[1] as usize % 2];
            Some((given, Actor { door, ..agent() }, start(&plan, shown)))
        }
        Kind::ApprovedLate => {
            given.after_s = 24 * 3600 + i64::from(dice[0]);
            Some((given, carol(), approve(&plan)))
        }
        Kind::StartedLate => {
            given.after_s = i64::from(dice[1] % (24 * 3600));
            approved(&mut given, &plan, f.high);
            given.after_s += 15 * 60 + i64::from(dice[0]);
            Some((given, agent(), start(&plan, Some(TOKEN))))
        }
        Kind::Order => Some(disorder(given, &plan, f)),
        Kind::Device => {
            approved(&mut given, &plan, f.high);
            let id = device_id(["r1", "r2"][dice[1] as usize % 2]);
            changed(&mut given, &id, dice);
            Some((given, agent(), start(&plan, Some(TOKEN))))
        }
        Kind::Policy => {
            let mut other = plan.clone();
            other.plan_id = plan_id(u128::from(dice[0]) + 100);
            let policy = format!("workflow:{}", f.text);
            Some((given, agent(), propose(&other, TOKEN, Some(policy))))
        }
    }
}

/// The same label, written otherwise.
fn spelled(label: &str, dice: [u32; 4]) -> String {
    match dice[2] % 4 {
        0 => label.to_owned(),
        1 => label.to_uppercase(),
        2 => format!("  {label}\t"),
        _ => format!(" {}", label.to_uppercase()),
    }
}

/// What comes at the wrong time.
fn disorder(mut given: Given, plan: &Plan, f: &Forgery) -> (Given, Actor, Command) {
    let reject = || Command::RejectPlan { plan_id: plan.plan_id, comment: "no".into(), personal: true };
    let starting = (agent(), start(plan, Some(TOKEN)));
    let approving = (dave(), approve(plan));
    let late = if f.dice[1].is_multiple_of(2) { starting.clone() } else { approving };
    let (actor, wish) = match f.dice[0] % 5 {
        0 => starting,
        1 => {
            given.when(&carol(), reject());
            late
        }
        2 => {
            approved(&mut given, plan, f.high);
            given.when(&carol(), reject());
            late
        }
        3 => {
            approved(&mut given, plan, f.high);
            given.when(&agent(), start(plan, Some(TOKEN)));
            late
        }
        _ => {
            given.after_s = 24 * 3600;
            given.when(&Actor::system(), Command::ExpirePlan { plan_id: plan.plan_id });
            // A clock that is set back wakes nothing up.
            given.after_s = i64::from(f.dice[2] % (24 * 3600));
            late
        }
    };
    (given, actor, wish)
}

/// The device is another one, somewhere else, or gone.
fn changed(given: &mut Given, id: &events::ids::DeviceId, dice: [u32; 4]) {
    let mut settings = given.state.devices[id].settings.clone();
    match dice[0] % 5 {
        0 => settings.management_ip = [198, 51, 100, (dice[2] % 250) as u8].into(),
        1 => settings.management_port = 444 + (dice[2] % 1000) as u16,
        2 => settings.environment = [Environment::Lab, Environment::Staging][dice[2] as usize % 2],
        3 => {
            let trust = Trust::SpkiPin { sha256: format!("{:08x}", dice[2]).repeat(8) };
            given.when(&Actor::system(), Command::TrustDevice { device_id: id.clone(), trust });
            return;
        }
        _ => {
            given.when(
                &Actor::system(),
                Command::RemoveDevice { device_id: id.clone(), reason: String::new() },
            );
            return;
        }
    }
    let seen = Box::new(Seen::from(&given.state.devices[id]));
    let edit = Command::EditDevice { device_id: id.clone(), seen, settings, trust: None, logins: vec![] };
    given.when(&Actor::system(), edit);
}

fn yes(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::PlanApproved(_) | Event::JobStarted(_) | Event::PlanProposed(_)))
}

#[test]
fn an_approval_is_of_no_plan_that_differs_in_any_place() {
    let (given, plan) = stage(true);
    let value = serde_json::to_value(&plan).unwrap();
    let mut paths = Vec::new();
    leaves(&value, String::new(), &mut paths);
    let mut bent_in = Vec::new();
    for (n, path) in (0u32..).zip(&paths) {
        let tries = (0..6).flat_map(|a| (0..4).map(move |b| [a, b, b + 1, n]));
        let others: Vec<Plan> = tries.filter_map(|dice| other_plan(&plan, dice, "x")).collect();
        for other in &others {
            let wish = Command::ApprovePlan {
                plan_id: plan.plan_id,
                plan_hash: hash(other),
                comment: "fine".into(),
                personal: true,
            };
            given.refused(&carol(), wish, Code::PlanHashMismatch);
        }
        bent_in.extend((!others.is_empty()).then_some(path.as_str()));
    }
    let part = "/waves/0/0";
    for place in [
        "/undoes",
        "/reason",
        "/environment",
        "/rollback_on_failure",
        "/rollout/pause_seconds",
        "/rollout/soak_seconds",
        "/rollout/without_dead_man",
        "/rollout/gate",
        "/rollout/gate/cpu_percent",
        "/rollout/gate/memory_percent",
        "/rollout/gate/disk_percent",
        "/rollout/gate/temperature_celsius",
        "/rollout/gate/resolve",
        "/rollout/gate/ntp",
    ] {
        assert!(bent_in.contains(&place), "{place}: {bent_in:?}");
    }
    for place in [
        "/bound_sha256",
        "/risk/level",
        "/checks",
        "/checks/0/passed",
        "/operations/0/risky",
        "/operations/0/expect_before/properties/0/1",
        "/operations/0/undo/0",
        "/dead_man",
        "/dead_man/seconds",
        "/dead_man/arm",
        "/dead_man/menu",
        "/dead_man/name",
        "/dead_man/rung",
    ] {
        let place = format!("{part}{place}");
        let inside = |path: &&str| path.starts_with(&place);
        assert!(bent_in.iter().any(inside), "{place}: {bent_in:?}");
    }
}

#[test]
fn no_forged_approval_is_accepted() {
    for high in [false, true] {
        let (mut given, plan) = stage(high);
        approved(&mut given, &plan, high);
        assert!(yes(&given.when(&agent(), start(&plan, Some(TOKEN)))), "the honest way is accepted");
    }
    let wanted: usize =
        std::env::var("APPLIANCE_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let seed: u64 = std::env::var("APPLIANCE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = forgery();
    let mut tried: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut codes: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut same = 0;
    while tried.values().sum::<usize>() < wanted {
        let f = strategy.new_tree(&mut runner).unwrap().current();
        let Some((given, actor, wish)) = forged(&f) else {
            // What differs in nothing is no forgery.
            same += 1;
            continue;
        };
        match given.decide(&actor, wish) {
            Ok(events) => panic!("accepted with seed {seed}: {f:?}: {events:?}"),
            Err(refusal) => {
                assert_ne!(refusal.code, Code::Bug, "{f:?}: {}", refusal.say);
                *codes.entry(refusal.code.as_str()).or_default() += 1;
            }
        }
        *tried.entry(f.kind).or_default() += 1;
    }
    println!("forged approvals, seed {seed}: {} tried, 0 accepted, {same} that differed in nothing", wanted);
    tried.iter().for_each(|(kind, n)| println!("  {n:>7} {kind:?}"));
    codes.iter().for_each(|(code, n)| println!("  {n:>7} refused as {code}"));
    assert!(wanted < 500 || tried.len() == KINDS.len(), "every kind was tried: {tried:?}");
}
