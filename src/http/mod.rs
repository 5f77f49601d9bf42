//! The HTTP doors: our own accept loop around warp's routes.
//!
//! Before any route: `Host` and `Origin` are checked, and the caller is found (bearer, or the user of a local socket).
//! No rule lives here; every call goes through the corridor.

mod accept;
mod api;
mod guard;
mod mcp;
mod ops;
mod reply;
mod stream;

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::tools::call::Corridor;

/// How the HTTP doors behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Address and port of MCP and the admin API. Default `127.0.0.1:8080`. TLS is a reverse proxy's work.
    pub listen: String,
    /// Names under which clients may call, besides loopback names (`appliance.example`, `appliance.example:8443`).
    pub public_hosts: Vec<String>,
    /// Web origins that may call, each with scheme and port (`https://appliance.example:443`). Default none.
    pub allowed_origins: Vec<String>,
    /// Connections in all (16–65536). Default 16384.
    pub max_connections: u32,
    /// Connections an address, loopback and trusted proxies exempt (1–65536). Default 256.
    pub max_connections_per_address: u32,
    /// Proxies that may open more connections. Default none.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            public_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            max_connections: 16_384,
            max_connections_per_address: 256,
            trusted_proxies: Vec::new(),
        }
    }
}

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
}

/// Serves HTTP on a TCP socket until `shutdown`.
pub async fn serve_tcp(doors: Doors, listener: TcpListener, shutdown: CancellationToken) {
    accept::tcp(doors, listener, shutdown).await;
}

/// Serves HTTP on a local socket until `shutdown`; callers without a bearer are the local user.
pub async fn serve_unix(doors: Doors, listener: UnixListener, shutdown: CancellationToken) {
    accept::unix(doors, listener, shutdown).await;
}
