//! What the plan tools of all topics have in common: check and read each device, propose, weigh the risk, make one plan.

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
};

use events::{
    device::Environment,
    ids::{DeviceId, Moment, PlanId},
    plan::{DeadMan, DevicePart, Plan, Precheck, RiskLevel},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    changes::{Proposal, guard::Way, plan_risk},
    domain::{device::Device, job::bound_sha256},
    engine::mint,
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        port::{Ask, Row},
        resources::{Reading, ip_address::IpAddress, user_active::ActiveUser},
    },
    tools::{
        asking, catalog,
        context::{Cx, Router},
        dead_man,
        grouped::{self, Batches, Group},
        listing::is_record_id,
        params::{DeviceRef, List},
        precheck, rollout,
    },
};

pub(super) use crate::tools::apply::apply_tool;

/// The devices of one plan.
pub(super) type Devices = List<DeviceRef, 1, 50>;
/// Routers are read so many at a time.
const AT_ONCE: usize = 8;

/// What is asked to know our own way to a router.
pub(super) const WAY: [Endpoint; 2] = [Endpoint::print::<ActiveUser>(), Endpoint::print::<IpAddress>()];

impl Router<'_> {
    /// Every record of a menu, exactly as the router has it: for changes, never for showing.
    ///
    /// # Errors
    /// As the router's error says; `device_garbled` when a record is not of this menu.
    pub(super) async fn rows<R: Reading>(&self, filters: &[(&str, &str)]) -> Result<Vec<Row>, Failure> {
        let filters = filters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let ask = Ask::Print { menu: R::MENU.to_owned(), properties: Vec::new(), filters: filters.collect() };
        let reply = self.ask(ask).await.map_err(|failure| self.explain::<R>(failure))?;
        R::all(&reply).map_err(|error| error.into_failure(self.device_id))?;
        reply.rows.iter().try_for_each(|row| self.has_plain_id(row))?;
        Ok(reply.rows)
    }

    /// Ids of records go into requests and sentences: one that is none is not believed.
    pub(super) fn has_plain_id(&self, row: &Row) -> Result<(), Failure> {
        if row.get(".id").is_none_or(|id| is_record_id(id)) {
            return Ok(());
        }
        Err(Failure::new(Code::DeviceGarbled, "a record of this router has an id that is none")
            .device(self.device_id))
    }

    /// Our own way to the router, as the router sees it.
    ///
    /// # Errors
    /// As the router's error says.
    pub(super) async fn way(&self, device: &Device) -> Result<Way, Failure> {
        let active = self.rows::<ActiveUser>(&[]).await?;
        let addresses = self.rows::<IpAddress>(&[]).await?;
        let settings = &device.settings;
        let way = Way::of(settings.management_ip, settings.management_port, &active, &addresses);
        self.saw_way(&way);
        Ok(way)
    }

    /// Remembers our own way: the plan tells that it was looked at.
    pub(super) fn saw_way(&self, way: &Way) {
        self.cx.saw_way(self.device_id, way);
    }
}

/// One device's part of a plan, as shown.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Planned<M> {
    device_id: DeviceId,
    name: String,
    environment: Environment,
    /// Its batch, from 1.
    wave: usize,
    risk_level: RiskLevel,
    /// 0–100.
    risk_score: u8,
    /// Why.
    reasons: Vec<String>,
    /// What was checked.
    checks: Vec<Precheck>,
    #[serde(flatten)]
    more: M,
}

/// Nothing more is told of a device.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NoMore {}

/// A plan that waits for a person.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanAnswer<M = NoMore> {
    /// Which plan; none when no device needs a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_id: Option<PlanId>,
    /// What the approver approves.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_hash: Option<String>,
    /// Inert until a person approves the hash; single use.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_token: Option<String>,
    /// Unapproved, the plan ends then.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_expires_at: Option<Moment>,
    /// Of the worst device.
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_level: Option<RiskLevel>,
    /// The trusted workflow that approved it already.
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    device_count: usize,
    #[serde(flatten)]
    batches: Batches,
    /// When nothing fails, pauses included.
    estimated_duration_minutes: f64,
    /// What is the same on several devices, once.
    groups: Vec<Group>,
    devices: Vec<Planned<M>>,
    /// Devices that are so already.
    unchanged: Vec<DeviceId>,
    /// What happens next.
    next_step: String,
}

impl<M> PlanAnswer<M> {
    /// One line for people.
    pub(super) fn say(&self) -> String {
        match (self.plan_id, &self.workflow) {
            (None, _) => "nothing to change".into(),
            (Some(plan_id), Some(name)) => {
                format!("{plan_id} for {} devices is approved by the workflow {name}", self.device_count)
            }
            (Some(plan_id), None) => {
                format!("{plan_id} for {} devices waits for a person's approval", self.device_count)
            }
        }
    }
}

/// Reads each device, proposes its part, and makes one plan of them.
///
/// # Errors
/// As [`propose_with`].
pub(super) async fn propose<'a, F, P>(
    cx: &'a Cx,
    references: &Devices,
    summary: &str,
    part: F,
) -> Result<PlanAnswer, Failure>
where
    F: Fn(&'a Cx, Device) -> P + Send + Sync,
    P: Future<Output = Result<Proposal, Failure>> + Send,
{
    let with = |cx, device| {
        let proposing = part(cx, device);
        async move { Ok((proposing.await?, NoMore {})) }
    };
    propose_with(cx, &references.0, summary, with).await
}

/// A device that was checked and read, what is to be done there, and what else is told of it.
struct Proposed<M> {
    device: Device,
    checks: Vec<Precheck>,
    proposal: Proposal,
    more: M,
}

/// Checks and reads each device, proposes its part, and makes one plan of them, shaped as the caller wants it.
///
/// # Errors
/// The first device's refusal, with its id; `invalid_params` for devices of several environments or named twice, and for
/// a plan that would be too large.
pub(super) async fn propose_with<'a, F, P, M>(
    cx: &'a Cx,
    references: &[DeviceRef],
    summary: &str,
    part: F,
) -> Result<PlanAnswer<M>, Failure>
where
    F: Fn(&'a Cx, Device) -> P + Send + Sync,
    P: Future<Output = Result<(Proposal, M), Failure>> + Send,
    M: Send,
{
    let devices = chosen(cx, references)?;
    let (shape, defaults) = (cx.shape(), &cx.policy().rollouts);
    let batch_size = shape.batch_size(defaults, devices.len())?;
    let environment = devices[0].settings.environment;
    let total = f64::from(u32::try_from(devices.len()).unwrap_or(u32::MAX));
    let done = AtomicU32::new(0);
    let read = devices.into_iter().map(|device| {
        let (proposing, done) = (part(cx, device.clone()), &done);
        async move {
            let looking = async {
                let demand = catalog::find(cx.tool()).map(|def| def.spec.demand);
                let demand = demand.ok_or_else(|| Failure::new(Code::Bug, "a tool without a row plans"))?;
                let checks = precheck::before(&cx.router(&device.device_id), &device, &demand).await?;
                Ok((checks, proposing.await?))
            };
            let (checks, (proposal, more)) = looking.await.map_err(|failure: Failure| {
                if failure.device_id.is_some() { failure } else { failure.device(&device.device_id) }
            })?;
            let n = done.fetch_add(1, Ordering::Relaxed) + 1;
            cx.progress(f64::from(n), Some(total), "checked, read and planned");
            Ok::<_, Failure>(Proposed { device, checks, proposal, more })
        }
    });
    let proposed: Vec<Proposed<M>> = futures_util::stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    let (to_do, so_already): (Vec<_>, Vec<_>) =
        proposed.into_iter().partition(|one| !one.proposal.operations.is_empty());
    let unchanged: Vec<DeviceId> = so_already.into_iter().map(|one| one.device.device_id).collect();
    rollout::fits(&to_do.iter().map(|one| one.proposal.operations.len()).collect::<Vec<_>>())?;
    let busiest = to_do.iter().map(|one| one.proposal.operations.len()).max().unwrap_or_default();
    let rollout = shape.rollout(defaults);
    let seconds = dead_man::deadline(defaults.dead_man_seconds, &rollout, busiest, batch_size);
    let without_one = shape.without_dead_man();
    let armed = to_do.into_iter().map(|mut one| async move {
        let router = cx.router(&one.device.device_id);
        let choice = dead_man::dead_man(&router, &one.device, &one.proposal.operations, seconds).await?;
        let (dead_man, without) = dead_man::decide(choice, &one.device, without_one)?;
        one.proposal.high.extend(without);
        Ok::<_, Failure>((one, dead_man))
    });
    let armed: Vec<(Proposed<M>, Option<DeadMan>)> =
        futures_util::stream::iter(armed).buffered(AT_ONCE).try_collect().await?;
    let (mut parts, mut shown) = (Vec::new(), Vec::new());
    for (one, dead_man) in armed {
        asking::declared_writes(cx.tool(), &one.proposal.operations)?;
        let (part, planned) = weighed(cx, one, dead_man, environment);
        parts.push(part);
        shown.push(planned);
    }
    let device_count = parts.len();
    let plan = Plan {
        plan_id: mint!(PlanId),
        tool: cx.tool().to_owned(),
        summary: format!("{summary} on {device_count} device{}", if device_count == 1 { "" } else { "s" }),
        environment,
        waves: rollout::waves(parts, batch_size),
        rollback_on_failure: shape.rollback_on_failure(),
        rollout,
        undoes: Vec::new(),
        reason: String::new(),
    };
    let places = (1..).zip(&plan.waves).flat_map(|(wave, parts)| parts.iter().map(move |_| wave));
    shown.iter_mut().zip(places).for_each(|(planned, wave)| planned.wave = wave);
    let mut answer = PlanAnswer {
        plan_id: None,
        plan_hash: None,
        approval_token: None,
        approval_expires_at: None,
        risk_level: shown.iter().map(|planned| planned.risk_level).max(),
        workflow: None,
        device_count,
        batches: Batches::of(&plan),
        estimated_duration_minutes: minutes(rollout::estimate(&plan.rollout, plan.waves.len())),
        groups: grouped::groups(&plan),
        devices: shown,
        unchanged,
        next_step: "none: every device is so already".into(),
    };
    if device_count > 0 {
        let plan = cx.propose(plan).await?;
        answer.plan_id = Some(plan.plan_id);
        answer.plan_hash = Some(plan.plan_hash);
        answer.approval_token = Some(plan.approval_token);
        answer.approval_expires_at = Some(plan.approval_expires_at);
        answer.workflow = plan.workflow;
        answer.next_step = plan.next_step;
    }
    Ok(answer)
}

/// To a tenth of a minute.
pub(super) fn minutes(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() / 6.0).round() / 10.0
}

/// A device's part with its risk: the change's own reasons, what the checks warn of, production.
fn weighed<M>(
    cx: &Cx,
    one: Proposed<M>,
    dead_man: Option<DeadMan>,
    environment: Environment,
) -> (DevicePart, Planned<M>) {
    let Proposed { device, mut checks, proposal, more } = one;
    let risk_of = |checks: &[Precheck]| {
        let warnings: Vec<String> =
            proposal.warnings.iter().cloned().chain(precheck::warnings(checks)).collect();
        plan_risk(environment, &proposal.high, &warnings)
    };
    checks.extend(precheck::after(cx, &device, risk_of(&checks).level));
    let risk = risk_of(&checks);
    let planned = Planned {
        device_id: device.device_id.clone(),
        name: device.settings.name.clone(),
        environment,
        wave: 0,
        risk_level: risk.level,
        risk_score: risk.score,
        reasons: risk.reasons.clone(),
        checks: checks.clone(),
        more,
    };
    let part = DevicePart {
        device_id: device.device_id.clone(),
        operations: proposal.operations,
        risk,
        bound_sha256: bound_sha256(&device),
        checks,
        dead_man,
    };
    (part, planned)
}

/// The devices, once each, of one environment.
fn chosen(cx: &Cx, references: &[DeviceRef]) -> Result<Vec<Device>, Failure> {
    let mut devices: Vec<Device> = Vec::new();
    for reference in references {
        let device = cx.device(reference)?;
        if devices.iter().any(|other| other.device_id == device.device_id) {
            return Err(Failure::param("device_ids", format!("`{}` stands twice", device.device_id)));
        }
        devices.push(device);
    }
    let first = devices[0].settings.environment;
    if let Some(other) = devices.iter().find(|device| device.settings.environment != first) {
        return Err(Failure::param(
            "device_ids",
            format!("a plan is about one environment; `{}` is not of {}", other.device_id, first.as_str()),
        ));
    }
    Ok(devices)
}
