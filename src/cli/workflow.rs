//! `workflow`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    cli::{Common, client::Client, out},
    failure::Failure,
};

#[derive(Debug, Subcommand)]
pub(super) enum Workflow {
    /// The workflows of the configuration, and whether they approve plans now.
    List,
    /// Say why a workflow would approve a plan, or would not.
    Explain {
        /// `plan_…`
        plan_id: String,
    },
    /// Stop approval by workflows at once; what one approved does not start any more. Needs an admin token.
    Stop {
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Allow approval by workflows again. Needs an admin token.
    Resume {
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Who stopped workflows, when and why; nothing while they are allowed.
fn stopped(answer: &Value) -> Option<String> {
    let stop = answer.get("stopped").filter(|stop| stop.is_object())?;
    let cell = |field: &str| out::cell(&stop[field]);
    Some(format!("stopped by {} at {}: {}", cell("by"), cell("at"), cell("reason")))
}

fn explained(answer: &Value) -> String {
    let mut lines: Vec<String> = stopped(answer).into_iter().collect();
    if let Some(name) = answer["approved_by"].as_str() {
        lines.push(format!("approved by the workflow {name} when it was proposed"));
    }
    for verdict in answer["verdicts"].as_array().into_iter().flatten() {
        let name = out::cell(&verdict["workflow"]);
        if verdict["matches"] == true {
            lines.push(format!("{name}: matches"));
            continue;
        }
        lines.push(format!("{name}: does not match"));
        let reasons = verdict["reasons"].as_array().into_iter().flatten();
        lines.extend(reasons.map(|reason| format!("  - {}", out::cell(reason))));
    }
    if answer["verdicts"].as_array().is_none_or(Vec::is_empty) {
        lines.push("the configuration has no workflow".to_owned());
    }
    lines.join("\n")
}

pub(super) async fn run(common: &Common, command: Workflow) -> Result<u8, Failure> {
    match command {
        Workflow::List => {
            let answer = Client::once(common, "workflow_list", json!({})).await?;
            out::show(common, &answer, |answer| {
                let table = out::table(
                    &answer["workflows"],
                    &[
                        ("workflow", "name"),
                        ("environment", "environment"),
                        ("kinds", "kinds"),
                        ("devices", "devices"),
                        ("tags", "tags"),
                        ("values", "values"),
                        ("at most", "max_devices"),
                        ("approves now", "approves_now"),
                    ],
                );
                stopped(answer).map_or(table.clone(), |stop| format!("{stop}\n{table}"))
            })?;
        }
        Workflow::Explain { plan_id } => {
            let answer = Client::once(common, "workflow_explain", json!({ "plan_id": plan_id })).await?;
            out::show(common, &answer, explained)?;
        }
        Workflow::Stop { reason } => return switch(common, false, &reason).await,
        Workflow::Resume { reason } => return switch(common, true, &reason).await,
    }
    Ok(0)
}

async fn switch(common: &Common, on: bool, reason: &str) -> Result<u8, Failure> {
    let answer = Client::once(common, "auto_approval_switch", json!({ "on": on, "reason": reason })).await?;
    out::show(common, &answer, |answer| {
        let state = if on { "allowed" } else { "stopped" };
        let already = if answer["changed"] == true { "" } else { " already" };
        format!("approval by trusted workflows is {state}{already}")
    })?;
    Ok(0)
}
