//! First contents of every menu, read once per profile from `data/seed.txt` and shared by all boxes.
//!
//! Texts that differ from box to box stand in `$(…)` and are filled in when a box first needs the menu.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::profile::Profile;
use crate::spec::{Catalogue, Shape};
use crate::table::{Record, Table, Text, parse_id};

const SEED: &str = include_str!("../data/seed.txt");

/// One menu as every box of a profile starts with it.
#[derive(Debug)]
pub struct Seed {
    /// The rows.
    pub table: Arc<Table>,
    /// Whether some text must be filled in per box.
    pub personal: bool,
}

/// The first contents of a profile.
pub fn of(profile: Profile) -> &'static BTreeMap<&'static str, Seed> {
    static ALL: [OnceLock<BTreeMap<&'static str, Seed>>; 4] = [const { OnceLock::new() }; 4];
    ALL[profile.index()].get_or_init(|| read(profile))
}

/// Fills in what differs from box to box.
pub fn personalise(table: &Table, fill: &dyn Fn(&str) -> String) -> Table {
    let mut table = table.clone();
    for row in &mut table.rows {
        for value in Arc::make_mut(row).props_mut().filter(|value| value.contains("$(")) {
            *value = Cow::Owned(expand(value, fill));
        }
    }
    table
}

fn expand(text: &str, fill: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$(") {
        let (word, tail) = after.split_once(')').unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&fill(word));
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn read(profile: Profile) -> BTreeMap<&'static str, Seed> {
    let mut tables: BTreeMap<&'static str, (Table, bool)> = BTreeMap::new();
    let catalogue = Catalogue::of(profile);
    let mut menu = "";
    for line in SEED.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('/') {
            menu = line;
            continue;
        }
        let (who, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mine = who.split('+').any(|name| match name {
            "*" => true,
            "hw" => profile.is_hardware(),
            name => name == profile.tag(),
        });
        if !mine {
            continue;
        }
        let (table, personal) = tables.entry(menu).or_default();
        let mut row = Record::default();
        let mut own_id = None;
        for (key, value) in pairs(rest) {
            if key == ".id" {
                own_id = parse_id(&value);
                continue;
            }
            *personal |= value.contains("$(");
            row.set(key, value);
        }
        let single = catalogue.menu(menu).is_some_and(|menu| menu.shape == Shape::One);
        row.id = if single { Record::NO_ID } else { own_id.unwrap_or_else(|| table.fresh_id()) };
        table.push(row);
    }
    tables
        .into_iter()
        .map(|(menu, (table, personal))| (menu, Seed { table: Arc::new(table), personal }))
        .collect()
}

/// Splits `key=value key="a value"`, undoing `\"`, `\n`, `\xHH` inside quotes.
fn pairs(line: &'static str) -> Vec<(&'static str, Text)> {
    let mut found = Vec::new();
    let mut rest = line.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        if let Some(quoted) = after.strip_prefix('"') {
            let (value, tail) = unquote(quoted);
            found.push((key, value));
            rest = tail.trim_start();
        } else {
            let end = bare_end(after);
            found.push((key, Cow::Borrowed(&after[..end])));
            rest = after[end..].trim_start();
        }
    }
    found
}

/// A bare value ends at the first space outside `$(…)`.
fn bare_end(text: &str) -> usize {
    let mut inside = false;
    for (at, c) in text.char_indices() {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            ' ' if !inside => return at,
            _ => {}
        }
    }
    text.len()
}

fn unquote(text: &'static str) -> (Text, &'static str) {
    let mut out = String::new();
    let mut chars = text.char_indices();
    let mut plain = true;
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if plain => return (Cow::Borrowed(&text[..at]), &text[at + 1..]),
            '"' => return (Cow::Owned(out), &text[at + 1..]),
            '\\' => {
                if plain {
                    plain = false;
                    out.push_str(&text[..at]);
                }
                match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('x') => {
                        let hex: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                        out.push(raw_byte(u8::from_str_radix(&hex, 16).unwrap_or(b'?')));
                    }
                    Some(other) => out.push(other),
                    None => {}
                }
            }
            c if !plain => out.push(c),
            _ => {}
        }
    }
    (Cow::Owned(out), "")
}

/// Bytes above 0x7F are no characters of their own: they travel in a private plane until they are sent.
pub fn raw_byte(byte: u8) -> char {
    if byte < 0x80 { char::from(byte) } else { char::from_u32(0xF700 + u32::from(byte)).unwrap_or('?') }
}

/// The byte that such a character stands for.
pub fn as_raw_byte(c: char) -> Option<u8> {
    let code = u32::from(c);
    (0xF780..=0xF7FF).contains(&code).then(|| u8::try_from(code - 0xF700).unwrap_or(b'?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_readable_menu_of_the_seed_exists() {
        for profile in Profile::ALL {
            let catalogue = Catalogue::of(profile);
            for menu in of(profile).keys() {
                assert!(catalogue.menu(menu).is_some(), "{menu} has rows but no menu on {profile:?}");
            }
        }
    }

    #[test]
    fn quoting_and_gaps() {
        let pairs = pairs("a=1 b=\"x \\\"y\\\"\" c=$(mac 3) d=\"\"");
        assert_eq!(pairs[1], ("b", Cow::Borrowed("x \"y\"")));
        assert_eq!(pairs[2].1, "$(mac 3)");
        assert_eq!(pairs[3].1, "");
        assert_eq!(expand("a $(n) b", &|word| format!("<{word}>")), "a <n> b");
    }
}
