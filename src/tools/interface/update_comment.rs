//! Sets the comment of an interface.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes,
    failure::Failure,
    routeros::{compat::Endpoint, resources::interface::Interface, text::Untrusted},
    tools::{
        change::Outcome,
        context::Cx,
        listing::RecordId,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The router.
    device_id: DeviceRef,
    /// Which interface (list_interfaces gives ids).
    interface_id: RecordId,
    /// Empty takes it away.
    comment: Text<0, 255>,
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
    interface_id: Untrusted,
    name: Untrusted,
    old_comment: Untrusted,
    new_comment: String,
    #[serde(flatten)]
    outcome: Outcome,
}

pub struct InterfaceUpdateComment;

impl Tool for InterfaceUpdateComment {
    const SPEC: Spec = Spec::write(
        "interface_update_comment",
        "Comment an interface",
        "Sets an interface's comment at once where policy allows it, else returns a plan for a person to approve. No write when equal.",
    )
    .idempotent();
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::record::<Interface>(), changes::comment::ENDPOINT];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let row = router.row::<Interface>(&params.interface_id.0, "list_interfaces shows all").await?;
        let operation = changes::comment::set_comment(&row, &params.comment.0)?;
        let risk = changes::risk(true, device.settings.environment);
        let operations = Vec::from_iter(operation);
        let outcome =
            Outcome::of(cx, &device, "set the comment of an interface", risk, operations, params.dry_run)
                .await?;
        let shown = |name: &str| Untrusted::new(row.get(name).map_or("", String::as_str));
        Ok(Answer {
            interface_id: shown(".id"),
            name: shown("name"),
            old_comment: shown("comment"),
            new_comment: params.comment.0,
            outcome,
        })
    }

    fn say(answer: &Answer) -> String {
        answer.outcome.say()
    }
}
