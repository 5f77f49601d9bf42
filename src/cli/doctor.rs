//! `doctor`: looks at everything that an installation needs, and says what to do. Changes nothing and resumes nothing.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use events::{
    audit::{self, Source},
    ids::Moment,
};
use serde_json::{Value, json};
use tokio::net::UnixStream;

use crate::{
    appliance::{
        config::{Config, Store},
        holder::holder_of,
    },
    cli::{
        Common,
        client::{Client, uid},
        log::{last_note, unreadable},
        out, snapshot,
    },
    engine::clock,
    failure::Failure,
};

/// Below this much room the next commits are at risk.
const FREE_BYTES_LEAST: u64 = 64 * 1024 * 1024;
/// Below this much room somebody should look.
const FREE_BYTES_GOOD: u64 = 1024 * 1024 * 1024;
/// A store up to this size is verified as a whole; a larger one would keep a person waiting.
const VERIFIED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// No installation of this version saw an earlier clock (2026-01-01).
const CLOCK_LEAST: &str = "2026-01-01T00:00:00Z";
/// Files besides connections: store, sockets, logs, routers.
const FILES_BESIDES: u64 = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Ok,
    Warn,
    Fail,
}

/// What was found, check by check.
#[derive(Default)]
struct Findings(Vec<(&'static str, Health, String, String)>);

impl Findings {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push((check, Health::Ok, found.into(), String::new()));
    }
    fn warn(&mut self, check: &'static str, found: impl Into<String>, next: impl Into<String>) {
        self.0.push((check, Health::Warn, found.into(), next.into()));
    }
    fn fail(&mut self, check: &'static str, found: impl Into<String>, next: impl Into<String>) {
        self.0.push((check, Health::Fail, found.into(), next.into()));
    }
    fn count(&self, health: Health) -> usize {
        self.0.iter().filter(|(_, found, ..)| *found == health).count()
    }
    fn rows(&self) -> Vec<Value> {
        let word = |health| match health {
            Health::Ok => "ok",
            Health::Warn => "warn",
            Health::Fail => "fail",
        };
        let row = |(check, health, found, next): &(&str, Health, String, String)| json!({ "check": check, "result": word(*health), "found": found, "next": next });
        self.0.iter().map(row).collect()
    }
}

fn private(found: &mut Findings, check: &'static str, path: &Path, wanted: u32) {
    match fs::metadata(path) {
        Err(error) => found.fail(
            check,
            format!("{}: {error}", path.display()),
            "restore it from a backup, or make a new store with `appliance init`",
        ),
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 == 0 {
                found.ok(check, format!("{} (mode {mode:o})", path.display()));
            } else {
                found.fail(
                    check,
                    format!("{} may be read by others (mode {mode:o})", path.display()),
                    format!("chmod {wanted:o} {}", path.display()),
                );
            }
        }
    }
}

fn folders(found: &mut Findings, store: &Store) {
    private(found, "state directory", &store.dir, 0o700);
    for (check, path) in [("master key", store.master_key()), ("checkpoint key", store.checkpoint_key())] {
        private(found, check, &path, 0o600);
        if let Some(folder) = path.parent().filter(|folder| folder.is_dir()) {
            private(found, "folder of keys", folder, 0o700);
        }
    }
}

fn room(found: &mut Findings, store: &Store) {
    match rustix::fs::statvfs(&store.dir) {
        Err(error) => found.warn("disk", error.to_string(), "see whether the state directory can be reached"),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let text = format!("{} MiB free", free / 1024 / 1024);
            if free < FREE_BYTES_LEAST {
                found.fail("disk", text, "free some space: without it nothing can be kept and writes stop");
            } else if free < FREE_BYTES_GOOD {
                found.warn("disk", text, "free some space soon");
            } else {
                found.ok("disk", text);
            }
        }
    }
}

fn files(found: &mut Findings, config: &Config) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = u64::from(config.server.max_connections) + FILES_BESIDES;
    match limit.current {
        Some(current) if current < wanted => found.warn(
            "open files",
            format!(
                "at most {current}, {wanted} for server.max_connections = {}",
                config.server.max_connections
            ),
            "raise it (`ulimit -n`, LimitNOFILE= of the unit), or lower server.max_connections",
        ),
        current => found.ok("open files", current.map_or("unlimited".to_owned(), |n| format!("at most {n}"))),
    }
}

/// The newest checkpoint of the checkpoints' file, as text.
fn kept_note(found: &mut Findings, store: &Store) -> Option<String> {
    let path = store.checkpoints();
    match fs::read_to_string(&path) {
        Ok(text) if text.contains("appliance/") => Some(last_note(&text)),
        Ok(_) => {
            found.fail(
                "checkpoints",
                format!("{} holds none", path.display()),
                "restore it from where you keep copies; without one a cut tail does not show",
            );
            None
        }
        Err(error) => {
            found.fail(
                "checkpoints",
                format!("{}: {error}", path.display()),
                "restore it from where you keep copies; without one a cut tail does not show",
            );
            None
        }
    }
}

fn time(found: &mut Findings, note: Option<&str>) {
    let now = clock::now();
    let signed = note
        .and_then(|note| note.lines().find_map(|line| line.strip_prefix("time ")))
        .and_then(|rest| rest.split(' ').next())
        .and_then(|text| text.parse::<Moment>().ok());
    let least: Option<Moment> = CLOCK_LEAST.parse().ok();
    if least.is_some_and(|least| now < least) {
        found.fail("clock", now.to_string(), "set it: tokens, approvals and plans end by it");
    } else if let Some(signed) = signed.filter(|signed| *signed > now) {
        found.fail(
            "clock",
            format!("{now}, but the newest checkpoint was signed at {signed}"),
            "set it: it went back since then",
        );
    } else {
        found.ok("clock", now.to_string());
    }
}

/// A store that nobody holds is verified, without writing to it.
async fn look_alone(found: &mut Findings, config: &Config, note: Option<String>) {
    let file = config.store.file();
    let bytes = fs::metadata(&file).map_or(0, |metadata| metadata.len());
    let source = Source::Store(file.clone());
    if bytes > VERIFIED_BYTES_MAX {
        found.warn(
            "store",
            format!("{} MiB, not verified here", bytes / 1024 / 1024),
            "run `appliance verify`",
        );
        return;
    }
    let options = audit::Options { key: None, checkpoint: note, from: None };
    let looking = {
        let source = source.clone();
        tokio::task::spawn_blocking(move || audit::verify(&source, &options, &mut |_| {}))
    };
    match looking.await {
        Err(error) => found.fail("store", error.to_string(), "run `appliance verify`"),
        Ok(Err(error)) => {
            let failure = unreadable(&source, error);
            let next = failure.hint.as_deref().unwrap_or("the message says what to do").to_owned();
            found.fail("store", failure.say.into_owned(), next);
        }
        Ok(Ok(verdict)) if verdict.is_good() => {
            found.ok("store", format!("{} events, {}", verdict.events, verdict.sentence()));
            found
                .ok("checkpoints", format!("{} and it fits the store", config.store.checkpoints().display()));
        }
        Ok(Ok(verdict)) => {
            let first =
                verdict.problems.first().map_or(String::new(), |p| format!(": at {}: {}", p.seq, p.what));
            found.fail(
                "store",
                format!("{}{first}", verdict.sentence()),
                "keep the file; `appliance verify --checkpoint FILE` tells all",
            );
        }
    }
}

/// A running appliance is asked.
async fn ask(found: &mut Findings, common: &Common, config: &Config, note: Option<&str>) {
    let holder = holder_of(&config.store.file());
    let by = holder.map_or_else(String::new, |holder| format!(" (pid {}, `{}`)", holder.pid, holder.doing));
    match Client::once(common, "system_status", json!({})).await {
        Ok(status) if status["storage"] == "ready" => {
            found.ok("appliance", format!("runs{by}, version {}", out::cell(&status["version"])));
            found.ok("store", format!("held by it, {} events", out::cell(&status["head_seq"])));
            let newest = status["newest_checkpoint"].as_str().map(last_note);
            match (newest, note) {
                (Some(newest), Some(note)) if newest == note => {
                    found.ok("checkpoints", "the newest is in its file");
                }
                (_, Some(_)) => found.warn(
                    "checkpoints",
                    "the newest of the file is not the newest of the store",
                    "look again in a moment; if it stays so, run `appliance verify --checkpoint FILE`",
                ),
                _ => {}
            }
        }
        Ok(status) => found.fail(
            "appliance",
            format!("runs{by}, but the store is {}", out::cell(&status["storage"])),
            "see its log; reads go on, nothing can be changed",
        ),
        Err(failure) => found.fail("appliance", failure.say.into_owned(), failure.hint.unwrap_or_default()),
    }
}

async fn doors(found: &mut Findings, config: &Config, runs: bool) {
    let listen = &config.server.listen;
    if runs {
        found.ok("listen", format!("{listen} (or what `serve --listen` said)"));
        return;
    }
    if config.store.control_socket().exists() {
        found.warn(
            "sockets",
            "left by a process that was killed",
            "nothing to do: the next start replaces them",
        );
    }
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => found.ok("listen", format!("{listen} is free")),
        Err(error) => found.warn(
            "listen",
            format!("{listen}: {error}"),
            "choose another with `server.listen` or `serve --listen`",
        ),
    }
}

fn saved(found: &mut Findings, store: &Store) {
    let all = snapshot::listed(store);
    let broken = all.iter().filter(|one| one["whole"] == false).count();
    match (all.first(), broken) {
        (None, _) => found.ok("snapshots", "none; the next start reads the whole log"),
        (Some(newest), 0) => found.ok("snapshots", format!("newest at {}", out::cell(&newest["seq"]))),
        (Some(_), broken) => found.warn(
            "snapshots",
            format!("{broken} cannot be used"),
            format!("delete {}: it is rebuilt from the log", store.snapshots().display()),
        ),
    }
}

async fn look(common: &Common, found: &mut Findings) {
    found.ok("version", env!("CARGO_PKG_VERSION"));
    let config = match common.load() {
        Ok(config) => config,
        Err(Failure { say, hint, .. }) => {
            found.fail("configuration", say, hint.unwrap_or_default());
            return;
        }
    };
    let named = common.config.as_ref().map_or("defaults".to_owned(), |file| file.display().to_string());
    match config.check_files(common.config.as_deref(), &common.overrides()) {
        Ok(()) => found.ok("configuration", named),
        Err(failure) => found.fail("configuration", failure.say, failure.hint.unwrap_or_default()),
    }
    files(found, &config);
    if !config.store.file().exists() {
        found.fail(
            "store",
            format!("none in {}", config.store.dir.display()),
            "`appliance init` makes one; `--dir` names another",
        );
        return;
    }
    folders(found, &config.store);
    room(found, &config.store);
    let note = kept_note(found, &config.store);
    time(found, note.as_deref());
    saved(found, &config.store);
    let runs = UnixStream::connect(config.store.control_socket()).await.is_ok();
    if runs {
        ask(found, common, &config, note.as_deref()).await;
    } else {
        found
            .ok("appliance", format!("does not run; commands open the store themselves (as user {})", uid()));
        look_alone(found, &config, note).await;
    }
    doors(found, &config, runs).await;
}

pub(super) async fn run(common: &Common) -> Result<u8, Failure> {
    common.start_log("error", false)?;
    let mut found = Findings::default();
    look(common, &mut found).await;
    let (warnings, failures) = (found.count(Health::Warn), found.count(Health::Fail));
    let value = json!({ "checks": found.rows(), "warnings": warnings, "failures": failures });
    out::show(common, &value, |value| {
        out::table(
            &value["checks"],
            &[("check", "check"), ("result", "result"), ("found", "found"), ("next", "next")],
        )
    })?;
    Ok(u8::from(failures > 0))
}
