//! Who made an object of a router what it is: which plan, person, agent, approver and job, newest first.
//!
//! It answers from the ledger: what was changed by hand on the router is not in it.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    event::Event,
    ids::{CallId, DeviceId, JobId, Moment, PlanId, Seq, StepId},
    job::StepStatus,
    log::{About, LogReader, ReadError},
    operation::{Action, FOUND, Operation, Wanted, Which},
    plan::ApprovedBy,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::diff_lines,
    domain::{
        State,
        job::{StepState, operation_of, part_of},
        plan::PlanState,
    },
    failure::{Code, Failure},
    routeros::text::clean,
    tools::{
        context::Cx,
        listing::is_record_id,
        page,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

/// Events of one job that are looked through for the moment of a change.
const OF_A_JOB_MAX: usize = 10_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    device_id: DeviceRef,
    /// Such as `/ip/dns`.
    path: Text<1, 128>,
    /// Record (`*3`); none: the whole menu.
    id: Option<Text<1, 16>>,
    /// Or what it says or said: `comment=uplink`.
    r#match: Option<Text<1, 512>>,
    /// 1–500, default 50.
    limit: Option<u32>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

/// One change of the object.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change {
    /// When it was read back.
    at: Moment,
    /// Place of that fact in the log.
    seq: Option<Seq>,
    /// Of its step: `applied`, `undone` by its own job, …
    status: StepStatus,
    /// Before → after, one line a property.
    lines: Vec<String>,
    /// Ids that the record had then.
    record_ids: Vec<String>,
    plan_id: PlanId,
    tool_name: String,
    /// Empty, like all that follows of the plan, where it is also about devices that the caller does not see.
    summary: String,
    /// In the requester's words.
    reason: String,
    /// Who asked for it.
    requested_by: String,
    /// The program that asked, as it named itself.
    client: String,
    correlation_id: String,
    call_id: Option<CallId>,
    /// Persons, or the policy.
    approved_by: Vec<String>,
    /// The plans that it reversed.
    reverses: Vec<PlanId>,
    job_id: JobId,
    step_id: StepId,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    device_id: DeviceId,
    path: String,
    /// Newest first. Changes made by hand on the router are not known here.
    changes: Vec<Change>,
    total_count: usize,
    next_cursor: Option<String>,
}

pub struct ObjectHistory;

impl Tool for ObjectHistory {
    const SPEC: Spec = Spec::read(
        "object_history",
        "History of an object",
        "Which plans, people and agents changed a record or menu, newest first.",
    )
    .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let limit = page::limit(params.limit, 50, 500)?;
        let from = page::place(params.cursor.as_deref())?;
        let device_id = cx.device(&params.device_id)?.device_id;
        let path = menu_of(&params.path.0)?;
        let object = object_of(&params)?;
        let all = cx.view(|views| {
            let touches = touches(&views.state, &device_id, &path);
            let kept = of_object(&touches, &object);
            let seen = |touch: &Touch<'_>| cx.principal().sees_plan(&views.state, touch.plan);
            kept.into_iter().map(|touch| touch.shown(seen(touch))).collect::<Vec<_>>()
        });
        let mut page = page::cut(all, from, limit);
        dated(cx, &mut page.rows).await?;
        let (total_count, next_cursor) = (page.total, page.next_cursor);
        Ok(Answer { device_id, path, changes: page.rows, total_count, next_cursor })
    }

    fn say(answer: &Answer) -> String {
        match answer.total_count {
            0 => "nothing of it was changed here".to_owned(),
            n => format!("{n} changes, newest first"),
        }
    }
}

/// A menu's path in RouterOS's own spelling; words may be parted by blanks as on its console.
fn menu_of(text: &str) -> Result<String, Failure> {
    let words: Vec<&str> = text.split(['/', ' ']).filter(|word| !word.is_empty()).collect();
    let plain = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if words.is_empty() || !words.iter().all(plain) {
        return Err(Failure::param("path", "the path of a menu, such as /ip/firewall/filter"));
    }
    Ok(format!("/{}", words.join("/")))
}

/// What is asked about.
enum Object {
    Menu,
    Id(String),
    Property(Wanted),
}

fn object_of(params: &Params) -> Result<Object, Failure> {
    match (&params.id, &params.r#match) {
        (Some(_), Some(_)) => Err(Failure::param("match", "give the id or a property, not both")),
        (Some(id), None) if is_record_id(&id.0) => Ok(Object::Id(id.0.clone())),
        (Some(_), None) => Err(Failure::param("id", "a record's id, such as *3")),
        (None, Some(told)) => match told.0.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                let value = Some(value.to_owned()).filter(|value| !value.is_empty());
                Ok(Object::Property((name.to_owned(), value)))
            }
            _ => Err(Failure::param("match", "a property and its value, such as comment=uplink")),
        },
        (None, None) => Ok(Object::Menu),
    }
}

/// One step that changed something in the menu.
struct Touch<'a> {
    plan: &'a PlanState,
    job_id: JobId,
    started_at: Moment,
    step: &'a StepState,
    operation: &'a Operation,
    ids: BTreeSet<String>,
}

/// Every step that changed something in a menu of a device, newest first.
fn touches<'a>(state: &'a State, device_id: &DeviceId, path: &str) -> Vec<Touch<'a>> {
    let mut jobs: Vec<_> =
        state.plans.values().filter_map(|p| Some((p, state.jobs.get(&p.job_id?)?))).collect();
    jobs.sort_by_key(|(_, job)| std::cmp::Reverse((job.started_at, job.job_id)));
    let mut found = Vec::new();
    for (plan, job) in jobs {
        for step in job.steps.iter().rev().filter(|step| step.layout.device_id == *device_id) {
            let Some(operation) = operation_of(&plan.plan, &step.layout) else { continue };
            // What was never sent, or was refused, made nothing.
            let happened =
                !matches!(step.status, StepStatus::Waiting | StepStatus::NotApplied | StepStatus::Refused);
            let here = operation.expect_before.menu == path || operation.action.menu() == path;
            if !happened || !here {
                continue;
            }
            let mut ids = ids_of(operation);
            ids.extend(step.observed.iter().filter(|(n, _)| n == ".id").filter_map(|(_, v)| v.clone()));
            // A record that is put back has another id than the one that the reversed plan knew it by.
            for reversed in plan.plan.undoes.iter().filter_map(|id| state.plans.get(id)) {
                let originals = part_of(&reversed.plan, device_id).map(|part| &part.operations);
                let mirrored =
                    originals.into_iter().flatten().filter(|original| mirrors(operation, original));
                mirrored.for_each(|original| ids.extend(ids_of(original)));
            }
            let (job_id, started_at) = (job.job_id, job.started_at);
            found.push(Touch { plan, job_id, started_at, step, operation, ids });
        }
    }
    found
}

fn mirrors(operation: &Operation, original: &Operation) -> bool {
    operation.expect_before.menu == original.expect_before.menu
        && operation.expect_before.properties == original.expect_after.properties
        && operation.expect_after.properties == original.expect_before.properties
}

/// The ids that an operation names.
fn ids_of(operation: &Operation) -> BTreeSet<String> {
    let of_action = |action: &Action| match action {
        Action::Set { id, .. } | Action::Remove { id, .. } => Some(id.clone()),
        Action::Command { properties, .. } => {
            properties.iter().find(|(name, _)| name == "numbers").map(|(_, id)| id.clone())
        }
        Action::SetSingleton { .. } | Action::Add { .. } => None,
    };
    let which = match &operation.expect_before.which {
        Which::Id(id) => Some(id.clone()),
        Which::Menu | Which::Find { .. } => None,
    };
    let named = std::iter::once(&operation.action).chain(&operation.undo).filter_map(of_action);
    named.chain(which).filter(|id| id != FOUND).collect()
}

/// The changes of one object, in the given order. Records that are known by one id and then by another are one object.
fn of_object<'a, 'b>(touches: &'b [Touch<'a>], object: &Object) -> Vec<&'b Touch<'a>> {
    let says = |touch: &Touch<'_>, wanted: &Wanted| {
        let operation = touch.operation;
        [&operation.expect_before, &operation.expect_after].iter().any(|e| e.properties.contains(wanted))
    };
    let mut ids: BTreeSet<&str> = match object {
        Object::Menu => return touches.iter().collect(),
        Object::Id(id) => std::iter::once(id.as_str()).collect(),
        Object::Property(wanted) => {
            let told = touches.iter().filter(|touch| says(touch, wanted));
            told.flat_map(|touch| touch.ids.iter().map(String::as_str)).collect()
        }
    };
    let meant =
        |touch: &Touch<'_>, ids: &BTreeSet<&str>| touch.ids.iter().any(|id| ids.contains(id.as_str()));
    loop {
        let more = touches.iter().filter(|touch| meant(touch, &ids));
        let more: BTreeSet<&str> = more.flat_map(|touch| touch.ids.iter().map(String::as_str)).collect();
        let known = ids.len();
        ids.extend(more);
        if ids.len() == known {
            break;
        }
    }
    let by_word = |touch: &Touch<'_>| matches!(object, Object::Property(wanted) if says(touch, wanted));
    touches.iter().filter(|touch| meant(touch, &ids) || by_word(touch)).collect()
}

impl Touch<'_> {
    /// Of a plan that is also about devices out of the caller's sight, only what became of this device.
    fn shown(&self, seen: bool) -> Change {
        let plan = self.plan;
        let told = |text: &str| if seen { text.to_owned() } else { String::new() };
        let named = |by: &ApprovedBy| match by {
            ApprovedBy::Person(actor) => format!("{} ({})", actor.label, actor.name),
            ApprovedBy::Policy(name) => format!("policy {name}"),
        };
        Change {
            at: self.started_at,
            seq: None,
            status: self.step.status,
            lines: diff_lines(self.operation),
            record_ids: self.ids.iter().map(|id| clean(id)).collect(),
            plan_id: plan.plan.plan_id,
            tool_name: plan.plan.tool.clone(),
            summary: told(&plan.plan.summary),
            reason: told(&plan.plan.reason),
            requested_by: told(&format!("{} ({})", plan.by.label, plan.by.name)),
            client: told(&plan.origin.client),
            correlation_id: told(&plan.origin.correlation_id),
            call_id: plan.origin.call_id.filter(|_| seen),
            approved_by: plan.approvals.iter().filter(|_| seen).map(|approval| named(&approval.by)).collect(),
            reverses: plan.plan.undoes.iter().filter(|_| seen).copied().collect(),
            job_id: self.job_id,
            step_id: self.step.layout.step_id,
        }
    }
}

/// Looks up when each change was read back.
async fn dated(cx: &Cx, changes: &mut [Change]) -> Result<(), Failure> {
    let jobs: BTreeSet<JobId> = changes.iter().map(|change| change.job_id).collect();
    let read = move |log: &LogReader| {
        let mut settled: BTreeMap<StepId, (Moment, Seq)> = BTreeMap::new();
        for job_id in jobs {
            for envelope in log.newest(&About::Job(job_id), None, OF_A_JOB_MAX)? {
                if let Event::StepSettled(settling) = &envelope.event {
                    settled.entry(settling.step_id).or_insert((envelope.at, envelope.seq));
                }
            }
        }
        Ok(settled)
    };
    let read: Result<BTreeMap<StepId, (Moment, Seq)>, ReadError> = cx.engine().read_log(read).await?;
    let settled = read
        .map_err(|error| Failure::new(Code::StorageUnavailable, "the log cannot be read now").log(error))?;
    for change in changes {
        if let Some((at, seq)) = settled.get(&change.step_id) {
            (change.at, change.seq) = (*at, Some(*seq));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn menus_are_written_as_on_the_console_or_as_paths() {
        for text in ["/ip/firewall/filter", "ip firewall filter", "/ip firewall filter/"] {
            assert_eq!(menu_of(text).unwrap(), "/ip/firewall/filter");
        }
        for text in ["/", " ", "/ip/*1", "/IP/dns", "/ip/dns;", "../etc"] {
            assert!(menu_of(text).is_err(), "{text}");
        }
    }
}
