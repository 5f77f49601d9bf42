//! What a path means: a menu, a record of it, or one of its commands.
//!
//! Pure apart from the box's catalogue. `*` has to come raw; everything else may come encoded.

use crate::answer::Refusal;
use crate::spec::{Catalogue, Menu, Shape, known_anywhere};

/// What a path points at.
#[derive(Debug)]
pub enum Target {
    /// A menu.
    Menu(&'static Menu),
    /// A record by id or name.
    Row(&'static Menu, String),
    /// A command.
    Command(&'static Menu, String),
}

/// Reads a path below `/rest`.
pub fn resolve(catalogue: &'static Catalogue, path: &str) -> Result<Target, Refusal> {
    let mut segments = Vec::new();
    for raw in path.split('/').filter(|segment| !segment.is_empty()) {
        if raw.to_ascii_lowercase().contains("%2a") {
            return Err(Refusal::bad("no such command prefix"));
        }
        segments.push(decode(raw));
    }
    let full = |upto: usize| format!("/{}", segments[..upto].join("/"));
    if let Some(menu) = catalogue.menu(&full(segments.len())).filter(|menu| menu.shape != Shape::Dir) {
        return Ok(Target::Menu(menu));
    }
    let Some(last) = segments.last().cloned() else { return Err(unknown("")) };
    if segments.iter().any(|segment| segment.contains('/')) || !known_anywhere(&full(segments.len())) {
        let above = full(segments.len() - 1);
        if let Some(menu) = catalogue.menu(&above) {
            return child(menu, last);
        }
    }
    // The first word that leads nowhere is the one the router complains about.
    let lost =
        (1..=segments.len()).find(|upto| !leads_somewhere(catalogue, &full(*upto))).unwrap_or(segments.len());
    Err(unknown(&segments[lost - 1]))
}

fn leads_somewhere(catalogue: &Catalogue, path: &str) -> bool {
    let below = format!("{path}/");
    catalogue.menus().any(|menu| menu.path == path || menu.path.starts_with(&below))
}

fn child(menu: &'static Menu, word: String) -> Result<Target, Refusal> {
    if menu.command(&word).is_some() {
        return Ok(Target::Command(menu, word));
    }
    match menu.shape {
        Shape::List if word.starts_with('*') => Ok(Target::Row(menu, word)),
        Shape::List if has_names(menu) => Ok(Target::Row(menu, word)),
        Shape::List => Err(Refusal::bad("no such command prefix")),
        Shape::One | Shape::Dir => Err(unknown(&word)),
    }
}

/// Whether rows can be addressed by name.
fn has_names(menu: &Menu) -> bool {
    menu.arg("name").is_some() || menu.path == "/ip/service"
}

fn unknown(word: &str) -> Refusal {
    Refusal::bad(format!("no such command or directory ({word})"))
}

/// Undoes percent encoding; what is no encoding stays.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `a=b&c=d`, decoded.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn told(profile: Profile, path: &str) -> String {
        match resolve(Catalogue::of(profile), path) {
            Ok(Target::Menu(menu)) => format!("menu {}", menu.path),
            Ok(Target::Row(menu, key)) => format!("row {} {key}", menu.path),
            Ok(Target::Command(menu, word)) => format!("command {} {word}", menu.path),
            Err(refusal) => refusal.text().to_owned(),
        }
    }

    #[test]
    fn paths() {
        let new = Profile::Ccr7_24;
        assert_eq!(told(new, "/ip/address"), "menu /ip/address");
        assert_eq!(told(new, "/ip/address/*1F"), "row /ip/address *1F");
        assert_eq!(told(new, "/ip/address/%2A1F"), "no such command prefix");
        assert_eq!(told(new, "/ip/address/x"), "no such command prefix");
        assert_eq!(
            told(new, "/interface/sfp-sfpplus1%20to%20core%2F1"),
            "row /interface sfp-sfpplus1 to core/1"
        );
        assert_eq!(told(new, "/interface/wireless"), "no such command or directory (wireless)");
        assert_eq!(told(new, "/ping"), "no such command or directory (ping)");
        assert_eq!(told(Profile::Rb7_20_8, "/ping"), "command / ping");
        assert_eq!(told(new, "/ip/nonsense"), "no such command or directory (nonsense)");
        assert_eq!(told(new, "/nonsense/x"), "no such command or directory (nonsense)");
        assert_eq!(told(new, "/ip/dns/set"), "command /ip/dns set");
        assert_eq!(
            told(Profile::Chr7_12_2, "/system/routerboard"),
            "no such command or directory (routerboard)"
        );
        assert_eq!(told(new, "/system"), "no such command or directory (system)");
    }
}
