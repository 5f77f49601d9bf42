//! Lists jobs, newest first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    failure::Failure,
    tools::{
        context::Cx,
        operator::EVERYBODY,
        page,
        params::DeviceRef,
        plan::{
            job_shown::{Summary, summary},
            plan_details::sees_plan,
        },
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Only jobs that are not over.
    #[serde(default)]
    open: bool,
    /// 1–500, default 50.
    limit: Option<u32>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    jobs: Vec<Summary>,
    total_count: usize,
    next_cursor: Option<String>,
}

pub struct JobList;

impl Tool for JobList {
    const SPEC: Spec = Spec::operator("job_list", "List jobs", "Jobs, newest first.", Kind::Read, EVERYBODY);
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let limit = page::limit(params.limit, 50, 500)?;
        let from = page::place(params.cursor.as_deref())?;
        let at = cx.now();
        let all = cx.view(|views| {
            let jobs = views.state.jobs.values().rev().filter(|job| !params.open || !job.status.is_over());
            let state = &views.state;
            let seen = |job| {
                let job: &crate::domain::job::JobState = job;
                let plan = state.plans.get(&job.plan_id).filter(|plan| sees_plan(cx, state, plan))?;
                Some(summary(state, job, &plan.plan, at))
            };
            jobs.filter_map(seen).collect()
        });
        let page = page::cut(all, from, limit);
        Ok(Answer { jobs: page.rows, total_count: page.total, next_cursor: page.next_cursor })
    }
}
