//! Plans the removal of a static route.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    changes::route as change,
    failure::Failure,
    routeros::{compat::Endpoint, resources::route::Route},
    tools::{
        context::Cx,
        listing::RecordId,
        params::DeviceRef,
        route::around::{AROUND, Around},
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
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        self.device_ids.0.clone()
    }
}

pub struct PlanRemoveStaticRoute;

impl Tool for PlanRemoveStaticRoute {
    const SPEC: Spec = Spec::plan(
        "plan_remove_static_route",
        "Plan the removal of a static route",
        "Plans the removal of one static IPv4 route on each device, never the default route; the undo puts it back as it was. A person approves; apply_routing_plan starts it.",
        &Topic::ROUTING,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] =
        &[Endpoint::record::<Route>(), AROUND[0], AROUND[1], AROUND[2], change::REMOVE[0], change::REMOVE[1]];

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let id = params.route_id.0;
        propose(cx, &params.device_ids, "remove a static route", |cx, device| {
            let id = id.clone();
            async move {
                let router = cx.router(&device.device_id);
                let around = Around::of_route(&router, &device, &id, None).await?;
                Ok(change::remove(&id, &around.paths())?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
