//! How a menu reads right now: stored rows plus everything the router works out itself.
//!
//! Reads only. What is worked out here (uptime, active routes, counters, logins) is never stored.

use std::sync::Arc;
use std::time::Duration;

use crate::spec::{Menu, Shape};
use crate::state::{Now, State};
use crate::table::{Record, parse_id};
use crate::values::{contains, show_seconds};
use crate::{bridging, links, radio, routing};

/// How long a time server is listened to before it is believed.
const SYNC_TAKES: Duration = Duration::from_secs(2);

/// The rows of a menu as a client sees them.
pub fn rows(state: &mut State, menu: &Menu, now: Now) -> Vec<Arc<Record>> {
    state.expire(now);
    let stored = state.table(menu.path).rows.clone();
    let mut rows = match menu.path {
        "/system/resource" => each(&stored, |row| resource(state, row, now)),
        "/system/health" => each(&stored, |row| state.vitals.health(row)),
        "/system/clock" => each(&stored, |row| clock(row, now)),
        "/interface" => each(&stored, |row| {
            linked(state, row);
            counters(row, now);
        }),
        "/interface/ethernet" | "/interface/vlan" | "/interface/bridge" => {
            each(&stored, |row| linked(state, row))
        }
        "/interface/bridge/port" => each(&stored, |row| bridging::shown(state, row)),
        "/ip/address" => each(&stored, |row| address(state, row)),
        "/ip/dhcp-server" => each(&stored, |row| served(state, row)),
        "/ip/firewall/filter" | "/ip/firewall/nat" | "/ip/firewall/mangle" => pointless(stored),
        _ if radio::is_radio_menu(menu) => each(&stored, |row| radio::shown(state, menu, row)),
        "/ip/dns" => each(&stored, |row| row.set("cache-used", (38 + stored.len()).to_string())),
        "/system/ntp/client" => each(&stored, |row| ntp(state, row, now)),
        "/ip/route" => routing::rows(state, &stored),
        "/ip/firewall/address-list" => each(&stored, |row| remaining(row, now)),
        "/user/active" => active_users(state),
        "/ip/service" => services(state, &stored),
        "/system/history" => state.history(),
        "/system/script/job" => jobs(state),
        "/safe-mode" => vec![Arc::new(safe_mode(state))],
        "/system/script" | "/system/scheduler" => each(&stored, |row| scheduled(state, menu, row, now)),
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
    state.vitals.resource(row);
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
}

/// An interface runs while it is switched on and has a link.
fn linked(state: &mut State, row: &mut Record) {
    let up = bridging::is_up(state, row.text("name"));
    row.set("running", flag(up));
}

/// An address lives on the bridge if its interface is a port, and nowhere if that is gone.
fn address(state: &mut State, row: &mut Record) {
    let name = row.text("interface").to_owned();
    let bridge = bridging::bridge_of(state, &name);
    row.set("slave", flag(bridge.is_some()));
    row.set("invalid", flag(links::dead(&name)));
    row.set("actual-interface", bridge.unwrap_or(name));
}

/// A DHCP server cannot run on a bridge port, nor on nothing.
fn served(state: &mut State, row: &mut Record) {
    let name = row.text("interface").to_owned();
    let slave = bridging::bridge_of(state, &name).is_some();
    row.set("invalid", flag(slave || links::dead(&name)));
}

/// A rule that names an interface or a list which is gone.
fn pointless(stored: Vec<Arc<Record>>) -> Vec<Arc<Record>> {
    const KEYS: [&str; 4] = ["in-interface", "out-interface", "in-interface-list", "out-interface-list"];
    let broken = |row: &Record| KEYS.iter().any(|key| row.get(key).is_some_and(links::dead));
    let mark = |row: Arc<Record>| {
        if broken(&row) { Arc::new(Record::clone(&row).with("invalid", "true")) } else { row }
    };
    stored.into_iter().map(mark).collect()
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn ntp(state: &mut State, row: &mut Record, now: Now) {
    let rows = state.table("/system/ntp/client/servers").rows.clone();
    let servers: Vec<&str> =
        rows.iter().filter(|row| !row.is("disabled")).map(|row| row.text("address")).collect();
    row.set("servers", servers.join(","));
    let since = row.get("~since_ms").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
    // A reboot begins the search anew; a box that nobody touched had days for it.
    let since = since.into_iter().chain((!state.booted.is_zero()).then_some(state.booted)).max();
    let settled = since.is_none_or(|since| now.since_start > since + SYNC_TAKES);
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
        Arc::new({
            let mut row = Record::new(*id)
                .with("type", "command")
                .with("owner", job.owner.clone())
                .with("started", job.started.clone())
                .with("policy", job.policies.join(","));
            if let Some(script) = &job.script {
                row.set("script", script.clone());
            }
            if let Some(parent) = job.parent {
                row.set("parent", format!("*{parent:X}"));
            }
            row
        })
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

fn scheduled(state: &mut State, menu: &Menu, row: &mut Record, now: Now) {
    if let Some(next) =
        row.get("~next_ms").and_then(|ms| ms.parse::<u64>().ok()).filter(|_| !row.is("disabled"))
    {
        let then = (now.unix_s + next / 1_000).saturating_sub(now.since_start.as_secs());
        row.set("next-run", crate::values::show_date_time(then));
    }
    if menu.mode.is_some_and(|feature| !state.mode_allows(feature)) {
        row.set(".about", "inactivated, not allowed by device-mode");
    }
}
