//! Performs one ticketed step: compare, intent, write, read back, report.

use std::time::Duration;

use events::{
    ids::StepId,
    job::{StepSettled, StepStatus},
    operation::Expectation,
    plan::Plan,
};

use crate::{
    domain::{
        Command,
        job::{JobState, StepState, action_of, operation_of, part_of},
    },
    failure::{Code, Failure},
    routeros::{error::RouterError, port::action_digest},
    runner::{
        Runner,
        drive::Went,
        seen::{Seen, Verdict, judge},
        settle::settled,
    },
};

/// A write may take as long as RouterOS lets a request live, and a little more for its way.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(65);

impl Runner {
    /// One write, whole. Whatever happens, the step is settled by reading or left in doubt; never written twice here. A
    /// router whose step is to be undone and that cannot be read is tried again later: nothing was sent.
    pub(super) async fn write_step(
        &self,
        job: &JobState,
        plan: &Plan,
        step_id: StepId,
        undo: bool,
    ) -> Result<Went, Failure> {
        let (step, operation) = step_of(job, plan, step_id)?;
        let action = action_of(operation, undo)
            .ok_or_else(|| Failure::new(Code::Bug, "this step has nothing to send"))?;
        let device_id = &step.layout.device_id;

        // Plans are made from a reading; the device must still look like that.
        events::crash::point("runner.before_compare");
        let expected = if undo { &operation.expect_after } else { &operation.expect_before };
        let looked = self.look(device_id, operation).await;
        // An undo may be of a record whose id only the router knows.
        let found = looked.as_ref().ok().and_then(Seen::id).filter(|_| action.needs_found());
        let action = &found.map_or_else(|| action.clone(), |found| action.on_found(found));
        let begin =
            Command::BeginStep { job_id: job.job_id, step_id, undo, operation_sha256: action_digest(action) };
        // The record that this step added, and no other that looks like it.
        let added = step.observed.iter().find(|(name, _)| name == ".id").and_then(|(_, id)| id.as_deref());
        let is_the_one = |seen: &Seen| !undo || added.is_none() || seen.id() == added;
        match looked {
            Ok(seen) if seen.matches(expected) && seen.is_of(action) && is_the_one(&seen) => {
                events::crash::point("runner.after_compare");
            }
            // An earlier try did it after all.
            Ok(seen) if !undo && step.attempts > 0 && judge(operation, &seen) == Verdict::After => {
                if let Err(failure) = self.submit(begin).await {
                    return self.not_begun(job, step, undo, failure).await;
                }
                let observed = seen.reported(operation);
                let report = settled(job, step, StepStatus::Applied, None, String::new(), observed);
                self.submit(Command::SettleStep(report)).await?;
                return Ok(Went::On);
            }
            Ok(seen) if undo => {
                // Somebody changed it since: nothing is undone blindly, only noted.
                if let Err(failure) = self.submit(begin).await {
                    return self.not_begun(job, step, undo, failure).await;
                }
                let (status, code) = match judge(operation, &seen) {
                    Verdict::Before => (StepStatus::Undone, None),
                    _ => (StepStatus::Diverged, Some(Code::StepDiverged.as_str().to_owned())),
                };
                let observed = seen.reported(operation);
                let report = settled(job, step, status, code, String::new(), observed);
                self.submit(Command::SettleStep(report)).await?;
                return Ok(Went::On);
            }
            Ok(_) => return self.not_as_planned(job, step).await,
            Err(_) if undo => return Ok(Went::Unread),
            // Nothing is known of the router: look again later.
            Err(error) if is_ours(&error) => return Err(error.into_failure(device_id)),
            Err(error) => return self.give_up(job, step, error.into_failure(device_id).code).await,
        }

        events::crash::point("runner.before_begin");
        let begun = match self.submit(begin).await {
            Ok(begun) => begun,
            Err(failure) => return self.not_begun(job, step, undo, failure).await,
        };
        let ticket = begun
            .tickets
            .into_iter()
            .next()
            .ok_or_else(|| Failure::new(Code::Bug, "an intent without a ticket"))?;
        events::crash::point("runner.after_begin");

        let written = self.writer.write(ticket, bound_of(plan, device_id), action, WRITE_WITHIN).await;
        events::crash::point("runner.after_write");
        let added = written.as_ref().ok().and_then(|receipt| receipt.added_id.clone());
        let error = written.err();
        if let Some(error) = &error
            && !error.may_have_applied()
        {
            // Nothing was sent, or the router turned the login away: nothing can have changed.
            let status = match undo {
                true => StepStatus::Applied,
                false if worth_another_try(error) => StepStatus::NotApplied,
                false => StepStatus::Refused,
            };
            let report = settled(job, step, status, error_code(error), String::new(), Vec::new());
            events::crash::point("runner.before_refused");
            self.submit(Command::SettleStep(report)).await?;
            events::crash::point("runner.after_refused");
            return Ok(Went::On);
        }
        if error.as_ref().is_some_and(|error| error.words().is_none()) {
            // The answer is lost. Say so first: if we die while reading, the doubt is on record.
            let report = settled(
                job,
                step,
                StepStatus::InDoubt,
                error.as_ref().and_then(error_code),
                String::new(),
                Vec::new(),
            );
            events::crash::point("runner.before_doubt");
            self.submit(Command::SettleStep(report)).await?;
            events::crash::point("runner.after_doubt");
            return Ok(Went::On);
        }
        self.report(job, plan, step_id, undo, error.as_ref(), added.as_deref()).await?;
        Ok(Went::On)
    }

    /// Reads back after an answer and reports what the device shows.
    async fn report(
        &self,
        job: &JobState,
        plan: &Plan,
        step_id: StepId,
        undo: bool,
        error: Option<&RouterError>,
        added: Option<&str>,
    ) -> Result<(), Failure> {
        let (step, operation) = step_of(job, plan, step_id)?;
        let device_id = &step.layout.device_id;
        let words =
            error.and_then(RouterError::words).map(|words| words.expose().to_owned()).unwrap_or_default();
        events::crash::point("runner.before_read_back");
        let seen = self.look(device_id, operation).await;
        events::crash::point("runner.after_read_back");
        let report = match seen {
            Ok(seen) => {
                let verdict = self.told(device_id, operation, added, &seen).await;
                let status = match (verdict, undo) {
                    (Verdict::After, false) | (Verdict::After, true) => StepStatus::Applied,
                    (Verdict::Before, true) => StepStatus::Undone,
                    (Verdict::Before, false) => StepStatus::Refused,
                    (Verdict::Neither, _) => StepStatus::Diverged,
                };
                let code = match (status, error) {
                    (StepStatus::Applied | StepStatus::Undone, _) => None,
                    (StepStatus::Diverged, _) => Some(Code::StepDiverged.as_str().to_owned()),
                    // RouterOS may say 200 and change nothing.
                    (_, None) => Some(Code::DeviceRefused.as_str().to_owned()),
                    (_, Some(error)) => error_code(error),
                };
                settled(job, step, status, code, words, seen.reported(operation))
            }
            Err(_) => {
                let code = Some(Code::InDoubt.as_str().to_owned());
                settled(job, step, StepStatus::InDoubt, code, words, Vec::new())
            }
        };
        events::crash::point("runner.before_report");
        self.submit(Command::SettleStep(report)).await?;
        events::crash::point("runner.after_report");
        Ok(())
    }

    /// What the reading shows; a record that the router says it added, and that is there but not as wanted, is neither.
    async fn told(
        &self,
        device_id: &events::ids::DeviceId,
        operation: &events::operation::Operation,
        added: Option<&str>,
        seen: &Seen,
    ) -> Verdict {
        let verdict = judge(operation, seen);
        let (Some(id), Seen::Gone { .. }) = (added, seen) else { return verdict };
        let there = Expectation::of_id(&operation.expect_after.menu, id, Vec::new());
        let there = events::operation::Operation {
            expect_before: there.clone(),
            expect_after: there,
            ..operation.clone()
        };
        match self.look(device_id, &there).await {
            Ok(Seen::One { .. }) => Verdict::Neither,
            _ => verdict,
        }
    }

    /// An intent that the rules refused.
    async fn not_begun(
        &self,
        job: &JobState,
        step: &StepState,
        undo: bool,
        failure: Failure,
    ) -> Result<Went, Failure> {
        match failure.code {
            Code::PlanExpired | Code::PlanStale if !undo => self.give_up(job, step, failure.code).await,
            // The device is another box now: a person must look.
            Code::PlanStale => Ok(Went::Unread),
            _ => Err(failure),
        }
    }

    /// A device that is not as its plan expects: the plan is stale while nothing was sent, else its step is given up.
    pub(super) async fn not_as_planned(&self, job: &JobState, step: &StepState) -> Result<Went, Failure> {
        let untouched = job.steps.iter().all(|step| step.status == StepStatus::Waiting);
        if untouched && job.dead_men.is_empty() {
            match self.say_stale(job, step.layout.device_id.clone()).await {
                // Another device was written to meanwhile.
                Err(failure) if failure.code == Code::Conflict => {}
                stale => return stale,
            }
        }
        self.give_up(job, step, Code::PlanStale).await
    }

    /// A device is not as it was when the plan was made, and nothing was sent yet.
    pub(super) async fn say_stale(
        &self,
        job: &JobState,
        device_id: events::ids::DeviceId,
    ) -> Result<Went, Failure> {
        events::crash::point("runner.before_stale");
        self.submit(Command::StalePlan { job_id: job.job_id, device_id }).await?;
        events::crash::point("runner.after_stale");
        Ok(Went::On)
    }

    /// A step that cannot be begun: nothing was sent.
    pub(super) async fn give_up(
        &self,
        job: &JobState,
        step: &StepState,
        code: Code,
    ) -> Result<Went, Failure> {
        let code = Some(code.as_str().to_owned());
        let report = settled(job, step, StepStatus::NotApplied, code, String::new(), Vec::new());
        events::crash::point("runner.before_give_up");
        self.submit(Command::SettleStep(report)).await?;
        events::crash::point("runner.after_give_up");
        Ok(Went::On)
    }

    /// True while a device is the box that its plan was made for. What another one shows tells nothing of this one.
    pub(super) fn is_that_box(&self, plan: &Plan, device_id: &events::ids::DeviceId) -> bool {
        let bound = bound_of(plan, device_id);
        bound.is_empty() || self.desk.bound(device_id).as_deref() == Some(bound)
    }

    /// Reads what an operation is about.
    pub(super) async fn look(
        &self,
        device_id: &events::ids::DeviceId,
        operation: &events::operation::Operation,
    ) -> Result<Seen, RouterError> {
        Seen::read(&*self.reader, device_id, operation).await
    }
}

/// What makes a device the box that its plan was made for; empty where the plan does not say.
pub(super) fn bound_of<'a>(plan: &'a Plan, device_id: &events::ids::DeviceId) -> &'a str {
    part_of(plan, device_id).map_or("", |part| &part.bound_sha256)
}

pub(super) fn step_of<'a>(
    job: &'a JobState,
    plan: &'a Plan,
    step_id: StepId,
) -> Result<(&'a StepState, &'a events::operation::Operation), Failure> {
    let step =
        job.step(step_id).ok_or_else(|| Failure::new(Code::Bug, "a step that its job does not have"))?;
    let operation = operation_of(plan, &step.layout)
        .ok_or_else(|| Failure::new(Code::Bug, "a step whose plan has no operation for it"))?;
    Ok((step, operation))
}

/// What keeps us from asking, and tells nothing of the router.
pub(super) const fn is_ours(error: &RouterError) -> bool {
    matches!(error, RouterError::StoreAway | RouterError::Busy)
}

/// Faults of the way that may pass; a wrong key or login will not.
const fn worth_another_try(error: &RouterError) -> bool {
    matches!(error, RouterError::Unreachable(_) | RouterError::Busy | RouterError::StoreAway)
}

pub(super) fn error_code(error: &RouterError) -> Option<String> {
    let code = match error {
        RouterError::Unknown => Code::UnknownDevice,
        RouterError::Unconfirmed => Code::TrustUnconfirmed,
        RouterError::Quarantined => Code::DeviceQuarantined,
        RouterError::Mismatch { .. } => Code::TlsMismatch,
        RouterError::NoCredential => Code::NoCredential,
        RouterError::StoreAway => Code::StorageUnavailable,
        RouterError::AddressRefused { .. } => Code::DeviceUnreachable,
        RouterError::NotTicketed => Code::Bug,
        RouterError::OtherBox => Code::PlanStale,
        RouterError::Unreachable(_) | RouterError::Handshake(_) | RouterError::Resting { .. } => {
            Code::DeviceUnreachable
        }
        RouterError::Busy => Code::Overloaded,
        RouterError::Auth => Code::DeviceAuthFailed,
        RouterError::Forbidden { .. } => Code::DeviceForbidden,
        RouterError::Absent { .. } => Code::DeviceUnsupported,
        RouterError::Refused { .. } => Code::DeviceRefused,
        RouterError::Timeout
        | RouterError::Lost(_)
        | RouterError::Wall
        | RouterError::NotRest { .. }
        | RouterError::Garbled(_) => Code::InDoubt,
    };
    Some(code.as_str().to_owned())
}

/// Keeps the shape of a report in one place.
pub(super) type Report = StepSettled;
