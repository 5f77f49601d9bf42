//! Cases of the rules, one story each.

use events::{
    device::{DeviceStatus, Environment, Trust},
    event::Event,
    job::{JobStatus, StepSettled, StepStatus},
    plan::{ApprovedBy, DeadMan, GatePolicy, Precheck, Rung},
    principal::{Door, Role},
};

use crate::{
    domain::{
        Command, Seen,
        job::{ATTEMPTS_MAX, Need, next},
        plan::{PlanStatus, hash},
        testing::{
            Given, NOON, actor, added, agent, alice, device_id, dns_plan, given, job_id, plan_id, settings,
            step_id,
        },
    },
    failure::Code,
};

fn propose(environment: Environment, devices: &[&str], policy: Option<&str>) -> Command {
    Command::ProposePlan {
        plan: Box::new(dns_plan(1, environment, devices)),
        approval_token_sha256: if policy.is_some() { String::new() } else { "t0".into() },
        policy: policy.map(str::to_owned),
        origin: events::plan::Origin::default(),
    }
}

fn approve(plan_hash: String) -> Command {
    Command::ApprovePlan { plan_id: plan_id(1), plan_hash, comment: String::new(), personal: true }
}

fn start(token: Option<&str>) -> Command {
    Command::StartJob {
        plan_id: plan_id(1),
        job_id: job_id(1),
        step_ids: vec![step_id(1), step_id(2)],
        approval_token_sha256: token.map(str::to_owned),
    }
}

fn begin(n: u128, undo: bool) -> Command {
    Command::BeginStep { job_id: job_id(1), step_id: step_id(n), undo, operation_sha256: "h".into() }
}

fn settle(n: u128, device: &str, status: StepStatus) -> Command {
    Command::SettleStep(StepSettled {
        job_id: job_id(1),
        step_id: step_id(n),
        device_id: device_id(device),
        status,
        code: None,
        detail: String::new(),
        observed: vec![],
    })
}

fn status(status: JobStatus) -> Command {
    Command::SetJobStatus { job_id: job_id(1), status, reason: String::new() }
}

/// Two lab routers and a plan for both that waits for a person.
fn waiting_plan() -> Given {
    let mut given = given([added("r1", 1, Environment::Lab), added("r2", 2, Environment::Lab)]);
    given.when(&agent(), propose(Environment::Lab, &["r1", "r2"], None));
    given
}

fn running_job() -> Given {
    let mut given = given([added("r1", 1, Environment::Lab), added("r2", 2, Environment::Lab)]);
    given.when(&agent(), propose(Environment::Lab, &["r1", "r2"], Some("immediate_writes:lab")));
    given.when(&agent(), start(None));
    given.when(&agent(), status(JobStatus::Running));
    given
}

fn the_hash() -> String {
    hash(&dns_plan(1, Environment::Lab, &["r1", "r2"]))
}

fn needs(given: &Given) -> Vec<Need> {
    let now = NOON.plus_secs(given.after_s);
    let plan = &given.state.plans[&plan_id(1)].plan;
    next(&given.state.jobs[&job_id(1)], plan, now, &std::collections::BTreeSet::new())
}

/// The only thing that is needed.
fn need(given: &Given) -> Option<Need> {
    let needs = needs(given);
    assert!(needs.len() < 2, "{needs:?}");
    needs.into_iter().next()
}

#[test]
fn a_name_an_address_and_an_old_id_are_taken_once() {
    let mut given = given([added("r1", 1, Environment::Lab)]);
    let add = |id: &str, name: &str, last: u8| Command::AddDevice {
        device_id: device_id(id),
        settings: settings(name, last, Environment::Lab),
        trust: None,
        logins: Vec::new(),
    };
    given.refused(&agent(), add("r1", "other", 9), Code::AlreadyExists);
    given.refused(&agent(), add("r9", "r1", 9), Code::AlreadyExists);
    given.refused(&agent(), add("r9", "fine", 1), Code::AlreadyExists);
    given.refused(&agent(), add("r9", "", 9), Code::InvalidParams);
    given.refused(&agent(), add("r9", "tab\there", 9), Code::InvalidParams);
    given.when(&agent(), Command::RemoveDevice { device_id: device_id("r1"), reason: "sold".into() });
    given.refused(&agent(), add("r1", "r1", 1), Code::AlreadyExists);
    assert_eq!(given.when(&agent(), add("r2", "r1", 1)).len(), 1);
}

#[test]
fn a_quarantine_ends_only_by_a_confirmation() {
    let mut given = given([added("r1", 1, Environment::Lab)]);
    let quarantine = Command::QuarantineDevice { device_id: device_id("r1"), seen_sha256: "bad".into() };
    given.when(&agent(), quarantine.clone());
    assert_eq!(given.state.devices[&device_id("r1")].status, DeviceStatus::Quarantined);
    let healthy = Command::ObserveDevice {
        device_id: device_id("r1"),
        status: DeviceStatus::Healthy,
        reason: String::new(),
    };
    assert_eq!(given.when(&agent(), healthy), vec![], "a look changes nothing");
    assert_eq!(given.when(&agent(), quarantine), vec![], "once is enough");
    let trust =
        Command::TrustDevice { device_id: device_id("r1"), trust: Trust::SpkiPin { sha256: "a".repeat(64) } };
    given.when(&agent(), trust);
    let device = &given.state.devices[&device_id("r1")];
    assert_eq!((device.status, device.quarantined.as_ref()), (DeviceStatus::Pending, None));
}

#[test]
fn a_pin_is_64_hex_digits() {
    let given = given([added("r1", 1, Environment::Lab)]);
    for bad in ["", "AB", &"A".repeat(64), &"g".repeat(64)] {
        let trust = Trust::SpkiPin { sha256: bad.into() };
        given.refused(
            &agent(),
            Command::TrustDevice { device_id: device_id("r1"), trust },
            Code::InvalidParams,
        );
    }
}

#[test]
fn approval_is_by_another_named_approver_for_this_very_hash() {
    let mut given = waiting_plan();
    given.refused(&agent(), start(Some("t0")), Code::PlanNotApproved);
    given.refused(&agent(), approve(the_hash()), Code::NotForAgents);
    let admin = actor("token:admin", Role::Admin, Door::Cli);
    given.refused(&admin, approve(the_hash()), Code::RoleRequired);
    let machine = Command::ApprovePlan {
        plan_id: plan_id(1),
        plan_hash: the_hash(),
        comment: String::new(),
        personal: false,
    };
    given.refused(&alice(), machine, Code::RoleRequired);
    given.refused(&alice(), approve("0".repeat(64)), Code::PlanHashMismatch);
    let requester_too = actor("token:agent", Role::Approver, Door::Cli);
    given.refused(&requester_too, approve(the_hash()), Code::SelfApproval);
    given.when(&alice(), approve(the_hash()));
    given.refused(&alice(), approve(the_hash()), Code::PlanAlreadyApproved);
    let plan = &given.state.plans[&plan_id(1)];
    assert!(matches!(&plan.approvals[0].by, ApprovedBy::Person(by) if by.name == "token:alice"));
}

#[test]
fn in_the_lab_the_requester_may_approve_where_the_configuration_says_so() {
    let mut given = waiting_plan();
    given.rules.lab_self_approval = true;
    given.when(&actor("token:agent", Role::OpsRw, Door::Cli), approve(the_hash()));
    assert_eq!(given.state.plans[&plan_id(1)].status, PlanStatus::Approved);
}

#[test]
fn an_agent_starts_an_approved_plan_with_its_token_and_only_once() {
    let mut given = waiting_plan();
    given.when(&alice(), approve(the_hash()));
    given.refused(&agent(), start(None), Code::ApprovalTokenInvalid);
    given.refused(&agent(), start(Some("t1")), Code::ApprovalTokenInvalid);
    given.when(&agent(), start(Some("t0")));
    given.refused(&agent(), start(Some("t0")), Code::PlanAlreadyStarted);
}

#[test]
fn a_plan_is_for_the_environment_it_was_made_in() {
    let mut given = waiting_plan();
    given.when(&alice(), approve(the_hash()));
    let (device_id, mut moved) = given
        .state
        .devices
        .values()
        .next()
        .map(|device| (device.device_id.clone(), device.settings.clone()))
        .unwrap();
    let seen = Box::new(Seen::from(&given.state.devices[&device_id]));
    moved.environment =
        if moved.environment == Environment::Lab { Environment::Prod } else { Environment::Lab };
    let edit = Command::EditDevice { device_id, seen, settings: moved, trust: None, logins: Vec::new() };
    given.when(&agent(), edit);
    given.refused(&agent(), start(Some("t0")), Code::PlanStale);
}

#[test]
fn a_job_kept_from_its_first_write_does_not_make_it_much_later() {
    let mut given = waiting_plan();
    given.when(&alice(), approve(the_hash()));
    given.when(&agent(), start(Some("t0")));
    given.when(&agent(), status(JobStatus::Running));
    let started = given.after_s;
    given.after_s = started + 15 * 60 + 1;
    given.refused(&agent(), begin(1, false), Code::PlanExpired);
    given.after_s = started + 15 * 60;
    given.when(&agent(), begin(1, false));
    given.when(&agent(), settle(1, "r1", StepStatus::Applied));
    // Once it has begun it is carried to its end, whenever that is.
    given.after_s = started + 24 * 3600;
    given.when(&agent(), begin(2, false));
}

#[test]
fn time_ends_what_waits() {
    let mut given = waiting_plan();
    given.after_s = 24 * 3600;
    given.refused(&alice(), approve(the_hash()), Code::PlanExpired);
    given.after_s = 10;
    given.when(&alice(), approve(the_hash()));
    given.after_s = 10 + 15 * 60;
    given.refused(&agent(), start(Some("t0")), Code::PlanExpired);
    assert_eq!(given.when(&agent(), Command::ExpirePlan { plan_id: plan_id(1) }).len(), 1);
    assert_eq!(given.state.plans[&plan_id(1)].status, PlanStatus::Expired);
}

#[test]
fn a_rejected_plan_is_over() {
    let mut given = waiting_plan();
    let reject = || Command::RejectPlan { plan_id: plan_id(1), comment: "no".into(), personal: true };
    given.refused(&agent(), reject(), Code::NotForAgents);
    given.when(&alice(), approve(the_hash()));
    given.when(&alice(), reject());
    given.refused(&agent(), start(Some("t0")), Code::PlanRejected);
    given.refused(&alice(), approve(the_hash()), Code::PlanRejected);
}

#[test]
fn one_job_holds_a_device_until_it_is_over() {
    let mut given = running_job();
    let mut second = dns_plan(2, Environment::Lab, &["r2"]);
    second.summary = "another".into();
    given.when(
        &agent(),
        Command::ProposePlan {
            plan: Box::new(second),
            approval_token_sha256: String::new(),
            policy: Some("p".into()),
            origin: events::plan::Origin::default(),
        },
    );
    let start_second = Command::StartJob {
        plan_id: plan_id(2),
        job_id: job_id(2),
        step_ids: vec![step_id(9)],
        approval_token_sha256: None,
    };
    given.refused(&agent(), start_second.clone(), Code::DeviceInJob);
    given.refused(
        &agent(),
        Command::RemoveDevice { device_id: device_id("r1"), reason: String::new() },
        Code::DeviceInJob,
    );
    given.when(&agent(), status(JobStatus::Failed));
    given.when(&agent(), start_second);
}

#[test]
fn a_job_goes_step_by_step_to_its_end() {
    let mut given = running_job();
    let write = |n| Need::Write { step_id: step_id(n), undo: false };
    assert_eq!(needs(&given), [write(1), write(2)], "devices of a wave do not wait for each other");
    given.when(&agent(), begin(1, false));
    let settle_first = Need::Settle(step_id(1));
    assert_eq!(needs(&given), [settle_first, write(2)], "an intent without an end is settled by reading");
    given.when(&agent(), settle(1, "r1", StepStatus::Applied));
    assert_eq!(need(&given), Some(write(2)));
    given.when(&agent(), begin(2, false));
    given.when(&agent(), settle(2, "r2", StepStatus::Applied));
    assert_eq!(need(&given), Some(Need::Status(JobStatus::Completed, String::new())));
    given.when(&agent(), status(JobStatus::Completed));
    assert_eq!(need(&given), None);
    assert!(given.state.leases.is_empty());
    assert_eq!(given.state.plans[&plan_id(1)].status, PlanStatus::Completed);
}

#[test]
fn nothing_is_sent_while_a_step_is_not_settled() {
    let mut given = running_job();
    given.when(&agent(), begin(1, false));
    given.refused(&agent(), begin(1, false), Code::Conflict);
    given.refused(&agent(), status(JobStatus::Completed), Code::Conflict);
    given.when(&agent(), settle(1, "r1", StepStatus::InDoubt));
    given.refused(&agent(), begin(1, false), Code::Conflict);
    given.refused(&agent(), begin(2, false), Code::Conflict);
    assert_eq!(need(&given), Some(Need::Settle(step_id(1))));
    given.refused(&agent(), settle(2, "r2", StepStatus::Applied), Code::Conflict);
}

#[test]
fn what_reading_shows_as_not_applied_is_sent_again_a_few_times() {
    let mut given = running_job();
    for _ in 0..ATTEMPTS_MAX {
        assert_eq!(needs(&given)[0], Need::Write { step_id: step_id(1), undo: false });
        given.when(&agent(), begin(1, false));
        given.when(&agent(), settle(1, "r1", StepStatus::NotApplied));
    }
    assert!(matches!(need(&given), Some(Need::Status(JobStatus::Failed, _))));
    given.refused(&agent(), begin(1, false), Code::Conflict);
}

#[test]
fn a_refused_step_undoes_what_was_applied_in_reverse() {
    let mut given = running_job();
    given.when(&agent(), begin(1, false));
    given.when(&agent(), settle(1, "r1", StepStatus::Applied));
    given.when(&agent(), begin(2, false));
    given.when(&agent(), settle(2, "r2", StepStatus::Refused));
    assert!(matches!(need(&given), Some(Need::Status(JobStatus::RollingBack, _))));
    given.when(&agent(), status(JobStatus::RollingBack));
    assert_eq!(need(&given), Some(Need::Write { step_id: step_id(1), undo: true }));
    given.when(&agent(), begin(1, true));
    given.refused(&agent(), settle(1, "r1", StepStatus::NotApplied), Code::Conflict);
    given.when(&agent(), settle(1, "r1", StepStatus::Undone));
    assert!(matches!(need(&given), Some(Need::Status(JobStatus::RolledBack, _))));
}

#[test]
fn a_diverged_router_stops_everything_and_asks_a_person() {
    let mut given = running_job();
    given.when(&agent(), begin(1, false));
    given.when(&agent(), settle(1, "r1", StepStatus::Diverged));
    assert!(matches!(need(&given), Some(Need::Status(JobStatus::Stuck, _))));
    given.when(&agent(), status(JobStatus::Stuck));
    assert_eq!(need(&given), None);
    assert!(given.state.leases.contains_key(&device_id("r2")), "a stuck job keeps its devices");
}

#[test]
fn doubt_is_settled_even_while_stuck() {
    let mut given = running_job();
    given.when(&agent(), begin(1, false));
    given.when(&agent(), settle(1, "r1", StepStatus::InDoubt));
    given.when(&agent(), status(JobStatus::Stuck));
    assert_eq!(need(&given), Some(Need::Settle(step_id(1))));
    given.when(&agent(), settle(1, "r1", StepStatus::Applied));
    assert!(matches!(need(&given), Some(Need::Status(JobStatus::Running, _))));
}

#[test]
fn a_stale_plan_ends_before_anything_is_sent() {
    let mut given = running_job();
    given.when(&agent(), Command::StalePlan { job_id: job_id(1), device_id: device_id("r1") });
    assert_eq!(given.state.plans[&plan_id(1)].status, PlanStatus::Stale);
    assert!(given.state.leases.is_empty());
    let mut given = running_job();
    given.when(&agent(), begin(1, false));
    given.refused(
        &agent(),
        Command::StalePlan { job_id: job_id(1), device_id: device_id("r1") },
        Code::Conflict,
    );
}

#[test]
fn an_operation_has_exactly_one_undo() {
    let given = given([added("r1", 1, Environment::Lab)]);
    for undo in [0, 2] {
        let mut plan = dns_plan(1, Environment::Lab, &["r1"]);
        let operation = &mut plan.waves[0][0].operations[0];
        operation.undo = vec![operation.action.clone(); undo];
        let propose = Command::ProposePlan {
            plan: Box::new(plan),
            approval_token_sha256: String::new(),
            policy: Some("p".into()),
            origin: events::plan::Origin::default(),
        };
        given.refused(&agent(), propose, Code::Bug);
    }
}

#[test]
fn a_job_that_undoes_never_goes_forward_again() {
    let mut given = running_job();
    given.when(&agent(), status(JobStatus::RollingBack));
    given.when(&agent(), status(JobStatus::Stuck));
    given.refused(&agent(), status(JobStatus::Running), Code::Conflict);
    assert!(matches!(need(&given), Some(Need::Status(JobStatus::RollingBack, _))));
}

#[test]
fn every_part_of_a_plan_is_in_its_hash() {
    let plan = dns_plan(1, Environment::Lab, &["r1", "r2"]);
    let mut variants = vec![plan.clone(); 17];
    variants[0].waves[0][0].operations[0].expect_before.properties[0].1 = Some("1.1.1.2".into());
    variants[1].waves[0].swap(0, 1);
    variants[2].rollback_on_failure = false;
    variants[3].waves = plan.waves[0].iter().cloned().map(|part| vec![part]).collect();
    variants[4].waves[0][1].risk.score = 31;
    variants[5].summary.push('.');
    variants[6].rollout.pause_seconds = 1;
    variants[7].rollout.soak_seconds = 1;
    variants[8].rollout.without_dead_man = true;
    variants[9].rollout.gate = Some(GatePolicy::default());
    variants[10].rollout.gate = Some(GatePolicy { temperature_celsius: 71, ..GatePolicy::default() });
    variants[11].undoes.push(plan_id(2));
    variants[12].reason.push('.');
    variants[13].waves[0][0].bound_sha256.push('0');
    variants[14].waves[0][0].checks.push(Precheck {
        check: "reachable".into(),
        passed: true,
        note: String::new(),
    });
    variants[15].waves[0][0].operations[0].risky = Some("it may cut our way".into());
    variants[16].waves[0][0].dead_man = Some(DeadMan {
        rung: Rung::TimerJob,
        seconds: 120,
        arm: plan.waves[0][0].operations[0].undo[0].clone(),
        menu: "/system/script/job".into(),
        name: None,
    });
    let mut hashes: Vec<String> = variants.iter().chain([&plan]).map(hash).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 18);
}

#[test]
fn an_approver_token_stands_for_a_person() {
    let given = given([]);
    let created = |role, personal| events::access::TokenCreated {
        token_id: events::ids::TokenId::from_parts(NOON, 7),
        label: "bob".into(),
        role,
        personal,
        environments: vec![],
        device_scopes: vec![],
        sha256: String::new(),
        expires_at: NOON.plus_secs(60),
        by: agent(),
    };
    given.refused(&agent(), Command::CreateToken(created(Role::Approver, false)), Code::InvalidParams);
    assert!(given.decide(&agent(), Command::CreateToken(created(Role::Approver, true))).is_ok());
    let mut late = created(Role::OpsRw, false);
    late.expires_at = NOON;
    given.refused(&agent(), Command::CreateToken(late), Code::InvalidParams);
}

#[test]
fn samples_change_no_decision() {
    use events::{event::Envelope, fold::Fold as _, ids::CommandId};
    let mut given = given([added("r1", 1, Environment::Lab)]);
    let before = given.state.clone();
    let event: Event = events::sample::HealthBatch { samples: vec![] }.into();
    let envelope = Envelope {
        seq: before.seq.next(),
        leaf: None,
        at: NOON,
        actor: agent(),
        command_id: CommandId::from_parts(NOON, 1),
        event,
    };
    given.state.apply(&envelope);
    assert_eq!(given.state, before);
}
