//! `events`: what happened, as a list, as it happens, and as lines that prove themselves.

use std::{
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use events::{
    audit::{self, AuditError},
    export,
    ids::Moment,
};
use serde_json::{Value, json};

use crate::{
    cli::{
        Common,
        client::{Client, bearer, interrupted},
        file::Beside,
        log::{Where, source, unreadable},
        moment, out,
        out::Reader,
        serve, wire,
    },
    failure::{Code, Failure},
};

/// Events that a list shows unless more are asked for.
const LISTED: usize = 50;

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// What happened, newest first.
    List {
        /// Only about this device.
        #[arg(long)]
        device: Option<String>,
        /// Only about this plan and its job.
        #[arg(long)]
        plan: Option<String>,
        /// Only this kind (`ToolCalled`, `PlanApproved`, …).
        #[arg(long)]
        kind: Option<String>,
        /// Only calls of this tool.
        #[arg(long)]
        tool: Option<String>,
        /// Only by this principal (`token:tok_…`, `local:…`).
        #[arg(long)]
        actor: Option<String>,
        /// Not before this moment (RFC 3339).
        #[arg(long, value_name = "TIME", value_parser = moment)]
        from: Option<Moment>,
        /// Not after this moment (RFC 3339).
        #[arg(long, value_name = "TIME", value_parser = moment)]
        to: Option<Moment>,
        /// How many (default 50).
        #[arg(long, value_parser = out::count, conflicts_with = "all")]
        limit: Option<usize>,
        /// All of them.
        #[arg(long)]
        all: bool,
    },
    /// Follow events as they happen (the appliance must run). With `--json`, one document a line.
    Tail {
        /// From after this place on.
        #[arg(long, value_name = "SEQ")]
        after: Option<u64>,
    },
    /// Write the whole log as NDJSON that verifies by itself.
    Export {
        /// State directory of a store that nobody holds (default: the configured one).
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
        /// To this file (default: standard output). It appears whole or not at all.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Replace the file if it is there.
        #[arg(long, requires = "out")]
        force: bool,
    },
}

pub(super) async fn run(common: &Common, command: Events) -> Result<u8, Failure> {
    match command {
        Events::List { device, plan, kind, tool, actor, from, to, limit, all } => {
            let mut params = json!({});
            let texts =
                [("device_id", device), ("plan_id", plan), ("kind", kind), ("tool", tool), ("actor", actor)];
            let moments = [("from", from), ("to", to)].map(|(key, at)| (key, at.map(|at| at.to_string())));
            for (key, value) in texts.into_iter().chain(moments) {
                if let Some(value) = value {
                    params[key] = value.into();
                }
            }
            let limit = if all { None } else { Some(limit.unwrap_or(LISTED)) };
            let answer = Client::list(common, "audit_events", params, "events", limit).await?;
            out::show(common, &answer, |answer| {
                out::table(
                    &answer["events"],
                    &[
                        ("seq", "seq"),
                        ("at", "at"),
                        ("kind", "kind"),
                        ("by", "actor_label"),
                        ("what", "text"),
                    ],
                )
            })?;
            if !answer["next_cursor"].is_null() {
                out::talk("there are older ones: `--limit N` or `--all`");
            }
            Ok(0)
        }
        Events::Tail { after } => tail(common, after).await,
        Events::Export { store, out, force } => export(common, store, out, force).await,
    }
}

async fn tail(common: &Common, after: Option<u64>) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let socket = common.load()?.store.control_socket();
    if tokio::net::UnixStream::connect(&socket).await.is_err() {
        return Err(Failure::new(Code::StoreUnusable, "the appliance does not run here")
            .hint("`appliance events list` reads what is kept"));
    }
    let query = after.map(|after| format!("?after={after}")).unwrap_or_default();
    let path = format!("/api/events{query}");
    let mut answer = wire::open(&socket, bearer(common)?.as_deref(), "GET", &path, String::new()).await?;
    let mut left = std::pin::pin!(out::reader_left());
    let (mut waiting, mut last) = (Vec::new(), after.unwrap_or(0));
    loop {
        let part = tokio::select! {
            part = answer.part() => part,
            () = &mut left => return Ok(0),
        };
        let Some(part) = part else {
            return Err(Failure::new(Code::StoreUnusable, "the appliance stopped")
                .hint(format!("when it runs again, go on with `--after {last}`")));
        };
        waiting.extend_from_slice(&part);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let Some(data) = line.trim_end().strip_prefix("data:") else { continue };
            let Ok(event) = serde_json::from_str::<Value>(data) else { continue };
            last = event["seq"].as_u64().unwrap_or(last);
            let line = if common.json { event.to_string() } else { readable(&event) };
            if out::line(&line)? == Reader::Left {
                return Ok(0);
            }
        }
    }
}

fn readable(event: &Value) -> String {
    format!(
        "{:>8}  {}  {:<20}  {}  {}",
        out::cell(&event["seq"]),
        out::cell(&event["at"]),
        out::cell(&event["kind"]),
        out::cell(&event["actor_label"]),
        out::cell(&event["text"])
    )
    .trim_end()
    .to_owned()
}

/// Refuses a place that an export must not go to, before anything is read.
fn check_target(path: &Path, force: bool) -> Result<(), Failure> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(Failure::param("out", format!("{} is no file", path.display()))
            .hint("without `--out` the export goes to standard output")),
        Ok(_) if !force => {
            Err(Failure::new(Code::AlreadyExists, format!("there is a file {} already", path.display()))
                .hint("`--force` replaces it, once the export is whole"))
        }
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => Code::NotFound,
        std::io::ErrorKind::AlreadyExists => Code::AlreadyExists,
        _ => Code::StoreUnusable,
    };
    Failure::new(code, format!("the export {} cannot be written: {error}", path.display()))
}

async fn export(
    common: &Common,
    store: Option<PathBuf>,
    to: Option<PathBuf>,
    force: bool,
) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let source = source(common, &Where { store, export: None })?;
    let beside = match &to {
        None => None,
        Some(path) => {
            check_target(path, force)?;
            Some(Beside::open(path, None).map_err(|error| unwritable(path, &error))?)
        }
    };
    let place = beside.as_ref().map(|beside| beside.place().to_owned());
    let bar = out::bar(common, "exporting");
    let stop = serve::shutdown_on_signals()?;
    let writing = tokio::task::spawn_blocking({
        let (bar, source) = (bar.clone(), source.clone());
        move || -> Result<_, AuditError> {
            let mut progress = |progress: audit::Progress| {
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            };
            let mut beside = beside;
            let summary = match &mut beside {
                Some(file) => export::export(&source, file, &mut progress)?,
                None => {
                    let mut stdout = BufWriter::new(std::io::stdout().lock());
                    let summary = export::export(&source, &mut stdout, &mut progress)?;
                    stdout.flush()?;
                    summary
                }
            };
            Ok((summary, beside))
        }
    });
    let written = tokio::select! {
        written = writing => written.map_err(|error| Failure::new(Code::Bug, "exporting failed").log(error))?,
        () = stop.cancelled() => {
            if let Some(place) = place {
                let _ = std::fs::remove_file(place);
            }
            return Err(interrupted());
        }
    };
    bar.finish_and_clear();
    let (summary, beside) = match (written, &to) {
        // A reader that left is a normal end.
        (Err(AuditError::Io(error)), None) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(0),
        (Err(AuditError::Io(error)), Some(path)) => return Err(unwritable(path, &error)),
        (written, _) => written.map_err(|error| unreadable(&source, error))?,
    };
    if let (Some(path), Some(beside)) = (to, beside) {
        beside.finish(force).map_err(|error| unwritable(&path, &error))?;
        let mut value = serde_json::to_value(&summary).unwrap_or_default();
        value["file"] = path.display().to_string().into();
        out::show(common, &value, |_| format!("{} events written to {}", summary.events, path.display()))?;
    }
    Ok(0)
}
