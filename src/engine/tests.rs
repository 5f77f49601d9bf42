//! The writer through its handle: order, repetition, digests, refusals.

use events::{
    checkpoint::Signer,
    device::{Environment, Purpose},
    event::Keep,
    ids::{CommandId, CredentialId, Seq},
    log::{EventLog, SideTable, SideWrite},
};

use crate::{
    domain::{
        Command, Login, Rules, Seen, State,
        testing::{NOON, agent, device_id, settings},
    },
    engine::{Engine, Options, Running, Wish, digest_of},
    failure::Code,
    projections::Views,
};

fn start() -> (Engine, Running) {
    let options = Options { rules: Rules::default(), snapshots: None };
    let log = EventLog::in_memory(Signer::generate());
    let mut views = Views::default();
    for envelope in log.reader().page(None, Seq(1), 10).unwrap() {
        views.apply(&envelope);
    }
    Engine::start(log, views, options)
}

fn add(n: u8) -> Command {
    let name = format!("r{n}");
    Command::AddDevice {
        device_id: device_id(&name),
        settings: settings(&name, n, Environment::Lab),
        trust: None,
        logins: Vec::new(),
    }
}

#[tokio::test]
async fn who_is_answered_reads_what_they_wrote() {
    let (engine, running) = start();
    for n in 1..=50 {
        engine.submit(agent(), add(n)).await.unwrap();
        assert!(engine.view(|views| views.state.devices.contains_key(&device_id(&format!("r{n}")))));
    }
    running.stop().await;
}

#[tokio::test]
async fn many_at_once_share_commits_and_decide_in_one_order() {
    let (engine, running) = start();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=200u8 {
        let engine = engine.clone();
        // Everybody wants an address that only one of four can have.
        tasks.spawn(async move {
            let name = format!("r{n}");
            let settings = settings(&name, n / 4 + 1, Environment::Lab);
            engine
                .submit(
                    agent(),
                    Command::AddDevice {
                        device_id: device_id(&name),
                        settings,
                        trust: None,
                        logins: Vec::new(),
                    },
                )
                .await
        });
    }
    let (mut yes, mut no) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            Ok(_) => yes += 1,
            Err(failure) if failure.code == Code::AlreadyExists => no += 1,
            Err(failure) => panic!("{failure}"),
        }
    }
    assert_eq!((yes, no), (51, 149));
    assert_eq!(engine.view(|views| views.state.devices.len()), 51);
    running.stop().await;
}

#[tokio::test]
async fn a_repeated_command_answers_the_same_and_happens_once() {
    let (engine, running) = start();
    let command_id = CommandId::from_parts(NOON, 7);
    let wish = || Wish { command_id, actor: agent(), command: add(1), side: vec![] };
    let first = engine.submit_wish(wish()).await.unwrap();
    let second = engine.submit_wish(wish()).await.unwrap();
    assert_eq!(first.envelopes, second.envelopes);
    assert_eq!(engine.view(|views| views.state.devices.len()), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_refusal_leaves_no_trace_in_the_state() {
    let (engine, running) = start();
    engine.submit(agent(), add(1)).await.unwrap();
    let before = engine.digest();
    assert_eq!(engine.submit(agent(), add(1)).await.unwrap_err().code, Code::AlreadyExists);
    assert_eq!(engine.digest(), before);
    running.stop().await;
}

#[tokio::test]
async fn the_live_state_is_the_fold_of_the_log() {
    use events::fold::Fold as _;
    let (engine, running) = start();
    for n in 1..=30 {
        engine.submit(agent(), add(n)).await.unwrap();
    }
    let mut replayed = State::default();
    for envelope in engine.log().page(Some(Keep::Ledger), Seq(1), 1000).unwrap() {
        replayed.apply(&envelope);
    }
    assert_eq!(digest_of(&replayed), engine.digest());
    running.stop().await;
}

#[tokio::test]
async fn what_was_queued_is_kept_when_the_engine_stops() {
    let (engine, running) = start();
    let waiting: Vec<_> = (1..=20)
        .map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.submit(agent(), add(n)).await })
        })
        .collect();
    engine.submit(agent(), add(100)).await.unwrap();
    let mut kept = 1;
    running.stop().await;
    for task in waiting {
        match task.await.unwrap() {
            Ok(_) => kept += 1,
            Err(failure) => assert_eq!(failure.code, Code::StorageUnavailable),
        }
    }
    assert_eq!(engine.view(|views| views.state.devices.len()), kept, "kept if and only if answered so");
}

#[tokio::test]
async fn edits_at_once_lose_nothing_and_leave_no_sealed_row_behind() {
    let (engine, running) = start();
    engine.submit(agent(), add(1)).await.unwrap();
    let edit = |engine: Engine, n: u128, tries: u128| async move {
        let device = engine.view(|views| views.state.devices[&device_id("r1")].clone());
        let seen = Box::new(Seen::from(&device));
        let mut settings = device.settings;
        settings.tags.insert(format!("by{n}"), String::new());
        let credential_id = CredentialId::from_parts(NOON, 1000 * n + tries);
        let key = credential_id.to_u128().to_be_bytes().to_vec();
        let side = vec![SideWrite::Put { table: SideTable::Credentials, key, value: vec![1] }];
        let logins = vec![Login { credential_id, purpose: Purpose::Read, username: format!("user{n}") }];
        let command = Command::EditDevice { device_id: device_id("r1"), seen, settings, trust: None, logins };
        let command_id = CommandId::from_parts(NOON, 1000 * n + tries);
        engine.submit_wish(Wish { command_id, actor: agent(), command, side }).await
    };
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=20u128 {
        let engine = engine.clone();
        tasks.spawn(async move {
            for tries in 0.. {
                match edit(engine.clone(), n, tries).await {
                    Ok(_) => return tries,
                    Err(failure) => assert_eq!(failure.code, Code::Conflict, "{failure}"),
                }
            }
            unreachable!()
        });
    }
    let mut conflicts = 0;
    while let Some(done) = tasks.join_next().await {
        conflicts += done.unwrap();
    }
    assert!(conflicts > 0, "some met each other");
    let device = engine.view(|views| views.state.devices[&device_id("r1")].clone());
    assert_eq!(device.settings.tags.len(), 20, "{:?}", device.settings.tags);
    let rows = engine.log().side_rows(SideTable::Credentials).unwrap();
    let (credential_id, _) = device.credentials[&Purpose::Read];
    assert_eq!(rows, [(credential_id.to_u128().to_be_bytes().to_vec(), vec![1])], "one login, one row");
    running.stop().await;
}
