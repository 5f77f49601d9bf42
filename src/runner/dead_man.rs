//! Arms and disarms the timed undo of a router, and finds out what became of it.
//!
//! As with steps: an intent before every request, and nothing is believed that was not read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Duration,
};

use events::{
    gate::{DeadManSettled, DeadManStatus},
    ids::{DeviceId, JobId, Moment},
    operation::Action,
    plan::{DeadMan, Plan, Rung},
    ticket::Ticket,
};
use tokio::time::Instant;

use crate::{
    domain::{
        Command,
        job::{DeadManState, JobState, part_of},
    },
    failure::{Code, Failure},
    routeros::{
        error::RouterError,
        port::{Ask, Priority, Row, action_digest},
        resources::{Reading as _, system_resource::SystemResource},
        text::clean,
        value::is_off,
    },
    runner::{
        Runner,
        drive::{LATE, Went},
        effect::{WRITE_WITHIN, bound_of, error_code, is_ours, step_of},
    },
};

/// Reading which timers there are.
const READ_WITHIN: Duration = Duration::from_secs(15);

fn dead_man_of<'a>(plan: &'a Plan, device_id: &DeviceId) -> Result<&'a DeadMan, Failure> {
    part_of(plan, device_id)
        .and_then(|part| part.dead_man.as_ref())
        .ok_or_else(|| Failure::new(Code::Bug, "a device without a timed undo in its plan"))
}

/// One that should be gone is looked for again after this.
const LATER: Duration = Duration::from_secs(10);

/// One that should be gone is removed so often; then people are asked.
const REMOVALS_MAX: u32 = 3;

/// What a reading of the timers showed of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is there.
    There {
        /// Under this id.
        id: String,
        /// What else its row says: ids of jobs are given again after a reboot.
        told: String,
    },
    /// It is not there.
    Gone,
    /// Several could be it.
    Several,
}

/// A timed undo that is still on its router although its time is over by our clock.
#[derive(Debug)]
pub(super) struct Overdue {
    /// Seen so first.
    since: Instant,
    /// So often we tried to remove it.
    removals: u32,
}

/// What is known of a timed undo that is looked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Known<'a> {
    id: Option<&'a str>,
    /// What its row said; nothing where it was not seen yet.
    told: Option<&'a str>,
    seen_at: Option<Moment>,
}

impl<'a> Known<'a> {
    pub(super) fn of(man: &'a DeadManState) -> Self {
        let told = Some(man.detail.as_str()).filter(|told| man.reference.is_some() && !told.is_empty());
        Self { id: man.reference.as_deref(), told, seen_at: Some(man.seen_at) }
    }

    fn answered(id: Option<&'a str>) -> Self {
        Self { id, ..Self::default() }
    }
}

/// Between the two parts of what a row says.
const STARTED: &str = ", started ";

/// Whose a job is and since when it runs, as its row says it.
fn told(row: &Row) -> String {
    clean(&format!("{}{STARTED}{}", text(row, "owner"), text(row, "started")))
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.get(name).map_or("", String::as_str)
}

impl Runner {
    /// Arms the timed undo of a device and sees it on the router.
    pub(super) async fn arm(
        &self,
        job: &JobState,
        plan: &Plan,
        device_id: &DeviceId,
    ) -> Result<Went, Failure> {
        let dead_man = dead_man_of(plan, device_id)?;
        // What cannot be done is not prepared.
        let open = job.steps_of(device_id).find(|step| step.is_open());
        let Some(step) = open else { return Ok(Went::On) };
        if let Some(went) = self.waits_still(job, plan, device_id).await? {
            return Ok(went);
        }
        let (_, operation) = step_of(job, plan, step.layout.step_id)?;
        match self.look(device_id, operation).await {
            Ok(seen) if seen.matches(&operation.expect_before) && seen.is_of(&operation.action) => {}
            Ok(_) if step.attempts == 0 => return self.not_as_planned(job, step).await,
            Ok(_) => {}
            Err(error) if is_ours(&error) => return Err(error.into_failure(device_id)),
            Err(error) => return self.give_up(job, step, error.into_failure(device_id).code).await,
        }
        let ticket = match self.begin(job, device_id, false, &dead_man.arm).await {
            Err(failure) if matches!(failure.code, Code::PlanExpired | Code::PlanStale) => {
                return self.give_up(job, step, failure.code).await;
            }
            ticket => ticket?,
        };
        let written = self.writer.write(ticket, bound_of(plan, device_id), &dead_man.arm, WRITE_WITHIN).await;
        events::crash::point("dead_man.after_arm");
        let (reference, error) = match written {
            Ok(receipt) => (receipt.added_id, None),
            Err(error) => (None, Some(error)),
        };
        let words = error
            .as_ref()
            .and_then(RouterError::words)
            .map(|words| words.expose().to_owned())
            .unwrap_or_default();
        let code = error.as_ref().and_then(error_code);
        if error.as_ref().is_some_and(|error| !error.may_have_applied()) {
            return self.say(job, device_id, DeadManStatus::NotArmed, None, code, words).await;
        }
        if error.as_ref().is_some_and(|error| error.words().is_none()) {
            return self.say(job, device_id, DeadManStatus::InDoubt, None, code, words).await;
        }
        match self.find(device_id, dead_man, Known::answered(reference.as_deref())).await {
            Ok(Found::There { id, told }) => {
                self.say(job, device_id, DeadManStatus::Armed, Some(id), None, told).await
            }
            Ok(Found::Gone) => {
                let code = code.or_else(|| Some(Code::DeviceRefused.as_str().to_owned()));
                self.say(job, device_id, DeadManStatus::NotArmed, None, code, words).await
            }
            Ok(Found::Several) | Err(_) => {
                let code = Some(Code::InDoubt.as_str().to_owned());
                self.say(job, device_id, DeadManStatus::InDoubt, None, code, words).await
            }
        }
    }

    /// Disarms it and sees it gone. The steps under it are read afterwards: it may have run just before.
    pub(super) async fn disarm(
        &self,
        job: &JobState,
        plan: &Plan,
        device_id: &DeviceId,
    ) -> Result<Went, Failure> {
        let dead_man = dead_man_of(plan, device_id)?;
        let Some(man) = job.dead_men.get(device_id) else { return Ok(Went::On) };
        // What another box shows tells nothing of this one.
        if !self.is_that_box(plan, device_id) {
            return Ok(Went::Unread);
        }
        match self.find(device_id, dead_man, Known::of(man)).await {
            // Nothing is on record while the router cannot be read; what cannot be told from others is not removed.
            Err(_) | Ok(Found::Several) => Ok(Went::Unread),
            Ok(found) => self.remove(job, plan, device_id, found).await,
        }
    }

    /// Removes it, unless it is gone: then its id may be another one's.
    async fn remove(
        &self,
        job: &JobState,
        plan: &Plan,
        device_id: &DeviceId,
        found: Found,
    ) -> Result<Went, Failure> {
        let dead_man = dead_man_of(plan, device_id)?;
        let known = job.dead_men.get(device_id).and_then(|man| man.reference.clone());
        let id = match (&found, known) {
            // An entry has another id after a reboot: first that is on record.
            (Found::There { id, told }, known) if known.as_ref() != Some(id) => {
                let (id, told) = (Some(id.clone()), told.clone());
                return self.say(job, device_id, DeadManStatus::Armed, id, None, told).await;
            }
            (_, known) => known.ok_or_else(|| Failure::new(Code::Bug, "an armed undo without its id"))?,
        };
        let remove = Action::Remove { menu: dead_man.menu.clone(), id };
        let ticket = match self.begin(job, device_id, true, &remove).await {
            // The device is another box now: a person must look.
            Err(failure) if failure.code == Code::PlanStale => return Ok(Went::Unread),
            ticket => ticket?,
        };
        if matches!(found, Found::There { .. }) {
            // Whatever it answers: reading tells.
            let bound = bound_of(plan, device_id);
            let written = self.writer.write(ticket, bound, &remove, WRITE_WITHIN).await;
            events::crash::point("dead_man.after_disarm");
            if written.is_err_and(|error| error.may_have_applied() && error.words().is_none()) {
                return Ok(Went::Unread);
            }
        }
        self.see_disarmed(job, dead_man, device_id).await
    }

    /// Reads what became of arming or disarming that was interrupted.
    pub(super) async fn settle_dead_man(
        &self,
        job: &JobState,
        plan: &Plan,
        device_id: &DeviceId,
    ) -> Result<Went, Failure> {
        let dead_man = dead_man_of(plan, device_id)?;
        let Some(man) = job.dead_men.get(device_id) else { return Ok(Went::On) };
        if !self.is_that_box(plan, device_id) {
            return Ok(Went::Unread);
        }
        if man.status == DeadManStatus::Disarming {
            return self.see_disarmed(job, dead_man, device_id).await;
        }
        let code = Some(Code::InDoubt.as_str().to_owned());
        match self.find(device_id, dead_man, Known::default()).await {
            Ok(Found::There { id, told }) => {
                self.say(job, device_id, DeadManStatus::Armed, Some(id), None, told).await
            }
            Ok(Found::Gone) => {
                self.say(job, device_id, DeadManStatus::NotArmed, None, code, String::new()).await
            }
            // Time settles it.
            Ok(Found::Several) | Err(_) => {
                if man.status == DeadManStatus::Arming {
                    self.say(job, device_id, DeadManStatus::InDoubt, None, code, String::new()).await?;
                }
                Ok(Went::Unread)
            }
        }
    }

    /// What to do instead while a timed undo whose time is over by our clock is not gone from its router. Our clock may
    /// have been set: it gets its whole time once more, by no clock. What is there then will not run by itself (the
    /// router's clock was set back, its scheduler stands), so it is removed; what does not go waits for a person.
    pub(super) async fn waits_still(
        &self,
        job: &JobState,
        plan: &Plan,
        device_id: &DeviceId,
    ) -> Result<Option<Went>, Failure> {
        let lapsed = job.dead_men.get(device_id).filter(|man| man.status == DeadManStatus::Lapsed);
        let Some(man) = lapsed else { return Ok(None) };
        let dead_man = dead_man_of(plan, device_id)?;
        let key = (job.job_id, device_id.clone());
        if !self.is_that_box(plan, device_id) {
            return Ok(Some(Went::Unread));
        }
        let Ok(found) = self.find(device_id, dead_man, Known::of(man)).await else {
            return Ok(Some(Went::Unread));
        };
        if matches!(found, Found::Gone) {
            self.overdue().remove(&key);
            return Ok(None);
        }
        // One that was never seen is known by its user alone, which is not enough to remove it.
        let ours = dead_man.name.is_some() || man.reference.is_some();
        let removes = {
            let mut overdue = self.overdue();
            let since = overdue.entry(key).or_insert_with(|| Overdue { since: Instant::now(), removals: 0 });
            if since.since.elapsed() < Duration::from_secs(dead_man.seconds.into()) + LATE {
                return Ok(Some(Went::Later(LATER)));
            }
            let removes = ours && matches!(found, Found::There { .. }) && since.removals < REMOVALS_MAX;
            since.removals += u32::from(removes);
            removes
        };
        match removes {
            true => self.remove(job, plan, device_id, found).await.map(Some),
            false => Ok(Some(Went::Unread)),
        }
    }

    fn overdue(&self) -> std::sync::MutexGuard<'_, BTreeMap<(JobId, DeviceId), Overdue>> {
        self.overdue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of these devices whose timed undo does not go.
    pub(super) fn overdue_of(&self, job_id: JobId, devices: &BTreeSet<DeviceId>) -> Option<DeviceId> {
        let overdue = self.overdue();
        devices.iter().find(|device_id| overdue.contains_key(&(job_id, (*device_id).clone()))).cloned()
    }

    pub(super) fn forget_overdue(&self, job_id: JobId) {
        self.overdue().retain(|(of, _), _| *of != job_id);
    }

    async fn see_disarmed(
        &self,
        job: &JobState,
        dead_man: &DeadMan,
        device_id: &DeviceId,
    ) -> Result<Went, Failure> {
        let known = job.dead_men.get(device_id).map(Known::of).unwrap_or_default();
        match self.find(device_id, dead_man, known).await {
            Ok(Found::Gone) => {
                self.say(job, device_id, DeadManStatus::Disarmed, None, None, String::new()).await
            }
            // A router that keeps it is not asked again and again at once.
            Ok(_) => {
                self.say(job, device_id, DeadManStatus::Armed, None, None, String::new()).await?;
                Ok(Went::Later(LATER))
            }
            Err(_) => Ok(Went::Unread),
        }
    }

    /// Its time is over: it has run, or there was nothing for it to undo.
    pub(super) async fn lapse(
        &self,
        job: &JobState,
        plan: &Plan,
        device_id: &DeviceId,
    ) -> Result<Went, Failure> {
        let seconds = dead_man_of(plan, device_id)?.seconds;
        let over_at = job.dead_men.get(device_id).map(|man| man.over_at(seconds));
        // The clock was set back since it was armed: the rules know no other.
        if over_at.is_some_and(|over_at| self.desk.now() < over_at) {
            return Ok(Went::Later(LATER));
        }
        self.say(job, device_id, DeadManStatus::Lapsed, None, None, String::new()).await
    }

    async fn begin(
        &self,
        job: &JobState,
        device_id: &DeviceId,
        disarm: bool,
        action: &Action,
    ) -> Result<Ticket, Failure> {
        let (job_id, device_id) = (job.job_id, device_id.clone());
        let operation_sha256 = action_digest(action);
        events::crash::point("dead_man.before_begin");
        let begun =
            self.submit(Command::BeginDeadMan { job_id, device_id, disarm, operation_sha256 }).await?;
        events::crash::point("dead_man.after_begin");
        let ticket = begun.tickets.into_iter().next();
        ticket.ok_or_else(|| Failure::new(Code::Bug, "an intent without a ticket"))
    }

    async fn say(
        &self,
        job: &JobState,
        device_id: &DeviceId,
        status: DeadManStatus,
        reference: Option<String>,
        code: Option<String>,
        detail: String,
    ) -> Result<Went, Failure> {
        let (job_id, device_id) = (job.job_id, device_id.clone());
        let settled = DeadManSettled { job_id, device_id, status, reference, code, detail };
        events::crash::point("dead_man.before_report");
        self.submit(Command::SettleDeadMan(settled)).await?;
        events::crash::point("dead_man.after_report");
        Ok(Went::On)
    }

    /// Looks for our timer: by its name, else by its id and whose it is, else it is the only one of our user. One that is
    /// switched off or that the router marks as not allowed is none.
    pub(super) async fn find(
        &self,
        device_id: &DeviceId,
        dead_man: &DeadMan,
        known: Known<'_>,
    ) -> Result<Found, RouterError> {
        let reply =
            self.reader.read(device_id, Ask::print(&dead_man.menu), Priority::Job, READ_WITHIN).await?;
        let user = self.desk.user(device_id).unwrap_or_default();
        let owner = known.told.and_then(|told| told.rsplit_once(STARTED)).map_or(&*user, |(owner, _)| owner);
        let ours = |row: &&Row| match (known.id, &dead_man.name) {
            (_, Some(name)) => text(row, "name") == *name,
            (Some(id), None) => text(row, ".id") == id && clean(text(row, "owner")) == owner,
            (None, None) => !user.is_empty() && text(row, "owner") == user,
        };
        let works = |row: &&Row| {
            dead_man.rung == Rung::TimerJob
                || (!row.contains_key(".about") && is_off("disabled", text(row, "disabled")))
        };
        let mut found = reply.rows.iter().filter(ours).filter(works);
        let row = match (found.next(), found.next()) {
            (None, _) => return Ok(Found::Gone),
            (Some(row), None) => row,
            (Some(_), Some(_)) => return Ok(Found::Several),
        };
        let says = if dead_man.rung == Rung::TimerJob { told(row) } else { String::new() };
        // Another one of our user, started since, after a reboot that took ours.
        if known.told.is_some_and(|told| told != says)
            && let Some(seen_at) = known.seen_at
            && self.rebooted_since(device_id, seen_at).await?
        {
            return Ok(Found::Gone);
        }
        Ok(Found::There { id: text(row, ".id").to_owned(), told: says })
    }

    /// Whether a router booted after a moment, by its uptime.
    async fn rebooted_since(&self, device_id: &DeviceId, moment: Moment) -> Result<bool, RouterError> {
        let ask = Ask::print(SystemResource::MENU);
        let reply = self.reader.read(device_id, ask, Priority::Job, READ_WITHIN).await?;
        let up = SystemResource::one(&reply)?.uptime.unwrap_or(Duration::MAX);
        let since = Duration::from_micros(self.desk.now().micros_since(moment).max(0).unsigned_abs());
        Ok(up < since)
    }
}
