//! What each menu takes: arguments, commands, kinds of values, per release.
//!
//! Read once per profile from `data/menus.txt` and shared by all boxes. Holds no state of any box.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::profile::{Profile, release};

const MENUS: &str = include_str!("../data/menus.txt");

/// How a menu is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Records with ids.
    List,
    /// Exactly one set of values.
    One,
    /// Commands only; cannot be read.
    Dir,
}

/// What an argument's text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Any,
    /// `true`/`false`/`yes`/`no`.
    Bool,
    /// One address, or a comma list of them, with or without a length or a range.
    Form(&'static str),
    /// A number within bounds.
    Range(u64, u64),
    /// One of the words.
    Words(&'static str),
    /// A comma list of the words; a leading `!` passes.
    List(&'static str),
    /// The name of something that exists elsewhere, by a word of `settle::exists` or by its menu; `true` lets a
    /// leading `!` pass.
    Ref(&'static str, bool),
}

/// One argument of add or set.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// What its text must be.
    pub kind: Kind,
    /// Whether add needs it.
    pub required: bool,
}

/// One menu of one release.
#[derive(Clone, Debug)]
pub struct Menu {
    /// The path, e.g. `/ip/address`.
    pub path: &'static str,
    /// How it is read.
    pub shape: Shape,
    /// Only on hardware, so console dumps of virtual routers lack it.
    pub hardware: bool,
    /// Arguments of add; empty where nothing can be added.
    pub add: Vec<Arg>,
    /// Arguments of set.
    pub set: Vec<Arg>,
    /// Further commands and their arguments.
    pub commands: BTreeMap<&'static str, Vec<&'static str>>,
    /// What a fresh row holds besides what was written.
    pub fresh: Vec<(&'static str, &'static str)>,
    /// Keys that must differ together, and the text of the refusal.
    pub once: Vec<(Vec<&'static str>, &'static str)>,
    /// Properties that are never read back.
    pub hidden: Vec<&'static str>,
    /// The policy a write needs besides `write`.
    pub need: Option<&'static str>,
    /// The device-mode feature that must be on.
    pub mode: Option<&'static str>,
}

impl Menu {
    /// Whether rows may be moved.
    pub fn ordered(&self) -> bool {
        self.commands.contains_key("move")
    }

    /// Whether the menu takes this word as a command, and with which arguments.
    pub fn command(&self, word: &str) -> Option<&[&'static str]> {
        self.commands.get(word).map(Vec::as_slice)
    }

    /// An argument of set by name.
    pub fn arg(&self, name: &str) -> Option<&Arg> {
        self.set.iter().chain(&self.add).find(|arg| arg.name == name)
    }
}

/// All menus of one profile.
#[derive(Debug, Default)]
pub struct Catalogue {
    menus: BTreeMap<&'static str, Menu>,
}

impl Catalogue {
    /// The catalogue of a profile; built at first use.
    pub fn of(profile: Profile) -> &'static Catalogue {
        static ALL: [OnceLock<Catalogue>; 4] = [const { OnceLock::new() }; 4];
        ALL[profile.index()].get_or_init(|| build(profile))
    }

    /// The menu at a path.
    pub fn menu(&self, path: &str) -> Option<&Menu> {
        self.menus.get(path)
    }

    /// All menus in order of their paths.
    pub fn menus(&self) -> impl Iterator<Item = &Menu> {
        self.menus.values()
    }
}

/// Whether any release has a menu at or below this path; tells "not on this box" from "no such row".
pub fn known_anywhere(path: &str) -> bool {
    MENUS.lines().any(|line| {
        line.strip_prefix(path).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('/'))
    })
}

fn build(profile: Profile) -> Catalogue {
    let here = release(profile.version());
    let mut catalogue = Catalogue::default();
    let mut open: Option<Menu> = None;
    for line in MENUS.lines().chain(["/"]) {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        if first.starts_with('#') {
            continue;
        }
        if first.starts_with('/') {
            if let Some(menu) = open.take() {
                catalogue.menus.insert(menu.path, finish(menu));
            }
            open = header(&words, profile);
        } else if let Some(menu) = open.as_mut() {
            directive(menu, line, &words, here);
        }
    }
    catalogue
}

fn header(words: &[&'static str], profile: Profile) -> Option<Menu> {
    let here = release(profile.version());
    let shape = match *words.get(1)? {
        "list" => Shape::List,
        "one" => Shape::One,
        _ => Shape::Dir,
    };
    let mut hardware = false;
    for word in &words[2..] {
        let wanted = match word.split_once('=') {
            Some(("since", version)) => here >= release(version),
            Some(("until", version)) => here <= release(version),
            Some(("pkg", name)) => profile.has_package(name),
            _ => {
                hardware = true;
                profile.is_hardware()
            }
        };
        if !wanted {
            return None;
        }
    }
    Some(Menu {
        path: words[0],
        shape,
        hardware,
        add: Vec::new(),
        set: Vec::new(),
        commands: BTreeMap::new(),
        fresh: Vec::new(),
        once: Vec::new(),
        hidden: Vec::new(),
        need: None,
        mode: None,
    })
}

fn directive(menu: &mut Menu, line: &'static str, words: &[&'static str], here: (u32, u32, u32)) {
    let rest = &words[1..];
    match words[0] {
        "add" => {
            menu.add = rest.iter().filter_map(|word| argument(word, here)).collect();
            menu.set = menu.add.iter().filter(|arg| arg.name != "place-before").copied().collect();
        }
        "set" => menu.set = rest.iter().filter_map(|word| argument(word, here)).collect(),
        "ops" => {
            for op in rest {
                let args: &[&'static str] = match *op {
                    "comment" => &["numbers", "comment"],
                    "move" => &["numbers", "destination"],
                    "unset" => &["numbers", "value-name"],
                    _ => &["numbers"],
                };
                menu.commands.insert(op, args.to_vec());
            }
        }
        "cmd" => command(menu, rest, here),
        "new" => menu.fresh = rest.iter().filter_map(|word| word.split_once('=')).collect(),
        "once" => {
            if let Some((keys, text)) = line.trim().trim_start_matches("once").split_once(" : ") {
                menu.once.push((keys.trim().split('+').collect(), text.trim()));
            }
        }
        "hide" => menu.hidden = rest.to_vec(),
        "need" => menu.need = rest.first().copied(),
        "mode" => menu.mode = rest.first().copied(),
        other => panic!("menus.txt: {other} is no directive"),
    }
}

fn command(menu: &mut Menu, words: &[&'static str], here: (u32, u32, u32)) {
    let mut args = Vec::new();
    for word in &words[1..] {
        if word.starts_with(['<', '@']) {
            if !in_release(word, here) {
                return;
            }
        } else if let Some(arg) = argument(word, here) {
            args.push(arg.name);
        }
    }
    menu.commands.insert(words[0], args);
}

fn finish(mut menu: Menu) -> Menu {
    let fixed: &[&'static str] = &["numbers"];
    if !menu.set.is_empty() {
        menu.commands.insert("set", menu.set.iter().map(|arg| arg.name).collect());
    }
    if !menu.add.is_empty() {
        menu.commands.insert("add", menu.add.iter().map(|arg| arg.name).collect());
    }
    if menu.shape != Shape::Dir {
        menu.commands.insert("print", vec![]);
        menu.commands.insert("get", vec!["value-name"]);
    }
    if menu.commands.contains_key("remove") {
        menu.commands.insert("remove", fixed.to_vec());
    }
    menu
}

/// Reads `@7.16.2` and `<7.20` at the end of a word.
fn in_release(gate: &str, here: (u32, u32, u32)) -> bool {
    match gate.as_bytes().first() {
        Some(b'@') => here >= release(&gate[1..]),
        Some(b'<') => here < release(&gate[1..]),
        _ => true,
    }
}

fn argument(word: &'static str, here: (u32, u32, u32)) -> Option<Arg> {
    if word == "-" {
        return None;
    }
    let gate = word.find(['@', '<']).unwrap_or(word.len());
    if !in_release(&word[gate..], here) {
        return None;
    }
    let word = &word[..gate];
    let required = word.ends_with('!');
    let word = word.trim_end_matches('!');
    let (name, kind) = word.split_once(':').unwrap_or((word, ""));
    Some(Arg { name, kind: kind_of(kind), required })
}

fn kind_of(text: &'static str) -> Kind {
    if let Some((low, high)) = text.split_once("..") {
        return Kind::Range(low.parse().unwrap_or(0), high.parse().unwrap_or(u64::MAX));
    }
    if let Some(words) = text.strip_prefix("enum(") {
        return Kind::Words(words.trim_end_matches(')'));
    }
    if let Some(words) = text.strip_prefix("list(") {
        return Kind::List(words.trim_end_matches(')'));
    }
    if let Some(target) = text.strip_prefix('&') {
        return Kind::Ref(target.trim_start_matches('!'), target.starts_with('!'));
    }
    match text {
        "" => Kind::Any,
        "bool" => Kind::Bool,
        form => Kind::Form(form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_differ_where_they_should() {
        let old = Catalogue::of(Profile::Chr7_12_2);
        let new = Catalogue::of(Profile::Ccr7_24);
        assert!(old.menu("/interface/wireless").is_some());
        assert!(old.menu("/interface/wifi").is_none());
        assert!(old.menu("/system/routerboard").is_none());
        assert!(new.menu("/interface/wifi").is_some());
        assert!(new.menu("/interface/wireless").is_none());
        assert!(old.menu("/").is_some_and(|root| root.command("ping").is_some()));
        assert!(new.menu("/").is_some_and(|root| root.command("ping").is_none()));
        assert!(old.menu("/ip/dns").is_some_and(|dns| dns.arg("vrf").is_none()));
        assert!(new.menu("/ip/dns").is_some_and(|dns| dns.arg("vrf").is_some()));
        assert!(old.menu("/file").is_some_and(|file| file.command("read").is_none()));
    }

    #[test]
    fn an_absent_menu_is_known_elsewhere() {
        assert!(known_anywhere("/interface/wifi"));
        assert!(known_anywhere("/interface"));
        assert!(!known_anywhere("/interface/wi"));
    }
}
