//! `plan evidence` and `verify --evidence`: one plan's proofs in one file, made here and checked anywhere.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use events::{
    checkpoint::Verifier,
    evidence::{Bundle, GatherError},
    ids::PlanId,
};
use serde_json::{Value, json};

use crate::{
    cli::{
        Common,
        client::Client,
        file::Beside,
        log::{Where, source, unreadable},
        out,
    },
    failure::{Code, Failure},
    projections::evidence::{self, EVENTS_MAX, EVIDENCE_BYTES_MAX, Selection, Unreadable, Verdict},
    tools::operator::plan_evidence::{evidence_too_large, is_read, unproven},
};

#[derive(Debug, Args)]
pub(super) struct Make {
    /// `plan_…`
    plan_id: String,
    /// To this file (default: standard output). It appears whole or not at all.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long, requires = "out")]
    force: bool,
    #[command(flatten)]
    at: Where,
}

/// Writes the evidence of a plan, and says what `verify` finds in it.
pub(super) async fn make(common: &Common, args: Make) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    if let Some(path) = &args.out {
        check_target(path, args.force)?;
    }
    let made = if args.at.store.is_some() || args.at.export.is_some() {
        offline(common, &args).await?
    } else {
        Client::once(common, "plan_evidence", json!({ "plan_id": args.plan_id })).await?
    };
    let text = serde_json::to_string_pretty(&made)
        .map_err(|error| Failure::new(Code::Bug, "the evidence is no JSON").log(error))?;
    // What was handed to us is believed as little as any other file.
    let verdict = evidence::verify(text.as_bytes(), None)
        .map_err(|error| Failure::new(Code::Bug, format!("the evidence is not readable: {error}")))?;
    match &args.out {
        None => out::data(&text)?,
        Some(path) => {
            write(path, &text, args.force).map_err(|error| unwritable(path, &error))?;
            let value = json!({
                "file": path.display().to_string(), "bytes": text.len() + 1, "plan_id": verdict.plan_id,
                "status": verdict.status, "events": verdict.events, "checkpoint_at": verdict.checkpoint_at,
                "good": verdict.good, "complaints": verdict.complaints,
            });
            out::show(common, &value, |_| {
                format!("{} events of {} written to {}", verdict.events, args.plan_id, path.display())
            })?;
        }
    }
    if verdict.good {
        return Ok(0);
    }
    for complaint in &verdict.complaints {
        out::talk(&format!("`verify` will refuse it: {}", sentence(complaint)));
    }
    Ok(Code::LogDamaged.exit_code())
}

/// From a store that nobody holds, or from an export. Nothing is written there.
async fn offline(common: &Common, args: &Make) -> Result<Value, Failure> {
    let plan_id: PlanId = args
        .plan_id
        .parse()
        .map_err(|error| Failure::param("plan_id", format!("`{}`: {error}", args.plan_id)))?;
    let source = source(common, &args.at)?;
    let bar = out::bar(common, "gathering");
    let gathering = tokio::task::spawn_blocking({
        let (bar, source) = (bar.clone(), source.clone());
        move || {
            let (mut selection, mut found) = (Selection::of(plan_id), 0);
            let mut take = |envelope: &events::event::Envelope| {
                let ours = selection.takes(envelope) && !is_read(envelope);
                found += usize::from(ours);
                ours && found <= EVENTS_MAX
            };
            let bundle = Bundle::of_source(&source, &mut take, &mut |progress| {
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            });
            (bundle, found)
        }
    });
    let (bundle, found) =
        gathering.await.map_err(|error| Failure::new(Code::Bug, "gathering failed").log(error))?;
    bar.finish_and_clear();
    let bundle = bundle.map_err(|error| match error {
        GatherError::Audit(error) => unreadable(&source, error),
        GatherError::Unsigned(seq) => Failure::new(
            Code::StorageUnavailable,
            format!("no checkpoint speaks of event {seq} of this plan yet"),
        )
        .hint("without `--store` the appliance signs one; it also signs when it stops"),
        error => Failure::new(Code::LogDamaged, "the log does not prove itself").log(error),
    })?;
    if found == 0 {
        return Err(Failure::new(Code::UnknownPlan, format!("there is no plan `{plan_id}`")));
    }
    if found > EVENTS_MAX {
        return Err(evidence_too_large(found));
    }
    let made = evidence::compose(plan_id, bundle).map_err(|complaints| unproven(&complaints))?;
    serde_json::to_value(&made).map_err(|error| Failure::new(Code::Bug, "the evidence is no JSON").log(error))
}

/// Refuses a place that the file must not go to, before anything is read.
fn check_target(path: &Path, force: bool) -> Result<(), Failure> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(Failure::param("out", format!("{} is no file", path.display()))),
        Ok(_) if !force => {
            Err(Failure::new(Code::AlreadyExists, format!("there is a file {} already", path.display()))
                .hint("`--force` replaces it, once the evidence is whole"))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    let mut file = Beside::open(path, None)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.finish(force)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => Code::NotFound,
        std::io::ErrorKind::AlreadyExists => Code::AlreadyExists,
        _ => Code::StoreUnusable,
    };
    Failure::new(code, format!("the evidence {} cannot be written: {error}", path.display()))
}

/// Checks a file. Needs nothing but the file: no store, no configuration, no network.
pub(super) fn verify(common: &Common, path: &Path, key: Option<&Verifier>) -> Result<u8, Failure> {
    let bytes = read(path)?;
    let verdict = evidence::verify(&bytes, key).map_err(|why| {
        let failure = Failure::param("evidence", format!("{}: {why}", path.display()));
        match why {
            Unreadable::Format => failure.hint(
                "`appliance plan evidence` writes such files; one of a later form needs a later appliance",
            ),
            Unreadable::Json(_) | Unreadable::TooLarge => failure,
        }
    })?;
    let value = serde_json::to_value(&verdict).unwrap_or_default();
    out::show(common, &value, |_| readable(&verdict))?;
    Ok(if verdict.good { 0 } else { Code::LogDamaged.exit_code() })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => Code::NotFound,
            _ => Code::InvalidParams,
        };
        Failure::new(code, format!("the evidence {} cannot be read: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path).map_err(failed)?.take(EVIDENCE_BYTES_MAX + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn sentence(complaint: &::events::evidence::Complaint) -> String {
    match complaint.seq {
        Some(seq) => format!("event {seq}, {}: {}", complaint.check, complaint.what),
        None => format!("{}: {}", complaint.check, complaint.what),
    }
}

/// A verdict as people read it.
fn readable(verdict: &Verdict) -> String {
    let value = serde_json::to_value(verdict).unwrap_or_default();
    let signer = match (verdict.good, verdict.signer_checked) {
        (_, true) => "the checkpoint is signed by the given key",
        (true, false) => "not checked: give the key that `init` printed with --key",
        (false, false) => "not checked",
    };
    let mut lines = vec![verdict.verdict.to_owned()];
    let rows = [
        ("plan", "plan_id"),
        ("what", "summary"),
        ("status", "status"),
        ("hash", "plan_hash"),
        ("store", "store_id"),
        ("as of", "checkpoint_at"),
        ("root", "root"),
    ];
    let known = rows.iter().filter(|(_, field)| !value[*field].is_null());
    lines.extend(known.map(|(title, field)| format!("  {title:<9}{}", out::cell(&value[*field]))));
    lines.push(format!("  {:<9}{}", "events", verdict.events));
    lines.push(format!("  {:<9}{signer}", "signer"));
    lines.extend(verdict.notes.iter().map(|note| format!("  {:<9}{note}", "note")));
    lines.extend(
        verdict.complaints.iter().map(|complaint| format!("  {:<9}{}", "wrong", sentence(complaint))),
    );
    if verdict.complaints_total > verdict.complaints.len() {
        lines.push(format!("  and {} more", verdict.complaints_total - verdict.complaints.len()));
    }
    lines.join("\n")
}
