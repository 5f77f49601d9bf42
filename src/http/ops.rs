//! For machines that watch: `/live`, `/ready`, `/metrics`, the resource's metadata, and a word at `/`.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::json;
use warp::{Filter as _, filters::BoxedFilter, reply::Response};

use crate::{
    engine::Storage,
    http::{
        Doors,
        guard::{self, Caller},
        host::Host,
        reply,
    },
};

pub(super) fn route(doors: &Doors) -> BoxedFilter<(Response,)> {
    let with = |doors: &Doors| {
        let doors = doors.clone();
        warp::any().map(move || doors.clone())
    };
    let live = warp::path!("live").map(|| reply::text("text/plain; charset=utf-8", "live\n".into()));
    let ready = warp::path!("ready").and(with(doors)).map(|doors: Doors| ready(&doors));
    let metrics = warp::path!("metrics").and(with(doors)).and(warp::ext::get::<Caller>()).map(
        |doors: Doors, caller: Caller| match caller {
            Ok(Some(_)) => reply::text("text/plain; version=0.0.4; charset=utf-8", metrics(&doors)),
            _ => reply::unauthenticated(),
        },
    );
    let metadata = warp::path!(".well-known" / "oauth-protected-resource")
        .or(warp::path!(".well-known" / "oauth-protected-resource" / "mcp"))
        .unify()
        .and(with(doors))
        .and(warp::ext::optional::<Host>())
        .map(|doors: Doors, host: Option<Host>| {
            let about = json!({
                "resource": format!("{}/mcp", guard::base_url(&doors, host.as_ref())),
                "authorization_servers": [], "bearer_methods_supported": ["header"],
                "resource_name": "appliance",
            });
            reply::json(StatusCode::OK, &about)
        });
    let word = warp::path::end().and(with(doors)).map(|doors: Doors| {
        let text = format!(
            "appliance {}: change control for MikroTik RouterOS fleets.\n\nMCP: /mcp   admin API: /api   health: /ready\n",
            doors.version
        );
        reply::text("text/plain; charset=utf-8", text)
    });
    warp::get().and(live.or(ready).unify().or(metrics).unify().or(metadata).unify().or(word).unify()).boxed()
}

fn ready(doors: &Doors) -> Response {
    let storage = doors.corridor.shared().engine.storage();
    let storage = storage.borrow();
    match &*storage {
        Storage::Ready => reply::json(StatusCode::OK, &json!({ "status": "ready" })),
        Storage::Unavailable { why, since } => reply::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({
                "status": "degraded", "why": "the store cannot be written; reads go on", "since": since, "cause": why,
            }),
        ),
        Storage::Stopped => reply::json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopping" })),
    }
}

/// Prometheus text. Labels come from our own words and device ids only.
fn metrics(doors: &Doors) -> String {
    let engine = &doors.corridor.shared().engine;
    let mut out = String::new();
    let head = |name: &str, kind: &str, help: &str| format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    let ready = u8::from(*engine.storage().borrow() == Storage::Ready);
    let place = engine.log().head();
    out.push_str(&head("appliance_build_info", "gauge", "The version that runs."));
    let _ = writeln!(out, "appliance_build_info{{version=\"{}\"}} 1", doors.version);
    out.push_str(&head("appliance_store_ready", "gauge", "1 while facts can be kept."));
    let _ = writeln!(out, "appliance_store_ready {ready}");
    out.push_str(&head("appliance_event_head", "gauge", "Newest place in the log."));
    let _ = writeln!(out, "appliance_event_head {}", place.seq);
    out.push_str(&head("appliance_ledger_leaves", "gauge", "Events in the Merkle tree."));
    let _ = writeln!(out, "appliance_ledger_leaves {}", place.leaves);
    engine.view(|views| {
        out.push_str(&head("appliance_events_total", "counter", "Events since start, by kind."));
        for (kind, count) in &views.counters.events {
            let _ = writeln!(out, "appliance_events_total{{kind=\"{kind}\"}} {count}");
        }
        out.push_str(&head(
            "appliance_tool_calls_total",
            "counter",
            "Calls since start, by tool and outcome.",
        ));
        for ((tool, outcome), count) in &views.counters.calls {
            let _ = writeln!(
                out,
                "appliance_tool_calls_total{{tool=\"{tool}\",outcome=\"{outcome}\"}} {}",
                count.count
            );
        }
        out.push_str(&head("appliance_tool_duration_seconds_sum", "counter", "Time in calls since start."));
        for ((tool, outcome), count) in &views.counters.calls {
            #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
            let seconds = count.micros as f64 / 1e6;
            let _ = writeln!(
                out,
                "appliance_tool_duration_seconds_sum{{tool=\"{tool}\",outcome=\"{outcome}\"}} {seconds}"
            );
        }
        out.push_str(&head("appliance_devices", "gauge", "Devices by status."));
        let mut by_status = std::collections::BTreeMap::<&str, usize>::new();
        for device in views.state.devices.values() {
            *by_status.entry(device.status.as_str()).or_default() += 1;
        }
        for (status, count) in by_status {
            let _ = writeln!(out, "appliance_devices{{status=\"{status}\"}} {count}");
        }
        out.push_str(&head("appliance_jobs_running", "gauge", "Jobs that are not over."));
        let open = views.state.jobs.values().filter(|job| !job.status.is_over()).count();
        let _ = writeln!(out, "appliance_jobs_running {open}");
    });
    out
}
