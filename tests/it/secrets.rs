//! Canary secrets, one of each kind, are driven through every door and must appear nowhere afterwards: not in an answer,
//! an event, an error, a log at its most talkative, a metric, an export, a snapshot, nor in an image of the process.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use crate::house::{APPLIANCE, As, House, PATIENCE, appliance, json_of, request, stderr, stdout};

/// A secret with its kind.
type Secret = (String, Vec<u8>);

struct Scene {
    house: House,
    secrets: Vec<Secret>,
    outputs: Vec<(String, Vec<u8>)>,
}

impl Scene {
    fn secret(&mut self, kind: &str, secret: impl AsRef<[u8]>) {
        self.secrets.push((kind.to_owned(), secret.as_ref().to_vec()));
    }

    fn said(&mut self, what: impl Into<String>, text: impl AsRef<[u8]>) {
        self.outputs.push((what.into(), text.as_ref().to_vec()));
    }

    /// Calls a tool, keeps its answer as an output, and gives it back.
    fn call(&mut self, who: As, tool: &str, params: &Value) -> Value {
        let reply = self.house.http(who, "POST", &format!("/api/tools/{tool}"), Some(params));
        self.said(tool, format!("{} {}", reply.head, reply.text));
        reply.body
    }

    /// Runs the command line at its most talkative.
    fn cli(&mut self, who: As, args: &[&str]) {
        let output = self.house.cli(who, &[&["--log-level", "trace", "--json"], args].concat());
        self.said(format!("{args:?}"), [output.stdout, output.stderr].concat());
    }
}

#[test]
fn canaries_appear_in_no_answer_event_log_error_metric_export_or_snapshot() {
    let house = House::start_with(12, &["--log-level", "trace"]);
    let mut scene = Scene { house, secrets: Vec::new(), outputs: Vec::new() };
    passwords(&mut scene);
    tokens(&mut scene);
    an_approval(&mut scene);
    other_doors(&mut scene);
    let store = scene.house.store();
    for key in ["master", "checkpoint"] {
        let bytes = std::fs::read(store.join(format!("keys/{key}.key"))).unwrap();
        assert_eq!(bytes.len(), 32);
        scene.secret(&format!("{key} key"), bytes);
    }
    let kinds: std::collections::BTreeSet<_> = scene.secrets.iter().map(|(kind, _)| kind.clone()).collect();
    assert!(kinds.len() >= 12, "{kinds:?}");

    for path in ["/metrics", "/ready", "/api/status", "/api/tools", "/api/openapi.json", "/api/devices"] {
        let reply = scene.house.http(As::Admin, "GET", path, None);
        scene.said(path, reply.head + &reply.text);
    }
    for tool in ["audit_events", "token_list", "list_devices", "plan_list", "job_list", "system_status"] {
        scene.call(As::Admin, tool, &json!({}));
    }
    let device = scene.house.device(0).to_owned();
    scene.call(As::Admin, "device_show", &json!({ "device_id": device }));

    let Scene { house, secrets, mut outputs } = scene;
    let (clean, log, dir) = house.stop();
    assert!(clean && log.len() > 10_000, "the trace log was captured");
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "at its most talkative");
    outputs.push(("log".into(), log.into_bytes()));
    let export = dir.path().join("export.ndjson");
    let (from, to) = (store.to_str().unwrap(), export.to_str().unwrap());
    for args in [
        vec!["events", "export", "--store", from, "--out", to],
        vec!["--json", "verify", "--store", from],
        vec!["--json", "replay", "--store", from],
        vec!["--json", "config", "show"],
        vec!["--json", "doctor"],
    ] {
        let output = appliance(&store, &args);
        outputs.push((format!("{args:?}"), [output.stdout, output.stderr].concat()));
    }
    outputs.push(("export".into(), std::fs::read(&export).unwrap()));
    let mut files = 0;
    for entry in walkdir::WalkDir::new(&store).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() && !entry.path().starts_with(store.join("keys")) {
            files += 1;
            outputs.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
        }
    }
    assert!(files >= 3, "store, snapshot and checkpoints");
    for (kind, secret) in &secrets {
        for (form, text) in forms(secret) {
            for (what, output) in &outputs {
                assert!(!contains(output, &text), "the {kind} is, as {form}, in {what}");
            }
        }
    }
}

/// Logins of two router users, changed, refused, misplaced.
fn passwords(scene: &mut Scene) {
    let device = scene.house.device(0).to_owned();
    let canaries = [
        ("read password", "canary-read-pw-7f3a91"),
        ("write password", "canary-write-pw-2b8c40"),
        ("rotated password", "canary-rotated-pw-91d2e7"),
        ("rejected password", "canary-rejected-pw-55aa10"),
        ("password in a wrong field", "canary-misplaced-pw-c3c3c3"),
        ("password of an unknown device", "canary-unknown-pw-0a1b2c"),
    ];
    for (kind, canary) in canaries {
        scene.secret(kind, canary);
    }
    for edit in [
        json!({ "device_id": device, "username": "u1", "password": canaries[0].1 }),
        json!({ "device_id": device, "write_username": "u2", "write_password": canaries[1].1 }),
        json!({ "device_id": device, "username": "u1", "password": canaries[2].1 }),
        json!({ "device_id": device, "username": 7, "password": canaries[3].1 }),
        json!({ "device_id": device, "pasword": canaries[4].1 }),
        json!({ "device_id": "nobody", "username": "x", "password": canaries[5].1 }),
    ] {
        scene.call(As::Admin, "device_edit", &edit);
    }
    // The simulated router is shown the logins, and turns them away.
    scene.call(As::Agent, "get_dns_status", &json!({ "device_id": device }));
    scene.call(As::Agent, "update_dns_servers", &json!({ "device_id": device, "dns_servers": ["9.9.9.9"] }));
    // Another one takes them.
    let other = scene.house.device(1).to_owned();
    scene.secret("password that works", "rw-secret");
    scene.secret("read password that works", "ro-secret");
    scene.call(As::Agent, "update_dns_servers", &json!({ "device_id": other, "dns_servers": ["9.9.9.9"] }));
    scene.call(As::Agent, "get_ntp_status", &json!({ "device_id": other }));
}

/// Bearers of every role, a revoked one, and wrong ones in every place where one is shown.
fn tokens(scene: &mut Scene) {
    for (kind, who) in
        [("agent's bearer", As::Agent), ("approver's bearer", As::Approver), ("admin's bearer", As::Admin)]
    {
        let token = scene.house.token(who).unwrap().to_owned();
        scene.secret(kind, token);
    }
    // Its one answer shows it; nothing else may.
    let params =
        json!({ "label": "canary", "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] });
    let made = scene.house.call(As::Admin, "token_create", &params);
    let token = made["token"].as_str().unwrap().to_owned();
    let used = request(scene.house.url(), "GET", "/api/status", Some(&token), None);
    scene.said("with a made token", used.text);
    scene.call(As::Admin, "token_revoke", &json!({ "token_id": made["token_id"] }));
    let revoked = request(scene.house.url(), "GET", "/api/status", Some(&token), None);
    assert_eq!(revoked.status, 401);
    scene.said("with a revoked token", revoked.text);
    scene.secret("revoked bearer", token);
    let wrong = format!("appl_{}", "c4a4a47b".repeat(8));
    for path in ["/api/tools", "/mcp", "/metrics", "/api/events"] {
        let reply = request(scene.house.url(), "GET", path, Some(&wrong), None);
        scene.said(format!("{path} with a wrong token"), reply.head + &reply.text);
    }
    scene.secret("Authorization header", wrong);
    let misplaced = "canary-token-as-a-parameter-4e5f60";
    scene.call(As::Agent, "echo", &json!({ "message": "hi", "api_token": misplaced }));
    scene.call(As::Agent, "config_apply_nothing", &json!({ "approval_token": misplaced }));
    scene.secret("token in a wrong field", misplaced);
}

/// The token that comes with a plan is shown to who asked for the plan, and to nobody else.
fn an_approval(scene: &mut Scene) {
    let prod = (0..12)
        .map(|n| scene.house.device(n).to_owned())
        .find(|id| {
            scene.house.call(As::Admin, "device_show", &json!({ "device_id": id }))["environment"] == "prod"
        })
        .expect("the demo fleet has a prod router");
    scene.house.call(As::Admin, "device_edit", &json!({ "device_id": prod, "allow": ["advanced_writes"] }));
    let params = json!({ "device_id": prod, "dns_servers": ["9.9.9.9"] });
    let plan = scene.house.call(As::Agent, "update_dns_servers", &params)["plan"].clone();
    scene.secret("approval token", plan["approval_token"].as_str().unwrap());
    scene.call(As::Admin, "plan_details", &json!({ "plan_id": plan["plan_id"] }));
    scene.call(
        As::Approver,
        "plan_approve",
        &json!({ "plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"] }),
    );
    scene.call(As::Agent, "plan_start", &json!({ "plan_id": plan["plan_id"] }));
}

/// Command line, environment, files, tables, standard input.
fn other_doors(scene: &mut Scene) {
    let folder = tempfile::tempdir().unwrap();
    scene.cli(As::Admin, &["device", "list"]);
    scene.cli(
        As::Agent,
        &["call", "get_dns_status", &format!("device_id={}", scene.house.device(1).to_owned())],
    );
    let in_file = "canary-password-file-6a7b8c";
    let file = folder.path().join("password");
    std::fs::write(&file, in_file).unwrap();
    let third = scene.house.device(2).to_owned();
    let edit = ["device", "edit", &third, "--username", "u3", "--password-file"];
    scene.cli(As::Admin, &[edit.as_slice(), &[file.to_str().unwrap()]].concat());
    scene.secret("password of a file", in_file);
    let in_table = "canary-table-pw-9d0e1f";
    let table = folder.path().join("fleet.csv");
    std::fs::write(&table, format!("device_id,address,environment,password\nr1,192.0.2.1,lab,{in_table}\n"))
        .unwrap();
    scene.cli(As::Admin, &["device", "import", "csv", table.to_str().unwrap(), "--yes"]);
    scene.secret("password of a table", in_table);
    let of_environment = format!("appl_{}", "e1f2a3b4".repeat(8));
    let output = Command::new(APPLIANCE)
        .arg("--dir")
        .arg(scene.house.store())
        .args(["--log-level", "trace", "--json", "status"])
        .env("APPLIANCE_TOKEN", &of_environment)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success(), "a wrong token is refused");
    scene.said("a wrong token of the environment", [output.stdout, output.stderr].concat());
    scene.secret("token of the environment", of_environment);
    let typed = "canary-typed-on-stdin-2c3d4e";
    let lines = [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
        format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"x","password":"{typed}"}}}}}}"#),
        format!("{{not json, password {typed}"),
    ];
    let input = folder.path().join("input");
    std::fs::write(&input, lines.join("\n") + "\n").unwrap();
    let output = Command::new(APPLIANCE)
        .arg("--dir")
        .arg(scene.house.store())
        .args(["--log-level", "trace", "stdio"])
        .stdin(std::fs::File::open(&input).unwrap())
        .output()
        .unwrap();
    scene.said("stdio", [output.stdout, output.stderr].concat());
    scene.secret("password typed on standard input", typed);
}

/// As text, hex, base64 of every alignment and both alphabets, URL form, and a list of numbers as `{:?}` shows bytes.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent = |lower: bool| -> String {
        let escape = |byte: &u8| match (byte.is_ascii_alphanumeric(), lower) {
            (true, _) => char::from(*byte).to_string(),
            (false, true) => format!("%{byte:02x}"),
            (false, false) => format!("%{byte:02X}"),
        };
        secret.iter().map(escape).collect()
    };
    let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
    let mut forms = vec![
        ("plain", secret.to_vec()),
        ("hex", hex.clone().into_bytes()),
        ("capital hex", hex.to_ascii_uppercase().into_bytes()),
        ("a URL", percent(false).into_bytes()),
        ("a small URL", percent(true).into_bytes()),
        ("numbers", numbers.join(", ").into_bytes()),
    ];
    for shift in 0..3 {
        // Whatever stands before and after it, the digits in the middle are the secret's own.
        let shifted = [&[0; 2][..shift], secret].concat();
        let own = |text: String| text.as_bytes()[(shift * 8).div_ceil(6)..shifted.len() * 8 / 6].to_vec();
        forms.push(("base64", own(BASE64_STANDARD_NO_PAD.encode(&shifted))));
        forms.push(("base64url", own(BASE64_URL_SAFE_NO_PAD.encode(&shifted))));
    }
    forms
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[test]
fn the_search_finds_what_it_should() {
    let secret = b"canary-x+/?";
    let basic = BASE64_STANDARD_NO_PAD.encode([b"u:", secret.as_slice(), b"tail"].concat());
    let debug = format!("{:?}", [b"a".as_slice(), secret, b"b"].concat());
    for output in [
        format!("a {} b", String::from_utf8_lossy(secret)),
        "63616e6172792d782b2f3f".into(),
        "q=canary%2Dx%2B%2F%3F".into(),
        basic,
        debug,
        BASE64_URL_SAFE_NO_PAD.encode([b"xx", secret.as_slice(), b"y"].concat()),
    ] {
        assert!(forms(secret).iter().any(|(_, form)| contains(output.as_bytes(), form)), "{output}");
    }
    assert!(!forms(secret).iter().any(|(_, form)| contains(b"canary-other", form)));
}

/// A daemon under a shell that would allow cores of any size, in a folder of its own, as another user where possible.
fn dumping_daemon(dir: &Path, folder: &Path, user: Option<&str>) -> std::process::Child {
    let script = "ulimit -c unlimited; cd \"$1\" && shift && exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(folder);
    if let Some(user) = user {
        command.args(["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all"]);
    }
    command.arg(APPLIANCE).arg("--dir").arg(dir).args(["serve", "--listen", "127.0.0.1:0"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while std::os::unix::net::UnixStream::connect(dir.join("control.sock")).is_err() {
        assert!(started.elapsed() < PATIENCE, "the daemon does not answer");
        std::thread::yield_now();
    }
    child
}

#[test]
fn a_crash_leaves_no_image_of_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    json_of(&appliance(&dir, &["--json", "init"]));
    // The same shell with a program that does not mind shows that this place would get a core.
    let minds = Command::new("sh")
        .args(["-c", "ulimit -c unlimited; kill -ABRT $$"])
        .current_dir(folder.path())
        .status();
    println!("a core of another program is written here: {}", minds.unwrap().core_dumped());
    for file in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            std::fs::remove_file(file).unwrap();
        }
    }
    for signal in ["ABRT", "QUIT", "ILL", "SYS"] {
        let mut child = dumping_daemon(&dir, folder.path(), None);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
        let sent =
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let status = child.wait().unwrap();
        assert!(status.signal().is_some() && !status.core_dumped(), "{signal}: {status}");
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["state"], "{signal}: nothing but the store is there");
    }
}

#[test]
fn nobody_else_looks_into_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    json_of(&appliance(&dir, &["--json", "init"]));
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    // Root may look into everything, so as root both the daemon and the curious one become somebody else.
    let user = root.then_some("65534");
    let as_user = |program: &str, args: &[&str]| {
        let mut command = Command::new(if root { "setpriv" } else { program });
        if root {
            command.args([
                "--reuid",
                "65534",
                "--regid",
                "65534",
                "--clear-groups",
                "--inh-caps=-all",
                program,
            ]);
        }
        command.args(args).output().unwrap()
    };
    if root {
        assert!(
            Command::new("chown").args(["-R", "65534:65534"]).arg(folder.path()).status().unwrap().success()
        );
        let able = as_user("test", &["-x", APPLIANCE]).status.success();
        assert!(able || std::env::var_os("CI").is_none(), "another user can run {APPLIANCE}");
        if !able {
            println!("skipped: another user cannot run {APPLIANCE}");
            return;
        }
    }
    let mut child = dumping_daemon(&dir, folder.path(), user);
    let mut open = Vec::new();
    for what in ["environ", "mem", "maps", "auxv"] {
        let path = format!("/proc/{}/{what}", child.id());
        let read = as_user("head", &["-c", "1", &path]);
        if read.status.success() || !stderr(&read).contains("ermission denied") {
            open.push(format!("{what}: {} {}", stdout(&read), stderr(&read)));
        }
    }
    crate::house::terminate(&child);
    assert!(child.wait().unwrap().success());
    assert_eq!(open, [""; 0], "open to the same user");
}
