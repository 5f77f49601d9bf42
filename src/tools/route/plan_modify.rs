//! Plans a change of a static route.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::route as change,
    failure::Failure,
    routeros::{compat::Endpoint, resources::route::Route},
    tools::{
        context::Cx,
        listing::RecordId,
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
    /// Which route (get_routing_summary gives ids).
    route_id: RecordId,
    /// IPv4 network, such as 10.20.0.0/16.
    #[serde(default)]
    dst_address: Text<0, 64>,
    /// Address of the next router.
    #[serde(default)]
    gateway: Text<0, 64>,
    /// The smaller wins.
    #[serde(default)]
    distance: Option<Distance>,
    /// Empty takes the comment away.
    #[serde(default)]
    comment: Option<Text<0, 255>>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanModifyStaticRoute;

impl Tool for PlanModifyStaticRoute {
    const SPEC: Spec = Spec::plan(
        "plan_modify_static_route",
        "Plan a change of a static route",
        "Plans a change of one static IPv4 route on each device, at least one property; never the default route. What is not given stays. A person approves; apply_routing_plan starts it.",
        &Topic::ROUTING,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] =
        &[Endpoint::record::<Route>(), AROUND[0], AROUND[1], AROUND[2], change::MODIFY];

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let given = |text: Text<0, 64>| Some(text.0).filter(|text| !text.is_empty());
        let wish = change::Wish {
            dst_address: given(params.dst_address),
            gateway: given(params.gateway),
            distance: params.distance.map(|distance| distance.0),
            comment: params.comment.map(|comment| comment.0),
        };
        wish.check()?;
        let (id, other) = (params.route_id.0, wish.destination()?);
        propose(cx, &params.device_ids, "change a static route", |cx, device| {
            let (wish, id, other) = (wish.clone(), id.clone(), other.clone());
            async move {
                let router = cx.router(&device.device_id);
                let around = Around::of_route(&router, &device, &id, other).await?;
                Ok(change::modify(&id, &wish, &around.paths())?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
