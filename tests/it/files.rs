//! Files that the command line writes and reads: exports, configurations of others, tables of devices.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    house::{APPLIANCE, As, House, appliance, json_of, stderr, stdout, terminate},
    lone::{Lone, failure_of},
};

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn an_export_never_harms_a_file_that_is_there() {
    let lone = Lone::new();
    let folder = lone.folder.path().join("exports");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("kept.ndjson");
    let path = file.to_str().unwrap();
    fs::write(&file, "precious").unwrap();
    let refused = lone.run(&["--json", "events", "export", "--out", path]);
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    assert!(failure_of(&refused)["hint"].as_str().unwrap().contains("--force"), "{}", stderr(&refused));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    // Even when told to replace it, an export that fails leaves the old file whole.
    {
        let _daemon = lone.serve();
        let locked = lone.run(&["--json", "events", "export", "--force", "--out", path]);
        assert_eq!(locked.status.code(), Some(7), "{}", stderr(&locked));
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    }
    assert_eq!(names_in(&folder), ["kept.ndjson"], "nothing half-made is left");
    let written = lone.run(&["--json", "events", "export", "--force", "--out", path]);
    assert_eq!(written.status.code(), Some(0), "{}", stderr(&written));
    assert!(json_of(&written)["events"].as_u64().unwrap() >= 2, "{}", stdout(&written));
    let verified = lone.run(&["verify", "--export", path]);
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
    assert_eq!(names_in(&folder), ["kept.ndjson"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "it holds the log");
    let device = lone.run(&["--json", "events", "export", "--force", "--out", "/dev/null"]);
    assert_eq!(device.status.code(), Some(2), "{}", stderr(&device));
    let nowhere = folder.join("none/x.ndjson");
    let nowhere = lone.run(&["--json", "events", "export", "--out", nowhere.to_str().unwrap()]);
    assert_eq!(nowhere.status.code(), Some(3), "{}", stderr(&nowhere));
}

/// Runs with a reader that takes one line and leaves.
fn with_a_reader_that_leaves(mut command: Command) -> (Option<i32>, String) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    drop(reader);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), stderr(&output))
}

#[test]
fn a_reader_that_leaves_is_a_quiet_end() {
    let house = House::start(2);
    for _ in 0..50 {
        house.call(As::Agent, "list_devices", &json!({}));
    }
    let command = |args: &[&str]| {
        let mut command = Command::new(APPLIANCE);
        command
            .arg("--dir")
            .arg(house.store())
            .args(args)
            .env("APPLIANCE_TOKEN", house.token(As::Admin).unwrap());
        command.env_remove("APPLIANCE_TOKEN_FILE");
        command
    };
    for args in [
        &["events", "tail", "--after", "0"][..],
        &["--json", "events", "tail", "--after", "0"],
        &["--json", "events", "list", "--limit", "1000"],
        &["device", "list"],
        &["completions", "bash"],
    ] {
        let (code, said) = with_a_reader_that_leaves(command(args));
        assert_eq!((code, said.as_str()), (Some(0), ""), "{args:?}");
    }
    let store = house.store();
    let (clean, _, _dir) = house.stop();
    assert!(clean);
    let mut export = Command::new(APPLIANCE);
    export.arg("--dir").arg(store).args(["events", "export"]);
    let (code, said) = with_a_reader_that_leaves(export);
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

fn install(file: &Path, more: &[&str]) -> Output {
    let args = ["--json", "mcp", "install", "claude-desktop", "--config-path", file.to_str().unwrap()];
    // A relative state directory: what is written must not depend on where it was written.
    Command::new(APPLIANCE)
        .current_dir(file.parent().unwrap())
        .args(["--dir", "state"])
        .args(args)
        .args(more)
        .env_remove("APPLIANCE_TOKEN_FILE")
        .output()
        .unwrap()
}

#[test]
fn installing_for_claude_desktop_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claude_desktop_config.json");
    let before = json!({ "theme": "dark", "mcpServers": { "other": { "command": "x", "env": { "A": "1" } } }, "n": [1] });
    fs::write(&file, before.to_string()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let shown = install(&file, &["--print"]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    assert_eq!(json_of(&shown)["mcpServers"]["routeros"]["args"][2], "stdio", "{}", stdout(&shown));
    assert_eq!(fs::read_to_string(&file).unwrap(), before.to_string(), "printing changes nothing");
    let done = install(&file, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let after: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&after["theme"], &after["n"]), (&before["theme"], &before["n"]));
    assert_eq!(after["mcpServers"]["other"], before["mcpServers"]["other"]);
    let entry = &after["mcpServers"]["routeros"];
    assert!(Path::new(entry["command"].as_str().unwrap()).is_absolute(), "{entry}");
    assert!(Path::new(entry["args"][1].as_str().unwrap()).is_absolute(), "{entry}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640, "its mode stays");
    let backup = json_of(&done)["backup"].as_str().unwrap().to_owned();
    assert_eq!(fs::read_to_string(&backup).unwrap(), before.to_string());

    let again = json_of(&install(&file, &[]));
    assert_eq!(again["changed"], false, "{again}");
    assert_eq!(names_in(folder.path()).len(), 2, "no second copy where nothing changed");
    // A change of something else, and a third run: the first copy stays as it was.
    let mut edited = after;
    edited["mcpServers"]["routeros"]["args"] = json!(["else"]);
    fs::write(&file, edited.to_string()).unwrap();
    let third = json_of(&install(&file, &[]));
    assert_ne!(third["backup"].as_str().unwrap(), backup);
    assert_eq!(fs::read_to_string(&backup).unwrap(), before.to_string());
    assert_eq!(fs::read_to_string(third["backup"].as_str().unwrap()).unwrap(), edited.to_string());
}

#[test]
fn a_configuration_of_unexpected_shape_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claude_desktop_config.json");
    for text in [
        &b"{ not json"[..],
        b"[]",
        b"\"text\"",
        b"null",
        b"{ \"mcpServers\": [] }",
        b"{ \"mcpServers\": null }",
        b"{ \"mcpServers\": { \"routeros\": 7 } }",
        b"{ \"a\": 1, \"a\": 2 }",
        b"{ \"a\": 1 } // comment",
        b"\xff\xfe",
    ] {
        fs::write(&file, text).unwrap();
        let refused = install(&file, &[]);
        assert_eq!(refused.status.code(), Some(2), "{}: {}", String::from_utf8_lossy(text), stderr(&refused));
        let said = failure_of(&refused);
        assert!(said["message"].as_str().unwrap().contains("claude_desktop_config.json"), "{said}");
        assert_eq!(fs::read(&file).unwrap(), text, "nothing is changed");
        assert_eq!(names_in(folder.path()), ["claude_desktop_config.json"]);
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let refused = install(&file, &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    fs::remove_dir(&file).unwrap();
    // What is not there is made, with its folder, and empty is empty.
    let made = folder.path().join("new/claude_desktop_config.json");
    let output = Command::new(APPLIANCE)
        .arg("--dir")
        .arg(folder.path())
        .args(["mcp", "install", "claude-desktop", "--config-path"])
        .arg(&made)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let config: Value = serde_json::from_str(&fs::read_to_string(&made).unwrap()).unwrap();
    assert!(config["mcpServers"]["routeros"].is_object(), "{config}");
    assert_eq!(names_in(made.parent().unwrap()), ["claude_desktop_config.json"]);
}

#[test]
fn an_installed_client_may_be_given_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.json");
    fs::write(folder.path().join("agent.token"), "x").unwrap();
    let done = install(&file, &["--with-token", "agent.token"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let config: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let args = config["mcpServers"]["routeros"]["args"].to_string();
    let token = folder.path().canonicalize().unwrap().join("agent.token");
    assert!(args.contains("--token-file") && args.contains(token.to_str().unwrap()), "{args}");
    let missing = install(&file, &["--with-token", "none.token"]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
}

#[test]
fn a_demo_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let demo = |args: &[&str]| {
        let mut command = Command::new(APPLIANCE);
        command.args(["--json", "demo", "--devices", "2"]).args(args).env("TMPDIR", temporary.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    // Somebody else listens there.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = demo(&["--listen", &address]).output().unwrap();
    assert_eq!(refused.status.code(), Some(7), "{}", stderr(&refused));
    assert!(failure_of(&refused)["message"].as_str().unwrap().contains(&address), "{}", stderr(&refused));
    assert!(names_in(temporary.path()).is_empty(), "{:?}", names_in(temporary.path()));
    let named = temporary.path().join("named");
    let refused = demo(&["--listen", &address, "--dir", named.to_str().unwrap()]).output().unwrap();
    assert_eq!(refused.status.code(), Some(7), "{}", stderr(&refused));
    assert!(!named.exists());
    for devices in ["0", "100000", "x"] {
        let refused = Command::new(APPLIANCE).args(["demo", "--devices", devices]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{devices}: {}", stderr(&refused));
    }
    let mut child = demo(&[]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    for field in ["url", "mcp_url", "store"] {
        assert!(said[field].is_string(), "{field}: {said}");
    }
    for token in ["agent", "approver", "admin"] {
        assert!(said["tokens"][token].as_str().unwrap().starts_with("appl_"), "{token}");
    }
    for field in ["id", "name", "address", "version"] {
        assert!(said["devices"][1][field].is_string(), "{field}: {said}");
    }
    let store = Path::new(said["store"].as_str().unwrap()).to_path_buf();
    assert_eq!(fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o700);
    terminate(&child);
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    out.read_line(&mut rest).unwrap();
    assert_eq!(rest, "", "one line and no more");
    assert!(names_in(temporary.path()).is_empty(), "{:?}", names_in(temporary.path()));
}

#[test]
fn a_demo_that_is_given_a_folder_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine"), "x").unwrap();
    let refused = appliance(&full, &["--json", "demo"]);
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    assert_eq!(names_in(&full), ["mine"]);
    let house = House::start(1);
    let store = house.store();
    let (clean, said, _dir) = house.stop();
    assert!(clean && store.join("events/appliance.redb").exists(), "{said}");
}
