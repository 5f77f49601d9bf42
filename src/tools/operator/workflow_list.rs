//! The trusted workflows of the configuration, and whether they approve at all.

use events::{device::Environment, ids::Moment};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    access::principal::Kind,
    domain::workflow::{Stopped, Window},
    failure::Failure,
    tools::{
        context::Cx,
        operator::EVERYBODY,
        params::Nothing,
        tool::{Spec, Tool},
    },
};

/// Approval by workflows was stopped.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stop {
    by: String,
    at: Moment,
    /// In their words.
    reason: String,
}

impl From<&Stopped> for Stop {
    fn from(stopped: &Stopped) -> Self {
        Self {
            by: format!("{} ({})", stopped.by.label, stopped.by.name),
            at: stopped.at,
            reason: stopped.reason.clone(),
        }
    }
}

/// A trusted workflow.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    name: String,
    description: String,
    enabled: bool,
    /// It approves now what it describes.
    approves_now: bool,
    environment: Environment,
    devices: Vec<String>,
    tags: Vec<String>,
    kinds: Vec<String>,
    /// The tools that its kinds mean.
    tools: Vec<String>,
    values: std::collections::BTreeMap<String, Vec<String>>,
    removals: bool,
    production: bool,
    max_devices: u32,
    window: Option<Window>,
    /// Over the whole rule; plans that it approved name it.
    rule_sha256: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// Set while nothing is approved by workflows.
    stopped: Option<Stop>,
    workflows: Vec<Shown>,
    total_count: usize,
}

pub struct WorkflowList;

impl Tool for WorkflowList {
    const SPEC: Spec = Spec::operator(
        "workflow_list",
        "Trusted workflows",
        "Workflows whose plans are approved without a person, and whether they are stopped.",
        Kind::Read,
        EVERYBODY,
    );
    type Params = Nothing;
    type Answer = Answer;

    async fn run(cx: &Cx, _: Nothing) -> Result<Answer, Failure> {
        let at = cx.now();
        let stopped = cx.view(|views| views.state.auto_approval_stopped.as_ref().map(Stop::from));
        let visible = |environment: &Environment| cx.principal().environments.contains(environment);
        let all = cx.engine().rules().workflows.iter();
        let workflows: Vec<Shown> = all
            .filter(|trusted| visible(&trusted.rule.environment))
            .map(|trusted| {
                let rule = trusted.rule.clone();
                let open = rule.window.as_ref().is_none_or(|window| window.holds(at));
                Shown {
                    rule_sha256: rule.sha256(),
                    approves_now: rule.enabled && open && stopped.is_none(),
                    name: rule.name,
                    description: rule.description,
                    enabled: rule.enabled,
                    environment: rule.environment,
                    devices: rule.devices,
                    tags: rule.tags,
                    kinds: rule.kinds,
                    tools: trusted.tools.iter().cloned().collect(),
                    values: rule.values,
                    removals: rule.removals,
                    production: rule.production,
                    max_devices: rule.max_devices,
                    window: rule.window,
                }
            })
            .collect();
        Ok(Answer { stopped, total_count: workflows.len(), workflows })
    }

    fn say(answer: &Answer) -> String {
        let state = if answer.stopped.is_some() { "stopped" } else { "running" };
        format!("{} trusted workflows, {state}", answer.total_count)
    }
}
