//! The goals, measured: `cargo xtask bench` builds this, brings a PostgreSQL and runs it.
//!
//! - `append` (B1): durable appends of the log beside a bare file, SQLite and PostgreSQL, engines taking turns.
//! - `replay` (B2): reading a whole history back, with and without verification.
//! - `restore` (B3): from starting the real binary to ready; opening after a kill.
//! - `calls` (B7, B8, B10): memory, first answer, `tools/list`, what a read tool costs, and how fast it stops.
//! - `rollouts` (B9): many rollouts at once, and a large one.
//!
//! What each row means stands in `docs/performance.md`.

mod append;
mod calls;
mod facts;
mod measure;
mod process;
mod replay;
mod report;
mod restore;
mod rivals;
mod rollouts;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::report::Report;

/// What can go wrong ends the run: a benchmark that goes on after a failure tells nothing.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures the goals.
#[derive(Debug, Clone, Parser)]
pub(crate) struct Options {
    /// Goals to measure, such as `B1,B3`; all without it.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// A smoke run of well under a minute: shows that everything works; its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Events of the history that B2 and B3 read (default 1,000,000; quick 100,000).
    #[arg(long)]
    events: Option<u64>,
    /// Turns that every engine gets (default 5; quick 2).
    #[arg(long)]
    rounds: Option<usize>,
    /// An empty folder on the disk to be measured.
    #[arg(long)]
    dir: PathBuf,
    /// The folder with PostgreSQL's socket; without it its rows are left out.
    #[arg(long)]
    postgres: Option<PathBuf>,
    /// The release binary.
    #[arg(long)]
    appliance: PathBuf,
    /// The simulator's release binary.
    #[arg(long)]
    simulator: PathBuf,
}

impl Options {
    fn wants(&self, goal: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.eq_ignore_ascii_case(goal))
    }

    pub(crate) fn events(&self) -> u64 {
        self.events.unwrap_or(if self.quick { 100_000 } else { 1_000_000 })
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 }).max(1)
    }

    /// How long one turn lasts.
    pub(crate) const fn turn(&self) -> std::time::Duration {
        std::time::Duration::from_millis(if self.quick { 300 } else { 1000 })
    }
}

/// Tells the person at the terminal what is going on.
pub(crate) fn talk(what: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{what}");
}

fn run(options: &Options) -> Outcome<Report> {
    let mut report = Report::default();
    if options.wants("B1") {
        append::run(options, &mut report)?;
    }
    if options.wants("B2") || options.wants("B3") {
        let store = replay::build(options)?;
        if options.wants("B2") {
            replay::run(options, &store, &mut report)?;
        }
        if options.wants("B3") {
            restore::run(options, &store, &mut report)?;
        }
    }
    if ["B7", "B8", "B10"].iter().any(|goal| options.wants(goal)) {
        calls::run(options, &mut report)?;
    }
    if options.wants("B9") {
        rollouts::run(options, &mut report)?;
    }
    Ok(report)
}

fn main() -> ExitCode {
    // A helper of B3, started by this program itself: it appends until it is killed.
    let mut args = std::env::args().skip(1);
    if let (Some("grow"), Some(dir)) = (args.next().as_deref(), args.next()) {
        return match restore::grow(dir.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                talk(&format!("error: {error}"));
                ExitCode::FAILURE
            }
        };
    }
    let options = Options::parse();
    match run(&options) {
        Ok(report) => {
            let text = if options.json { report.json() } else { report.table() };
            use std::io::Write as _;
            let _ = writeln!(std::io::stdout().lock(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            talk(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
