//! One route of a router.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::route::Route},
    tools::{
        context::Cx,
        listing::{Origin, RecordId},
        params::DeviceRef,
        route::shown::Shown,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Its id or name.
    device_id: DeviceRef,
    /// From get_routing_summary.
    route_id: RecordId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    route: Shown,
    #[serde(flatten)]
    origin: Origin,
}

pub struct GetRoute;

impl Tool for GetRoute {
    const SPEC: Spec = Spec::read("get_route", "Route", "One IPv4 route of a router, by its id.");
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::record::<Route>()];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let found = router.record::<Route>(&params.route_id.0, "get_routing_summary shows the ids").await?;
        Ok(Answer { route: found.into(), origin: Origin::REST })
    }
}
