//! Events as an appliance in use writes them.

use std::collections::BTreeMap;

use events::{
    call::ToolCalled,
    device::{
        CredentialSet, DeviceAdded, DeviceIdentified, DeviceSettings, DeviceStatus, DeviceStatusChanged,
        DeviceTrusted, Environment, Identification, Purpose, Trust,
    },
    event::{Event, NewEvent},
    frame,
    ids::{CallId, CommandId, CredentialId, DeviceId, JobId, Moment, PlanId, Seq, StepId, StoreId, WaveNo},
    job::{JobStarted, JobStatus, JobStatusChanged, StepLayout, StepSettled, StepStarted, StepStatus},
    operation::{Action, Expectation, Operation},
    plan::{ApprovedBy, DevicePart, Origin, Plan, PlanApproved, PlanProposed, Risk, RiskLevel, Rollout},
    principal::{Actor, Door, Role},
    store::StoreCreated,
};

use crate::Outcome;

/// When the history begins.
const BEGIN: Moment = Moment::from_micros(1_760_000_000_000_000);
/// Four events a second.
const EVENT_EVERY_MICROS: i64 = 250_000;
/// Devices of the history.
pub(crate) const DEVICES: u64 = 10_000;
/// Events that register one device.
const EVENTS_OF_A_DEVICE: u64 = 4;
/// After the devices: rounds of 50 events, of which 40 are reads, 4 changes of status and 6 a whole change of a router.
const ROUND: u64 = 50;

fn at(n: u64) -> Moment {
    Moment::from_micros(
        BEGIN.as_micros() + i64::try_from(n).unwrap_or(i64::MAX / 1_000_000) * EVENT_EVERY_MICROS,
    )
}

/// Scatters numbers, the same way in every run.
const fn scattered(n: u64) -> u64 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31)
}

pub(crate) fn agent() -> Actor {
    Actor {
        name: "token:tok_01k5agent".into(),
        label: "noc agent".into(),
        role: Role::OpsRw,
        door: Door::McpHttp,
    }
}

fn device_id(n: u64) -> Outcome<DeviceId> {
    Ok(format!("router-{:05}", n % DEVICES).parse()?)
}

fn new(n: u64, event: Event) -> NewEvent {
    let command_id = CommandId::from_parts(at(n), u128::from(scattered(n)));
    NewEvent { at: at(n), actor: agent(), command_id, event }
}

/// A recorded call of a read tool: about 200 bytes as a frame, the size that the goals speak of.
pub(crate) fn called(n: u64) -> Outcome<ToolCalled> {
    let device = device_id(scattered(n))?;
    Ok(ToolCalled {
        call_id: CallId::from_parts(at(n), u128::from(scattered(n))),
        by: agent(),
        tool: "get_system_overview".into(),
        parameters: format!("{{\"device_id\":\"{device}\"}}"),
        devices: vec![device],
        failure: None,
        duration_us: scattered(n) % 40_000,
        correlation_id: String::new(),
    })
}

/// The same, ready to be appended.
pub(crate) fn call(n: u64) -> Outcome<NewEvent> {
    Ok(new(n, called(n)?.into()))
}

/// The bytes that every engine keeps for an event.
pub(crate) fn encode(out: &mut Vec<u8>, seq: u64, event: &NewEvent) -> Outcome<usize> {
    Ok(frame::write(out, Seq(seq), Some(seq.saturating_sub(1)), event)?)
}

/// The first event of a store.
pub(crate) fn created(verifier_key: String) -> NewEvent {
    let created = StoreCreated {
        store_id: StoreId::from_parts(BEGIN, 1),
        product_version: env!("CARGO_PKG_VERSION").into(),
        verifier_key,
    };
    NewEvent {
        at: BEGIN,
        actor: Actor::system(),
        command_id: CommandId::from_parts(BEGIN, 1),
        event: created.into(),
    }
}

/// The `n`-th event of the history (0-based).
pub(crate) fn history(n: u64) -> Outcome<NewEvent> {
    let events_of_devices = DEVICES * EVENTS_OF_A_DEVICE;
    let event = if n < events_of_devices {
        registration(n / EVENTS_OF_A_DEVICE, n % EVENTS_OF_A_DEVICE)?
    } else {
        let later = n - events_of_devices;
        match later % ROUND {
            0..40 => called(n)?.into(),
            40..44 => status(n)?.into(),
            step => change(later / ROUND, step - 44, n)?,
        }
    };
    Ok(new(n, event))
}

fn registration(device: u64, step: u64) -> Outcome<Event> {
    let device_id = device_id(device)?;
    Ok(match step {
        0 => {
            let bytes = u32::try_from(device)?.to_be_bytes();
            let settings = DeviceSettings {
                name: device_id.as_str().to_owned(),
                management_ip: [10, bytes[1], bytes[2], bytes[3]].into(),
                management_port: 443,
                environment: Environment::Lab,
                tags: BTreeMap::from([("site".into(), format!("site-{}", device % 200))]),
                capabilities: vec![],
                critical: device.is_multiple_of(50),
            };
            DeviceAdded { device_id, settings }.into()
        }
        1 => {
            let sha256 = format!("{:064x}", scattered(device));
            DeviceTrusted { device_id, trust: Trust::SpkiPin { sha256 } }.into()
        }
        2 => CredentialSet {
            device_id,
            credential_id: CredentialId::from_parts(at(device), u128::from(device)),
            purpose: Purpose::Read,
            username: "appliance-ro".into(),
        }
        .into(),
        _ => {
            let identification = Identification {
                routeros_version: "7.20.8 (long-term)".into(),
                hardware_model: "RB5009UG+S+".into(),
                architecture: "arm64".into(),
                system_identity: device_id.as_str().to_owned(),
                serial_number: format!("HGP{device:08}"),
            };
            DeviceIdentified { device_id, identification }.into()
        }
    })
}

fn status(n: u64) -> Outcome<DeviceStatusChanged> {
    let (from, to) = if n.is_multiple_of(2) {
        (DeviceStatus::Healthy, DeviceStatus::Degraded)
    } else {
        (DeviceStatus::Degraded, DeviceStatus::Healthy)
    };
    Ok(DeviceStatusChanged { device_id: device_id(scattered(n))?, from, to, reason: "cpu".into() })
}

/// One of the six events of a change of DNS servers.
fn change(number: u64, step: u64, n: u64) -> Outcome<Event> {
    let device_id = device_id(scattered(number))?;
    let key = u128::from(number);
    let (plan_id, job_id, step_id) =
        (PlanId::from_parts(BEGIN, key), JobId::from_parts(BEGIN, key), StepId::from_parts(BEGIN, key));
    let hash = format!("{:064x}", scattered(number));
    let settled = "9.9.9.9,149.112.112.112";
    Ok(match step {
        0 => PlanProposed {
            approvals_needed: 1,
            origin: Origin::default(),
            plan: dns_plan(plan_id, device_id, settled),
            plan_hash: hash,
            by: agent(),
            approval_token_sha256: String::new(),
            expires_at: at(n).plus_secs(86_400),
        }
        .into(),
        1 => PlanApproved {
            plan_id,
            plan_hash: hash,
            by: ApprovedBy::Policy("immediate_writes:lab".into()),
            comment: String::new(),
            start_before: at(n).plus_secs(900),
        }
        .into(),
        2 => {
            let layout = StepLayout { step_id, device_id, wave: WaveNo(0), operation: 0 };
            JobStarted { job_id, plan_id, by: agent(), steps: vec![layout] }.into()
        }
        3 => {
            StepStarted { job_id, step_id, device_id, attempt: 1, undo: false, operation_sha256: hash }.into()
        }
        4 => StepSettled {
            job_id,
            step_id,
            device_id,
            status: StepStatus::Applied,
            code: None,
            detail: String::new(),
            observed: vec![("servers".into(), Some(settled.into()))],
        }
        .into(),
        _ => {
            let reason = "all steps applied".into();
            JobStatusChanged { job_id, plan_id, status: JobStatus::Completed, reason }.into()
        }
    })
}

fn dns_plan(plan_id: PlanId, device_id: DeviceId, servers: &str) -> Plan {
    let set = |servers: &str| Action::SetSingleton {
        menu: "/ip/dns".into(),
        properties: vec![("servers".into(), servers.into())],
    };
    let expect =
        |servers: &str| Expectation::of_menu("/ip/dns", vec![("servers".into(), Some(servers.into()))]);
    let operation = Operation {
        action: set(servers),
        undo: vec![set("1.1.1.1")],
        expect_before: expect("1.1.1.1"),
        expect_after: expect(servers),
        risky: None,
    };
    let risk = Risk { score: 30, level: RiskLevel::Medium, reasons: vec!["name resolution changes".into()] };
    Plan {
        plan_id,
        tool: "update_dns_servers".into(),
        summary: format!("set DNS servers of {device_id} to {servers}"),
        environment: Environment::Lab,
        waves: vec![vec![DevicePart {
            device_id,
            operations: vec![operation],
            risk,
            bound_sha256: String::new(),
            checks: Vec::new(),
            dead_man: None,
        }]],
        rollback_on_failure: true,
        rollout: Rollout::default(),
        undoes: Vec::new(),
        reason: String::new(),
    }
}
