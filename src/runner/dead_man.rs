//! Arms and disarms the timed undo of a router, and finds out what became of it.
//!
//! As with steps: an intent before every request, and nothing is believed that was not read.

use std::time::Duration;

use events::{
    gate::{DeadManSettled, DeadManStatus},
    ids::DeviceId,
    operation::Action,
    plan::{DeadMan, Plan, Rung},
    ticket::Ticket,
};

use crate::{
    domain::{
        Command,
        job::{JobState, part_of},
    },
    failure::{Code, Failure},
    routeros::{
        error::RouterError,
        port::{Ask, Priority, Row, action_digest},
        value::is_off,
    },
    runner::{
        Runner,
        drive::Went,
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

/// What a reading of the timers showed of ours.
enum Found {
    /// It is there, under this id.
    There(String),
    /// It is not there.
    Gone,
    /// Several could be it.
    Several,
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
        if let Some(went) = self.waits_still(job, plan, device_id).await {
            return Ok(went);
        }
        // What cannot be done is not prepared.
        let open = job.steps_of(device_id).find(|step| step.is_open());
        let Some(step) = open else { return Ok(Went::On) };
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
        match self.find(device_id, dead_man, reference.as_deref()).await {
            Ok(Found::There(id)) => {
                self.say(job, device_id, DeadManStatus::Armed, Some(id), None, String::new()).await
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
        let reference = job.dead_men.get(device_id).and_then(|man| man.reference.clone());
        let id = reference.ok_or_else(|| Failure::new(Code::Bug, "an armed undo without its id"))?;
        // Nothing is on record while the router cannot be read.
        if self.find(device_id, dead_man, Some(&id)).await.is_err() {
            return Ok(Went::Unread);
        }
        let remove = Action::Remove { menu: dead_man.menu.clone(), id };
        let ticket = self.begin(job, device_id, true, &remove).await?;
        // Whatever it answers: reading tells.
        let written = self.writer.write(ticket, bound_of(plan, device_id), &remove, WRITE_WITHIN).await;
        events::crash::point("dead_man.after_disarm");
        if written.is_err_and(|error| error.may_have_applied() && error.words().is_none()) {
            return Ok(Went::Unread);
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
        if man.status == DeadManStatus::Disarming {
            return self.see_disarmed(job, dead_man, device_id).await;
        }
        let code = Some(Code::InDoubt.as_str().to_owned());
        match self.find(device_id, dead_man, None).await {
            Ok(Found::There(id)) => {
                self.say(job, device_id, DeadManStatus::Armed, Some(id), None, String::new()).await
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

    /// What to do instead while a timed undo whose time is over by our clock is not gone from its router: a clock may
    /// have been set.
    pub(super) async fn waits_still(
        &self,
        job: &JobState,
        plan: &Plan,
        device_id: &DeviceId,
    ) -> Option<Went> {
        let man = job.dead_men.get(device_id).filter(|man| man.status == DeadManStatus::Lapsed)?;
        let dead_man = dead_man_of(plan, device_id).ok()?;
        match self.find(device_id, dead_man, man.reference.as_deref()).await {
            Ok(Found::Gone) => None,
            Ok(Found::There(_) | Found::Several) => Some(Went::Later(LATER)),
            Err(_) => Some(Went::Unread),
        }
    }

    async fn see_disarmed(
        &self,
        job: &JobState,
        dead_man: &DeadMan,
        device_id: &DeviceId,
    ) -> Result<Went, Failure> {
        let reference = job.dead_men.get(device_id).and_then(|man| man.reference.as_deref());
        match self.find(device_id, dead_man, reference).await {
            Ok(Found::Gone) => {
                self.say(job, device_id, DeadManStatus::Disarmed, None, None, String::new()).await
            }
            Ok(_) => self.say(job, device_id, DeadManStatus::Armed, None, None, String::new()).await,
            Err(_) => Ok(Went::Unread),
        }
    }

    /// Its time is over: it has run, or there was nothing for it to undo.
    pub(super) async fn lapse(&self, job: &JobState, device_id: &DeviceId) -> Result<Went, Failure> {
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

    /// Looks for our timer: by its id, else by its name, else it is the only one of our user. One that is switched off
    /// or that the router marks as not allowed is none.
    async fn find(
        &self,
        device_id: &DeviceId,
        dead_man: &DeadMan,
        id: Option<&str>,
    ) -> Result<Found, RouterError> {
        let reply =
            self.reader.read(device_id, Ask::print(&dead_man.menu), Priority::Job, READ_WITHIN).await?;
        let user = self.desk.user(device_id);
        let text = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
        let ours = |row: &&Row| match (id, &dead_man.name) {
            (_, Some(name)) => text(row, "name") == *name,
            (Some(id), None) => text(row, ".id") == id,
            (None, None) => user.as_deref().is_some_and(|user| text(row, "owner") == user),
        };
        let works = |row: &&Row| {
            dead_man.rung == Rung::TimerJob
                || (!row.contains_key(".about") && is_off("disabled", &text(row, "disabled")))
        };
        let mut found = reply.rows.iter().filter(ours).filter(works);
        Ok(match (found.next(), found.next()) {
            (None, _) => Found::Gone,
            (Some(row), None) => Found::There(text(row, ".id")),
            (Some(_), Some(_)) => Found::Several,
        })
    }
}
