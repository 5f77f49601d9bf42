//! The configuration as console text, the way `/export` prints it.
//!
//! Reads only. Leaves out what the box works out itself, defaults of new rows, and secrets unless asked.

use crate::spec::{Catalogue, Menu, Shape};
use crate::state::{Now, State};
use crate::table::Record;
use crate::values::{quoted, show_date_time};

/// Menus without configuration of their own, or never exported.
const LEFT_OUT: [&str; 8] = [
    "/file",
    "/user",
    "/user/group",
    "/user/ssh-keys",
    "/system/clock",
    "/interface",
    "/system/ntp/client/servers",
    "/certificate",
];

/// Everything, or one menu and those below it.
pub fn text(state: &mut State, path: Option<&str>, sensitive: bool, now: Now) -> String {
    let catalogue: &'static Catalogue = state.catalogue;
    let profile = state.birth.profile;
    let mut out = format!("# {} by RouterOS {}\n", show_date_time(now.unix_s), profile.version());
    out.push_str("# software id = X4JD-9QQL\n#\n");
    if profile.is_hardware() {
        out.push_str(&format!("# model = {}\n", profile.board()));
    }
    let wanted = |menu: &Menu| path.is_none_or(|path| menu.path.starts_with(path.trim_end_matches('/')));
    for menu in catalogue.menus().filter(|menu| !menu.set.is_empty() && wanted(menu)) {
        if !LEFT_OUT.contains(&menu.path) {
            section(state, menu, sensitive, &mut out);
        }
    }
    out
}

fn section(state: &mut State, menu: &'static Menu, sensitive: bool, out: &mut String) {
    let rows = state.table(menu.path).rows.clone();
    let mut lines = Vec::new();
    for row in &rows {
        if row.is("dynamic") || row.is("builtin") || row.is("default") {
            continue;
        }
        let words = words(menu, row, sensitive);
        if words.is_empty() {
            continue;
        }
        lines.push(match menu.shape {
            Shape::One => format!("set{words}"),
            _ if menu.add.is_empty() || row.get("default-name").is_some() => {
                let name = row.get("default-name").or(row.get("name")).unwrap_or("");
                let key = if row.get("default-name").is_some() { "default-name" } else { "name" };
                format!("set [ find {key}={} ]{words}", quoted(name))
            }
            _ => format!("add{words}"),
        });
    }
    if !lines.is_empty() {
        out.push_str(&menu.path.replacen('/', " ", usize::MAX).replacen(' ', "/", 1));
        out.push('\n');
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
    }
}

fn words(menu: &Menu, row: &Record, sensitive: bool) -> String {
    let secret =
        |key: &str| !sensitive && (key.contains("passphrase") || key.ends_with("-key") || key == "password");
    let mut pairs: Vec<(&str, &str)> = row
        .props()
        .filter(|(key, value)| {
            menu.set.iter().any(|arg| arg.name == *key)
                && !value.is_empty()
                && !secret(key)
                && !menu.fresh.contains(&(key, value))
        })
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(key, value)| format!(" {key}={}", quoted(console(value)))).collect()
}

/// The console says yes and no.
fn console(value: &str) -> &str {
    match value {
        "true" => "yes",
        "false" => "no",
        value => value,
    }
}
