//! Following a job within a call: the caller hears of every move that says something new.

use std::time::Duration;

use events::{
    ids::{DeviceId, JobId},
    job::{JobStatus, StepStatus},
    plan::Plan,
};

use crate::{
    domain::{
        self,
        job::{JobState, arming_failed},
    },
    failure::{Code, Failure},
    projections::Views,
    routeros::text::Untrusted,
    tools::{
        context::{ANSWER_MARGIN, Cx},
        plan::job_shown::in_hand,
    },
};

/// News of a job must grow, also where its share of finished steps does not.
const SMALL_MOVE: f64 = 0.01;

/// True when a job moves no more unless a person acts, or a router answers again.
pub(super) const fn rests(status: JobStatus) -> bool {
    status.is_over() || matches!(status, JobStatus::Stuck | JobStatus::Halted)
}

/// The appliance stops: what was started is taken up again when it runs.
pub(super) fn taken_up_later(job_id: JobId, failure: Failure) -> Failure {
    failure
        .hint("the job is kept and goes on when the appliance runs again; nothing is sent twice")
        .details(serde_json::json!({ "job_id": job_id }))
}

/// What a caller is told of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
struct News {
    percent: u8,
    line: String,
}

fn news(job: &JobState, plan: &Plan) -> News {
    let wave = job.current_wave(plan);
    let device = in_hand(job, wave).map_or_else(String::new, |step| format!(": {}", step.layout.device_id));
    let line = format!("{}, wave {} of {}{device}", job.status.as_str(), wave.0, plan.waves.len());
    News { percent: job.progress_percent(), line }
}

impl Cx {
    /// Waits for a job's end and turns a bad one into a failure.
    ///
    /// # Errors
    /// `device_refused`, `in_doubt`, `step_diverged`, `plan_stale`, `job_failed`, and `deadline_exceeded` when the job goes
    /// on after the call's time; each with the job's id.
    pub async fn finish(&self, job_id: JobId, device_id: &DeviceId) -> Result<(), Failure> {
        let Some(job) = self.settled(job_id).await? else {
            let plan_id = self.view(|views| views.state.jobs.get(&job_id).map(|job| job.plan_id.to_string()));
            return Err(Failure::new(
                Code::DeadlineExceeded,
                format!("{job_id} goes on: its router has not answered in time"),
            )
            .hint("job_status tells where it stands; nothing is sent twice")
            .details(serde_json::json!({ "job_id": job_id, "plan_id": plan_id }))
            .device(device_id));
        };
        self.ended_well(&job)
    }

    /// The job once it rests; nothing when the call's time ends before.
    ///
    /// # Errors
    /// When the engine stops.
    pub(super) async fn settled(&self, job_id: JobId) -> Result<Option<JobState>, Failure> {
        let settled = self.shared.engine.wait_until(|views| {
            let job = views.state.jobs.get(&job_id)?;
            rests(job.status).then(|| job.clone())
        });
        let patience = self.time_left().saturating_sub(ANSWER_MARGIN);
        let settled = tokio::time::timeout(patience, settled).await.ok().transpose();
        settled.map_err(|failure| taken_up_later(job_id, failure))
    }

    /// How a job ended, as an answer or a failure.
    ///
    /// # Errors
    /// As [`Cx::finish`].
    pub(super) fn ended_well(&self, job: &JobState) -> Result<(), Failure> {
        let job_id = job.job_id;
        if job.status == JobStatus::Completed {
            return Ok(());
        }
        let fine = [StepStatus::Applied, StepStatus::Waiting, StepStatus::Undone];
        let step = job.steps.iter().find(|step| !fine.contains(&step.status));
        // No step was begun where the timed undo of the router could not be armed.
        let unarmed =
            job.dead_men.iter().find(|(device, _)| arming_failed(job, device)).filter(|_| step.is_none());
        let told = step.and_then(|step| step.code.as_deref());
        let known = told
            .or_else(|| unarmed.and_then(|(_, man)| man.code.as_deref()))
            .and_then(|word| Code::ALL.iter().copied().find(|code| code.as_str() == word));
        let stale = self.view(|views| {
            views
                .state
                .plans
                .get(&job.plan_id)
                .is_some_and(|plan| plan.status == domain::plan::PlanStatus::Stale)
        });
        let code = match (step.map(|step| step.status), known) {
            _ if stale => Code::PlanStale,
            (Some(StepStatus::InDoubt | StepStatus::Started), _) => Code::InDoubt,
            (Some(StepStatus::Diverged), _) => Code::StepDiverged,
            (_, Some(code)) => code,
            _ => Code::JobFailed,
        };
        let detail = step.map(|step| &step.detail).or_else(|| unarmed.map(|(_, man)| &man.detail));
        let words = detail.map(|detail| Untrusted::new(detail)).filter(|words| !words.is_empty());
        let said = match job.status {
            JobStatus::Failed | JobStatus::RolledBack => "the change was not made",
            _ => "the change is not done",
        };
        let why = if job.reason.is_empty() { String::new() } else { format!(": {}", job.reason) };
        let failure = Failure::new(code, format!("{said}: {job_id} is {}{why}", job.status.as_str()))
            .hint("job_status and plan_details tell where it stands")
            .details(serde_json::json!({
                "job_id": job_id,
                "plan_id": job.plan_id,
                "job_status": job.status,
                "step_status": step.map(|step| step.status),
                "routeros": words,
            }));
        let device =
            step.map(|step| &step.layout.device_id).or_else(|| unarmed.map(|(device_id, _)| device_id));
        Err(match device.or_else(|| job.steps.first().map(|step| &step.layout.device_id)) {
            Some(device_id) => failure.device(device_id),
            None => failure,
        })
    }

    /// The job once it rests, told about on the way; nothing when the time ends before: this call's, or a shorter one.
    ///
    /// # Errors
    /// When the engine stops.
    pub(super) async fn followed(
        &self,
        job_id: JobId,
        within: Option<Duration>,
    ) -> Result<Option<JobState>, Failure> {
        let left = self.time_left().saturating_sub(ANSWER_MARGIN);
        let patience = within.map_or(left, |within| within.min(left));
        let following = async {
            let (mut told, mut progress) = (None, 0.0);
            loop {
                let moved = |views: &Views| {
                    let job = views.state.jobs.get(&job_id)?;
                    let news = news(job, &views.state.plans.get(&job.plan_id)?.plan);
                    let rested = rests(job.status).then(|| job.clone());
                    (rested.is_some() || told.as_ref() != Some(&news)).then_some((rested, news))
                };
                let (rested, news) = self.engine().wait_until(moved).await?;
                progress = f64::from(news.percent).max(progress + SMALL_MOVE);
                self.progress(progress, Some(100.0), news.line.clone());
                if let Some(job) = rested {
                    return Ok(job);
                }
                told = Some(news);
            }
        };
        let followed = tokio::time::timeout(patience, following).await.ok().transpose();
        followed.map_err(|failure| taken_up_later(job_id, failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_rests_when_it_is_over_or_waits_for_a_person() {
        use JobStatus::{Completed, Halted, Pending, RollingBack, Running, Stuck};
        assert!([Completed, Halted, Stuck].into_iter().all(rests));
        assert!(![Pending, Running, RollingBack].into_iter().any(rests));
    }
}
