//! Stores that cannot be used, through every door of the real binary: a typed error, the right exit code, and not one
//! byte changed. And a disk that fills up under a living process: nothing acknowledged is lost, reads go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use events::{
    audit::{self, Source},
    event::Event,
    ids::Seq,
};
use serde_json::{Value, json};

use crate::house::{APPLIANCE, PATIENCE, appliance, json_of, request, stderr, stdout, terminate};

/// A state directory with some history, closed cleanly.
struct Store {
    folder: tempfile::TempDir,
    admin: String,
}

impl Store {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        let made = json_of(&appliance(&dir, &["--json", "init"]));
        let store = Self { folder, admin: made["admin_token"].as_str().unwrap().to_owned() };
        for n in 0..5 {
            let params = json!({ "label": format!("door token {n}"), "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] });
            let output =
                store.command(&["call", "token_create", "--params", &params.to_string()]).output().unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
        }
        store
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn file(&self) -> PathBuf {
        self.dir().join("events/appliance.redb")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(APPLIANCE);
        command
            .arg("--dir")
            .arg(self.dir())
            .arg("--json")
            .args(args)
            .env("APPLIANCE_TOKEN", &self.admin)
            .env_remove("APPLIANCE_TOKEN_FILE")
            .stdin(Stdio::null());
        command
    }

    /// Everything that the directory holds, sockets aside.
    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        // A directory that is not there holds nothing.
        let files = walkdir::WalkDir::new(self.dir()).into_iter().flatten();
        files
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| (entry.path().to_owned(), std::fs::read(entry.path()).unwrap()))
            .collect()
    }
}

/// The doors that open a store.
const DOORS: [&[&str]; 3] = [&["serve", "--listen", "127.0.0.1:0"], &["stdio"], &["call", "service_health"]];

/// The typed failure on standard error.
fn failure_of(output: &Output) -> Value {
    let text = stderr(output);
    let line = text.lines().rev().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str(line).unwrap()
}

/// Every door refuses with this code and exit code, says this, prints no data, and changes nothing.
#[track_caller]
fn refused(store: &Store, code: &str, exit: i32, words: &str) {
    let before = store.contents();
    for door in DOORS {
        let output = store.command(door).output().unwrap();
        judge(&output, door, code, exit, words);
        assert!(store.contents() == before, "{door:?}: something in the directory changed");
    }
}

#[track_caller]
fn judge(output: &Output, door: &[&str], code: &str, exit: i32, words: &str) {
    let failure = failure_of(output);
    assert_eq!(failure["code"], code, "{door:?}: {failure}");
    assert_eq!(output.status.code(), Some(exit), "{door:?}: {failure}");
    assert!(failure.to_string().contains(words), "{door:?} says `{words}`: {failure}");
    assert_eq!(stdout(output), "", "{door:?}: standard output is for data");
    assert!(!stderr(output).contains("panicked"), "{}", stderr(output));
}

/// It works again, and everything is there.
#[track_caller]
fn whole(store: &Store) {
    let output = store.command(&["call", "token_list"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(json_of(&output)["tokens"].as_array().unwrap().len(), 6);
    assert_eq!(store.command(&["verify"]).output().unwrap().status.code(), Some(0));
}

#[test]
fn a_missing_store_is_not_made_up() {
    let store = Store::make();
    std::fs::rename(store.dir(), store.folder.path().join("elsewhere")).unwrap();
    refused(&store, "store_unusable", 7, "appliance init");
    assert!(!store.dir().exists());
    std::fs::rename(store.folder.path().join("elsewhere"), store.dir()).unwrap();
    std::fs::rename(store.file(), store.folder.path().join("file")).unwrap();
    refused(&store, "store_unusable", 7, "appliance init");
    std::fs::rename(store.folder.path().join("file"), store.file()).unwrap();
    whole(&store);
}

#[test]
fn a_missing_or_open_key_is_named_before_the_store_is_touched() {
    use std::os::unix::fs::PermissionsExt as _;
    let store = Store::make();
    for key in ["master.key", "checkpoint.key"] {
        let (path, aside) = (store.dir().join("keys").join(key), store.folder.path().join(key));
        std::fs::rename(&path, &aside).unwrap();
        refused(&store, "invalid_config", 2, key);
        std::fs::write(&path, "short").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        refused(&store, "invalid_config", 2, "shorter than 32 bytes");
        std::fs::rename(&aside, &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        refused(&store, "invalid_config", 2, "chmod 600");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    whole(&store);
}

#[test]
fn a_store_that_another_process_holds_is_left_to_it() {
    let store = Store::make();
    let mut daemon = Running(store.command(DOORS[0]).stderr(Stdio::piped()).spawn().unwrap());
    let address = listening(&mut daemon);
    let second = store.command(DOORS[0]).output().unwrap();
    judge(&second, DOORS[0], "store_unusable", 7, "another process");
    // Commands find the daemon while its sockets are there; without them they must not break in.
    for socket in ["control.sock", "mcp.sock"] {
        std::fs::remove_file(store.dir().join(socket)).unwrap();
    }
    for door in &DOORS[1..] {
        let output = store.command(door).output().unwrap();
        judge(&output, door, "store_unusable", 7, "another process");
    }
    let reply = request(&address, "GET", "/ready", None, None);
    assert_eq!(reply.status, 200, "the first one was not disturbed: {}", reply.text);
    terminate(&daemon.0);
    assert!(daemon.0.wait().unwrap().success());
    whole(&store);
}

#[test]
fn files_that_are_no_store_are_refused_and_kept() {
    let store = Store::make();
    let good = std::fs::read(store.file()).unwrap();
    let pieces: [(&str, Vec<u8>); 4] = [
        ("zero length", Vec::new()),
        ("something else", b"hello, this is no store\n".repeat(400)),
        ("half", good[..good.len() / 2].to_vec()),
        ("without its last page", good[..good.len() - 4096].to_vec()),
    ];
    for (what, bytes) in pieces {
        std::fs::write(store.file(), &bytes).unwrap();
        println!("{what}");
        refused(&store, "log_damaged", 6, "damaged");
        assert_eq!(store.command(&["verify"]).output().unwrap().status.code(), Some(6), "{what}");
    }
    std::fs::remove_file(store.file()).unwrap();
    std::fs::create_dir(store.file()).unwrap();
    refused(&store, "store_unusable", 7, "directory");
    std::fs::remove_dir(store.file()).unwrap();
    std::fs::write(store.file(), good).unwrap();
    whole(&store);
}

#[test]
fn a_flipped_byte_of_an_event_is_found() {
    let store = Store::make();
    let good = std::fs::read(store.file()).unwrap();
    // The label of a token stands in one event, and the event in its row.
    let label = b"door token 3";
    let places: Vec<usize> =
        (0..good.len() - label.len()).filter(|at| good[*at..].starts_with(label)).collect();
    assert!(!places.is_empty());
    let mut bytes = good.clone();
    for at in &places {
        bytes[*at] ^= 1;
    }
    std::fs::write(store.file(), &bytes).unwrap();
    assert_eq!(store.command(&["verify"]).output().unwrap().status.code(), Some(6));
    // A snapshot spares a start the reading of old events; without one they are read.
    std::fs::remove_dir_all(store.dir().join("snapshots")).unwrap();
    for door in DOORS {
        judge(&store.command(door).output().unwrap(), door, "log_damaged", 6, "verify");
    }
    // Nothing else was touched meanwhile: with the byte mended, all is as before.
    let mut mended = std::fs::read(store.file()).unwrap();
    for at in &places {
        mended[*at] ^= 1;
    }
    std::fs::write(store.file(), mended).unwrap();
    whole(&store);
}

#[test]
fn stores_of_other_formats_are_told_apart() {
    let store = Store::make();
    let table: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("meta");
    let set = |format: u32| {
        let database = redb::Database::open(store.file()).unwrap();
        let txn = database.begin_write().unwrap();
        let mut meta = txn.open_table(table).unwrap();
        let old = meta.insert(b"format".as_slice(), format.to_le_bytes().as_slice()).unwrap();
        let old = u32::from_le_bytes(old.unwrap().value().try_into().unwrap());
        drop(meta);
        txn.commit().unwrap();
        old
    };
    let ours = set(1000);
    refused(&store, "store_unusable", 7, "or a newer one");
    set(0);
    refused(&store, "store_unusable", 7, "import the export");
    set(ours);
    whole(&store);
}

/// Runs `sh` as root of a mount namespace of its own, so that mounts are seen by nobody else.
fn in_namespace(script: &str, args: &[&str]) -> Option<Command> {
    let able = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !able.as_ref().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "mounts are needed for this test: {able:?}");
        eprintln!("skipped: mounting needs root");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).args(args);
    Some(command)
}

#[test]
fn a_read_only_file_system_is_said_to_be_so() {
    let store = Store::make();
    let before = store.contents();
    for (what, path) in [("the directory", store.dir()), ("the file", store.file())] {
        for door in DOORS {
            let script =
                "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
            let Some(mut command) = in_namespace(script, &[path.to_str().unwrap(), APPLIANCE]) else {
                return;
            };
            command.arg("--dir").arg(store.dir()).arg("--json").args(door);
            let output = command.env("APPLIANCE_TOKEN", &store.admin).stdin(Stdio::null()).output().unwrap();
            println!("{what}: {door:?}");
            judge(&output, door, "store_unusable", 7, "cannot be written");
        }
        assert!(store.contents() == before, "{what}: something changed");
    }
    whole(&store);
}

/// A daemon that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `http://…` of a daemon that says on standard error where it listens.
fn listening(daemon: &mut Running) -> String {
    let mut lines = BufReader::new(daemon.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on http://") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the daemon ended");
    }
    // Nobody may be blocked because nobody reads on.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::stderr()));
    let at = line.find("http://").unwrap();
    line[at..].split_whitespace().next().unwrap().to_owned()
}

/// A small disk in a namespace that lives as long as this.
struct SmallDisk {
    holder: Child,
    path: PathBuf,
}

impl SmallDisk {
    /// A tmpfs over `mount` with a copy of the store in it.
    fn mount(store: &Store, mib: u32) -> Option<Self> {
        let path = store.folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let script = "mount -t tmpfs -o size=\"$3\" none \"$2\" && cp -a \"$1\" \"$2/state\" && echo ready && exec cat";
        let (from, size) = (store.dir(), format!("{mib}m"));
        let args = [from.to_str().unwrap(), path.to_str().unwrap(), &size];
        let mut holder =
            in_namespace(script, &args)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Some(Self { holder, path })
    }

    /// A path as this process reaches it.
    fn seen(&self, rest: &str) -> PathBuf {
        let inside = self.path.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside).join(rest)
    }

    fn run(&self, store: &Store, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.holder.id().to_string(), APPLIANCE]);
        command.arg("--dir").arg(self.path.join("state")).arg("--json").args(args);
        command.env("APPLIANCE_TOKEN", &store.admin).env_remove("APPLIANCE_TOKEN_FILE").stdin(Stdio::null());
        command
    }

    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.seen("ballast")).unwrap();
        while ballast.write_all(&[7; 65_536]).is_ok() {}
        while ballast.write_all(&[7; 512]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.seen("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Makes tokens until one is refused; labels of those that were acknowledged.
fn make_until_refused(url: &str, admin: &str, from: usize) -> (Vec<String>, Value) {
    let mut acknowledged = Vec::new();
    for n in from..from + 20_000 {
        let label = format!("token {n} {}", "x".repeat(40));
        let params =
            json!({ "label": label, "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] });
        let reply = request(url, "POST", "/api/tools/token_create", Some(admin), Some(&params.to_string()));
        if reply.status != 200 {
            return (acknowledged, json!({ "status": reply.status, "body": reply.body }));
        }
        acknowledged.push(label);
    }
    panic!("a small disk is full sooner or later");
}

/// How many tokens the appliance knows.
fn tokens(url: &str, admin: &str) -> usize {
    let reply = request(url, "POST", "/api/tools/token_list", Some(admin), Some("{}"));
    assert_eq!(reply.status, 200, "{}", reply.text);
    usize::try_from(reply.body["total_count"].as_u64().unwrap()).unwrap()
}

/// Labels of all tokens that the log tells of.
fn labels(file: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    audit::scan(&Source::Store(file.to_owned()), Seq(1), None, &mut |envelope| {
        if let Event::TokenCreated(token) = envelope.event {
            found.insert(token.label);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_recovers_without_a_restart() {
    let store = Store::make();
    let Some(disk) = SmallDisk::mount(&store, 8) else { return };
    let admin = &store.admin;
    let mut daemon = Running(disk.run(&store, DOORS[0]).stderr(Stdio::piped()).spawn().unwrap());
    let url = listening(&mut daemon);

    let mut acknowledged = Vec::new();
    for round in 0..3 {
        disk.fill();
        let (kept, refusal) = make_until_refused(&url, admin, round * 100_000);
        acknowledged.extend(kept);
        let code = refusal["body"]["code"].as_str().unwrap_or_else(|| panic!("{refusal}"));
        assert!(["storage_unavailable", "outcome_unknown"].contains(&code), "{refusal}");
        assert_eq!(refusal["status"], 503, "{refusal}");
        // Reads go on, and who watches is told.
        assert!(tokens(&url, admin) >= acknowledged.len() + 6, "round {round}: reads show everything kept");
        let degraded = until(|| {
            let ready = request(&url, "GET", "/ready", None, None);
            (ready.status == 503).then_some(ready.body)
        });
        assert!(degraded["cause"].as_str().unwrap().contains("No space left"), "{degraded}");
        let status = request(&url, "GET", "/api/status", Some(admin), None);
        assert_eq!(status.status, 200, "{}", status.text);
        disk.free();
        until(|| (request(&url, "GET", "/ready", None, None).status == 200).then_some(()));
        let after = format!("after round {round}");
        let params =
            json!({ "label": after, "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] });
        let reply = request(&url, "POST", "/api/tools/token_create", Some(admin), Some(&params.to_string()));
        assert_eq!(reply.status, 200, "space is free again: {}", reply.text);
        acknowledged.push(after);
    }
    assert!(tokens(&url, admin) >= acknowledged.len() + 6, "what was acknowledged is known");

    // SIGTERM while the disk is full ends it; what was acknowledged is there afterwards.
    disk.fill();
    let (kept, _) = make_until_refused(&url, admin, 900_000);
    acknowledged.extend(kept);
    terminate(&daemon.0);
    daemon.0.wait().unwrap();
    let refused = disk.run(&store, &["call", "token_list"]).output().unwrap();
    assert!(
        refused.status.success() || failure_of(&refused)["code"] == "store_unusable",
        "a full disk at the start: {}",
        stderr(&refused)
    );
    disk.free();
    let mut daemon = Running(disk.run(&store, DOORS[0]).stderr(Stdio::piped()).spawn().unwrap());
    let url = listening(&mut daemon);
    assert!(tokens(&url, admin) >= acknowledged.len() + 6);
    terminate(&daemon.0);
    assert!(daemon.0.wait().unwrap().success());
    let kept = labels(&disk.seen("state/events/appliance.redb"));
    let lost: Vec<_> = acknowledged.iter().filter(|label| !kept.contains(*label)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    println!("{} acknowledged around four fill-ups, none lost", acknowledged.len());
    let verdict = disk.run(&store, &["verify"]).output().unwrap();
    assert_eq!(verdict.status.code(), Some(0), "{}", stderr(&verdict));
}

#[test]
fn a_file_that_may_not_grow_is_a_full_disk_too() {
    let store = Store::make();
    // Where the limit's own signal is ignored, writes beyond it fail.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", APPLIANCE, "--dir"]).arg(store.dir());
    command.args(DOORS[0]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut daemon = Running(command.spawn().unwrap());
    let url = listening(&mut daemon);
    let pid = rustix::process::Pid::from_child(&daemon.0);
    let limit = |bytes| {
        let (resource, maximum) = (rustix::process::Resource::Fsize, None);
        rustix::process::prlimit(Some(pid), resource, rustix::process::Rlimit { current: bytes, maximum })
            .unwrap();
    };
    let mut acknowledged = Vec::new();
    for round in 0..2 {
        limit(Some(std::fs::metadata(store.file()).unwrap().len()));
        let (kept, refusal) = make_until_refused(&url, &store.admin, round * 100_000);
        acknowledged.extend(kept);
        assert_eq!(refusal["body"]["code"], "storage_unavailable", "{refusal}");
        until(|| (request(&url, "GET", "/ready", None, None).status == 503).then_some(()));
        assert!(tokens(&url, &store.admin) >= acknowledged.len() + 6);
        limit(None);
        until(|| (request(&url, "GET", "/ready", None, None).status == 200).then_some(()));
    }
    terminate(&daemon.0);
    assert!(daemon.0.wait().unwrap().success());
    let kept = labels(&store.file());
    assert!(acknowledged.iter().all(|label| kept.contains(label)), "acknowledged and lost");
    assert_eq!(store.command(&["verify"]).output().unwrap().status.code(), Some(0));
}

#[test]
fn a_configuration_that_cannot_be_used_is_named_at_every_door() {
    let store = Store::make();
    let file = store.folder.path().join("appliance.toml");
    for (text, words) in [
        ("[store]\ndri = \"/x\"", "dri"),
        ("[nonsense]\na = 1", "nonsense"),
        ("[approval]\nwait_hours = \"1 day\"", "wait_hours"),
        ("[approval]\nwait_hours = 9999", "wait_hours"),
        ("[store]\nmaster_key_file = \"/nowhere/master.key\"", "/nowhere/master.key"),
        ("[routers.authorities]\nlab = \"/nowhere/lab.pem\"", "lab"),
        ("this is not TOML", "expected"),
    ] {
        std::fs::write(&file, text).unwrap();
        for door in DOORS {
            let output = store.command(door).arg("--config").arg(&file).output().unwrap();
            judge(&output, door, "invalid_config", 2, words);
        }
    }
    let missing = store.command(DOORS[2]).args(["--config", "/nowhere/appliance.toml"]).output().unwrap();
    judge(&missing, DOORS[2], "invalid_config", 2, "/nowhere/appliance.toml");
    whole(&store);
}

fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long");
        std::thread::yield_now();
    }
}

#[test]
fn a_store_cannot_be_made_where_nothing_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let output = appliance(&file.join("state"), &["--json", "init"]);
    judge(&output, &["init"], "store_unusable", 7, "cannot be made");
    let dir = folder.path().join("state");
    json_of(&appliance(&dir, &["--json", "init"]));
    let before = std::fs::read(dir.join("events/appliance.redb")).unwrap();
    let again = appliance(&dir, &["--json", "init"]);
    judge(&again, &["init"], "already_exists", 4, "already");
    assert!(std::fs::read(dir.join("events/appliance.redb")).unwrap() == before);
}

#[test]
fn an_end_by_signal_or_closed_input_leaves_a_clean_store() {
    let store = Store::make();
    // SIGTERM.
    let mut daemon = Running(store.command(DOORS[0]).stderr(Stdio::piped()).spawn().unwrap());
    listening(&mut daemon);
    terminate(&daemon.0);
    assert!(daemon.0.wait().unwrap().success());
    assert!(!store.dir().join("control.sock").exists());
    whole(&store);
    // SIGKILL leaves its sockets; the next one takes their place.
    let mut daemon = Running(store.command(DOORS[0]).stderr(Stdio::piped()).spawn().unwrap());
    listening(&mut daemon);
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    whole(&store);
    let mut daemon = Running(store.command(DOORS[0]).stderr(Stdio::piped()).spawn().unwrap());
    let url = listening(&mut daemon);
    assert_eq!(request(&url, "GET", "/ready", None, None).status, 200);
    terminate(&daemon.0);
    assert!(daemon.0.wait().unwrap().success());
    // Closed standard input, with the store opened by `stdio` itself.
    let mut stdio = store.command(&["stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(stdio.stdin.take());
    let mut said = String::new();
    stdio.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(stdio.wait().unwrap().success());
    assert_eq!(said, "");
    whole(&store);
}
