//! The command line: exit codes, clear errors about stores and configuration, offline audit.

use serde_json::Value;

use crate::house::{As, House, appliance, json_of, stderr, stdout};

#[test]
fn init_shows_a_token_once_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("state");
    let made = json_of(&appliance(&home, &["--json", "init"]));
    assert!(made["admin_token"].as_str().unwrap().starts_with("appl_"));
    assert!(!made["verifier_key"].as_str().unwrap().is_empty());
    let again = appliance(&home, &["--json", "init"]);
    assert_eq!(again.status.code(), Some(4), "{}", stderr(&again));
    use std::os::unix::fs::PermissionsExt as _;
    for key in ["keys/master.key", "keys/checkpoint.key"] {
        let mode = std::fs::metadata(home.join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[test]
fn usage_errors_exit_with_2_and_a_missing_store_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(appliance(dir.path(), &["no-such-command"]).status.code(), Some(2));
    assert_eq!(appliance(dir.path(), &["replay", "--to", "x"]).status.code(), Some(2));
    let missing = appliance(&dir.path().join("none"), &["--json", "call", "list_devices"]);
    assert_eq!(missing.status.code(), Some(7), "{}", stderr(&missing));
    assert!(stderr(&missing).contains("appliance init"), "{}", stderr(&missing));
}

#[test]
fn configuration_errors_name_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("appliance.toml");
    for (text, named) in [
        ("[store]\ndri = 1\n", "dri"),
        ("[approval]\nwait_hours = \"one day\"\n", "wait_hours"),
        ("[approval]\nwait_hours = 100000\n", "wait_hours"),
        ("[store]\n[store]\n", ""),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = appliance(dir.path(), &["--config", file.to_str().unwrap(), "config", "check"]);
        assert_eq!(output.status.code(), Some(2), "{text}: {}", stderr(&output));
        assert!(stderr(&output).contains(named), "{text}: {}", stderr(&output));
    }
    let output = appliance(dir.path(), &["--config", "/nonexistent.toml", "config", "check"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_key_file_that_is_missing_short_or_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("state");
    json_of(&appliance(&home, &["--json", "init"]));
    let key = home.join("keys/master.key");
    let good = std::fs::read(&key).unwrap();
    let listing = || appliance(&home, &["--json", "call", "list_devices"]);
    std::fs::write(&key, &good[..31]).unwrap();
    assert!(stderr(&listing()).contains("shorter"), "{}", stderr(&listing()));
    std::fs::write(&key, &good).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(stderr(&listing()).contains("chmod 600"), "{}", stderr(&listing()));
    std::fs::remove_file(&key).unwrap();
    assert_eq!(listing().status.code(), Some(2), "{}", stderr(&listing()));
}

#[test]
fn a_second_daemon_on_the_same_store_gets_a_clear_error() {
    let house = House::start(1);
    let store = house.store();
    let second = appliance(&store, &["serve"]);
    assert_eq!(second.status.code(), Some(7), "{}", stderr(&second));
    assert!(stderr(&second).contains("another process"), "{}", stderr(&second));
}

#[test]
fn the_command_line_goes_through_the_running_daemon() {
    let house = House::start(2);
    let listed = json_of(&house.cli(As::Admin, &["--json", "device", "list"]));
    let devices = listed["devices"].as_array().or_else(|| listed.as_array()).unwrap();
    assert_eq!(devices.len(), 2);
    let unknown = house.cli(As::Admin, &["--json", "device", "show", "nobody"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", stderr(&unknown));
    let refused =
        house.cli(As::Approver, &["--json", "device", "remove", house.device(0), "--reason", "x", "--yes"]);
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    let table = house.cli(As::Admin, &["device", "list"]);
    assert!(stdout(&table).contains(house.device(0)), "{}", stdout(&table));
}

#[test]
fn sigterm_ends_the_daemon_cleanly_and_the_log_verifies() {
    let house = House::start(2);
    let store = house.store();
    house.call(As::Agent, "list_devices", &serde_json::json!({}));
    let (clean, said, _dir) = house.stop();
    assert!(clean, "{said}");
    let verdict = appliance(&store, &["--json", "verify", "--store", store.to_str().unwrap()]);
    assert_eq!(verdict.status.code(), Some(0), "{}", stderr(&verdict));
}

#[test]
fn completions_and_version_are_there() {
    let dir = tempfile::tempdir().unwrap();
    assert!(stdout(&appliance(dir.path(), &["completions", "bash"])).contains("appliance"));
    let version: Value = json_of(&appliance(dir.path(), &["--json", "version"]));
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}
