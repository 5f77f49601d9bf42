//! What happened, newest first, as far as the caller may see it.

use events::{
    event::{Envelope, Event, Keep},
    ids::{Moment, Seq},
    log::About,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
        let about = match (&params.device_id, &params.actor) {
            (Some(reference), _) => About::Device(cx.device(reference)?.device_id),
            (None, Some(actor)) => About::Actor(actor.0.clone()),
            (None, None) => About::Everything,
        };
        let (mut events, mut looked_at, mut bytes, mut more) = (Vec::new(), 0, 0, false);
        'looking: loop {
            let asked = about.clone();
            let fetched = cx.engine().read_log(move |log| log.newest(&asked, before, FETCH)).await?;
            let fetched = fetched.map_err(|error| {
                Failure::new(Code::StorageUnavailable, "the log cannot be read now").log(error)
            })?;
            let Some(last) = fetched.last() else { break };
            let (oldest, ended) = (last.seq, last.at);
            for envelope in fetched {
                if events.len() == limit || bytes > ANSWER_BYTES_MAX {
                    more = true;
                    break 'looking;
                }
                before = Some(envelope.seq);
                if wanted(&params, &envelope)
                    && cx.view(|views| cx.principal().sees_event(&views.state, &envelope))
                {
                    let shown = audit::show(&envelope);
                    bytes += shown.fact.to_string().len() + 200;
                    events.push(shown);
                }
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

fn wanted(params: &Params, envelope: &Envelope) -> bool {
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
        && params.kind.as_ref().is_none_or(|kind| envelope.event.kind() == kind.0)
        && params.tool.as_ref().is_none_or(|wanted| tool == Some(wanted.0.as_str()))
}
