//! B1: durable appends. One writer, 64 and 1024 writers that each wait for their event before sending the next.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use appliance::{
    domain::Command,
    engine::{self, Running},
    projections::Views,
};
use events::{event::NewEvent, fold::Fold as _};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

use crate::{
    Options, Outcome, facts,
    measure::{median, percentile, written_bytes},
    report::{Report, Row},
    rivals::{Bare, Engine, Log, Postgres, Sqlite, connect, table},
};

/// As many events in one commit, and as many waiting, as the product's writer allows.
const BATCH_MAX: usize = 512;
const WAITING_MAX: usize = 1024;

/// What one turn of one engine brought.
#[derive(Debug, Default)]
struct Turn {
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    bytes_a_commit: f64,
}

/// Numbers events across all engines.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn event() -> Outcome<NewEvent> {
    facts::call(NEXT.fetch_add(1, Ordering::Relaxed))
}

fn turn(mut latencies_ms: Vec<f64>, took: Duration) -> Turn {
    Turn {
        per_s: latencies_ms.len() as f64 / took.as_secs_f64(),
        p50_ms: percentile(&mut latencies_ms, 0.5),
        p99_ms: percentile(&mut latencies_ms, 0.99),
        bytes_a_commit: 0.0,
    }
}

/// One caller, one event a commit, nothing in between.
fn alone(engine: &mut dyn Engine, length: Duration) -> Outcome<Turn> {
    let (begun, written) = (Instant::now(), written_bytes());
    let mut latencies = Vec::new();
    while begun.elapsed() < length {
        let batch = vec![event()?];
        let sent = Instant::now();
        engine.keep(batch)?;
        latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
    let commits = latencies.len() as f64;
    let mut turn = turn(latencies, begun.elapsed());
    turn.bytes_a_commit = (written_bytes() - written) / commits;
    Ok(turn)
}

type Waiting = (NewEvent, oneshot::Sender<()>);

/// The group-commit writer: whatever queued during the last commit is the next batch.
fn group_commit(mut engine: Box<dyn Engine>, mut queue: mpsc::Receiver<Waiting>) -> Outcome<Box<dyn Engine>> {
    while let Some(first) = queue.blocking_recv() {
        let (mut batch, mut answers) = (vec![first.0], vec![first.1]);
        while batch.len() < BATCH_MAX
            && let Ok((event, answer)) = queue.try_recv()
        {
            batch.push(event);
            answers.push(answer);
        }
        engine.keep(batch)?;
        for answer in answers {
            // A writer whose time is over does not listen any more.
            let _ = answer.send(());
        }
    }
    Ok(engine)
}

/// Runs `writers` tasks; each calls `send` again and again until the time is over.
async fn crowd<F>(writers: usize, length: Duration, send: impl Fn(usize) -> F) -> Outcome<Turn>
where
    F: Future<Output = Outcome<Vec<f64>>> + Send + 'static,
{
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        tasks.spawn(send(writer));
    }
    tokio::time::sleep(length).await;
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.append(&mut done??);
    }
    Ok(turn(latencies, begun.elapsed()))
}

/// Sends until told to stop and notes how long each answer took, in milliseconds.
async fn send_until<F: Future<Output = Outcome<()>>>(
    stop: Arc<AtomicBool>,
    mut send: impl FnMut() -> F,
) -> Outcome<Vec<f64>> {
    let mut latencies = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        send().await?;
        latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(latencies)
}

fn stop_after(length: Duration) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(length);
        set.store(true, Ordering::Relaxed);
    });
    stop
}

/// One engine among those that take turns.
enum Rival {
    /// Behind the group-commit writer of this file.
    Grouped(Option<Box<dyn Engine>>),
    /// The product's whole writer: rules, views and subscribers included.
    Whole(engine::Engine, Option<Running>),
    /// PostgreSQL, one connection a writer.
    Connections(Vec<Arc<(tokio_postgres::Client, tokio_postgres::Statement)>>),
}

impl Rival {
    fn grouped(engine: impl Engine + 'static) -> Self {
        Self::Grouped(Some(Box::new(engine)))
    }

    fn whole(path: &Path) -> Outcome<Self> {
        let Log(log) = Log::new(path)?;
        let mut views = Views::default();
        for envelope in log.reader().page(None, events::ids::Seq(1), 16)? {
            views.state.apply(&envelope);
        }
        let options = engine::Options { rules: appliance::domain::Rules::default(), snapshots: None };
        let (engine, running) = engine::Engine::start(log, views, options);
        Ok(Self::Whole(engine, Some(running)))
    }

    fn connections(runtime: &Runtime, socket: &Path, writers: usize) -> Outcome<Self> {
        runtime.block_on(async {
            table(&connect(socket).await?, "own_connections").await?;
            let mut all = Vec::new();
            for _ in 0..writers {
                let client = connect(socket).await?;
                let insert = client.prepare("INSERT INTO own_connections (body) VALUES ($1)").await?;
                all.push(Arc::new((client, insert)));
            }
            Ok(Self::Connections(all))
        })
    }

    fn turn(&mut self, runtime: &Runtime, writers: usize, length: Duration) -> Outcome<Turn> {
        let stop = stop_after(length);
        match self {
            Self::Grouped(slot) => {
                let engine = slot.take().ok_or("the engine ended")?;
                let (give, queue) = mpsc::channel::<Waiting>(WAITING_MAX);
                let writer = std::thread::spawn(move || group_commit(engine, queue));
                let turn = runtime.block_on(crowd(writers, length, move |_| {
                    let (give, stop) = (give.clone(), Arc::clone(&stop));
                    send_until(stop, move || {
                        let give = give.clone();
                        async move {
                            let (answer, answered) = oneshot::channel();
                            give.send((event()?, answer)).await.map_err(|_| "the writer ended")?;
                            Ok(answered.await?)
                        }
                    })
                }));
                *slot = Some(writer.join().map_err(|_| "the writer panicked")??);
                turn
            }
            Self::Whole(engine, _) => runtime.block_on(crowd(writers, length, |_| {
                let (engine, stop) = (engine.clone(), Arc::clone(&stop));
                send_until(stop, move || {
                    let engine = engine.clone();
                    async move {
                        let called = facts::called(NEXT.fetch_add(1, Ordering::Relaxed))?;
                        let kept = engine.submit(facts::agent(), Command::RecordCall(called)).await;
                        kept.map(|_| ()).map_err(|failure| failure.say.to_string().into())
                    }
                })
            })),
            Self::Connections(all) => runtime.block_on(crowd(writers, length, |writer| {
                let (own, stop) = (Arc::clone(&all[writer]), Arc::clone(&stop));
                send_until(stop, move || {
                    let own = Arc::clone(&own);
                    async move {
                        let mut body = Vec::new();
                        facts::encode(&mut body, 1, &event()?)?;
                        own.0.execute(&own.1, &[&body]).await?;
                        Ok(())
                    }
                })
            })),
        }
    }

    fn end(self, runtime: &Runtime) {
        if let Self::Whole(engine, Some(running)) = self {
            drop(engine);
            runtime.block_on(running.stop());
        }
    }
}

/// All turns of all engines of one crowd size, by engine.
type Turns = Vec<(&'static str, Vec<Turn>)>;

/// Every engine once unmeasured, then in turns; each round begins with another one.
fn rounds<R>(
    rivals: &mut [(&'static str, R)],
    options: &Options,
    mut turn: impl FnMut(&mut R, Duration) -> Outcome<Turn>,
) -> Outcome<Turns> {
    for (_, rival) in rivals.iter_mut() {
        turn(rival, options.turn() / 4)?;
    }
    let mut turns: Turns = rivals.iter().map(|(name, _)| (*name, Vec::new())).collect();
    for round in 0..options.rounds() {
        for offset in 0..rivals.len() {
            let at = (round + offset) % rivals.len();
            turns[at].1.push(turn(&mut rivals[at].1, options.turn())?);
        }
    }
    Ok(turns)
}

fn of<'a>(turns: &'a Turns, name: &str) -> Option<&'a [Turn]> {
    turns.iter().find(|(other, _)| *other == name).map(|(_, turns)| turns.as_slice())
}

/// The median, over the rounds, of one engine's rate over another's in the same round.
fn ratio(turns: &Turns, over: &str) -> Option<f64> {
    let (log, other) = (of(turns, LOG)?, of(turns, over)?);
    let ratios: Vec<f64> = log.iter().zip(other).map(|(log, other)| log.per_s / other.per_s).collect();
    Some(median(&ratios))
}

const LOG: &str = "log";
const WHOLE: &str = "whole writer";
const BARE: &str = "bare write+fdatasync";
const SQLITE: &str = "SQLite";
const GROUPED: &str = "PostgreSQL, group commit";
const CONNECTIONS: &str = "PostgreSQL, a connection each";
const POSTGRES: &str = "PostgreSQL";

fn figures(report: &mut Report, writers: usize, turns: &Turns) {
    for (name, turns) in turns {
        let median_of = |of: fn(&Turn) -> f64| median(&turns.iter().map(of).collect::<Vec<_>>());
        let note = format!(
            "p50 {:.2} ms, p99 {:.2} ms",
            median_of(|turn| turn.p50_ms),
            median_of(|turn| turn.p99_ms)
        );
        let what = format!("{writers} writer{}: {name}", if writers == 1 { "" } else { "s" });
        report.add(Row::new("B1", what, median_of(|turn| turn.per_s), "events/s").note(note));
    }
}

fn judged(report: &mut Report, writers: usize, turns: &Turns, over: &str, goal: f64) {
    if let Some(ratio) = ratio(turns, over) {
        let what = format!("{writers} writer{}: log ÷ {over}", if writers == 1 { "" } else { "s" });
        let note = if over.starts_with(POSTGRES) { "in process against client/server" } else { "" };
        report.add(Row::new("B1", what, ratio, "×").at_least(goal).note(note));
    }
}

fn one_writer(options: &Options, dir: &Path, report: &mut Report) -> Outcome<()> {
    let mut rivals: Vec<(&'static str, Box<dyn Engine>)> = vec![
        (LOG, Box::new(Log::new(&dir.join("one.redb"))?)),
        (BARE, Box::new(Bare::new(&dir.join("one.bare"))?)),
        (SQLITE, Box::new(Sqlite::new(&dir.join("one.sqlite"))?)),
    ];
    if let Some(socket) = &options.postgres {
        rivals.push((POSTGRES, Box::new(Postgres::new(socket, "one_writer")?)));
    }
    let turns = rounds(&mut rivals, options, |engine, length| alone(engine.as_mut(), length))?;
    figures(report, 1, &turns);
    judged(report, 1, &turns, POSTGRES, 1.2);
    judged(report, 1, &turns, BARE, 0.28);
    let written: Vec<f64> = of(&turns, LOG).into_iter().flatten().map(|turn| turn.bytes_a_commit).collect();
    let row = Row::new("B1", "1 writer: written to the disk a commit", median(&written) / 1000.0, "kB");
    report.add(row.at_most(40.0).note("of this process by the kernel's count"));
    Ok(())
}

fn many_writers(
    options: &Options,
    dir: &Path,
    runtime: &Runtime,
    writers: usize,
    report: &mut Report,
) -> Outcome<()> {
    let file = |ending: &str| dir.join(format!("{writers}.{ending}"));
    let mut rivals = vec![
        (LOG, Rival::grouped(Log::new(&file("redb"))?)),
        (WHOLE, Rival::whole(&file("whole.redb"))?),
        (BARE, Rival::grouped(Bare::new(&file("bare"))?)),
        (SQLITE, Rival::grouped(Sqlite::new(&file("sqlite"))?)),
    ];
    if let Some(socket) = &options.postgres {
        rivals.push((GROUPED, Rival::grouped(Postgres::new(socket, &format!("grouped_{writers}"))?)));
        if writers <= 64 {
            rivals.push((CONNECTIONS, Rival::connections(runtime, socket, writers)?));
        }
    }
    let turns = rounds(&mut rivals, options, |rival, length| rival.turn(runtime, writers, length))?;
    for (_, rival) in rivals {
        rival.end(runtime);
    }
    figures(report, writers, &turns);
    if writers <= 64 {
        judged(report, writers, &turns, CONNECTIONS, 2.0);
        judged(report, writers, &turns, GROUPED, 1.0);
    } else {
        judged(report, writers, &turns, GROUPED, 2.0);
    }
    Ok(())
}

pub(crate) fn run(options: &Options, report: &mut Report) -> Outcome<()> {
    let dir = options.dir.join("append");
    std::fs::create_dir_all(&dir)?;
    let mut sample = Vec::new();
    let bytes = facts::encode(&mut sample, 1, &event()?)?;
    crate::talk(&format!("B1: durable appends of events of {bytes} bytes"));
    one_writer(options, &dir, report)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for writers in [64, 1024] {
        many_writers(options, &dir, &runtime, writers, report)?;
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}
