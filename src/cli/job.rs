//! `job`: where jobs stand, and following one to its end.

use std::time::Duration;

use clap::Subcommand;
use events::ids::JobId;
use serde_json::{Value, json};

use crate::{
    cli::{Common, client::Client, out, out::Reader, serve},
    failure::{Code, Failure},
};

/// A job is looked at again after this long at first, and after twice as long each time that nothing changed, up to
/// [`LOOK_MOST`]: every look is a call on record.
const LOOK_FIRST: Duration = Duration::from_millis(200);
/// The longest time between two looks at a job.
const LOOK_MOST: Duration = Duration::from_secs(2);

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
    /// End a job that is stuck or halted, and free its router. Sends nothing: look at the router first.
    Cancel {
        /// `job_…`
        job_id: String,
        /// Why, and what the router was found to be.
        #[arg(long)]
        reason: String,
    },
    /// Follow a job to its end, one line a change. Without a running appliance it is carried on here.
    Watch {
        /// `job_…`
        job_id: String,
    },
}

/// A job in one line.
pub(super) fn line(job: &Value) -> String {
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

/// Follows a job until it rests, handing over each change.
pub(super) async fn follow(
    client: &Client,
    job_id: &str,
    each: &mut dyn FnMut(&Value) -> Result<Reader, Failure>,
) -> Result<Followed, Failure> {
    let (mut last, mut pause) = (String::new(), LOOK_FIRST);
    let parsed: Option<JobId> = job_id.parse().ok();
    let stop = match client.house() {
        Some(_) => serve::shutdown_on_signals()?,
        // The daemon carries on whatever becomes of us.
        None => tokio_util::sync::CancellationToken::new(),
    };
    loop {
        let seen = client.house().map(|house| house.engine().view(|views| stand(views, parsed)));
        let job = match client.call("job_status", json!({ "job_id": job_id })).await {
            Err(failure) if failure.code == Code::Cancelled => return Ok(Followed::Interrupted),
            job => job?,
        };
        // The running time changes at every look; a line is worth printing when the state did.
        let state = format!("{}{}{}", job["status"], job["progress_percent"], job["devices"]);
        if state != last {
            (last, pause) = (state, LOOK_FIRST);
            if each(&job)? == Reader::Left {
                return Ok(Followed::Unread);
            }
        }
        if rests(&job) {
            return Ok(Followed::Rests(job));
        }
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
                    tokio::time::sleep(pause).await;
                    Ok(())
                }
            }
        };
        tokio::select! {
            waited = waiting => waited?,
            () = stop.cancelled() => return Ok(Followed::Interrupted),
        }
        pause = (pause * 2).min(LOOK_MOST);
    }
}

/// Where a job of an open house stands, to be compared.
fn stand(views: &crate::projections::Views, job_id: Option<JobId>) -> Option<crate::domain::job::JobState> {
    views.state.jobs.get(&job_id?).cloned()
}

/// What a person hears who stopped a job that is carried out here.
pub(super) fn tell_interrupted(job_id: &str) {
    out::talk(&format!(
        "interrupted: {job_id} stops after the step in hand. It goes on when the appliance runs, or with: \
         appliance job watch {job_id}"
    ));
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
            out::show(common, &job, line)?;
            Ok(0)
        }
        Job::Cancel { job_id, reason } => {
            let params = json!({ "job_id": job_id, "reason": reason });
            let answer = Client::once(common, "job_cancel", params).await?;
            out::show(common, &answer, out::fields)?;
            Ok(0)
        }
        Job::Watch { job_id } => {
            common.start_log("warn", false)?;
            let client = Client::open(common).await?;
            let mut print = |job: &Value| out::line(&if common.json { job.to_string() } else { line(job) });
            let followed = follow(&client, &job_id, &mut print).await;
            client.close().await?;
            Ok(match followed? {
                Followed::Rests(job) => exit_of(&job),
                Followed::Unread => 0,
                Followed::Interrupted => {
                    tell_interrupted(&job_id);
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
