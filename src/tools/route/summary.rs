//! How many routes a router has, and the routes themselves where they are few enough to read.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::route::Route, text::Untrusted},
    tools::{
        asking::RECORDS_MAX,
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    dst_address: Untrusted,
    /// Null for a blackhole.
    gateway: Option<Untrusted>,
    /// Null while disabled.
    distance: Option<u64>,
    active: bool,
    disabled: bool,
    comment: Untrusted,
}

/// Which routes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All of them.
    All,
    /// There are too many: static ones only.
    Static,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    total_routes: u64,
    static_routes: u64,
    connected_routes: u64,
    dynamic_routes: u64,
    /// `static` when the table is too large to read whole.
    listed: Which,
    routes: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct GetRoutingSummary;

impl Tool for GetRoutingSummary {
    const SPEC: Spec = Spec::read(
        "get_routing_summary",
        "Routing summary",
        "Counts of IPv4 routes by origin, and the routes; of a very large table only the static ones.",
    );
    type Params = DeviceList<100, 1000>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::count::<Route>(), Endpoint::print::<Route>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let total_routes = router.count::<Route>(None).await?;
        let static_routes = router.count::<Route>(Some("static=true")).await?;
        let connected_routes = router.count::<Route>(Some("connect=true")).await?;
        let dynamic_routes = router.count::<Route>(Some("dynamic=true")).await?;
        let (listed, filter) = match total_routes {
            0..=RECORDS_MAX => (Which::All, None),
            _ => (Which::Static, Some(("static", "true"))),
        };
        let all = router
            .counted::<Route>(filter, "get_route reads one of them by its id; else read them on the router")
            .await?;
        let (routes, end) = window.cut(all, |route| Listed {
            id: route.id,
            dst_address: route.dst_address,
            gateway: route.gateway,
            distance: route.distance,
            active: route.active,
            disabled: route.disabled,
            comment: route.comment,
        });
        Ok(Answer { total_routes, static_routes, connected_routes, dynamic_routes, listed, routes, end })
    }

    fn say(answer: &Answer) -> String {
        let which = if answer.listed == Which::Static { " (static only)" } else { "" };
        format!("{} routes; {} listed{which}", answer.total_routes, answer.routes.len())
    }
}
