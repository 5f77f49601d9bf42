//! `Cx`: the only things a tool may touch. It can read routers and submit wishes; it cannot write to a router.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use events::{
    device::Environment,
    ids::{CallId, DeviceId, JobId, Moment, PlanId, StepId},
    log::LogReader,
    operation::Operation,
    plan::{DevicePart, Origin, Plan, Risk, Rollout},
    sample::HealthSample,
};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    access::principal::{Demand, Principal},
    changes::guard::Way,
    domain::{self, Command, device::Device, plan::hex, workflow},
    engine::{Committed, Engine, Wish, clock, mint},
    failure::{Code, Failure},
    projections::Views,
    routeros::{
        port::{Ask, Priority, Prober, Reader, Reply},
        resources::Reading,
    },
    tools::{
        asking, dead_man,
        params::DeviceRef,
        propose::{PlanToApprove, withdrawn},
        rollout::{Rollouts, Shape},
        tool::Topic,
    },
};

/// What every tool shares; one for the whole process.
pub struct Shared {
    /// The only writer.
    pub engine: Engine,
    /// Reads routers.
    pub reader: Arc<dyn Reader>,
    /// Looks at boxes before any login.
    pub prober: Arc<dyn Prober>,
    /// Seals logins.
    pub vault: Arc<crate::routeros::vault::Vault>,
    /// What the configuration says about tools.
    pub policy: Policy,
    /// The store is held for one client on standard input and ends with it: no place for a rollout.
    pub alone: AtomicBool,
}

/// What the configuration says about tools.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Environments in which one-device changes run without a person (DECISIONS, approval 4).
    pub immediate_writes: Vec<Environment>,
    /// Hides and refuses everything that changes a router.
    pub read_only: bool,
    /// When set, devices of other environments are refused.
    pub environment: Option<Environment>,
    /// Send output schemas in `tools/list`.
    pub list_output_schemas: bool,
    /// Topics whose plans may be about production devices.
    pub allow_prod_topics: Vec<&'static str>,
    /// How plans go through their devices, where a call does not say.
    pub rollouts: Rollouts,
    /// Product version, for answers.
    pub version: &'static str,
}

impl Policy {
    /// Plans of a topic are not for production unless the configuration says so (TOOLS decision 11).
    ///
    /// # Errors
    /// `environment_denied`.
    pub fn admit_topic(&self, demand: &Demand, device: &Device) -> Result<(), Failure> {
        let Some(topic) = demand.topic else { return Ok(()) };
        let open = Topic::ALL.iter().any(|known| known.name == topic && known.in_prod);
        if open || device.settings.environment != Environment::Prod || self.allow_prod_topics.contains(&topic)
        {
            return Ok(());
        }
        Err(Failure::new(Code::EnvironmentDenied, format!("{topic} plans are not for production devices"))
            .hint(format!(
                "`allow_prod_topics = [\"{topic}\"]` under [tools] in the configuration allows them"
            ))
            .device(&device.device_id))
    }
}

/// A tool hears of a silent router so long before its own time is over, and can say so.
pub(super) const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// News about a long call.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// How much is done; only grows.
    pub progress: f64,
    /// How much there is, when known.
    pub total: Option<f64>,
    /// One line. Never quotes a router.
    pub message: String,
}

/// Takes news about a long call to the caller.
pub type ProgressSink = Arc<dyn Fn(Update) + Send + Sync>;

/// One running call.
pub struct Cx {
    pub(super) shared: Arc<Shared>,
    pub(super) principal: Principal,
    pub(super) call_id: CallId,
    pub(super) tool: &'static str,
    /// The references of this call, resolved and admitted.
    pub(super) devices: BTreeMap<String, DeviceId>,
    /// The caller's word for its session.
    pub(super) correlation_id: String,
    /// The program that calls.
    pub(super) client: String,
    /// How a plan is to go through its devices.
    pub(super) shape: Shape,
    /// Our own way to the routers whose way was looked at.
    pub(super) ways: Mutex<BTreeMap<DeviceId, Way>>,
    pub(super) progress: Option<ProgressSink>,
    pub(super) cancel: CancellationToken,
    pub(super) deadline: tokio::time::Instant,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// Nothing was sent: the caller asked for a look only.
    DryRun(Vec<Operation>),
    /// Applied and read back.
    Applied {
        /// The job that did it.
        job_id: JobId,
        /// Its plan.
        plan_id: PlanId,
    },
    /// A person must approve it first.
    Planned(PlanToApprove),
}

impl Cx {
    /// Who calls.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// This call's id, as recorded.
    #[must_use]
    pub const fn call_id(&self) -> CallId {
        self.call_id
    }

    /// This call, as a plan that comes from it remembers it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            call_id: Some(self.call_id),
            correlation_id: self.correlation_id.clone(),
            client: self.client.clone(),
        }
    }

    /// How a plan is to go through its devices, as the caller wants it.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Remembers our own way to a router: a plan that looked at it tells so.
    pub(super) fn saw_way(&self, device_id: &DeviceId, way: &Way) {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.insert(device_id.clone(), way.clone());
    }

    /// Our own way to a router, if this call looked at it.
    pub(super) fn way_seen(&self, device_id: &DeviceId) -> Option<Way> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).get(device_id).cloned()
    }

    /// The tool that runs.
    #[must_use]
    pub const fn tool(&self) -> &'static str {
        self.tool
    }

    /// What the configuration says about tools.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        clock::now()
    }

    /// Fires when the caller takes the call back.
    #[must_use]
    pub const fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// The engine, for views and waiting.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Reads the log.
    #[must_use]
    pub fn log(&self) -> &LogReader {
        self.shared.engine.log()
    }

    /// Looks at boxes before any login.
    #[must_use]
    pub fn prober(&self) -> &dyn Prober {
        &*self.shared.prober
    }

    /// Seals logins.
    #[must_use]
    pub fn vault(&self) -> &crate::routeros::vault::Vault {
        &self.shared.vault
    }

    /// Reads the views.
    pub fn view<T>(&self, read: impl FnOnce(&Views) -> T) -> T {
        self.shared.engine.view(read)
    }

    /// The device that a parameter of this call names; it was admitted before the tool ran.
    ///
    /// # Errors
    /// `bug` when the tool asks for a device that its `Targets` did not name.
    pub fn device(&self, reference: &DeviceRef) -> Result<Device, Failure> {
        let id = self
            .devices
            .get(&reference.0)
            .ok_or_else(|| Failure::new(Code::Bug, "a tool asked for a device that it did not name"))?;
        self.view(|views| views.state.devices.get(id).cloned())
            .ok_or_else(|| Failure::new(Code::UnknownDevice, "the device was removed meanwhile"))
    }

    /// The router behind an admitted device.
    #[must_use]
    pub const fn router<'a>(&'a self, device_id: &'a DeviceId) -> Router<'a> {
        Router { cx: self, device_id }
    }

    /// Submits a wish as the caller.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn submit(&self, command: Command) -> Result<Committed, Failure> {
        self.shared.engine.submit(self.principal.actor.clone(), command).await
    }

    /// Submits a wish with rows that must change in the same transaction.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn submit_with(
        &self,
        command: Command,
        side: Vec<events::log::SideWrite>,
    ) -> Result<Committed, Failure> {
        let actor = self.principal.actor.clone();
        let wish = Wish { command_id: mint!(events::ids::CommandId), actor, command, side };
        self.shared.engine.submit_wish(wish).await
    }

    /// Notes a look at a device: a sample, and a change of status if it is one. Nobody waits for it.
    pub fn observe(&self, sample: HealthSample, reason: &str) {
        let system = events::principal::Actor::system();
        let (device_id, status) = (sample.device_id.clone(), sample.status);
        let batch = events::sample::HealthBatch { samples: vec![sample] };
        self.shared.engine.record(system.clone(), Command::RecordHealth(batch));
        let differs = self
            .view(|views| views.state.devices.get(&device_id).is_some_and(|device| device.status != status));
        if differs {
            let reason = reason.to_owned();
            self.shared.engine.record(system, Command::ObserveDevice { device_id, status, reason });
        }
    }

    /// Tells the caller how far the call is.
    pub fn progress(&self, progress: f64, total: Option<f64>, message: impl Into<String>) {
        if let Some(sink) = &self.progress {
            sink(Update { progress, total, message: message.into() });
        }
    }

    /// Time left for the call.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(tokio::time::Instant::now())
    }

    /// Carries out a change of one device as a plan: approved by policy where the configuration allows immediate writes,
    /// else left for a person to approve. What is risky is made under a timed undo on the router.
    ///
    /// # Errors
    /// `unsafe_operation` when it is risky and no timed undo can be armed; refusals of the rules; how the job ended, if
    /// not well.
    pub async fn change(
        &self,
        device: &Device,
        summary: String,
        risk: Risk,
        operations: Vec<Operation>,
        dry_run: bool,
    ) -> Result<Changed, Failure> {
        asking::declared_writes(self.tool, &operations)?;
        if dry_run {
            return Ok(Changed::DryRun(operations));
        }
        let environment = device.settings.environment;
        let rollback_on_failure = operations.iter().all(|operation| !operation.undo.is_empty());
        let rollout = Rollout::default();
        let seconds =
            dead_man::deadline(self.policy().rollouts.dead_man_seconds, &rollout, operations.len(), 1);
        let router = self.router(&device.device_id);
        let choice = dead_man::dead_man(&router, device, &operations, seconds).await?;
        let (dead_man, _) = dead_man::decide(choice, device, rollout.without_dead_man)?;
        let rollout = dead_man::watched(dead_man.as_ref());
        let part = DevicePart {
            device_id: device.device_id.clone(),
            operations,
            risk,
            bound_sha256: domain::job::bound_sha256(device),
            checks: Vec::new(),
            dead_man,
        };
        let plan = Plan {
            plan_id: mint!(PlanId),
            tool: self.tool.to_owned(),
            summary,
            environment,
            waves: vec![vec![part]],
            // What has no undo (a cache that was emptied) is a plan of its own, and is never rolled back.
            rollback_on_failure,
            rollout,
            undoes: Vec::new(),
            reason: String::new(),
        };
        let (plan_id, steps) = (plan.plan_id, plan.waves[0][0].operations.len());
        let at_once = self.policy().immediate_writes.contains(&environment);
        let policy = if at_once {
            Some(format!("immediate_writes:{}", environment.as_str()))
        } else {
            self.trusted(&plan).map(|name| workflow::policy_of(&name))
        };
        if policy.is_none() {
            return self.propose(plan).await.map(Changed::Planned);
        }
        events::crash::point("plan.before_propose");
        let proposed = self.submit(Command::ProposePlan {
            plan: Box::new(plan.clone()),
            approval_token_sha256: String::new(),
            policy,
            origin: self.origin(),
        });
        match proposed.await {
            // The workflow was withdrawn in this very moment: then a person looks at it.
            Err(failure) if !at_once && withdrawn(&failure) => {
                return self.propose(plan).await.map(Changed::Planned);
            }
            proposed => proposed?,
        };
        events::crash::point("plan.after_propose");
        self.progress(1.0, Some(3.0), "approved by policy");
        let job_id = self.start(plan_id, steps, None).await?;
        self.progress(2.0, Some(3.0), "started");
        self.finish(job_id, &device.device_id).await?;
        self.progress(3.0, Some(3.0), "applied and read back");
        Ok(Changed::Applied { job_id, plan_id })
    }

    /// A rollout outlives the client that starts it, so it needs an appliance that does (DECISIONS: jobs on routers, 4).
    ///
    /// # Errors
    /// `conflict` for several devices where nobody serves.
    pub(super) fn has_a_place_for(&self, plan_id: PlanId, devices: usize) -> Result<(), Failure> {
        if devices < 2 || !self.shared.alone.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Failure::new(
            Code::Conflict,
            format!("{plan_id} changes {devices} devices, and this appliance ends with its only client"),
        )
        .hint("end this session, run `appliance serve`, connect again (stdio joins it), and start the plan there"))
    }

    /// Starts an approved plan.
    ///
    /// # Errors
    /// `conflict` for a plan of several devices where nobody serves; refusals of the rules.
    pub async fn start(
        &self,
        plan_id: PlanId,
        steps: usize,
        approval_token: Option<&str>,
    ) -> Result<JobId, Failure> {
        let devices = self.view(|views| {
            views.state.plans.get(&plan_id).map_or(0, |plan| plan.plan.waves.iter().flatten().count())
        });
        self.has_a_place_for(plan_id, devices)?;
        let job_id = mint!(JobId);
        let step_ids = (0..steps).map(|_| mint!(StepId)).collect();
        let approval_token_sha256 = approval_token.map(|token| hex(&Sha256::digest(token.as_bytes())));
        events::crash::point("job.before_start");
        self.submit(Command::StartJob { plan_id, job_id, step_ids, approval_token_sha256 }).await?;
        events::crash::point("job.after_start");
        Ok(job_id)
    }
}

/// A router that this call may read.
pub struct Router<'a> {
    pub(super) cx: &'a Cx,
    pub(super) device_id: &'a DeviceId,
}

impl Router<'_> {
    /// Asks one question, within the call's time.
    ///
    /// # Errors
    /// As the router's error says.
    pub async fn ask(&self, ask: Ask) -> Result<Reply, Failure> {
        asking::declared(self.cx.tool, &format!("{ask:?}"), |endpoint| endpoint.covers_ask(&ask))?;
        let within = self.cx.time_left().saturating_sub(ANSWER_MARGIN);
        let reading = self.cx.shared.reader.read(self.device_id, ask, Priority::Tool, within);
        tokio::select! {
            read = reading => read.map_err(|error| error.into_failure(self.device_id)),
            () = self.cx.cancel.cancelled() => Err(Failure::new(Code::Cancelled, "the call was taken back")),
        }
    }

    /// The only record of a menu without records.
    ///
    /// # Errors
    /// As the router's error says.
    pub async fn read<R: Reading>(&self) -> Result<R, Failure> {
        let reply = self.ask(Ask::print(R::MENU)).await?;
        R::one(&reply).map_err(|error| error.into_failure(self.device_id))
    }

    /// Every record of a menu.
    ///
    /// # Errors
    /// As the router's error says.
    pub async fn read_all<R: Reading>(&self) -> Result<Vec<R>, Failure> {
        let reply = self.ask(Ask::print(R::MENU)).await?;
        R::all(&reply).map_err(|error| error.into_failure(self.device_id))
    }

    /// Every record of a menu that some routers do not have: absent means none.
    ///
    /// # Errors
    /// As the router's error says, unless it says that the menu is absent.
    pub async fn read_all_if_any<R: Reading>(&self) -> Result<Vec<R>, Failure> {
        match self.read_all().await {
            Err(failure) if failure.code == Code::DeviceUnsupported => Ok(Vec::new()),
            read => read,
        }
    }
}
