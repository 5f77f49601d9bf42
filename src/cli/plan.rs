//! `plan` and `job`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    cli::{Common, client::Client, out, usage},
    failure::{Code, Failure},
};

#[derive(Debug, Subcommand)]
pub(super) enum Plan {
    /// List plans, newest first.
    List {
        /// Only plans that stand so (pending, approved, …).
        #[arg(long)]
        status: Option<String>,
    },
    /// Show a plan: operations, risk, hash.
    Show {
        /// `plan_…`
        plan_id: String,
    },
    /// Say yes to a plan, having looked at it. Needs an approver's token.
    Approve {
        /// `plan_…`
        plan_id: String,
        /// The hash that you approve; asked for on a terminal.
        #[arg(long)]
        hash: Option<String>,
        /// In your words.
        #[arg(long)]
        comment: Option<String>,
    },
    /// Say no to a plan. Needs an approver's token.
    Reject {
        /// `plan_…`
        plan_id: String,
        /// Why.
        #[arg(long)]
        comment: String,
    },
    /// Start an approved plan.
    Start {
        /// `plan_…`
        plan_id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Job {
    /// List jobs, newest first.
    List {
        /// Only jobs that are not over.
        #[arg(long)]
        open: bool,
    },
    /// Show a job, device by device.
    Show {
        /// `job_…`
        job_id: String,
    },
    /// Follow a job to its end.
    Watch {
        /// `job_…`
        job_id: String,
    },
}

/// A plan as an approver reads it, from typed data only.
fn readable(plan: &Value) -> String {
    let mut text = format!(
        "{}  {}  [{}]\n{}\nproposed by {} at {}\nrisk {}   hash {}\n",
        out::cell(&plan["plan_id"]),
        out::cell(&plan["status"]),
        out::cell(&plan["environment"]),
        out::cell(&plan["summary"]),
        out::cell(&plan["created_by"]),
        out::cell(&plan["created_at"]),
        out::cell(&plan["risk_level"]),
        out::cell(&plan["plan_hash"]),
    );
    for part in plan["devices"].as_array().into_iter().flatten() {
        text.push_str(&format!("\n  wave {} {}\n", out::cell(&part["wave"]), out::cell(&part["device_id"])));
        for line in part["changes"].as_array().into_iter().flatten() {
            text.push_str(&format!("    {}\n", out::cell(line)));
        }
        for reason in part["risk"]["reasons"].as_array().into_iter().flatten() {
            text.push_str(&format!("    ! {}\n", out::cell(reason)));
        }
    }
    text
}

pub(super) async fn run(common: &Common, command: Plan) -> Result<u8, Failure> {
    match command {
        Plan::List { status } => {
            let params = status.map_or_else(|| json!({}), |status| json!({ "status": status }));
            let answer = Client::once(common, "plan_list", params).await?;
            out::show(common, &answer, |answer| {
                out::table(
                    &answer["plans"],
                    &[
                        ("plan", "plan_id"),
                        ("status", "status"),
                        ("environment", "environment"),
                        ("risk", "risk_level"),
                        ("what", "summary"),
                        ("by", "created_by"),
                        ("at", "created_at"),
                    ],
                )
            })?;
        }
        Plan::Show { plan_id } => {
            let plan = Client::once(common, "plan_details", json!({ "plan_id": plan_id })).await?;
            out::show(common, &plan, readable)?;
        }
        Plan::Approve { plan_id, hash, comment } => return approve(common, &plan_id, hash, comment).await,
        Plan::Reject { plan_id, comment } => {
            let answer =
                Client::once(common, "plan_reject", json!({ "plan_id": plan_id, "comment": comment }))
                    .await?;
            out::show(common, &answer, |_| format!("{plan_id} is rejected"))?;
        }
        Plan::Start { plan_id } => {
            let answer = Client::once(common, "plan_start", json!({ "plan_id": plan_id })).await?;
            out::show(common, &answer, |answer| {
                format!(
                    "started as {}\nnext: {}",
                    out::cell(&answer["job_id"]),
                    out::cell(&answer["next_step"])
                )
            })?;
        }
    }
    Ok(0)
}

async fn approve(
    common: &Common,
    plan_id: &str,
    hash: Option<String>,
    comment: Option<String>,
) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let client = Client::open(common).await?;
    let outcome = async {
        let plan = client.call("plan_details", json!({ "plan_id": plan_id })).await?;
        let shown = out::cell(&plan["plan_hash"]);
        if let Some(given) = &hash {
            if given.len() < 8 || !shown.starts_with(given.as_str()) {
                return Err(Failure::new(
                    Code::PlanHashMismatch,
                    "`--hash` is not the hash of this plan; look at it again with `appliance plan show`",
                ));
            }
        } else {
            if !out::is_terminal() {
                return Err(usage(
                    "`--hash` is needed where nobody can be asked; `appliance plan show` prints it",
                ));
            }
            out::talk(&readable(&plan));
            let typed = out::ask("Type the first 8 digits of the hash to approve exactly this:")?;
            if typed.len() < 8 || !shown.starts_with(&typed) {
                return Err(Failure::new(
                    Code::PlanHashMismatch,
                    "that is not the hash; nothing was approved",
                ));
            }
        }
        let params =
            json!({ "plan_id": plan_id, "plan_hash": shown, "comment": comment.unwrap_or_default() });
        client.call("plan_approve", params).await
    }
    .await;
    client.close().await?;
    out::show(common, &outcome?, |answer| {
        format!(
            "{plan_id} is approved; start it before {}: appliance plan start {plan_id}",
            out::cell(&answer["start_before"])
        )
    })?;
    Ok(0)
}

fn job_line(job: &Value) -> String {
    let devices = job["devices"].as_array().into_iter().flatten();
    let states: Vec<String> =
        devices.map(|d| format!("{} {}", out::cell(&d["device_id"]), out::cell(&d["status"]))).collect();
    let reason = out::cell(&job["reason"]);
    let why = if reason.is_empty() { String::new() } else { format!("  ({reason})") };
    format!(
        "{}  {}  {} %  {}{why}",
        out::cell(&job["job_id"]),
        out::cell(&job["status"]),
        out::cell(&job["progress_percent"]),
        states.join(", ")
    )
}

/// 0 when all was done, 5 when not.
fn exit_of(job: &Value) -> u8 {
    if job["status"] == "completed" { 0 } else { 5 }
}

pub(super) async fn run_job(common: &Common, command: Job) -> Result<u8, Failure> {
    match command {
        Job::List { open } => {
            let answer = Client::once(common, "job_list", json!({ "open": open })).await?;
            out::show(common, &answer, |answer| {
                out::table(
                    &answer["jobs"],
                    &[
                        ("job", "job_id"),
                        ("status", "status"),
                        ("%", "progress_percent"),
                        ("plan", "plan_id"),
                        ("started", "started_at"),
                        ("by", "started_by"),
                        ("why", "reason"),
                    ],
                )
            })?;
            Ok(0)
        }
        Job::Show { job_id } => {
            let job = Client::once(common, "job_status", json!({ "job_id": job_id })).await?;
            out::show(common, &job, job_line)?;
            Ok(0)
        }
        Job::Watch { job_id } => {
            common.start_log("warn", false)?;
            let client = Client::open(common).await?;
            let mut last = String::new();
            let outcome = loop {
                let job = match client.call("job_status", json!({ "job_id": job_id })).await {
                    Ok(job) => job,
                    Err(failure) => break Err(failure),
                };
                let line = if common.json { job.to_string() } else { job_line(&job) };
                // The running time changes at every look; a line is worth printing when the state did.
                let state = format!("{}{}{}", job["status"], job["progress_percent"], job["devices"]);
                if state != last {
                    last = state;
                    out::data(&line)?;
                }
                let status = job["status"].as_str().unwrap_or_default();
                if matches!(
                    status,
                    "completed"
                        | "failed"
                        | "cancelled"
                        | "rolled_back"
                        | "partially_rolled_back"
                        | "stuck"
                        | "halted"
                ) {
                    break Ok(exit_of(&job));
                }
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            };
            client.close().await?;
            outcome
        }
    }
}
