//! What an operator may set about the HTTP doors.

use std::{net::IpAddr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// How clients reach this appliance (`https://appliance.example`), for the metadata and challenges that name it.
    /// Default empty: `http://` and the name that the client used.
    pub public_url: String,
    /// A new connection must have sent a whole request head within so many seconds (1–60). Default 10.
    pub header_timeout_seconds: u32,
    /// A request's body must have come whole within so many seconds (1–600). Default 30.
    pub body_timeout_seconds: u32,
    /// A connection without a request is closed after so many seconds (1–3600). Default 120.
    pub idle_timeout_seconds: u32,
    /// MCP sessions in all (1–100000); clients of protocol 2026-07-28 need none. Default 1000.
    pub max_sessions: u32,
    /// MCP sessions of one principal (1–100000). Default 100.
    pub max_sessions_per_principal: u32,
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
            public_url: String::new(),
            header_timeout_seconds: 10,
            body_timeout_seconds: 30,
            idle_timeout_seconds: 120,
            max_sessions: 1000,
            max_sessions_per_principal: 100,
        }
    }
}

impl Options {
    /// Every number with the range it must be in, for the check of the configuration.
    #[must_use]
    pub fn bounds(&self) -> [(&'static str, u32, u32, u32); 7] {
        [
            ("server.max_connections", self.max_connections, 16, 65_536),
            ("server.max_connections_per_address", self.max_connections_per_address, 1, 65_536),
            ("server.header_timeout_seconds", self.header_timeout_seconds, 1, 60),
            ("server.body_timeout_seconds", self.body_timeout_seconds, 1, 600),
            ("server.idle_timeout_seconds", self.idle_timeout_seconds, 1, 3600),
            ("server.max_sessions", self.max_sessions, 1, 100_000),
            ("server.max_sessions_per_principal", self.max_sessions_per_principal, 1, 100_000),
        ]
    }

    /// True when `public_url` is empty or a scheme and a name that clients can be told.
    #[must_use]
    pub fn public_url_fits(&self) -> bool {
        let url = self.public_url.as_str();
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let authority = rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        url.is_empty() || authority.and_then(super::host::Host::parse).is_some()
    }

    /// A whole request head must have come by then.
    #[must_use]
    pub fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_timeout_seconds.into())
    }

    /// A whole body must have come by then.
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_seconds.into())
    }

    /// A connection may be without a request for so long.
    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds.into())
    }
}
