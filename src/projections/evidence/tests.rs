//! Sound stories verify; stories that the rules do not allow are refused, however well they are proven.

use events::{
    device::Environment,
    event::Event,
    gate::GateJudged,
    ids::{JobId, Moment, WaveNo},
    job::{
        Direction, JobDirected, JobStarted, JobStatus, JobStatusChanged, StepLayout, StepSettled,
        StepStarted, StepStatus,
    },
    plan::{ApprovedBy, PlanApproved, PlanExpired, PlanRejected},
    principal::{Actor, Door, Role},
};
use serde_json::{Value, json};

use super::{
    testing::{Tale, adding, as_told, checks, refusing, rollout, signer, status_of, verdict_of},
    *,
};
use crate::domain::{
    Command,
    testing::{NOON, actor, agent, alice, dns_plan, job_id, plan_id, step_id},
};

/// Who looks at routers, and decides about jobs that stand.
fn person() -> Actor {
    actor("token:carol", Role::OpsRw, Door::Cli)
}

/// A plan on one device, carried out.
fn one_device() -> Tale {
    let mut tale = Tale::new(Environment::Prod);
    let job = tale.started(dns_plan(1, Environment::Prod, &["r1"]));
    tale.drive(job, &mut as_told);
    tale
}

/// A rollout whose last device refuses, undone.
fn undone_rollout() -> Tale {
    let mut tale = Tale::new(Environment::Prod);
    let job = tale.started(rollout(1, Environment::Prod));
    tale.drive(job, &mut refusing("r3"));
    tale
}

#[test]
fn sound_stories_verify_and_are_told_as_they_were() {
    let mut tale = one_device();
    let evidence = tale.evidence(plan_id(1));
    let verdict = verdict_of(&evidence);
    assert!(verdict.good, "{:?}", verdict.complaints);
    assert_eq!(verdict.verdict, "content consistent, signer checked");
    assert_eq!((verdict.status, verdict.notes.len()), (Some(PlanStatus::Completed), 0));
    let told = &evidence["readable"];
    assert_eq!(told["decisions"][0]["by"], "token:alice");
    assert_eq!(told["decisions"][0]["comment"], "looks right");
    let step = &told["devices"][0]["steps"][0];
    assert_eq!(step["changes"], json!(["/ip/dns servers: `1.1.1.1` → `9.9.9.9`"]));
    assert_eq!((&step["status"], &step["observed"]), (&json!("applied"), &json!({ "servers": "9.9.9.9" })));
    let unkeyed = verify(evidence.to_string().as_bytes(), None).unwrap();
    assert_eq!((unkeyed.good, unkeyed.verdict), (true, "content consistent, signer unchecked"));

    let mut tale = Tale::new(Environment::Prod);
    let job = tale.started(rollout(1, Environment::Prod));
    tale.drive(job, &mut as_told);
    let evidence = tale.evidence(plan_id(1));
    let verdict = verdict_of(&evidence);
    assert!(verdict.good && verdict.status == Some(PlanStatus::Completed), "{:?}", verdict.complaints);
    assert_eq!(evidence["readable"]["gates"].as_array().unwrap().len(), 2);
    assert_eq!(evidence["readable"]["devices"][2]["dead_man"], "disarmed");

    let mut tale = undone_rollout();
    let evidence = tale.evidence(plan_id(1));
    let verdict = verdict_of(&evidence);
    assert!(verdict.good && verdict.status == Some(PlanStatus::RolledBack), "{:?}", verdict.complaints);
    let refused = &evidence["readable"]["devices"][2]["steps"][0];
    assert_eq!(
        (&refused["status"], &refused["detail"]),
        (&json!("refused"), &json!("failure: no")),
        "cleaned"
    );
}

#[test]
fn every_way_of_a_plan_has_its_evidence() {
    let good = |tale: &mut Tale, status: PlanStatus| {
        let verdict = tale.verdict(plan_id(1));
        assert!(verdict.good, "{:?}", verdict.complaints);
        assert_eq!(verdict.status, Some(status));
        verdict
    };
    let prod = || Tale::new(Environment::Prod);
    let plan = || dns_plan(1, Environment::Prod, &["r1"]);

    let mut tale = prod();
    tale.propose(plan(), None);
    good(&mut tale, PlanStatus::Pending);
    tale.approve(&alice(), 1);
    good(&mut tale, PlanStatus::Approved);
    tale.start(1);
    let open = good(&mut tale, PlanStatus::Executing);
    assert!(open.notes[0].contains("not over"), "{:?}", open.notes);

    let mut tale = prod();
    tale.propose(plan(), None);
    let (plan_id_1, comment) = (plan_id(1), "no".to_owned());
    tale.when(&alice(), Command::RejectPlan { plan_id: plan_id_1, comment, personal: true });
    good(&mut tale, PlanStatus::Rejected);

    let mut tale = prod();
    tale.propose(plan(), None);
    tale.at = tale.at.plus_secs(48 * 3600);
    tale.when(&Actor::system(), Command::ExpirePlan { plan_id: plan_id(1) });
    good(&mut tale, PlanStatus::Expired);

    let mut tale = prod();
    let job = tale.started(plan());
    let running = Command::SetJobStatus { job_id: job, status: JobStatus::Running, reason: String::new() };
    tale.when(&Actor::system(), running);
    let device_id = "r1".parse().unwrap();
    tale.when(&Actor::system(), Command::StalePlan { job_id: job, device_id });
    good(&mut tale, PlanStatus::Stale);

    let mut tale = prod();
    let job = tale.started(plan());
    tale.drive(job, &mut refusing("r1"));
    good(&mut tale, PlanStatus::Failed);

    let mut tale = prod();
    let mut two = rollout(1, Environment::Prod);
    two.rollback_on_failure = false;
    let job = tale.started(two);
    tale.drive(job, &mut refusing("r2"));
    assert_eq!(status_of(&tale, 1), JobStatus::Halted);
    good(&mut tale, PlanStatus::Executing);
    let direct = |direction| Command::DirectJob { job_id: job, direction, reason: "as agreed".into() };
    tale.when(&alice(), direct(Direction::Retry));
    tale.drive(job, &mut as_told);
    good(&mut tale, PlanStatus::Completed);

    let mut tale = prod();
    let mut two = rollout(1, Environment::Prod);
    two.rollback_on_failure = false;
    let job = tale.started(two);
    tale.drive(job, &mut refusing("r2"));
    tale.when(&alice(), direct(Direction::Skip("r2".parse().unwrap())));
    tale.drive(job, &mut as_told);
    good(&mut tale, PlanStatus::Completed);

    let mut tale = prod();
    let job = tale.started(rollout(1, Environment::Prod));
    let mut cancelled = false;
    tale.drive(job, &mut |tale, need| {
        if !cancelled && matches!(need, crate::domain::job::Need::Sample { wave: WaveNo(1), sample: 1 }) {
            cancelled = true;
            tale.when(&agent(), Command::CancelJob { job_id: job, reason: "lunch".into() });
        }
        false
    });
    good(&mut tale, PlanStatus::Cancelled);

    let mut tale = prod();
    let job = tale.started(rollout(1, Environment::Prod));
    tale.drive(job, &mut |tale, need| match need {
        crate::domain::job::Need::Sample { wave: WaveNo(2), sample: sample @ 1..=3 } => {
            tale.look(job, 2, *sample, 99);
            true
        }
        _ => false,
    });
    good(&mut tale, PlanStatus::RolledBack);
    assert_eq!(tale.evidence(plan_id(1))["readable"]["gates"][1]["passed"], false);

    let mut tale = Tale::new(Environment::Lab);
    tale.propose(dns_plan(1, Environment::Lab, &["r1"]), Some("immediate_writes:lab"));
    tale.start(1);
    tale.drive(job_id(1), &mut as_told);
    good(&mut tale, PlanStatus::Completed);

    let mut tale = Tale::new(Environment::Lab);
    tale.rules.lab_self_approval = true;
    tale.propose(dns_plan(1, Environment::Lab, &["r1"]), None);
    tale.approve(&Actor { door: Door::Api, ..agent() }, 1);
    let own = good(&mut tale, PlanStatus::Approved);
    assert!(own.notes[0].contains("the requester approved"), "{:?}", own.notes);

    let mut tale = prod();
    tale.rules.two_approvers_for_high_risk = true;
    let mut high = plan();
    high.waves[0][0].risk.level = events::plan::RiskLevel::High;
    tale.propose(high, None);
    tale.approve(&alice(), 1);
    good(&mut tale, PlanStatus::Pending);
    tale.approve(&actor("token:bob", Role::Approver, Door::Api), 1);
    good(&mut tale, PlanStatus::Approved);
}

#[test]
fn the_undo_of_an_added_record_is_held_against_the_id_that_was_reported() {
    let mut tale = Tale::new(Environment::Prod);
    let mut plan = adding(1, Environment::Prod);
    plan.waves.push(dns_plan(1, Environment::Prod, &["r2"]).waves.remove(0));
    let job = tale.started(plan);
    tale.drive(job, &mut refusing("r2"));
    assert_eq!(status_of(&tale, 1), JobStatus::RolledBack);
    let verdict = tale.verdict(plan_id(1));
    assert!(verdict.good && verdict.notes.is_empty(), "{verdict:?}");
}

/// What the checks say of a story that goes on as `forge` says, right after its start.
fn forged(forge: impl FnOnce(&mut Tale, JobId)) -> std::collections::BTreeSet<&'static str> {
    let mut tale = Tale::new(Environment::Prod);
    let job = tale.started(rollout(1, Environment::Prod));
    let running = Command::SetJobStatus { job_id: job, status: JobStatus::Running, reason: String::new() };
    tale.when(&Actor::system(), running);
    forge(&mut tale, job);
    checks(&tale.verdict(plan_id(1)))
}

fn began(job: JobId, n: u128, device: &str, attempt: u32, operation_sha256: &str) -> Event {
    let (device_id, operation_sha256) = (device.parse().unwrap(), operation_sha256.to_owned());
    StepStarted { job_id: job, step_id: step_id(n), device_id, attempt, undo: false, operation_sha256 }.into()
}

fn settled(job: JobId, n: u128, device: &str, status: StepStatus) -> Event {
    let (device_id, detail) = (device.parse().unwrap(), String::new());
    let step_id = step_id(n);
    StepSettled { job_id: job, step_id, device_id, status, code: None, detail, observed: vec![] }.into()
}

#[test]
fn what_the_rules_do_not_allow_is_refused_although_it_is_proven() {
    let digest = {
        let plan = rollout(1, Environment::Prod);
        crate::routeros::port::action_digest(&plan.waves[0][0].operations[0].action)
    };
    let system = Actor::system();
    let only = |check: &'static str| std::collections::BTreeSet::from([check]);
    assert!(forged(|_, _| {}).is_empty(), "nothing forged, nothing found");
    let look = |tale: &mut Tale, job| tale.look(job, 1, 0, 10);
    let step = |event: Event| {
        forged(|tale, job| {
            look(tale, job);
            tale.tell(&system, vec![event]);
        })
    };
    let job = job_id(1);
    assert!(step(began(job, 1, "r1", 1, &digest)).is_empty());
    assert_eq!(step(began(job, 1, "r1", 2, &digest)), only("step"), "an attempt is missing");
    assert_eq!(step(began(job, 1, "r1", 1, &"0".repeat(64))), only("step"), "something else is sent");
    assert_eq!(step(began(job, 1, "r2", 1, &digest)), only("step"), "another device");
    assert_eq!(step(began(job, 9, "r1", 1, &digest)), only("step"), "a step that the job does not have");
    assert_eq!(step(began(job, 2, "r2", 1, &digest)), only("step"), "a later wave before the gate");
    assert_eq!(step(settled(job, 1, "r1", StepStatus::Applied)), only("step"), "an outcome of nothing");
    let without_look = forged(|tale, job| tale.tell(&system, vec![began(job, 1, "r1", 1, &digest)]));
    assert_eq!(without_look, only("step"), "no look before the wave");
    let twice = forged(|tale, job| {
        look(tale, job);
        let again = began(job, 1, "r1", 2, &digest);
        tale.tell(&system, vec![began(job, 1, "r1", 1, &digest), again]);
    });
    assert_eq!(twice, only("step"), "a second write while the first is not settled");
    let ended = |status| {
        forged(|tale, job| {
            let (plan_id, reason) = (plan_id(1), String::new());
            tale.tell(&system, vec![JobStatusChanged { job_id: job, plan_id, status, reason }.into()]);
        })
    };
    assert_eq!(ended(JobStatus::Completed), only("job"), "nothing was done");
    assert_eq!(ended(JobStatus::RolledBack), only("job"), "nothing was being undone");
    assert_eq!(ended(JobStatus::Cancelled), only("job"), "nobody asked for it");
    assert!(ended(JobStatus::Halted).is_empty());
    let judged = forged(|tale, job| {
        for sample in 0..=3 {
            tale.look(job, 1, sample, if sample == 0 { 10 } else { 99 });
        }
        let wave = WaveNo(1);
        tale.tell(&system, vec![GateJudged { job_id: job, wave, passed: true, reasons: vec![] }.into()]);
    });
    assert_eq!(judged, only("gate"), "the looks say otherwise");
    let directed = forged(|tale, job| {
        let (by, direction, reason) = (person(), Direction::Resume, String::new());
        tale.tell(&person(), vec![JobDirected { job_id: job, by, direction, reason }.into()]);
    });
    assert_eq!(directed, only("job"), "it did not wait for a person");
    let by_an_agent = forged(|tale, job| {
        let (plan_id, status, reason) = (plan_id(1), JobStatus::Halted, String::new());
        tale.tell(&system, vec![JobStatusChanged { job_id: job, plan_id, status, reason }.into()]);
        let (by, direction, reason) = (agent(), Direction::RollBack, String::new());
        tale.tell(&agent(), vec![JobDirected { job_id: job, by, direction, reason }.into()]);
    });
    assert_eq!(by_an_agent, only("job"), "an agent does not say how it goes on");
    let expired = forged(|tale, _| tale.tell(&system, vec![PlanExpired { plan_id: plan_id(1) }.into()]));
    assert_eq!(expired, only("approval"));
    let again = forged(|tale, job| {
        let steps: Vec<StepLayout> =
            tale.state.jobs[&job].steps.iter().map(|step| step.layout.clone()).collect();
        let (plan_id, by) = (plan_id(1), agent());
        tale.tell(&agent(), vec![JobStarted { job_id: job_id(2), plan_id, by, steps }.into()]);
    });
    assert_eq!(again, only("start"), "an approval is used once");
    let foreign_job = forged(|tale, _| {
        let (job_id, plan_id, reason) = (job_id(7), plan_id(1), String::new());
        let status = JobStatus::Failed;
        tale.tell(&system, vec![JobStatusChanged { job_id, plan_id, status, reason }.into()]);
    });
    assert_eq!(foreign_job, only("start"), "a job that was never started");
}

#[test]
fn an_approval_that_is_none_is_refused_although_it_is_proven() {
    let approval = |forge: &dyn Fn(&mut PlanApproved) -> Actor| {
        let mut tale = Tale::new(Environment::Prod);
        tale.propose(dns_plan(1, Environment::Prod, &["r1"]), None);
        let mut approved = PlanApproved {
            plan_id: plan_id(1),
            plan_hash: tale.state.plans[&plan_id(1)].plan_hash.clone(),
            by: ApprovedBy::Person(alice()),
            comment: String::new(),
            start_before: tale.at.plus_secs(900),
        };
        let by = forge(&mut approved);
        tale.tell(&by, vec![approved.into()]);
        tale.start(1);
        tale.drive(job_id(1), &mut as_told);
        checks(&tale.verdict(plan_id(1)))
    };
    let only = std::collections::BTreeSet::from(["approval"]);
    assert!(approval(&|_| alice()).is_empty());
    let hash = |approved: &mut PlanApproved| {
        approved.plan_hash = "0".repeat(64);
        alice()
    };
    assert_eq!(approval(&hash), only, "another hash");
    let own = |approved: &mut PlanApproved| {
        let own = Actor { role: Role::Approver, door: Door::Cli, ..agent() };
        approved.by = ApprovedBy::Person(own.clone());
        own
    };
    assert_eq!(approval(&own), only, "the requester");
    let admin = |approved: &mut PlanApproved| {
        let admin = actor("token:root", Role::Admin, Door::Api);
        approved.by = ApprovedBy::Person(admin.clone());
        admin
    };
    assert_eq!(approval(&admin), only, "no approver");
    assert_eq!(approval(&|_| agent()), only, "in the name of another");
    let namesake = |approved: &mut PlanApproved| {
        let other = Actor { name: "token:second".into(), role: Role::Approver, door: Door::Cli, ..agent() };
        approved.by = ApprovedBy::Person(other.clone());
        other
    };
    assert_eq!(approval(&namesake), only, "the requester under another token");
    let over_mcp = |approved: &mut PlanApproved| {
        let bot = Actor { door: Door::McpHttp, ..alice() };
        approved.by = ApprovedBy::Person(bot.clone());
        bot
    };
    assert_eq!(approval(&over_mcp), only, "through a door of agents");
    let undone = |approved: &mut PlanApproved| {
        approved.by = ApprovedBy::Policy(format!("rollback_of:{}", plan_id(7)));
        agent()
    };
    assert_eq!(approval(&undone), only, "approved as the undo of a plan that it does not undo");

    let mut tale = Tale::new(Environment::Prod);
    tale.propose(dns_plan(1, Environment::Prod, &["r1"]), None);
    let (plan_id_1, step) = (plan_id(1), step_id(1));
    let device_id = "r1".parse().unwrap();
    let steps = vec![StepLayout { step_id: step, device_id, wave: WaveNo(1), operation: 0 }];
    let by = agent();
    tale.tell(&agent(), vec![JobStarted { job_id: job_id(1), plan_id: plan_id_1, by, steps }.into()]);
    assert!(checks(&tale.verdict(plan_id(1))).contains("start"), "nobody approved it");

    let mut tale = one_device();
    let late = PlanRejected { plan_id: plan_id(1), by: alice(), comment: "too late".into() };
    tale.tell(&alice(), vec![late.into()]);
    assert_eq!(checks(&tale.verdict(plan_id(1))), only, "after the end");
}

#[test]
fn a_plan_that_is_not_its_hash_is_refused_although_it_is_proven() {
    let mut tale = Tale::new(Environment::Prod);
    let proposed = events::plan::PlanProposed {
        plan: dns_plan(1, Environment::Prod, &["r1"]),
        plan_hash: "0".repeat(64),
        by: agent(),
        approval_token_sha256: String::new(),
        approvals_needed: 1,
        origin: events::plan::Origin::default(),
        expires_at: Moment::from_micros(NOON.as_micros()).plus_secs(3600),
    };
    tale.tell(&agent(), vec![proposed.into()]);
    assert_eq!(checks(&tale.verdict(plan_id(1))), std::collections::BTreeSet::from(["plan"]));
}

#[test]
fn what_is_left_out_is_noticed_wherever_what_is_left_does_not_fit() {
    // The best that a forger can do: leave an event out, and tell the rest in full.
    let mut halted = Tale::new(Environment::Prod);
    let mut plan = rollout(1, Environment::Prod);
    plan.rollback_on_failure = false;
    let job = halted.started(plan);
    halted.drive(job, &mut refusing("r2"));
    let (direction, reason) = (Direction::Retry, "as agreed".to_owned());
    halted.when(&person(), Command::DirectJob { job_id: job, direction, reason });
    halted.drive(job, &mut as_told);
    for tale in [&mut one_device(), &mut undone_rollout(), &mut halted] {
        let bundle = tale.bundle(plan_id(1));
        let mut unnoticed = Vec::new();
        for at in 1..bundle.events.len() {
            let mut less = bundle.clone();
            let gone = less.events.remove(at);
            let noticed = match compose(plan_id(1), less) {
                Ok(evidence) => !verdict_of(&serde_json::to_value(evidence).unwrap()).good,
                Err(_) => true,
            };
            if !noticed {
                unnoticed.push((at + 1 == bundle.events.len(), gone.kind));
                assert!(at + 1 == bundle.events.len(), "event {} is not missed", gone.seq);
            }
        }
        assert_eq!(unnoticed, [(true, "JobStatusChanged".to_owned())], "only the end can be cut off");
    }
}

/// The runs of a plan's events (from, to) without which its evidence is still good.
fn not_missed(tale: &mut Tale) -> (Bundle, Vec<(usize, usize)>) {
    let bundle = tale.bundle(plan_id(1));
    let all = bundle.events.len();
    let runs = (1..all).flat_map(|from| (from + 1..=all).map(move |to| (from, to)));
    let good = |(from, to): &(usize, usize)| {
        let mut less = bundle.clone();
        less.events.drain(*from..*to);
        compose(plan_id(1), less)
            .is_ok_and(|evidence| verdict_of(&serde_json::to_value(evidence).unwrap()).good)
    };
    let found = runs.filter(good).collect();
    (bundle, found)
}

/// The kinds of events of each run in the middle that is not missed.
fn inner(tale: &mut Tale) -> Vec<Vec<String>> {
    let (bundle, runs) = not_missed(tale);
    let inner = runs.iter().filter(|(_, to)| *to < bundle.events.len());
    inner
        .map(|(from, to)| bundle.events[*from..*to].iter().map(|event| event.kind.clone()).collect())
        .collect()
}

#[test]
fn a_run_of_events_is_missed_unless_it_is_the_end_or_the_story_makes_sense_without_it() {
    let (bundle, runs) = not_missed(&mut one_device());
    assert!(runs.iter().all(|(_, to)| *to == bundle.events.len()), "nothing in the middle: {runs:?}");
    assert!(!runs.is_empty(), "the end can be cut off");
    assert_eq!(inner(&mut undone_rollout()), [["StepStarted", "StepSettled"]], "a write that was refused");
    // A gate that failed, the halt, a person's decision, and the looks after which it passed.
    let mut plan = rollout(1, Environment::Prod);
    plan.rollback_on_failure = false;
    for part in plan.waves.iter_mut().flatten() {
        // A timer would end while it stands.
        part.dead_man = None;
        part.operations.iter_mut().for_each(|operation| operation.risky = None);
    }
    let mut tale = Tale::new(Environment::Prod);
    let job = tale.started(plan);
    tale.drive(job, &mut |tale, need| match need {
        crate::domain::job::Need::Sample { wave: WaveNo(2), sample: sample @ 1..=3 } => {
            tale.look(job, 2, *sample, 99);
            true
        }
        _ => false,
    });
    assert_eq!(status_of(&tale, 1), JobStatus::Halted);
    let (direction, reason) = (Direction::Retry, "it was the backup".to_owned());
    tale.when(&person(), Command::DirectJob { job_id: job, direction, reason });
    tale.drive(job, &mut as_told);
    assert_eq!(status_of(&tale, 1), JobStatus::Completed);
    let (look, verdict) = ("GateSampled", "GateJudged");
    let halt = ["JobStatusChanged", "JobDirected", "JobStatusChanged"];
    // The verdict that failed, alone or with the looks that led to it; and the halt with it.
    let expected: Vec<Vec<&str>> = vec![
        vec![look, look, look, verdict],
        [&[look, look, look, verdict][..], &halt].concat(),
        vec![look, look, verdict],
        [&[look, look, verdict][..], &halt, &[look]].concat(),
        vec![look, verdict],
        vec![verdict],
    ];
    assert_eq!(inner(&mut tale), expected, "what docs/evidence.md says");
}

#[test]
fn the_same_in_other_words_is_the_same() {
    fn turned(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                fields.iter().rev().map(|(name, value)| (name.clone(), turned(value))).collect()
            }
            Value::Array(items) => items.iter().map(turned).collect(),
            other => other.clone(),
        }
    }
    let evidence = one_device().evidence(plan_id(1));
    let turned = turned(&evidence);
    assert_ne!(turned.to_string(), evidence.to_string());
    for text in [turned.to_string(), serde_json::to_string_pretty(&turned).unwrap()] {
        assert!(verify(text.as_bytes(), Some(&signer().verifier())).unwrap().good);
    }
}

#[test]
fn what_is_no_evidence_is_told_apart() {
    assert!(matches!(verify(b"", None), Err(Unreadable::Json(_))));
    assert!(matches!(verify(b"\xff\xfe", None), Err(Unreadable::Json(_))));
    assert!(matches!(verify(&[b'['; 100_000], None), Err(Unreadable::Json(_))));
    for other in ["[]", "7", "{}", r#"{"format":"appliance-evidence/2"}"#, r#"{"format":1}"#] {
        assert_eq!(verify(other.as_bytes(), None), Err(Unreadable::Format), "{other}");
    }
    let bare = verify(br#"{"format":"appliance-evidence/1"}"#, None).unwrap();
    assert_eq!((bare.good, bare.complaints[0].check), (false, "form"));
}

/// An evidence file of form 1, for ever readable. `BLESS=1` writes it where it is missing, and never touches it after.
#[test]
fn a_file_that_was_ever_written_verifies_for_ever() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/evidence.v1.json");
    if !path.exists() && std::env::var_os("BLESS").is_some() {
        let mut tale = Tale::new(Environment::Prod);
        let mut plan = rollout(1, Environment::Prod);
        let adds = adding(1, Environment::Prod).waves.remove(0).remove(0).operations.remove(0);
        plan.waves[0][0].operations.push(adds);
        let job = tale.started(plan);
        tale.drive(job, &mut refusing("r3"));
        let text = serde_json::to_string_pretty(&tale.evidence(plan_id(1))).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read(&path).expect("`BLESS=1` writes it where it is missing");
    let verdict = verify(&text, Some(&signer().verifier())).unwrap();
    assert!(verdict.good, "words of form 1 changed; they are frozen, give other words form 2: {verdict:?}");
    assert_eq!((verdict.status, verdict.notes.len()), (Some(PlanStatus::RolledBack), 0));
}
