//! One box's memory: tables, log, history, logins, jobs.
//!
//! Every change goes through [`State::change`], which is all or nothing and leaves a line in the history.
//! Knows no network and no time of its own; the caller brings both in `Now`.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Refusal;
use crate::profile::Profile;
use crate::reach::{Remembered, Way};
use crate::seed;
use crate::spec::Catalogue;
use crate::table::{Record, Table};
use crate::values::{show_date_time, show_seconds};
use crate::vitals::Vitals;

const HISTORY_MAX: usize = 100; // RouterOS forgets older actions
const LOG_MAX: usize = 1_000; // lines of the memory buffer
const LAST_JOB_AT_BOOT: u64 = 0x125; // jobs are counted anew after every boot

type Tables = BTreeMap<&'static str, Arc<Table>>;

/// The moment of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Router time since the fleet started.
    pub since_start: Duration,
    /// Router time as seconds since 1970.
    pub unix_s: u64,
}

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's name.
    pub user: String,
    /// The group's policies, as of the login.
    pub policies: Vec<String>,
}

impl Actor {
    /// Whether the login carries a policy.
    pub fn may(&self, policy: &str) -> bool {
        self.policies.iter().any(|p| p == policy)
    }

    /// The box itself: jobs, timers, tests.
    pub fn system() -> Self {
        let policies = ["read", "write", "policy", "test", "sensitive", "reboot", "ftp"];
        Actor { user: "system".to_owned(), policies: policies.map(str::to_owned).to_vec() }
    }
}

/// All tables of one moment.
#[derive(Debug)]
pub struct Snapshot(Tables);

/// One remembered change.
#[derive(Debug)]
pub struct Change {
    /// Its number.
    pub id: u64,
    /// Who made it.
    pub by: String,
    /// What it did, in words.
    pub action: String,
    /// When, router date.
    pub time: String,
    /// The inverse as console text.
    pub undo: String,
    /// The change as console text.
    pub redo: String,
    before: Vec<(&'static str, Option<Arc<Table>>)>,
    after: Vec<(&'static str, Option<Arc<Table>>)>,
    undone: bool,
}

/// A login of the REST server on behalf of a user.
#[derive(Clone, Debug)]
pub struct Session {
    /// When it began, router time.
    pub since: Duration,
    /// The same as a date.
    pub when: String,
    /// Policies as they were then.
    pub policies: Vec<String>,
    /// The user's group.
    pub group: String,
    /// Where it came from.
    pub from: String,
}

/// A script that runs by itself.
#[derive(Debug)]
pub struct Job {
    /// Its number among all that this box ever ran; its id is given again after a reboot.
    pub serial: u64,
    /// Who started it.
    pub owner: String,
    /// What it may do.
    pub policies: Vec<String>,
    /// When, router date.
    pub started: String,
    /// The stored script that it runs, by name.
    pub script: Option<String>,
    /// The job that started it.
    pub parent: Option<u64>,
    /// The task, so that it can be ended.
    pub task: Option<tokio::task::AbortHandle>,
}

/// What a menu change is called in history and log.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// In words, e.g. `ip address added`.
    pub action: String,
    /// The inverse as console text.
    pub undo: String,
    /// The change as console text.
    pub redo: String,
}

/// What tells one box from another.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The profile.
    pub profile: Profile,
    /// Its number within the fleet.
    pub index: usize,
    /// Its system identity.
    pub identity: String,
    /// Whether it groans under load.
    pub overloaded: bool,
    /// Whether REST comes over TLS.
    pub tls: bool,
    /// When factory contents were written, seconds since 1970.
    pub unix_s: u64,
}

/// The state of one box.
#[derive(Debug)]
pub struct State {
    /// What tells this box from another.
    pub birth: Birth,
    /// What its menus take.
    pub catalogue: &'static Catalogue,
    tables: Tables,
    history: VecDeque<Change>,
    next_change: u64,
    /// Router time of the last boot.
    pub booted: Duration,
    /// How long the box had been up when the fleet started.
    pub uptime_offset: Duration,
    /// Logins by user.
    pub sessions: BTreeMap<String, Session>,
    /// Running scripts.
    pub jobs: BTreeMap<u64, Job>,
    /// The last job's number, counted since the last boot.
    pub last_job: u64,
    /// Jobs that were ever begun.
    pub jobs_begun: u64,
    /// Open connections.
    pub connections: BTreeMap<u64, SocketAddr>,
    /// Counts reads of `/ip/service`: ids of its dynamic rows never repeat.
    pub service_reads: u64,
    /// Who holds safe mode, and the tables as they were.
    pub safe_mode: Option<(String, Tables)>,
    /// Where the managing client comes in; without it, nothing ever cuts it off.
    pub way: Option<Way>,
    /// What `reach` found out.
    pub fates: Remembered,
    /// Who makes the change that is under way.
    pub acting: String,
    /// What its gauges show, where they were tampered with.
    pub vitals: Vitals,
    /// The tables of the day it was unpacked, as far as they were not the factory's.
    unpacked: Tables,
}

impl State {
    /// A box fresh from the shelf.
    pub fn new(birth: Birth) -> Self {
        let days = Duration::from_secs(86_400 * (3 + birth.index as u64 % 40) + 4_217);
        State {
            catalogue: Catalogue::of(birth.profile),
            tables: BTreeMap::new(),
            history: VecDeque::new(),
            next_change: 0x10,
            booted: Duration::ZERO,
            uptime_offset: days,
            sessions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            last_job: LAST_JOB_AT_BOOT,
            jobs_begun: 0,
            connections: BTreeMap::new(),
            service_reads: 0,
            safe_mode: None,
            way: None,
            fates: Remembered::default(),
            acting: String::new(),
            vitals: Vitals::default(),
            unpacked: Tables::new(),
            birth,
        }
    }

    /// Notes that everything is as it should be when the box is unpacked.
    pub fn unpacked(&mut self) {
        self.unpacked = self.tables.clone();
    }

    /// Puts the whole configuration back to what it was when the box was unpacked. The log stays, and so do the
    /// numbers of records that once were.
    pub fn unpack_again(&mut self) {
        self.put_back(Snapshot(self.unpacked.clone()));
        self.safe_mode = None;
    }

    /// Time since the last boot.
    pub fn uptime(&self, now: Now) -> Duration {
        now.since_start.saturating_sub(self.booted) + self.uptime_offset
    }

    /// The table of a menu.
    pub fn table(&mut self, menu: &'static str) -> &Arc<Table> {
        let birth = &self.birth;
        self.tables.entry(menu).or_insert_with(|| match seed::of(birth.profile).get(menu) {
            Some(seed) if seed.personal => {
                Arc::new(seed::personalise(&seed.table, &|word| fill(birth, word)))
            }
            Some(seed) => Arc::clone(&seed.table),
            None => Arc::default(),
        })
    }

    /// The table of a menu, to write to.
    pub fn table_mut(&mut self, menu: &'static str) -> &mut Table {
        self.table(menu);
        Arc::make_mut(self.tables.entry(menu).or_default())
    }

    /// All tables that were touched so far.
    pub fn touched(&self) -> Vec<&'static str> {
        self.tables.keys().copied().collect()
    }

    /// Runs a change: all of it or, when refused, nothing; remembers how to undo it.
    pub fn change<T>(
        &mut self,
        actor: &Actor,
        now: Now,
        work: impl FnOnce(&mut State) -> Result<(T, Note), Refusal>,
    ) -> Result<T, Refusal> {
        let before = self.tables.clone();
        self.acting.clone_from(&actor.user);
        match work(self) {
            Err(refusal) => {
                self.tables = before;
                Err(refusal)
            }
            Ok((value, note)) => {
                self.remember(actor, now, &before, note);
                Ok(value)
            }
        }
    }

    fn remember(&mut self, actor: &Actor, now: Now, before: &Tables, note: Note) {
        let changed: Vec<&'static str> = self
            .tables
            .iter()
            .filter(|(menu, table)| {
                **menu != "/log" && before.get(*menu).is_none_or(|old| !Arc::ptr_eq(old, table))
            })
            .map(|(menu, _)| *menu)
            .collect();
        if changed.is_empty() || note.action.is_empty() {
            return;
        }
        let line = format!("{} by rest-api:{}@127.0.0.1", note.action, actor.user);
        self.log("system,info", &line, now);
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
            // Overflow silently ends safe mode with nothing undone.
            self.safe_mode = None;
        }
        self.next_change += 1;
        self.history.push_back(Change {
            id: self.next_change,
            by: actor.user.clone(),
            time: show_date_time(now.unix_s),
            action: note.action,
            undo: note.undo,
            redo: note.redo,
            before: changed.iter().map(|menu| (*menu, before.get(menu).cloned())).collect(),
            after: changed.iter().map(|menu| (*menu, self.tables.get(menu).cloned())).collect(),
            undone: false,
        });
    }

    /// Grows with every remembered change.
    pub fn generation(&self) -> u64 {
        self.next_change
    }

    /// The remembered changes, newest first.
    pub fn history(&self) -> Vec<Arc<Record>> {
        let row = |change: &Change| {
            Arc::new(
                Record::new(change.id)
                    .with("action", change.action.clone())
                    .with("by", change.by.clone())
                    .with("policy", "write")
                    .with("time", change.time.clone())
                    .with("undo", change.undo.clone())
                    .with("redo", change.redo.clone())
                    .with("undoable", if change.undone { "false" } else { "true" })
                    .with("redoable", if change.undone { "true" } else { "false" })
                    .with("floating-undo", "false"),
            )
        };
        self.history.iter().rev().map(row).collect()
    }

    /// Takes back the newest change, whoever made it.
    pub fn undo(&mut self) -> Result<(), Refusal> {
        let last = self.history.iter_mut().rev().find(|change| !change.undone);
        let last = last.ok_or_else(|| Refusal::bad("failure: nothing to undo"))?;
        last.undone = true;
        let tables = last.before.clone();
        self.restore(tables);
        Ok(())
    }

    /// Repeats the change undone last.
    pub fn redo(&mut self) -> Result<(), Refusal> {
        let first = self.history.iter_mut().find(|change| change.undone);
        let first = first.ok_or_else(|| Refusal::bad("failure: nothing to redo"))?;
        first.undone = false;
        let tables = first.after.clone();
        self.restore(tables);
        Ok(())
    }

    fn restore(&mut self, tables: Vec<(&'static str, Option<Arc<Table>>)>) {
        for (menu, table) in tables {
            // Numbers are never given twice, whatever is taken back.
            let next = self.table(menu).next;
            match table {
                Some(table) => self.tables.insert(menu, table),
                None => self.tables.remove(menu),
            };
            if self.table(menu).next < next {
                self.table_mut(menu).next = next;
            }
        }
    }

    /// The configuration as it is, to be put back by [`State::put_back`].
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.tables.clone())
    }

    /// Makes everything but the log what it was.
    pub fn put_back(&mut self, Snapshot(tables): Snapshot) {
        let menus: Vec<&'static str> = self.tables.keys().copied().filter(|menu| *menu != "/log").collect();
        self.restore(menus.into_iter().map(|menu| (menu, tables.get(menu).cloned())).collect());
    }

    /// Takes safe mode for a user.
    pub fn take_safe_mode(&mut self, user: &str) -> Result<(), Refusal> {
        if self.safe_mode.is_some() {
            return Err(Refusal::bad("failure: safe mode is already taken"));
        }
        self.safe_mode = Some((user.to_owned(), self.tables.clone()));
        Ok(())
    }

    /// Gives up safe mode: keeps what was done, or throws it away.
    pub fn leave_safe_mode(&mut self, keep: bool) {
        if let Some((_, tables)) = self.safe_mode.take()
            && !keep
        {
            self.put_back(Snapshot(tables));
        }
    }

    /// Writes a line of the log.
    pub fn log(&mut self, topics: &'static str, message: &str, now: Now) {
        let time = show_date_time(now.unix_s);
        let table = self.table_mut("/log");
        if table.rows.len() >= LOG_MAX {
            table.rows.remove(0);
        }
        let id = table.fresh_id();
        let line = Record::new(id).with("time", time).with("topics", topics).with("buffer", "memory");
        table.push(line.with("message", message.to_owned()));
    }

    /// What a power cut takes with it.
    pub fn forget_volatile(&mut self, now: Now) {
        self.booted = now.since_start;
        self.uptime_offset = Duration::ZERO;
        self.sessions.clear();
        self.history.clear();
        self.safe_mode = None;
        for job in std::mem::take(&mut self.jobs).into_values() {
            if let Some(task) = job.task {
                task.abort();
            }
        }
        self.last_job = LAST_JOB_AT_BOOT;
        self.table_mut("/ip/firewall/address-list").rows.retain(|row| !row.is("dynamic"));
        self.table_mut("/log").rows.clear();
        self.log("system,info", "router rebooted", now);
    }

    /// Whether device-mode allows a feature.
    pub fn mode_allows(&mut self, feature: &str) -> bool {
        let mode = self.table("/system/device-mode");
        mode.rows.first().is_none_or(|row| row.get(feature) != Some("false"))
    }

    /// Drops entries whose time is over.
    pub fn expire(&mut self, now: Now) {
        let menu = "/ip/firewall/address-list";
        let due = |row: &Arc<Record>| {
            row.get("~until_ms")
                .and_then(|ms| ms.parse().ok())
                .is_some_and(|ms| now.since_start >= Duration::from_millis(ms))
        };
        if self.table(menu).rows.iter().any(due) {
            self.table_mut(menu).rows.retain(|row| !due(row));
        }
    }

    /// Uptime in the router's notation.
    pub fn uptime_text(&self, now: Now) -> String {
        show_seconds(self.uptime(now))
    }
}

fn fill(birth: &Birth, word: &str) -> String {
    let index = birth.index;
    let (name, number) = word.split_once(' ').unwrap_or((word, "0"));
    let number: u64 = number.parse().unwrap_or(0);
    match name {
        "mac" => format!("48:A9:8A:{:02X}:{:02X}:{number:02X}", index / 256 % 256, index % 256),
        // 10.99 is routed elsewhere in the factory contents, 10.20 and up are towns.
        "net" => format!("10.{}.{}", 100 + index / 250 % 100, index % 250),
        "wan" => format!("192.0.2.{}", 10 + index % 240),
        "serial" => format!("HGX{:08X}", 0x09A1_0000 + index),
        "identity" => birth.identity.clone(),
        "version" => birth.profile.version().to_owned(),
        "ago" => show_date_time(birth.unix_s.saturating_sub(number)),
        _ => String::new(),
    }
}
