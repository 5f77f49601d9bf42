//! An approval is used once: by one of many at the same time, also while the appliance stops; and no forged one is used.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    sync::Barrier,
};

use serde_json::{Value, json};

use crate::{
    approval::{EVERYWHERE, api, approver, events, refused, route, token, with_token, yes},
    house::{As, House, PATIENCE, json_of, reply_of, stderr, terminate},
    lone::{Lone, Routers},
    topics,
};

#[test]
fn of_64_applies_at_once_one_starts_the_job_and_63_are_told_which() {
    let house = House::start(1);
    let plan = route(&house, 0, 81);
    topics::approve(&house, &plan);
    let writes = house.writes(0);
    let line = Barrier::new(64);
    let answers: Vec<Result<Value, Value>> = std::thread::scope(|scope| {
        let apply = || {
            line.wait();
            house.mcp_call(As::Agent, "apply_routing_plan", &with_token(&plan))
        };
        let all: Vec<_> = (0..64).map(|_| scope.spawn(apply)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let won: Vec<&Value> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert_eq!(won[0]["status"], "completed", "{}", won[0]);
    for lost in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(lost["code"], "plan_already_started", "{lost}");
        assert_eq!(lost["details"]["job_id"], won[0]["job_id"], "{lost}");
    }
    assert_eq!(events(&house, "JobStarted").len(), 1);
    assert_eq!(house.writes(0), writes + 1, "and the router was written once");
}

/// A request on the control socket; nothing when nobody answers any more.
fn ask(socket: &Path, tool: &str, params: &Value) -> Option<(u16, Value)> {
    let body = params.to_string();
    let head = format!(
        "POST /api/tools/{tool} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let reply = reply_of(&answer);
    (reply.status != 0).then_some((reply.status, reply.body))
}

#[test]
fn a_start_while_the_appliance_stops_is_whole_or_not_at_all() {
    let routers = Routers::start(4);
    let lone = Lone::new();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..4 {
        let id = format!("r{round}");
        lone.add(&routers, round, &id, "prod");
        let plan = lone.approved_plan(&id);
        let mut daemon = lone.serve();
        let socket = lone.dir().join("control.sock");
        let (line, params) = (Barrier::new(9), json!({ "plan_id": plan }));
        let answers: Vec<Option<(u16, Value)>> = std::thread::scope(|scope| {
            let start = || {
                line.wait();
                ask(&socket, "plan_start", &params)
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            // Once it is told, once it is too late, and then whoever is quicker.
            let first = (round == 0).then(|| ask(&socket, "plan_start", &params));
            if round == 1 {
                terminate(&daemon.0);
                while UnixStream::connect(&socket).is_ok() {
                    std::thread::yield_now();
                }
            }
            line.wait();
            if round != 1 {
                terminate(&daemon.0);
            }
            first.into_iter().chain(all.into_iter().map(|one| one.join().unwrap())).collect()
        });
        assert!(daemon.0.wait().unwrap().success(), "it stops in order");
        let mut jobs: Vec<Value> = Vec::new();
        for answer in &answers {
            let end = match answer {
                None => "nobody there".to_owned(),
                Some((200, started)) => {
                    jobs.push(started["job_id"].clone());
                    "started".to_owned()
                }
                Some((_, failure)) => failure["code"].as_str().unwrap().to_owned(),
            };
            let known = ["nobody there", "started", "plan_already_started", "storage_unavailable"];
            assert!(known.contains(&end.as_str()), "{answer:?}");
            *ends.entry(end).or_default() += 1;
        }
        assert!(jobs.len() <= 1, "{answers:?}");
        let shown = json_of(&lone.run(&["--json", "plan", "show", &plan]));
        if let Some(job) = jobs.first() {
            assert_eq!(&shown["job_id"], job, "what was acknowledged is there: {shown}");
        }
        if shown["job_id"].is_null() {
            assert_eq!(shown["status"], "approved", "a refused start consumes nothing: {shown}");
            let started = lone.run_as(None, &["--json", "plan", "start", &plan]);
            assert_eq!(started.status.code(), Some(0), "{}", stderr(&started));
        } else {
            let watched = lone.run_as(None, &["--json", "job", "watch", shown["job_id"].as_str().unwrap()]);
            assert_eq!(watched.status.code(), Some(0), "{}", stderr(&watched));
        }
        assert_eq!(routers.truth(round, "/ip/dns")["servers"], "9.9.9.9");
        let at = format!("/boxes/{}/journal", routers.said["boxes"][round]["name"].as_str().unwrap());
        let journal = routers.control("GET", &at, None);
        let entries = journal.as_array().or_else(|| journal["entries"].as_array()).unwrap();
        let written = entries.iter().filter(|entry| entry["changed"] == true).count();
        assert_eq!(written, 1, "written once: {journal}");
    }
    println!("starts while the appliance stops: {ends:?}");
    let refused = ends.keys().any(|end| end == "nobody there" || end == "storage_unavailable");
    assert!(ends.contains_key("started") && refused, "both ends are met: {ends:?}");
}

/// Dice that fall the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    /// The same text but for a character.
    fn bent(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let at = self.roll(chars.len());
        let other = char::from(b"0123456789abcdefghjkmnpqrstvwxyz_"[self.roll(33)]);
        match self.roll(4) {
            0 => chars[at] = other,
            1 => drop(chars.remove(at)),
            2 => chars.insert(at, other),
            _ => chars[at] = chars[at].to_ascii_uppercase(),
        }
        chars.into_iter().collect()
    }
}

#[test]
fn no_forged_apply_or_approval_comes_through_a_door() {
    let tries: usize =
        std::env::var("APPLIANCE_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000) / 50;
    let house = House::start(2);
    let (plan, other) = (route(&house, 0, 82), route(&house, 1, 83));
    topics::approve(&house, &other);
    let waiting = route(&house, 0, 84);
    topics::approve(&house, &plan);
    let writes = [house.writes(0), house.writes(1)];
    let reader = token(&house, "reader", "read_only", EVERYWHERE, &["*"]);
    let narrow = token(&house, "narrow", "ops_rw", EVERYWHERE, &[house.device(1)]);
    let staging = token(&house, "staging", "ops_rw", &["staging"], &["*"]);
    let alice = approver(&house, "alice");
    let own = approver(&house, "Demo Agent");
    let agent = house.token(As::Agent).unwrap().to_owned();
    let admin = house.token(As::Admin).unwrap().to_owned();
    let mut dice = Dice(11);
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    let mut same = 0;
    while tried.values().sum::<usize>() < tries {
        let (mut apply, mut approve) = (with_token(&plan), yes(&waiting));
        let honest = (apply.clone(), approve.clone());
        let mut bend = |params: &mut Value, field: &str| {
            params[field] = dice.bent(params[field].as_str().unwrap()).into();
        };
        let kind = (tried.values().sum::<usize>() + same) % 8;
        let (what, by, tool) = match kind {
            0 => {
                bend(&mut apply, "approval_token");
                ("a token", &agent, "apply_routing_plan")
            }
            1 => {
                bend(&mut apply, "plan_id");
                ("the plan of an apply", &agent, "apply_routing_plan")
            }
            2 => {
                bend(&mut approve, "plan_hash");
                ("a hash", &alice, "plan_approve")
            }
            3 => {
                bend(&mut approve, "plan_id");
                ("the plan of an approval", &alice, "plan_approve")
            }
            4 => {
                apply["approval_token"] = other["approval_token"].clone();
                ("another plan's token", &agent, "apply_routing_plan")
            }
            5 => {
                let who = [&reader, &narrow, &staging, &alice][dice.roll(4)];
                ("who applies", who, "apply_routing_plan")
            }
            6 => {
                let who = [&reader, &narrow, &staging, &agent, &admin, &own][dice.roll(6)];
                ("who approves", who, "plan_approve")
            }
            _ => {
                let extra = ["approved_by", "role", "personal", "status"][dice.roll(4)];
                approve[extra] = json!("alice");
                ("a field too many", &agent, "plan_approve")
            }
        };
        // An id in capitals is the same id, and what differs in nothing is no forgery.
        let plain = |params: &Value| params["plan_id"].as_str().unwrap().to_ascii_lowercase();
        let differs = (&apply, &approve) != (&honest.0, &honest.1) || kind == 5 || kind == 6;
        let capitals =
            matches!(kind, 1 | 3) && plain(&apply) == plain(&honest.0) && plain(&approve) == plain(&honest.1);
        if !differs || capitals {
            same += 1;
            continue;
        }
        refused(&house, by, tool, if tool == "plan_approve" { &approve } else { &apply });
        *tried.entry(what).or_default() += 1;
    }
    println!("forged at the door: {tried:?}, 0 accepted; {same} differed in nothing");
    assert_eq!(tried.len(), 8, "every kind was tried: {tried:?}");
    assert_eq!([house.writes(0), house.writes(1)], writes, "no router was written");
    assert!(events(&house, "JobStarted").is_empty());
    let reply = api(&house, &alice, "POST", "/api/tools/plan_approve", &yes(&waiting));
    assert_eq!(reply.status, 200, "{}", reply.text);
    let done = topics::apply(&house, "apply_routing_plan", &plan).unwrap();
    assert_eq!(done["status"], "completed", "what was refused has consumed nothing: {done}");
}
