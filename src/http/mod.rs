//! The HTTP doors: our own accept loop around warp's routes.
//!
//! Before any route: `Host` and `Origin` are checked, and the caller is found (bearer, or the user of a local socket).
//! No rule lives here; every call goes through the corridor.

mod accept;
mod api;
mod guard;
mod host;
mod knocks;
mod mcp;
mod ops;
mod options;
mod reply;
mod stream;
mod watch;

use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use self::knocks::Knocks;
pub use self::options::Options;
use crate::tools::call::Corridor;

/// What the doors open to.
#[derive(Clone)]
pub struct Doors {
    /// The way to every tool.
    pub corridor: Corridor,
    /// How they behave.
    pub options: Options,
    /// Product version.
    pub version: &'static str,
    /// Serve the fixtures of the conformance suite too (only with the feature of that name).
    pub conformance: bool,
    knocks: Arc<Knocks>,
}

impl Doors {
    /// Doors to a house.
    #[must_use]
    pub fn new(corridor: Corridor, options: Options, version: &'static str, conformance: bool) -> Self {
        Self { corridor, options, version, conformance, knocks: Arc::default() }
    }
}

/// Serves HTTP on a TCP socket until `shutdown`.
pub async fn serve_tcp(doors: Doors, listener: TcpListener, shutdown: CancellationToken) {
    accept::tcp(doors, listener, shutdown).await;
}

/// Serves HTTP on a local socket until `shutdown`; callers without a bearer are the local user.
pub async fn serve_unix(doors: Doors, listener: UnixListener, shutdown: CancellationToken) {
    accept::unix(doors, listener, shutdown).await;
}
