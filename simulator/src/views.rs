//! How a menu reads right now: stored rows plus everything the router works out itself.
//!
//! Reads only. What is worked out here (uptime, active routes, counters, logins) is never stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::spec::{Menu, Shape};
use crate::state::{Now, State};
use crate::table::{Record, parse_id};
use crate::values::{contains, network_of, show_seconds};

/// The rows of a menu as a client sees them.
pub fn rows(state: &mut State, menu: &Menu, now: Now) -> Vec<Arc<Record>> {
    state.expire(now);
    let stored = state.table(menu.path).rows.clone();
    let mut rows = match menu.path {
        "/system/resource" => each(&stored, |row| resource(state, row, now)),
        "/system/clock" => each(&stored, |row| clock(row, now)),
        "/interface" => each(&stored, |row| counters(row, now)),
        "/ip/dns" => each(&stored, |row| row.set("cache-used", (38 + stored.len()).to_string())),
        "/system/ntp/client" => each(&stored, |row| ntp(state, row, now)),
        "/ip/route" => routes(state, &stored),
        "/ip/firewall/address-list" => each(&stored, |row| remaining(row, now)),
        "/user/active" => active_users(state),
        "/ip/service" => services(state, &stored),
        "/system/history" => state.history(),
        "/system/script/job" => jobs(state),
        "/safe-mode" => vec![Arc::new(safe_mode(state))],
        "/system/script" | "/system/scheduler" => each(&stored, |row| inactivated(state, menu, row)),
        _ => stored,
    };
    if !menu.hidden.is_empty() {
        for row in &mut rows {
            let row = Arc::make_mut(row);
            for key in &menu.hidden {
                row.unset(key);
            }
        }
    }
    if menu.shape == Shape::One && rows.is_empty() {
        rows.push(Arc::new(Record::loose()));
    }
    rows
}

/// One record by `*id` or, where rows have names, by name.
pub fn find<'r>(rows: &'r [Arc<Record>], key: &str) -> Option<&'r Arc<Record>> {
    match parse_id(key) {
        Some(id) => rows.iter().find(|row| row.id == id),
        None => rows.iter().find(|row| row.get("name") == Some(key)),
    }
}

fn each(stored: &[Arc<Record>], mut edit: impl FnMut(&mut Record)) -> Vec<Arc<Record>> {
    stored
        .iter()
        .map(|row| {
            let mut row = Record::clone(row);
            edit(&mut row);
            Arc::new(row)
        })
        .collect()
}

fn resource(state: &State, row: &mut Record, now: Now) {
    row.set("uptime", state.uptime_text(now));
    // A quiet box breathes between 2 and 9 percent.
    let breath = 2 + (now.since_start.as_secs() / 5 * 7 + state.birth.index as u64 * 3) % 8;
    row.set("cpu-load", if state.birth.overloaded { "97".to_owned() } else { breath.to_string() });
    let free: u64 = row.text("free-memory").parse().unwrap_or(0);
    row.set("free-memory", (free - breath * 65_536).to_string());
}

fn clock(row: &mut Record, now: Now) {
    let text = crate::values::show_date_time(now.unix_s);
    let (date, time) = text.split_once(' ').unwrap_or((&text, ""));
    row.set("date", date.to_owned());
    row.set("time", time.to_owned());
}

fn counters(row: &mut Record, now: Now) {
    let busy = row.is("running") && !row.is("disabled");
    let seconds = if busy { 864_000 + now.since_start.as_secs() } else { 0 };
    for (key, a_second) in [
        ("rx-byte", 18_250),
        ("tx-byte", 4_130),
        ("rx-packet", 21),
        ("tx-packet", 14),
        ("rx-drop", 0),
        ("rx-error", 0),
    ] {
        row.set(key, (seconds * a_second).to_string());
    }
    if row.is("disabled") {
        row.set("running", "false");
    }
}

fn ntp(state: &mut State, row: &mut Record, now: Now) {
    let rows = state.table("/system/ntp/client/servers").rows.clone();
    let servers: Vec<&str> =
        rows.iter().filter(|row| !row.is("disabled")).map(|row| row.text("address")).collect();
    row.set("servers", servers.join(","));
    let since: u64 = row.get("~since_ms").and_then(|ms| ms.parse().ok()).unwrap_or(0);
    let settled = since == 0 || now.since_start > Duration::from_millis(since) + Duration::from_secs(2);
    let good = servers.iter().find(|server| answers_ntp(server));
    let status = match good {
        _ if !row.is("enabled") => "stopped",
        Some(_) if settled => "synchronized",
        _ => "waiting",
    };
    row.set("status", status);
    if status == "synchronized" {
        row.set("synced-server", good.copied().unwrap_or("").to_owned());
        row.set("synced-stratum", "2");
        row.set("system-offset", "0.412");
    }
}

/// Documentation networks 203.0.113.0/24 and 198.51.100.0/24 hold no time servers, all else does.
fn answers_ntp(server: &str) -> bool {
    !contains("203.0.113.0/24", server)
        && !contains("198.51.100.0/24", server)
        && !server.ends_with(".invalid")
}

/// The first id of connected routes on every release seen.
const CONNECTED: u64 = 0x2018_0000;

fn routes(state: &mut State, stored: &[Arc<Record>]) -> Vec<Arc<Record>> {
    let addresses = state.table("/ip/address").rows.clone();
    let interfaces = state.table("/interface").rows.clone();
    let up = |name: &str| {
        interfaces.iter().any(|i| i.get("name") == Some(name) && i.is("running") && !i.is("disabled"))
    };
    let mut connected = Vec::new();
    for (at, row) in addresses.iter().enumerate() {
        let Some((network, length)) = network_of(row.text("address")) else { continue };
        let interface = row.text("interface");
        if row.is("disabled") || !up(interface) {
            continue;
        }
        let own = row.text("address").split('/').next().unwrap_or("");
        let row = Record::new(CONNECTED + at as u64)
            .with("dst-address", format!("{network}/{length}"))
            .with("gateway", interface.to_owned())
            .with("immediate-gw", interface.to_owned())
            .with("local-address", format!("{own}%{interface}"))
            .with("distance", "0")
            .with("scope", "10")
            .with("target-scope", "5")
            .with("routing-table", "main")
            .with("active", "true")
            .with("connect", "true")
            .with("dynamic", "true")
            .with("disabled", "false");
        connected.push(Arc::new(row));
    }
    let usable: Vec<Option<String>> = stored.iter().map(|row| immediate(row, &connected, &up)).collect();
    let mut best: BTreeMap<(Option<&str>, Option<&str>), u64> = BTreeMap::new();
    for (row, _) in stored.iter().zip(&usable).filter(|(_, gateway)| gateway.is_some()) {
        let nearest = best.entry(destination(row)).or_insert(u64::MAX);
        *nearest = distance(row).min(*nearest);
    }
    let mut all = Vec::new();
    for (row, gateway) in stored.iter().zip(&usable) {
        let mut shown = Record::clone(row);
        if row.is("disabled") {
            for key in ["dynamic", "distance", "scope", "target-scope", "routing-table"] {
                shown.unset(key);
            }
        } else if let Some(gateway) = gateway {
            shown.set("immediate-gw", gateway.clone());
            if best.get(&destination(row)) == Some(&distance(row)) {
                shown.set("active", "true");
            }
        } else {
            shown.set("immediate-gw", "");
            shown.set("inactive", "true");
        }
        all.push(Arc::new(shown));
    }
    all.extend(connected);
    all
}

/// What routes compete for.
fn destination(row: &Record) -> (Option<&str>, Option<&str>) {
    (row.get("dst-address"), row.get("routing-table"))
}

fn distance(row: &Record) -> u64 {
    row.text("distance").parse().unwrap_or(1)
}

/// The next hop with its interface, if the gateway can be reached.
fn immediate(row: &Record, connected: &[Arc<Record>], up: &dyn Fn(&str) -> bool) -> Option<String> {
    if row.is("disabled") {
        return None;
    }
    if row.get("blackhole").is_some() {
        return Some(String::new());
    }
    let hops: Vec<String> = row
        .text("gateway")
        .split(',')
        .filter_map(|gateway| {
            let address = gateway.split(['%', '@']).next().unwrap_or(gateway);
            let via = connected.iter().find(|route| contains(route.text("dst-address"), address));
            match via {
                Some(route) => Some(format!("{address}%{}", route.text("gateway"))),
                None => up(gateway).then(|| gateway.to_owned()),
            }
        })
        .collect();
    (!hops.is_empty()).then(|| hops.join(","))
}

fn remaining(row: &mut Record, now: Now) {
    if let Some(until) = row.get("~until_ms").and_then(|ms| ms.parse().ok()) {
        let left = Duration::from_millis(until).saturating_sub(now.since_start);
        // Rounded up, so that a fresh `1d` reads `1d`.
        row.set("timeout", show_seconds(left + Duration::from_millis(999)));
    }
}

fn active_users(state: &State) -> Vec<Arc<Record>> {
    let mut rows = Vec::new();
    for (user, session) in &state.sessions {
        let row = |id: u64, via: &'static str| {
            Record::new(id)
                .with("when", session.when.clone())
                .with("name", user.clone())
                .with("group", session.group.clone())
                .with("via", via)
                .with("radius", "false")
        };
        // The REST server is itself a client of the binary API: two rows a login.
        let id = rows.len() as u64 + 1;
        rows.push(Arc::new(row(id, "rest-api").with("address", session.from.clone())));
        rows.push(Arc::new(row(id + 1, "api")));
    }
    rows
}

fn services(state: &mut State, stored: &[Arc<Record>]) -> Vec<Arc<Record>> {
    let with_sessions = crate::profile::release(state.birth.profile.version()) >= (7, 16, 0);
    let mut rows = each(stored, |row| {
        row.set("dynamic", "false");
        if with_sessions {
            row.set("proto", "tcp");
            if row.get("max-sessions").is_none() {
                row.set("max-sessions", "20");
            }
        }
    });
    if with_sessions {
        let (name, port) = if state.birth.tls { ("www-ssl", "443") } else { ("www", "80") };
        for peer in state.connections.values() {
            state.service_reads += 1;
            let row = Record::new(0x1000 + state.service_reads)
                .with("name", name)
                .with("port", port)
                .with("proto", "tcp")
                .with("remote", peer.to_string())
                .with("connection", "true")
                .with("dynamic", "true")
                .with("disabled", "false")
                .with("invalid", "false");
            rows.push(Arc::new(row));
        }
    }
    rows
}

fn jobs(state: &State) -> Vec<Arc<Record>> {
    let row = |(id, job): (&u64, &crate::state::Job)| {
        Arc::new(
            Record::new(*id)
                .with("type", "command")
                .with("owner", job.owner.clone())
                .with("started", job.started.clone())
                .with("policy", "read,write,test"),
        )
    };
    state.jobs.iter().map(row).collect()
}

fn safe_mode(state: &State) -> Record {
    let row = Record::loose();
    match &state.safe_mode {
        Some((user, _)) => row
            .with("enabled", "true")
            .with("user", user.clone())
            .with("owner", "rest-api")
            .with("current", "false"),
        None => row.with("enabled", "false").with("current", "false"),
    }
}

fn inactivated(state: &mut State, menu: &Menu, row: &mut Record) {
    if menu.mode.is_some_and(|feature| !state.mode_allows(feature)) {
        row.set(".about", "inactivated, not allowed by device-mode");
    }
}
