//! `job`: where jobs stand, and following one to its end.

use std::time::Duration;

use clap::{Args, Subcommand};
use events::ids::JobId;
use serde_json::{Value, json};

use crate::{
    cli::{
        Common,
        client::Client,
        live::{Lines, Talk, Watcher, watcher},
        out,
        out::Reader,
        serve,
    },
    failure::{Code, Failure},
};

/// A job is looked at again after this long at first, and after twice as long each time that nothing changed, up to
/// [`LOOK_MOST`]: every look is a call on record.
const LOOK_FIRST: Duration = Duration::from_millis(200);
/// The longest time between two looks at a job.
const LOOK_MOST: Duration = Duration::from_secs(2);

/// A live view is drawn again this often.
const TICK: Duration = Duration::from_millis(250);

#[derive(Debug, Subcommand)]
pub(super) enum Job {
    /// List jobs, newest first.
    List {
        /// Only jobs that are not over.
        #[arg(long)]
        open: bool,
        /// At most so many (default: all).
        #[arg(long, value_parser = out::count)]
        limit: Option<usize>,
    },
    /// Show a job, device by device.
    Show {
        /// `job_…`
        job_id: String,
    },
    /// What happened to a job, in plain words, and which decisions make sense now.
    Guide {
        /// `job_…`
        job_id: String,
    },
    /// End a job. One that runs finishes the devices in hand; one that stands ends at once and frees its routers. What
    /// was applied stays: look at the router first.
    Cancel {
        /// `job_…`
        job_id: String,
        /// Why, and what the router was found to be.
        #[arg(long)]
        reason: String,
    },
    /// Try again what failed in a job that stands.
    Retry(Decision),
    /// Leave one device of a job that stands as it is, for good, and go on without it.
    Skip {
        /// `job_…`
        job_id: String,
        /// The device.
        device_id: String,
        /// Why, and what the router was found to be.
        #[arg(long)]
        reason: String,
        /// Follow the job although the appliance runs.
        #[arg(long)]
        wait: bool,
    },
    /// Undo what a job that stands has applied, the newest first.
    RollBack(Decision),
    /// Let the failed gate of a halted job pass, and go on with the next wave.
    Resume(Decision),
    /// Follow a job to its end: a live view on a terminal, else one line a change. Without a running appliance it is
    /// carried on here.
    Watch {
        /// `job_…`
        job_id: String,
    },
}

/// A decision about a job that stands.
#[derive(Debug, Args)]
pub(super) struct Decision {
    /// `job_…`
    job_id: String,
    /// Why, and what the router was found to be.
    #[arg(long)]
    reason: String,
    /// Follow the job although the appliance runs.
    #[arg(long)]
    wait: bool,
}

/// Devices that a line names one by one; more are counted by their status.
const DEVICES_NAMED: usize = 5;

/// How the devices of a job stand.
fn states(job: &Value) -> Vec<String> {
    let devices: Vec<&Value> = job["devices"].as_array().into_iter().flatten().collect();
    if devices.len() <= DEVICES_NAMED {
        let named = |d: &&Value| format!("{} {}", out::cell(&d["device_id"]), out::cell(&d["status"]));
        return devices.iter().map(named).collect();
    }
    let mut counts: Vec<(String, usize)> = Vec::new();
    for device in devices {
        let status = out::cell(&device["status"]);
        match counts.iter_mut().find(|(other, _)| *other == status) {
            Some((_, count)) => *count += 1,
            None => counts.push((status, 1)),
        }
    }
    counts.into_iter().map(|(status, count)| format!("{count} {status}")).collect()
}

/// A job in one line.
pub(super) fn line(job: &Value) -> String {
    let states = states(job);
    let reason = out::cell(&job["reason"]);
    let why = if reason.is_empty() { String::new() } else { format!("  ({reason})") };
    let waits = out::cell(&job["waits_for"]["say"]);
    let waits = if waits.is_empty() { String::new() } else { format!("  waits for {waits}") };
    format!(
        "{}  {}  {} %  {}{why}{waits}",
        out::cell(&job["job_id"]),
        out::cell(&job["status"]),
        out::cell(&job["progress_percent"]),
        states.join(", ")
    )
}

/// A job in full, as a person reads it.
fn details(job: &Value) -> String {
    let mut text = format!("{}\n", line(job));
    for wave in job["waves"].as_array().into_iter().flatten() {
        let reasons = out::cell(&wave["reasons"]);
        let why = if reasons.is_empty() { String::new() } else { format!("  ({reasons})") };
        text.push_str(&format!(
            "\nwave {}  {}  {} devices{why}",
            wave["wave"],
            out::cell(&wave["status"]),
            wave["device_count"]
        ));
    }
    let columns = [
        ("device", "device_id"),
        ("wave", "wave"),
        ("status", "status"),
        ("steps", "steps"),
        ("applied", "steps_applied"),
        ("why", "reason"),
        ("timed undo", "timed_undo"),
    ];
    text.push_str(&format!("\n\n{}", out::table(&job["devices"], &columns)));
    for choice in job["waits_for"]["choices"].as_array().into_iter().flatten() {
        text.push_str(&format!("\n{}\n    {}", out::cell(&choice["command"]), out::cell(&choice["does"])));
    }
    text
}

/// 0 when all was done, 1 when it failed with nothing left half done, 5 when it stands or went only part of the way.
pub(super) fn exit_of(job: &Value) -> u8 {
    match job["status"].as_str() {
        Some("completed") => 0,
        Some("failed") => 1,
        _ => 5,
    }
}

/// True when nothing more happens unless a person acts.
fn rests(job: &Value) -> bool {
    matches!(
        job["status"].as_str().unwrap_or_default(),
        "completed" | "failed" | "cancelled" | "rolled_back" | "partially_rolled_back" | "stuck" | "halted"
    )
}

/// How following ended.
pub(super) enum Followed {
    /// The job rests.
    Rests(Value),
    /// A person stopped following; the store is open here, so the job stops after the step in hand.
    Interrupted,
    /// Nobody reads any more.
    Unread,
}

/// Follows a job until it rests, showing each change.
pub(super) async fn follow(
    client: &Client,
    job_id: &str,
    view: &mut dyn Watcher,
) -> Result<Followed, Failure> {
    let followed = follow_with(client, job_id, view).await;
    view.end();
    followed
}

async fn follow_with(client: &Client, job_id: &str, view: &mut dyn Watcher) -> Result<Followed, Failure> {
    let (mut last, mut pause) = (String::new(), LOOK_FIRST);
    let parsed: Option<JobId> = job_id.parse().ok();
    let stop = serve::shutdown_on_signals()?;
    loop {
        let seen = client.house().map(|house| house.engine().view(|views| stand(views, parsed)));
        let asked = tokio::select! {
            asked = client.call("job_status", json!({ "job_id": job_id })) => asked,
            () = stop.cancelled() => return Ok(Followed::Interrupted),
        };
        let job = match asked {
            Err(failure) if failure.code == Code::Cancelled => return Ok(Followed::Interrupted),
            job => job?,
        };
        // The running time changes at every look; a line is worth printing when the state did.
        let parts = ["status", "progress_percent", "devices", "waves", "waits_for", "cancel"];
        let state = parts.map(|part| job[part].to_string()).concat();
        if state != last {
            (last, pause) = (state, LOOK_FIRST);
            if view.moved(&job)? == Reader::Left {
                return Ok(Followed::Unread);
            }
        }
        if rests(&job) {
            return Ok(Followed::Rests(job));
        }
        let rest = pause;
        let waiting = async {
            match (client.house(), &seen) {
                (Some(house), Some(seen)) => {
                    let moved = |views: &crate::projections::Views| {
                        let now = stand(views, parsed);
                        (now != *seen).then_some(())
                    };
                    house.engine().wait_until(moved).await
                }
                _ => {
                    tokio::time::sleep(rest).await;
                    Ok(())
                }
            }
        };
        let mut waiting = std::pin::pin!(waiting);
        loop {
            tokio::select! {
                waited = &mut waiting => {
                    waited?;
                    break;
                }
                () = stop.cancelled() => return Ok(Followed::Interrupted),
                () = tokio::time::sleep(TICK) => view.tick(),
            }
        }
        pause = (pause * 2).min(LOOK_MOST);
    }
}

/// Calls a tool that sets a job going, and follows the job where it is carried out here or where that is asked for.
pub(super) async fn carry(
    common: &Common,
    tool: &str,
    params: Value,
    wait: bool,
    say: fn(&Value) -> String,
) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let client = Client::open(common).await?;
    let here = client.house().is_some();
    let mut job_id = String::new();
    let outcome = async {
        let answer = client.call(tool, params).await?;
        job_id = out::cell(&answer["job_id"]);
        if !wait && !here {
            return Ok::<_, Failure>((answer, None));
        }
        let mut view = watcher(common, false, Talk { quiet: common.quiet });
        let followed = follow(&client, &job_id, &mut *view).await?;
        Ok((answer, Some(followed)))
    }
    .await;
    client.close().await?;
    let (answer, followed) = outcome?;
    match followed {
        None => {
            out::show(common, &answer, say)?;
            Ok(0)
        }
        Some(Followed::Rests(job)) => {
            out::show(common, &job, line)?;
            Ok(exit_of(&job))
        }
        Some(Followed::Interrupted | Followed::Unread) => {
            tell_interrupted(&job_id, here);
            Ok(5)
        }
    }
}

/// Where a job of an open house stands, to be compared.
fn stand(views: &crate::projections::Views, job_id: Option<JobId>) -> Option<crate::domain::job::JobState> {
    views.state.jobs.get(&job_id?).cloned()
}

/// What a person hears who stopped following a job.
pub(super) fn tell_interrupted(job_id: &str, here: bool) {
    out::talk(&if here {
        format!(
            "interrupted: {job_id} stops after the step in hand. It goes on when the appliance runs, or with: \
             appliance job watch {job_id}"
        )
    } else {
        format!(
            "no longer followed: {job_id} goes on in the running appliance. Follow it again: appliance job watch \
             {job_id}. End it: appliance job cancel {job_id} --reason TEXT"
        )
    });
}

/// The guide to a job as a person reads it.
fn guide(answer: &Value) -> String {
    let mut text = line(&answer["job"]);
    let list = |field: &str| answer[field].as_array().cloned().unwrap_or_default();
    text.push('\n');
    for sentence in list("story") {
        text.push_str(&format!("\n{}", out::cell(&sentence)));
    }
    for device in list("trouble") {
        text.push_str(&format!("\n{}: {}", out::cell(&device["device_id"]), out::cell(&device["says"])));
        let words = out::cell(&device["routeros"]);
        if !words.is_empty() {
            text.push_str(&format!("\n    the router said: {words}"));
        }
    }
    let (possible, not): (Vec<Value>, Vec<Value>) =
        list("decisions").into_iter().partition(|decision| decision["possible"] == true);
    if !possible.is_empty() {
        text.push_str("\n\nWhat you can do:");
        for decision in &possible {
            text.push_str(&format!(
                "\n  {}\n      {}",
                out::cell(&decision["command"]),
                out::cell(&decision["does"])
            ));
        }
    }
    if !not.is_empty() {
        text.push_str("\n\nNot now:");
        for decision in &not {
            let device = out::cell(&decision["device_id"]);
            let name = format!("{} {device}", out::cell(&decision["decision"]).replace('_', "-"));
            text.push_str(&format!("\n  {}: {}", name.trim_end(), out::cell(&decision["why_not"])));
        }
    }
    text
}

/// Where a job stands after a decision.
fn decided(answer: &Value) -> String {
    format!(
        "{} is {}\nnext: {}",
        out::cell(&answer["job_id"]),
        out::cell(&answer["status"]),
        out::cell(&answer["next_step"])
    )
}

async fn decide(common: &Common, tool: &str, decision: Decision) -> Result<u8, Failure> {
    let Decision { job_id, reason, wait } = decision;
    carry(common, tool, json!({ "job_id": job_id, "reason": reason }), wait, decided).await
}

pub(super) async fn run(common: &Common, command: Job) -> Result<u8, Failure> {
    match command {
        Job::List { open, limit } => {
            let answer = Client::list(common, "job_list", json!({ "open": open }), "jobs", limit).await?;
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
            out::show(common, &job, details)?;
            Ok(0)
        }
        Job::Cancel { job_id, reason } => {
            let params = json!({ "job_id": job_id, "reason": reason });
            let answer = Client::once(common, "job_cancel", params).await?;
            out::show(common, &answer, out::fields)?;
            Ok(0)
        }
        Job::Guide { job_id } => {
            let answer = Client::once(common, "job_guide", json!({ "job_id": job_id })).await?;
            out::show(common, &answer, guide)?;
            Ok(0)
        }
        Job::Retry(decision) => decide(common, "job_retry", decision).await,
        Job::RollBack(decision) => decide(common, "job_roll_back", decision).await,
        Job::Resume(decision) => decide(common, "job_resume", decision).await,
        Job::Skip { job_id, device_id, reason, wait } => {
            let params = json!({ "job_id": job_id, "device_id": device_id, "reason": reason });
            carry(common, "job_skip", params, wait, decided).await
        }
        Job::Watch { job_id } => {
            common.start_log("warn", false)?;
            let client = Client::open(common).await?;
            let here = client.house().is_some();
            let mut view = watcher(common, true, Lines { json: common.json });
            let live = view.is_live();
            let followed = follow(&client, &job_id, &mut *view).await;
            client.close().await?;
            Ok(match followed? {
                Followed::Rests(job) => {
                    if live {
                        out::data(&line(&job))?;
                    }
                    exit_of(&job)
                }
                Followed::Unread => 0,
                Followed::Interrupted => {
                    tell_interrupted(&job_id, here);
                    5
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_devices_are_named_and_many_are_counted() {
        let device = |n: usize, status: &str| json!({ "device_id": format!("r{n}"), "status": status });
        let mut job = json!({ "devices": [device(1, "applied"), device(2, "waiting")] });
        assert_eq!(states(&job), ["r1 applied", "r2 waiting"]);
        job["devices"] = (0..50).map(|n| device(n, if n < 3 { "applied" } else { "waiting" })).collect();
        assert_eq!(states(&job), ["3 applied", "47 waiting"]);
    }

    #[test]
    fn exit_codes_follow_the_outcome() {
        for (status, code) in [
            ("completed", 0),
            ("failed", 1),
            ("rolled_back", 5),
            ("partially_rolled_back", 5),
            ("stuck", 5),
            ("halted", 5),
            ("cancelled", 5),
        ] {
            let job = json!({ "status": status });
            assert_eq!(exit_of(&job), code, "{status}");
            assert!(rests(&job), "{status}");
        }
        assert!(!rests(&json!({ "status": "running" })) && !rests(&json!({ "status": "rolling_back" })));
    }
}
