//! A model router: two menus without records, one ordered list of rules, and timers that undo.
//!
//! Its own opinion of what an action does and of what an expectation says; it shares no judgement with the product.

use std::time::Duration;

use events::{
    operation::{Action, Expectation, Operation, Place, Wanted, Which},
    plan::{DeadMan, Rung},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::routeros::port::Row;

pub(super) const ONE: &str = "/model/one";
pub(super) const TWO: &str = "/model/two";
pub(super) const RULES: &str = "/model/rules";
pub(super) const JOBS: &str = "/system/script/job";
pub(super) const ENTRIES: &str = "/system/scheduler";
/// The router user that we write with.
pub(super) const USER: &str = "appliance";
/// Longer than any story. What is later yet cannot even be removed.
pub(super) const NEVER: Duration = Duration::from_secs(400 * 86_400);
/// A value of `ONE` under which nobody reaches the router.
pub(super) const CUT: &str = "cut";

/// What people would call the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Config {
    pub one: Row,
    pub two: Row,
    pub rules: Vec<Row>,
}

/// A timed undo as the router keeps it: what undoes these operations, last one first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Script {
    pub seconds: u32,
    pub operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
pub(super) struct Timer {
    pub id: String,
    pub rung: Rung,
    pub name: String,
    pub started: Instant,
    pub due: Instant,
    /// It cannot be removed, whatever the router says.
    sticks: bool,
    pub script: Script,
}

impl Timer {
    /// It should have run by itself.
    pub(super) fn is_overdue(&self) -> bool {
        self.started.elapsed() >= Duration::from_secs(self.script.seconds.into())
    }
}

/// What is not well once a router was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sick {
    Busy,
    Full,
    Cluttered,
    Hot,
    /// It resolves no names.
    Deaf,
}

/// One box.
#[derive(Debug, Clone)]
pub(super) struct Router {
    pub config: Config,
    pub timers: Vec<Timer>,
    pub next_id: u32,
    /// Jobs are counted anew after every boot.
    pub next_job: u32,
    /// Scripts of other people that run, by id.
    pub others: Vec<String>,
    /// One of them was ended by us.
    pub ended_another: bool,
    pub born: Instant,
    pub booted: Instant,
    /// It was up for so long when the story began.
    pub up_before: Duration,
    /// It does not answer before then.
    pub silent_until: Instant,
    /// Somebody else changed it: what it should be is not known any more.
    pub touched: bool,
    /// It may be neither as before nor as wanted, for somebody or something else changed it.
    pub odd: bool,
    /// What is not well once it was changed.
    pub sick: Option<Sick>,
    /// It was not well before, either.
    pub always: bool,
    /// As it was before anything.
    pub start: Config,
    /// It keeps timers that it does not show: a deliberate mistake.
    pub hides_timers: bool,
    /// Timers that ran.
    pub ran: u32,
}

pub(super) fn row(pairs: &[(&str, &str)]) -> Row {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn id_of(row: &Row) -> &str {
    row.get(".id").map_or("", String::as_str)
}

impl Config {
    pub(super) fn rows(&self, menu: &str) -> Vec<Row> {
        match menu {
            ONE => vec![self.one.clone()],
            TWO => vec![self.two.clone()],
            _ => self.rules.clone(),
        }
    }

    /// Everything but the ids: a rule that was put back has another.
    pub(super) fn letter(&self) -> (Row, Row, Vec<Row>) {
        let told = |(name, value): &(&String, &String)| *name != ".id" && !value.is_empty();
        let bare = |row: &Row| row.iter().filter(told).map(owned).collect();
        (bare(&self.one), bare(&self.two), self.rules.iter().map(bare).collect())
    }

    fn at(&self, id: &str) -> Result<usize, &'static str> {
        self.rules.iter().position(|row| id_of(row) == id).ok_or("no such item")
    }

    pub(super) fn act(&mut self, action: &Action, next_id: &mut u32) -> Result<Option<String>, &'static str> {
        match action {
            Action::SetSingleton { menu, properties } => {
                let row = if menu == ONE { &mut self.one } else { &mut self.two };
                row.extend(properties.iter().cloned());
            }
            Action::Set { id, properties, .. } => {
                let at = self.at(id)?;
                self.rules[at].extend(properties.iter().cloned());
            }
            Action::Add { properties, .. } => {
                let before = properties.iter().find(|(name, _)| name == "place-before");
                let at = before.map_or(Ok(self.rules.len()), |(_, id)| self.at(id))?;
                let id = format!("*{next_id:X}");
                *next_id += 1;
                let mut row: Row =
                    properties.iter().filter(|(name, _)| name != "place-before").cloned().collect();
                row.insert(".id".to_owned(), id.clone());
                self.rules.insert(at, row);
                return Ok(Some(id));
            }
            Action::Remove { id, .. } => {
                let at = self.at(id)?;
                self.rules.remove(at);
            }
            Action::Command { properties, .. } => {
                let argument = |wanted: &str| properties.iter().find(|(name, _)| name == wanted);
                let from = self.at(argument("numbers").map_or("", |(_, id)| id))?;
                let to = argument("destination").map(|(_, id)| id.clone());
                if let Some(to) = &to {
                    self.at(to)?;
                }
                let row = self.rules.remove(from);
                let at = to.map_or(Ok(self.rules.len()), |to| self.at(&to))?;
                self.rules.insert(at, row);
            }
        }
        Ok(None)
    }

    /// Undoes one operation, as a script does that looks first.
    pub(super) fn undo(&mut self, operation: &Operation, next_id: &mut u32) {
        let Some(undo) = operation.undo.first() else { return };
        let rows = self.rows(&operation.expect_after.menu);
        let found = meant(&rows, &operation.expect_after.which).first().map(|row| id_of(row).to_owned());
        let undo = match (undo, found) {
            (Action::SetSingleton { .. }, _) | (Action::Add { .. }, None) => undo.clone(),
            (Action::Add { .. }, Some(_)) | (_, None) => return,
            (_, Some(id)) => undo.on_found(&id),
        };
        let _ = self.act(&undo, next_id);
    }

    /// Does one operation that is known to have been applied.
    pub(super) fn redo(&mut self, operation: &Operation) {
        let rows = self.rows(&operation.expect_after.menu);
        let found = meant(&rows, &operation.expect_after.which).first().map(|row| id_of(row).to_owned());
        let action = found.map_or_else(|| operation.action.clone(), |id| operation.action.on_found(&id));
        let mut next_id = 0x1000 + u32::try_from(self.rules.len()).unwrap();
        let _ = self.act(&action, &mut next_id);
    }
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

fn has(row: &Row, wanted: &[Wanted]) -> bool {
    wanted.iter().all(|(name, value)| {
        row.get(name).filter(|text| !text.is_empty()) == value.as_ref().filter(|text| !text.is_empty())
    })
}

pub(super) fn meant<'a>(rows: &'a [Row], which: &Which) -> Vec<&'a Row> {
    let fits = |row: &&Row| match which {
        Which::Menu => true,
        Which::Id(id) => id_of(row) == id,
        Which::Find { by, .. } => has(row, by),
    };
    rows.iter().filter(fits).collect()
}

/// Whether rows of a menu are as expected.
pub(super) fn is_as(rows: &[Row], expected: &Expectation) -> bool {
    match meant(rows, &expected.which)[..] {
        [] => !expected.present && expected.count.is_none_or(|count| count == rows.len() as u64),
        [row] => {
            let next = rows.iter().skip_while(|other| id_of(other) != id_of(row)).nth(1);
            let place = next.map_or(Place::Last, |next| Place::Before(id_of(next).to_owned()));
            expected.present
                && has(row, &expected.properties)
                && expected.place.as_ref().is_none_or(|wanted| *wanted == place)
        }
        _ => false,
    }
}

/// Whether a row is that of a timed undo: by its name, or as the only one of our user.
pub(super) fn is_ours(row: &Row, dead_man: &DeadMan) -> bool {
    match &dead_man.name {
        Some(name) => row.get("name") == Some(name),
        None => row.get("owner").is_some_and(|owner| owner == USER),
    }
}

/// Whether rows of its menu show a timed undo.
pub(super) fn shows_timer(rows: &[Row], dead_man: &DeadMan) -> bool {
    rows.iter().any(|row| is_ours(row, dead_man))
}

impl Router {
    pub(super) fn new(config: Config, now: Instant) -> Self {
        Self {
            start: config.clone(),
            config,
            timers: Vec::new(),
            next_id: 0x100,
            next_job: 2,
            others: vec!["*1".to_owned()],
            ended_another: false,
            born: now,
            booted: now,
            up_before: Duration::from_secs(3 * 86_400),
            silent_until: now,
            touched: false,
            odd: false,
            sick: None,
            always: false,
            hides_timers: false,
            ran: 0,
        }
    }

    /// Timers whose time has come.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Timer> {
        let (mut due, left): (Vec<_>, Vec<_>) = self.timers.drain(..).partition(|timer| timer.due <= now);
        self.timers = left;
        due.sort_by_key(|timer| timer.due);
        for timer in &due {
            for operation in timer.script.operations.iter().rev() {
                self.config.undo(operation, &mut self.next_id);
            }
            self.ran += 1;
            // What it put back has other ids.
            self.odd = true;
        }
        due
    }

    pub(super) fn answers(&self, now: Instant) -> bool {
        let cut = self.config.one.values().any(|value| value.starts_with(CUT));
        now >= self.silent_until && !cut
    }

    /// Timer jobs are lost, and the scripts that run at startup get the ids of the first ones; entries of the scheduler
    /// are kept.
    pub(super) fn reboot(&mut self, now: Instant, takes: Duration, scripts: u32) {
        self.timers.retain(|timer| timer.rung == Rung::Scheduler);
        self.next_job = scripts + 1;
        self.others = (1..=scripts).map(|id| format!("*{id:X}")).collect();
        self.silent_until = self.silent_until.max(now + takes);
        (self.booted, self.up_before) = (now + takes, Duration::ZERO);
    }

    pub(super) fn write(
        &mut self,
        action: &Action,
        now: Instant,
        late: Duration,
    ) -> Result<Option<String>, &'static str> {
        let arm = |rung, name: String, text: &str, id: String| {
            let script: Script = serde_json::from_str(text).unwrap();
            let due = now + Duration::from_secs(script.seconds.into()) + late;
            Timer { id, rung, name, started: now, due, sticks: late > NEVER, script }
        };
        let value = |properties: &[(String, String)], wanted: &str| {
            properties
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        let id = format!("*{:X}", self.next_id);
        match action {
            Action::Command { command, properties, .. } if command == "execute" => {
                let id = format!("*{:X}", self.next_job);
                self.next_job += 1;
                let script = value(properties, "script");
                self.timers.push(arm(Rung::TimerJob, String::new(), &script, id.clone()));
                return Ok(Some(id));
            }
            Action::Add { menu, properties } if menu == ENTRIES => {
                let name = value(properties, "name");
                if self.timers.iter().any(|timer| timer.name == name) {
                    return Err("failure: item with such name already exists");
                }
                self.timers.push(arm(Rung::Scheduler, name, &value(properties, "on-event"), id.clone()));
            }
            Action::Remove { menu, id } if menu == ENTRIES || menu == JOBS => {
                if self.timers.iter().any(|timer| timer.id == *id && timer.sticks) {
                    return Ok(None);
                }
                let before = self.timers.len();
                self.timers
                    .retain(|timer| timer.id != *id || (timer.rung == Rung::TimerJob) != (menu == JOBS));
                let others = self.others.len();
                self.others.retain(|other| menu != JOBS || other != id);
                self.ended_another |= self.others.len() < others;
                let found = self.timers.len() < before || self.others.len() < others;
                return if found { Ok(None) } else { Err("no such item") };
            }
            _ => return self.config.act(action, &mut self.next_id),
        }
        self.next_id += 1;
        Ok(Some(id))
    }

    pub(super) fn print(&self, menu: &str, now: Instant) -> Vec<Row> {
        let timers = |rung| self.timers.iter().filter(move |timer| timer.rung == rung);
        match menu {
            JOBS => {
                let since = |started: Instant| format!("day 1 + {:?}", started.duration_since(self.born));
                let ours = timers(Rung::TimerJob).map(|timer| {
                    row(&[(".id", &timer.id), ("owner", USER), ("started", &since(timer.started))])
                });
                let others = self
                    .others
                    .iter()
                    .map(|id| row(&[(".id", id), ("owner", "somebody"), ("started", &since(self.booted))]));
                others.chain(ours).collect()
            }
            ENTRIES => {
                let ours = timers(Rung::Scheduler)
                    .map(|timer| row(&[(".id", &timer.id), ("name", &timer.name), ("disabled", "false")]));
                [row(&[(".id", "*1"), ("name", "backup"), ("disabled", "true")])]
                    .into_iter()
                    .chain(ours)
                    .collect()
            }
            "/system/resource" => vec![self.resource(now)],
            "/system/ntp/client" => {
                vec![row(&[("enabled", "true"), ("mode", "unicast"), ("status", "synchronized")])]
            }
            "/system/health" if self.sick == Some(Sick::Hot) => {
                let celsius = if self.is(Sick::Hot) { "84" } else { "41" };
                vec![row(&[("name", "cpu-temperature"), ("value", celsius), ("type", "C")])]
            }
            "/system/health" => Vec::new(),
            _ => self.config.rows(menu),
        }
    }

    /// What it answers when it is asked for the address of a name.
    pub(super) fn resolves(&self) -> &'static str {
        if self.is(Sick::Deaf) { "failure: dns name does not exist" } else { "192.0.2.53" }
    }

    fn is(&self, sick: Sick) -> bool {
        self.sick == Some(sick) && (self.always || self.config.letter() != self.start.letter())
    }

    fn resource(&self, now: Instant) -> Row {
        let cpu = if self.is(Sick::Busy) { "97" } else { "12" };
        let memory = if self.is(Sick::Full) { "80" } else { "600" };
        let disk = if self.is(Sick::Cluttered) { "80" } else { "600" };
        let uptime = (now.saturating_duration_since(self.booted) + self.up_before).as_secs() + 1;
        let mut row = row(&[
            ("version", "7.20.8 (long-term)"),
            ("cpu-load", cpu),
            ("free-memory", memory),
            ("total-memory", "1000"),
            ("free-hdd-space", disk),
            ("total-hdd-space", "1000"),
        ]);
        row.insert("uptime".to_owned(), format!("{uptime}s"));
        row
    }
}
