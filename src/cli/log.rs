//! `verify` and `replay`: a log looked at offline, in a store that nobody holds or in an export.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use events::{
    audit::{self, AuditError, Source, Verdict},
    fold::Fold as _,
    ids::{Moment, Seq},
    log::OpenError,
};
use serde_json::json;

use crate::{
    appliance::holder::name_holder,
    cli::{Common, evidence, moment, out},
    domain::State,
    engine::digest_of,
    failure::{Code, Failure},
};

/// A log to look at offline.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// State directory of a store that nobody holds (default: the configured one).
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// An export's file instead.
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    pub export: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    at: Where,
    /// The key that must have signed (printed by `init` and `status`).
    #[arg(long)]
    key: Option<String>,
    /// A checkpoint kept elsewhere; of several in one file the last counts. Without it a cut tail does not show.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Decode bodies from this place on only.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Check the evidence of one plan instead: a file that `plan evidence` wrote. Needs no store.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "export", "checkpoint", "from"])]
    evidence: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    source: Where,
    /// Up to this place.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// Up to this moment (RFC 3339, such as 2026-11-24T09:00:00Z).
    #[arg(long, value_name = "TIME", conflicts_with = "to", value_parser = moment)]
    at: Option<Moment>,
}

/// The log that is meant. What is not there is not found, whatever else it might be.
pub(super) fn source(common: &Common, at: &Where) -> Result<Source, Failure> {
    if let Some(file) = &at.export {
        return match std::fs::metadata(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Failure::new(Code::NotFound, format!("there is no export {}", file.display())))
            }
            Ok(found) if found.is_dir() => {
                Err(Failure::param("export", format!("{} is a folder, no export", file.display())))
            }
            _ => Ok(Source::Export(file.clone())),
        };
    }
    let mut config = common.load()?;
    if let Some(dir) = &at.store {
        if dir.is_file() {
            return Err(Failure::param(
                "store",
                format!("{} is a file; the state directory is meant", dir.display()),
            )
            .hint("an export is given with `--export`"));
        }
        config.store.dir.clone_from(dir);
    }
    let file = config.store.file();
    if !file.exists() {
        return Err(Failure::new(
            Code::NotFound,
            format!("there is no store in {}", config.store.dir.display()),
        )
        .hint("`appliance init` makes one; `--store DIR` or `--dir DIR` names another"));
    }
    Ok(Source::Store(file))
}

/// Why a log could not be looked at, with the process that holds it where that is why.
pub(super) fn unreadable(source: &Source, error: AuditError) -> Failure {
    let code = match &error {
        error if error.is_damage() => Code::LogDamaged,
        AuditError::Open(OpenError::Missing { .. }) => Code::NotFound,
        AuditError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => Code::NotFound,
        AuditError::Checkpoint(_) => Code::InvalidParams,
        _ => Code::StoreUnusable,
    };
    let locked = matches!(&error, AuditError::Open(OpenError::Locked { .. }));
    let failure = Failure::new(code, error.to_string()).log(error);
    match source {
        Source::Store(path) if locked => name_holder(failure, path),
        _ => failure,
    }
}

/// The last note of a file: each ends with its signature line.
pub(super) fn last_note(text: &str) -> String {
    text.rfind("appliance/").map_or(text, |at| &text[at..]).trim_end().to_owned() + "\n"
}

fn checkpoint(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let code =
            if error.kind() == std::io::ErrorKind::NotFound { Code::NotFound } else { Code::InvalidParams };
        Failure::new(code, format!("the checkpoint {} cannot be read: {error}", path.display()))
    })?;
    Ok(last_note(&text))
}

pub(super) async fn verify(common: &Common, args: Verify) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let key = args.key.as_deref().map(str::parse).transpose();
    let key = key.map_err(|_| Failure::param("key", "not a key as `init` and `status` print it"))?;
    if let Some(file) = &args.evidence {
        return evidence::verify(common, file, key.as_ref());
    }
    let kept = args.checkpoint.is_some();
    let checkpoint = args.checkpoint.as_deref().map(checkpoint).transpose()?;
    let source = source(common, &args.at)?;
    let options = audit::Options { key, checkpoint, from: args.from.map(Seq) };
    let bar = out::bar(common, "verifying");
    let started = Instant::now();
    let looked = tokio::task::spawn_blocking({
        let (bar, source) = (bar.clone(), source.clone());
        move || {
            audit::verify(&source, &options, &mut |progress| {
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            })
        }
    });
    let verdict = looked.await.map_err(|error| Failure::new(Code::Bug, "verifying failed").log(error))?;
    bar.finish_and_clear();
    let verdict = verdict.map_err(|error| unreadable(&source, error))?;
    let seconds = started.elapsed().as_secs_f64();
    let mut value = serde_json::to_value(&verdict).unwrap_or_default();
    value["verdict"] = verdict.sentence().into();
    value["good"] = verdict.is_good().into();
    value["checkpoint_given"] = kept.into();
    value["duration_s"] = seconds.into();
    out::show(common, &value, |_| readable(&verdict, kept, seconds))?;
    Ok(if verdict.is_good() { 0 } else { Code::LogDamaged.exit_code() })
}

/// A verdict as people read it.
fn readable(verdict: &Verdict, kept: bool, seconds: f64) -> String {
    use events::audit::SignerCheck;
    let newest = verdict.newest_checkpoint.map_or_else(
        || "none".to_owned(),
        |(seq, at)| format!("{} checked, the newest at event {seq} of {at}", verdict.checkpoints_checked),
    );
    let signer = match verdict.signer {
        SignerCheck::Checked => "every checkpoint is signed by the given key",
        SignerCheck::Unchecked => "not checked: give the key that `init` printed with --key",
        SignerCheck::Mismatch => "NOT the given key, or nothing is signed",
    };
    let tail = if kept {
        "held against the given checkpoint"
    } else {
        "not checked: give a checkpoint that was kept elsewhere with --checkpoint"
    };
    let mut lines = vec![
        verdict.sentence().to_owned(),
        format!(
            "  store        {}",
            verdict.store_id.map_or_else(|| "unknown".to_owned(), |id| id.to_string())
        ),
        format!(
            "  events       {} up to {}, {} of them in the ledger",
            verdict.events, verdict.head, verdict.leaves
        ),
        format!("  root         {}", verdict.root),
        format!("  checkpoints  {newest}; {} events after it", verdict.events_after_checkpoint),
        format!("  signer       {signer}"),
        format!("  cut tail     {tail}"),
        format!("  took         {seconds:.1} s"),
    ];
    if verdict.opaque > 0 {
        lines.push(format!("  unknown      {} events are from a newer version", verdict.opaque));
    }
    if verdict.problems_total > 0 {
        lines.push(format!("  problems     {}", verdict.problems_total));
    }
    lines.extend(verdict.problems.iter().map(|problem| format!("    at {}: {}", problem.seq, problem.what)));
    let listed = verdict.problems.len() as u64;
    if verdict.problems_total > listed {
        lines.push(format!("    and {} more", verdict.problems_total - listed));
    }
    lines.join("\n")
}

pub(super) async fn replay(common: &Common, args: Replay) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let source = source(common, &args.source)?;
    let bar = out::bar(common, "replaying");
    let (to, until) = (args.to.map(Seq), args.at);
    let folding = tokio::task::spawn_blocking({
        let (bar, source) = (bar.clone(), source.clone());
        move || {
            let (mut state, mut events) = (State::default(), 0u64);
            let mut apply = |envelope: events::event::Envelope| {
                if until.is_some_and(|until| envelope.at > until) {
                    return ControlFlow::Break(());
                }
                state.apply(&envelope);
                events += 1;
                ControlFlow::Continue(())
            };
            audit::scan_watched(&source, Seq(1), to, &mut apply, &mut |progress| {
                bar.set_length(to.map_or(progress.total, |to| to.0.min(progress.total)));
                bar.set_position(progress.done);
            })
            .map(|()| (state, events))
        }
    });
    let folded = folding.await.map_err(|error| Failure::new(Code::Bug, "replaying failed").log(error))?;
    bar.finish_and_clear();
    let (state, events) = folded.map_err(|error| unreadable(&source, error))?;
    let digest = digest_of(&state);
    if to.is_some_and(|to| digest.seq < to) {
        out::talk(&format!("the newest event of the ledger up to there is {}", digest.seq));
    }
    let value = json!({
        "seq": digest.seq, "digest": digest.digest, "events": events, "devices": state.devices.len(),
        "plans": state.plans.len(), "jobs": state.jobs.len(), "tokens": state.tokens.len(),
    });
    out::show(common, &value, out::fields)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_note_of_a_file_counts() {
        let text = "appliance/store_1\n1\nx\n\n— appliance a\nappliance/store_1\n2\ny\n\n— appliance b\n\n";
        assert_eq!(last_note(text), "appliance/store_1\n2\ny\n\n— appliance b\n");
        assert_eq!(last_note("nothing"), "nothing\n");
    }
}
