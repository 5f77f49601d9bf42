//! Plans a new static route.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::route as change,
    failure::Failure,
    routeros::compat::Endpoint,
    tools::{
        context::Cx,
        params::{DeviceRef, Text},
        route::{
            around::{AROUND, Around},
            distance::Distance,
        },
        tool::{Spec, Targets, Tool, Topic},
        topic::{Devices, PlanAnswer, propose},
    },
};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The routers, all of one environment.
    device_ids: Devices,
    /// IPv4 network, such as 10.20.0.0/16.
    dst_address: Text<1, 64>,
    /// Address of the next router.
    #[serde(default)]
    gateway: Text<0, 64>,
    /// Default 1; the smaller wins.
    #[serde(default)]
    distance: Option<Distance>,
    #[serde(default)]
    comment: Text<0, 255>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanAddStaticRoute;

impl Tool for PlanAddStaticRoute {
    const SPEC: Spec = Spec::plan(
        "plan_add_static_route",
        "Plan a new static route",
        "Plans one new IPv4 route in table main on each device; never the default route. A person approves; apply_routing_plan starts it.",
        &Topic::ROUTING,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &[AROUND[0], AROUND[1], AROUND[2], change::ADD[0], change::ADD[1]];

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let given = |text: Text<0, 64>| Some(text.0).filter(|text| !text.is_empty());
        let wish = change::Wish {
            dst_address: Some(params.dst_address.0),
            gateway: given(params.gateway),
            distance: params.distance.map(|distance| distance.0),
            comment: Some(params.comment.0).filter(|comment| !comment.is_empty()),
        };
        wish.check()?;
        let wanted: Vec<String> = wish.destination()?.into_iter().collect();
        propose(cx, &params.device_ids, "add a static route", |cx, device| {
            let (wish, wanted) = (wish.clone(), wanted.clone());
            async move {
                let around = Around::read(&cx.router(&device.device_id), &device, &wanted).await?;
                Ok(change::add(&wish, &around.paths())?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
