//! Sets a router's own name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes,
    failure::Failure,
    routeros::{compat::Endpoint, resources::identity::Identity, text::Untrusted},
    tools::{
        change::Outcome,
        context::Cx,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Its id or name.
    device_id: DeviceRef,
    /// The new name.
    identity: Text<1, 255>,
    /// Only show what would be done.
    #[serde(default)]
    dry_run: bool,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    old_identity: Untrusted,
    new_identity: String,
    #[serde(flatten)]
    outcome: Outcome,
}

pub struct SetSystemIdentity;

impl Tool for SetSystemIdentity {
    const SPEC: Spec = Spec::write(
        "set_system_identity",
        "Set system identity",
        "Sets a router's name at once where policy allows it, else returns a plan for a person to approve. No write when equal.",
    )
    .idempotent();
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<Identity>(), changes::identity::ENDPOINT];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let now = cx.router(&device.device_id).read::<Identity>().await?;
        let wanted = params.identity.0;
        let operation = changes::identity::set_name(&now, &wanted);
        let risk = changes::risk(true, device.settings.environment);
        let outcome = Outcome::of(
            cx,
            &device,
            "set the system identity",
            risk,
            Vec::from_iter(operation),
            params.dry_run,
        )
        .await?;
        Ok(Answer { old_identity: now.name, new_identity: wanted, outcome })
    }

    fn say(answer: &Answer) -> String {
        answer.outcome.say()
    }
}
