//! `/system/ntp/client` of RouterOS 7, and its list of servers.

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record, flag, number, text},
    text::clean,
    value::{decimal, list},
};

/// The client's settings and state.
#[derive(Debug, Clone, PartialEq)]
pub struct NtpClient {
    /// Switched on.
    pub enabled: bool,
    /// `unicast`, `broadcast`, …
    pub mode: String,
    /// Servers set by people, in order.
    pub servers: Vec<String>,
    /// `synchronized`, `waiting`, …
    pub status: String,
    /// The server it follows now.
    pub synced_server: Option<String>,
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
        let some = |key: &str| row.get(key).filter(|text| !text.is_empty()).map(|text| clean(text));
        Self {
            enabled: flag(row, "enabled"),
            mode: clean(text(row, "mode")),
            servers: list(text(row, "servers")).into_iter().map(str::to_owned).collect(),
            status: clean(text(row, "status")),
            synced_server: some("synced-server"),
            stratum: number(row, "synced-stratum"),
            offset_ms: row.get("system-offset").and_then(|value| decimal(value)),
        }
    }
}

/// One server of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NtpServer {
    /// Address or name.
    pub address: String,
    /// Learnt from DHCP.
    pub dynamic: bool,
}

impl Reading for NtpServer {
    const MENU: &'static str = "/system/ntp/client/servers";
    const FIELDS: &'static [Field] = &[Field::must("address"), Field::may("dynamic")];

    fn from_row(row: &Record<'_>) -> Self {
        Self { address: clean(text(row, "address")), dynamic: flag(row, "dynamic") }
    }
}
