//! Why a trusted workflow would approve a plan, or would not.

use events::ids::PlanId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::workflow,
    failure::Failure,
    tools::{
        context::Cx,
        operator::{EVERYBODY, plan_approve::plan_in_sight, workflow_list::Stop},
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    plan_id: PlanId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
    fn plan(&self) -> Option<PlanId> {
        Some(self.plan_id)
    }
}

/// What one workflow says.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Verdict {
    workflow: String,
    /// It describes the plan as of now.
    matches: bool,
    /// Why it does not.
    reasons: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    plan_id: PlanId,
    /// The workflow that approved it when it was proposed.
    approved_by: Option<String>,
    /// Set while nothing is approved by workflows.
    stopped: Option<Stop>,
    verdicts: Vec<Verdict>,
}

pub struct WorkflowExplain;

impl Tool for WorkflowExplain {
    const SPEC: Spec = Spec::operator(
        "workflow_explain",
        "Explain workflows",
        "Holds a plan against each trusted workflow as of now, and says what does not match.",
        Kind::Read,
        EVERYBODY,
    );
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let plan_id = params.plan_id;
        plan_in_sight(cx, plan_id)?;
        let at = cx.now();
        let rules = cx.engine().rules();
        cx.view(|views| {
            let plan = crate::domain::plan::find(&views.state, plan_id)?;
            let verdict = |trusted: &workflow::Trusted| {
                let reasons = trusted.mismatches(&views.state, rules, &plan.plan, at);
                Verdict { workflow: trusted.rule.name.clone(), matches: reasons.is_empty(), reasons }
            };
            // As in the list of workflows: none of environments that the caller may not touch.
            let visible = |trusted: &&workflow::Trusted| {
                cx.principal().environments.contains(&trusted.rule.environment)
            };
            let shown = rules.workflows.iter().filter(visible);
            Ok(Answer {
                plan_id,
                approved_by: workflow::approved(plan).map(str::to_owned),
                stopped: views.state.auto_approval_stopped.as_ref().map(Stop::from),
                verdicts: shown.map(verdict).collect(),
            })
        })
    }

    fn say(answer: &Answer) -> String {
        match answer.verdicts.iter().find(|verdict| verdict.matches) {
            Some(verdict) => format!("{} matches", verdict.workflow),
            None => "no workflow matches".into(),
        }
    }
}
