//! Consequences of a write: what the router fills in, refuses or changes elsewhere.
//!
//! One place for everything special about a menu, so that `writes` stays the same for all of them.

use std::sync::Arc;

use crate::answer::Refusal;
use crate::commands::plan_schedule;
use crate::links::{self, repoint};
use crate::spec::Menu;
use crate::state::{Now, State};
use crate::table::{Record, Table};
use crate::values::{network_of, parse_date_time, parse_time, show_date_time};
use crate::writes::Args;
use crate::{bridging, firewall, radio};

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

/// Whether a reference points at something. The target is a menu, or a word for something less simple.
pub fn exists(state: &mut State, target: &'static str, name: &str) -> bool {
    let menu = match target {
        menu if menu.starts_with('/') => menu,
        "interface" => "/interface",
        // A bridge port may name an interface list instead.
        "port" if state.table("/interface/list").named(name).is_some() => return true,
        "port" => return name != "lo" && state.table("/interface").named(name).is_some(),
        "matched-interface" if KINDS_OF_INTERFACE.contains(&name) => return true,
        "matched-interface" => "/interface",
        "list" => "/interface/list",
        "pool" => return name == "static-only" || state.table("/ip/pool").named(name).is_some(),
        "next-pool" => return name == "none" || state.table("/ip/pool").named(name).is_some(),
        "server" => return name == "all" || state.table("/ip/dhcp-server").named(name).is_some(),
        "table" => "/routing/table",
        "group" => "/user/group",
        "user" => "/user",
        "action" => "/system/logging/action",
        _ => return true,
    };
    state.table(menu).named(name).is_some()
}

/// Words that the firewall takes for many interfaces at once.
const KINDS_OF_INTERFACE: [&str; 4] = ["all-ethernet", "all-ppp", "all-vlan", "all-wireless"];

/// Forgets what followed from values that are about to be written anew.
pub fn rewritten(menu: &Menu, row: &mut Record, args: &Args) {
    let written = |name: &str| args.iter().any(|(key, _)| key == name);
    match menu.path {
        // Only a new timeout winds the clock up again.
        "/ip/firewall/address-list" if written("timeout") => {
            row.unset("~until_ms");
        }
        "/ip/address" if written("address") && !written("network") => {
            row.unset("network");
        }
        "/system/scheduler" if written("start-time") || written("start-date") => {
            row.unset("~start_ms");
        }
        _ => {}
    }
}

/// Fills in what follows from the written values, before the row is stored.
pub fn complete(state: &mut State, menu: &'static Menu, row: &mut Record, now: Now) -> Result<(), Refusal> {
    match menu.path {
        "/ip/address" => address(state, row)?,
        "/ip/route" => route(state, row)?,
        "/ip/firewall/filter" | "/ip/firewall/nat" | "/ip/firewall/mangle" => firewall::check(row)?,
        "/ip/dhcp-server" => dhcp_server(state, row)?,
        "/interface/bridge/port" => bridging::check(row)?,
        "/interface/bridge" if row.get("admin-mac").is_some() && !row.is("auto-mac") => {
            let mac = row.text("admin-mac").to_owned();
            row.set("mac-address", mac);
        }
        _ if radio::is_radio_menu(menu) => {
            radio::check(state, menu, row)?;
            radio::hide_power(row);
        }
        "/ip/firewall/address-list" => list_entry(row, now),
        "/system/ntp/client" => ntp_client(state, row, now),
        "/system/ntp/client/servers" => {
            state
                .table_mut("/system/ntp/client")
                .only_mut()
                .set("~since_ms", now.since_start.as_millis().to_string());
            let resolved = row.text("address").to_owned();
            row.set("resolved-address", resolved);
        }
        "/user/ssh-keys" => ssh_key(state, row)?,
        "/file" => file(row, now),
        "/system/scheduler" => scheduler(state, row, now)?,
        "/system/script" if row.get("owner").is_none() => row.set("owner", state.acting.clone()),
        _ => {}
    }
    if let Some((_, prefix)) = interface_kind(menu)
        && row.text("name").is_empty()
    {
        let name = free_name(state.table("/interface"), prefix);
        row.set("name", name);
    }
    // A name is one interface's only, whatever the kinds.
    let namesake = |other: &Arc<Record>| other.id != row.id && other.get("name") == row.get("name");
    if interface_kind(menu).is_some() && state.table("/interface").rows.iter().any(namesake) {
        return Err(Refusal::bad("failure: already have interface with such name"));
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

fn address(state: &mut State, row: &mut Record) -> Result<(), Refusal> {
    if let Some(mask) = row.get("netmask").and_then(|mask| mask.parse::<std::net::Ipv4Addr>().ok()) {
        let bits = u32::from(mask);
        if bits.leading_ones() + bits.trailing_zeros() != 32 {
            return Err(Refusal::bad("invalid value for argument netmask"));
        }
        let own = row.text("address").split('/').next().unwrap_or("").to_owned();
        row.set("address", format!("{own}/{}", bits.leading_ones()));
    }
    row.unset("netmask");
    row.unset("broadcast");
    if row.get("network").is_none()
        && let Some((network, _)) = network_of(row.text("address"))
    {
        row.set("network", network.to_string());
    }
    let own = |row: &Record| row.text("address").split('/').next().unwrap_or("").to_owned();
    let twin = |other: &Arc<Record>| {
        other.id != row.id && own(other) == own(row) && other.text("interface") == row.text("interface")
    };
    if state.table("/ip/address").rows.iter().any(twin) {
        return Err(Refusal::bad("failure: already have such address"));
    }
    Ok(())
}

fn route(state: &mut State, row: &mut Record) -> Result<(), Refusal> {
    match row.get("blackhole") {
        None | Some("") => {}
        Some("true" | "yes") => row.set("blackhole", ""),
        Some("false" | "no") => {
            row.unset("blackhole");
        }
        Some(_) => return Err(Refusal::bad("invalid value for argument blackhole")),
    }
    if row.get("gateway").is_none() && row.get("blackhole").is_none() {
        return Err(Refusal::bad("missing value(s) of argument(s) gateway"));
    }
    let unknown = || Refusal::bad("input does not match any value of gateway");
    for gateway in row.text("gateway").split(',').filter(|gateway| !gateway.is_empty()) {
        let (rest, table) =
            gateway.split_once('@').map_or((gateway, None), |(rest, table)| (rest, Some(table)));
        let (head, interface) = rest.split_once('%').map_or((rest, None), |(head, name)| (head, Some(name)));
        let named = interface.or_else(|| head.parse::<std::net::IpAddr>().is_err().then_some(head));
        let lost =
            |menu: &'static str, name: &str, state: &mut State| state.table(menu).named(name).is_none();
        if named.is_some_and(|name| !links::dead(name) && lost("/interface", name, state))
            || table.is_some_and(|name| lost("/routing/table", name, state))
        {
            return Err(unknown());
        }
    }
    Ok(())
}

fn dhcp_server(state: &mut State, row: &mut Record) -> Result<(), Refusal> {
    if row.text("name").is_empty() {
        let name = free_name(state.table("/ip/dhcp-server"), "dhcp");
        row.set("name", name);
    }
    if !row.is("disabled") && bridging::bridge_of(state, row.text("interface")).is_some() {
        return Err(Refusal::bad("failure: can not run on slave interface"));
    }
    Ok(())
}

fn list_entry(row: &mut Record, now: Now) {
    if row.get("creation-time").is_none() {
        row.set("creation-time", show_date_time(now.unix_s));
    }
    let time = row.get("timeout").and_then(parse_time).filter(|time| !time.is_zero());
    if time.is_none() {
        row.unset("timeout");
        row.unset("~until_ms");
    }
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

/// An entry without a start begins now, so its first turn is one interval away; `commands::schedule` does the running.
fn scheduler(state: &State, row: &mut Record, now: Now) -> Result<(), Refusal> {
    if row.get("owner").is_none() {
        row.set("owner", state.acting.clone());
    }
    if row.get("~start_ms").is_none() {
        let today = show_date_time(now.unix_s);
        let (date, time) = today.split_once(' ').unwrap_or((&today, ""));
        if row.get("start-date").is_none() {
            row.set("start-date", date.to_owned());
        }
        let given = row.get("start-time").is_some();
        if !given {
            row.set("start-time", time.to_owned());
        }
        let now_ms = i64::try_from(now.since_start.as_millis()).unwrap_or(i64::MAX);
        let start = match row.text("start-time") {
            "startup" => now_ms,
            _ if !given => now_ms,
            time => {
                let text = format!("{} {time}", row.text("start-date"));
                let then = parse_date_time(&text)
                    .ok_or_else(|| Refusal::bad("invalid value for argument start-time"))?;
                let seconds = i64::try_from(then).unwrap_or(0) - i64::try_from(now.unix_s).unwrap_or(0);
                // `unix_s` is cut to seconds, and so is this.
                (now_ms / 1_000).saturating_add(seconds).saturating_mul(1_000)
            }
        };
        row.set("~start_ms", start.to_string());
    }
    plan_schedule(row, now);
    Ok(())
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
        "/interface/bridge/port" => bridging::mark_slaves(state),
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
    let keys = links::keys_of(menu.path);
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
    if matches!(menu.path, "/interface/bridge/port" | "/interface/list/member") {
        bridging::mark_slaves(state);
    }
}

/// After a row was removed: links to it read back as its dead id.
pub fn removed(state: &mut State, menu: &'static Menu, row: &Record) {
    if interface_kind(menu).is_some() {
        state.table_mut("/interface").rows.retain(|other| other.id != row.id);
    }
    let keys = links::keys_of(menu.path);
    if !keys.is_empty() && !row.text("name").is_empty() {
        repoint(state, keys, row.text("name"), &row.wire_id());
    }
    match menu.path {
        "/system/ntp/client/servers" => gather_ntp(state),
        path if path.starts_with("/interface") => bridging::mark_slaves(state),
        _ => {}
    }
}

/// Rows that cannot be removed: hardware, built-in and dynamic ones.
///
/// A dynamic entry of an address list and a dynamic lease are there to be removed.
pub fn pinned(menu: &Menu, row: &Record) -> bool {
    let made_of_metal = interface_kind(menu).is_some() && row.get("default-name").is_some();
    let lent = matches!(menu.path, "/ip/firewall/address-list" | "/ip/dhcp-server/lease");
    made_of_metal || row.is("builtin") || row.is("default") || (row.is("dynamic") && !lent)
}

/// Rows that cannot be changed: what the router made itself.
pub fn sealed(menu: &Menu, row: &Record) -> bool {
    row.is("dynamic") && menu.path != "/ip/firewall/address-list"
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
