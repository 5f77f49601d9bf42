//! Settles a step whose outcome is not known: read the device, compare with before and after, say what it shows.
//!
//! Reads only. A router serves one user's requests in order, and job reads go in with the user that writes: what we read
//! comes after everything that was sent before, even by a process that died meanwhile.

use std::time::Duration;

use events::{
    ids::StepId,
    job::{StepSettled, StepStatus},
    operation::Operation,
    plan::Plan,
};

use crate::{
    domain::{
        Command,
        job::{JobState, StepState, operation_of},
    },
    failure::{Code, Failure},
    runner::{
        Runner,
        drive::Went,
        effect::{Report, step_of},
        seen::{Seen, Verdict, judge},
    },
};

/// After so many failed readings a job is `stuck` and people are asked; reading goes on.
pub(super) const TRIES_BEFORE_STUCK: u32 = 3;

/// 1, 2, 4, … seconds, at most 30.
pub(super) fn pause_after(failures: u32) -> Duration {
    Duration::from_secs(1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(30).clamp(1, 30))
}

pub(super) fn settled(
    job: &JobState,
    step: &StepState,
    status: StepStatus,
    code: Option<String>,
    detail: String,
    observed: Vec<(String, Option<String>)>,
) -> Report {
    StepSettled {
        job_id: job.job_id,
        step_id: step.layout.step_id,
        device_id: step.layout.device_id.clone(),
        status,
        code,
        detail,
        observed,
    }
}

impl Runner {
    /// Whether a router can be read again, and is that very box: then the job goes on.
    pub(super) async fn can_go_on(
        &self,
        job: &JobState,
        plan: &Plan,
        step_id: StepId,
    ) -> Result<Went, Failure> {
        let (step, operation) = step_of(job, plan, step_id)?;
        let device_id = &step.layout.device_id;
        if !self.is_that_box(plan, device_id) {
            return Ok(Went::Unread);
        }
        if let Some(went) = self.waits_still(job, plan, device_id).await? {
            return Ok(went);
        }
        match self.look(device_id, operation).await {
            Ok(_) => Ok(Went::On),
            Err(_) => Ok(Went::Unread),
        }
    }

    /// Whether a step is on the router beneath later ones of the same menu, which stand there as well.
    async fn stands_beneath(
        &self,
        job: &JobState,
        plan: &Plan,
        step: &StepState,
        operation: &Operation,
    ) -> bool {
        let device_id = &step.layout.device_id;
        let menu = &operation.expect_after.menu;
        let later = job.steps_of(device_id).filter(|other| {
            other.layout.operation > step.layout.operation && other.is_on_router() && !other.undo
        });
        let later: Vec<&Operation> = later
            .filter_map(|other| operation_of(plan, &other.layout))
            .filter(|other| other.expect_after.menu == *menu)
            .collect();
        if later.is_empty() {
            return false;
        }
        let seen = Seen::read_before(&*self.reader, device_id, operation, &later).await;
        seen.is_ok_and(|seen| judge(operation, &seen) == Verdict::After)
    }

    /// Reads the device and reports what became of a step.
    pub(super) async fn settle_by_reading(
        &self,
        job: &JobState,
        plan: &Plan,
        step_id: StepId,
    ) -> Result<Went, Failure> {
        let (step, operation) = step_of(job, plan, step_id)?;
        let that_box = self.is_that_box(plan, &step.layout.device_id);
        if let Some(went) = self.waits_still(job, plan, &step.layout.device_id).await? {
            return Ok(went);
        }
        events::crash::point("settle.before_read");
        let seen = self.look(&step.layout.device_id, operation).await;
        events::crash::point("settle.after_read");
        let Some(seen) = seen.ok().filter(|_| that_box && self.is_that_box(plan, &step.layout.device_id))
        else {
            if step.status == StepStatus::Started {
                let code = Some(Code::InDoubt.as_str().to_owned());
                let report = settled(job, step, StepStatus::InDoubt, code, String::new(), Vec::new());
                self.submit(Command::SettleStep(report)).await?;
            }
            return Ok(Went::Unread);
        };
        let held = step.status == StepStatus::Held;
        let mut verdict = judge(operation, &seen);
        let mut observed = seen.reported(operation);
        if held
            && !step.undo
            && verdict != Verdict::After
            && self.stands_beneath(job, plan, step, operation).await
        {
            // It is there, under what was done to the same record after it; what was read of it then still holds.
            (verdict, observed) = (Verdict::After, step.observed.clone());
        }
        let status = match (verdict, step.undo) {
            (Verdict::After, _) => StepStatus::Applied,
            // Its timed undo is gone, and so is the change.
            (Verdict::Before, false) if held => StepStatus::RevertedByRouter,
            (Verdict::Before, false) => StepStatus::NotApplied,
            (Verdict::Before, true) => StepStatus::Undone,
            (Verdict::Neither, _) => StepStatus::Diverged,
        };
        let code = match status {
            StepStatus::NotApplied => step.code.clone().or_else(|| Some(Code::InDoubt.as_str().to_owned())),
            StepStatus::Diverged => Some(Code::StepDiverged.as_str().to_owned()),
            _ => None,
        };
        let report = settled(job, step, status, code, step.detail.clone(), observed);
        events::crash::point("settle.before_report");
        self.submit(Command::SettleStep(report)).await?;
        events::crash::point("settle.after_report");
        Ok(Went::On)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        assert_eq!([1, 2, 5, 6, 99].map(|n| pause_after(n).as_secs()), [1, 2, 16, 30, 30]);
    }
}
