//! Between the runner and the model routers: requests in a row, answers that may be lost, boxes that are silent.

use std::{sync::Arc, time::Duration};

use events::{
    ids::{DeviceId, JobId},
    operation::Action,
    ticket::Ticket,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    routeros::{
        error::{Garble, RouterError},
        port::{Ask, Priority, Promise, Reader, Receipt, Reply, Row, Writer},
    },
    runner::{
        Desk,
        seeds::{
            mutants::Mutant,
            rng::Rng,
            router::{ENTRIES, JOBS, NEVER},
            stage::{Scene, Stage},
        },
    },
};

/// One request on its way.
pub(super) struct Request {
    what: What,
    answer: oneshot::Sender<Result<Answer, RouterError>>,
}

enum What {
    Read(Ask),
    Write(Action),
}

/// What came back.
#[derive(Default)]
struct Answer {
    rows: Vec<Row>,
    ret: Option<String>,
    /// All rows of a menu, and when they were read.
    read: Option<(String, u64, Vec<Row>)>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    NothingSent,
    RequestLost,
    AnswerLost,
    Refused,
    RefusedYetDone,
    YesButNothing,
    Strange,
}

type Outcome = Option<Result<Answer, RouterError>>;

fn nothing_sent(rng: &mut Rng) -> RouterError {
    match rng.between(0, 4) {
        0 => RouterError::Busy,
        1 => RouterError::Resting { retry_after: Duration::from_secs(3) },
        _ => RouterError::Unreachable("no route".into()),
    }
}

/// Silence, or a way that breaks.
fn no_answer(rng: &mut Rng) -> Outcome {
    match rng.between(0, 4) {
        0 => None,
        1 => Some(Err(RouterError::Wall)),
        2 => Some(Err(Garble::Wordless(502).into())),
        _ => Some(Err(RouterError::Lost("reset".into()))),
    }
}

fn refused() -> RouterError {
    RouterError::Refused { status: 400, words: "failure: no".into() }
}

/// Which rows an answer has.
type Filter = Box<dyn Fn(&Row) -> bool>;

impl Scene {
    fn is_calm(&self, begun: Instant) -> bool {
        begun.elapsed() >= Duration::from_secs(self.faults.until_s)
    }

    fn fate(&mut self, what: &What, begun: Instant) -> (Fate, Duration) {
        let latency = Duration::from_millis(self.rng.between(1, 40));
        if self.is_calm(begun) {
            return (Fate::Fine, latency);
        }
        let faults = self.faults.clone();
        let chances = match what {
            What::Read(_) => vec![(faults.unread, Fate::NothingSent), (faults.unread / 4, Fate::AnswerLost)],
            What::Write(_) => vec![
                (faults.nothing_sent, Fate::NothingSent),
                (faults.lost_request, Fate::RequestLost),
                (faults.lost_answer, Fate::AnswerLost),
                (faults.refused, Fate::Refused),
                (faults.refused_yet_done, Fate::RefusedYetDone),
                (faults.yes_but_nothing, Fate::YesButNothing),
                (faults.strange, Fate::Strange),
            ],
        };
        let slow = if self.rng.chance(faults.slow) { 70_000 } else { 0 };
        for (percent, fate) in chances {
            if self.rng.chance(percent) {
                return (fate, latency);
            }
        }
        (Fate::Fine, latency + Duration::from_millis(slow))
    }

    fn meet(&mut self, begun: Instant, device_id: &DeviceId, what: What, fate: Fate) -> Outcome {
        let now = Instant::now();
        self.tick(begun, device_id);
        if !self.routers[device_id].answers(now) {
            return match (&what, self.rng.chance(60)) {
                (_, true) => Some(Err(nothing_sent(&mut self.rng))),
                (What::Read(_), _) => Some(Err(RouterError::Timeout)),
                (What::Write(_), _) => no_answer(&mut self.rng),
            };
        }
        match what {
            What::Read(ask) => self.answer(device_id, ask, fate, now),
            What::Write(action) => self.change(begun, device_id, &action, fate, now),
        }
    }

    fn answer(&mut self, device_id: &DeviceId, ask: Ask, fate: Fate, now: Instant) -> Outcome {
        match fate {
            Fate::NothingSent => return Some(Err(nothing_sent(&mut self.rng))),
            Fate::AnswerLost => return Some(Err(RouterError::Timeout)),
            _ => {}
        }
        let router = &self.routers[device_id];
        let (menu, filter): (String, Filter) = match ask {
            Ask::Print { menu, filters, .. } => {
                (menu, Box::new(move |row| filters.iter().all(|(name, value)| row.get(name) == Some(value))))
            }
            Ask::Record { menu, id } => (menu, Box::new(move |row| row.get(".id") == Some(&id))),
            Ask::Command { .. } => {
                return Some(Ok(Answer { ret: Some(router.resolves().to_owned()), ..Answer::default() }));
            }
        };
        let mut rows = router.print(&menu, now);
        if router.hides_timers && (menu == JOBS || menu == ENTRIES) {
            rows.truncate(1);
        }
        let read = Some((menu, self.checker.tick(), rows.clone()));
        rows.retain(|row| filter(row));
        Some(Ok(Answer { rows, ret: None, read }))
    }

    fn change(
        &mut self,
        begun: Instant,
        device_id: &DeviceId,
        action: &Action,
        fate: Fate,
        now: Instant,
    ) -> Outcome {
        self.tell(begun, || format!("{device_id} gets {} ({fate:?})", shortened(action)));
        let late = match self.rng.chance(self.faults.late_timer) {
            // A clock that was set back; one that stands.
            true => {
                let s = Duration::from_secs;
                self.rng.pick(&[s(20), s(100), s(300), s(2000), NEVER, NEVER, NEVER + s(1)])
            }
            false => Duration::from_millis(self.rng.between(0, 3500)),
        };
        let disarms = matches!(action, Action::Remove { menu, .. } if menu == JOBS || menu == ENTRIES);
        if disarms && self.mutant == Some(Mutant::TimersAreHidden) {
            self.routers.get_mut(device_id).expect("a router of the scenario").hides_timers = true;
            return Some(Ok(Answer::default()));
        }
        let mut done = || {
            let router = self.routers.get_mut(device_id).expect("a router of the scenario");
            router.write(action, now, late)
        };
        let told = |done: Result<Option<String>, &'static str>| match done {
            Ok(ret) => Ok(Answer { ret, ..Answer::default() }),
            Err(words) => Err(RouterError::Absent { status: 404, words: words.into() }),
        };
        let outcome = match fate {
            Fate::Fine => Some(told(done())),
            Fate::NothingSent => Some(Err(nothing_sent(&mut self.rng))),
            Fate::RequestLost => no_answer(&mut self.rng),
            Fate::AnswerLost => {
                let _ = done();
                no_answer(&mut self.rng)
            }
            Fate::Refused => Some(Err(refused())),
            Fate::RefusedYetDone => {
                let _ = done();
                Some(Err(refused()))
            }
            Fate::YesButNothing => Some(Ok(Answer::default())),
            Fate::Strange => {
                let strange = strange(action);
                let router = self.routers.get_mut(device_id).expect("a router of the scenario");
                router.odd = true;
                Some(told(router.write(&strange, now, late)))
            }
        };
        if self.routers[device_id].ended_another {
            self.checker.fault(format!("{device_id}: a script of somebody else was ended"));
        }
        outcome
    }
}

/// The same, with another value where there is one.
fn strange(action: &Action) -> Action {
    let mut action = action.clone();
    match &mut action {
        Action::SetSingleton { properties, .. } | Action::Set { properties, .. } => {
            properties.iter_mut().for_each(|(_, value)| *value = "203.0.113.66".to_owned());
        }
        _ => {}
    }
    action
}

fn shortened(action: &Action) -> String {
    let text = format!("{action:?}");
    text.chars().take(220).collect()
}

/// One box: requests in a row, also those of a process that is gone.
pub(super) async fn serve(
    stage: Arc<Stage>,
    device_id: DeviceId,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    while let Some(Request { what, answer }) = requests.recv().await {
        let (fate, latency) = stage.scene().fate(&what, stage.begun());
        tokio::time::sleep(latency).await;
        let outcome = stage.scene().meet(stage.begun(), &device_id, what, fate);
        if let Some(outcome) = outcome {
            let _ = answer.send(outcome);
        }
    }
}

impl Stage {
    async fn ask(&self, device_id: &DeviceId, what: What, deadline: Duration) -> Result<Answer, RouterError> {
        let until = Instant::now() + deadline;
        let (answer, answered) = oneshot::channel();
        self.wires[device_id].send(Request { what, answer }).expect("a router listens");
        match tokio::time::timeout_at(until, answered).await {
            Ok(Ok(answer)) => answer,
            // Nobody will answer.
            Ok(Err(_)) => {
                tokio::time::sleep_until(until).await;
                Err(RouterError::Timeout)
            }
            Err(_) => Err(RouterError::Timeout),
        }
    }

    /// What a deliberate mistake does before a write, or in its place.
    fn bent_write(&self, ticket: Ticket, action: &Action) -> Result<Ticket, RouterError> {
        let scene = &mut *self.scene();
        match scene.mutant {
            Some(Mutant::SentTwice) => scene.checker.sent(&ticket, action),
            Some(Mutant::OtherPlan) => scene.checker.excuse(&ticket, action),
            Some(Mutant::LateWrite) => match scene.late_write.take() {
                Some((late, action)) => scene.checker.sent(&late, &action),
                None => {
                    scene.late_write = Some((ticket, action.clone()));
                    return Err(RouterError::Lost("reset".into()));
                }
            },
            _ => {}
        }
        Ok(ticket)
    }

    fn login(&self) -> Result<(), RouterError> {
        if self.scene().store_is_away() { Err(RouterError::StoreAway) } else { Ok(()) }
    }
}

impl Reader for Stage {
    fn read<'a>(
        &'a self,
        device_id: &'a DeviceId,
        ask: Ask,
        _: Priority,
        deadline: Duration,
    ) -> Promise<'a, Result<Reply, RouterError>> {
        Box::pin(async move {
            self.doing().await;
            self.login().inspect_err(|_| self.scene().checker.is_away(device_id))?;
            let mut answer = self.ask(device_id, What::Read(ask), deadline).await;
            self.doing().await;
            match &mut answer {
                Ok(answer) => {
                    if let Some((menu, at, rows)) = answer.read.take() {
                        self.scene().checker.read(device_id, menu, at, rows);
                    }
                }
                Err(_) => self.scene().checker.is_away(device_id),
            }
            answer.map(|Answer { rows, ret, .. }| Reply { rows, ret, took: Duration::ZERO, tries: 1 })
        })
    }
}

/// Counts a write that is on its way, until it is answered or its process is gone.
struct InFlight<'a>(&'a Stage, JobId);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut scene = self.0.scene();
        if scene.mutant != Some(Mutant::SlotsLeak) {
            scene.checker.answered(self.1);
        }
    }
}

impl Writer for Stage {
    fn write<'a>(
        &'a self,
        ticket: Ticket,
        bound: &'a str,
        action: &'a Action,
        deadline: Duration,
    ) -> Promise<'a, Result<Receipt, RouterError>> {
        Box::pin(async move {
            self.doing().await;
            if !bound.is_empty() && Desk::bound(self, ticket.device_id()).as_deref() != Some(bound) {
                self.scene().checker.sent_nothing(&ticket);
                return Err(RouterError::OtherBox);
            }
            if let Err(error) = self.login() {
                let mut scene = self.scene();
                scene.checker.is_away(ticket.device_id());
                scene.checker.sent_nothing(&ticket);
                return Err(error);
            }
            let bent = self.scene().mutant.map(|mutant| mutant.bend_action(action));
            let action = bent.as_ref().unwrap_or(action);
            let ticket = self.bent_write(ticket, action)?;
            self.scene().checker.sent(&ticket, action);
            let in_flight = InFlight(self, ticket.job_id());
            let answer = self.ask(ticket.device_id(), What::Write(action.clone()), deadline).await;
            drop(in_flight);
            if answer.as_ref().is_err_and(|error| !error.may_have_applied()) {
                self.scene().checker.sent_nothing(&ticket);
            }
            if answer.is_err() {
                self.scene().checker.is_away(ticket.device_id());
            }
            self.doing().await;
            let adds = matches!(action, Action::Add { .. } | Action::Command { .. });
            answer.map(|answer| Receipt { added_id: answer.ret.filter(|_| adds), took: Duration::ZERO })
        })
    }
}
