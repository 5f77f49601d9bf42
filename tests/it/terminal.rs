//! What a person at a terminal sees: progress, tables that fit, questions, live news. And what a pipe never sees.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    house::{APPLIANCE, As, House, json_of, stderr, stdout},
    lone::{Lone, Routers},
};

/// What came to a terminal, and the exit code.
struct Seen {
    text: String,
    code: i64,
}

/// Runs the binary on a terminal; `more` may have `answers` (pattern, text), `columns`, `env`, `stdout` (a file).
fn on_terminal(args: &[&str], more: &Value) -> Seen {
    let mut told = more.clone();
    told["argv"] = [&[APPLIANCE], args].concat().into();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/terminal.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(told.to_string())
        .env_remove("APPLIANCE_TOKEN_FILE")
        .env_remove("NO_COLOR")
        .env("TERM", "xterm-256color")
        .output()
        .expect("python3 is needed for the tests");
    let seen = json_of(&output);
    Seen { text: seen["seen"].as_str().unwrap().to_owned(), code: seen["code"].as_i64().unwrap() }
}

#[test]
fn progress_is_for_terminals_only() {
    let lone = Lone::new();
    for _ in 0..30 {
        lone.token("read_only");
    }
    let dir = lone.dir();
    let dir = dir.to_str().unwrap();
    let table = lone.folder.path().join("t.csv");
    let rows: String = (1..200).map(|n| format!("r{n},10.0.0.{n}\n")).collect();
    std::fs::write(&table, format!("device_id,address\n{rows}")).unwrap();
    let (table, out) = (table.to_str().unwrap(), lone.folder.path().join("out.ndjson"));
    let out = out.to_str().unwrap();
    let env = json!({ "env": { "APPLIANCE_TOKEN": lone.admin } });
    for (args, word) in [
        (vec!["verify"], "verifying"),
        (vec!["replay"], "replaying"),
        (vec!["events", "export", "--force", "--out", out], "exporting"),
        (vec!["device", "import", "csv", table, "--environment", "lab", "--yes"], "importing"),
    ] {
        let args = [vec!["--dir", dir], args].concat();
        let seen = on_terminal(&args, &env);
        assert_eq!(seen.code, 0, "{args:?}: {}", seen.text);
        assert!(seen.text.contains(word), "{args:?}: {}", seen.text);
        let quiet = on_terminal(&[vec!["--quiet"], args.clone()].concat(), &env);
        assert!(!quiet.text.contains(word), "{args:?} --quiet: {}", quiet.text);
        let piped = lone.run(&args[2..]);
        let both = stdout(&piped) + &stderr(&piped);
        assert!(!both.contains(word) && !both.contains('\u{1b}'), "{args:?} in a pipe: {both}");
    }
}

#[test]
fn tables_fit_and_colours_can_be_refused() {
    let house = House::start(12);
    let dir = house.store();
    let dir = dir.to_str().unwrap();
    let env = json!({ "APPLIANCE_TOKEN": house.token(As::Admin).unwrap() });
    for columns in [60, 100] {
        let seen = on_terminal(&["--dir", dir, "device", "list"], &json!({ "columns": columns, "env": env }));
        assert_eq!(seen.code, 0, "{}", seen.text);
        for line in seen.text.lines() {
            assert!(line.trim_end().chars().count() <= columns, "{columns}: {line}");
        }
    }
    let escape = '\u{1b}';
    let plain = |args: &[&str], env: Value| on_terminal(args, &json!({ "env": env })).text;
    assert!(plain(&["--help"], json!({})).contains(escape), "help has colours on a terminal");
    assert!(!plain(&["--no-color", "--help"], json!({})).contains(escape));
    assert!(!plain(&["--help"], json!({ "NO_COLOR": "1" })).contains(escape));
    // A log line: a second daemon's refusal is none, so a serve that cannot listen on a store of its own is asked.
    let lone = Lone::new();
    let serve = ["--dir", lone.dir().to_str().unwrap(), "--log-level", "debug", "status"].map(str::to_owned);
    let serve: Vec<&str> = serve.iter().map(String::as_str).collect();
    let quiet = [&["--no-color"], serve.as_slice()].concat();
    assert!(!plain(&quiet, json!({})).contains(escape), "no colours in the log either");
}

#[test]
fn passwords_are_read_without_being_shown_and_keys_are_asked_about() {
    let lone = Lone::new();
    let routers = Routers::start(1);
    let (ip, port) = routers.address(0);
    let dir = lone.dir();
    let env = json!({ "APPLIANCE_TOKEN": lone.admin, "APPLIANCE__ROUTERS__ALLOW_LOOPBACK": "true" });
    let add = |id: &str, answer: &str| {
        let args = [
            "--dir",
            dir.to_str().unwrap(),
            "device",
            "add",
            id,
            "--address",
            ip,
            "--port",
            port,
            "--environment",
            "lab",
            "--username",
            "appliance-ro",
        ];
        let answers =
            json!([["Password of appliance-ro", "ro-secret\n"], ["Is it the same", format!("{answer}\n")]]);
        on_terminal(&args, &json!({ "answers": answers, "env": env }))
    };
    let no = add("r1", "no");
    assert_eq!(no.code, 2, "{}", no.text);
    assert!(no.text.contains(routers.key(0)) && !no.text.contains("ro-secret"), "{}", no.text);
    let yes = add("r1", "yes");
    assert_eq!(yes.code, 0, "{}", yes.text);
    assert!(!yes.text.contains("ro-secret"), "{}", yes.text);
    let tested = lone.run(&["--json", "device", "test", "r1"]);
    assert_eq!(tested.status.code(), Some(0), "the password arrived: {}", stderr(&tested));
    let trust = on_terminal(
        &["--dir", dir.to_str().unwrap(), "device", "trust", "r1"],
        &json!({ "answers": [["Is it the same", "yes\n"]], "env": env }),
    );
    assert_eq!(trust.code, 0, "{}", trust.text);
    let stopped = on_terminal(
        &["--dir", dir.to_str().unwrap(), "device", "trust", "r1"],
        &json!({ "answers": [["Is it the same", "\u{3}"]], "env": env }),
    );
    assert_eq!(stopped.code, 1, "Ctrl-C at a question: {}", stopped.text);
}

#[test]
fn watching_a_job_shows_it_move_and_ends_with_it() {
    let lone = Lone::new();
    let routers = Routers::start(1);
    lone.add(&routers, 0, "r1", "prod");
    let plan = lone.approved_plan("r1");
    routers.fault(0, &json!({ "fault": "latency", "ms": 1500, "method": "POST", "times": 1 }));
    let _daemon = lone.serve();
    let job = json_of(&lone.run(&["--json", "plan", "start", &plan]))["job_id"].as_str().unwrap().to_owned();
    let env = json!({ "APPLIANCE_TOKEN": lone.admin });
    let seen =
        on_terminal(&["--dir", lone.dir().to_str().unwrap(), "job", "watch", &job], &json!({ "env": env }));
    assert_eq!(seen.code, 0, "{}", seen.text);
    for words in ["running  wave 1 of 1", "r1  started"] {
        assert!(seen.text.contains(words), "no `{words}` in {}", seen.text);
    }
    assert!(seen.text.lines().last().unwrap().contains("completed  100 %"), "{}", seen.text);
    // What was drawn to be seen is not data.
    let piped = stdout(&lone.run(&["job", "watch", &job]));
    assert!(piped.contains("completed  100 %") && !piped.contains(['\u{1b}', '[']), "{piped}");
}

#[test]
fn the_tail_follows_until_it_is_stopped() {
    let house = House::start(1);
    let env = json!({ "APPLIANCE_TOKEN": house.token(As::Admin).unwrap() });
    // The first line is the creation of the store; then Ctrl-C.
    let seen = on_terminal(
        &["--dir", house.store().to_str().unwrap(), "events", "tail", "--after", "0"],
        &json!({ "env": env, "answers": [["TokenCreated[^\n]*\n", "\u{3}"]] }),
    );
    assert!(seen.text.contains("StoreCreated"), "{}", seen.text);
    assert!([0, -2].contains(&seen.code), "{}: {}", seen.code, seen.text);
}
