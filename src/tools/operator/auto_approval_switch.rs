//! The kill switch of trusted workflows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    domain::Command,
    failure::Failure,
    tools::{
        context::Cx,
        operator::ADMIN,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// False: from now on no workflow approves, and what one approved does not start. True: allowed again.
    on: bool,
    /// Why.
    reason: Text<1, 512>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// How it stands now.
    on: bool,
    /// False when it stood so already.
    changed: bool,
}

pub struct AutoApprovalSwitch;

impl Tool for AutoApprovalSwitch {
    const SPEC: Spec = Spec::operator(
        "auto_approval_switch",
        "Stop or resume workflows",
        "Stops approval by trusted workflows, or allows it again.",
        Kind::Write,
        ADMIN,
    )
    .idempotent();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let on = params.on;
        let done = cx.submit(Command::SwitchAutoApproval { on, reason: params.reason.0 }).await?;
        Ok(Answer { on, changed: !done.envelopes.is_empty() })
    }

    fn say(answer: &Answer) -> String {
        let state = if answer.on { "allowed" } else { "stopped" };
        let already = if answer.changed { "" } else { " already" };
        format!("approval by trusted workflows is {state}{already}")
    }
}
