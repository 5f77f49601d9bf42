//! Makes a store, and brings an opened one's folds up to its head.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::Path};

use events::{
    checkpoint::Signer,
    event::NewEvent,
    ids::{CommandId, Seq, StoreId},
    log::{EventLog, OpenError, OpenOptions},
    principal::{Actor, Role},
    store::StoreCreated,
};

use zeroize::Zeroizing;

use crate::{
    appliance::{Initialised, config::Config, holder::name_holder, keys, mint_token, owner},
    domain::State,
    engine::{clock, mint},
    failure::{Code, Failure},
    projections::{Health, Views},
};

/// Events decoded at a time while folds are brought up to the head.
const PAGE: usize = 4096;
/// The first admin token's life, in days.
const FIRST_TOKEN_DAYS: i64 = 90;

/// Turns the log's words into ours.
pub(super) fn store_failure(error: OpenError) -> Failure {
    let code = match &error {
        OpenError::Exists { .. } => Code::AlreadyExists,
        OpenError::Damaged { .. } => Code::LogDamaged,
        _ => Code::StoreUnusable,
    };
    let held = match &error {
        OpenError::Locked { path } => Some(path.clone()),
        _ => None,
    };
    let failure = Failure::new(code, error.to_string()).log(error);
    match held {
        Some(path) => name_holder(failure, &path),
        None => failure,
    }
}

fn options(config: &Config) -> OpenOptions {
    OpenOptions {
        cache_bytes: usize::try_from(config.store.cache_mib).unwrap_or(48) * 1024 * 1024,
        checkpoint_file: Some(config.store.checkpoints()),
        ..OpenOptions::default()
    }
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        Failure::new(Code::StoreUnusable, format!("the folder {} cannot be made: {error}", path.display()))
    })
}

pub(super) fn init(config: &Config) -> Result<Initialised, Failure> {
    let store = &config.store;
    let file = store.file();
    if file.exists() {
        return Err(Failure::new(
            Code::AlreadyExists,
            format!("there is a store in {} already", store.dir.display()),
        ));
    }
    make_dir(&store.dir)?;
    let parents = [Some(file.as_path()), Some(&store.master_key()), Some(&store.checkpoint_key())];
    for parent in parents.into_iter().flatten().filter_map(Path::parent) {
        make_dir(parent)?;
    }
    make_dir(&store.snapshots())?;
    // What is left of an earlier store in this folder speaks of another history.
    snapshots::Store::new(store.snapshots()).forget_after(Seq(0));
    if store.master_key().exists() {
        keys::read(&store.master_key(), "master key")?;
    } else {
        let mut key = zeroize::Zeroizing::new([0u8; 32]);
        getrandom::fill(&mut key[..]).map_err(|error| {
            Failure::new(Code::Bug, "the operating system gives no randomness").log(error)
        })?;
        keys::write_new(&store.master_key(), &key)?;
    }
    let signer = if store.checkpoint_key().exists() {
        Signer::from_bytes(*keys::read(&store.checkpoint_key(), "checkpoint key")?)
    } else {
        let signer = Signer::generate();
        keys::write_new(&store.checkpoint_key(), &signer.to_bytes())?;
        signer
    };
    let store_id = mint!(StoreId);
    let verifier_key = signer.verifier().to_string();
    let created = StoreCreated {
        store_id,
        product_version: env!("CARGO_PKG_VERSION").into(),
        verifier_key: verifier_key.clone(),
    };
    let new = |actor: Actor, event| NewEvent { at: clock::now(), actor, command_id: mint!(CommandId), event };
    // In one commit: a store without its first token could be administered by nobody.
    let (token, admin_token) = mint_token("first admin", Role::Admin, false, &owner(), FIRST_TOKEN_DAYS);
    let (first, more) = (new(Actor::system(), created.into()), vec![new(owner(), token.into())]);
    let log = EventLog::create_with(&file, signer, options(config), first, more).map_err(store_failure)?;
    let kept = |error: events::log::AppendError| {
        Failure::new(Code::StoreUnusable, "the new store could not be written").log(error)
    };
    log.close(clock::now()).map_err(kept)?;
    Ok(Initialised { store_id, verifier_key, admin_token, dir: store.dir.clone() })
}

/// What an opened store gives: the log, its folds at its head, and the key of the vault.
pub(super) type Opened = (EventLog, Views, Zeroizing<[u8; 32]>);

pub(super) async fn open(config: &Config) -> Result<Opened, Failure> {
    let config = config.clone();
    tokio::task::spawn_blocking(move || open_now(&config))
        .await
        .map_err(|error| Failure::new(Code::Bug, "opening the store failed").log(error))?
}

fn open_now(config: &Config) -> Result<Opened, Failure> {
    let file = config.store.file();
    if !file.exists() {
        return Err(Failure::new(
            Code::StoreUnusable,
            format!("there is no store in {}", config.store.dir.display()),
        )
        .hint("`appliance init` makes one"));
    }
    // Both keys first: without one of them the store is not even touched.
    let master = keys::read(&config.store.master_key(), "master key")?;
    let signer = Signer::from_bytes(*keys::read(&config.store.checkpoint_key(), "checkpoint key")?);
    let log = EventLog::open(&file, signer, options(config)).map_err(store_failure)?;
    events::crash::point("start.opened");
    let views = restore(&log, &config.store.snapshots())?;
    events::crash::point("start.restored");
    Ok((log, views, master))
}

/// The newest snapshot of this very history and the rest of the log. Without snapshots everything is read from the log.
fn restore(log: &EventLog, snapshots: &Path) -> Result<Views, Failure> {
    use events::fold::Fold as _;
    let reader = log.reader();
    let head = log.head();
    let store = snapshots::Store::new(snapshots);
    // A log that was put back from a backup is shorter than what was saved after it.
    store.forget_after(head.seq);
    let (mut views, mut from) = (Views::default(), Seq(1));
    while let Some(saved) = store.newest_up_to(head.seq) {
        let folds = saved.fold::<State>().zip(saved.fold::<Health>());
        match folds {
            Some((state, health)) if is_of(log, &saved, &state) => {
                from = saved.seq.next();
                views.state = state;
                views.health = health;
                break;
            }
            // Another version's folds, or another history's.
            _ => store.forget_at(saved.seq),
        }
        if store.newest_up_to(head.seq).is_some_and(|left| left.seq == saved.seq) {
            break; // It cannot be removed: read the log instead.
        }
    }
    let unreadable = |error: events::log::ReadError| {
        Failure::new(Code::LogDamaged, "the log cannot be read; `appliance verify` tells more").log(error)
    };
    loop {
        let page = reader.page(None, from, PAGE).map_err(unreadable)?;
        let Some(last) = page.last() else { break };
        from = last.seq.next();
        for envelope in &page {
            views.state.apply(envelope);
            views.health.apply(envelope);
        }
    }
    if let Some(last) = reader.get(head.seq).ok().flatten()
        && !clock::goes_on_from(last.at)
    {
        tracing::warn!(last = %last.at, "the newest event is of a time to come: was a clock set wrong? Times are told as this machine's clock tells them");
    }
    Ok(views)
}

/// True when a snapshot was saved from this log: the same store, and the same ledger up to its place.
fn is_of(log: &EventLog, saved: &snapshots::Snapshot, state: &State) -> bool {
    let reader = log.reader();
    let leaf = reader.get(state.seq).ok().flatten().and_then(|last| last.leaf);
    state.store_id == Some(log.store_id())
        && state.seq <= saved.seq
        && leaf.is_some_and(|leaf| reader.root_at(leaf + 1).is_ok_and(|root| root == saved.root))
}
