//! A PostgreSQL of its own: fresh data, a socket and no port, gone afterwards.

use std::{
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::run::Run;

/// What differs from the Debian package's own settings: no port, room for the bench's connections, and memory and
/// log enough that neither page reads nor checkpoints get in the way. Durability is as shipped, and named here.
const SETTINGS: [&str; 8] = [
    "listen_addresses=",
    "max_connections=200",
    "shared_buffers=1GB",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
];
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running server; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    socket: PathBuf,
}

/// The folder with `initdb` and `postgres`: Debian keeps one a version, and none in the path.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .collect();
    versions.sort();
    versions.pop()
}

fn install() -> Result<PathBuf, String> {
    println!("PostgreSQL is not here; installing Debian's package");
    let done = Run::new("apt-get").args(["update", "--quiet"]).done().and_then(|()| {
        Run::new("apt-get").args(["install", "--yes", "--no-install-recommends", "postgresql"]).done()
    });
    done.map_err(|why| {
        format!("{why}; install the package `postgresql`, or leave it out with --no-postgres")
    })?;
    programs().ok_or_else(|| "the package brought no server".to_owned())
}

/// The server refuses to run as root; the package makes a user for it.
fn user() -> Result<Option<(u32, u32)>, String> {
    let id = |args: &[&str]| -> Result<u32, String> {
        let output = Command::new("id").args(args).output().map_err(|error| format!("id: {error}"))?;
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .map_err(|_| "there is no user `postgres`".to_owned())
    };
    if id(&["-u"])? != 0 {
        return Ok(None);
    }
    Ok(Some((id(&["-u", "postgres"])?, id(&["-g", "postgres"])?)))
}

impl Server {
    /// Starts one whose data and socket are in `dir`.
    pub(crate) fn start(dir: &Path) -> Result<Self, String> {
        let programs = programs().map_or_else(install, Ok)?;
        let user = user()?;
        let home = dir.join("postgres");
        let failed = |error: std::io::Error| format!("{}: {error}", home.display());
        std::fs::create_dir(&home).map_err(failed)?;
        if let Some((uid, gid)) = user {
            chown(&home, Some(uid), Some(gid)).map_err(failed)?;
        }
        let program = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.current_dir(&home).env("LC_ALL", "C").stdin(Stdio::null());
            if let Some((uid, gid)) = user {
                command.gid(gid).uid(uid);
            }
            command
        };
        let data = home.join("data");
        let made = program("initdb")
            .args(["--auth=trust", "--username=bench", "--encoding=UTF8", "--no-locale", "-D"])
            .arg(&data)
            .output()
            .map_err(failed)?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let log = std::fs::File::create(dir.join("postgres.log")).map_err(failed)?;
        let mut server = program("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(&home).stdout(Stdio::null()).stderr(log);
        for setting in SETTINGS {
            server.arg("-c").arg(setting);
        }
        let child = server.spawn().map_err(failed)?;
        let mut started = Self { child, socket: home };
        started.wait_until_ready(&programs, dir)?;
        Ok(started)
    }

    /// The folder with its socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    fn wait_until_ready(&mut self, programs: &Path, dir: &Path) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < READY_WITHIN {
            let asked =
                Command::new(programs.join("pg_isready")).arg("-q").arg("-h").arg(&self.socket).status();
            if asked.is_ok_and(|status| status.success()) {
                return Ok(());
            }
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = std::fs::read_to_string(dir.join("postgres.log")).unwrap_or_default();
        Err(format!("PostgreSQL did not start: {said}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT asks for a fast shutdown.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
