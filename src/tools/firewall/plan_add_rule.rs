//! Plans a new filter rule.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::firewall_filter as change,
    failure::Failure,
    routeros::{compat::Endpoint, resources::firewall_filter::FilterRule},
    tools::{
        context::Cx,
        firewall::rule::{Action, Chain, Protocol, wish},
        listing::RecordId,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, WAY, propose},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// Where it filters.
    chain: Chain,
    /// What it does.
    action: Action,
    /// Source address, network or range.
    #[serde(default)]
    src_address: Text<0, 64>,
    /// Destination address, network or range.
    #[serde(default)]
    dst_address: Text<0, 64>,
    /// Protocol; ports need tcp or udp.
    #[serde(default)]
    protocol: Option<Protocol>,
    /// `443`, `8000-8100`, several with commas.
    #[serde(default)]
    dst_port: Text<0, 64>,
    /// Chain that `jump` goes to.
    #[serde(default)]
    jump_target: Text<0, 64>,
    #[serde(default)]
    comment: Text<0, 255>,
    /// Put before this rule (list_firewall_filter_rules gives ids); else last.
    #[serde(default)]
    place_before: Option<RecordId>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanAddFirewallRule;

impl Tool for PlanAddFirewallRule {
    const SPEC: Spec = Spec::plan(
        "plan_add_firewall_rule",
        "Plan a new filter rule",
        "Plans one new filter rule on each device, at the end of the table or before another rule. A person approves; apply_firewall_plan starts it.",
        &Topic::FIREWALL,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] =
        &[Endpoint::print::<FilterRule>(), WAY[0], WAY[1], change::ADD[0], change::ADD[1]];

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let devices = params.device_ids.clone();
        propose(cx, &devices, "add a filter rule", |cx, device| {
            let params = params.clone();
            async move {
                let router = cx.router(&device.device_id);
                let rows = router.rows::<FilterRule>(&[]).await?;
                let way = router.way(&device).await?;
                let comment = Some(params.comment.0.as_str()).filter(|comment| !comment.is_empty());
                let wish = wish(
                    Some(params.chain),
                    Some(params.action),
                    &params.jump_target.0,
                    &params.src_address.0,
                    &params.dst_address.0,
                    params.protocol,
                    &params.dst_port.0,
                    comment,
                );
                let before = params.place_before.as_ref().map(|id| id.0.as_str());
                Ok(change::add(&rows, &wish, before, &way)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
