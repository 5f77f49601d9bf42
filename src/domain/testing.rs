//! Given facts, when a wish, then facts or a refusal.

#![allow(missing_docs, reason = "names of a test harness speak for themselves")]

use events::{
    device::{Capability, DeviceAdded, DeviceSettings, Environment},
    event::{Envelope, Event},
    fold::Fold as _,
    ids::{CommandId, DeviceId, JobId, Moment, PlanId, Seq, StepId},
    operation::{Action, Expectation, Operation},
    plan::{DevicePart, Plan, Risk, RiskLevel, Rollout},
    principal::{Actor, Door, Role},
};

use crate::{
    domain::{Command, Refusal, Rules, State, decide},
    failure::Code,
};

/// The moment at which tests happen.
pub const NOON: Moment = Moment::from_micros(1_790_000_000_000_000);

pub fn device_id(name: &str) -> DeviceId {
    name.parse().unwrap()
}

pub fn plan_id(n: u128) -> PlanId {
    PlanId::from_parts(NOON, n)
}

pub fn job_id(n: u128) -> JobId {
    JobId::from_parts(NOON, n)
}

pub fn step_id(n: u128) -> StepId {
    StepId::from_parts(NOON, n)
}

pub fn actor(name: &str, role: Role, door: Door) -> Actor {
    Actor { name: name.into(), label: name.into(), role, door }
}

pub fn agent() -> Actor {
    actor("token:agent", Role::OpsRw, Door::McpHttp)
}

pub fn alice() -> Actor {
    actor("token:alice", Role::Approver, Door::Cli)
}

pub fn settings(name: &str, last: u8, environment: Environment) -> DeviceSettings {
    DeviceSettings {
        name: name.into(),
        management_ip: [192, 0, 2, last].into(),
        management_port: 443,
        environment,
        tags: std::collections::BTreeMap::new(),
        capabilities: vec![Capability::AdvancedWrites],
        critical: false,
    }
}

pub fn added(name: &str, last: u8, environment: Environment) -> Event {
    DeviceAdded { device_id: device_id(name), settings: settings(name, last, environment) }.into()
}

fn set_dns(servers: &str) -> Action {
    Action::SetSingleton { menu: "/ip/dns".into(), properties: vec![("servers".into(), servers.into())] }
}

fn expect_dns(servers: &str) -> Expectation {
    Expectation::of_menu("/ip/dns", vec![("servers".into(), Some(servers.into()))])
}

pub fn operation(before: &str, after: &str) -> Operation {
    Operation {
        action: set_dns(after),
        undo: vec![set_dns(before)],
        expect_before: expect_dns(before),
        expect_after: expect_dns(after),
        risky: None,
    }
}

/// A plan that sets DNS on each device, one operation each.
pub fn dns_plan(n: u128, environment: Environment, devices: &[&str]) -> Plan {
    let part = |name: &&str| DevicePart {
        device_id: device_id(name),
        operations: vec![operation("1.1.1.1", "9.9.9.9")],
        risk: Risk { score: 30, level: RiskLevel::Medium, reasons: vec![] },
        bound_sha256: String::new(),
        checks: vec![],
        dead_man: None,
    };
    Plan {
        plan_id: plan_id(n),
        tool: "update_dns_servers".into(),
        summary: "set DNS servers".into(),
        environment,
        waves: vec![devices.iter().map(part).collect()],
        rollback_on_failure: true,
        rollout: Rollout::default(),
        undoes: vec![],
        reason: String::new(),
    }
}

/// A state made of facts, and the wishes tried on it.
#[derive(Default)]
pub struct Given {
    pub state: State,
    pub rules: Rules,
    /// Seconds after noon.
    pub after_s: i64,
}

pub fn given(events: impl IntoIterator<Item = Event>) -> Given {
    let mut given = Given::default();
    for event in events {
        given.take(event);
    }
    given
}

impl Given {
    pub fn take(&mut self, event: Event) {
        let seq = self.state.seq.next();
        self.state.apply(&Envelope {
            seq,
            leaf: Some(seq.0 - 1),
            at: NOON.plus_secs(self.after_s),
            actor: Actor::system(),
            command_id: CommandId::from_parts(NOON, u128::from(seq.0)),
            event,
        });
        assert_eq!(self.state.seq, seq, "{}", Seq(seq.0));
    }

    pub fn decide(&self, by: &Actor, command: Command) -> Result<Vec<Event>, Refusal> {
        decide(&self.state, &self.rules, by, command, NOON.plus_secs(self.after_s))
    }

    /// Does it and takes its facts in.
    pub fn when(&mut self, by: &Actor, command: Command) -> Vec<Event> {
        let events = self.decide(by, command).unwrap();
        for event in events.clone() {
            self.take(event);
        }
        events
    }

    /// Tries it and expects a no.
    pub fn refused(&self, by: &Actor, command: Command, code: Code) {
        assert_eq!(self.decide(by, command).map_err(|refusal| refusal.code), Err(code));
    }
}
