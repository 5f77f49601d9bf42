//! Plans the removal of a filter rule.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::firewall_filter as change,
    failure::Failure,
    routeros::{compat::Endpoint, resources::firewall_filter::FilterRule},
    tools::{
        context::Cx,
        listing::RecordId,
        params::DeviceRef,
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, WAY, propose},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// Which rule (list_firewall_filter_rules gives ids).
    rule_id: RecordId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanRemoveFirewallRule;

impl Tool for PlanRemoveFirewallRule {
    const SPEC: Spec = Spec::plan(
        "plan_remove_firewall_rule",
        "Plan the removal of a filter rule",
        "Plans the removal of one filter rule on each device; the undo puts it back as it was, where it was. A person approves; apply_firewall_plan starts it.",
        &Topic::FIREWALL,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] =
        &[Endpoint::print::<FilterRule>(), WAY[0], WAY[1], change::REMOVE[0], change::REMOVE[1]];

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let devices = params.device_ids.clone();
        propose(cx, &devices, "remove a filter rule", |cx, device| {
            let params = params.clone();
            async move {
                let router = cx.router(&device.device_id);
                let rows = router.rows::<FilterRule>(&[]).await?;
                let way = router.way(&device).await?;
                Ok(change::remove(&rows, &params.rule_id.0, &way)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
