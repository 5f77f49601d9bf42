//! Stores and exports that are not as they should be, looked at offline: each is told apart, and nothing panics.

use std::{fs, path::Path, process::Output};

use serde_json::{Value, json};

use crate::{
    house::{appliance, json_of, stderr, stdout},
    lone::{Lone, failure_of},
};

/// The commands that read a store without a daemon.
const READERS: [&[&str]; 3] = [&["verify"], &["replay"], &["events", "export"]];

fn no_panic(output: &Output, what: &str) {
    let said = stderr(output);
    assert!(!said.contains("panicked") && output.status.code() != Some(101), "{what}: {said}");
}

fn run(dir: &Path, args: &[&str]) -> Output {
    appliance(dir, &[&["--json"], args].concat())
}

#[test]
fn what_is_not_there_is_not_found() {
    let lone = Lone::new();
    let gone = lone.folder.path().join("gone");
    let path = gone.to_str().unwrap();
    for args in [
        vec!["verify", "--export", path],
        vec!["replay", "--export", path],
        vec!["verify", "--store", path],
        vec!["replay", "--store", path],
        vec!["events", "export", "--store", path],
        vec!["verify", "--checkpoint", path],
    ] {
        let output = run(&lone.dir(), &args);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", stderr(&output));
        let said = failure_of(&output);
        assert_eq!(said["code"], "not_found", "{args:?}");
        assert!(said["message"].as_str().unwrap().contains("gone"), "{said}");
    }
    let folder = lone.dir();
    for args in [
        vec!["verify", "--export", folder.to_str().unwrap()],
        vec!["verify", "--key", "nonsense"],
        vec!["replay", "--at", "yesterday"],
        vec!["replay", "--at", "2026-01-01"],
        vec!["replay", "--to", "3", "--at", "2026-01-01T00:00:00Z"],
        vec!["verify", "--store", lone.file().to_str().unwrap()],
        vec!["verify", "--checkpoint", lone.file().to_str().unwrap()],
    ] {
        let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = run(&lone.dir(), &args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert_eq!(failure_of(&output)["code"], "invalid_params", "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn stores_that_are_not_as_written_are_told_apart() {
    let lone = Lone::new();
    for n in 0..20 {
        lone.token(if n % 2 == 0 { "read_only" } else { "ops_rw" });
    }
    let good = fs::read(lone.file()).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    // Where events are: the text of a label, which stands in the ledger.
    let label = good.windows(9).position(|window| window == b"read_only").unwrap();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("zero length", Vec::new()),
        ("random bytes", (0..50_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("some text", b"this is no store\n".to_vec()),
        ("cut in half", good[..good.len() / 2].to_vec()),
        ("cut to a page", good[..4096].to_vec()),
        ("one bit of an event", flipped(label)),
    ];
    for (what, bytes) in cases {
        fs::write(lone.file(), &bytes).unwrap();
        for args in READERS {
            let output = run(&lone.dir(), args);
            no_panic(&output, what);
            assert_eq!(output.status.code(), Some(6), "{what} {args:?}: {}", stderr(&output));
            let finding = args[0] == "verify" && !output.stdout.is_empty();
            let said = if finding { json_of(&output) } else { failure_of(&output) };
            let named = if finding { said["good"] == json!(false) } else { said["code"] == "log_damaged" };
            assert!(named, "{what} {args:?}: {said}");
        }
        assert_eq!(fs::read(lone.file()).unwrap(), bytes, "{what}: looking changes nothing");
        let listed = run(&lone.dir(), &["events", "list"]);
        no_panic(&listed, what);
        assert!([0, 6, 7].contains(&listed.status.code().unwrap()), "{what}: {}", stderr(&listed));
    }
    fs::remove_file(lone.file()).unwrap();
    fs::create_dir(lone.file()).unwrap();
    for args in READERS {
        let output = run(&lone.dir(), args);
        no_panic(&output, "a folder");
        assert_eq!(output.status.code(), Some(7), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn a_store_that_may_only_be_read_is_verified_all_the_same() {
    use std::os::unix::fs::PermissionsExt as _;
    let lone = Lone::new();
    let folder = lone.dir().join("events");
    fs::set_permissions(lone.file(), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    for args in READERS {
        let output = run(&lone.dir(), args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_verdict_says_what_was_checked_and_what_was_not() {
    let lone = Lone::new();
    lone.token("read_only");
    let human = stdout(&appliance(&lone.dir(), &["verify"]));
    assert!(human.starts_with("content consistent, signer unchecked\n"), "{human}");
    for word in ["store_", "events", "root", "checkpoints", "--key", "--checkpoint", "took"] {
        assert!(human.contains(word), "{word}: {human}");
    }
    let with = |args: &[&str]| json_of(&run(&lone.dir(), &[&["verify"], args].concat()));
    let plain = with(&[]);
    assert_eq!((&plain["good"], &plain["signer"]), (&json!(true), &json!("unchecked")), "{plain}");
    let keyed = with(&["--key", &lone.verifier_key]);
    assert_eq!(keyed["verdict"], "content consistent, signer checked");
    let foreign = Lone::new();
    let other = run(&lone.dir(), &["verify", "--key", &foreign.verifier_key]);
    assert_eq!(other.status.code(), Some(6));
    assert_eq!(json_of(&other)["verdict"], "NOT signed by the given key");

    // A copy of the store from before, put back: only the checkpoint tells.
    let before = fs::read(lone.file()).unwrap();
    lone.token("ops_rw");
    fs::write(lone.file(), before).unwrap();
    assert_eq!(with(&[])["good"], true, "by itself an older copy is consistent");
    let log = lone.dir().join("checkpoints.log");
    let cut = run(&lone.dir(), &["verify", "--checkpoint", log.to_str().unwrap()]);
    assert_eq!(cut.status.code(), Some(6), "{}", stdout(&cut));
    let kinds: Vec<Value> =
        json_of(&cut)["problems"].as_array().unwrap().iter().map(|p| p["kind"].clone()).collect();
    assert!(kinds.contains(&json!("rollback")), "{kinds:?}");
}

#[test]
fn replaying_to_a_moment_is_replaying_to_the_place_it_means() {
    let lone = Lone::new();
    let early = json_of(&run(&lone.dir(), &["replay"]));
    let between =
        json_of(&lone.run(&["--json", "events", "list", "--limit", "1"]))["events"][0]["at"].clone();
    lone.token("read_only");
    let at = json_of(&run(&lone.dir(), &["replay", "--at", between.as_str().unwrap()]));
    assert_eq!(at["tokens"], early["tokens"]);
    let to = json_of(&run(&lone.dir(), &["replay", "--to", &at["seq"].to_string()]));
    assert_eq!(at["digest"], to["digest"]);
    let now = json_of(&run(&lone.dir(), &["replay"]));
    assert_ne!(now["tokens"], early["tokens"]);
    let none = json_of(&run(&lone.dir(), &["replay", "--at", "2000-01-01T00:00:00Z"]));
    assert_eq!(none["events"], 0);
}

#[test]
fn doctor_finds_what_is_wrong_and_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let lone = Lone::new();
    lone.token("read_only");
    let look = |code: i32| {
        let output = run(&lone.dir(), &["doctor"]);
        assert_eq!(output.status.code(), Some(code), "{} {}", stdout(&output), stderr(&output));
        json_of(&output)
    };
    let result = |looked: &Value, check: &str| {
        let checks = looked["checks"].as_array().unwrap();
        checks.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("{check}: {looked}")).clone()
    };
    let well = look(0);
    for check in [
        "version",
        "configuration",
        "open files",
        "state directory",
        "master key",
        "checkpoint key",
        "disk",
        "checkpoints",
        "clock",
        "snapshots",
        "appliance",
        "store",
        "listen",
    ] {
        assert_ne!(result(&well, check)["result"], "fail", "{check}");
    }
    let events = fs::metadata(lone.file()).unwrap().len();
    look(0);
    assert_eq!(fs::metadata(lone.file()).unwrap().len(), events, "looking changes nothing");
    let key = lone.dir().join("keys/master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let open = look(1);
    assert!(result(&open, "master key")["next"].as_str().unwrap().starts_with("chmod 600"), "{open}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    {
        let daemon = lone.serve();
        let runs = result(&look(0), "appliance");
        assert!(runs["found"].as_str().unwrap().contains(&daemon.0.id().to_string()), "{runs}");
    }
    let stale = result(&look(0), "sockets");
    assert_eq!(stale["result"], "warn", "{stale}");
    let before = fs::read(lone.file()).unwrap();
    fs::write(lone.file(), &before[..before.len() / 2]).unwrap();
    assert_eq!(result(&look(1), "store")["result"], "fail");
    fs::remove_file(lone.file()).unwrap();
    assert!(result(&look(1), "store")["next"].as_str().unwrap().contains("appliance init"));
}

#[test]
fn each_value_of_the_configuration_has_an_origin_and_each_error_a_place() {
    let lone = Lone::new();
    let file = lone.folder.path().join("appliance.toml");
    let path = file.to_str().unwrap();
    fs::write(&file, "[approval]\n\nwait_hours = 3\n\n[log]\nlevel = \"warn\"\n").unwrap();
    let mut command =
        lone.command(None, &["--json", "--config", path, "--log-level", "debug", "config", "show"]);
    let shown = json_of(&command.env("APPLIANCE__APPROVAL__START_WITHIN_MINUTES", "7").output().unwrap());
    let of = |key: &str| {
        let row = shown.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
        (row["value"].clone(), row["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("approval.wait_hours"), (json!(3), format!("file {path}:3")));
    assert_eq!(
        of("approval.start_within_minutes"),
        (json!(7), "env APPLIANCE__APPROVAL__START_WITHIN_MINUTES".into())
    );
    assert_eq!(of("log.level"), (json!("debug"), "flag --log-level".into()));
    assert_eq!(of("store.dir"), (json!(lone.dir()), "flag --dir".into()));
    assert_eq!(of("server.listen").1, "default");

    for (text, named, line) in [
        ("\n[store]\ndri = \"/x\"\n", "store.dri", 3),
        ("[approval]\nwait_hours = \"1 day\"\n", "approval.wait_hours", 2),
        ("[approval]\nwait_hours = 999\n", "approval.wait_hours", 2),
        ("[approval]\nlab = \"anybody\"\n", "approval.lab", 2),
        ("nonsense = 1\n", "nonsense", 1),
        ("[store]\n\n[store]\n", "TOML", 3),
        ("[server]\nlisten = \"nowhere\"\n", "server.listen", 2),
        ("[log]\nlevel = \"a=b=c\"\n", "log.level", 2),
        ("[store]\nmaster_key_file = \"/nonexistent/key\"\n", "store.master_key_file", 2),
        ("[routers.authorities]\nhome = \"/nonexistent/ca.pem\"\n", "routers.authorities.home", 2),
    ] {
        fs::write(&file, text).unwrap();
        let output = run(&lone.dir(), &["--config", path, "config", "check"]);
        assert_eq!(output.status.code(), Some(2), "{text}: {}", stderr(&output));
        let said = failure_of(&output);
        let message = said["message"].as_str().unwrap();
        assert_eq!(said["code"], "invalid_config", "{text}");
        assert!(message.contains(named) && message.contains(&format!("{path}:{line}")), "{text}: {message}");
        assert_eq!(said["details"]["line"], line, "{text}: {said}");
    }
    let mut command = lone.command(None, &["--json", "config", "check"]);
    let output = command.env("APPLIANCE__STORE__DRI", "/x").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = failure_of(&output)["message"].as_str().unwrap().to_owned();
    assert!(message.contains("APPLIANCE__STORE__DRI") && message.contains("`dir`"), "{message}");
}

#[test]
fn every_command_is_there_and_tells_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let commands = [
        "init",
        "serve",
        "stdio",
        "demo",
        "status",
        "device add",
        "device list",
        "device show",
        "device edit",
        "device test",
        "device trust",
        "device remove",
        "device import csv",
        "call",
        "tools",
        "plan list",
        "plan show",
        "plan approve",
        "plan reject",
        "plan start",
        "job list",
        "job show",
        "job watch",
        "events tail",
        "events list",
        "events export",
        "verify",
        "replay",
        "snapshot list",
        "token create",
        "token list",
        "token revoke",
        "config check",
        "config show",
        "config default",
        "config schema",
        "mcp install claude-desktop",
        "doctor",
        "completions",
        "version",
    ];
    let bash = stdout(&appliance(dir.path(), &["completions", "bash"]));
    for command in commands {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let output = appliance(dir.path(), &words);
        assert_eq!(output.status.code(), Some(0), "{command}: {}", stderr(&output));
        let said = stdout(&output);
        assert!(
            said.contains("Usage: appliance") && said.lines().next().unwrap().len() > 10,
            "{command}: {said}"
        );
        assert!(bash.contains(command.split(' ').next().unwrap()), "{command} in completions");
    }
    let slip = appliance(dir.path(), &["devcie", "list"]);
    assert_eq!(slip.status.code(), Some(2));
    assert!(stderr(&slip).contains("'device'"), "{}", stderr(&slip));
    let slip = run(dir.path(), &["devcie", "list"]);
    let said = failure_of(&slip);
    assert_eq!((slip.status.code(), &said["code"]), (Some(2), &json!("invalid_params")));
    assert!(said["message"].as_str().unwrap().contains("'device'"), "{said}");
    assert!(slip.stdout.is_empty());
}
