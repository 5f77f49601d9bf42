//! `plan`.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    cli::{Common, client::Client, evidence, job, out, rollback, usage},
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
    /// Plans that wait for approval: high risk first, then what expires first.
    Queue {
        /// Only plans that you may approve.
        #[arg(long)]
        mine: bool,
        /// At most so many (default: all).
        #[arg(long, value_parser = out::count)]
        limit: Option<usize>,
    },
    /// Show a plan: changes, devices, batches, gate, risk, approvals, hash.
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
    /// Undo a finished plan now, and follow it to its end: its approval is good for its undo too, for a day.
    Rollback {
        /// `plan_…`
        plan_id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Propose one plan that reverses what a session, or an older plan, left; a person approves it.
    #[command(group = clap::ArgGroup::new("what").required(true))]
    Undo {
        /// All that the calls with this correlation id left.
        #[arg(long, group = "what", value_name = "ID")]
        correlation: Option<String>,
        /// What this plan left.
        #[arg(long, group = "what", value_name = "PLAN")]
        plan: Option<String>,
        /// Only devices of this environment.
        #[arg(long)]
        environment: Option<String>,
        /// Make risky operations also where the router cannot keep a timed undo.
        #[arg(long)]
        without_dead_man: bool,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Columns that people read in place of numbers.
fn queued(row: &mut Value) {
    let time = |seconds: &Value| match seconds.as_i64().unwrap_or_default() {
        s @ ..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s / 60),
        s => format!("{} h {} min", s / 3600, s % 3600 / 60),
    };
    let undone: Vec<String> = list(&row["undoes"]).map(out::cell).collect();
    row["reverses"] = undone.join(", ").into();
    row["waits"] = time(&row["age_s"]).into();
    row["expires_in"] = time(&row["expires_in_s"]).into();
    row["so_far"] =
        format!("{} of {}", out::cell(&row["approvals"]), out::cell(&row["approvals_needed"])).into();
    row["you"] =
        if row["may_approve"] == true { "may approve".into() } else { row["why_not"]["code"].clone() };
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
    for (name, label) in [("reason", "reason"), ("approved_by", "approved by"), ("job_id", "job")] {
        if plan[name].as_str().is_some_and(|text| !text.is_empty()) {
            text.push_str(&format!("{label} {}\n", out::cell(&plan[name])));
        }
    }
    let origin = &plan["origin"];
    for (name, label) in [("client", "asked by"), ("correlation_id", "session")] {
        if origin[name].as_str().is_some_and(|text| !text.is_empty()) {
            text.push_str(&format!("{label} {}\n", out::cell(&origin[name])));
        }
    }
    for undone in list(&plan["reverses"]) {
        let [id, what, by] = ["plan_id", "summary", "requested_by"].map(|field| out::cell(&undone[field]));
        text.push_str(&format!("reverses {id}  {what}  by {by}\n"));
    }
    text.push_str(&course(plan));
    for group in list(&plan["groups"]) {
        let ids: Vec<String> = list(&group["device_ids"]).map(out::cell).collect();
        text.push_str(&format!("\n  change {} on {}\n", out::cell(&group["group"]), ids.join(", ")));
        for line in list(&group["changes"]) {
            text.push_str(&format!("    {}\n", out::cell(line)));
        }
    }
    text.push('\n');
    for part in list(&plan["devices"]) {
        text.push_str(&format!(
            "  batch {}  {}  change {}  risk {} ({}){}\n",
            out::cell(&part["wave"]),
            out::cell(&part["device_id"]),
            out::cell(&part["group"]),
            out::cell(&part["risk"]["score"]),
            out::cell(&part["risk"]["level"]),
            match part["dead_man"]["seconds"].as_u64() {
                Some(seconds) => format!("  undone by the router itself after {seconds} s"),
                None => String::new(),
            },
        ));
        for reason in list(&part["risk"]["reasons"]) {
            text.push_str(&format!("    ! {}\n", out::cell(reason)));
        }
    }
    text
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// How a plan goes through its devices, in two lines.
fn course(plan: &Value) -> String {
    let sizes: Vec<String> = list(&plan["devices_per_batch"]).map(out::cell).collect();
    let mut text = format!(
        "batches of {} devices; pause {} s, watched {} s; {}\n",
        sizes.join(" + "),
        out::cell(&plan["batch_pause_seconds"]),
        out::cell(&plan["soak_seconds"]),
        if plan["rollback_on_failure"] == true {
            "undone when one fails"
        } else {
            "not undone when one fails"
        },
    );
    let gate = &plan["gate"];
    if gate.is_object() {
        text.push_str(&format!(
            "gate: CPU {} %, memory {} %, disk {} %, {} °C",
            out::cell(&gate["cpu_percent"]),
            out::cell(&gate["memory_percent"]),
            out::cell(&gate["disk_percent"]),
            out::cell(&gate["temperature_celsius"]),
        ));
        if gate["resolve"].is_string() {
            text.push_str(&format!(", resolves {}", out::cell(&gate["resolve"])));
        }
        if gate["ntp"] == true {
            text.push_str(", clock synchronised");
        }
        text.push('\n');
    }
    if plan["without_dead_man"] == true {
        text.push_str("! risky changes are allowed where the router cannot undo them by itself\n");
    }
    text
}

/// A plan, all of its pages as one.
async fn details(client: &Client, plan_id: &str) -> Result<Value, Failure> {
    let mut plan = client.call("plan_details", json!({ "plan_id": plan_id })).await?;
    while let Some(cursor) = plan["next_cursor"].as_str().map(str::to_owned) {
        let more = client.call("plan_details", json!({ "plan_id": plan_id, "cursor": cursor })).await?;
        join(&mut plan, more);
    }
    Ok(plan)
}

/// Adds a page to the pages before it: a group that was cut goes on.
fn join(plan: &mut Value, mut more: Value) {
    plan["next_cursor"] = more["next_cursor"].take();
    let taken = |value: &mut Value| value.as_array_mut().map(std::mem::take).unwrap_or_default();
    let (devices, groups) = (taken(&mut more["devices"]), taken(&mut more["groups"]));
    if let Some(all) = plan["devices"].as_array_mut() {
        all.extend(devices);
    }
    let Some(all) = plan["groups"].as_array_mut() else { return };
    for mut group in groups {
        match all.last_mut().filter(|last| last["group"] == group["group"]) {
            Some(last) => {
                for name in ["changes", "operations"] {
                    let rest = taken(&mut group[name]);
                    if let Some(begun) = last[name].as_array_mut() {
                        begun.extend(rest);
                    }
                }
            }
            None => all.push(group),
        }
    }
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
        Plan::Queue { mine, limit } => {
            let mut answer =
                Client::list(common, "approval_list", json!({ "mine": mine }), "approvals", limit).await?;
            if !common.json {
                answer["approvals"].as_array_mut().into_iter().flatten().for_each(queued);
            }
            out::show(common, &answer, |answer| {
                out::table(
                    &answer["approvals"],
                    &[
                        ("plan", "plan_id"),
                        ("risk", "risk_level"),
                        ("what", "summary"),
                        ("reverses", "reverses"),
                        ("environment", "environment"),
                        ("by", "created_by"),
                        ("waits", "waits"),
                        ("expires in", "expires_in"),
                        ("approvals", "so_far"),
                        ("you", "you"),
                    ],
                )
            })?;
        }
        Plan::Show { plan_id } => {
            common.start_log("warn", false)?;
            let client = Client::open(common).await?;
            let plan = details(&client, &plan_id).await;
            client.close().await?;
            out::show(common, &plan?, readable)?;
        }
        Plan::Approve { plan_id, hash, comment } => return approve(common, &plan_id, hash, comment).await,
        Plan::Reject { plan_id, comment } => {
            let answer =
                Client::once(common, "plan_reject", json!({ "plan_id": plan_id, "comment": comment }))
                    .await?;
            out::show(common, &answer, |_| format!("{plan_id} is rejected"))?;
        }
        Plan::Evidence(args) => return evidence::make(common, args).await,
        // Whoever holds the store carries it out: the running appliance, or this process to the end.
        Plan::Start { plan_id, wait } => {
            return job::carry(common, "plan_start", json!({ "plan_id": plan_id }), wait, started).await;
        }
        Plan::Rollback { plan_id, reason } => return rollback::run(common, &plan_id, &reason).await,
        Plan::Undo { correlation, plan, environment, without_dead_man, reason } => {
            let mut params = json!({ "reason": reason, "without_dead_man": without_dead_man });
            let given = [("correlation", correlation), ("plan_id", plan), ("environment", environment)];
            for (name, value) in given {
                if let Some(value) = value {
                    params[name] = value.into();
                }
            }
            let answer = Client::once(common, "plan_undo", params).await?;
            out::show(common, &answer, undoing)?;
        }
    }
    Ok(0)
}

/// What a started plan answers with.
fn started(answer: &Value) -> String {
    format!("started as {}\nnext: {}", out::cell(&answer["job_id"]), out::cell(&answer["next_step"]))
}

/// A plan that reverses others, as a person reads it.
fn undoing(answer: &Value) -> String {
    let mut text = format!(
        "{}  [risk {}]  hash {}\nreverses, newest first:\n",
        out::cell(&answer["plan_id"]),
        out::cell(&answer["risk_level"]),
        out::cell(&answer["plan_hash"]),
    );
    for plan in answer["reverses"].as_array().into_iter().flatten() {
        let [id, what, by] = ["plan_id", "summary", "requested_by"].map(|field| out::cell(&plan[field]));
        text.push_str(&format!("  {id}  {what}  by {by}\n"));
    }
    for plan in answer["not_reversed"].as_array().into_iter().flatten() {
        let [id, what, why] = ["plan_id", "summary", "why"].map(|field| out::cell(&plan[field]));
        text.push_str(&format!("  not {id}  {what}: {why}\n"));
    }
    for group in list(&answer["groups"]) {
        let ids: Vec<String> = list(&group["device_ids"]).map(out::cell).collect();
        text.push_str(&format!("\n  {}\n", ids.join(", ")));
        for line in list(&group["changes"]) {
            text.push_str(&format!("    {}\n", out::cell(line)));
        }
    }
    text.push_str(&format!("\nnext: {}", out::cell(&answer["next_step"])));
    text
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
        let plan = details(&client, plan_id).await?;
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
        if answer["status"] == "pending" {
            return format!("{plan_id} has your approval; {}", out::cell(&answer["next_step"]));
        }
        format!(
            "{plan_id} is approved; start it before {}: appliance plan start {plan_id}",
            out::cell(&answer["start_before"])
        )
    })?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_plan_become_one() {
        let mut plan = json!({ "next_cursor": "@2", "devices": [1], "groups": [{ "group": 1, "changes": ["a"], "operations": [1] }] });
        let more = json!({ "next_cursor": null, "devices": [2], "groups": [
            { "group": 1, "changes": ["b"], "operations": [2] }, { "group": 2, "changes": ["c"], "operations": [3] }] });
        join(&mut plan, more);
        assert_eq!(
            plan,
            json!({ "next_cursor": null, "devices": [1, 2], "groups": [
                { "group": 1, "changes": ["a", "b"], "operations": [1, 2] },
                { "group": 2, "changes": ["c"], "operations": [3] }] })
        );
    }
}
