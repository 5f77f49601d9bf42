//! Wireless of all three stacks: what makes an access point, what is in the air, and who falls out of it.
//!
//! Settings of the newer stacks may stand on the interface or in a profile it names; the interface wins. A
//! virtual access point lives on its master's radio and channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::answer::Refusal;
use crate::forms::frequency;
use crate::links::dead;
use crate::spec::Menu;
use crate::state::State;
use crate::table::Record;

/// The menus of interfaces, and those of their clients.
const STACKS: [(&str, &str); 3] = [
    ("/interface/wireless", "/interface/wireless/registration-table"),
    ("/interface/wifi", "/interface/wifi/registration-table"),
    ("/interface/wifiwave2", "/interface/wifiwave2/registration-table"),
];
const LEGACY: &str = "/interface/wireless";

/// Whether a menu holds wireless interfaces.
pub fn is_radio_menu(menu: &Menu) -> bool {
    STACKS.iter().any(|(path, _)| *path == menu.path)
}

/// Whether a property is a secret that only logins with the policy `sensitive` read.
pub fn secret(key: &str) -> bool {
    key == "passphrase" || key.ends_with(".passphrase") || key.ends_with("pre-shared-key")
}

/// Refuses what cannot be an access point.
pub fn check(state: &mut State, menu: &'static Menu, row: &Record) -> Result<(), Refusal> {
    let physical = row.get("default-name").is_some() || row.get("cap").is_some();
    let Some(master) = row.get("master-interface").map(str::to_owned) else {
        return if physical || (menu.path != LEGACY && row.get("radio-mac").is_some()) {
            Ok(())
        } else {
            Err(Refusal::bad("missing value(s) of argument(s) master-interface"))
        };
    };
    if dead(&master) {
        return Ok(());
    }
    let of_a_radio = |other: &Arc<Record>| other.get("master-interface").is_none() && other.id != row.id;
    if physical || !state.table(menu.path).named(&master).is_some_and(of_a_radio) {
        return Err(Refusal::bad("input does not match any value of master-interface"));
    }
    let own_channel = ["band", "channel-width", "frequency"].iter().find(|key| row.get(key).is_some());
    if let Some(key) = own_channel.filter(|_| menu.path == LEGACY) {
        return Err(Refusal::bad(format!("failure: {key} can not be set on virtual interface")));
    }
    Ok(())
}

/// The old stack shows a power only in a mode that uses it.
pub fn hide_power(row: &mut Record) {
    if row.get("tx-power-mode") == Some("default") {
        row.unset("tx-power");
    }
}

/// What an access point sends, by menu and name: as long as this stays the same, clients stay.
pub type Air = BTreeMap<(&'static str, String), String>;

/// What is in the air now.
pub fn air(state: &mut State) -> Air {
    let mut air = Air::new();
    for (path, _) in STACKS {
        let rows = Arc::clone(state.table(path));
        for row in &rows.rows {
            let words = format!(
                "{}|{}|{}",
                ssid(state, path, row),
                problem(state, path, row).unwrap_or("on"),
                security(state, path, row),
            );
            air.insert((path, row.text("name").to_owned()), words);
        }
    }
    air
}

/// Drops the clients of every access point that is not what it was.
pub fn kick(state: &mut State, before: &Air) {
    let after = air(state);
    for (path, clients) in STACKS {
        let gone = |row: &Arc<Record>| {
            let key = (path, row.text("interface").to_owned());
            before.contains_key(&key) && before.get(&key) != after.get(&key)
        };
        if state.table(clients).rows.iter().any(gone) {
            state.table_mut(clients).rows.retain(|row| !gone(row));
        }
    }
}

/// An access point as it reads now.
pub fn shown(state: &mut State, menu: &Menu, row: &mut Record) {
    let problem = problem(state, menu.path, row);
    row.set("running", if problem.is_none() { "true" } else { "false" });
    if menu.path == LEGACY {
        return;
    }
    // These flags are there only when they are true.
    let flags = [
        ("master", row.get("master-interface").is_none()),
        ("bound", !row.get("master-interface").is_some_and(dead)),
        ("inactive", problem.is_some_and(|why| why != "disabled")),
    ];
    for (key, on) in flags {
        if on {
            row.set(key, "true");
        } else {
            row.unset(key);
        }
    }
    if problem == Some("no available channels") {
        row.set(".about", "no available channels");
    }
}

/// Whether the interface of that name is a wireless one, and if so whether it works.
pub fn works(state: &mut State, name: &str) -> Option<bool> {
    for (path, _) in STACKS {
        if let Some(row) = state.table(path).named(name).cloned() {
            return Some(problem(state, path, &row).is_none());
        }
    }
    None
}

/// A setting of the interface: its own, else that of a profile it names.
fn setting(state: &mut State, path: &str, row: &Record, group: &str, key: &str) -> Option<String> {
    if path == LEGACY {
        return row.get(key).map(str::to_owned);
    }
    if let Some(own) = row.get(&format!("{group}.{key}")) {
        return Some(own.to_owned());
    }
    let profile = profile_row(state, path, group, row.text(group));
    if let Some(value) = profile.as_ref().and_then(|profile| profile.get(key)) {
        return Some(value.to_owned());
    }
    if group == "configuration" {
        return None;
    }
    // A configuration profile may bring channel and security, or name profiles of them.
    let configuration = profile_row(state, path, "configuration", row.text("configuration"))?;
    if let Some(value) = configuration.get(&format!("{group}.{key}")) {
        return Some(value.to_owned());
    }
    profile_row(state, path, group, configuration.text(group))?.get(key).map(str::to_owned)
}

fn profile_row(state: &mut State, path: &str, profile: &str, name: &str) -> Option<Arc<Record>> {
    let menu = match (path, profile) {
        ("/interface/wifi", "configuration") => "/interface/wifi/configuration",
        ("/interface/wifi", "security") => "/interface/wifi/security",
        ("/interface/wifi", "channel") => "/interface/wifi/channel",
        (_, "configuration") => "/interface/wifiwave2/configuration",
        (_, "security") => "/interface/wifiwave2/security",
        (_, "channel") => "/interface/wifiwave2/channel",
        _ => return None,
    };
    state.table(menu).named(name).cloned()
}

fn ssid(state: &mut State, path: &str, row: &Record) -> String {
    setting(state, path, row, "configuration", "ssid").unwrap_or_default()
}

fn security(state: &mut State, path: &str, row: &Record) -> String {
    if path == LEGACY {
        let profile =
            state.table("/interface/wireless/security-profiles").named(row.text("security-profile"));
        let keys = ["mode", "authentication-types", "wpa-pre-shared-key", "wpa2-pre-shared-key"];
        return keys.map(|key| profile.map_or("", |profile| profile.text(key))).join("|");
    }
    ["authentication-types", "passphrase"]
        .map(|key| setting(state, path, row, "security", key).unwrap_or_default())
        .join("|")
}

/// Why an access point is not in the air.
fn problem(state: &mut State, path: &'static str, row: &Record) -> Option<&'static str> {
    if row.is("disabled") {
        return Some("disabled");
    }
    if let Some(master) = row.get("master-interface") {
        let master = master.to_owned();
        let Some(master) = state.table(path).named(&master).cloned() else { return Some("no master") };
        return problem(state, path, &master).map(|_| "master is not running");
    }
    if ssid(state, path, row).is_empty() {
        return Some("no SSID");
    }
    let band = setting(state, path, row, "channel", "band").unwrap_or_default();
    let radio = row.get("~radio").unwrap_or("");
    let able = |mhz: u32| match radio {
        "2ghz" => mhz < 3_000,
        "5ghz" => (5_000..5_900).contains(&mhz),
        _ => true,
    };
    let wanted = setting(state, path, row, "channel", "frequency").unwrap_or_default();
    let any = wanted.is_empty() || wanted == "auto" || wanted.split(',').any(|part| overlaps(part, &able));
    let right_band = band.is_empty() || radio.is_empty() || band.starts_with(radio);
    (!any || !right_band).then_some("no available channels")
}

/// Whether a frequency, or a range of them, holds one that the radio can do.
fn overlaps(text: &str, able: &impl Fn(u32) -> bool) -> bool {
    let range = text.split(':').next().unwrap_or(text);
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    match (from.parse::<u32>(), to.parse::<u32>()) {
        (Ok(from), Ok(to)) => (from..=to).any(|mhz| able(mhz) && frequency(&mhz.to_string()).is_some()),
        _ => false,
    }
}
