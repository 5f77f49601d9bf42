//! Which row of a router's timers is ours.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use events::{
    gate::DeadManStatus,
    ids::{DeviceId, JobId, Moment},
    operation::Action,
    plan::{DeadMan, Plan, Rung},
    ticket::Ticket,
};
use tokio_util::sync::CancellationToken;

use crate::{
    changes::dead_man::{JOBS, SCHEDULER},
    domain::{
        Command,
        job::{DeadManState, JobState},
        testing::{NOON, device_id},
    },
    engine::Committed,
    failure::Failure,
    routeros::{
        error::RouterError,
        port::{Ask, Priority, Promise, Reader, Receipt, Reply, Row, Writer},
    },
    runner::{
        Desk, Runner,
        dead_man::{Found, Known},
    },
};

/// A house at 100 s past noon, and a router that shows these timers and this uptime.
struct Scene {
    timers: Vec<Row>,
    uptime: &'static str,
}

impl Desk for Scene {
    fn submit(&self, _: Command) -> Promise<'_, Result<Committed, Failure>> {
        unreachable!("nothing is decided here")
    }

    fn job(&self, _: JobId) -> Option<(JobState, Arc<Plan>)> {
        None
    }

    fn open_jobs(&self) -> BTreeSet<JobId> {
        BTreeSet::new()
    }

    fn user(&self, _: &DeviceId) -> Option<String> {
        Some("appliance-rw".to_owned())
    }

    fn bound(&self, _: &DeviceId) -> Option<String> {
        None
    }

    fn now(&self) -> Moment {
        NOON.plus_secs(100)
    }
}

impl Reader for Scene {
    fn read<'a>(
        &'a self,
        _: &'a DeviceId,
        ask: Ask,
        _: Priority,
        _: Duration,
    ) -> Promise<'a, Result<Reply, RouterError>> {
        let Ask::Print { menu, .. } = ask else { unreachable!("menus are read here") };
        let rows = match menu.as_str() {
            "/system/resource" => vec![row(&[("version", "7.20"), ("uptime", self.uptime)])],
            _ => self.timers.clone(),
        };
        Box::pin(async { Ok(Reply { rows, ret: None, took: Duration::ZERO, tries: 1 }) })
    }
}

impl Writer for Scene {
    fn write<'a>(
        &'a self,
        _: Ticket,
        _: &'a str,
        _: &'a Action,
        _: Duration,
    ) -> Promise<'a, Result<Receipt, RouterError>> {
        unreachable!("nothing is written here")
    }
}

fn row(pairs: &[(&str, &str)]) -> Row {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn job(id: &str, owner: &str, started: &str) -> Row {
    row(&[(".id", id), ("owner", owner), ("started", started)])
}

/// One that was seen a minute and a half ago.
fn armed(reference: Option<&str>, detail: &str) -> DeadManState {
    DeadManState {
        status: DeadManStatus::Armed,
        attempts: 1,
        tries: 1,
        hopeless: false,
        disarms: 0,
        reference: reference.map(str::to_owned),
        started_at: NOON,
        seen_at: NOON.plus_secs(10),
        code: None,
        detail: detail.to_owned(),
    }
}

fn found(rung: Rung, timers: Vec<Row>, uptime: &'static str, man: &DeadManState) -> Found {
    let scene = Arc::new(Scene { timers, uptime });
    let runner = Runner::new(
        Arc::clone(&scene) as _,
        Arc::clone(&scene) as _,
        Arc::clone(&scene) as _,
        CancellationToken::new(),
    );
    let (menu, name) = match rung {
        Rung::TimerJob => (JOBS, None),
        Rung::Scheduler => (SCHEDULER, Some("appliance-undo-7".to_owned())),
    };
    let arm = Action::Command { menu: "/".into(), command: "execute".into(), properties: vec![] };
    let dead_man = DeadMan { rung, seconds: 120, arm, menu: menu.to_owned(), name };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(runner.find(&device_id("r1"), &dead_man, Known::of(man))).unwrap()
}

const SEEN: &str = "appliance-rw, started 2026-09-28 16:48:57";

fn there(told: &str) -> Found {
    Found::There { id: "*7".to_owned(), told: told.to_owned() }
}

#[test]
fn a_job_is_ours_by_its_id_its_owner_and_its_start() {
    let man = armed(Some("*7"), SEEN);
    let ours = job("*7", "appliance-rw", "2026-09-28 16:48:57");
    let find = |timers, uptime| found(Rung::TimerJob, timers, uptime, &man);
    assert_eq!(find(vec![ours.clone()], "3d"), there(SEEN));
    assert_eq!(find(vec![ours], "20s"), there(SEEN), "our clock was set, and it is the very same");
    assert_eq!(find(vec![job("*7", "admin", "2026-09-28 16:48:57")], "3d"), Found::Gone);
    assert_eq!(find(vec![job("*8", "appliance-rw", "2026-09-28 16:48:57")], "3d"), Found::Gone);
    assert_eq!(find(vec![], "3d"), Found::Gone);
}

#[test]
fn another_start_is_another_job_only_after_a_reboot() {
    let man = armed(Some("*7"), SEEN);
    let other = || vec![job("*7", "appliance-rw", "2026-09-28 16:50:01")];
    assert_eq!(found(Rung::TimerJob, other(), "20s", &man), Found::Gone, "it booted 20 s ago");
    let told = "appliance-rw, started 2026-09-28 16:50:01";
    assert_eq!(found(Rung::TimerJob, other(), "3d", &man), there(told), "the router's clock was set");
}

#[test]
fn one_whose_answer_was_lost_is_the_only_one_of_our_user() {
    let man = armed(None, "");
    let ours = || job("*7", "appliance-rw", "now");
    let find = |timers| found(Rung::TimerJob, timers, "3d", &man);
    assert_eq!(find(vec![job("*1", "admin", "now"), ours()]), there("appliance-rw, started now"));
    assert_eq!(find(vec![job("*8", "appliance-rw", "now"), ours()]), Found::Several);
    assert_eq!(find(vec![job("*1", "admin", "now")]), Found::Gone);
}

#[test]
fn an_entry_is_ours_by_its_name_and_has_to_work() {
    let man = armed(Some("*3"), "");
    let entry = |extra: &[(&str, &str)]| {
        let mut row = row(&[(".id", "*7"), ("name", "appliance-undo-7"), ("disabled", "false")]);
        row.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        vec![row]
    };
    let find = |timers| found(Rung::Scheduler, timers, "20s", &man);
    assert_eq!(find(entry(&[])), there(""), "its id may be another one after a reboot");
    assert_eq!(find(entry(&[("disabled", "true")])), Found::Gone);
    assert_eq!(find(entry(&[(".about", "inactivated, not allowed by device-mode")])), Found::Gone);
}
