//! B2: reading a whole history back.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use appliance::{domain::State, projections::Health};
use events::{
    audit::{self, Source},
    fold::Fold as _,
    frame,
    ids::Seq,
};

use crate::{
    Options, Outcome, facts,
    measure::{cpu_of, median},
    process::{appliance, asked},
    report::{Report, Row, number},
    restore,
    rivals::{Engine as _, Postgres, Sqlite},
};

/// Events in one commit of the history that is made for reading.
const BATCH: u64 = 64;
/// Rows that the rivals read back.
const RIVAL_ROWS: u64 = 200_000;
/// The size that the goal speaks of.
const GOAL_EVENTS: f64 = 10e6;

/// A state directory as the real binary keeps it, with a history in it.
pub(crate) struct Store {
    pub(crate) dir: PathBuf,
    pub(crate) events: u64,
    /// Its first admin token.
    pub(crate) token: String,
}

impl Store {
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.join("events").join("appliance.redb")
    }
}

/// Makes the history: ten thousand devices, then mostly reads, some changes.
pub(crate) fn build(options: &Options) -> Outcome<Store> {
    let (dir, events) = (options.dir.join("history"), options.events());
    crate::talk(&format!("making a history of {} events", number(events as f64)));
    let made = asked(appliance(options, &dir).args(["init", "--json"]))?;
    let token = made["admin_token"].as_str().ok_or("init told no token")?.to_owned();
    let store = Store { dir, events, token };
    let begun = Instant::now();
    let mut log = restore::open(&store.dir)?;
    let mut at = log.head().seq.0;
    while at < store.events {
        let until = (at + BATCH).min(store.events);
        let batch = (at..until).map(facts::history).collect::<Outcome<Vec<_>>>()?;
        log.append(batch, &[])?;
        at = until;
    }
    let last = facts::history(store.events)?.at;
    log.close(last)?;
    let bytes = std::fs::metadata(store.file())?.len() as f64;
    crate::talk(&format!(
        "  made in {:.1} s; {:.0} bytes of file an event",
        begun.elapsed().as_secs_f64(),
        bytes / store.events as f64
    ));
    Ok(store)
}

/// Processor seconds that `work` takes on this thread (nothing else runs meanwhile).
fn cpu_seconds(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let before = cpu_of("self");
    work()?;
    Ok((cpu_of("self") - before).as_secs_f64())
}

fn fold_all(file: &Path, events: u64) -> Outcome<()> {
    let (mut state, mut health, mut seen) = (State::default(), Health::default(), 0u64);
    audit::scan(&Source::Store(file.to_path_buf()), Seq(1), None, &mut |envelope| {
        state.apply(&envelope);
        health.apply(&envelope);
        seen += 1;
        ControlFlow::Continue(())
    })?;
    if seen == events { Ok(()) } else { Err(format!("{seen} events were read instead of {events}").into()) }
}

/// Checksums, places and the tree; bodies are decoded by the fold beside it.
fn verify_tree(file: &Path, events: u64) -> Outcome<()> {
    let only_tree = audit::Options { from: Some(Seq(u64::MAX)), ..audit::Options::default() };
    let verdict = audit::verify(&Source::Store(file.to_path_buf()), &only_tree, &mut |_| {})?;
    if verdict.is_good() && verdict.events == events { Ok(()) } else { Err(format!("{verdict:?}").into()) }
}

/// The real binary, and how much processor time it took.
fn verify_command(options: &Options, store: &Store) -> Outcome<(f64, f64)> {
    let before = children_cpu();
    let begun = Instant::now();
    let done =
        Command::new(&options.appliance).args(["verify", "--json", "--store"]).arg(&store.dir).output()?;
    let took = begun.elapsed().as_secs_f64();
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
    }
    Ok((took, children_cpu() - before))
}

/// Processor seconds of children that have ended (proc(5): fields 16 and 17).
fn children_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().skip(13).take(2).map(|field| field.parse().unwrap_or(0.0)).sum::<f64>() / 100.0
}

/// The same frames as rows of a rival: read, decoded and folded.
fn fold_rows(each: impl FnOnce(&mut dyn FnMut(&[u8]) -> Outcome<()>) -> Outcome<()>) -> Outcome<f64> {
    let (mut state, mut seen) = (State::default(), 0u64);
    let begun = Instant::now();
    each(&mut |bytes| {
        let (frame, _) = frame::read(bytes)?;
        state.apply(&frame.envelope()?);
        seen += 1;
        Ok(())
    })?;
    Ok(seen as f64 / begun.elapsed().as_secs_f64())
}

fn rivals(options: &Options, report: &mut Report) -> Outcome<()> {
    let rows = RIVAL_ROWS.min(options.events());
    let mut sqlite = Sqlite::new(&options.dir.join("replay.sqlite"))?;
    let mut postgres = options.postgres.as_ref().map(|socket| Postgres::new(socket, "replay")).transpose()?;
    for first in (0..rows).step_by(4096) {
        let page =
            |first: u64| (first..(first + 4096).min(rows)).map(facts::history).collect::<Outcome<Vec<_>>>();
        sqlite.keep(page(first)?)?;
        if let Some(postgres) = &mut postgres {
            postgres.keep(page(first)?)?;
        }
    }
    let (mut of_sqlite, mut of_postgres) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        of_sqlite.push(fold_rows(|each| sqlite.each(each))?);
        if let Some(postgres) = &postgres {
            of_postgres.push(fold_rows(|each| postgres.each("replay", each))?);
        }
    }
    let note = format!("{} rows", number(rows as f64));
    report
        .add(Row::new("B2", "the same frames from SQLite rows", median(&of_sqlite), "events/s").note(&note));
    if postgres.is_some() {
        let row = Row::new("B2", "the same frames from PostgreSQL rows", median(&of_postgres), "events/s");
        report.add(row.note(format!("{note}; client/server, two processes at work")));
    }
    Ok(())
}

pub(crate) fn run(options: &Options, store: &Store, report: &mut Report) -> Outcome<()> {
    crate::talk("B2: replay");
    let file = store.file();
    let (mut folding, mut verifying, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds().min(3) {
        folding.push(cpu_seconds(|| fold_all(&file, store.events))?);
        verifying.push(cpu_seconds(|| verify_tree(&file, store.events))?);
        commands.push(verify_command(options, store)?);
    }
    let events = store.events as f64;
    let both: Vec<f64> = folding.iter().zip(&verifying).map(|(fold, verify)| fold + verify).collect();
    let row = Row::new("B2", "scan, decode, apply, verify the tree", events / median(&both), "events/s/core");
    report.add(row.at_least(0.8e6).note("two passes: their processor times added"));
    let row = Row::new("B2", "scan, decode, apply", events / median(&folding), "events/s/core");
    report.add(row.at_least(1.3e6));
    report.add(Row::new("B2", "the tree alone", events / median(&verifying), "events/s/core"));
    let wall = median(&commands.iter().map(|(wall, _)| *wall).collect::<Vec<_>>());
    let cpu = median(&commands.iter().map(|(_, cpu)| *cpu).collect::<Vec<_>>());
    let row = Row::new("B2", "`appliance verify` of 10 M events", wall * GOAL_EVENTS / events, "s");
    let note =
        format!("scaled from {wall:.2} s for {} events; {:.1} cores at work", number(events), cpu / wall);
    report.add(row.at_most(15.0).note(note));
    rivals(options, report)
}
