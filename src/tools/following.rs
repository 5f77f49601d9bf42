//! Following a job within a call: the caller hears of every move that says something new.

use std::time::Duration;

use events::{ids::JobId, job::JobStatus, plan::Plan};

use crate::{
    domain::job::JobState,
    failure::Failure,
    projections::Views,
    tools::{
        context::{ANSWER_MARGIN, Cx},
        plan::job_shown::{in_hand, word},
    },
};

/// News of a job must grow, also where its share of finished steps does not.
const SMALL_MOVE: f64 = 0.01;

/// True when a job moves no more unless a person acts, or a router answers again.
pub(super) const fn rests(status: JobStatus) -> bool {
    status.is_over() || matches!(status, JobStatus::Stuck | JobStatus::Halted)
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
    let line = format!("{}, wave {} of {}{device}", word(job.status), wave.0, plan.waves.len());
    News { percent: job.progress_percent(), line }
}

impl Cx {
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
        tokio::time::timeout(patience, following).await.ok().transpose()
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
