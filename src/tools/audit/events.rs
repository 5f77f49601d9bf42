//! What happened, newest first, as far as the caller may see it.

use events::{
    event::{Envelope, Event, Keep},
    ids::{DeviceId, Moment, PlanId, Seq},
    log::{About, LogReader, ReadError},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    failure::{Code, Failure},
    projections::audit::{self, Shown},
    tools::{
        context::Cx,
        page,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

/// Events looked at for one answer; beyond it the answer ends with a cursor.
const LOOKED_AT_MAX: usize = 20_000;
/// Events fetched at a time.
const FETCH: usize = 500;
/// The largest answer, in bytes of JSON.
const ANSWER_BYTES_MAX: usize = 90_000;
/// A fact that is longer is shown without its long lists.
const FACT_BYTES_MAX: usize = 16_000;
/// The longest list that a long fact keeps.
const LIST_BYTES_MAX: usize = 2_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Not before this moment (RFC 3339).
    from: Option<Moment>,
    /// Not after this moment (RFC 3339).
    to: Option<Moment>,
    /// Only by this principal (`token:tok_…`, `local:…`).
    actor: Option<Text<1, 128>>,
    /// Only about this device.
    device_id: Option<DeviceRef>,
    /// Only about this plan and its job.
    plan_id: Option<PlanId>,
    /// Only calls of this tool.
    tool: Option<Text<1, 64>>,
    /// Only this kind (`ToolCalled`, `PlanProposed`, …).
    kind: Option<Text<1, 64>>,
    /// 1–1000, default 100.
    limit: Option<u32>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_id.iter().cloned().collect()
    }
    fn plan(&self) -> Option<PlanId> {
        self.plan_id
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    events: Vec<Shown>,
    returned_count: usize,
    next_cursor: Option<String>,
}

pub struct AuditEvents;

impl Tool for AuditEvents {
    const SPEC: Spec = Spec::read(
        "audit_events",
        "Audit events",
        "What happened, newest first: calls, denials, plans, approvals, jobs, devices. Filter by time, actor, device, tool, kind.",
    )
    .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let limit = page::limit(params.limit, 100, 1000)?;
        let mut before = match page::place(params.cursor.as_deref())? {
            0 => None,
            seq => Some(Seq(seq as u64)),
        };
        let device = params.device_id.as_ref().map(|reference| cx.device(reference)).transpose()?;
        let device = device.map(|device| device.device_id);
        let abouts = match (&params.plan_id, &device, &params.actor) {
            (Some(plan_id), ..) => of_plan(cx, *plan_id)?,
            (None, Some(device_id), _) => vec![About::Device(device_id.clone())],
            (None, None, Some(actor)) => vec![About::Actor(actor.0.clone())],
            (None, None, None) => vec![About::Everything],
        };
        // Who sees every device of a plan sees what became of it.
        let all_seen = params.plan_id.is_some();
        let (mut events, mut looked_at, mut bytes, mut more) = (Vec::new(), 0, 0, false);
        'looking: loop {
            let fetched = newest(cx, abouts.clone(), before).await?;
            let Some(last) = fetched.last() else { break };
            let (oldest, ended) = (last.seq, last.at);
            for envelope in fetched {
                let shown = (wanted(&params, device.as_ref(), &envelope)
                    && (all_seen || cx.view(|views| cx.principal().sees_event(&views.state, &envelope))))
                .then(|| shortened(audit::show(&envelope)));
                if let Some(shown) = shown {
                    bytes += serde_json::to_string(&shown).map_or(0, |text| text.len() + 1);
                    if events.len() == limit || (bytes > ANSWER_BYTES_MAX && !events.is_empty()) {
                        more = true;
                        break 'looking;
                    }
                    events.push(shown);
                }
                before = Some(envelope.seq);
                looked_at += 1;
            }
            before = Some(oldest);
            if params.from.is_some_and(|from| ended < from) {
                break;
            }
            if looked_at >= LOOKED_AT_MAX {
                more = true;
                break;
            }
        }
        let next_cursor = before.filter(|_| more).map(|seq| format!("@{seq}"));
        Ok(Answer { returned_count: events.len(), events, next_cursor })
    }

    fn say(answer: &Answer) -> String {
        format!("{} events", answer.returned_count)
    }
}

/// The histories that a plan is in: its own and its job's.
fn of_plan(cx: &Cx, plan_id: PlanId) -> Result<Vec<About>, Failure> {
    let job_id = cx.view(|views| {
        let plan = views.state.plans.get(&plan_id);
        plan.filter(|plan| cx.principal().sees_plan(&views.state, plan)).map(|plan| plan.job_id)
    });
    let job_id =
        job_id.ok_or_else(|| Failure::new(Code::UnknownPlan, format!("there is no plan `{plan_id}`")))?;
    Ok(std::iter::once(About::Plan(plan_id)).chain(job_id.map(About::Job)).collect())
}

/// The newest events below `before` of some histories, newest first, each once.
async fn newest(cx: &Cx, abouts: Vec<About>, before: Option<Seq>) -> Result<Vec<Envelope>, Failure> {
    let read = move |log: &LogReader| {
        let mut found = Vec::new();
        for about in &abouts {
            found.extend(log.newest(about, before, FETCH)?);
        }
        found.sort_by_key(|envelope| std::cmp::Reverse(envelope.seq));
        found.dedup_by_key(|envelope| envelope.seq);
        // Below the last of these, one of the histories may have more.
        found.truncate(FETCH);
        Ok(found)
    };
    let read: Result<Vec<Envelope>, ReadError> = cx.engine().read_log(read).await?;
    read.map_err(|error| Failure::new(Code::StorageUnavailable, "the log cannot be read now").log(error))
}

/// A fact of reasonable length; of a long one, the long lists are left out and counted.
fn shortened(mut shown: Shown) -> Shown {
    if shown.fact.to_string().len() > FACT_BYTES_MAX {
        leave_out(&mut shown.fact);
    }
    shown
}

fn leave_out(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(leave_out),
        Value::Array(items) => {
            items.iter_mut().for_each(leave_out);
            if value.to_string().len() > LIST_BYTES_MAX {
                *value = json!({ "left_out": value.as_array().map_or(0, Vec::len) });
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn wanted(params: &Params, device: Option<&DeviceId>, envelope: &Envelope) -> bool {
    let tool = match &envelope.event {
        Event::ToolCalled(e) => Some(e.tool.as_str()),
        Event::ToolDenied(e) => Some(e.tool.as_str()),
        Event::PlanProposed(e) => Some(e.plan.tool.as_str()),
        _ => None,
    };
    envelope.event.keep() == Keep::Ledger
        && params.from.is_none_or(|from| envelope.at >= from)
        && params.to.is_none_or(|to| envelope.at <= to)
        && params.actor.as_ref().is_none_or(|actor| envelope.actor.name == actor.0)
        && device.is_none_or(|id| envelope.event.subjects().devices.contains(id))
        && params.kind.as_ref().is_none_or(|kind| envelope.event.kind() == kind.0)
        && params.tool.as_ref().is_none_or(|wanted| tool == Some(wanted.0.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_left_out_and_counted() {
        let mut fact =
            json!({ "plan": { "plan_id": "p", "waves": [vec!["x".repeat(1000); 50]] }, "by": ["a", "b"] });
        leave_out(&mut fact);
        assert_eq!(
            fact,
            json!({ "plan": { "plan_id": "p", "waves": [{ "left_out": 50 }] }, "by": ["a", "b"] })
        );
    }
}
