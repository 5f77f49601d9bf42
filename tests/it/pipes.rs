//! MCP on standard input and output: whatever a client writes, and however it leaves.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::house::{APPLIANCE, House, appliance, stderr};

/// `appliance stdio` on a state directory.
fn start(dir: &Path) -> Child {
    Command::new(APPLIANCE)
        .arg("--dir")
        .arg(dir)
        .arg("stdio")
        .env_remove("APPLIANCE_TOKEN")
        .env_remove("APPLIANCE_TOKEN_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

const HELLO: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\
                     \"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}\n\
                     {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";

fn echo(id: u32, message: &str) -> String {
    let params = json!({ "name": "echo", "arguments": { "message": message } });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string()
}

/// Writes, closes, and waits for the end: what came out, line by line, and what was said beside it.
fn session(dir: &Path, says: &[u8]) -> (Vec<Value>, String) {
    let mut child = start(dir);
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let says = says.to_vec();
    // Written while the answers are read: neither side's pipe may fill.
    let writing = std::thread::spawn(move || {
        let _ = stdin.write_all(&says);
    });
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    writing.join().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let lines =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
    (lines.collect(), stderr(&output))
}

fn answer(lines: &[Value], id: u32) -> &Value {
    lines.iter().find(|line| line["id"] == json!(id)).unwrap_or_else(|| panic!("no answer {id}: {lines:?}"))
}

#[test]
fn odd_lines_are_answered_or_passed_over_and_the_session_goes_on() {
    let house = House::start(1);
    let alone = tempfile::tempdir().unwrap();
    let store = alone.path().join("store");
    assert!(appliance(&store, &["init"]).status.success());
    // Through a running appliance, and with a store of its own.
    for dir in [house.store(), store] {
        for odd in [
            &b"\n\n   \n"[..],
            b"\r\n",
            b"\xff\xfe\x00\n",
            b"{\"half\":\n",
            b"[]\n",
            b"null\n",
            b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/nonsense\"}\n",
            "[".repeat(100_000).as_bytes(),
        ] {
            let mut says = HELLO.as_bytes().to_vec();
            says.extend_from_slice(odd);
            says.extend_from_slice(format!("\n{}\n", echo(7, "after")).as_bytes());
            let (lines, _) = session(&dir, &says);
            let shown = String::from_utf8_lossy(&odd[..odd.len().min(40)]).into_owned();
            assert!(answer(&lines, 7)["result"].to_string().contains("after"), "{shown:?}: {lines:?}");
        }
    }
}

#[test]
fn what_was_asked_is_answered_before_the_end_and_a_line_without_an_end_is_no_message() {
    let house = House::start(1);
    let says = format!("{HELLO}{}\n{}", echo(2, "one"), echo(3, "two"));
    let (lines, _) = session(&house.store(), says.as_bytes());
    assert!(answer(&lines, 2)["result"].to_string().contains("one"), "{lines:?}");
    assert!(lines.iter().all(|line| line["id"] != 3), "{lines:?}");
}

#[test]
fn a_very_long_line_is_refused_by_its_field_and_the_session_goes_on() {
    let house = House::start(1);
    let says = format!("{HELLO}{}\n{}\n", echo(2, &"x".repeat(10_000_000)), echo(3, "after"));
    let (lines, _) = session(&house.store(), says.as_bytes());
    let refused = answer(&lines, 2).to_string();
    assert!(
        refused.contains("invalid_params") && refused.len() < 4_000,
        "{}",
        &refused[..refused.len().min(400)]
    );
    assert!(answer(&lines, 3)["result"].to_string().contains("after"));
}

#[test]
fn a_killed_client_leaves_nothing_that_hinders_the_next() {
    let house = House::start(1);
    for _ in 0..3 {
        let mut child = start(&house.store());
        child.stdin.as_mut().unwrap().write_all(HELLO.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (lines, _) = session(&house.store(), format!("{HELLO}{}\n", echo(2, "next")).as_bytes());
    assert!(answer(&lines, 2)["result"].to_string().contains("next"));
    let (ended_well, said, _dir) = house.stop();
    assert!(ended_well && !said.contains("ERROR"), "{said}");
}
