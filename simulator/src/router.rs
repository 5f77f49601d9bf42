//! One box: its state, its queues, its faults, its certificate — everything but the socket.
//!
//! Shared by the connections that serve it. Locks are held for short synchronous work only.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::answer::visible;
use crate::clock::Clock;
use crate::commands::resume_schedule;
use crate::faults::Schedule;
use crate::fleet::{BoxSpec, FleetOptions};
use crate::journal::Journal;
use crate::login::Lane;
use crate::profile::Profile;
use crate::reach::{self, Fate, Question};
use crate::spec::Shape;
use crate::state::{Actor, Birth, Now, State};
use crate::table::{Record, Table, parse_id};
use crate::tls::{self, Identity};
use crate::{bulk, views, writes};

/// One simulated box.
#[derive(Debug)]
pub struct Device {
    /// Its name in the fleet.
    pub name: String,
    /// What it pretends to be.
    pub profile: Profile,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// What the caller files it under, e.g. `lab`.
    pub environment: String,
    /// The address that clients seem to come from, if not their own.
    client: Option<Ipv4Addr>,
    /// The fleet's clock.
    pub clock: Arc<Clock>,
    /// The fleet's options.
    pub options: FleetOptions,
    /// What goes wrong on demand.
    pub faults: Schedule,
    /// What was asked.
    pub journal: Journal,
    /// Changes cut all open connections.
    pub epoch: watch::Sender<u64>,
    /// Whether the power is on.
    pub up: watch::Sender<bool>,
    /// Asks the listener for a reboot of so much real time.
    pub reboots: watch::Sender<Option<Duration>>,
    /// Changes once, when the fleet ends.
    pub stopped: watch::Sender<bool>,
    /// Whether a task waits for the next entry of the scheduler.
    pub watching_schedule: AtomicBool,
    /// Until when the link is dead, milliseconds of router time.
    cut_until_ms: AtomicU64,
    state: Mutex<State>,
    lanes: Mutex<BTreeMap<String, Arc<Lane>>>,
    identity: Mutex<Option<Arc<Identity>>>,
    shared_identity: Option<Arc<OnceLock<Arc<Identity>>>>,
    next_connection: AtomicU64,
    boots: AtomicU64,
    dazes: AtomicU64,
}

impl Device {
    /// Unpacks a box.
    pub fn new(
        spec: &BoxSpec,
        index: usize,
        clock: Arc<Clock>,
        options: FleetOptions,
        shared_identity: Option<Arc<OnceLock<Arc<Identity>>>>,
    ) -> Self {
        let birth = Birth {
            profile: spec.profile,
            index,
            identity: spec.identity.clone(),
            overloaded: spec.overloaded,
            tls: spec.tls,
            unix_s: clock.unix_start_s(),
        };
        let mut state = State::new(birth);
        give_users(&mut state, spec);
        give_way(&mut state, spec);
        state.unpacked();
        Device {
            name: spec.name.clone(),
            profile: spec.profile,
            tls: spec.tls,
            environment: spec.environment.clone(),
            client: spec.client,
            clock,
            options,
            faults: Schedule::default(),
            journal: Journal::default(),
            epoch: watch::Sender::new(0),
            up: watch::Sender::new(true),
            reboots: watch::Sender::new(None),
            stopped: watch::Sender::new(false),
            watching_schedule: AtomicBool::new(false),
            cut_until_ms: AtomicU64::new(0),
            state: Mutex::new(state),
            lanes: Mutex::default(),
            identity: Mutex::default(),
            shared_identity,
            next_connection: AtomicU64::new(1),
            boots: AtomicU64::new(0),
            dazes: AtomicU64::new(0),
        }
    }

    /// The state, for short work.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This moment on the box.
    pub fn now(&self) -> Now {
        Now { since_start: self.clock.now(), unix_s: self.clock.unix_s() }
    }

    /// A user's queue.
    pub fn lane(&self, user: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(user.to_owned()).or_default())
    }

    /// The certificate, made at first use.
    pub fn identity(&self) -> io::Result<Arc<Identity>> {
        let mut own = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = own.as_ref() {
            return Ok(Arc::clone(identity));
        }
        let identity = match &self.shared_identity {
            Some(shared) => match shared.get() {
                Some(identity) => Arc::clone(identity),
                None => {
                    let made = Arc::new(tls::make("fleet")?);
                    Arc::clone(shared.get_or_init(|| made))
                }
            },
            None => Arc::new(tls::make(&self.name)?),
        };
        *own = Some(Arc::clone(&identity));
        Ok(identity)
    }

    /// Throws the key away and takes a new one; open connections are cut.
    pub fn change_key(&self) {
        if let Ok(fresh) = tls::make(&self.name) {
            *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(fresh));
        }
        self.cut_connections();
    }

    /// Ends all open connections.
    pub fn cut_connections(&self) {
        self.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// The client as the box sees it.
    pub fn seen(&self, peer: SocketAddr) -> SocketAddr {
        self.client.map_or(peer, |client| SocketAddr::new(IpAddr::V4(client), peer.port()))
    }

    /// The link to the box dies, for so much router time or until it is mended; the box itself lives on.
    pub fn cut_link(&self, heals_after: Option<Duration>) {
        let until = heals_after.map(|time| (self.clock.now() + time).as_millis());
        let until = until.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(u64::MAX);
        self.cut_until_ms.store(until, Ordering::SeqCst);
    }

    /// The link is there again.
    pub fn mend_link(&self) {
        self.cut_until_ms.store(0, Ordering::SeqCst);
    }

    /// Whether the link is dead.
    pub fn link_is_dead(&self) -> bool {
        match self.cut_until_ms.load(Ordering::SeqCst) {
            0 => false,
            until => self.clock.now().as_millis() < u128::from(until),
        }
    }

    /// What happens to a packet of a client, as [`Device::seen`] has it.
    pub fn fate(&self, client: SocketAddr, question: Question) -> Fate {
        if self.link_is_dead() {
            return Fate::Silent;
        }
        reach::fate(&mut self.state(), client, question)
    }

    /// Whether the managing client gets in: with a new connection, with a standing one.
    pub fn reachable(&self) -> (bool, bool) {
        let client = self.seen(SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000)));
        let open = |question| self.fate(client, question) == Fate::Open;
        (open(Question::Connect), open(Question::Arrive) && open(Question::Return))
    }

    /// The address that the managing client connects to.
    pub fn management(&self) -> Option<Ipv4Addr> {
        self.state().way.as_ref().map(|way| way.address)
    }

    /// Puts the configuration back to the day the box was unpacked.
    pub fn restore(&self) {
        self.state().unpack_again();
    }

    /// Adds many rows at once; says how many there are then.
    pub fn seed(&self, path: &str, count: usize, pattern: &writes::Args) -> Result<usize, String> {
        let now = self.now();
        let mut state = self.state();
        let menu = state.catalogue.menu(path).ok_or_else(|| format!("no menu {path} here"))?;
        bulk::fill(&mut state, menu, count, pattern, now).map_err(|refusal| refusal.text().to_owned())
    }

    /// Notes a connection while it lives.
    pub fn connected(&self, peer: SocketAddr) -> u64 {
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        self.state().connections.insert(id, peer);
        id
    }

    /// The power goes: connections, logins, jobs and volatile rows are lost.
    pub fn power_off(&self) {
        self.up.send_replace(false);
        self.cut_connections();
        let now = self.now();
        let mut state = self.state();
        state.connections.clear();
        state.forget_volatile(now);
    }

    /// The power is back.
    pub fn power_on(&self) {
        let now = self.now();
        {
            let mut state = self.state();
            state.booted = now.since_start;
            resume_schedule(&mut state, now);
        }
        self.boots.fetch_add(1, Ordering::SeqCst);
        self.up.send_replace(true);
    }

    /// Whether the box came up so recently that its answers cannot be trusted.
    pub fn dazed(&self) -> bool {
        self.boots.load(Ordering::SeqCst) > 0
            && self.clock.now().saturating_sub(self.state().booted) < self.options.boot_race
    }

    /// Counts untrustworthy answers: errors and wrong rows take turns.
    pub fn next_daze(&self) -> u64 {
        self.dazes.fetch_add(1, Ordering::SeqCst)
    }

    /// Whether the service that carries REST here is switched off: connections are closed at once.
    pub fn service_off(&self) -> bool {
        let name = if self.tls { "www-ssl" } else { "www" };
        self.state().table("/ip/service").named(name).is_some_and(|row| row.is("disabled"))
    }

    /// A menu as it really is.
    pub fn read(&self, path: &str) -> Vec<Map<String, Value>> {
        let now = self.now();
        let mut state = self.state();
        let Some(menu) = state.catalogue.menu(path) else { return Vec::new() };
        views::rows(&mut state, menu, now).iter().map(|row| to_json(row)).collect()
    }

    /// Changes a menu as if someone sat at the console.
    ///
    /// Without an id: the values of a menu without records, or a new record. An id that does not exist, or a
    /// value the box refuses, changes nothing and gives the refusal's text.
    pub fn change_behind_back(
        &self,
        path: &str,
        id: Option<&str>,
        props: &[(&str, &str)],
    ) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        let menu = state.catalogue.menu(path).ok_or_else(|| format!("no menu {path} here"))?;
        let args: writes::Args = props.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let admin = Actor { user: "admin".to_owned(), ..Actor::system() };
        let outcome = state.change(&admin, now, |state| match (menu.shape, id) {
            (Shape::List, None) => writes::add(state, menu, args, now).map(|(_, note)| ((), note)),
            (Shape::List, Some(id)) => {
                let ids = writes::targets(state, menu, id)?;
                writes::set(state, menu, &ids, args, now).map(|note| ((), note))
            }
            _ => writes::set(state, menu, &[Record::NO_ID], args, now).map(|note| ((), note)),
        });
        outcome.map_err(|refusal| refusal.text().to_owned())
    }

    /// Puts records into a menu as they are; nothing where there is no such menu with records.
    pub fn plant(&self, path: &str, rows: Vec<Vec<(String, String)>>) -> Option<usize> {
        let mut state = self.state();
        let menu = state.catalogue.menu(path).filter(|menu| menu.shape == Shape::List)?;
        let planted = rows.len();
        for row in rows {
            let own = row.iter().find(|(key, _)| key == ".id").and_then(|(_, id)| parse_id(id));
            let table = state.table_mut(menu.path);
            let values = row.into_iter().filter(|(key, _)| key != ".id");
            if let Some(record) = own.and_then(|id| table.row_mut(id)) {
                values.for_each(|(key, value)| record.set(key, value));
                continue;
            }
            let mut record = Record::new(own.unwrap_or_else(|| table.fresh_id()));
            values.for_each(|(key, value)| record.set(key, value));
            table.push(record);
        }
        Some(planted)
    }

    /// Removes a record as if someone sat at the console; true if there was one that could go.
    pub fn remove_behind_back(&self, path: &str, id: &str) -> bool {
        let now = self.now();
        let mut state = self.state();
        let Some(menu) = state.catalogue.menu(path) else { return false };
        let admin = Actor { user: "admin".to_owned(), ..Actor::system() };
        let outcome = state.change(&admin, now, |state| {
            let ids = writes::targets(state, menu, id)?;
            writes::remove(state, menu, &ids).map(|note| ((), note))
        });
        outcome.is_ok()
    }
}

fn to_json(row: &Record) -> Map<String, Value> {
    let mut map = Map::new();
    if row.id != Record::NO_ID {
        map.insert(".id".to_owned(), Value::String(row.wire_id()));
    }
    for (key, value) in visible(row) {
        map.insert(key.to_owned(), Value::String(value.to_owned()));
    }
    map
}

/// Gives the box its management address: the one asked for, else the one it listens on, else its uplink's.
fn give_way(state: &mut State, spec: &BoxSpec) {
    let elsewhere = (spec.listen != Ipv4Addr::LOCALHOST).then_some(spec.listen);
    if let Some(own) = elsewhere {
        let table = state.table_mut("/ip/address");
        let id = table.fresh_id();
        let network = Ipv4Addr::from(u32::from(own) & 0xFFFF_FF00);
        let row = Record::new(id)
            .with("address", format!("{own}/24"))
            .with("network", network.to_string())
            .with("interface", "ether1")
            .with("disabled", "false")
            .with("dynamic", "false")
            .with("vrf", "main")
            .with("comment", "management");
        table.push(row);
    }
    let uplink = |state: &mut State| {
        let row = state.table("/ip/address").rows.first()?.clone();
        row.text("address").split('/').next()?.parse().ok()
    };
    let address = spec.management.or(elsewhere).or_else(|| uplink(state));
    state.way = address.and_then(|address| reach::find(state, address, if spec.tls { 443 } else { 80 }));
}

/// Writes the users and the groups their policies make.
fn give_users(state: &mut State, spec: &BoxSpec) {
    const ALL: [&str; 17] = [
        "local",
        "telnet",
        "ssh",
        "ftp",
        "reboot",
        "read",
        "write",
        "policy",
        "test",
        "winbox",
        "password",
        "web",
        "sniff",
        "sensitive",
        "api",
        "romon",
        "rest-api",
    ];
    let mut users = Table::default();
    for user in &spec.users {
        let full = ALL.iter().all(|policy| user.policies.iter().any(|p| p == policy));
        let mut wanted = user.policies.clone();
        wanted.sort_unstable();
        let group = if full { "full".to_owned() } else { group_for(state, &user.name, &wanted) };
        let id = users.fresh_id();
        let row = Record::new(id)
            .with("name", user.name.clone())
            .with("password", user.password.clone())
            .with("group", group)
            .with("address", "")
            .with("disabled", "false")
            .with("expired", "false");
        users.push(row);
    }
    *state.table_mut("/user") = users;
}

fn group_for(state: &mut State, user: &str, wanted: &[String]) -> String {
    let policy = wanted.join(",");
    let groups = state.table_mut("/user/group");
    if let Some(group) = groups.rows.iter().find(|group| group.text("policy") == policy) {
        return group.text("name").to_owned();
    }
    let name = format!("{user}-group");
    let id = groups.fresh_id();
    groups.push(Record::new(id).with("name", name.clone()).with("policy", policy).with("skin", "default"));
    name
}
