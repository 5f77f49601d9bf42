//! Consequences of a write: what the router fills in, refuses or changes elsewhere.
//!
//! One place for everything special about a menu, so that `writes` stays the same for all of them.

use std::sync::Arc;

use crate::answer::Refusal;
use crate::spec::Menu;
use crate::state::{Now, State};
use crate::table::{Record, Table};
use crate::values::{network_of, parse_time, show_date_time};

/// Menus whose rows are interfaces, and the type `/interface` gives them.
const INTERFACES: [(&str, &str, &str); 6] = [
    ("/interface/ethernet", "ether", "ether"),
    ("/interface/vlan", "vlan", "vlan"),
    ("/interface/bridge", "bridge", "bridge"),
    ("/interface/wireless", "wlan", "wlan"),
    ("/interface/wifi", "wifi", "wifi"),
    ("/interface/wifiwave2", "wifiwave2", "wifi"),
];

/// Properties that `/interface` shares with the menu of the interface's kind.
const SHARED: [&str; 6] = ["name", "comment", "disabled", "mtu", "l2mtu", "mac-address"];

fn interface_kind(menu: &Menu) -> Option<(&'static str, &'static str)> {
    INTERFACES.iter().find(|(path, ..)| *path == menu.path).map(|(_, kind, prefix)| (*kind, *prefix))
}

/// The id of a new row. Interfaces of all kinds draw from one pot.
pub fn fresh_id(state: &mut State, menu: &'static Menu) -> u64 {
    let pot = if interface_kind(menu).is_some() { "/interface" } else { menu.path };
    let table = state.table_mut(pot);
    if menu.path == "/ip/route" {
        table.next = table.next.max(0x8000_0001);
    }
    table.fresh_id()
}

/// Whether a reference points at something.
pub fn exists(state: &mut State, target: &str, name: &str) -> bool {
    let menu = match target {
        "interface" => "/interface",
        "list" => "/interface/list",
        "bridge" => "/interface/bridge",
        "pool" => return name == "static-only" || state.table("/ip/pool").named(name).is_some(),
        "server" => return name == "all" || state.table("/ip/dhcp-server").named(name).is_some(),
        "table" => "/routing/table",
        "group" => "/user/group",
        "user" => "/user",
        "action" => "/system/logging/action",
        _ => return true,
    };
    // A bridge port or a VLAN may name an interface list instead.
    let found = state.table(menu).named(name).is_some();
    found || (target == "interface" && state.table("/interface/list").named(name).is_some())
}

/// Fills in what follows from the written values, before the row is stored.
pub fn complete(state: &mut State, menu: &'static Menu, row: &mut Record, now: Now) -> Result<(), Refusal> {
    match menu.path {
        "/ip/address" => address(row),
        "/ip/route" => route(row),
        "/ip/firewall/address-list" => list_entry(row, now),
        "/system/ntp/client" => ntp_client(state, row, now),
        "/system/ntp/client/servers" => {
            let resolved = row.text("address").to_owned();
            row.set("resolved-address", resolved);
        }
        "/user/ssh-keys" => ssh_key(state, row)?,
        "/file" => file(row, now),
        "/system/scheduler" => scheduler(row, now),
        "/system/script" if row.get("owner").is_none() => row.set("owner", "admin"),
        _ => {}
    }
    if let Some((_, prefix)) = interface_kind(menu)
        && row.text("name").is_empty()
    {
        let name = free_name(state.table("/interface"), prefix);
        row.set("name", name);
    }
    Ok(())
}

fn free_name(table: &Table, prefix: &str) -> String {
    let mut number = 1;
    loop {
        let name = format!("{prefix}{number}");
        if table.named(&name).is_none() {
            return name;
        }
        number += 1;
    }
}

fn address(row: &mut Record) {
    if !row.text("address").contains('/') {
        let full = format!("{}/32", row.text("address"));
        row.set("address", full);
    }
    if let Some((network, _)) = network_of(row.text("address")) {
        row.set("network", network.to_string());
    }
    let interface = row.text("interface").to_owned();
    row.set("actual-interface", interface);
}

fn route(row: &mut Record) {
    if let Some((network, length)) = network_of(row.text("dst-address")) {
        row.set("dst-address", format!("{network}/{length}"));
    }
    if matches!(row.get("blackhole"), Some("true" | "yes")) {
        row.set("blackhole", "");
    } else if matches!(row.get("blackhole"), Some("false" | "no")) {
        row.unset("blackhole");
    }
}

fn list_entry(row: &mut Record, now: Now) {
    if row.get("creation-time").is_none() {
        row.set("creation-time", show_date_time(now.unix_s));
    }
    let time = row.get("timeout").and_then(parse_time);
    if let Some(time) = time.filter(|_| row.get("~until_ms").is_none()) {
        let until = now.since_start + time;
        row.set("~until_ms", until.as_millis().to_string());
        row.set("dynamic", "true");
    }
}

/// The servers of the client and the rows of its servers menu are one thing.
fn ntp_client(state: &mut State, row: &mut Record, now: Now) {
    row.set("~since_ms", now.since_start.as_millis().to_string());
    let Some(servers) = row.get("servers").map(str::to_owned) else { return };
    let table = state.table_mut("/system/ntp/client/servers");
    let same = |rows: &[Arc<Record>]| {
        rows.iter().map(|row| row.text("address")).collect::<Vec<_>>().join(",") == servers
    };
    if same(&table.rows) {
        return;
    }
    table.rows.clear();
    for server in servers.split(',').filter(|server| !server.is_empty()) {
        let id = table.fresh_id();
        let entry = Record::new(id)
            .with("address", server.to_owned())
            .with("auth-key", "none")
            .with("disabled", "false")
            .with("dynamic", "false")
            .with("iburst", "true")
            .with("max-poll", "10")
            .with("min-poll", "6")
            .with("resolved-address", server.to_owned());
        table.push(entry);
    }
}

fn ssh_key(state: &mut State, row: &mut Record) -> Result<(), Refusal> {
    let Some(key) = row.get("key").map(str::to_owned) else { return Ok(()) };
    let refused = || Refusal::bad("unable to load key file (wrong format or bad passphrase)!");
    let mut words = key.split_whitespace();
    let (kind, bits) = match words.next() {
        Some("ssh-rsa") => ("rsa", "2048"),
        Some("ssh-ed25519") => ("ed25519", "256"),
        _ => return Err(refused()),
    };
    let blob = words.next().filter(|blob| blob.starts_with("AAAA")).ok_or_else(refused)?;
    let release = crate::profile::release(state.birth.profile.version());
    let owner = words.next().unwrap_or("").to_owned();
    row.set(if release >= (7, 21, 0) { "info" } else { "key-owner" }, owner);
    row.set("bits", bits);
    if release >= (7, 15, 0) {
        row.set("key-type", kind);
    } else {
        row.set("RSA", if kind == "rsa" { "true" } else { "false" });
    }
    if release > (7, 16, 9) {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(blob.as_bytes());
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, digest);
        row.set("fingerprint", format!("SHA256:{text}"));
    }
    row.unset("key");
    Ok(())
}

fn file(row: &mut Record, now: Now) {
    let size = row.text("contents").len();
    row.set("size", size.to_string());
    row.set("last-modified", show_date_time(now.unix_s));
    if row.get("type").is_none() {
        let kind =
            row.text("name").rsplit_once('.').map_or("file".to_owned(), |(_, end)| format!(".{end} file"));
        row.set("type", kind);
    }
}

/// The first run is one interval from now; `commands::schedule` does the running.
fn scheduler(row: &mut Record, now: Now) {
    if row.get("owner").is_none() {
        row.set("owner", "admin");
    }
    let next = row.get("interval").and_then(parse_time).filter(|time| !time.is_zero());
    match next {
        Some(time) => {
            row.set("~next_ms", (now.since_start + time).as_millis().to_string());
            row.set("next-run", show_date_time(now.unix_s + time.as_secs()));
        }
        None => {
            row.unset("~next_ms");
        }
    }
}

/// After a row was added.
pub fn added(state: &mut State, menu: &'static Menu, id: u64) {
    let Some(row) = state.table(menu.path).row(id).cloned() else { return };
    if let Some((kind, _)) = interface_kind(menu) {
        let mut twin = Record::new(id).with("type", kind).with("running", "true").with("actual-mtu", "1500");
        copy_shared(&row, &mut twin);
        state.table_mut("/interface").push(twin);
    }
    match menu.path {
        "/interface/bridge/port" => enslave(state, row.text("interface"), true),
        "/system/ntp/client/servers" => gather_ntp(state),
        _ => {}
    }
}

/// The servers menu changed by itself: the client's list follows.
fn gather_ntp(state: &mut State) {
    let rows = state.table("/system/ntp/client/servers").rows.clone();
    let servers: Vec<&str> = rows.iter().map(|row| row.text("address")).collect();
    state.table_mut("/system/ntp/client").only_mut().set("servers", servers.join(","));
}

/// After a row was changed.
pub fn changed(state: &mut State, menu: &'static Menu, id: u64, old: &Record) {
    let Some(row) = state.table(menu.path).row(id).cloned() else { return };
    let twins: Vec<&'static str> = match menu.path {
        "/interface" => INTERFACES.iter().map(|(path, ..)| *path).collect(),
        _ if interface_kind(menu).is_some() => vec!["/interface"],
        _ => vec![],
    };
    let renamed = row.get("name") != old.get("name");
    let keys: &[&'static str] = match menu.path {
        _ if !twins.is_empty() => {
            &["interface", "actual-interface", "bridge", "master-interface", "in-interface", "out-interface"]
        }
        "/ip/pool" => &["address-pool", "next-pool"],
        "/ip/dhcp-server" => &["server", "active-server"],
        "/user/group" => &["group"],
        "/routing/table" => &["routing-table"],
        _ => &[],
    };
    if menu.path == "/system/ntp/client/servers" {
        gather_ntp(state);
    }
    for twin in twins {
        if state.table(twin).row(id).is_some()
            && let Some(other) = state.table_mut(twin).row_mut(id)
        {
            copy_shared(&row, other);
        }
    }
    if renamed && !keys.is_empty() {
        repoint(state, keys, old.text("name"), row.text("name"));
    }
}

/// After a row was removed: links to it read back as its dead id.
pub fn removed(state: &mut State, menu: &'static Menu, row: &Record) {
    if interface_kind(menu).is_some() {
        state.table_mut("/interface").rows.retain(|other| other.id != row.id);
    }
    match menu.path {
        "/interface/bridge/port" => enslave(state, row.text("interface"), false),
        "/system/ntp/client/servers" => gather_ntp(state),
        "/ip/pool" => repoint(state, &["address-pool", "next-pool"], row.text("name"), &row.wire_id()),
        "/ip/dhcp-server" => repoint(state, &["server"], row.text("name"), &row.wire_id()),
        "/interface/vlan" | "/interface/bridge" | "/interface/wifi" | "/interface/wireless" => {
            repoint(state, &["interface", "bridge", "master-interface"], row.text("name"), &row.wire_id());
        }
        _ => {}
    }
}

/// Rows that cannot be removed: hardware, built-in and dynamic ones.
pub fn pinned(menu: &Menu, row: &Record) -> bool {
    let made_of_metal = interface_kind(menu).is_some() && row.get("default-name").is_some();
    let dynamic = row.is("dynamic") && row.get("~until_ms").is_none() && menu.path != "/ip/dhcp-server/lease";
    made_of_metal || row.is("builtin") || row.is("default") || dynamic
}

fn copy_shared(from: &Record, to: &mut Record) {
    for key in SHARED {
        match from.get(key) {
            Some(value) => to.set(key, value.to_owned()),
            None if key == "comment" => {
                to.unset(key);
            }
            None => {}
        }
    }
}

fn enslave(state: &mut State, interface: &str, slave: bool) {
    let Some(id) = state.table("/interface").named(interface).map(|row| row.id) else { return };
    if let Some(row) = state.table_mut("/interface").row_mut(id) {
        if slave {
            row.set("slave", "true");
        } else {
            row.unset("slave");
        }
    }
}

fn repoint(state: &mut State, keys: &[&'static str], old: &str, new: &str) {
    const HOLDERS: [&str; 16] = [
        "/interface/bridge/port",
        "/interface/bridge/vlan",
        "/interface/vlan",
        "/interface/wifi",
        "/interface/wireless",
        "/interface/list/member",
        "/ip/address",
        "/ip/arp",
        "/ip/dhcp-client",
        "/ip/dhcp-server",
        "/ip/dhcp-server/lease",
        "/ip/firewall/filter",
        "/ip/firewall/nat",
        "/ip/pool",
        "/ip/route",
        "/user",
    ];
    for holder in HOLDERS {
        let points = |row: &Arc<Record>| keys.iter().any(|key| row.get(key) == Some(old));
        let hit: Vec<u64> =
            state.table(holder).rows.iter().filter(|row| points(row)).map(|row| row.id).collect();
        for id in hit {
            let Some(row) = state.table_mut(holder).row_mut(id) else { continue };
            for key in keys.iter().filter(|key| row.get(key) == Some(old)).copied().collect::<Vec<_>>() {
                row.set(key, new.to_owned());
            }
        }
    }
}
