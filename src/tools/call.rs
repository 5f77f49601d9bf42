//! The only corridor: look up → admit → decode → run under a deadline → record → answer.
//!
//! Every door calls [`Corridor::call`]; no door has a rule in it, and no tool repeats one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use events::{
    call::{ToolCalled, ToolDenied},
    ids::{CallId, DeviceId, JobId, PlanId},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    access::principal::{Kind, Principal},
    domain::{self, Command, device::Device},
    engine::{clock, mint},
    failure::{Code, Failure},
    routeros::text::{clean, clean_answer, escaped},
    tools::{
        catalog,
        context::{Cx, ProgressSink, Shared},
        params::DeviceRef,
        tool::{Answered, Prepared, ToolDef},
    },
};

/// Parameters are recorded up to this many bytes of JSON.
const RECORDED_BYTES_MAX: usize = 4096;
/// Longest correlation id.
const CORRELATION_CHARS_MAX: usize = 64;
/// Words in a field's name that make its value a secret, whatever the tool says.
const SECRET_WORDS: [&str; 6] = ["password", "secret", "token", "passphrase", "private_key", "credential"];

/// A call as a door hands it over.
pub struct Call {
    /// Who calls.
    pub principal: Principal,
    /// The tool's name as given: aliases are fine.
    pub tool: String,
    /// Its parameters.
    pub params: Value,
    /// The program that calls, as it names itself; empty when it does not.
    pub client: String,
    /// Fires when the caller takes the call back.
    pub cancel: CancellationToken,
    /// Where news about the call goes.
    pub progress: Option<ProgressSink>,
}

/// The way to every tool.
#[derive(Clone)]
pub struct Corridor {
    shared: Arc<Shared>,
}

impl Corridor {
    /// The corridor of a house.
    #[must_use]
    pub const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// What tools share.
    #[must_use]
    pub const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The tools that this principal may use, in the catalogue's order.
    #[must_use]
    pub fn visible(&self, principal: &Principal) -> Vec<&'static ToolDef> {
        catalog::all().filter(|def| self.allows(principal, def).is_ok()).collect()
    }

    /// Whether this principal may use a tool at all, whatever the devices.
    ///
    /// # Errors
    /// `not_for_agents`, `role_required`, `read_only`.
    pub fn allows(&self, principal: &Principal, def: &ToolDef) -> Result<(), Failure> {
        principal.admit(&def.spec.demand, &[])?;
        // Agents see nothing that writes then; people may still keep our own records, and end a job.
        let agents_write = principal.is_agent() && def.spec.demand.kind == Kind::Write;
        if self.shared.policy.read_only && (def.spec.changes_routers || agents_write) {
            return Err(Failure::new(Code::ReadOnly, "this appliance runs with `read_only = true`")
                .hint("nothing is changed on any router until `tools.read_only` is false and the appliance is restarted"));
        }
        Ok(())
    }

    /// The principal with the environments that this appliance serves. Every look and call goes by it.
    #[must_use]
    pub fn narrowed(&self, mut principal: Principal) -> Principal {
        if let Some(only) = self.shared.policy.environment {
            principal.environments.retain(|environment| *environment == only);
        }
        principal
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// The failure that the caller sees; it is recorded as well.
    pub async fn call(&self, call: Call) -> Result<Answered, Failure> {
        let started = std::time::Instant::now();
        let call_id = mint!(CallId);
        let Call { principal, tool, params, client, cancel, progress } = call;
        let principal = self.narrowed(principal);
        let name = catalog::canonical(&tool);
        let (params, correlation_id) = match split_correlation(params) {
            Ok(split) => split,
            Err(failure) => {
                self.record_denial(call_id, &principal, &tool, Vec::new(), &failure, String::new());
                return Err(shown(failure));
            }
        };
        let admitted = self.admit(&principal, &name, params.clone());
        let (def, prepared, devices) = match admitted {
            Ok(admitted) => admitted,
            Err((failure, named)) => {
                self.record_denial(call_id, &principal, &name, named, &failure, correlation_id);
                return Err(shown(failure));
            }
        };
        events::crash::point("corridor.admitted");
        let spec = &def.spec;
        // A look at a plan is about the plan: it is not filed under each of its devices.
        let filed = |reference: &str| {
            spec.demand.kind == Kind::Write || prepared.targets.iter().any(|target| target.0 == reference)
        };
        let named: Vec<DeviceId> =
            devices.iter().filter(|(reference, _)| filed(reference)).map(|(_, id)| id.clone()).collect();
        let cx = Arc::new(Cx {
            shared: Arc::clone(&self.shared),
            principal: principal.clone(),
            call_id,
            tool: spec.name,
            devices,
            correlation_id: correlation_id.clone(),
            client: client_name(&client),
            shape: prepared.shape,
            ways: std::sync::Mutex::default(),
            progress,
            cancel: cancel.clone(),
            deadline: tokio::time::Instant::now() + spec.timeout,
        });
        let run = (prepared.run)(cx);
        let outcome = if spec.demand.kind == Kind::Write {
            // A change that has begun is finished and recorded although the caller leaves.
            let task = tokio::spawn(tokio::time::timeout(spec.timeout, run));
            match task.await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(too_late(spec.timeout)),
                Err(panic) => Err(Failure::new(Code::Bug, "the tool failed; this is our mistake").log(panic)),
            }
        } else {
            tokio::select! {
                outcome = tokio::time::timeout(spec.timeout, run) => outcome.unwrap_or_else(|_| Err(too_late(spec.timeout))),
                () = cancel.cancelled() => Err(Failure::new(Code::Cancelled, "the call was taken back")),
            }
        };
        let outcome = outcome.map_err(|failure| {
            let failure = shown(failure);
            log_failure(spec.name, &failure);
            failure
        });
        let called = ToolCalled {
            call_id,
            by: principal.actor.clone(),
            tool: spec.name.to_owned(),
            devices: named,
            parameters: recorded(&params, spec.secrets),
            failure: outcome.as_ref().err().map(|failure| failure.code.as_str().to_owned()),
            duration_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            correlation_id,
        };
        let record = Command::RecordCall(called);
        if spec.demand.kind == Kind::Write {
            // What changed something is on disk before the caller hears of it.
            events::crash::point("corridor.before_record");
            if let Err(failure) = self.shared.engine.submit(principal.actor, record).await {
                log_failure(spec.name, &failure);
            }
            events::crash::point("corridor.after_record");
        } else {
            self.shared.engine.record(principal.actor, record);
        }
        outcome
    }

    #[expect(clippy::type_complexity, reason = "the refusal carries the devices it is recorded with")]
    fn admit(
        &self,
        principal: &Principal,
        name: &str,
        params: Value,
    ) -> Result<(&'static ToolDef, Prepared, BTreeMap<String, DeviceId>), (Failure, Vec<DeviceId>)> {
        let none = Vec::new;
        let def = catalog::find(name).ok_or_else(|| (unknown(name), none()))?;
        let demand = &def.spec.demand;
        // What the caller may not use at all is refused before its parameters are looked at.
        self.allows(principal, def).map_err(|failure| (failure, none()))?;
        let prepared = (def.prepare)(params).map_err(|failure| (failure, none()))?;
        let mut devices = BTreeMap::new();
        let mut found: Vec<Device> = Vec::new();
        let planned = match (prepared.plan, prepared.job) {
            (Some(plan_id), _) => self.devices_of(principal, plan_id, demand.kind),
            (None, Some(job_id)) => self.devices_of_job(principal, job_id, demand.kind),
            (None, None) => Ok(Vec::new()),
        };
        let planned = planned.map_err(|failure| (failure, none()))?;
        for target in prepared.targets.iter().chain(&planned) {
            let device = self.shared.engine.view(|views| views.state.find_device(&target.0).cloned());
            // One outside the scopes is not confirmed to exist.
            let device = device.filter(|device| principal.covers(device));
            let device = device.ok_or_else(|| (no_such_device(&target.0), none()))?;
            devices.insert(target.0.clone(), device.device_id.clone());
            found.push(device);
        }
        let named: Vec<DeviceId> = devices.values().cloned().collect();
        let refused = |failure| (failure, named.clone());
        if let Some(only) = self.shared.policy.environment
            && let Some(other) =
                found.iter().find(|device| device.settings.environment != only && principal.covers(device))
        {
            let failure = Failure::new(
                Code::EnvironmentDenied,
                format!("this appliance serves only {} devices", only.as_str()),
            );
            return Err(refused(failure.device(&other.device_id)));
        }
        principal.admit(demand, &found.iter().collect::<Vec<_>>()).map_err(refused)?;
        found
            .iter()
            .try_for_each(|device| self.shared.policy.admit_topic(demand, device))
            .map_err(refused)?;
        Ok((def, prepared, devices))
    }

    /// The devices of a job's plan.
    fn devices_of_job(
        &self,
        principal: &Principal,
        job_id: JobId,
        kind: Kind,
    ) -> Result<Vec<DeviceRef>, Failure> {
        let plan_id = self.shared.engine.view(|views| views.state.jobs.get(&job_id).map(|job| job.plan_id));
        // A job about devices outside the scopes is not confirmed to exist either.
        plan_id
            .and_then(|plan_id| self.devices_of(principal, plan_id, kind).ok())
            .ok_or_else(|| Failure::new(Code::UnknownJob, format!("there is no job `{job_id}`")))
    }

    /// The devices of a plan, so that what is done to it is admitted device by device like every call.
    /// What lies in an environment that the caller may not touch is not there for those who only look.
    fn devices_of(
        &self,
        principal: &Principal,
        plan_id: PlanId,
        kind: Kind,
    ) -> Result<Vec<DeviceRef>, Failure> {
        self.shared.engine.view(|views| {
            let plan = domain::plan::find(&views.state, plan_id)?;
            let parts = plan.plan.waves.iter().flatten();
            let seen = |device: &Device| match kind {
                Kind::Read => principal.sees(device),
                Kind::Write => principal.covers(device),
            };
            let hidden = |id| views.state.devices.get(id).is_some_and(|device| !seen(device));
            if parts.clone().any(|part| hidden(&part.device_id)) {
                // A plan about devices outside the scopes is not confirmed to exist.
                return Err(Failure::new(Code::UnknownPlan, format!("there is no plan `{plan_id}`")));
            }
            // What was removed since is no reason to hide a plan: the rules say what can still be done with it.
            let there = parts.filter(|part| views.state.devices.contains_key(&part.device_id));
            Ok(there.map(|part| DeviceRef(part.device_id.to_string())).collect())
        })
    }

    fn record_denial(
        &self,
        call_id: CallId,
        principal: &Principal,
        tool: &str,
        devices: Vec<DeviceId>,
        failure: &Failure,
        correlation_id: String,
    ) {
        let denied = ToolDenied {
            call_id,
            by: principal.actor.clone(),
            tool: tool.chars().take(64).filter(|c| !c.is_control()).collect(),
            devices,
            code: failure.code.as_str().to_owned(),
            correlation_id,
        };
        self.shared.engine.record(principal.actor.clone(), Command::RecordDenial(denied));
    }

    /// Now, for doors that need it (token expiry).
    #[must_use]
    pub fn now(&self) -> events::ids::Moment {
        clock::now()
    }
}

/// The same whether there is none, or the caller may not know of it.
fn no_such_device(reference: &str) -> Failure {
    let shown: String = reference.chars().take(64).filter(|c| !c.is_control()).collect();
    Failure::new(Code::UnknownDevice, format!("there is no device `{shown}`"))
        .hint("list_devices shows all")
        .details(serde_json::json!({ "field": "device_id", "device": shown }))
}

fn unknown(name: &str) -> Failure {
    let shown: String = name.chars().take(64).filter(|c| !c.is_control()).collect();
    Failure::new(Code::UnknownTool, format!("there is no tool `{shown}`"))
}

fn too_late(timeout: Duration) -> Failure {
    Failure::new(Code::DeadlineExceeded, format!("the call did not end within {} s", timeout.as_secs()))
        .hint("if it changed something, job_status tells where it stands")
}

/// A failure as it leaves: what hides in what it quotes of the caller can be seen, what a router said is cleaned.
fn shown(mut failure: Failure) -> Failure {
    for text in std::iter::once(&mut failure.say).chain(&mut failure.hint) {
        let legible = escaped(text);
        if legible != text.as_ref() {
            *text = legible.into();
        }
    }
    failure.details.iter_mut().for_each(clean_answer);
    failure
}

/// The whole chain goes to our log; never to the caller.
fn log_failure(tool: &str, failure: &Failure) {
    let mut chain = String::new();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        chain.push_str(&format!(": {error}"));
        cause = error.source();
    }
    tracing::info!(tool, code = %failure.code, device = ?failure.device_id, "{}{chain}", failure.say);
}

/// A program's name for itself: short, and harmless wherever it is shown.
fn client_name(client: &str) -> String {
    clean(client).chars().take(CORRELATION_CHARS_MAX).collect()
}

/// Takes the correlation id out of a call's parameters.
pub(super) fn split_correlation(params: Value) -> Result<(Value, String), Failure> {
    let mut object = match params {
        Value::Null => serde_json::Map::new(),
        Value::Object(object) => object,
        _ => return Err(Failure::new(Code::InvalidParams, "parameters are a JSON object")),
    };
    let correlation_id = match object.remove("correlation_id") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text))
            if text.chars().count() <= CORRELATION_CHARS_MAX && !text.contains(char::is_control) =>
        {
            text
        }
        Some(_) => {
            return Err(Failure::param(
                "correlation_id",
                format!("text of at most {CORRELATION_CHARS_MAX} characters"),
            ));
        }
    };
    Ok((Value::Object(object), correlation_id))
}

/// Parameters as recorded: secrets masked, cut.
fn recorded(params: &Value, secrets: &[&str]) -> String {
    let mut shown = params.clone();
    mask(&mut shown, secrets);
    let mut text = shown.to_string();
    if text.len() > RECORDED_BYTES_MAX {
        let cut = (0..=RECORDED_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}

fn mask(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                let lower = key.to_ascii_lowercase();
                let named =
                    secrets.contains(&key.as_str()) || SECRET_WORDS.iter().any(|word| lower.contains(word));
                if named && !value.is_null() && !value.is_boolean() {
                    *value = Value::String("***".into());
                } else {
                    mask(value, secrets);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_by_name_and_by_contract() {
        let params = serde_json::json!({ "device_id": "r1", "password": "hunter2", "deep": [{ "api_token": "x" }], "pin": "9" });
        let text = recorded(&params, &["pin"]);
        assert!(
            text.contains("r1")
                && !text.contains("hunter2")
                && !text.contains("\"x\"")
                && !text.contains("\"9\"")
        );
    }

    #[test]
    fn long_parameters_are_cut_on_a_character() {
        let text = recorded(&serde_json::json!({ "message": "ä".repeat(10_000) }), &[]);
        assert!(text.len() <= RECORDED_BYTES_MAX + '…'.len_utf8() && text.ends_with('…'));
    }

    #[test]
    fn a_correlation_id_is_taken_out_and_checked() {
        let (params, id) = split_correlation(serde_json::json!({ "a": 1, "correlation_id": "x" })).unwrap();
        assert_eq!((params, id.as_str()), (serde_json::json!({ "a": 1 }), "x"));
        assert!(split_correlation(serde_json::json!({ "correlation_id": 7 })).is_err());
        assert!(split_correlation(serde_json::json!([])).is_err());
    }
}
