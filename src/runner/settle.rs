//! Settles a step whose outcome is not known: read the device, compare with before and after, say what it shows.
//!
//! Reads only. A router serves one user's requests in order, and job reads go in with the user that writes: what we read
//! comes after everything that was sent before, even by a process that died meanwhile.

use std::time::Duration;

use events::{
    ids::{DeviceId, StepId},
    job::{StepSettled, StepStatus},
    operation::{Expectation, Operation},
    plan::Plan,
};

use crate::{
    domain::{
        Command,
        job::{JobState, Need, StepState, next_backward},
    },
    failure::{Code, Failure},
    routeros::{
        error::{Garble, RouterError},
        port::{Ask, Priority, Reader, Row},
        resources,
    },
    runner::{
        Runner,
        effect::{Report, step_of},
    },
};

/// After so many failed readings a job is `stuck` and people are asked; reading goes on.
pub(super) const TRIES_BEFORE_STUCK: u32 = 3;
/// One reading may take this long.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// 1, 2, 4, … seconds, at most 30.
pub(super) fn pause_after(failures: u32) -> Duration {
    Duration::from_secs(1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(30).clamp(1, 30))
}

/// One record as it was read; `None` when it is not there.
pub(super) struct Seen(Option<Row>);

impl Seen {
    pub(super) async fn read(
        reader: &dyn Reader,
        device_id: &DeviceId,
        expectation: &Expectation,
    ) -> Result<Self, RouterError> {
        let ask = match &expectation.id {
            Some(id) => Ask::Record { menu: expectation.menu.clone(), id: id.clone() },
            None => Ask::print(&expectation.menu),
        };
        match reader.read(device_id, ask, Priority::Job, READ_WITHIN).await {
            Ok(reply) => {
                let row = reply.rows.into_iter().next();
                if let Some(row) = &row
                    && !resources::looks_right(&expectation.menu, row)
                {
                    return Err(Garble::OtherMenu.into());
                }
                if row.is_none() && expectation.id.is_none() {
                    return Err(Garble::Empty.into());
                }
                Ok(Self(row))
            }
            // A record that is gone is an answer; a menu that is gone is not.
            Err(RouterError::Absent { status: 404, .. }) if expectation.id.is_some() => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }

    pub(super) fn matches(&self, expectation: &Expectation) -> bool {
        let Some(row) = &self.0 else { return false };
        expectation.properties.iter().all(|(name, wanted)| {
            let actual = row.get(name).filter(|value| !value.is_empty());
            actual.map(String::as_str) == wanted.as_deref().filter(|value| !value.is_empty())
        })
    }

    pub(super) fn observed(&self, expectation: &Expectation) -> Vec<(String, Option<String>)> {
        let value = |name: &String| self.0.as_ref().and_then(|row| row.get(name).cloned());
        expectation.properties.iter().map(|(name, _)| (name.clone(), value(name))).collect()
    }
}

/// What a reading shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As wanted.
    After,
    /// As it was.
    Before,
    /// Something else.
    Neither,
}

pub(super) fn judge(operation: &Operation, seen: &Seen) -> Verdict {
    if seen.matches(&operation.expect_after) {
        Verdict::After
    } else if seen.matches(&operation.expect_before) {
        Verdict::Before
    } else {
        Verdict::Neither
    }
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
    /// Whether the router whose step is undone next can be read.
    pub(super) async fn can_be_undone_now(&self, job: &JobState, plan: &Plan) -> bool {
        let Need::Write { step_id, .. } = next_backward(job) else { return true };
        let Ok((step, operation)) = step_of(job, plan, step_id) else { return true };
        self.look(&step.layout.device_id, &operation.expect_after).await.is_ok()
    }

    /// Reads the device and reports what became of a step. False when it could not be read.
    pub(super) async fn settle_by_reading(
        &self,
        job: &JobState,
        plan: &Plan,
        step_id: StepId,
    ) -> Result<bool, Failure> {
        let (step, operation) = step_of(job, plan, step_id)?;
        events::crash::point("settle.before_read");
        let seen = self.look(&step.layout.device_id, &operation.expect_after).await;
        events::crash::point("settle.after_read");
        let Ok(seen) = seen else {
            if step.status == StepStatus::Started {
                let code = Some(Code::InDoubt.as_str().to_owned());
                let report = settled(job, step, StepStatus::InDoubt, code, String::new(), Vec::new());
                self.submit(Command::SettleStep(report)).await?;
            }
            return Ok(false);
        };
        let status = match (judge(operation, &seen), step.undo) {
            (Verdict::After, _) => StepStatus::Applied,
            (Verdict::Before, false) => StepStatus::NotApplied,
            (Verdict::Before, true) => StepStatus::Undone,
            (Verdict::Neither, _) => StepStatus::Diverged,
        };
        let code = match status {
            StepStatus::NotApplied => step.code.clone().or_else(|| Some(Code::InDoubt.as_str().to_owned())),
            StepStatus::Diverged => Some(Code::StepDiverged.as_str().to_owned()),
            _ => None,
        };
        let report =
            settled(job, step, status, code, step.detail.clone(), seen.observed(&operation.expect_after));
        events::crash::point("settle.before_report");
        self.submit(Command::SettleStep(report)).await?;
        events::crash::point("settle.after_report");
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(value: Option<&str>) -> Expectation {
        Expectation {
            menu: "/ip/dns".into(),
            id: None,
            properties: vec![("servers".into(), value.map(str::to_owned))],
        }
    }

    fn seen(value: Option<&str>) -> Seen {
        Seen(Some(value.map(|value| ("servers".to_owned(), value.to_owned())).into_iter().collect()))
    }

    #[test]
    fn absent_and_empty_are_the_same() {
        assert!(seen(None).matches(&expectation(None)));
        assert!(seen(Some("")).matches(&expectation(None)));
        assert!(seen(None).matches(&expectation(Some(""))));
        assert!(!seen(Some("1.1.1.1")).matches(&expectation(None)));
        assert!(!Seen(None).matches(&expectation(None)), "a record that is gone matches nothing");
    }

    #[test]
    fn a_reading_is_before_after_or_neither() {
        let operation = Operation {
            action: events::operation::Action::SetSingleton { menu: "/ip/dns".into(), properties: vec![] },
            undo: vec![],
            expect_before: expectation(Some("1.1.1.1")),
            expect_after: expectation(Some("9.9.9.9")),
            risky: None,
        };
        assert_eq!(judge(&operation, &seen(Some("9.9.9.9"))), Verdict::After);
        assert_eq!(judge(&operation, &seen(Some("1.1.1.1"))), Verdict::Before);
        assert_eq!(judge(&operation, &seen(Some("8.8.8.8"))), Verdict::Neither);
    }

    #[test]
    fn pauses_grow_to_half_a_minute() {
        assert_eq!([1, 2, 5, 6, 99].map(|n| pause_after(n).as_secs()), [1, 2, 16, 30, 30]);
    }
}
