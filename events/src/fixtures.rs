//! One encoded example of every kind and version that was ever written, for ever readable.
//!
//! `BLESS=1` writes the missing ones; it never touches one that exists. A kind without an example here does not pass.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    access::{SignInRefused, TokenCreated, TokenRevoked},
    call::{ToolCalled, ToolDenied},
    device::{
        Capability, CredentialErased, CredentialSet, DeviceAdded, DeviceEdited, DeviceIdentified,
        DeviceQuarantined, DeviceRemoved, DeviceSettings, DeviceStatus, DeviceStatusChanged, DeviceTrusted,
        Environment, Identification, Purpose, Trust,
    },
    event::Event,
    gate::{DeadManSettled, DeadManStarted, DeadManStatus, GateJudged, GateSample, GateSampled, Vitals},
    ids::{CallId, CredentialId, DeviceId, JobId, Moment, PlanId, StepId, StoreId, TokenId, WaveNo},
    job::{
        Direction, JobCancelRequested, JobDirected, JobStarted, JobStatus, JobStatusChanged, StepLayout,
        StepSettled, StepStarted, StepStatus,
    },
    operation::{Action, Expectation, FOUND, Operation, Place, Which},
    plan::{
        ApprovedBy, AutoApprovalSwitched, DeadMan, DevicePart, GatePolicy, Origin, Plan, PlanApproved,
        PlanExpired, PlanProposed, PlanRejected, PlanStale, Precheck, Risk, RiskLevel, Rollout, Rung,
    },
    principal::{Actor, Door, Role},
    sample::{HealthBatch, HealthSample},
    store::{AuditGap, StoreCreated},
    upcast,
};

/// A fixture's file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fixture {
    kind: String,
    type_id: u16,
    version: u8,
    /// The body, in hexadecimal.
    body: String,
    /// The same as people read it, in the words of its version.
    event: serde_json::Value,
}

fn at(second: i64) -> Moment {
    Moment::from_micros(1_790_000_000_123_456).plus_secs(second)
}

fn ada() -> Actor {
    Actor {
        name: "token:tok_00000000000000000000000001".into(),
        label: "Ada".into(),
        role: Role::Approver,
        door: Door::Api,
    }
}

fn r1() -> DeviceId {
    "r1".parse().unwrap()
}

fn settings() -> DeviceSettings {
    DeviceSettings {
        name: "North tower".into(),
        management_ip: "192.0.2.7".parse().unwrap(),
        management_port: 443,
        environment: Environment::Staging,
        tags: BTreeMap::from([("site".into(), "north".into())]),
        capabilities: vec![Capability::AdvancedWrites, Capability::BandwidthTest],
        critical: true,
    }
}

fn operation() -> Operation {
    let menu = || "/ip/dns".to_owned();
    let set = |servers: &str| Action::SetSingleton {
        menu: menu(),
        properties: vec![("servers".into(), servers.into())],
    };
    Operation {
        action: set("9.9.9.9"),
        undo: vec![set("1.1.1.1"), Action::Remove { menu: "/ip/route".into(), id: "*7".into() }],
        expect_before: Expectation::of_menu("/ip/dns", vec![("servers".into(), None)]),
        expect_after: Expectation::of_menu("/ip/dns", vec![("servers".into(), Some("9.9.9.9".into()))]),
        risky: Some("changes a route".into()),
    }
}

/// An added rule: found by what it says, at its place.
fn added() -> Operation {
    let menu = "/ip/firewall/filter";
    let which = Which::Find {
        by: vec![("chain".into(), Some("input".into())), ("comment".into(), None)],
        narrow: vec![("chain".into(), "input".into())],
        except: vec!["*5".into()],
    };
    let wanted = vec![("chain".into(), Some("input".into()))];
    Operation {
        action: Action::Add { menu: menu.into(), properties: vec![("chain".into(), "input".into())] },
        undo: vec![Action::Remove { menu: menu.into(), id: FOUND.into() }],
        expect_before: Expectation { count: Some(7), ..Expectation::gone(menu, which.clone()) },
        expect_after: Expectation {
            others: Some(vec!["bytes".into()]),
            place: Some(Place::Before("*9".into())),
            ..Expectation::of(menu, which, wanted)
        },
        risky: None,
    }
}

fn plan() -> Plan {
    Plan {
        plan_id: PlanId::from_u128(20),
        tool: "dns_plan_rollout".into(),
        summary: "DNS servers of 1 router".into(),
        environment: Environment::Lab,
        waves: vec![vec![DevicePart {
            device_id: r1(),
            operations: vec![operation(), added()],
            risk: Risk { score: 30, level: RiskLevel::Medium, reasons: vec!["one router".into()] },
            bound_sha256: "cd".repeat(32),
            checks: vec![Precheck { check: "health".into(), passed: false, note: "degraded".into() }],
            dead_man: Some(DeadMan {
                rung: Rung::Scheduler,
                seconds: 180,
                arm: Action::Add {
                    menu: "/system/scheduler".into(),
                    properties: vec![("name".into(), "appliance-undo-1".into())],
                },
                menu: "/system/scheduler".into(),
                name: Some("appliance-undo-1".into()),
            }),
        }]],
        rollback_on_failure: true,
        rollout: Rollout {
            pause_seconds: 60,
            soak_seconds: 30,
            gate: Some(GatePolicy {
                cpu_percent: 80,
                memory_percent: 85,
                disk_percent: 86,
                temperature_celsius: 70,
                resolve: Some("example.net".into()),
                ntp: true,
            }),
            without_dead_man: true,
        },
        undoes: vec![PlanId::from_u128(19)],
        reason: "the new servers are slow".into(),
    }
}

/// One of every kind. Values are chosen so that every field differs from its neighbours.
fn examples() -> Vec<Event> {
    let (plan_id, job_id, step_id) = (PlanId::from_u128(20), JobId::from_u128(30), StepId::from_u128(31));
    let credential_id = CredentialId::from_u128(10);
    let hash = "0123456789abcdef".repeat(4);
    vec![
        StoreCreated {
            store_id: StoreId::from_u128(1),
            product_version: "0.1.0".into(),
            verifier_key: "appliance+01234567+AQ==".into(),
        }
        .into(),
        AuditGap { from: at(1), to: at(2), calls: 300 }.into(),
        DeviceAdded { device_id: r1(), settings: settings() }.into(),
        DeviceEdited { device_id: r1(), settings: settings() }.into(),
        DeviceRemoved { device_id: r1(), reason: "sold".into() }.into(),
        DeviceTrusted { device_id: r1(), trust: Trust::SpkiPin { sha256: hash.clone() } }.into(),
        DeviceQuarantined { device_id: r1(), seen_sha256: hash.clone() }.into(),
        DeviceIdentified {
            device_id: r1(),
            identification: Identification {
                routeros_version: "7.20.8 (long-term)".into(),
                hardware_model: "CHR".into(),
                architecture: "arm64".into(),
                system_identity: "MikroTik ☃".into(),
                serial_number: String::new(),
            },
        }
        .into(),
        DeviceStatusChanged {
            device_id: r1(),
            from: DeviceStatus::Healthy,
            to: DeviceStatus::Unreachable,
            reason: "timeout".into(),
        }
        .into(),
        CredentialSet { device_id: r1(), credential_id, purpose: Purpose::Write, username: "mcp-rw".into() }
            .into(),
        CredentialErased { device_id: r1(), credential_id }.into(),
        PlanProposed {
            plan: plan(),
            plan_hash: hash.clone(),
            by: ada(),
            approval_token_sha256: hash.replace('0', "f"),
            approvals_needed: 2,
            origin: Origin {
                call_id: Some(CallId::from_u128(52)),
                correlation_id: "c2".into(),
                client: "agent 1.0".into(),
            },
            expires_at: at(86_400),
        }
        .into(),
        PlanApproved {
            plan_id,
            plan_hash: hash.clone(),
            by: ApprovedBy::Policy("immediate_writes:lab".into()),
            comment: "go".into(),
            start_before: at(900),
        }
        .into(),
        PlanRejected { plan_id, by: ada(), comment: "not today".into() }.into(),
        PlanExpired { plan_id }.into(),
        PlanStale { plan_id, device_id: r1() }.into(),
        AutoApprovalSwitched { on: true, reason: "the audit is over".into() }.into(),
        JobStarted {
            job_id,
            plan_id,
            by: ada(),
            steps: vec![StepLayout { step_id, device_id: r1(), wave: WaveNo(1), operation: 2 }],
        }
        .into(),
        StepStarted {
            job_id,
            step_id,
            device_id: r1(),
            attempt: 2,
            undo: true,
            operation_sha256: hash.clone(),
        }
        .into(),
        StepSettled {
            job_id,
            step_id,
            device_id: r1(),
            status: StepStatus::InDoubt,
            code: Some("in_doubt".into()),
            detail: "no answer".into(),
            observed: vec![("servers".into(), Some("1.1.1.1".into())), ("x".into(), None)],
        }
        .into(),
        JobStatusChanged { job_id, plan_id, status: JobStatus::Halted, reason: "gate".into() }.into(),
        JobCancelRequested { job_id, by: ada(), reason: "wrong window".into() }.into(),
        JobDirected { job_id, by: ada(), direction: Direction::Skip(r1()), reason: "in repair".into() }
            .into(),
        GateSampled {
            job_id,
            wave: WaveNo(2),
            sample: 3,
            devices: vec![GateSample {
                device_id: r1(),
                vitals: Some(Vitals {
                    cpu_percent: 81,
                    memory_percent: 40,
                    disk_percent: 41,
                    temperature_celsius: Some(-4),
                    uptime_seconds: 70_000,
                }),
                problem: Some("not_resolved".into()),
                notes: vec!["the clock is not synchronised yet".into()],
            }],
        }
        .into(),
        GateJudged {
            job_id,
            wave: WaveNo(2),
            passed: true,
            reasons: vec!["r1 was at 81 % CPU before".into()],
        }
        .into(),
        DeadManStarted { job_id, device_id: r1(), attempt: 2, disarm: true, operation_sha256: hash.clone() }
            .into(),
        DeadManSettled {
            job_id,
            device_id: r1(),
            status: DeadManStatus::Armed,
            reference: Some("*126".into()),
            code: Some("device_refused".into()),
            detail: "failure: not allowed by device-mode".into(),
        }
        .into(),
        TokenCreated {
            token_id: TokenId::from_u128(40),
            label: "laptop".into(),
            role: Role::OpsRw,
            personal: true,
            environments: vec![Environment::Prod],
            device_scopes: vec!["tag:site=north".into()],
            sha256: hash,
            expires_at: at(3600),
            by: ada(),
        }
        .into(),
        TokenRevoked { token_id: TokenId::from_u128(40), by: ada() }.into(),
        SignInRefused {
            door: Door::Api,
            from: "192.0.2.9".into(),
            count: 7,
            since: Moment::from_micros(1_790_000_000_000_000),
        }
        .into(),
        ToolCalled {
            call_id: CallId::from_u128(50),
            by: ada(),
            tool: "ip_get_dns".into(),
            devices: vec![r1()],
            parameters: "{}".into(),
            failure: Some("device_unreachable".into()),
            duration_us: 70_000,
            correlation_id: "c1".into(),
        }
        .into(),
        ToolDenied {
            call_id: CallId::from_u128(51),
            by: ada(),
            tool: "ip_set_dns".into(),
            devices: vec![r1()],
            code: "forbidden".into(),
            correlation_id: String::new(),
        }
        .into(),
        HealthBatch {
            samples: vec![HealthSample {
                device_id: r1(),
                at: at(5),
                status: DeviceStatus::Degraded,
                cpu_permille: Some(801),
                memory_permille: None,
                disk_permille: Some(3),
                temperature_decicelsius: Some(-45),
                uptime_s: Some(70_000),
            }],
        }
        .into(),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// What is inside the one-variant object that an event is as JSON.
fn json(event: &Event) -> serde_json::Value {
    serde_json::to_value(event).unwrap()[event.kind()].take()
}

#[test]
fn fixtures_cover_registry_and_decode() {
    let examples: BTreeMap<u16, Event> =
        examples().into_iter().map(|event| (event.type_id(), event)).collect();
    let bless = std::env::var_os("BLESS").is_some();
    for &(type_id, current, kind) in Event::REGISTRY {
        let example = examples.get(&type_id).unwrap_or_else(|| panic!("{kind} has no example in this file"));
        for version in 1..=current {
            let path = folder().join(format!("{kind}.v{version}.json"));
            if bless && version == current && !path.exists() {
                let body = hex(&example.encode_body().unwrap());
                let fixture = Fixture { kind: kind.into(), type_id, version, body, event: json(example) };
                fs::create_dir_all(folder()).unwrap();
                fs::write(&path, serde_json::to_string_pretty(&fixture).unwrap() + "\n").unwrap();
            }
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|_| panic!("{} is missing; BLESS=1 writes it", path.display()));
            let fixture: Fixture = serde_json::from_str(&text).unwrap();
            assert_eq!((&*fixture.kind, fixture.type_id, fixture.version), (kind, type_id, version));
            let body = unhex(&fixture.body);
            let raised = upcast::raise(upcast::STEPS, type_id, version, current, &body).unwrap();
            let decoded = Event::decode_body(type_id, &raised).unwrap().unwrap();
            if version == current {
                assert_eq!(json(&decoded), fixture.event, "{kind}: the meaning of stored bytes changed");
                assert_eq!(
                    hex(&decoded.encode_body().unwrap()),
                    fixture.body,
                    "{kind} is written differently"
                );
            }
        }
    }
}

/// What an older version did not know yet.
fn forget(plan: &mut Plan) {
    plan.rollout = Rollout { without_dead_man: true, ..Rollout::default() };
    plan.undoes.clear();
    plan.reason.clear();
    for part in plan.waves.iter_mut().flatten() {
        part.bound_sha256.clear();
        part.checks.clear();
        part.dead_man = None;
    }
}

#[test]
fn a_plan_of_an_older_version_means_the_same_today() {
    for (version, later) in [(1, Some(added())), (2, None)] {
        let text = fs::read_to_string(folder().join(format!("PlanProposed.v{version}.json"))).unwrap();
        let body = unhex(&serde_json::from_str::<Fixture>(&text).unwrap().body);
        let raised = upcast::raise(upcast::STEPS, 200, version, 3, &body).unwrap();
        let Event::PlanProposed(mut old) = Event::decode_body(200, &raised).unwrap().unwrap() else {
            panic!("a plan")
        };
        old.plan.waves[0][0].operations.extend(later);
        let mut today = plan();
        forget(&mut today);
        assert_eq!(old.plan, today, "version {version}");
        assert_eq!((old.approvals_needed, old.origin), (1, Origin::default()));
    }
}

#[test]
fn there_is_no_fixture_of_a_kind_that_is_gone() {
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = Event::REGISTRY.iter().any(|(_, current, kind)| {
            (1..=*current).any(|version| name == format!("{kind}.v{version}.json"))
        });
        assert!(known, "{name}: a kind that was ever written stays in the registry");
    }
}

#[test]
fn numbers_and_names_are_given_once() {
    let numbers: std::collections::BTreeSet<_> = Event::REGISTRY.iter().map(|entry| entry.0).collect();
    let names: std::collections::BTreeSet<_> = Event::REGISTRY.iter().map(|entry| entry.2).collect();
    assert_eq!((numbers.len(), names.len()), (Event::REGISTRY.len(), Event::REGISTRY.len()));
}
