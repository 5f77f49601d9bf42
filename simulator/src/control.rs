//! The fleet's remote control: JSON over plain HTTP on loopback, for tests that run the real binary.
//!
//! No part of a router; no authentication, hence loopback only.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::faults::{Fault, Injection};
use crate::fleet::Router;
use crate::rest::route::{decode, pairs};
use crate::vitals::Vitals;

const BODY_MAX: usize = 16 << 20; // a planted table of 100,000 rows
const ROWS_MAX: usize = 1_000_000; // far above any router, still in memory

type Answered = Result<Value, (StatusCode, String)>;

/// Serves until aborted.
pub async fn serve(listener: TcpListener, routers: Arc<Vec<Router>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let routers = Arc::clone(&routers);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&routers), request));
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(
    routers: Arc<Vec<Router>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or("").to_owned();
    let (status, value) = match act(&routers, &parts.method, &path, &query, &body).await {
        Ok(value) => (StatusCode::OK, value),
        Err((status, text)) => (status, json!({ "error": text })),
    };
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    Ok(response)
}

async fn act(routers: &[Router], method: &Method, path: &str, query: &str, body: &Value) -> Answered {
    let segments: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let words: Vec<&str> = segments.iter().map(String::as_str).collect();
    let missing = || (StatusCode::NOT_FOUND, "not found".to_owned());
    let (name, action) = match words.as_slice() {
        ["boxes"] if method == Method::GET => return Ok(routers.iter().map(describe).collect()),
        ["truth"] if method == Method::GET => {
            let menu = asked(query, "path").ok_or_else(|| wrong("path is missing"))?;
            return Ok(of_all(routers, |router| router.read(&menu).into_iter().map(Value::Object).collect()));
        }
        ["ways"] if method == Method::GET => return Ok(of_all(routers, way)),
        ["writes"] if method == Method::GET => return writes(routers, query),
        ["journals"] if method == Method::GET => return journals(routers, query),
        ["fault"] if method == Method::POST => {
            let injection = injection(body).ok_or_else(|| wrong("no such fault"))?;
            routers.iter().for_each(|router| router.inject(injection.clone()));
            return Ok(json!({}));
        }
        ["faults"] if method == Method::DELETE => {
            routers.iter().for_each(Router::clear_faults);
            return Ok(json!({}));
        }
        ["release"] if method == Method::POST => {
            routers.iter().for_each(Router::release);
            return Ok(json!({}));
        }
        ["boxes", name, action] => (*name, *action),
        _ => return Err(missing()),
    };
    let router = routers.iter().find(|router| router.name() == name).ok_or_else(missing)?;
    match (method.as_str(), action) {
        ("GET", "journal") => {
            serde_json::to_value(router.journal()).map_err(|error| wrong(&error.to_string()))
        }
        ("GET", "menu") => {
            let menu = asked(query, "path").ok_or_else(|| wrong("path is missing"))?;
            Ok(router.read(&menu).into_iter().map(Value::Object).collect())
        }
        ("POST", "fault") => {
            router.inject(injection(body).ok_or_else(|| wrong("no such fault"))?);
            Ok(json!({}))
        }
        ("POST", "cut") => {
            router.cut_link(body["ms"].as_u64().map(Duration::from_millis));
            Ok(way(router))
        }
        ("POST", "mend") => {
            router.mend_link();
            Ok(way(router))
        }
        ("POST", "vitals") => {
            let mut vitals = router.vitals();
            vitals
                .tamper(body.as_object().ok_or_else(|| wrong("an object is wanted"))?)
                .map_err(|text| wrong(&text))?;
            router.set_vitals(vitals).map_err(|text| wrong(&text))?;
            Ok(json!({}))
        }
        ("DELETE", "vitals") => {
            router.set_vitals(Vitals::default()).map_err(|text| wrong(&text))?;
            Ok(json!({}))
        }
        ("DELETE", "faults") => {
            router.clear_faults();
            Ok(json!({}))
        }
        ("POST", "release") => {
            router.release();
            Ok(json!({}))
        }
        ("POST", "reboot") => {
            router.reboot(Duration::from_millis(body["down_ms"].as_u64().unwrap_or(1_000))).await;
            Ok(json!({}))
        }
        ("POST", "behind-back") => {
            let menu = body["menu"].as_str().ok_or_else(|| wrong("menu is missing"))?;
            if body["remove"].as_bool() == Some(true) {
                let id = body["id"].as_str().ok_or_else(|| wrong("id is missing"))?;
                return Ok(json!({ "removed": router.remove_behind_back(menu, id) }));
            }
            let props = texts(&body["props"]);
            let props: Vec<(&str, &str)> = props.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            Ok(match router.change_behind_back(menu, body["id"].as_str(), &props) {
                Ok(()) => json!({}),
                Err(refused) => json!({ "refused": refused }),
            })
        }
        ("POST", "seed") => {
            let menu = body["menu"].as_str().ok_or_else(|| wrong("menu is missing"))?;
            let count = body["count"].as_u64().and_then(|count| usize::try_from(count).ok());
            let count =
                count.filter(|count| *count <= ROWS_MAX).ok_or_else(|| wrong("count is missing or huge"))?;
            let rows = router.seed(menu, count, &texts(&body["props"])).map_err(|text| wrong(&text))?;
            Ok(json!({ "rows": rows }))
        }
        ("GET", "way") => Ok(way(router)),
        ("POST", "restore") => {
            router.restore();
            Ok(way(router))
        }
        ("POST", "plant") => {
            let menu = body["menu"].as_str().ok_or_else(|| wrong("menu is missing"))?;
            let rows = body["rows"].as_array().ok_or_else(|| wrong("rows are missing"))?;
            let rows = rows.iter().map(texts).collect();
            let planted = router.plant(menu, rows).ok_or_else(|| wrong("no such menu with records"))?;
            Ok(json!({ "planted": planted }))
        }
        ("POST", "change-key") => {
            router.change_tls_key();
            Ok(describe(router))
        }
        _ => Err(missing()),
    }
}

/// What a caller needs to know to enrol a box.
pub fn describe(router: &Router) -> Value {
    let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    json!({
        "name": router.name(),
        "address": router.address().to_string(),
        "tls": router.tls(),
        "spki_sha256_hex": router.spki_sha256().map(hex),
        "version": router.profile().version(),
        "board": router.profile().board(),
        "environment": router.environment(),
        "management": router.management().to_string(),
    })
}

/// Whether the managing client still gets in: a new connection, a standing one.
fn way(router: &Router) -> Value {
    let (connects, stands) = router.reachable();
    json!({
        "management": router.management().to_string(),
        "connects": connects,
        "stands": stands,
        "cut": router.link_is_dead(),
    })
}

/// The same question to every box, by name.
fn of_all(routers: &[Router], ask: impl Fn(&Router) -> Value) -> Value {
    Value::Object(routers.iter().map(|router| (router.name().to_owned(), ask(router))).collect())
}

/// Every request that changed a box, over the whole fleet in the order of arrival.
fn writes(routers: &[Router], query: &str) -> Answered {
    let since = since(query)?;
    let mut all: Vec<(u64, Value)> = Vec::new();
    for router in routers {
        for entry in router.changes_since(since) {
            let mut told = serde_json::to_value(&entry).map_err(|error| wrong(&error.to_string()))?;
            told["box"] = json!(router.name());
            all.push((entry.order, told));
        }
    }
    all.sort_unstable_by_key(|(order, _)| *order);
    Ok(all.into_iter().map(|(_, told)| told).collect())
}

/// The journal of every box from a place on, by name.
fn journals(routers: &[Router], query: &str) -> Answered {
    let since = since(query)?;
    let entries = |router: &Router| {
        let later = router.journal().into_iter().filter(|entry| entry.order > since);
        later.map(|entry| serde_json::to_value(entry).unwrap_or(Value::Null)).collect()
    };
    Ok(of_all(routers, entries))
}

fn since(query: &str) -> Result<u64, (StatusCode, String)> {
    match asked(query, "since") {
        Some(text) => text.parse().map_err(|_| wrong("since is no number")),
        None => Ok(0),
    }
}

fn wrong(text: &str) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, text.to_owned())
}

/// A parameter of the query.
fn asked(query: &str, name: &str) -> Option<String> {
    pairs(query).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// `{"fault": NAME, …, "method"?, "path_prefix"?, "after"?, "times"?}`.
fn injection(body: &Value) -> Option<Injection> {
    let ms = || Some(Duration::from_millis(body["ms"].as_u64()?));
    let fault = match body["fault"].as_str()? {
        "latency" => Fault::Latency(ms()?),
        "stall" => Fault::Stall,
        "hold" => Fault::Hold,
        "reset_connection" => Fault::ResetConnection,
        "status" => Fault::Status(
            u16::try_from(body["status"].as_u64()?).ok().filter(|status| (200..600).contains(status))?,
            body["body"].as_str().unwrap_or("").to_owned(),
        ),
        "html" => Fault::Html,
        "half_json" => Fault::HalfJson,
        "empty_answer" => Fault::EmptyAnswer,
        "drop_answer_after_apply" => Fault::DropAnswerAfterApply,
        "drop_before_apply" => Fault::DropBeforeApply,
        "refuse_by_policy" => Fault::RefuseByPolicy,
        "refuse_writes" => {
            Fault::RefuseWrites(body["detail"].as_str().unwrap_or("failure: refused").to_owned())
        }
        "yes_without_change" => Fault::YesWithoutChange,
        "no_with_change" => {
            Fault::NoWithChange(body["detail"].as_str().unwrap_or("failure: not done").to_owned())
        }
        "forget_write" => Fault::ForgetWrite,
        "wrong_data_after_boot" => Fault::WrongDataAfterBoot,
        "slow_bytes" => Fault::SlowBytes(ms()?),
        "link_dies" => Fault::LinkDies {
            before: body["before"].as_bool().unwrap_or(false),
            heals_after: body["heals_after_ms"].as_u64().map(Duration::from_millis),
        },
        "reboot" => Fault::Reboot(Duration::from_millis(body["down_ms"].as_u64().unwrap_or(1_000))),
        "degrade" => {
            let mut vitals = Vitals::default();
            vitals.tamper(body["vitals"].as_object()?).ok()?;
            Fault::Degrade(vitals)
        }
        "change_behind_back_before_read" => Fault::ChangeBehindBackBeforeRead {
            menu: body["menu"].as_str()?.to_owned(),
            props: texts(&body["props"]),
        },
        _ => return None,
    };
    Some(Injection {
        fault,
        method: body["method"].as_str().map(str::to_owned),
        path_prefix: body["path_prefix"].as_str().map(str::to_owned),
        after: body["after"].as_u64().and_then(|after| u32::try_from(after).ok()).unwrap_or(0),
        times: body["times"].as_u64().and_then(|times| u32::try_from(times).ok()),
    })
}

fn texts(value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value.as_object().map(|map| map.iter().map(|(k, v)| (k.clone(), text(v))).collect()).unwrap_or_default()
}
