//! Whether the proven events of a plan are a sound story: one plan, approved by those who may, carried out as approved,
//! every intent before its outcome, no wave before the gate of the one before, and an end that fits its steps.
//!
//! The rules are those that the appliance itself keeps when it writes; here they are held against what it wrote. Each event
//! is held against the state that the events before it make.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    device::Environment,
    event::{Envelope, Event},
    evidence::{Complaint, Proven},
    fold::Fold as _,
    gate::{DeadManSettled, DeadManStarted, DeadManStatus, GateJudged},
    ids::{DeviceId, PlanId, Seq, StepId, WaveNo},
    job::{JobStarted, JobStatus, JobStatusChanged, StepSettled, StepStarted, StepStatus},
    operation::Action,
    plan::{ApprovedBy, Plan, PlanApproved, PlanProposed},
    principal::{Door, Role},
};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{
        State,
        approval::same_person,
        job::{JobState, SOAK_SAMPLES, StepState, action_of, operation_of, part_of, wave_is_open},
        plan::{PlanState, PlanStatus, hex},
    },
    projections::evidence::select::Selection,
    routeros::port::action_digest,
};

/// What was found, besides what stands in the events.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What is wrong.
    pub complaints: Vec<Complaint>,
    /// What a reader should know, and what could not be compared.
    pub notes: Vec<String>,
}

impl Findings {
    fn expect(&mut self, holds: bool, check: &'static str, seq: Seq, what: &str) {
        if !holds {
            self.complaints.push(Complaint::at(check, seq, what));
        }
    }
}

/// The plan's own event, which must come first.
pub(super) fn proposal(plan_id: PlanId, proven: &Proven) -> Result<(&Envelope, &PlanProposed), Complaint> {
    let first = proven.envelopes.first().ok_or_else(|| Complaint::of("plan", "there is no plan"))?;
    match &first.event {
        Event::PlanProposed(proposed) if proposed.plan.plan_id == plan_id => Ok((first, proposed)),
        _ => {
            Err(Complaint::at("plan", first.seq, "the first event after the store's is not that of the plan"))
        }
    }
}

/// Holds the events of a plan against the rules.
pub(super) fn judge(plan_id: PlanId, proven: &Proven) -> Findings {
    let mut findings = Findings::default();
    let (origin, proposed) = match proposal(plan_id, proven) {
        Ok(found) => found,
        Err(complaint) => {
            findings.complaints.push(complaint);
            return findings;
        }
    };
    let mut selection = Selection::of(plan_id);
    for envelope in &proven.envelopes {
        let ours = selection.takes(envelope);
        findings.expect(ours, "foreign", envelope.seq, "it does not belong to this plan");
    }
    let hashed = proven.plans.first().and_then(Option::as_ref).map(|json| hex(&Sha256::digest(json)));
    let fits = hashed.as_deref() == Some(proposed.plan_hash.as_str());
    findings.expect(fits, "plan", origin.seq, "the hash is not that of the plan");
    let own = origin.actor == proposed.by;
    findings.expect(own, "plan", origin.seq, "it names another requester than its frame");

    let mut state = State::default();
    state.apply(origin);
    let mut story =
        Story { plan: &proposed.plan, reported: reported(&proven.envelopes), unbound: 0, directed: false };
    for envelope in &proven.envelopes[1..] {
        if let Some(plan) = state.plans.get(&plan_id) {
            let job = plan.job_id.and_then(|job_id| state.jobs.get(&job_id));
            story.take(envelope, plan, job, &mut findings);
        }
        state.apply(envelope);
    }
    if story.unbound > 0 {
        findings.notes.push(format!(
            "{} writes were about records whose ids no reading in this file reports: they were not compared with the plan",
            story.unbound
        ));
    }
    let open = state.jobs.values().any(|job| !job.status.is_over());
    if open {
        findings.notes.push("the job was not over at the checkpoint: what came later is not here".into());
    }
    findings
}

/// Ids of records that readings reported, by device. A record that is added gets its id from the router.
fn reported(envelopes: &[Envelope]) -> BTreeMap<&DeviceId, BTreeSet<&str>> {
    let mut found: BTreeMap<&DeviceId, BTreeSet<&str>> = BTreeMap::new();
    for envelope in envelopes {
        let Event::StepSettled(e) = &envelope.event else { continue };
        let ids = e.observed.iter().filter(|(name, _)| name == ".id").filter_map(|(_, id)| id.as_deref());
        found.entry(&e.device_id).or_default().extend(ids);
    }
    found
}

struct Story<'a> {
    plan: &'a Plan,
    reported: BTreeMap<&'a DeviceId, BTreeSet<&'a str>>,
    /// Intents about a record whose id no reading reported.
    unbound: usize,
    /// A person said how the job goes on since its state changed last.
    directed: bool,
}

impl Story<'_> {
    /// One event, with the plan and its job as they were before it.
    fn take(
        &mut self,
        envelope: &Envelope,
        plan: &PlanState,
        job: Option<&JobState>,
        findings: &mut Findings,
    ) {
        let (seq, actor, at) = (envelope.seq, &envelope.actor, envelope.at);
        let waits = matches!(plan.status_at(at), PlanStatus::Pending | PlanStatus::Approved);
        let mut expect = |holds, check, what| findings.expect(holds, check, seq, what);
        match &envelope.event {
            Event::PlanProposed(_) => expect(false, "plan", "the plan is proposed a second time"),
            Event::PlanApproved(e) => self.approved(e, envelope, plan, findings),
            Event::PlanRejected(e) => {
                expect(*actor == e.by, "approval", "it names another person than its frame");
                expect(waits, "approval", "the plan did not wait any more");
            }
            Event::PlanExpired(_) => {
                let over = matches!(plan.status, PlanStatus::Pending | PlanStatus::Approved);
                expect(over && at >= plan.expires_at, "approval", "the plan's time was not over");
            }
            Event::PlanStale(_) => {
                let untouched = job.is_some_and(|job| job.steps.iter().all(|step| step.attempts == 0));
                expect(untouched, "step", "a plan is stale although something was sent");
            }
            Event::JobStarted(e) => {
                expect(plan.job_id.is_none(), "start", "the plan is started a second time");
                let approved = plan.status_at(at) == PlanStatus::Approved;
                expect(approved, "start", "the plan is not approved, or its time is over");
                expect(*actor == e.by, "start", "it names another starter than its frame");
                let laid_out = e.steps.iter().map(|step| (&step.device_id, step.wave, step.operation));
                let all = laid_out.eq(layout(self.plan));
                expect(all, "start", "its steps are not the plan's operations in order");
                expect(have_own_ids(e), "start", "two of its steps have one id");
            }
            // A call says what was asked for; what came of it stands in the other events.
            Event::ToolCalled(_) => {}
            event => {
                let named = event.subjects().job;
                match job.filter(|job| named == Some(job.job_id)) {
                    Some(job) => self.in_job(envelope, job, findings),
                    None => expect(named.is_none(), "start", "it is about a job that was not started"),
                }
            }
        }
    }

    fn approved(
        &self,
        approved: &PlanApproved,
        envelope: &Envelope,
        plan: &PlanState,
        findings: &mut Findings,
    ) {
        let (seq, at) = (envelope.seq, envelope.at);
        let mut expect = |holds, what| findings.expect(holds, "approval", seq, what);
        expect(approved.plan_hash == plan.plan_hash, "another hash was approved than the plan's");
        expect(plan.status_at(at) == PlanStatus::Pending, "the plan did not wait for approval any more");
        let person = match &approved.by {
            ApprovedBy::Person(person) => person,
            ApprovedBy::Policy(policy) => {
                let undone = policy.strip_prefix("rollback_of:").map(|id| id.parse::<PlanId>());
                let named =
                    |id: &Result<PlanId, _>| id.as_ref().is_ok_and(|id| self.plan.undoes.contains(id));
                let fits = undone.as_ref().is_none_or(named);
                expect(fits, "the plan does not reverse the plan that it is approved with");
                return;
            }
        };
        expect(*person == envelope.actor, "it names another person than its frame");
        let again = plan.approvals.iter().any(|approval| match &approval.by {
            ApprovedBy::Person(other) => same_person(other, person),
            ApprovedBy::Policy(_) => false,
        });
        expect(!again, "the same person approved before");
        let own = same_person(person, &plan.by);
        let in_lab = own && self.plan.environment == Environment::Lab;
        expect(!own || in_lab, "the requester approved the plan");
        expect(in_lab || person.role == Role::Approver, "the person is no approver");
        let agent = matches!(person.door, Door::McpHttp | Door::McpStdio);
        expect(!agent, "it came through a door of agents");
        if in_lab {
            findings.notes.push(format!(
                "event {seq}: the requester approved the plan; a configuration may allow that in lab"
            ));
        }
    }

    fn in_job(&mut self, envelope: &Envelope, job: &JobState, findings: &mut Findings) {
        let (seq, actor) = (envelope.seq, &envelope.actor);
        let mut expect = |holds, check, what| findings.expect(holds, check, seq, what);
        let waits_for_a_person = matches!(job.status, JobStatus::Halted | JobStatus::Stuck);
        match &envelope.event {
            Event::StepStarted(e) => self.step_started(e, job, seq, findings),
            Event::StepSettled(e) => step_settled(e, job, seq, findings),
            Event::JobStatusChanged(e) => {
                status_changed(e, job, seq, findings);
                self.whys(e, job, seq, findings);
                self.directed = false;
            }
            Event::JobCancelRequested(e) => {
                expect(*actor == e.by, "job", "it names another person than its frame");
                expect(!job.status.is_over(), "job", "the job was over");
            }
            Event::JobDirected(e) => {
                expect(*actor == e.by, "job", "it names another person than its frame");
                expect(waits_for_a_person, "job", "the job did not wait for a person");
                let agent = matches!(e.by.door, Door::McpHttp | Door::McpStdio);
                expect(!agent, "job", "it came through a door of agents");
                self.directed = true;
            }
            Event::GateSampled(e) => {
                let next = job.wave(e.wave).is_some_and(|wave| wave.samples.len() == usize::from(e.sample));
                expect(next, "gate", "a look before it is missing");
                let of_wave = |id: &DeviceId| job.steps_of(id).any(|step| step.layout.wave == e.wave);
                let ours = e.devices.iter().all(|sample| of_wave(&sample.device_id));
                expect(ours, "gate", "it looks at a device that is not of its wave");
            }
            Event::GateJudged(e) => self.gate_judged(e, job, seq, findings),
            Event::DeadManStarted(e) => self.dead_man_started(e, job, seq, findings),
            Event::DeadManSettled(e) => dead_man_settled(e, job, seq, findings),
            _ => {}
        }
    }

    fn step_started(&mut self, e: &StepStarted, job: &JobState, seq: Seq, findings: &mut Findings) {
        let mut expect = |holds, what| findings.expect(holds, "step", seq, what);
        let Some(step) = step_of(job, e.step_id, &e.device_id) else {
            return expect(false, "the job has no such step on that device");
        };
        expect(e.attempt == step.attempts + 1, "an attempt before it is missing");
        let unsettled = job.steps_of(&e.device_id).any(StepState::is_unsettled);
        expect(!unsettled, "a write to this device before it is not settled");
        expect(!job.skipped.contains(&e.device_id), "the device was to be left alone");
        let man = job.dead_men.get(&e.device_id);
        let operation = operation_of(self.plan, &step.layout);
        if e.undo {
            let applied = job.status == JobStatus::RollingBack && step.status == StepStatus::Applied;
            expect(applied, "there was nothing to undo");
            expect(!man.is_some_and(|man| man.is_live()), "the router's own undo was still armed");
        } else {
            expect(
                job.status == JobStatus::Running && step.is_open(),
                "the job's state allows no such write",
            );
            let open = wave_is_open(job, self.plan, step.layout.wave);
            expect(open, "the wave before it was not done, or its gate had not passed");
            let earlier = job.steps_of(&e.device_id).take_while(|other| other.layout.step_id != e.step_id);
            let in_order = earlier.into_iter().all(StepState::is_on_router);
            expect(in_order, "a step before it is not on the router");
            let guarded = part_of(self.plan, &e.device_id).is_none_or(|part| part.dead_man.is_none())
                || man.is_some_and(|man| man.status == DeadManStatus::Armed);
            expect(guarded, "the router's own undo was not armed");
            let may_begin = job.cancel.is_none() || job.has_begun(&e.device_id);
            expect(may_begin, "a device was begun after the job was to end");
        }
        match operation.and_then(|operation| action_of(operation, e.undo)) {
            None => expect(false, "the plan has nothing to send for it"),
            Some(action) => match self.digest_fits(action, e) {
                Some(fits) => expect(fits, "what it was to send is not what the plan says"),
                None => self.unbound += 1,
            },
        }
    }

    /// Whether an intent is for an action of the plan. `None` when the action is about a record whose id no reading
    /// reports.
    fn digest_fits(&self, action: &Action, e: &StepStarted) -> Option<bool> {
        let as_planned = action_digest(action) == e.operation_sha256;
        if as_planned || !action.needs_found() {
            return Some(as_planned);
        }
        let ids = self.reported.get(&e.device_id)?;
        ids.iter().any(|id| action_digest(&action.on_found(id)) == e.operation_sha256).then_some(true)
    }

    fn gate_judged(&self, e: &GateJudged, job: &JobState, seq: Seq, findings: &mut Findings) {
        let mut expect = |holds, what| findings.expect(holds, "gate", seq, what);
        let (Some(wave), Some(policy)) = (job.wave(e.wave), &self.plan.rollout.gate) else {
            return expect(false, "the plan has no such gate");
        };
        expect(wave.judged.is_none(), "it was judged before");
        let lost = wave.samples.iter().skip(1).flatten().any(|sample| sample.vitals.is_none());
        let enough = lost || wave.samples.len() > usize::from(SOAK_SAMPLES);
        expect(enough, "a look before it is missing");
        let passed = wave.verdict(policy).passed;
        expect(passed == e.passed, "the looks at the wave do not lead to this verdict");
    }

    /// What must have been before a change of the job's state, besides the state before it.
    fn whys(&self, e: &JobStatusChanged, job: &JobState, seq: Seq, findings: &mut Findings) {
        let mut expect = |holds, what| findings.expect(holds, "job", seq, what);
        match (job.status, e.status) {
            (JobStatus::Halted, JobStatus::Running | JobStatus::RollingBack) => {
                expect(self.directed, "nobody had said how the job goes on");
            }
            (JobStatus::Pending | JobStatus::Running, JobStatus::Cancelled) => {
                expect(job.cancel.is_some(), "nobody had asked for the end");
            }
            (_, JobStatus::Completed) if self.plan.rollout.gate.is_some() => {
                let passed = (1u32..).map(WaveNo).zip(&job.waves).all(|(number, wave)| {
                    let touched = job.steps.iter().any(|step| {
                        step.layout.wave == number
                            && step.status == StepStatus::Applied
                            && !job.skipped.contains(&step.layout.device_id)
                    });
                    !touched || wave.judged.as_ref().is_some_and(|judged| judged.passed || judged.accepted)
                });
                expect(passed, "a wave's gate had not passed");
            }
            _ => {}
        }
    }

    fn dead_man_started(&self, e: &DeadManStarted, job: &JobState, seq: Seq, findings: &mut Findings) {
        let mut expect = |holds, what| findings.expect(holds, "dead_man", seq, what);
        let Some(dead_man) = part_of(self.plan, &e.device_id).and_then(|part| part.dead_man.as_ref()) else {
            return expect(false, "the plan has no timed undo for this device");
        };
        let man = job.dead_men.get(&e.device_id);
        let (attempts, action) = if e.disarm {
            // One that is still there after its time guards nothing any more, and is removed.
            let over = man.is_some_and(|man| man.status == DeadManStatus::Lapsed);
            let armed = man.filter(|man| over || man.status == DeadManStatus::Armed);
            expect(armed.is_some(), "it was not armed");
            let unsettled = job.steps_of(&e.device_id).any(StepState::is_unsettled);
            expect(over || !unsettled, "a write to this device before it is not settled");
            let confirmed = job.steps_of(&e.device_id).all(|step| {
                let judged = job.wave(step.layout.wave).and_then(|wave| wave.judged.as_ref());
                let passed = judged.is_some_and(|judged| judged.passed || judged.accepted);
                step.status != StepStatus::Held || passed || self.plan.rollout.gate.is_none()
            });
            let wanted = over || job.rolling_back || confirmed;
            expect(wanted, "the gate of its wave had not passed");
            let id = armed.and_then(|man| man.reference.clone()).unwrap_or_default();
            let remove = Action::Remove { menu: dead_man.menu.clone(), id };
            (man.map_or(0, |man| man.disarms), remove)
        } else {
            expect(job.status == JobStatus::Running, "the job's state allows no such write");
            expect(!man.is_some_and(|man| man.is_live()), "it may still be armed");
            (man.map_or(0, |man| man.attempts), dead_man.arm.clone())
        };
        expect(e.attempt == attempts + 1, "an attempt before it is missing");
        let fits = action_digest(&action) == e.operation_sha256;
        expect(fits, "what it was to send is not what the plan says");
    }
}

/// The step of an event, when the job has it on that device.
fn step_of<'a>(job: &'a JobState, step_id: StepId, device_id: &DeviceId) -> Option<&'a StepState> {
    job.step(step_id).filter(|step| step.layout.device_id == *device_id)
}

fn step_settled(e: &StepSettled, job: &JobState, seq: Seq, findings: &mut Findings) {
    use StepStatus::{
        Applied, Diverged, Held, InDoubt, NotApplied, Refused, RevertedByRouter, Started, Undone, Waiting,
    };
    let mut expect = |holds, what| findings.expect(holds, "step", seq, what);
    let Some(step) = step_of(job, e.step_id, &e.device_id) else {
        return expect(false, "the job has no such step on that device");
    };
    let live = job.dead_men.get(&e.device_id).is_some_and(|man| man.is_live());
    let possible = match (step.status, e.status) {
        (Started, InDoubt) | (Started | InDoubt, Diverged) => true,
        // Under an armed undo what was read back is held, and confirmed when that undo is gone.
        (Started | InDoubt, Held) => live && !step.undo,
        (Started | InDoubt, Applied) => !live || step.undo,
        (Started | InDoubt, NotApplied | Refused | RevertedByRouter) => !step.undo,
        (Started | InDoubt, Undone) => step.undo,
        (Held, Applied | RevertedByRouter | Diverged) => !live,
        // It could not be begun: nothing was sent.
        (Waiting | NotApplied, NotApplied) => e.code.is_some(),
        _ => false,
    };
    expect(possible, "no write before it can have come to this");
}

fn status_changed(e: &JobStatusChanged, job: &JobState, seq: Seq, findings: &mut Findings) {
    use JobStatus::{
        Cancelled, Completed, Failed, Halted, PartiallyRolledBack, Pending, RolledBack, RollingBack, Running,
        Stuck,
    };
    let mut expect = |holds, what| findings.expect(holds, "job", seq, what);
    let legal = matches!(
        (job.status, e.status),
        (Pending, Running | Cancelled | Failed | Stuck)
            | (Running, Completed | Failed | Cancelled | Halted | RollingBack | Stuck)
            | (Halted, Running | RollingBack | Failed | Cancelled)
            | (RollingBack, RolledBack | PartiallyRolledBack | Stuck)
            | (Stuck, Running | RollingBack | Failed | Cancelled)
    );
    expect(legal && !(job.rolling_back && e.status == Running), "the job cannot have come to this state");
    if !e.status.is_over() {
        return;
    }
    let alone = |step: &&StepState| job.skipped.contains(&step.layout.device_id);
    let all = |fits: fn(&StepState) -> bool| job.steps.iter().filter(|step| !alone(step)).all(fits);
    let settled = |step: &StepState| !step.is_unsettled() && step.status != StepStatus::Held;
    expect(all(settled), "the job is over although a step is not settled");
    let armed = job.dead_men.iter().any(|(id, man)| man.is_live() && !job.skipped.contains(id));
    expect(!armed, "the job is over although a router's own undo is armed");
    let fits = match e.status {
        Completed => all(|step| step.status == StepStatus::Applied),
        RolledBack => !job.steps.iter().any(StepState::may_stand),
        _ => true,
    };
    expect(fits, "its steps did not come to this end");
}

fn dead_man_settled(e: &DeadManSettled, job: &JobState, seq: Seq, findings: &mut Findings) {
    use DeadManStatus::{Armed, Arming, Disarmed, Disarming, InDoubt, Lapsed, NotArmed};
    let before = job.dead_men.get(&e.device_id).map(|man| man.status);
    let possible =
        matches!(
            (before, e.status),
            (Some(Arming), Armed | NotArmed | InDoubt)
                | (Some(InDoubt), Armed | NotArmed | Lapsed)
                | (Some(Disarming), Disarmed | Armed | Lapsed)
                | (Some(Armed), Lapsed)
        ) || (matches!(before, Some(Armed | Lapsed)) && e.status == Armed && e.reference.is_some());
    findings.expect(possible, "dead_man", seq, "no write before it can have come to this");
}

/// The plan's operations in the order in which they are laid out.
fn layout(plan: &Plan) -> impl Iterator<Item = (&DeviceId, WaveNo, u32)> {
    (1u32..).zip(&plan.waves).flat_map(|(wave, parts)| {
        parts.iter().flat_map(move |part| {
            (0u32..).zip(&part.operations).map(move |(number, _)| (&part.device_id, WaveNo(wave), number))
        })
    })
}

fn have_own_ids(job: &JobStarted) -> bool {
    let ids: BTreeSet<StepId> = job.steps.iter().map(|step| step.step_id).collect();
    ids.len() == job.steps.len()
}
