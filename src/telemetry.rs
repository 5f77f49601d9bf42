//! What is written to standard error. Standard output belongs to data and to the protocol.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Targets that report as errors what is everyday: clients that leave.
const QUIET: &str = "warp::server=off,rmcp=error,hyper=info,hyper_util=info,h2=info,rustls=info,reqwest=info";

/// Starts logging. A second start in one process changes nothing.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(level: &str, json: bool) -> Result<(), String> {
    let filter =
        EnvFilter::try_new(format!("{level},{QUIET}")).map_err(|error| format!("`{level}`: {error}"))?;
    let base = tracing_subscriber::registry().with(filter);
    let started = if json {
        base.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()
    } else {
        base.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
    };
    // Already started: the first one stays.
    drop(started);
    Ok(())
}
