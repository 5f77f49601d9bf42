//! The command line: arguments in, calls of tools, exit codes out. Data goes to standard output, talk to standard error.

mod blame;
mod chores;
mod client;
#[cfg(feature = "lab")]
mod demo;
mod device;
mod device_show;
mod doctor;
mod events;
mod evidence;
mod file;
mod hidden;
mod import;
mod job;
mod live;
mod log;
mod mcp;
mod out;
mod plan;
mod rollback;
mod schema;
mod serve;
mod snapshot;
mod token;
mod trust;
mod wire;
mod workflow;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    appliance::{config::Config, origin::Override},
    failure::{Code, Failure},
};

/// Change control for MikroTik RouterOS fleets.
#[derive(Debug, Parser)]
#[command(
    name = "appliance",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused, 5 partial or halted, 6 verification failed, \
                  7 unavailable (try again)."
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE", env = "APPLIANCE_CONFIG")]
    config: Option<PathBuf>,
    /// State directory; wins over `store.dir`.
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// File with a bearer token; without one you are the local requester.
    #[arg(long, global = true, value_name = "FILE", env = "APPLIANCE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter.
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// No colours (also `NO_COLOR`).
    #[arg(long, global = true)]
    no_color: bool,
    /// Say less.
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new store, its keys, and a first admin token (shown once).
    Init,
    /// Run the appliance.
    Serve(serve::Serve),
    /// Speak MCP on standard input and output.
    Stdio,
    /// Try it: a fresh store with a simulated fleet on loopback.
    #[cfg(feature = "lab")]
    Demo(demo::Demo),
    /// Store, log head, state digest, counts.
    Status,
    /// Routers: add, list, show, edit, test, trust, remove, import.
    #[command(subcommand)]
    Device(Box<device::Device>),
    /// Call any tool by name.
    Call(chores::Call),
    /// List the tools you may use.
    Tools,
    /// Plans: list, queue, show, approve, reject, start, roll back, undo, evidence.
    #[command(subcommand)]
    Plan(plan::Plan),
    /// Trusted workflows: list, explain, stop, resume.
    #[command(subcommand)]
    Workflow(workflow::Workflow),
    /// Jobs: list, show, guide, watch, cancel; retry, skip, roll back or resume one that stands.
    #[command(subcommand)]
    Job(job::Job),
    /// Who made an object of a router what it is: plans, people, agents, newest first.
    Blame(blame::Blame),
    /// Events: list, tail, export.
    #[command(subcommand)]
    Events(events::Events),
    /// Check the log (every checksum, the Merkle tree, signed checkpoints), or the evidence of one plan.
    Verify(log::Verify),
    /// Rebuild the state from the log and print its digest.
    Replay(log::Replay),
    /// Snapshots of the state: what is saved. Deleting them is always safe.
    #[command(subcommand)]
    Snapshot(snapshot::Snapshot),
    /// Bearer tokens: create, list, revoke.
    #[command(subcommand)]
    Token(token::Token),
    /// Configuration: check, show, default.
    #[command(subcommand)]
    Config(chores::ConfigCommand),
    /// Set up MCP clients.
    #[command(subcommand)]
    Mcp(mcp::Mcp),
    /// What the product is made of, as data: endpoints, tools.
    #[command(subcommand)]
    Schema(schema::Schema),
    /// Look for what is wrong with this installation.
    Doctor,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version,
}

impl Common {
    /// What flags set, for the configuration.
    fn overrides(&self) -> Vec<Override> {
        let dir = self.dir.as_ref().map(|dir| dir.display().to_string());
        [("store.dir", dir, "--dir"), ("log.level", self.log_level.clone(), "--log-level")]
            .into_iter()
            .filter_map(|(key, value, flag)| value.map(|value| Override { key, value, flag }))
            .collect()
    }

    /// The configuration in force, with the flags on top.
    fn load(&self) -> Result<Config, Failure> {
        Config::load(self.config.as_deref(), &self.overrides())
    }

    /// Starts logging; commands that answer once are quiet unless asked.
    fn start_log(&self, fallback: &str, json: bool) -> Result<(), Failure> {
        let level = self.log_level.as_deref().unwrap_or(fallback);
        crate::telemetry::start(level, json, self.no_color).map_err(|why| Failure::param("log-level", why))
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let said = |flag: &str| std::env::args_os().any(|word| word == flag);
    let colours = if said("--no-color") { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    let parsed = <Cli as clap::CommandFactory>::command().color(colours).try_get_matches();
    let cli = match parsed.and_then(|matches| <Cli as clap::FromArgMatches>::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            if said("--json") {
                let text = error.render().to_string();
                let text = text.trim_start_matches("error: ").trim_end().to_owned();
                out::talk(&usage(text).to_json().to_string());
            } else {
                let _ = error.print();
            }
            return ExitCode::from(2);
        }
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out::talk(&format!("error: no runtime: {error}"));
            return ExitCode::from(1);
        }
    };
    let common = cli.common.clone();
    let outcome = runtime.block_on(run(cli));
    // A read of standard input may still hang; nothing waits for it.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            out::failure(&common, &failure);
            ExitCode::from(failure.code.exit_code())
        }
    }
}

async fn run(cli: Cli) -> Result<u8, Failure> {
    let common = &cli.common;
    match cli.command {
        Command::Init => serve::init(common),
        Command::Serve(args) => serve::serve(common, args).await,
        Command::Stdio => serve::stdio(common).await,
        #[cfg(feature = "lab")]
        Command::Demo(args) => demo::run(common, args).await,
        Command::Status => chores::status(common).await,
        Command::Device(command) => device::run(common, *command).await,
        Command::Call(args) => chores::call(common, args).await,
        Command::Tools => chores::tools(common).await,
        Command::Plan(command) => plan::run(common, command).await,
        Command::Workflow(command) => workflow::run(common, command).await,
        Command::Job(command) => job::run(common, command).await,
        Command::Blame(args) => blame::run(common, args).await,
        Command::Events(command) => events::run(common, command).await,
        Command::Verify(args) => log::verify(common, args).await,
        Command::Replay(args) => log::replay(common, args).await,
        Command::Snapshot(command) => snapshot::run(common, &command),
        Command::Token(command) => token::run(common, command).await,
        Command::Config(command) => chores::config(common, command),
        Command::Mcp(command) => mcp::run(common, command),
        Command::Schema(command) => schema::run(common, &command),
        Command::Doctor => doctor::run(common).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(
                shell,
                &mut <Cli as clap::CommandFactory>::command(),
                "appliance",
                &mut script,
            );
            out::data(&String::from_utf8_lossy(&script))?;
            Ok(0)
        }
        Command::Version => {
            let features: Vec<&str> = [
                (cfg!(feature = "lab"), "lab"),
                (cfg!(feature = "conformance"), "conformance"),
                (cfg!(feature = "crash-points"), "crash-points"),
            ]
            .into_iter()
            .filter_map(|(on, name)| on.then_some(name))
            .collect();
            let about = serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "features": features });
            out::show(common, &about, |_| {
                format!("appliance {} ({})", env!("CARGO_PKG_VERSION"), features.join(", "))
            })?;
            Ok(0)
        }
    }
}

/// A moment as the command line takes it.
fn moment(text: &str) -> Result<::events::ids::Moment, String> {
    text.parse().map_err(|_| "needs a moment as RFC 3339 has it, such as 2026-11-24T09:00:00Z".to_owned())
}

/// A wrong word on the command line.
fn usage(why: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(Code::InvalidParams, why)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_of_commands_is_sound() {
        super::Cli::command().debug_assert();
    }
}
