//! What the plan tools of all topics have in common: read each device, propose, weigh the risk, make one plan; and start
//! an approved one.

use std::{
    future::Future,
    sync::atomic::{AtomicU32, Ordering},
};

use events::{
    device::{DeviceStatus, Environment},
    ids::{DeviceId, JobId, Moment, PlanId},
    job::{JobStatus, StepStatus},
    plan::{DevicePart, Plan, RiskLevel, Rollout},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::{Proposal, ShownOperation, diff_lines, guard::Way, plan_risk},
    domain::{device::Device, job::bound_sha256},
    engine::mint,
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        port::{Ask, Row},
        resources::{Reading, ip_address::IpAddress, user_active::ActiveUser},
    },
    tools::{
        asking,
        context::{Cx, Router},
        listing::is_record_id,
        params::{DeviceRef, List, Text},
        tool::{Targets, Topic},
    },
};

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
        Ok(Way::of(settings.management_ip, settings.management_port, &active, &addresses))
    }
}

/// One device's part of a plan, as shown.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Planned {
    device_id: DeviceId,
    name: String,
    environment: Environment,
    risk_level: RiskLevel,
    /// 0–100.
    risk_score: u8,
    /// Why.
    reasons: Vec<String>,
    /// What differs, one line a property.
    changes: Vec<String>,
    /// Exactly what will be sent, and its undo.
    operations: Vec<ShownOperation>,
}

/// A plan that waits for a person.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanAnswer {
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
    device_count: usize,
    devices: Vec<Planned>,
    /// Devices that are so already.
    unchanged: Vec<DeviceId>,
    /// What happens next.
    next_step: String,
}

impl PlanAnswer {
    /// One line for people.
    pub(super) fn say(&self) -> String {
        match self.plan_id {
            None => "nothing to change".into(),
            Some(plan_id) => {
                format!("{plan_id} for {} devices waits for a person's approval", self.device_count)
            }
        }
    }
}

/// Reads each device, proposes its part, and makes one plan of them.
///
/// # Errors
/// The first device's refusal, with its id; `invalid_params` for devices of several environments or named twice.
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
    let devices = chosen(cx, references)?;
    let environment = devices[0].settings.environment;
    let total = f64::from(u32::try_from(devices.len()).unwrap_or(u32::MAX));
    let done = AtomicU32::new(0);
    let read = devices.into_iter().map(|device| {
        let (proposing, done) = (part(cx, device.clone()), &done);
        async move {
            let proposal = proposing.await.map_err(|failure| match failure.device_id {
                None => failure.device(&device.device_id),
                Some(_) => failure,
            })?;
            let n = done.fetch_add(1, Ordering::Relaxed) + 1;
            cx.progress(f64::from(n), Some(total), "read and planned");
            Ok::<_, Failure>((device, proposal))
        }
    });
    let proposals: Vec<(Device, Proposal)> =
        futures_util::stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    let (mut parts, mut shown, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
    for (device, proposal) in proposals {
        if proposal.operations.is_empty() {
            unchanged.push(device.device_id.clone());
            continue;
        }
        asking::declared_writes(cx.tool(), &proposal.operations)?;
        let warnings: Vec<String> = proposal.warnings.into_iter().chain(health_warning(&device)).collect();
        let risk = plan_risk(environment, &proposal.high, &warnings);
        shown.push(Planned {
            device_id: device.device_id.clone(),
            name: device.settings.name.clone(),
            environment,
            risk_level: risk.level,
            risk_score: risk.score,
            reasons: risk.reasons.clone(),
            changes: proposal.operations.iter().flat_map(diff_lines).collect(),
            operations: proposal.operations.iter().map(ShownOperation::from).collect(),
        });
        // One after the other: each device is a wave of its own.
        parts.push(vec![DevicePart {
            device_id: device.device_id.clone(),
            operations: proposal.operations,
            risk,
            bound_sha256: bound_sha256(&device),
            checks: Vec::new(),
            dead_man: None,
        }]);
    }
    if parts.is_empty() {
        return Ok(PlanAnswer {
            plan_id: None,
            plan_hash: None,
            approval_token: None,
            approval_expires_at: None,
            risk_level: None,
            device_count: 0,
            devices: shown,
            unchanged,
            next_step: "none: every device is so already".into(),
        });
    }
    let device_count = parts.len();
    let plan = Plan {
        plan_id: mint!(PlanId),
        tool: cx.tool().to_owned(),
        summary: format!("{summary} on {device_count} device{}", if device_count == 1 { "" } else { "s" }),
        environment,
        waves: parts,
        rollback_on_failure: true,
        rollout: Rollout::default(),
        undoes: Vec::new(),
        reason: String::new(),
    };
    let plan = cx.propose(plan).await?;
    Ok(PlanAnswer {
        plan_id: Some(plan.plan_id),
        plan_hash: Some(plan.plan_hash),
        approval_token: Some(plan.approval_token),
        approval_expires_at: Some(plan.approval_expires_at),
        risk_level: shown.iter().map(|device| device.risk_level).max(),
        device_count,
        devices: shown,
        unchanged,
        next_step: plan.next_step,
    })
}

/// The devices, once each, of one environment, none of them known to be unreachable.
fn chosen(cx: &Cx, references: &Devices) -> Result<Vec<Device>, Failure> {
    let mut devices: Vec<Device> = Vec::new();
    for reference in &references.0 {
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

/// What the last look at a device means for a change.
fn health_warning(device: &Device) -> Option<String> {
    (device.status == DeviceStatus::Degraded).then(|| "the device was degraded when last seen".to_owned())
}

/// Parameters of the tools that start an approved plan.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyParams {
    /// The plan.
    plan_id: PlanId,
    /// What the plan tool answered with.
    approval_token: Text<1, 128>,
}

impl Targets for ApplyParams {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
    fn plan(&self) -> Option<PlanId> {
        Some(self.plan_id)
    }
}

/// One device of an apply.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AppliedDevice {
    device_id: DeviceId,
    /// Of its last step.
    status: StepStatus,
    steps: usize,
}

/// What became of a plan.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApplyAnswer {
    plan_id: PlanId,
    job_id: JobId,
    /// `completed`, or `running` when it goes on after this call's time.
    status: JobStatus,
    devices: Vec<AppliedDevice>,
    /// What happens next.
    next_step: String,
}

impl ApplyAnswer {
    /// One line for people.
    pub(super) fn say(&self) -> String {
        match self.status {
            JobStatus::Completed => {
                format!("{} applied and read back on {} devices", self.plan_id, self.devices.len())
            }
            _ => format!("{} goes on; job_status tells where it stands", self.job_id),
        }
    }
}

/// Starts an approved plan of a topic and waits for its end.
///
/// # Errors
/// `invalid_params` for a plan of another topic, refusals of the rules, and how the job ended, if not well.
pub(super) async fn apply(cx: &Cx, topic: &Topic, params: &ApplyParams) -> Result<ApplyAnswer, Failure> {
    let plan_id = params.plan_id;
    let (tool, steps) = cx.view(|views| {
        let plan = crate::domain::plan::find(&views.state, plan_id)?;
        let steps = plan.plan.waves.iter().flatten().map(|part| part.operations.len()).sum();
        Ok::<_, Failure>((plan.plan.tool.clone(), steps))
    })?;
    let own = crate::tools::catalog::find(&tool).and_then(|def| def.spec.demand.topic);
    if own != Some(topic.name) {
        return Err(Failure::param("plan_id", format!("{plan_id} is not a {} plan", topic.name))
            .hint("plan_details tells which tool made it"));
    }
    let job_id = cx.start(plan_id, steps, Some(&params.approval_token.0)).await?;
    cx.progress(0.0, Some(1.0), "started");
    let settled = cx.settled(job_id).await?;
    if let Some(job) = &settled {
        cx.ended_well(job)?;
    }
    let job = settled
        .or_else(|| cx.view(|views| views.state.jobs.get(&job_id).cloned()))
        .ok_or_else(|| Failure::new(Code::Bug, "a started job is not there"))?;
    let mut devices: Vec<AppliedDevice> = Vec::new();
    for step in &job.steps {
        match devices.iter_mut().find(|device| device.device_id == step.layout.device_id) {
            Some(device) => (device.status, device.steps) = (step.status, device.steps + 1),
            None => devices.push(AppliedDevice {
                device_id: step.layout.device_id.clone(),
                status: step.status,
                steps: 1,
            }),
        }
    }
    let next_step = match job.status {
        JobStatus::Completed => "none".to_owned(),
        _ => format!("job_status {job_id} tells where it stands; nothing is sent twice"),
    };
    Ok(ApplyAnswer { plan_id, job_id, status: job.status, devices, next_step })
}

/// A tool that starts an approved plan of a topic.
macro_rules! apply_tool {
    ($(#[$doc:meta])* $name:ident, $tool:literal, $title:literal, $description:literal, $topic:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl $crate::tools::tool::Tool for $name {
            const SPEC: $crate::tools::tool::Spec =
                $crate::tools::tool::Spec::plan($tool, $title, $description, &$topic).timeout_s(300);
            type Params = $crate::tools::topic::ApplyParams;
            type Answer = $crate::tools::topic::ApplyAnswer;

            async fn run(
                cx: &$crate::tools::context::Cx,
                params: Self::Params,
            ) -> Result<Self::Answer, $crate::failure::Failure> {
                $crate::tools::topic::apply(cx, &$topic, &params).await
            }

            fn say(answer: &Self::Answer) -> String {
                answer.say()
            }
        }
    };
}
pub(super) use apply_tool;
