//! Lists plans, newest first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::plan::PlanStatus,
    failure::Failure,
    tools::{
        context::Cx,
        operator::EVERYBODY,
        page,
        params::DeviceRef,
        plan::plan_details::{Head, head, sees_plan},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Only plans that stand so.
    status: Option<PlanStatus>,
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
    /// Without their operations: plan_details has them.
    plans: Vec<Head>,
    total_count: usize,
    next_cursor: Option<String>,
}

pub struct PlanList;

impl Tool for PlanList {
    const SPEC: Spec =
        Spec::operator("plan_list", "List plans", "Plans, newest first.", Kind::Read, EVERYBODY);
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let limit = page::limit(params.limit, 50, 500)?;
        let from = page::place(params.cursor.as_deref())?;
        let at = cx.now();
        let all = cx.view(|views| {
            let plans = views.state.plans.values().rev();
            plans
                .filter(|plan| params.status.is_none_or(|status| plan.status_at(at) == status))
                .filter(|plan| sees_plan(cx, &views.state, plan))
                .map(|plan| head(plan, at))
                .collect()
        });
        let page = page::cut(all, from, limit);
        Ok(Answer { plans: page.rows, total_count: page.total, next_cursor: page.next_cursor })
    }
}
