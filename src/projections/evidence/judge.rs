//! Whether the proven events of a plan are a sound story: one plan, approved by somebody who may, carried out as
//! approved, every intent before its outcome, and an end that fits its steps.
//!
//! The rules are those that the appliance itself keeps when it writes; here they are held against what it wrote.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    device::Environment,
    event::{Envelope, Event},
    evidence::{Complaint, Proven},
    ids::{DeviceId, PlanId, Seq, StepId, WaveNo},
    job::{JobStarted, JobStatus, JobStatusChanged, StepLayout, StepSettled, StepStarted, StepStatus},
    operation::Action,
    plan::{ApprovedBy, Plan, PlanApproved, PlanProposed},
    principal::{Actor, Role},
};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{
        job::{action_of, operation_of},
        plan::hex,
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
    fn wrong(&mut self, check: &'static str, seq: Seq, what: impl Into<String>) {
        self.complaints.push(Complaint::at(check, seq, what));
    }

    fn expect(&mut self, holds: bool, check: &'static str, seq: Seq, what: &str) {
        if !holds {
            self.wrong(check, seq, what);
        }
    }
}

/// The plan's own event, if there is exactly one and it comes first.
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
pub(super) fn judge(
    plan_id: PlanId,
    proven: &Proven,
    origin: &Envelope,
    proposed: &PlanProposed,
) -> Findings {
    let mut findings = Findings::default();
    let mut selection = Selection::of(plan_id);
    for envelope in &proven.envelopes {
        let ours = selection.takes(envelope);
        findings.expect(ours, "foreign", envelope.seq, "it does not belong to this plan");
    }
    let hashed = proven.plans.first().and_then(Option::as_ref).map(|json| hex(&Sha256::digest(json)));
    let fits = hashed.as_deref() == Some(proposed.plan_hash.as_str());
    findings.expect(fits, "plan", origin.seq, "the hash is not that of the plan");
    findings.expect(
        origin.actor == proposed.by,
        "plan",
        origin.seq,
        "it names another requester than its frame",
    );

    let mut story = Story::new(&proposed.plan, proposed);
    for envelope in &proven.envelopes[1..] {
        story.take(envelope, &mut findings);
    }
    story.end(&mut findings);
    findings
}

/// What happened so far.
struct Story<'a> {
    plan: &'a Plan,
    proposed: &'a PlanProposed,
    approvals: Vec<(&'a PlanApproved, bool)>,
    /// Rejected, expired or stale.
    closed: bool,
    job: Option<&'a JobStarted>,
    status: JobStatus,
    /// The event that last changed the job's state.
    changed: Seq,
    steps: BTreeMap<StepId, StepStory<'a>>,
    /// Ids of records that readings reported, by device.
    reported: BTreeMap<&'a DeviceId, BTreeSet<&'a str>>,
    /// Intents whose record's id no reading had reported.
    unbound: usize,
}

/// What became of one step so far.
struct StepStory<'a> {
    layout: &'a StepLayout,
    attempts: u32,
    undo: bool,
    status: StepStatus,
}

impl<'a> Story<'a> {
    fn new(plan: &'a Plan, proposed: &'a PlanProposed) -> Self {
        Self {
            plan,
            proposed,
            approvals: Vec::new(),
            closed: false,
            job: None,
            status: JobStatus::Pending,
            changed: Seq(0),
            steps: BTreeMap::new(),
            reported: BTreeMap::new(),
            unbound: 0,
        }
    }

    fn take(&mut self, envelope: &'a Envelope, findings: &mut Findings) {
        let seq = envelope.seq;
        match &envelope.event {
            Event::PlanProposed(_) => findings.wrong("plan", seq, "the plan is proposed a second time"),
            Event::PlanApproved(e) => self.approved(e, envelope, findings),
            Event::PlanRejected(e) => {
                self.closed = true;
                findings.expect(
                    envelope.actor == e.by,
                    "approval",
                    seq,
                    "it names another person than its frame",
                );
                findings.expect(self.job.is_none(), "approval", seq, "the plan was started before");
            }
            Event::PlanExpired(_) => {
                self.closed = true;
                findings.expect(self.job.is_none(), "approval", seq, "the plan was started before");
            }
            Event::PlanStale(_) => {
                self.closed = true;
                let untouched = self.steps.values().all(|step| step.attempts == 0);
                findings.expect(untouched, "step", seq, "a plan is stale although something was sent");
            }
            Event::JobStarted(e) => self.started(e, envelope, findings),
            Event::StepStarted(e) => self.step_started(e, seq, findings),
            Event::StepSettled(e) => self.step_settled(e, seq, findings),
            Event::JobStatusChanged(e) => self.status_changed(e, seq, findings),
            _ => {}
        }
    }

    fn approved(&mut self, approved: &'a PlanApproved, envelope: &Envelope, findings: &mut Findings) {
        let seq = envelope.seq;
        let mut expect = |holds, what| findings.expect(holds, "approval", seq, what);
        expect(approved.plan_hash == self.proposed.plan_hash, "another hash was approved than the plan's");
        expect(envelope.at < self.proposed.expires_at, "it came after the plan's end");
        expect(!self.closed && self.job.is_none(), "the plan did not wait for approval any more");
        let mut good = true;
        if let ApprovedBy::Person(person) = &approved.by {
            expect(*person == envelope.actor, "it names another person than its frame");
            let own = person.name == self.proposed.by.name;
            let lab = self.plan.environment == Environment::Lab;
            expect(!own || lab, "the requester approved the plan");
            expect((own && lab) || person.role == Role::Approver, "the person is no approver");
            if own && lab {
                findings.notes.push(format!(
                    "event {seq}: the requester approved the plan; the configuration may allow that in lab"
                ));
            }
            good = !own || lab;
        }
        let again = self.approvals.iter().any(|(other, _)| names(&other.by) == names(&approved.by));
        findings.expect(!again, "approval", seq, "the same approver approved before");
        self.approvals.push((approved, good && !again));
    }

    fn started(&mut self, job: &'a JobStarted, envelope: &Envelope, findings: &mut Findings) {
        let seq = envelope.seq;
        let mut expect = |holds, what| findings.expect(holds, "start", seq, what);
        expect(self.job.is_none(), "the plan is started a second time");
        expect(job.plan_id == self.plan.plan_id, "it starts another plan");
        expect(!self.closed, "the plan was over");
        expect(envelope.actor == job.by, "it names another starter than its frame");
        let last = self.approvals.iter().rev().find(|(_, good)| *good);
        expect(last.is_some(), "nobody had approved the plan");
        expect(last.is_none_or(|(approved, _)| envelope.at < approved.start_before), "it came too late");
        let wanted = layout(self.plan);
        let laid_out = job.steps.iter().map(|step| (&step.device_id, step.wave, step.operation));
        expect(laid_out.eq(wanted), "its steps are not the plan's operations in order");
        self.steps = job
            .steps
            .iter()
            .map(|layout| {
                let status = StepStatus::Waiting;
                (layout.step_id, StepStory { layout, attempts: 0, undo: false, status })
            })
            .collect();
        expect(self.steps.len() == job.steps.len(), "two of its steps have one id");
        self.job = Some(job);
        self.changed = seq;
    }

    /// The step of an event, when the job has it on that device.
    fn step(&mut self, step_id: StepId, device_id: &DeviceId) -> Option<&mut StepStory<'a>> {
        self.steps.get_mut(&step_id).filter(|step| step.layout.device_id == *device_id)
    }

    fn step_started(&mut self, e: &StepStarted, seq: Seq, findings: &mut Findings) {
        let (plan, status) = (self.plan, self.status);
        let Some(step) = self.step(e.step_id, &e.device_id) else {
            return findings.wrong("step", seq, "the job has no such step");
        };
        let mut expect = |holds, what| findings.expect(holds, "step", seq, what);
        expect(e.attempt == step.attempts + 1, "an attempt before it is missing");
        let open = matches!(step.status, StepStatus::Started | StepStatus::InDoubt);
        expect(!open, "the attempt before it is not settled");
        let may = if e.undo { status == JobStatus::RollingBack } else { status == JobStatus::Running };
        expect(may, "the job's state allows no such write");
        (step.attempts, step.undo, step.status) = (e.attempt, e.undo, StepStatus::Started);
        let operation = operation_of(plan, step.layout);
        match operation.and_then(|operation| action_of(operation, e.undo)) {
            None => findings.wrong("step", seq, "the plan has nothing to send for it"),
            Some(action) => match self.digest_fits(action, e) {
                Some(true) => {}
                Some(false) => findings.wrong("step", seq, "what it was to send is not what the plan says"),
                None => self.unbound += 1,
            },
        }
    }

    /// Whether an intent is for an action of the plan. `None` when the action is about a record whose id no reading has
    /// reported.
    fn digest_fits(&self, action: &Action, e: &StepStarted) -> Option<bool> {
        if !action.needs_found() || action_digest(action) == e.operation_sha256 {
            return Some(action_digest(action) == e.operation_sha256);
        }
        let ids = self.reported.get(&e.device_id)?;
        let fits = ids.iter().any(|id| action_digest(&action.on_found(id)) == e.operation_sha256);
        fits.then_some(true)
    }

    fn step_settled(&mut self, e: &'a StepSettled, seq: Seq, findings: &mut Findings) {
        let ids = e.observed.iter().filter(|(name, _)| name == ".id").filter_map(|(_, id)| id.as_deref());
        self.reported.entry(&e.device_id).or_default().extend(ids);
        let Some(step) = self.step(e.step_id, &e.device_id) else {
            return findings.wrong("step", seq, "the job has no such step");
        };
        let mut expect = |holds, what| findings.expect(holds, "step", seq, what);
        expect(step.attempts > 0, "it has an outcome although nothing was sent");
        let possible = match e.status {
            StepStatus::Waiting | StepStatus::Started => false,
            StepStatus::Undone => step.undo,
            StepStatus::NotApplied | StepStatus::Refused => !step.undo,
            _ => true,
        };
        expect(possible, "this cannot be the outcome of what was sent");
        step.status = e.status;
    }

    fn status_changed(&mut self, e: &JobStatusChanged, seq: Seq, findings: &mut Findings) {
        let mut expect = |holds, what| findings.expect(holds, "end", seq, what);
        expect(self.job.is_some_and(|job| job.job_id == e.job_id), "the plan has no such job");
        expect(!self.status.is_over(), "the job was over");
        (self.status, self.changed) = (e.status, seq);
        if !e.status.is_over() {
            return;
        }
        let every = |fits: fn(StepStatus) -> bool| self.steps.values().all(|step| fits(step.status));
        let settled = |status| !matches!(status, StepStatus::Started | StepStatus::InDoubt);
        expect(every(settled), "the job is over although a step is not settled");
        let fits = match e.status {
            JobStatus::Completed => every(|status| status == StepStatus::Applied),
            JobStatus::RolledBack => every(|status| {
                !matches!(status, StepStatus::Applied | StepStatus::Held | StepStatus::Diverged)
            }),
            _ => true,
        };
        expect(fits, "the steps did not come to this end");
    }

    fn end(&self, findings: &mut Findings) {
        if self.unbound > 0 {
            findings.notes.push(format!(
                "{} writes were about records whose ids no reading in this file reports, so they were not compared with \
                 the plan",
                self.unbound
            ));
        }
        if self.job.is_some() && !self.status.is_over() {
            findings.notes.push("the job was not over at the checkpoint: later events are not here".into());
        }
    }
}

/// The plan's operations in the order in which they are carried out.
fn layout(plan: &Plan) -> impl Iterator<Item = (&DeviceId, WaveNo, u32)> {
    (1u32..).zip(&plan.waves).flat_map(|(wave, parts)| {
        parts.iter().flat_map(move |part| {
            (0u32..).zip(&part.operations).map(move |(number, _)| (&part.device_id, WaveNo(wave), number))
        })
    })
}

/// Who approved, as one name.
fn names(by: &ApprovedBy) -> (&str, bool) {
    match by {
        ApprovedBy::Person(Actor { name, .. }) => (name, true),
        ApprovedBy::Policy(policy) => (policy, false),
    }
}
