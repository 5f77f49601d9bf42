//! Stories of one write against a scripted router, through the real engine and an in-memory log.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use events::{
    checkpoint::Signer,
    device::Environment,
    event::{Event, Keep},
    ids::{DeviceId, Seq},
    job::{JobStatus, StepStatus},
    log::EventLog,
    operation::Action,
    plan::{Origin, Plan},
    ticket::Ticket,
};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        Command, Rules,
        job::JobState,
        testing::{agent, device_id, dns_plan, job_id, operation, plan_id, settings, step_id},
    },
    engine::{Engine, Options, Running},
    projections::Views,
    routeros::{
        error::RouterError,
        port::{Ask, Priority, Promise, Reader, Receipt, Reply, Row, Writer, action_digest},
    },
    runner::Runner,
};

/// What the router does to the next write.
#[derive(Clone, Copy)]
enum Does {
    Apply,
    ApplyAndLoseTheAnswer,
    /// As above, and the next so many readings fail.
    ApplyAndGoSilent(u32),
    LoseTheRequest,
    Refuse,
    ApplyAnotherValue,
    SayYesAndDoNothing,
    NotReachable,
    /// It refuses, and after one more reading something happens.
    RefuseAndThen(Then),
    /// It applies, and after one more reading something happens.
    ApplyAndThen(Then),
}

/// What happens by itself.
#[derive(Clone, Copy)]
enum Then {
    /// The next so many readings fail.
    Silent(u32),
    /// Somebody sets this.
    Other(&'static str),
}

struct Script {
    servers: String,
    writes: VecDeque<Does>,
    unreadable: u32,
    then: Option<Then>,
    log: Vec<String>,
    digests: Vec<(String, String)>,
}

/// A router that keeps one value and does as it is told.
struct Scripted(Mutex<Script>);

impl Reader for Scripted {
    fn read<'a>(
        &'a self,
        _: &'a DeviceId,
        ask: Ask,
        _: Priority,
        _: Duration,
    ) -> Promise<'a, Result<Reply, RouterError>> {
        Box::pin(async move {
            assert_eq!(ask, Ask::print("/ip/dns"));
            let mut script = self.0.lock().unwrap();
            if script.unreadable > 0 {
                script.unreadable -= 1;
                script.log.push("unreadable".into());
                return Err(RouterError::Timeout);
            }
            script.log.push("read".into());
            let row: Row = [
                ("servers", script.servers.as_str()),
                ("cache-size", "2048"),
                ("allow-remote-requests", "false"),
            ]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
            match script.then.take() {
                Some(Then::Silent(readings)) => script.unreadable = readings,
                Some(Then::Other(servers)) => script.servers = servers.into(),
                None => {}
            }
            Ok(Reply { rows: vec![row], ret: None, took: Duration::ZERO, tries: 1 })
        })
    }
}

impl Writer for Scripted {
    fn write<'a>(
        &'a self,
        ticket: Ticket,
        _: &'a str,
        action: &'a Action,
        _: Duration,
    ) -> Promise<'a, Result<Receipt, RouterError>> {
        Box::pin(async move {
            let mut script = self.0.lock().unwrap();
            script.log.push("write".into());
            script.digests.push((ticket.operation_sha256().to_owned(), action_digest(action)));
            let Action::SetSingleton { properties, .. } = action else {
                panic!("only singletons are set here")
            };
            let wanted = properties[0].1.clone();
            let lost = || Err(RouterError::Lost("reset".into()));
            match script.writes.pop_front().unwrap_or(Does::Apply) {
                Does::Apply => script.servers = wanted,
                Does::ApplyAndThen(then) => {
                    script.servers = wanted;
                    script.then = Some(then);
                }
                Does::ApplyAndLoseTheAnswer => {
                    script.servers = wanted;
                    return lost();
                }
                Does::ApplyAndGoSilent(readings) => {
                    script.servers = wanted;
                    script.unreadable = readings;
                    return lost();
                }
                Does::LoseTheRequest => return lost(),
                Does::Refuse => {
                    return Err(RouterError::Refused { status: 400, words: "failure: no".into() });
                }
                Does::RefuseAndThen(then) => {
                    script.then = Some(then);
                    return Err(RouterError::Refused { status: 400, words: "failure: no".into() });
                }
                Does::ApplyAnotherValue => script.servers = "203.0.113.66".into(),
                Does::SayYesAndDoNothing => {}
                Does::NotReachable => return Err(RouterError::Unreachable("no route".into())),
            }
            Ok(Receipt { added_id: None, took: Duration::ZERO })
        })
    }
}

struct Story {
    engine: Engine,
    running: Option<Running>,
    router: Arc<Scripted>,
    stop: CancellationToken,
}

impl Story {
    /// One lab router with 1.1.1.1, and a plan approved by policy to set 9.9.9.9.
    async fn with(writes: &[Does]) -> Self {
        Self::of(dns_plan(1, Environment::Lab, &["r1"]), writes).await
    }

    /// As above, with 8.8.8.8 as a second step.
    async fn in_two_steps(rollback_on_failure: bool, writes: &[Does]) -> Self {
        let mut plan = dns_plan(1, Environment::Lab, &["r1"]);
        plan.waves[0][0].operations.push(operation("9.9.9.9", "8.8.8.8"));
        plan.rollback_on_failure = rollback_on_failure;
        Self::of(plan, writes).await
    }

    async fn of(plan: Plan, writes: &[Does]) -> Self {
        let log = EventLog::in_memory(Signer::generate());
        let options = Options { rules: Rules::default(), snapshots: None };
        let (engine, running) = Engine::start(log, Views::default(), options);
        let add = Command::AddDevice {
            device_id: device_id("r1"),
            settings: settings("r1", 1, Environment::Lab),
            trust: None,
            logins: Vec::new(),
        };
        engine.submit(agent(), add).await.unwrap();
        let step_ids = (1..).map(step_id).take(plan.waves[0][0].operations.len()).collect();
        let plan = Box::new(plan);
        let policy = Some("immediate_writes:lab".to_owned());
        let origin = Origin::default();
        let propose = Command::ProposePlan { plan, approval_token_sha256: String::new(), policy, origin };
        engine.submit(agent(), propose).await.unwrap();
        let start = Command::StartJob {
            plan_id: plan_id(1),
            job_id: job_id(1),
            step_ids,
            approval_token_sha256: None,
        };
        engine.submit(agent(), start).await.unwrap();
        let router = Arc::new(Scripted(Mutex::new(Script {
            servers: "1.1.1.1".into(),
            writes: writes.iter().copied().collect(),
            unreadable: 0,
            then: None,
            log: vec![],
            digests: vec![],
        })));
        Self { engine, running: Some(running), router, stop: CancellationToken::new() }
    }

    fn router(&self) -> std::sync::MutexGuard<'_, Script> {
        self.router.0.lock().unwrap()
    }

    /// Runs until the job rests, and returns it.
    async fn play(&self) -> JobState {
        let runner = Runner::new(
            Arc::new(self.engine.clone()),
            Arc::clone(&self.router) as _,
            Arc::clone(&self.router) as _,
            self.stop.clone(),
        );
        let task = tokio::spawn(runner.run(self.engine.clone()));
        let job = self
            .engine
            .wait_until(|views| {
                let job = views.state.jobs.get(&job_id(1))?;
                let diverged = job.steps.iter().any(|step| step.status == StepStatus::Diverged);
                let rests =
                    matches!(job.status, JobStatus::Halted) || (job.status == JobStatus::Stuck && diverged);
                (job.status.is_over() || rests).then(|| job.clone())
            })
            .await
            .unwrap();
        self.stop.cancel();
        task.await.unwrap();
        job
    }

    /// Kinds of the facts about the job, in order.
    fn facts(&self) -> Vec<String> {
        self.engine
            .log()
            .page(Some(Keep::Ledger), Seq(1), 1000)
            .unwrap()
            .into_iter()
            .filter_map(|envelope| match envelope.event {
                Event::StepStarted(_) => Some("started".to_owned()),
                Event::StepSettled(e) => Some(format!("{:?}", e.status)),
                Event::JobStatusChanged(e) => Some(format!("job {:?}", e.status)),
                _ => None,
            })
            .collect()
    }

    async fn end(mut self) {
        self.running.take().unwrap().stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn compare_intent_write_read_back_report() {
    let story = Story::with(&[Does::Apply]).await;
    let job = story.play().await;
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(story.router().log, ["read", "write", "read"]);
    assert_eq!(story.facts(), ["job Running", "started", "Applied", "job Completed"]);
    let (ticket, sent) = story.router().digests[0].clone();
    assert_eq!(ticket, sent, "what was sent is what the intent names");
    assert_eq!(job.steps[0].observed, [("servers".to_owned(), Some("9.9.9.9".to_owned()))]);
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_on_record_as_doubt_before_it_is_settled() {
    let story = Story::with(&[Does::ApplyAndLoseTheAnswer]).await;
    let job = story.play().await;
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(story.facts(), ["job Running", "started", "InDoubt", "Applied", "job Completed"]);
    assert_eq!(story.router().log.iter().filter(|word| *word == "write").count(), 1);
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_arrived_is_sent_again_with_a_new_intent() {
    let story = Story::with(&[Does::LoseTheRequest, Does::Apply]).await;
    let job = story.play().await;
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(
        story.facts(),
        ["job Running", "started", "InDoubt", "NotApplied", "started", "Applied", "job Completed"]
    );
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_job_with_the_routers_words() {
    let story = Story::with(&[Does::Refuse]).await;
    let job = story.play().await;
    assert_eq!((job.status, job.steps[0].status), (JobStatus::Failed, StepStatus::Refused));
    assert_eq!(job.steps[0].detail, "failure: no");
    assert_eq!(story.router().servers, "1.1.1.1");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn yes_without_effect_is_no_success() {
    let story = Story::with(&[Does::SayYesAndDoNothing]).await;
    let job = story.play().await;
    assert_eq!((job.status, job.steps[0].status), (JobStatus::Failed, StepStatus::Refused));
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn another_value_is_diverged_and_asks_a_person() {
    let story = Story::with(&[Does::ApplyAnotherValue]).await;
    let job = story.play().await;
    assert_eq!((job.status, job.steps[0].status), (JobStatus::Stuck, StepStatus::Diverged));
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_router_is_tried_a_few_times_and_the_job_fails() {
    let story = Story::with(&[Does::NotReachable; 3]).await;
    let job = story.play().await;
    assert_eq!((job.status, job.steps[0].attempts), (JobStatus::Failed, 3));
    assert_eq!(job.steps[0].code.as_deref(), Some("device_unreachable"));
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn doubt_that_cannot_be_read_is_stuck_and_still_settled_later() {
    let story = Story::with(&[Does::ApplyAndGoSilent(5)]).await;
    let job = story.play().await;
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(
        story.facts(),
        ["job Running", "started", "InDoubt", "job Stuck", "Applied", "job Running", "job Completed"]
    );
    assert_eq!(story.router().log.iter().filter(|word| *word == "write").count(), 1);
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_that_a_crash_left_open_is_settled_by_reading_first() {
    for (servers, facts) in [
        ("9.9.9.9", vec!["job Running", "started", "Applied", "job Completed"]),
        ("1.1.1.1", vec!["job Running", "started", "NotApplied", "started", "Applied", "job Completed"]),
    ] {
        let story = Story::with(&[Does::Apply]).await;
        story.router().servers = servers.into();
        // What a process that was killed right after its intent leaves behind.
        let running =
            Command::SetJobStatus { job_id: job_id(1), status: JobStatus::Running, reason: String::new() };
        story.engine.submit(agent(), running).await.unwrap();
        let begin = Command::BeginStep {
            job_id: job_id(1),
            step_id: step_id(1),
            undo: false,
            operation_sha256: "of a process that is gone".into(),
        };
        drop(story.engine.submit(agent(), begin).await.unwrap());
        let job = story.play().await;
        assert_eq!(job.status, JobStatus::Completed);
        assert_eq!(story.facts(), facts, "{servers}");
        assert_eq!(story.router().log[0], "read", "nothing is sent before the device was read");
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_router_that_changed_since_makes_the_plan_stale() {
    let story = Story::with(&[]).await;
    story.router().servers = "8.8.8.8".into();
    let job = story.play().await;
    assert_eq!(job.status, JobStatus::Failed);
    assert_eq!(story.router().log, ["read"], "nothing was sent");
    let status = story.engine.view(|views| views.state.plans[&plan_id(1)].status);
    assert_eq!(status, crate::domain::plan::PlanStatus::Stale);
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_applied_is_undone_when_a_later_step_is_refused() {
    let story = Story::in_two_steps(true, &[Does::Apply, Does::Refuse]).await;
    let job = story.play().await;
    assert_eq!(job.status, JobStatus::RolledBack);
    assert_eq!(
        story.facts(),
        [
            "job Running",
            "started",
            "Applied",
            "started",
            "Refused",
            "job RollingBack",
            "started",
            "Undone",
            "job RolledBack"
        ]
    );
    assert_eq!(story.router().servers, "1.1.1.1");
    assert!(
        story.router().digests.iter().all(|(ticket, sent)| ticket == sent),
        "the undo has its own intent"
    );
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_undo_whose_answer_is_lost_is_settled_by_reading() {
    for lost in [Does::ApplyAndLoseTheAnswer, Does::LoseTheRequest, Does::NotReachable] {
        let story = Story::in_two_steps(true, &[Does::Apply, Does::Refuse, lost]).await;
        let job = story.play().await;
        assert_eq!(job.status, JobStatus::RolledBack);
        assert_eq!(story.router().servers, "1.1.1.1");
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_waits_for_a_silent_router_without_filling_the_log() {
    let silent = Does::RefuseAndThen(Then::Silent(40));
    let story = Story::in_two_steps(true, &[Does::Apply, silent]).await;
    let job = story.play().await;
    assert_eq!(job.status, JobStatus::RolledBack);
    assert_eq!(
        story.facts()[5..],
        ["job RollingBack", "job Stuck", "job RollingBack", "started", "Undone", "job RolledBack"]
    );
    assert_eq!(story.router().servers, "1.1.1.1");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changed_since_is_not_undone_blindly() {
    let changed = Does::RefuseAndThen(Then::Other("203.0.113.7"));
    let story = Story::in_two_steps(true, &[Does::Apply, changed]).await;
    let job = story.play().await;
    assert_eq!((job.status, job.steps[0].status), (JobStatus::Stuck, StepStatus::Diverged));
    assert_eq!(story.router().servers, "203.0.113.7");
    assert_eq!(story.router().log.iter().filter(|word| *word == "write").count(), 2, "no undo was sent");
    story.end().await;

    let undone = Does::RefuseAndThen(Then::Other("1.1.1.1"));
    let story = Story::in_two_steps(true, &[Does::Apply, undone]).await;
    let job = story.play().await;
    assert_eq!((job.status, job.steps[0].status), (JobStatus::RolledBack, StepStatus::Undone));
    assert_eq!(
        story.router().log.iter().filter(|word| *word == "write").count(),
        2,
        "nothing was left to send"
    );
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_never_takes_ends_as_it_is() {
    let mut writes = vec![Does::Apply, Does::Refuse];
    writes.extend([Does::SayYesAndDoNothing; 9]);
    let story = Story::in_two_steps(true, &writes).await;
    let job = story.play().await;
    assert_eq!((job.status, job.steps[0].status), (JobStatus::PartiallyRolledBack, StepStatus::Applied));
    assert_eq!(story.router().servers, "9.9.9.9");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_keeps_what_was_applied_is_not_rolled_back() {
    let changed = Does::ApplyAndThen(Then::Other("203.0.113.7"));
    for (writes, servers) in [(&[Does::Apply, Does::Refuse][..], "9.9.9.9"), (&[changed], "203.0.113.7")] {
        let story = Story::in_two_steps(false, writes).await;
        let job = story.play().await;
        assert_eq!(job.status, JobStatus::Halted, "a person decides");
        assert_eq!(story.router().servers, servers);
        story.end().await;
    }
}
