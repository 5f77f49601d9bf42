//! What the guards of our own way say about a reversal, on the router as it is now.

use std::collections::BTreeMap;

use events::operation::Operation;

use crate::{
    changes::{
        Refused,
        guard_route::Paths,
        way_back::{Known, Needs, keeps_our_way},
    },
    domain::device::Device,
    failure::Failure,
    routeros::{port::Row, resources::firewall_filter::FilterRule},
    tools::{bridge::reading::lan, context::Cx, dead_man::if_any, route::around::Around},
};

/// The first refusal of a guard; nothing when none refuses. `read` has the records of the operations' menus. What the
/// router refuses to tell keeps its guard silent: what is risky is done under a timed undo whatever the guards say.
///
/// # Errors
/// When the router cannot be read.
pub(super) async fn refusal(
    cx: &Cx,
    device: &Device,
    operations: &[Operation],
    read: &BTreeMap<String, Vec<Row>>,
) -> Result<Option<Refused>, Failure> {
    let Some(needs) = Needs::of(operations) else { return Ok(None) };
    let router = cx.router(&device.device_id);
    let Some(way) = if_any(router.way(device).await)? else { return Ok(None) };
    let filter = if needs.filter { if_any(router.rows::<FilterRule>(&[]).await)? } else { None };
    let around = match needs.routes {
        Some(wanted) => if_any(Around::read(&router, device, &wanted).await)?,
        None => None,
    };
    let lan = if needs.lan { if_any(lan(cx, device).await)? } else { None };
    let paths = around.as_ref().map(|around| {
        let (way, addresses, routes) = around.parts();
        Paths { way, addresses, routes }
    });
    let known = Known { way: &way, filter: filter.as_deref(), paths, lan: lan.as_ref() };
    Ok(keeps_our_way(operations, read, &known).err())
}
