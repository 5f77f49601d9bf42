//! Whole stories in a real log: decided by the rules, or forged past them.

#![allow(missing_docs, reason = "names of a test harness speak for themselves")]

use std::collections::BTreeSet;

use events::{
    checkpoint::Signer,
    device::Environment,
    event::{Event, Keep, NewEvent},
    evidence::Bundle,
    fold::Fold as _,
    gate::{DeadManSettled, DeadManStatus, GateSample, Vitals},
    ids::{CommandId, DeviceId, JobId, Moment, PlanId, Seq, StepId, StoreId},
    job::{JobStatus, StepSettled, StepStatus},
    log::{EventLog, OpenOptions},
    operation::{Action, Expectation, FOUND, Operation, Which},
    plan::{DeadMan, GatePolicy, Plan, Rung},
    principal::Actor,
    store::StoreCreated,
};
use serde_json::Value;

use super::{Complaint, Verdict, compose, verify};
use crate::{
    domain::{
        Command, Rules, State, decide,
        job::{Need, action_of, next, operation_of, part_of},
        testing::{NOON, added, agent, alice, dns_plan, job_id, plan_id},
    },
    routeros::port::action_digest,
};

pub fn signer() -> Signer {
    Signer::from_bytes([7; 32])
}

/// A log, and the state that its events make.
pub struct Tale {
    _dir: tempfile::TempDir,
    log: EventLog,
    pub state: State,
    pub rules: Rules,
    pub at: Moment,
    step_ids: u128,
}

impl Tale {
    /// A store with the devices `r1` to `r4` in an environment.
    pub fn new(environment: Environment) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let created = StoreCreated {
            store_id: StoreId::from_u128(9),
            product_version: "0.1.0".into(),
            verifier_key: signer().verifier().to_string(),
        };
        let first = NewEvent {
            at: NOON,
            actor: Actor::system(),
            command_id: CommandId::from_u128(0),
            event: created.into(),
        };
        let path = dir.path().join("log.redb");
        let log = EventLog::create(&path, signer(), OpenOptions::default(), first).unwrap();
        let mut tale =
            Self { _dir: dir, log, state: State::default(), rules: Rules::default(), at: NOON, step_ids: 0 };
        for n in 1..=4u8 {
            tale.tell(&Actor::system(), vec![added(&format!("r{n}"), n, environment)]);
        }
        tale
    }

    /// Appends events as they are, whatever the rules say of them.
    pub fn tell(&mut self, by: &Actor, events: Vec<Event>) {
        let new = |event| NewEvent {
            at: self.at,
            actor: by.clone(),
            command_id: CommandId::from_parts(self.at, 1),
            event,
        };
        let batch: Vec<NewEvent> = events.into_iter().map(new).collect();
        if batch.is_empty() {
            return;
        }
        for envelope in self.log.append(batch, &[]).unwrap().envelopes {
            self.state.apply(&envelope);
        }
    }

    /// Has a wish decided and its events kept.
    pub fn when(&mut self, by: &Actor, command: Command) {
        let events = decide(&self.state, &self.rules, by, command.clone(), self.at);
        self.tell(by, events.unwrap_or_else(|refusal| panic!("{command:?}: {refusal:?}")));
    }

    pub fn propose(&mut self, plan: Plan, policy: Option<&str>) {
        let command = Command::ProposePlan {
            plan: Box::new(plan),
            approval_token_sha256: "t".repeat(64),
            policy: policy.map(str::to_owned),
            origin: events::plan::Origin::default(),
        };
        self.when(&agent(), command);
    }

    pub fn approve(&mut self, by: &Actor, plan: u128) {
        let plan_hash = self.state.plans[&plan_id(plan)].plan_hash.clone();
        let comment = "looks right".to_owned();
        self.when(by, Command::ApprovePlan { plan_id: plan_id(plan), plan_hash, comment, personal: true });
    }

    pub fn start(&mut self, plan: u128) {
        let steps = self.state.plans[&plan_id(plan)].plan.waves.iter().flatten();
        let count: usize = steps.map(|part| part.operations.len()).sum();
        let from = self.step_ids;
        self.step_ids += count as u128;
        let step_ids = (from..self.step_ids).map(|n| StepId::from_parts(NOON, n + 1)).collect();
        let approval_token_sha256 = Some("t".repeat(64));
        let (plan_id, job_id) = (plan_id(plan), job_id(plan));
        self.when(&agent(), Command::StartJob { plan_id, job_id, step_ids, approval_token_sha256 });
    }

    /// A plan of one wave a list of devices, proposed, approved by Alice, and started.
    pub fn started(&mut self, plan: Plan) -> JobId {
        let number = plan.plan_id.to_u128() & 0xff;
        self.propose(plan, None);
        self.approve(&alice(), number);
        self.start(number);
        job_id(number)
    }

    /// Carries a job on until it rests, as the runner does; `script` may say what becomes of a need.
    pub fn drive(&mut self, job_id: JobId, script: &mut dyn FnMut(&mut Self, &Need) -> bool) {
        for _ in 0..500 {
            let job = self.state.jobs[&job_id].clone();
            let plan = self.state.plans[&job.plan_id].plan.clone();
            let needs = next(&job, &plan, self.at, &BTreeSet::new());
            let Some(need) = needs.first() else { return };
            self.at = self.at.plus_secs(1);
            if !script(self, need) {
                self.meet(job_id, need);
            }
        }
        panic!("{job_id} goes on for ever: {:?}", self.state.jobs[&job_id]);
    }

    /// What a router that does as it is told makes of a need.
    pub fn meet(&mut self, job_id: JobId, need: &Need) {
        let job = self.state.jobs[&job_id].clone();
        let plan = self.state.plans[&job.plan_id].plan.clone();
        match need {
            Need::Write { step_id, undo } => {
                self.begin(job_id, *step_id, *undo);
                let status = if *undo { StepStatus::Undone } else { StepStatus::Applied };
                self.settle(job_id, *step_id, status);
            }
            Need::Settle(step_id) => self.settle(job_id, *step_id, StepStatus::Applied),
            Need::Arm(device_id) => {
                let dead_man = part_of(&plan, device_id).unwrap().dead_man.clone().unwrap();
                self.dead_man(job_id, device_id, false, &dead_man.arm, DeadManStatus::Armed);
            }
            Need::Disarm(device_id) => {
                let remove = Action::Remove { menu: "/system/scheduler".into(), id: "*7".into() };
                self.dead_man(job_id, device_id, true, &remove, DeadManStatus::Disarmed);
            }
            Need::Sample { wave, sample } => self.look(job_id, wave.0, *sample, 10),
            Need::Judge(wave) => self.when(&Actor::system(), Command::JudgeGate { job_id, wave: *wave }),
            Need::Status(status, reason) => {
                let (status, reason) = (*status, reason.clone());
                self.when(&Actor::system(), Command::SetJobStatus { job_id, status, reason });
            }
            Need::WaitUntil(at) => self.at = *at,
            other => panic!("{other:?}"),
        }
    }

    pub fn begin(&mut self, job_id: JobId, step_id: StepId, undo: bool) {
        let job = &self.state.jobs[&job_id];
        let step = job.step(step_id).unwrap();
        let operation = operation_of(&self.state.plans[&job.plan_id].plan, &step.layout).unwrap();
        let mut action = action_of(operation, undo).unwrap().clone();
        if action.needs_found() {
            action = action.on_found("*9");
        }
        let operation_sha256 = action_digest(&action);
        self.when(&Actor::system(), Command::BeginStep { job_id, step_id, undo, operation_sha256 });
    }

    pub fn settle(&mut self, job_id: JobId, step_id: StepId, status: StepStatus) {
        let job = &self.state.jobs[&job_id];
        let step = job.step(step_id).unwrap();
        let operation = operation_of(&self.state.plans[&job.plan_id].plan, &step.layout).unwrap();
        let added = matches!(operation.action, Action::Add { .. }) && status == StepStatus::Applied;
        let mut observed = operation.expect_after.properties.clone();
        observed.extend(added.then(|| (".id".to_owned(), Some("*9".to_owned()))));
        let code = matches!(status, StepStatus::Refused | StepStatus::NotApplied | StepStatus::InDoubt)
            .then(|| "device_refused".to_owned());
        let detail = if code.is_some() { "failure: \u{1b}[2Jno" } else { "" }.to_owned();
        let device_id = step.layout.device_id.clone();
        let settled = StepSettled { job_id, step_id, device_id, status, code, detail, observed };
        self.when(&Actor::system(), Command::SettleStep(settled));
    }

    fn dead_man(
        &mut self,
        job_id: JobId,
        device: &DeviceId,
        disarm: bool,
        action: &Action,
        then: DeadManStatus,
    ) {
        let (device_id, operation_sha256) = (device.clone(), action_digest(action));
        self.when(&Actor::system(), Command::BeginDeadMan { job_id, device_id, disarm, operation_sha256 });
        let reference = (then == DeadManStatus::Armed).then(|| "*7".to_owned());
        let (device_id, detail) = (device.clone(), String::new());
        let settled = DeadManSettled { job_id, device_id, status: then, reference, code: None, detail };
        self.when(&Actor::system(), Command::SettleDeadMan(settled));
    }

    /// Looks at the devices of a wave; each has this load.
    pub fn look(&mut self, job_id: JobId, wave: u32, sample: u8, cpu_percent: u8) {
        let job = &self.state.jobs[&job_id];
        let of_wave: BTreeSet<DeviceId> = job
            .steps
            .iter()
            .filter(|step| step.layout.wave.0 == wave)
            .map(|step| step.layout.device_id.clone())
            .collect();
        let devices = of_wave
            .into_iter()
            .map(|device_id| GateSample {
                device_id,
                vitals: Some(Vitals {
                    cpu_percent,
                    memory_percent: 40,
                    disk_percent: 40,
                    temperature_celsius: None,
                    uptime_seconds: 100,
                }),
                problem: None,
                notes: vec![],
            })
            .collect();
        let wave = events::ids::WaveNo(wave);
        self.when(&Actor::system(), Command::RecordGate { job_id, wave, sample, devices });
    }

    /// The proven events of a plan.
    pub fn bundle(&mut self, plan: PlanId) -> Bundle {
        self.log.checkpoint(self.at).unwrap();
        let page = self.log.reader().page(Some(Keep::Ledger), Seq(1), 100_000).unwrap();
        let mut selection = super::Selection::of(plan);
        let ours: Vec<Seq> = page.iter().filter(|e| selection.takes(e)).map(|e| e.seq).collect();
        Bundle::of_log(&self.log.reader(), &ours).unwrap()
    }

    /// Evidence of a plan, as its file says it.
    pub fn evidence(&mut self, plan: PlanId) -> Value {
        let bundle = self.bundle(plan);
        serde_json::to_value(compose(plan, bundle).unwrap()).unwrap()
    }

    /// What verifying finds in the evidence of a plan.
    pub fn verdict(&mut self, plan: PlanId) -> Verdict {
        let evidence = self.evidence(plan);
        verdict_of(&evidence)
    }
}

pub fn verdict_of(evidence: &Value) -> Verdict {
    verify(evidence.to_string().as_bytes(), Some(&signer().verifier())).unwrap()
}

/// The checks that complain, each once.
pub fn checks(verdict: &Verdict) -> BTreeSet<&'static str> {
    verdict.complaints.iter().map(|complaint: &Complaint| complaint.check).collect()
}

/// Two waves (`r1`, then `r2` and `r3`), gates, and a timed undo on `r3`.
pub fn rollout(n: u128, environment: Environment) -> Plan {
    let mut plan = dns_plan(n, environment, &["r1", "r2", "r3"]);
    let mut second = plan.waves[0].split_off(1);
    second[1].dead_man = Some(DeadMan {
        rung: Rung::Scheduler,
        seconds: 600,
        arm: Action::Add {
            menu: "/system/scheduler".into(),
            properties: vec![("name".into(), "undo".into()), ("on-event".into(), "…".into())],
        },
        menu: "/system/scheduler".into(),
        name: Some("undo".into()),
    });
    plan.waves.push(second);
    plan.rollout.gate = Some(GatePolicy::default());
    (plan.rollout.pause_seconds, plan.rollout.soak_seconds) = (60, 30);
    plan
}

/// A plan that adds a record to `r1`; its undo is about the record that a reading finds.
pub fn adding(n: u128, environment: Environment) -> Plan {
    let mut plan = dns_plan(n, environment, &["r1"]);
    let menu = || "/ip/firewall/address-list".to_owned();
    let by = vec![("address".to_owned(), Some("192.0.2.9".to_owned()))];
    let which = || Which::Find { by: by.clone(), narrow: vec![], except: vec![] };
    let operation = Operation {
        action: Action::Add { menu: menu(), properties: vec![("address".into(), "192.0.2.9".into())] },
        undo: vec![Action::Remove { menu: menu(), id: FOUND.into() }],
        expect_before: Expectation::gone(&menu(), which()),
        expect_after: Expectation::of(&menu(), which(), by.clone()),
        risky: None,
    };
    plan.waves[0][0].operations.insert(0, operation);
    plan
}

/// A script in which the first write to a device fails, once.
pub fn refusing(device: &'static str) -> impl FnMut(&mut Tale, &Need) -> bool {
    let mut refused = false;
    move |tale, need| {
        let Need::Write { step_id, undo: false } = need else { return false };
        let job = tale.state.jobs.values().find(|job| job.step(*step_id).is_some()).unwrap();
        let (job_id, step) = (job.job_id, job.step(*step_id).unwrap());
        if refused || step.layout.device_id.as_str() != device {
            return false;
        }
        refused = true;
        tale.begin(job_id, *step_id, false);
        tale.settle(job_id, *step_id, StepStatus::Refused);
        true
    }
}

pub fn as_told(_: &mut Tale, _: &Need) -> bool {
    false
}

pub fn status_of(tale: &Tale, plan: u128) -> JobStatus {
    tale.state.jobs[&job_id(plan)].status
}
