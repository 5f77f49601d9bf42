//! A route as tools show it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::routeros::{resources::route::Route, text::Untrusted};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    id: Untrusted,
    dst_address: Untrusted,
    /// Null for a blackhole.
    gateway: Option<Untrusted>,
    immediate_gateway: Option<Untrusted>,
    /// Null while disabled.
    distance: Option<u64>,
    scope: Option<u64>,
    target_scope: Option<u64>,
    routing_table: Option<Untrusted>,
    active: bool,
    dynamic: bool,
    r#static: bool,
    connected: bool,
    disabled: bool,
    blackhole: bool,
    comment: Untrusted,
}

impl From<Route> for Shown {
    fn from(it: Route) -> Self {
        Self {
            id: it.id,
            dst_address: it.dst_address,
            gateway: it.gateway,
            immediate_gateway: it.immediate_gateway,
            distance: it.distance,
            scope: it.scope,
            target_scope: it.target_scope,
            routing_table: it.routing_table,
            active: it.active,
            dynamic: it.dynamic,
            r#static: it.fixed,
            connected: it.connected,
            disabled: it.disabled,
            blackhole: it.blackhole,
            comment: it.comment,
        }
    }
}
