//! What is written to standard error. Standard output belongs to data and to the protocol.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Targets that report as errors what is everyday: clients that leave, or that never say hello.
const QUIET: &str = "warp::server=off,rmcp=error,rmcp::service=off,rmcp::transport::streamable_http_server=off,hyper=info,hyper_util=info,h2=info,rustls=info,reqwest=info";

fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{level},{QUIET}")).map_err(|error| format!("`{level}`: {error}"))
}

/// Whether a level or filter can be read.
///
/// # Errors
/// What is wrong with it.
pub fn check(level: &str) -> Result<(), String> {
    filter(level).map(drop)
}

/// Starts logging. A second start in one process changes nothing. Colours are for terminals only, and only where nobody
/// said no.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(level: &str, json: bool, no_color: bool) -> Result<(), String> {
    let filter = filter(level)?;
    let ansi = !no_color
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let base = tracing_subscriber::registry().with(filter);
    let started = if json {
        base.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()
    } else {
        base.with(fmt::layer().with_ansi(ansi).with_writer(std::io::stderr).with_target(false)).try_init()
    };
    // Already started: the first one stays.
    drop(started);
    Ok(())
}
