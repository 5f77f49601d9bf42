//! `events`, `verify`, `replay`, `snapshot`: the log, live and offline.

use std::{io::Write as _, ops::ControlFlow, path::PathBuf};

use clap::{Args, Subcommand};
use events::{
    audit::{self, AuditError, Source},
    export,
    fold::Fold as _,
    ids::{Moment, Seq},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::{
    cli::{
        Common,
        client::{Client, bearer},
        out, usage,
    },
    domain::State,
    engine::digest_of,
    failure::{Code, Failure},
};

/// A log to look at offline.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// State directory of a store that nobody holds (default: the configured one).
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// An export's file instead.
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    export: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    at: Where,
    /// The key that must have signed (printed by `init` and `status`).
    #[arg(long)]
    key: Option<String>,
    /// A checkpoint kept elsewhere; of several in one file the last counts.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Decode bodies from this place on only.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    at: Where,
    /// Up to this place.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// Up to this moment (RFC 3339).
    #[arg(long, value_name = "TIME", conflicts_with = "to")]
    at_time: Option<Moment>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// What happened, newest first.
    List {
        /// Only about this device.
        #[arg(long)]
        device: Option<String>,
        /// Only this kind (`ToolCalled`, `PlanApproved`, …).
        #[arg(long)]
        kind: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Follow events as they happen (the appliance must run).
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
        /// To this file (default: standard output).
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

fn source(common: &Common, at: &Where) -> Result<Source, Failure> {
    if let Some(file) = &at.export {
        return Ok(Source::Export(file.clone()));
    }
    let mut config = common.load()?;
    if let Some(dir) = &at.store {
        config.store.dir.clone_from(dir);
    }
    Ok(Source::Store(config.store.file()))
}

fn unreadable(error: AuditError) -> Failure {
    let code = if error.is_damage() { Code::LogDamaged } else { Code::StoreUnusable };
    Failure::new(code, error.to_string())
}

fn failed_read(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::NotFound, format!("{} cannot be read: {error}", path.display()))
}

/// The last note of a file: each ends with its signature line.
fn last_note(text: &str) -> String {
    text.rfind("appliance/").map_or(text, |at| &text[at..]).trim_end().to_owned() + "\n"
}

pub(super) async fn verify(common: &Common, args: Verify) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let key = args.key.as_deref().map(str::parse).transpose();
    let key = key.map_err(|_| Failure::param("key", "not a key as `init` and `status` print it"))?;
    let checkpoint = match &args.checkpoint {
        None => None,
        Some(path) => {
            Some(last_note(&std::fs::read_to_string(path).map_err(|error| failed_read(path, &error))?))
        }
    };
    let source = source(common, &args.at)?;
    let options = audit::Options { key, checkpoint, from: args.from.map(Seq) };
    let bar = out::bar(common, "verifying");
    let looked = tokio::task::spawn_blocking({
        let bar = bar.clone();
        move || {
            audit::verify(&source, &options, &mut |progress| {
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            })
        }
    });
    let verdict = looked.await.map_err(|error| Failure::new(Code::Bug, "verifying failed").log(error))?;
    bar.finish_and_clear();
    let verdict = verdict.map_err(unreadable)?;
    let value = serde_json::to_value(&verdict).unwrap_or_default();
    out::show(common, &value, |_| {
        let problems: String = verdict
            .problems
            .iter()
            .map(|problem| format!("\n  at {}: {}", problem.seq, problem.what))
            .collect();
        format!("{}{problems}", verdict.sentence())
    })?;
    Ok(if verdict.is_good() { 0 } else { Code::LogDamaged.exit_code() })
}

pub(super) async fn replay(common: &Common, args: Replay) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let source = source(common, &args.at)?;
    let bar = out::bar(common, "replaying");
    let (to, until) = (args.to.map(Seq), args.at_time);
    let folding = tokio::task::spawn_blocking({
        let bar = bar.clone();
        move || {
            let (mut state, mut events) = (State::default(), 0u64);
            audit::scan(&source, Seq(1), to, &mut |envelope| {
                if until.is_some_and(|until| envelope.at > until) {
                    return ControlFlow::Break(());
                }
                state.apply(&envelope);
                events += 1;
                bar.set_position(events);
                ControlFlow::Continue(())
            })
            .map(|_| (state, events))
        }
    });
    let folded = folding.await.map_err(|error| Failure::new(Code::Bug, "replaying failed").log(error))?;
    bar.finish_and_clear();
    let (state, events) = folded.map_err(unreadable)?;
    let digest = digest_of(&state);
    let value = json!({
        "seq": digest.seq, "digest": digest.digest, "events": events, "devices": state.devices.len(),
        "plans": state.plans.len(), "jobs": state.jobs.len(), "tokens": state.tokens.len(),
    });
    out::show(common, &value, out::fields)?;
    Ok(0)
}

pub(super) fn snapshot(common: &Common) -> Result<u8, Failure> {
    let config = common.load()?;
    let newest = snapshots::Store::new(config.store.snapshots()).newest();
    let value = newest.map_or(json!({ "snapshot": null }), |saved| {
        json!({ "seq": saved.seq, "root": crate::domain::plan::hex(&saved.root), "dir": config.store.snapshots() })
    });
    out::show(common, &value, |value| {
        if value["seq"].is_null() {
            "no snapshot is saved; the next start reads the whole log".into()
        } else {
            out::fields(value)
        }
    })?;
    Ok(0)
}

pub(super) async fn events(common: &Common, command: Events) -> Result<u8, Failure> {
    match command {
        Events::List { device, kind, limit } => {
            let mut params = json!({ "limit": limit });
            if let Some(device) = device {
                params["device_id"] = device.into();
            }
            if let Some(kind) = kind {
                params["kind"] = kind.into();
            }
            let answer = Client::once(common, "audit_events", params).await?;
            out::show(common, &answer, |answer| {
                out::table(
                    &answer["events"],
                    &[
                        ("seq", "seq"),
                        ("at", "at"),
                        ("kind", "kind"),
                        ("by", "actor_label"),
                        ("devices", "devices"),
                    ],
                )
            })?;
            Ok(0)
        }
        Events::Tail { after } => tail(common, after).await,
        Events::Export { store, out } => export(common, store, out).await,
    }
}

async fn tail(common: &Common, after: Option<u64>) -> Result<u8, Failure> {
    let config = common.load()?;
    let stream = UnixStream::connect(config.store.control_socket())
        .await
        .map_err(|_| usage("the appliance does not run here; `appliance events list` reads what is kept"))?;
    let lost =
        |error: std::io::Error| Failure::new(Code::StoreUnusable, "the appliance went away").log(error);
    let (reads, mut writes) = stream.into_split();
    let bearer =
        bearer(common)?.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let query = after.map(|after| format!("?after={after}")).unwrap_or_default();
    let request = format!("GET /api/events{query} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n");
    writes.write_all(request.as_bytes()).await.map_err(lost)?;
    let mut lines = tokio::io::BufReader::new(reads).lines();
    while let Some(line) = lines.next_line().await.map_err(lost)? {
        let Some(data) = line.strip_prefix("data:") else {
            if line.starts_with("HTTP/1.1 4") {
                return Err(Failure::new(Code::Unauthenticated, "no valid token was shown"));
            }
            continue;
        };
        if common.json {
            out::data(data)?;
        } else if let Ok(event) = serde_json::from_str::<Value>(data) {
            out::data(&format!(
                "{:>8}  {}  {:<20}  {}  {}",
                out::cell(&event["seq"]),
                out::cell(&event["at"]),
                out::cell(&event["kind"]),
                out::cell(&event["actor_label"]),
                out::cell(&event["devices"])
            ))?;
        }
    }
    Ok(0)
}

async fn export(common: &Common, store: Option<PathBuf>, to: Option<PathBuf>) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let source = source(common, &Where { store, export: None })?;
    let bar = out::bar(common, "exporting");
    let writing = tokio::task::spawn_blocking({
        let (bar, to) = (bar.clone(), to.clone());
        move || -> Result<_, Failure> {
            let mut progress = |progress: audit::Progress| {
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            };
            let failed = |error: std::io::Error| {
                Failure::new(Code::StoreUnusable, format!("the export cannot be written: {error}"))
            };
            match to {
                Some(path) => {
                    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).map_err(failed)?);
                    let summary = export::export(&source, &mut file, &mut progress).map_err(unreadable)?;
                    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)?;
                    Ok(summary)
                }
                None => {
                    export::export(&source, &mut std::io::stdout().lock(), &mut progress).map_err(unreadable)
                }
            }
        }
    });
    let summary = writing.await.map_err(|error| Failure::new(Code::Bug, "exporting failed").log(error))??;
    bar.finish_and_clear();
    if let Some(path) = to {
        out::talk(&format!("{} events written to {}", summary.events, path.display()));
    }
    Ok(0)
}
