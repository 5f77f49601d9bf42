//! B3: from starting the real binary to ready, and what opening costs after a kill.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use events::{
    checkpoint::Signer,
    log::{EventLog, OpenOptions},
};

use crate::{
    Options, Outcome, facts,
    measure::median,
    process::{Daemon, Http},
    replay::Store,
    report::{Report, Row, number},
};

/// The store does its chores after a second without a wish; then a kill costs nothing.
const IDLE: Duration = Duration::from_millis(2500);
/// Commits of 64 events before a growing store may be killed: not a multiple of the flush's 64.
const COMMITS_BEFORE_KILL: u64 = 100;

fn signer(dir: &Path) -> Outcome<Signer> {
    let key = std::fs::read(dir.join("keys").join("checkpoint.key"))?;
    let key: [u8; 32] = key.try_into().map_err(|_| "the checkpoint key is not 32 bytes long")?;
    Ok(Signer::from_bytes(key))
}

/// Opens the store of a state directory, as the product does.
pub(crate) fn open(dir: &Path) -> Outcome<EventLog> {
    let file = dir.join("events").join("appliance.redb");
    Ok(EventLog::open(&file, signer(dir)?, OpenOptions::default())?)
}

/// Opens and drops it; milliseconds of the opening.
fn open_ms(dir: &Path) -> Outcome<f64> {
    let begun = Instant::now();
    let log = open(dir)?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    drop(log);
    Ok(took)
}

/// Appends at full speed until somebody kills this process; says when it may be killed.
pub(crate) fn grow(dir: &Path) -> Outcome<()> {
    let mut log = open(dir)?;
    for commit in 0u64.. {
        let batch = (0..64).map(|n| facts::call(commit * 64 + n)).collect::<Outcome<Vec<_>>>()?;
        log.append(batch, &[])?;
        if commit == COMMITS_BEFORE_KILL {
            let mut stdout = std::io::stdout().lock();
            writeln!(stdout, "growing")?;
            stdout.flush()?;
        }
    }
    Ok(())
}

/// Kills a process that grows the store.
fn kill_while_growing(dir: &Path) -> Outcome<()> {
    let own = std::env::current_exe()?;
    let mut child = Command::new(own).arg("grow").arg(dir).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
    child.kill()?;
    child.wait()?;
    if line.trim() == "growing" { Ok(()) } else { Err("the growing process ended by itself".into()) }
}

fn forget_snapshots(dir: &Path) -> Outcome<()> {
    for entry in std::fs::read_dir(dir.join("snapshots"))? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// Makes an event the way clients do, so that there is something to be durable.
fn call_once(daemon: &Daemon, store: &Store) -> Outcome<()> {
    let mut http = Http::open(&daemon.address)?;
    let bearer = format!("Bearer {}", store.token);
    let (status, body) = http.ask("POST", "/api/tools/echo", &bearer, "{\"message\":\"hello\"}")?;
    if status == 200 { Ok(()) } else { Err(String::from_utf8_lossy(&body).into_owned().into()) }
}

pub(crate) fn run(options: &Options, store: &Store, report: &mut Report) -> Outcome<()> {
    crate::talk("B3: start");
    let rounds = options.rounds().min(5);
    let (mut cold, mut warm, mut idle, mut loaded, mut opened) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        forget_snapshots(&store.dir)?;
        let daemon = Daemon::start(options, &store.dir)?;
        cold.push(daemon.ready_ms);
        // Stopping saves a snapshot.
        daemon.stop()?;
        let daemon = Daemon::start(options, &store.dir)?;
        warm.push(daemon.ready_ms);
        daemon.stop()?;
        opened.push(open_ms(&store.dir)?);
    }
    for _ in 0..rounds {
        let daemon = Daemon::start(options, &store.dir)?;
        call_once(&daemon, store)?;
        std::thread::sleep(IDLE);
        daemon.kill()?;
        idle.push(open_ms(&store.dir)?);
    }
    for _ in 0..rounds.min(3) {
        kill_while_growing(&store.dir)?;
        loaded.push(open_ms(&store.dir)?);
    }
    // Once more, to see what a person sees.
    kill_while_growing(&store.dir)?;
    let daemon = Daemon::start(options, &store.dir)?;
    let seen = if daemon.said.contains("walking") { "with a progress line" } else { "NO progress line" };
    daemon.stop()?;
    let about = format!("{} events, {} devices", number(store.events as f64), number(facts::DEVICES as f64));
    report.add(
        Row::new("B3", "start to ready, from snapshot", median(&warm), "ms").at_most(250.0).note(&about),
    );
    report
        .add(Row::new("B3", "start to ready, no snapshot", median(&cold), "ms").at_most(1500.0).note(&about));
    report.add(Row::new("B3", "opening a store that was closed", median(&opened), "ms"));
    let row = Row::new("B3", "opening after kill -9, idle for 1 s before", median(&idle), "ms");
    report.add(row.at_most(50.0));
    let gigabytes = std::fs::metadata(store.file())?.len() as f64 / 1e9;
    let row =
        Row::new("B3", "opening after kill -9 under load", median(&loaded) / 1000.0 / gigabytes, "s/GB");
    report.add(row.at_most(3.0).note(format!("{:.0} ms for {gigabytes:.2} GB; {seen}", median(&loaded))));
    Ok(())
}
