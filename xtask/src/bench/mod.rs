//! The goals, measured. Builds the release binaries and `benches/`, brings a PostgreSQL, and runs them.

mod postgres;

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use clap::Args;

use self::postgres::Server;
use crate::run::{Run, TempDir, cargo, root, target};

/// Goals that are measured beside PostgreSQL.
const WITH_POSTGRES: [&str; 2] = ["B1", "B2"];

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Goals to measure, such as `B1,B3`; all without it.
    #[arg(long, value_delimiter = ',', value_name = "GOALS")]
    only: Vec<String>,
    /// A smoke run of well under a minute; its figures mean little.
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
    /// A folder on the disk to be measured (default: the folder for temporary files).
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave PostgreSQL out.
    #[arg(long)]
    no_postgres: bool,
    /// Lint and test the benchmarks themselves instead.
    #[arg(long)]
    check: bool,
}

/// Cargo's lock of the benchmarks' own workspace must name what the product is built with.
fn same_versions() -> Result<(), String> {
    let read =
        |path: &str| std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"));
    let (product, benches) = (read("Cargo.lock")?, read("benches/Cargo.lock")?);
    let packages = |lock: &str| -> Vec<(String, String)> {
        let mut names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
        let mut versions = lock.lines().skip(4).filter_map(|line| line.strip_prefix("version = "));
        std::iter::from_fn(|| Some((names.next()?.to_owned(), versions.next()?.to_owned()))).collect()
    };
    let (product, benches) = (packages(&product), packages(&benches));
    // A name may have several versions, and the rivals bring some of their own: one in common is enough.
    for (name, _) in &product {
        let in_product: Vec<_> = product.iter().filter(|package| package.0 == *name).collect();
        let in_benches: Vec<_> = benches.iter().filter(|package| package.0 == *name).collect();
        if !in_benches.is_empty() && !in_benches.iter().any(|package| in_product.contains(package)) {
            return Err(format!(
                "Cargo.lock and benches/Cargo.lock have different versions of {name}; copy Cargo.lock over \
                 benches/Cargo.lock and run `cargo metadata` in benches/"
            ));
        }
    }
    Ok(())
}

/// Both workspaces share one target folder: what is equal is built once.
fn in_benches(args: &[&str]) -> Run {
    let mut run = cargo(args).args(["--manifest-path"]).args([root().join("benches/Cargo.toml")]);
    run.0.env("CARGO_TARGET_DIR", target());
    run
}

fn build() -> Result<(), String> {
    cargo(&["build", "--release", "--locked", "-p", "appliance", "-p", "appliance-simulator", "--bins"])
        .done()?;
    in_benches(&["build", "--release", "--locked"]).done()
}

/// Formatting is a matter of every check; lints and tests of the benchmarks build the rivals, so they have a chore.
pub(crate) fn formatting() -> Result<(), String> {
    cargo(&["fmt", "--check"]).args(["--manifest-path"]).args([root().join("benches/Cargo.toml")]).done()
}

fn check() -> Result<(), String> {
    same_versions()?;
    in_benches(&["clippy", "--release", "--locked", "--all-targets"])
        .args(["--", "-D", "warnings"])
        .done()?;
    in_benches(&["test", "--release", "--locked"]).done()
}

/// A folder that others may enter: PostgreSQL runs as somebody else.
fn folder(parent: Option<&PathBuf>) -> Result<TempDir, String> {
    let dir = match parent {
        None => TempDir::new("bench")?,
        Some(parent) => TempDir::within(parent, "bench")?,
    };
    std::fs::set_permissions(&dir.0, std::fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", dir.0.display()))?;
    let kind = Command::new("stat").args(["-f", "-c", "%T"]).arg(&dir.0).output();
    let kind = kind.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if kind.is_ok_and(|kind| kind == "tmpfs") {
        return Err(format!(
            "{} is in memory, where nothing becomes durable; name a folder on a disk with --dir",
            dir.0.display()
        ));
    }
    Ok(dir)
}

pub(crate) fn run(bench: &Bench) -> Result<(), String> {
    if bench.check {
        return check();
    }
    same_versions()?;
    build()?;
    let dir = folder(bench.dir.as_ref())?;
    let wanted = bench.only.is_empty()
        || bench.only.iter().any(|only| WITH_POSTGRES.iter().any(|goal| only.eq_ignore_ascii_case(goal)));
    let server = (wanted && !bench.no_postgres).then(|| Server::start(&dir.0)).transpose()?;
    let release = target().join("release");
    let work = dir.0.join("work");
    std::fs::create_dir(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    let mut run = Run::new(&release.join("appliance-benches").display().to_string());
    run.0.arg("--dir").arg(&work).arg("--appliance").arg(release.join("appliance"));
    run.0.arg("--simulator").arg(release.join("simulator"));
    if let Some(server) = &server {
        run.0.arg("--postgres").arg(server.socket());
    }
    if !bench.only.is_empty() {
        run.0.arg("--only").arg(bench.only.join(","));
    }
    for (flag, set) in [("--quick", bench.quick), ("--json", bench.json)] {
        run.0.args(set.then_some(flag));
    }
    for (flag, value) in [("--events", bench.events), ("--rounds", bench.rounds.map(|rounds| rounds as u64))]
    {
        if let Some(value) = value {
            run.0.arg(flag).arg(value.to_string());
        }
    }
    run.done()
}
