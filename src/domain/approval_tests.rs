//! Stories of approval: who, how often, until when, and what a trusted workflow does in a person's place.

use events::{
    device::Environment,
    event::Event,
    operation::{Action, Expectation},
    plan::{DeadMan, Plan, RiskLevel, Rung},
    principal::{Actor, Door, Role},
};

use crate::{
    domain::{
        Command,
        plan::{PlanStatus, hash},
        testing::{
            Given, NOON, actor, added, agent, alice, device_id, dns_plan, given, job_id, plan_id, settings,
            step_id,
        },
        workflow::{self, Trusted, Workflow},
    },
    failure::Code,
};

fn high(n: u128) -> Plan {
    let mut plan = dns_plan(n, Environment::Prod, &["r1"]);
    plan.waves[0][0].risk.level = RiskLevel::High;
    plan
}

fn propose(plan: &Plan, policy: Option<&str>) -> Command {
    Command::ProposePlan {
        plan: Box::new(plan.clone()),
        approval_token_sha256: "t0".into(),
        policy: policy.map(str::to_owned),
        origin: events::plan::Origin::default(),
    }
}

fn approve(plan: &Plan) -> Command {
    Command::ApprovePlan {
        plan_id: plan.plan_id,
        plan_hash: hash(plan),
        comment: String::new(),
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

fn reject(plan: &Plan) -> Command {
    Command::RejectPlan { plan_id: plan.plan_id, comment: "no".into(), personal: true }
}

fn approver(name: &str, label: &str) -> Actor {
    Actor { name: name.into(), label: label.into(), role: Role::Approver, door: Door::Api }
}

/// Two prod routers, and a plan of the agent's.
fn proposed(plan: &Plan, two: bool) -> Given {
    let mut given = given([added("r1", 1, Environment::Prod), added("r2", 2, Environment::Prod)]);
    given.rules.two_approvers_for_high_risk = two;
    given.when(&agent(), propose(plan, None));
    given
}

#[test]
fn high_risk_needs_two_different_people() {
    let plan = high(1);
    let mut given = proposed(&plan, true);
    given.when(&alice(), approve(&plan));
    assert_eq!(given.state.plans[&plan.plan_id].status, PlanStatus::Pending, "1 of 2");
    given.refused(&agent(), start(&plan, Some("t0")), Code::PlanNotApproved);
    given.refused(&alice(), approve(&plan), Code::PlanAlreadyApproved);
    let again = approver("token:other", " TOKEN:Alice ");
    given.refused(&again, approve(&plan), Code::PlanAlreadyApproved);
    given.when(&approver("token:bob", "bob"), approve(&plan));
    assert_eq!(given.state.plans[&plan.plan_id].status, PlanStatus::Approved);
    given.when(&agent(), start(&plan, Some("t0")));
}

#[test]
fn lower_risk_and_other_configurations_need_one() {
    for (plan, two) in [(high(1), false), (dns_plan(1, Environment::Prod, &["r1"]), true)] {
        let mut given = proposed(&plan, two);
        given.when(&alice(), approve(&plan));
        given.when(&agent(), start(&plan, Some("t0")));
    }
}

#[test]
fn a_requester_is_the_same_person_under_another_token() {
    let plan = dns_plan(1, Environment::Prod, &["r1"]);
    let mut given = proposed(&plan, false);
    for own in [
        approver("token:agent", "somebody"),
        approver("token:new", "token:agent"),
        approver("token:x", "Token:AGENT"),
    ] {
        given.refused(&own, approve(&plan), Code::SelfApproval);
    }
    given.rules.lab_self_approval = true;
    given.refused(&approver("token:agent", "somebody"), approve(&plan), Code::SelfApproval);
}

#[test]
fn each_end_of_a_plan_has_its_own_refusal() {
    let plan = dns_plan(1, Environment::Prod, &["r1"]);
    let all = |given: &Given, code: Code| {
        given.refused(&alice(), approve(&plan), code);
        given.refused(&alice(), reject(&plan), code);
        given.refused(&agent(), start(&plan, Some("t0")), code);
    };
    let mut expired = proposed(&plan, false);
    expired.after_s = 24 * 3600;
    all(&expired, Code::PlanExpired);
    expired.when(&Actor::system(), Command::ExpirePlan { plan_id: plan.plan_id });
    expired.after_s = 0;
    all(&expired, Code::PlanExpired);
    let mut late = proposed(&plan, false);
    late.when(&alice(), approve(&plan));
    late.after_s = 15 * 60;
    all(&late, Code::PlanExpired);
    let why = late.decide(&agent(), start(&plan, Some("t0"))).unwrap_err();
    assert!(why.say.contains("approved, but not started") && why.hint.is_some(), "{why:?}");
    let mut rejected = proposed(&plan, false);
    rejected.when(&alice(), reject(&plan));
    all(&rejected, Code::PlanRejected);
    let mut consumed = proposed(&plan, false);
    consumed.when(&alice(), approve(&plan));
    consumed.when(&agent(), start(&plan, Some("t0")));
    all(&consumed, Code::PlanAlreadyStarted);
    let why = consumed.decide(&alice(), approve(&plan)).unwrap_err();
    assert_eq!(why.job_id, Some(job_id(1)), "{why:?}");
    consumed.when(&agent(), Command::StalePlan { job_id: job_id(1), device_id: device_id("r1") });
    all(&consumed, Code::PlanStale);
    let unknown = dns_plan(9, Environment::Prod, &["r1"]);
    consumed.refused(&alice(), approve(&unknown), Code::UnknownPlan);
}

#[test]
fn a_refused_start_consumes_nothing() {
    let plan = dns_plan(1, Environment::Prod, &["r1"]);
    let mut given = proposed(&plan, false);
    given.refused(&agent(), start(&plan, Some("t0")), Code::PlanNotApproved);
    given.when(&alice(), approve(&plan));
    given.refused(&agent(), start(&plan, Some("other")), Code::ApprovalTokenInvalid);
    let other = dns_plan(2, Environment::Prod, &["r1"]);
    given.when(&agent(), propose(&other, None));
    given.refused(&agent(), start(&other, Some("t0")), Code::PlanNotApproved);
    given.when(&agent(), start(&plan, Some("t0")));
}

/// A workflow that approves the plan of these tests.
fn trusted() -> Trusted {
    let rule: Workflow = serde_json::from_value(serde_json::json!({
        "name": "dns", "environment": "prod", "devices": ["r*"], "kinds": ["update_dns_servers"],
        "values": { "servers": ["9.9.9.9", "149.112.112.112"] }, "max_devices": 2,
        "window": { "days": ["mon"], "from": "14:00", "to": "15:00" },
    }))
    .unwrap();
    Trusted { rule, tools: ["update_dns_servers".to_owned()].into() }
}

fn with_workflow(trusted: Trusted) -> Given {
    let mut given = given([added("r1", 1, Environment::Prod), added("r2", 2, Environment::Prod)]);
    given.rules.workflows = vec![trusted];
    given
}

fn plan() -> Plan {
    dns_plan(1, Environment::Prod, &["r1", "r2"])
}

fn approving(given: &Given, plan: &Plan) -> bool {
    let at = NOON.plus_secs(given.after_s);
    let found = workflow::approving(&given.state, &given.rules, plan, at);
    // Whoever claims it is held against it once more.
    let claimed = given.decide(&agent(), propose(plan, Some("workflow:dns"))).is_ok();
    assert_eq!(found.is_some(), claimed, "the choice and the rule agree");
    claimed
}

#[test]
fn a_trusted_workflow_approves_what_it_describes_and_says_which_rule_it_was() {
    let mut given = with_workflow(trusted());
    assert!(approving(&given, &plan()));
    let events = given.when(&agent(), propose(&plan(), Some("workflow:dns")));
    let Event::PlanApproved(approved) = &events[1] else { panic!("{events:?}") };
    assert_eq!(approved.comment, format!("rule sha256:{}", trusted().rule.sha256()));
    let state = &given.state.plans[&plan_id(1)];
    assert_eq!((state.status, workflow::approved(state)), (PlanStatus::Approved, Some("dns")));
    given.refused(&agent(), start(&plan(), Some("t1")), Code::ApprovalTokenInvalid);
    given.when(&agent(), start(&plan(), Some("t0")));
}

#[test]
fn a_workflow_approves_nothing_that_it_does_not_describe() {
    type OfPlan = fn(&mut Plan);
    let plans: [(OfPlan, &str); 13] = [
        (|p| p.tool = "set_system_identity".into(), "kinds"),
        (|p| p.waves[0][1].risk.level = RiskLevel::High, "high"),
        (|p| p.waves[0][1].operations[0].risky = Some("our way".into()), "cut"),
        (|p| p.rollout.without_dead_man = true, "timed undo"),
        (|p| p.waves[0][0].dead_man = Some(dead_man()), "cut"),
        (|p| write(p, "servers", "9.9.9.9,6.6.6.6"), "6.6.6.6"),
        (|p| write(p, "servers", "9.9.9.9, 149.112.112.112"), "` 149"),
        (|p| write(p, "servers", ""), "``"),
        (|p| write(p, "allow-remote-requests", "yes"), "allow-remote-requests"),
        (
            |p| {
                let Action::SetSingleton { properties, .. } = &mut p.waves[0][1].operations[0].action else {
                    return;
                };
                properties.push(("cache-size".into(), "1".into()));
            },
            "cache-size",
        ),
        (
            |p| {
                p.waves[0][0].operations[0].action =
                    Action::Remove { menu: "/ip/dns/static".into(), id: "*1".into() }
            },
            "removals",
        ),
        (
            |p| {
                p.waves[0][0].operations[0].action = Action::Command {
                    menu: "/system".into(),
                    command: "reset".into(),
                    properties: vec![("x".into(), String::new())],
                };
            },
            "`x`",
        ),
        (
            |p| {
                let mut third = p.waves[0][0].clone();
                third.device_id = device_id("r3");
                p.waves.push(vec![third]);
            },
            "max_devices",
        ),
    ];
    for (change, named) in plans {
        let given = with_workflow(trusted());
        let mut plan = plan();
        change(&mut plan);
        let why = given.rules.workflows[0].mismatches(&given.state, &given.rules, &plan, NOON).join("; ");
        assert!(why.contains(named), "{named}: {why}");
        if plan.waves.len() == 1 {
            assert!(!approving(&given, &plan), "{named}");
        }
    }
    type OfRule = fn(&mut Trusted);
    let rules: [(OfRule, &str); 8] = [
        (|t| t.rule.enabled = false, "enabled"),
        (|t| t.rule.environment = Environment::Lab, "lab"),
        (|t| t.rule.devices = vec!["r1".into()], "r2"),
        (
            |t| {
                t.rule.devices.clear();
                t.rule.tags = vec!["site=north".into()];
            },
            "r1",
        ),
        (|t| t.tools.clear(), "kinds"),
        (|t| t.rule.values.clear(), "servers"),
        (|t| t.rule.max_devices = 1, "max_devices"),
        (|t| t.rule.window.as_mut().unwrap().to = "14:13".into(), "window"),
    ];
    for (change, named) in rules {
        let mut trusted = trusted();
        change(&mut trusted);
        let given = with_workflow(trusted);
        let why = given.rules.workflows[0].mismatches(&given.state, &given.rules, &plan(), NOON).join("; ");
        assert!(why.contains(named) && !approving(&given, &plan()), "{named}: {why}");
    }
}

/// Every write of a property becomes another one.
fn write(plan: &mut Plan, name: &str, value: &str) {
    for part in plan.waves.iter_mut().flatten() {
        part.operations[0].action =
            Action::SetSingleton { menu: "/ip/dns".into(), properties: vec![(name.into(), value.into())] };
    }
}

fn dead_man() -> DeadMan {
    DeadMan {
        rung: Rung::TimerJob,
        seconds: 60,
        arm: Action::Command { menu: String::new(), command: "execute".into(), properties: vec![] },
        menu: "/system/script/job".into(),
        name: None,
    }
}

#[test]
fn tags_any_value_and_removals_are_allowed_where_a_workflow_says_so() {
    let mut wide = trusted();
    wide.rule.devices.clear();
    wide.rule.tags = vec!["site=north".into()];
    wide.rule.values.insert("servers".into(), vec!["*".into()]);
    wide.rule.removals = true;
    let mut tagged = ["r1", "r2"].map(|id| settings(id, if id == "r1" { 1 } else { 2 }, Environment::Prod));
    for settings in &mut tagged {
        settings.tags.insert("site".into(), "north".into());
    }
    let [one, two] = tagged;
    let added =
        |id: &str, settings| Event::from(events::device::DeviceAdded { device_id: device_id(id), settings });
    let mut given = given([added("r1", one), added("r2", two)]);
    given.rules.workflows = vec![wide];
    let mut plan = plan();
    write(&mut plan, "servers", "192.0.2.1,anything");
    let gone = &mut plan.waves[0][1].operations[0];
    gone.action = Action::Remove { menu: "/ip/dns/static".into(), id: "*1".into() };
    gone.expect_before = Expectation::of_menu("/ip/dns/static", vec![]);
    gone.expect_after = Expectation::of_menu("/ip/dns/static", vec![]);
    assert!(approving(&given, &plan));
}

#[test]
fn the_kill_switch_stops_approvals_and_what_was_approved_by_workflow() {
    let mut given = with_workflow(trusted());
    given.when(&agent(), propose(&plan(), Some("workflow:dns")));
    let admin = actor("token:admin", Role::Admin, Door::Cli);
    let switch = |on| Command::SwitchAutoApproval { on, reason: "incident".into() };
    assert_eq!(given.when(&admin, switch(false)).len(), 1);
    assert_eq!(given.when(&admin, switch(false)).len(), 0, "once is enough");
    given.refused(&agent(), start(&plan(), Some("t0")), Code::AutoApprovalStopped);
    let mut second = plan();
    second.plan_id = plan_id(2);
    assert!(!approving(&given, &second));
    given.refused(&agent(), propose(&second, Some("workflow:dns")), Code::AutoApprovalStopped);
    given.when(&agent(), propose(&second, None));
    given.when(&admin, switch(true));
    given.when(&agent(), start(&plan(), Some("t0")));
}

#[test]
fn a_workflow_is_not_taken_by_its_name_alone() {
    let given = with_workflow(trusted());
    given.refused(&agent(), propose(&plan(), Some("workflow:other")), Code::PlanNotApproved);
    let mut late = with_workflow(trusted());
    late.after_s = 3600;
    late.refused(&agent(), propose(&plan(), Some("workflow:dns")), Code::PlanNotApproved);
}

#[test]
fn production_alone_is_high_unless_a_workflow_says_otherwise() {
    let in_prod = |score| {
        let mut plan = plan();
        for part in plan.waves.iter_mut().flatten() {
            part.risk.score = score;
            part.risk.level = RiskLevel::High;
        }
        plan
    };
    assert!(!approving(&with_workflow(trusted()), &in_prod(60)));
    let accepting = || {
        let mut trusted = trusted();
        trusted.rule.production = true;
        with_workflow(trusted)
    };
    assert!(approving(&accepting(), &in_prod(60)));
    assert!(!approving(&accepting(), &in_prod(90)), "another reason besides");
    let mut two = accepting();
    two.rules.two_approvers_for_high_risk = true;
    assert!(!approving(&two, &in_prod(60)), "two people are two people");
    let mut lab = accepting();
    lab.rules.workflows[0].rule.environment = Environment::Lab;
    assert!(!approving(&lab, &in_prod(60)));
}
