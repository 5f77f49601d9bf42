//! Every chore of the project: `cargo xtask demo | test | check | crash | trials | seeds | fuzz | clients | conformance | bench | bless`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

mod bench;
mod clients;
mod conformance;
mod demo;
mod errors;
mod licences;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::run::{Section, cargo, sections};

/// Every chore of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Build and start the appliance with a simulated fleet on loopback.
    Demo {
        /// Passed on to `appliance demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Everything: formatting, lints, licences, unit, black-box and crash tests, real clients.
    Test,
    /// Formatting, lints and the house's own rules.
    Check,
    /// Power cuts, kills and forgeries, long form.
    Crash {
        /// Power cuts.
        #[arg(long, default_value_t = 3000)]
        cuts: u32,
        /// Kills of the real binary.
        #[arg(long, default_value_t = 300)]
        kills: u32,
        /// Random changes, of a store and of an export each, and ten times as many of evidence.
        #[arg(long, default_value_t = 1000)]
        mutations: u32,
        /// Forged approvals.
        #[arg(long, default_value_t = 100_000)]
        forgeries: u32,
    },
    /// Risky writes after which we are killed, the link dies or the router reboots: routers undo them by themselves.
    Trials {
        /// How many, 50 routers at a time.
        #[arg(long, default_value_t = 500)]
        trials: u32,
    },
    /// Whole rollouts in virtual time, with everything that can go wrong; a seed decides all of it.
    Seeds {
        /// How many.
        #[arg(long, default_value_t = 50_000)]
        seeds: u64,
        /// Play this one only, and print its story.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Answers of routers, their readings, and parameters of tools, fuzzed: each for so long.
    Fuzz {
        /// For each of the targets.
        #[arg(long, default_value_t = 600)]
        seconds: u32,
    },
    /// Real protocol clients against a demo.
    Clients,
    /// The official conformance suite against a demo; prints its totals.
    Conformance,
    /// The goals, measured with the release binary, beside PostgreSQL and SQLite (docs/performance.md).
    Bench(bench::Bench),
    /// Write what is missing: fixtures of events, pages of error codes (old ones are never rewritten), and the example
    /// configuration anew.
    Bless,
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Demo { args } => demo::run(&args),
        Chore::Test => test(),
        Chore::Check => sections(&check()),
        Chore::Crash { cuts, kills, mutations, forgeries } => sections(&[
            Section::new("power cuts", move || {
                run::long(&["-p", "appliance", "-p", "appliance-events", "--test", "power_cut"])
                    .env("APPLIANCE_POWER_CUTS", cuts.to_string())
                    .done()
            }),
            Section::new("kills of the real binary", move || {
                run::long(&["-p", "appliance", "--test", "it", "crash::"])
                    .env("APPLIANCE_KILLS", kills.to_string())
                    .done()
            }),
            Section::new("changes of stores and exports", move || {
                run::long(&["-p", "appliance", "-p", "appliance-events", "--test", "tamper", "every_"])
                    .env("APPLIANCE_TAMPER", mutations.to_string())
                    .done()
            }),
            Section::new("falsified evidence", move || {
                run::long(&["-p", "appliance", "--lib", "nothing_that_says_something_else_is_taken"])
                    .env("APPLIANCE_MUTATIONS", (10 * mutations).to_string())
                    .env("PROPTEST_RNG_SEED", run::new_seed())
                    .done()
            }),
            Section::new("forged approvals", move || {
                run::long(&["-p", "appliance", "--lib", "--test", "it", "no_forged_"])
                    .env("APPLIANCE_MUTATIONS", forgeries.to_string())
                    .done()
            }),
        ]),
        Chore::Trials { trials } => sections(&[Section::new("timed undos", move || {
            run::long(&["-p", "appliance", "--test", "it", "dead_man::trials"])
                .env("APPLIANCE_TRIALS", trials.to_string())
                .done()
        })]),
        Chore::Seeds { seeds, seed } => sections(&[Section::new("rollouts in virtual time", move || {
            let run = run::long(&["-p", "appliance", "--lib", "--release", "rollouts_keep_their_promises"])
                .env("APPLIANCE_SEEDS", seeds.to_string());
            seed.into_iter().fold(run, |run, seed| run.env("SEED", seed.to_string())).done()
        })]),
        Chore::Fuzz { seconds } => sections(&[Section::new("fuzzing", move || {
            run::long(&["-p", "appliance", "--lib", "--test", "it", "fuzz_"])
                .env("APPLIANCE_FUZZ_SECONDS", seconds.to_string())
                .env("PROPTEST_RNG_SEED", run::new_seed())
                .done()
        })]),
        Chore::Clients => sections(&[Section::new("clients", clients::run)]),
        Chore::Conformance => sections(&[Section::new("conformance", conformance::run)]),
        Chore::Bench(args) => match bench::run(&args) {
            Ok(()) => true,
            Err(why) => {
                eprintln!("FAILED: {why}");
                false
            }
        },
        Chore::Bless => sections(&[
            Section::new("error pages", errors::bless),
            Section::new("example configuration", || {
                run::tests(&["-p", "appliance", "--test", "it", "packaging::"]).env("BLESS", "1").done()
            }),
            Section::new("event fixtures", || {
                run::tests(&["-p", "appliance-events"]).env("BLESS", "1").done()
            }),
        ]),
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check() -> Vec<Section> {
    vec![
        Section::new("formatting", || cargo(&["fmt", "--all", "--check"]).done()),
        Section::new("formatting of the benchmarks", bench::formatting),
        Section::new("lints", || {
            let mut lints = vec!["clippy", "--workspace", "--all-targets"];
            lints.extend(run::FEATURES);
            lints.extend(["--", "-D", "warnings"]);
            cargo(&lints).done()
        }),
        Section::new("licences and bundled C", licences::check),
    ]
}

fn test() -> bool {
    let mut all = check();
    all.push(Section::new("tests", || run::tests(&["--workspace"]).done()));
    all.push(Section::new("clients", clients::run));
    all.push(Section::new("conformance", conformance::run));
    sections(&all)
}
