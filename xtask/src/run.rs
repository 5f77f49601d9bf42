//! Runs commands, section by section, and counts.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// One feature set for everything that is built for tests and demo, so that it is built once.
pub(crate) const FEATURES: [&str; 2] = ["--features", "appliance/conformance,appliance/crash-points"];

/// A named part of a chore.
pub(crate) struct Section {
    name: &'static str,
    work: Box<dyn Fn() -> Result<(), String>>,
}

impl Section {
    pub(crate) fn new(name: &'static str, work: impl Fn() -> Result<(), String> + 'static) -> Self {
        Self { name, work: Box::new(work) }
    }
}

/// Runs all, also after a failure, and sums up.
pub(crate) fn sections(all: &[Section]) -> bool {
    let mut results: Vec<(&str, Result<(), String>, Duration)> = Vec::new();
    for section in all {
        println!("\n== {} ==", section.name);
        let started = Instant::now();
        let result = (section.work)();
        if let Err(why) = &result {
            println!("FAILED: {why}");
        }
        results.push((section.name, result, started.elapsed()));
    }
    println!("\n== summary ==");
    for (name, result, took) in &results {
        println!(
            "{:<28} {:<7} {:>6.1} s",
            name,
            if result.is_ok() { "ok" } else { "FAILED" },
            took.as_secs_f64()
        );
    }
    let failed = results.iter().filter(|(_, result, _)| result.is_err()).count();
    println!("\nsections: {} passed, {failed} failed", results.len() - failed);
    failed == 0
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

/// Where things are built.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command with its outcome as words.
pub(crate) struct Run(pub(crate) Command);

impl Run {
    pub(crate) fn new(program: &str) -> Self {
        let mut command = Command::new(program);
        command.current_dir(root());
        Self(command)
    }
    pub(crate) fn args<S: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.0.args(args);
        self
    }
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(key, value);
        self
    }
    pub(crate) fn done(mut self) -> Result<(), String> {
        let shown = format!("{:?}", self.0.get_program());
        match self.0.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{shown} ended with {status}")),
            Err(error) => Err(format!("{shown} could not be started: {error}")),
        }
    }
}

/// The same cargo that runs this.
///
/// What `cargo run` tells about this very package is taken away: build scripts of libraries look at it, and everything
/// would be built anew whenever cargo is called directly in between.
pub(crate) fn cargo(args: &[&str]) -> Run {
    let mut run = Run::new(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    let own = std::env::vars_os().map(|(key, _)| key).filter(|key| {
        let key = key.to_string_lossy();
        key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_")
    });
    own.for_each(|key| {
        run.0.env_remove(key);
    });
    run.args(args)
}

/// Is nextest there?
fn has_nextest() -> bool {
    cargo(&["nextest", "--version"]).0.output().is_ok_and(|output| output.status.success())
}

/// The number that decides all dice of property tests: `SEED`, else a new one each time.
#[expect(clippy::disallowed_methods, reason = "a number that was not there before; no replay reads it")]
pub(crate) fn new_seed() -> String {
    let asked = std::env::var("SEED").ok();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = asked.unwrap_or_else(|| now.as_secs().to_string());
    println!("PROPTEST_RNG_SEED={seed}");
    seed
}

/// Runs tests that take long on purpose, and shows what they print.
pub(crate) fn long(which: &[&str]) -> Run {
    if has_nextest() {
        return tests(&[which, &["--profile", "long", "--no-capture"]].concat());
    }
    tests(&[which, &["--", "--nocapture"]].concat())
}

/// Runs tests with nextest where it is there, else with cargo's own runner.
pub(crate) fn tests(which: &[&str]) -> Run {
    let runner: &[&str] = if has_nextest() { &["nextest", "run"] } else { &["test"] };
    let crates = which.contains(&"--workspace") || which.contains(&"appliance");
    let features: &[&str] = if crates { &FEATURES } else { &[] };
    let mut args = runner.to_vec();
    args.extend(features);
    args.extend(which);
    cargo(&args)
}

/// Builds the binary that tests and demo use, and tells where it is.
pub(crate) fn appliance() -> Result<PathBuf, String> {
    let mut args = vec!["build", "--workspace", "--all-targets"];
    args.extend(FEATURES);
    cargo(&args).done()?;
    Ok(target().join("debug").join("appliance"))
}

/// A demo in the background; ended when dropped.
pub(crate) struct Demo {
    child: std::process::Child,
    /// What it said.
    pub(crate) said: serde_json::Value,
    _dir: TempDir,
}

/// A folder that goes away.
pub(crate) struct TempDir(pub(crate) PathBuf);

impl TempDir {
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        Self::within(&std::env::temp_dir(), name)
    }

    /// One in a folder that somebody named.
    pub(crate) fn within(parent: &std::path::Path, name: &str) -> Result<Self, String> {
        let path = parent.join(format!("appliance-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Demo {
    pub(crate) fn start(binary: &std::path::Path, flags: &[&str]) -> Result<Self, String> {
        use std::io::{BufRead as _, BufReader};
        let dir = TempDir::new(if flags.is_empty() { "demo" } else { "demo-flags" })?;
        let mut child = Command::new(binary)
            .args(["demo", "--json", "--dir"])
            .arg(dir.0.join("state"))
            .args(flags)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .map_err(|error| format!("the demo did not start: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.as_mut() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        match serde_json::from_str(&line) {
            Ok(said) => Ok(Self { child, said, _dir: dir }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("the demo did not say where it is: {line:?}"))
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
