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
    changes::invert::{replayed, rewound},
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

    /// What a held step is among the others of its menu in the same part: on the router beneath later ones that stand
    /// there as well, or undone with earlier ones that the router has undone, too.
    async fn among_the_others(
        &self,
        job: &JobState,
        plan: &Plan,
        step: &StepState,
        operation: &Operation,
    ) -> Verdict {
        let device_id = &step.layout.device_id;
        let menu = &operation.expect_after.menu;
        let own = |is: &dyn Fn(&StepState) -> bool| -> Vec<&Operation> {
            let steps = job.steps_of(device_id).filter(|other| !other.undo && is(other));
            let operations = steps.filter_map(|other| operation_of(plan, &other.layout));
            operations.filter(|other| other.expect_after.menu == *menu).collect()
        };
        let at = step.layout.operation;
        let later = own(&|other| other.layout.operation > at && other.is_on_router());
        let gone =
            |other: &StepState| matches!(other.status, StepStatus::Held | StepStatus::RevertedByRouter);
        let earlier = own(&|other| other.layout.operation < at && gone(other));
        let reader = &*self.reader;
        if !later.is_empty() {
            let seen =
                Seen::read_in_thought(reader, device_id, operation, |rows| rewound(rows, &later)).await;
            if seen.is_ok_and(|seen| judge(operation, &seen) == Verdict::After) {
                return Verdict::After;
            }
        }
        if !earlier.is_empty() {
            let seen =
                Seen::read_in_thought(reader, device_id, operation, |rows| replayed(rows, &earlier)).await;
            if seen.is_ok_and(|seen| judge(operation, &seen) == Verdict::Before) {
                return Verdict::Before;
            }
        }
        Verdict::Neither
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
        if held && !step.undo && verdict != Verdict::After {
            // Several steps may be about one record; what was read of it while it was held then still holds.
            match self.among_the_others(job, plan, step, operation).await {
                Verdict::After => (verdict, observed) = (Verdict::After, step.observed.clone()),
                Verdict::Before => verdict = Verdict::Before,
                Verdict::Neither => {}
            }
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
