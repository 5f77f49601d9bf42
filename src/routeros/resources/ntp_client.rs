//! `/system/ntp/client` of RouterOS 7, and its list of servers.

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record, flag, number, text},
    text::{Exact, Untrusted},
    value::{decimal, list},
};

/// The client's settings and state.
#[derive(Debug, Clone, PartialEq)]
pub struct NtpClient {
    /// Switched on.
    pub enabled: bool,
    /// `unicast`, `broadcast`, …
    pub mode: Untrusted,
    /// Servers set by people, in order.
    pub servers: Vec<Exact>,
    /// `synchronized`, `waiting`, …
    pub status: Untrusted,
    /// The server it follows now.
    pub synced_server: Option<Untrusted>,
    /// That server's stratum.
    pub stratum: Option<u64>,
    /// Offset from that server, in milliseconds.
    pub offset_ms: Option<f64>,
}

impl Reading for NtpClient {
    const MENU: &'static str = "/system/ntp/client";
    const FIELDS: &'static [Field] = &[
        Field::must("enabled"),
        Field::must("mode"),
        Field::may("servers"),
        Field::may("status"),
        Field::may("synced-server"),
        Field::may("synced-stratum"),
        Field::may("system-offset"),
    ];

    fn from_row(row: &Record<'_>) -> Self {
        Self {
            enabled: flag(row, "enabled"),
            mode: row.untrusted("mode"),
            servers: list(text(row, "servers")).into_iter().map(Exact::new).collect(),
            status: row.untrusted("status"),
            synced_server: row.some("synced-server"),
            stratum: number(row, "synced-stratum"),
            offset_ms: row.get("system-offset").and_then(|value| decimal(value)),
        }
    }
}

/// One server of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NtpServer {
    /// Address or name.
    pub address: Untrusted,
    /// Learnt from DHCP.
    pub dynamic: bool,
}

impl Reading for NtpServer {
    const MENU: &'static str = "/system/ntp/client/servers";
    const FIELDS: &'static [Field] = &[Field::must("address"), Field::may("dynamic")];

    fn from_row(row: &Record<'_>) -> Self {
        Self { address: row.untrusted("address"), dynamic: flag(row, "dynamic") }
    }
}
