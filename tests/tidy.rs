//! The house's own rules: floors, which room names which library, pages, fixtures, and words that must not be left.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on says so by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

/// Rooms and their floors; arrows go down only.
const FLOORS: [(&str, u8); 19] = [
    ("main", 10),
    ("cli", 9),
    ("appliance", 8),
    ("http", 7),
    ("mcp", 6),
    ("tools", 5),
    ("runner", 5),
    ("engine", 4),
    ("projections", 3),
    ("changes", 3),
    ("access", 3),
    ("domain", 2),
    ("routeros", 2),
    ("failure", 1),
    ("telemetry", 1),
    ("memory", 1),
    ("strict_json", 1),
    ("lib", 11),
    ("tests", 12),
];

/// Neighbours that never call each other.
const APART: [(&str, &str); 2] = [("tools", "runner"), ("runner", "tools")];

/// Libraries and the only places that may name them.
const LIBRARIES: [(&str, &[&str]); 5] = [
    ("rmcp", &["src/mcp/", "src/http/mcp.rs"]),
    ("warp", &["src/http/"]),
    ("reqwest", &["src/routeros/"]),
    ("redb", &["events/", "snapshots/"]),
    ("clap", &["src/cli/", "xtask/", "simulator/"]),
];

/// What pure rooms never name.
const IMPURE: [&str; 8] = [
    "tokio",
    "std::fs",
    "std::net::Tcp",
    "async fn",
    "SystemTime",
    "Instant::now",
    "chrono::Utc",
    "std::thread",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folders: &[&str], ending: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for folder in folders {
        for entry in walkdir::WalkDir::new(root().join(folder)).into_iter().map(Result::unwrap) {
            let path = entry.path();
            if path.is_file() && path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// Source without comments and without the tests at its end.
fn code_of(source: &str) -> String {
    let product = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code =
        product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    without_texts(&code)
}

/// What stands between quotes is no code.
fn without_texts(code: &str) -> String {
    let (mut out, mut inside, mut escaped) = (String::with_capacity(code.len()), false, false);
    for c in code.replace("'\"'", "").chars() {
        match (inside, escaped, c) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, _, '"') => inside = !inside,
            (true, ..) => {}
            (false, ..) => out.push(c),
        }
    }
    out
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("tests.rs") || name.ends_with("testing.rs") || name.ends_with("laws.rs")
}

fn room_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("src/")?;
    Some(rest.split('/').next().unwrap().trim_end_matches(".rs"))
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// Rooms that a source names by `crate::room`, in nested imports too.
fn rooms_named(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("crate::") {
        rest = &rest[at + 7..];
        if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut start) = (0, true);
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if depth == 0 && start && (c.is_alphanumeric() || c == '_') => word.push(c),
                    c if depth == 0 && !c.is_whitespace() => {
                        if !word.is_empty() {
                            found.push(std::mem::take(&mut word));
                        }
                        start = false;
                    }
                    _ => {}
                }
                if c == ',' && depth == 0 && !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
            }
            found.extend((!word.is_empty()).then_some(word));
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

fn arrows_up(name: &str, code: &str) -> Vec<String> {
    let Some((room, floor)) = room_of(name).and_then(|room| Some((room, floor_of(room)?))) else {
        return Vec::new();
    };
    rooms_named(code)
        .into_iter()
        .filter(|other| other != room)
        .filter(|other| floor_of(other).is_some_and(|f| f > floor) || APART.contains(&(room, other.as_str())))
        .map(|other| format!("{name} names {other}"))
        .collect()
}

fn names_library(code: &str, library: &str) -> bool {
    code.contains(&format!("{library}::")) || code.contains(&format!("use {library}"))
}

#[test]
fn arrows_go_down_only() {
    let up: Vec<String> = sources(&["src"], ".rs")
        .iter()
        .filter(|(name, _)| !is_test_file(name))
        .flat_map(|(name, source)| arrows_up(name, &code_of(source)))
        .collect();
    assert!(up.is_empty(), "{up:#?}");
}

#[test]
fn the_floors_are_kept_by_a_checker_that_works() {
    assert_eq!(
        rooms_named("use crate::{\n domain::{Command, State},\n engine::Engine,\n failure};"),
        ["domain", "engine", "failure"]
    );
    assert_eq!(rooms_named("crate::tools::call::Corridor"), ["tools"]);
    assert_eq!(arrows_up("src/domain/job.rs", "use crate::engine::Engine;").len(), 1);
    assert_eq!(arrows_up("src/runner/mod.rs", "use crate::tools::page;").len(), 1, "neighbours");
    assert!(arrows_up("src/engine/mod.rs", "use crate::{domain::State, failure::Code};").is_empty());
}

/// The only places that look into what a router said: they compare it, keep it as a fact, or send it back.
const LOOKS_INTO: [&str; 11] = [
    "src/routeros/",
    "src/changes/",
    "src/runner/dead_man.rs",
    "src/runner/effect.rs",
    "src/runner/gate.rs",
    "src/tools/dead_man.rs",
    "src/tools/interface/get_stats.rs",
    "src/tools/logs/get_recent.rs",
    "src/tools/registry/check_connectivity.rs",
    "src/tools/wireless/air.rs",
    "src/tools/wireless/radio.rs",
];

#[test]
fn what_routers_say_is_told_apart_by_type() {
    for (name, source) in sources(&["src/routeros/resources"], ".rs") {
        let bare = code_of(&source)
            .lines()
            .map(str::trim)
            .filter(|line| !line.contains("fn "))
            .find(|line| [": String", "Vec<String>", "Option<String>"].iter().any(|bare| line.contains(bare)))
            .map(str::to_owned);
        assert_eq!(bare, None, "{name}: a reading's text is `Untrusted`, or `Exact` where it is sent back");
    }
    for (name, source) in sources(&["src"], ".rs").iter().filter(|(name, _)| !is_test_file(name)) {
        let looks = [".expose()", ".as_sent()"].iter().any(|word| code_of(source).contains(word));
        let may = LOOKS_INTO.iter().any(|place| name.starts_with(place));
        assert!(!looks || may, "{name} looks into a router's text: show it as it is");
    }
}

#[test]
fn every_room_has_a_floor() {
    for name in sources(&["src"], ".rs").keys() {
        let room = room_of(name).unwrap();
        assert!(floor_of(room).is_some(), "{name}: no floor for {room}");
    }
}

#[test]
fn each_library_is_named_in_its_room_only() {
    let all = sources(&["src", "events/src", "snapshots/src", "simulator/src", "xtask/src"], ".rs");
    for (library, rooms) in LIBRARIES {
        for (name, source) in &all {
            let allowed = rooms.iter().any(|room| name.starts_with(room));
            assert!(allowed || !names_library(&code_of(source), library), "{name} names {library}");
        }
    }
    assert_eq!(without_texts(r#"a("warp::x \" y") + b"#), "a() + b");
    assert!(names_library("use redb::Database;", "redb") && !names_library("use crate::redbook;", "redb"));
}

#[test]
fn the_simulator_shares_no_code_with_the_product() {
    let manifest = fs::read_to_string(root().join("simulator/Cargo.toml")).unwrap();
    assert!(!manifest.contains("appliance-events") && !manifest.contains("path = \"..\""));
}

#[test]
fn pure_rooms_name_no_clock_network_or_file() {
    for (name, source) in sources(&["src/domain", "src/changes"], ".rs") {
        let code = code_of(&source);
        for word in IMPURE {
            assert!(is_test_file(&name) || !code.contains(word), "{name} names {word}");
        }
    }
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let known: Vec<&str> = appliance::failure::Code::ALL.iter().map(|code| code.as_str()).collect();
    let pages = sources(&["docs/errors"], ".md");
    for code in &known {
        let page =
            pages.get(&format!("docs/errors/{code}.md")).unwrap_or_else(|| panic!("no page for {code}"));
        assert!(page.starts_with(&format!("# {code}\n")) && page.len() > 150, "{code}: an empty page");
    }
    for name in pages.keys().filter(|name| !name.ends_with("README.md")) {
        let word = name.trim_start_matches("docs/errors/").trim_end_matches(".md");
        assert!(known.contains(&word), "{name} has no code");
    }
}

#[test]
fn every_event_has_a_fixture() {
    for (_, version, name) in events::event::Event::REGISTRY {
        let path = root().join(format!("events/fixtures/{name}.v{version}.json"));
        assert!(path.exists(), "no {}", path.display());
    }
}

#[test]
fn every_tool_file_is_in_its_topic() {
    for (name, source) in sources(&["src/tools"], ".rs") {
        if !source.contains("impl Tool for ") {
            continue;
        }
        let path = Path::new(&name);
        let (topic, file) =
            (path.parent().unwrap(), path.file_stem().unwrap().to_string_lossy().into_owned());
        let table = fs::read_to_string(root().join(topic).join("mod.rs")).unwrap();
        assert!(table.contains(&format!("ToolDef::of::<{file}::")), "{name} is not in its topic's table");
    }
}

#[test]
fn tools_have_good_names_and_descriptions() {
    use appliance::tools::catalog;
    let mut names = std::collections::BTreeSet::new();
    for def in catalog::all() {
        let spec = &def.spec;
        assert!(
            spec.name.len() <= 64
                && spec.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        );
        assert!(names.insert(spec.name), "{} twice", spec.name);
        assert!(spec.description.len() >= 10 && spec.description.len() <= 300, "{}", spec.name);
        assert_eq!((def.input_schema)()["type"], "object", "{}", spec.name);
    }
}

#[test]
fn files_are_of_a_size_to_hold_in_the_head() {
    for (name, source) in
        sources(&["src", "events/src", "snapshots/src", "simulator/src", "xtask/src", "benches/src"], ".rs")
    {
        assert!(source.lines().count() <= 600, "{name} has {} lines", source.lines().count());
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Spelled apart, so that this file does not find itself.
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["dbg", "!("],
        ["#[ign", "ore"],
    ]
    .map(|parts| parts.concat());
    for (name, source) in
        sources(&["src", "events", "snapshots", "simulator", "xtask", "tests", "benches/src"], ".rs")
    {
        for word in &words {
            assert!(!source.contains(word.as_str()), "{name} has {word}");
        }
        if name.starts_with("tests/it") || is_test_file(&name) {
            assert!(!source.contains("thread::sleep"), "{name} sleeps");
        }
    }
}

#[test]
fn the_readme_is_short_and_decisions_are_numbered() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() < 150);
    let first = readme.find("cargo xtask demo").unwrap();
    assert!(first < readme.find("cargo xtask test").unwrap() && first < 1500, "the two commands come first");
    let mut seen = std::collections::BTreeSet::new();
    for name in sources(&["docs/decisions"], ".md").keys() {
        let file = Path::new(name).file_name().unwrap().to_string_lossy().into_owned();
        let number = file.split('-').next().unwrap().to_owned();
        assert!(number.len() == 4 && number.parse::<u16>().is_ok() && seen.insert(number), "{name}");
    }
}
