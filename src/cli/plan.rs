//! `plan`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    cli::{
        Common,
        client::Client,
        evidence,
        job::{self, Followed},
        out, usage,
    },
    failure::{Code, Failure},
};

#[derive(Debug, Subcommand)]
pub(super) enum Plan {
    /// List plans, newest first.
    List {
        /// Only plans that stand so (pending, approved, …).
        #[arg(long)]
        status: Option<String>,
        /// At most so many (default: all).
        #[arg(long, value_parser = out::count)]
        limit: Option<usize>,
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
    /// Start an approved plan. The running appliance carries it out; without one it is carried to its end here.
    Start {
        /// `plan_…`
        plan_id: String,
        /// Follow it to its end although the appliance runs.
        #[arg(long)]
        wait: bool,
    },
    /// Write everything that happened to a plan, with its proofs, into one file: `verify --evidence` checks it anywhere.
    Evidence(evidence::Make),
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
        Plan::List { status, limit } => {
            let params = status.map_or_else(|| json!({}), |status| json!({ "status": status }));
            let answer = Client::list(common, "plan_list", params, "plans", limit).await?;
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
        Plan::Evidence(args) => return evidence::make(common, args).await,
        Plan::Start { plan_id, wait } => return start(common, &plan_id, wait).await,
    }
    Ok(0)
}

/// Starts a plan. Whoever holds the store carries it out: the running appliance, or this process to the end.
async fn start(common: &Common, plan_id: &str, wait: bool) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let client = Client::open(common).await?;
    let follows = wait || client.house().is_some();
    let mut started = String::new();
    let outcome = async {
        let answer = client.call("plan_start", json!({ "plan_id": plan_id })).await?;
        started = out::cell(&answer["job_id"]);
        if !follows {
            return Ok::<_, Failure>((answer, None));
        }
        let mut tell = |job: &Value| {
            if !common.quiet {
                out::talk(&job::line(job));
            }
            Ok(out::Reader::There)
        };
        let followed = job::follow(&client, &started, &mut tell).await?;
        Ok((answer, Some(followed)))
    }
    .await;
    client.close().await?;
    let (answer, followed) = outcome?;
    match followed {
        None => {
            out::show(common, &answer, |answer| {
                format!("started as {started}\nnext: {}", out::cell(&answer["next_step"]))
            })?;
            Ok(0)
        }
        Some(Followed::Rests(job)) => {
            out::show(common, &job, job::line)?;
            Ok(job::exit_of(&job))
        }
        Some(Followed::Interrupted | Followed::Unread) => {
            job::tell_interrupted(&started);
            Ok(5)
        }
    }
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
            let typed = out::ask("Type the first 8 digits of the hash to approve exactly this:").await?;
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
