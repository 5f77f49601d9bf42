//! HTTP as a box speaks it: methods, statuses, bodies, and the faults on the way.
//!
//! What a path means is decided in `route`; this file only knows requests and replies.

pub(crate) mod operate;
pub(crate) mod route;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::answer::{Answer, Refusal};
use crate::faults::Fault;
use crate::listen::SEND_AGAIN_EVERY;
use crate::login;
use crate::router::Device;

const WALL: Duration = Duration::from_secs(60); // the router gives no request more

/// A request, read to its end.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path as sent, not decoded.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
    /// The client.
    pub from: SocketAddr,
}

/// How a reply leaves the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As usual.
    Normal,
    /// The connection is reset instead.
    Reset,
    /// Nothing ever comes.
    Never,
    /// Byte by byte, router time each.
    Slow(Duration),
}

/// What goes back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The body's type.
    pub content_type: &'static str,
    /// Where a new record is.
    pub location: Option<String>,
    /// How it leaves.
    pub manner: Manner,
    /// Its entry in the journal.
    pub order: u64,
}

impl Reply {
    fn new(status: u16, body: Vec<u8>) -> Self {
        Reply {
            status,
            body,
            content_type: "application/json",
            location: None,
            manner: Manner::Normal,
            order: 0,
        }
    }

    fn html(status: u16, text: &str) -> Self {
        let body = format!("<html><head><title>RouterOS</title></head><body>{text}</body></html>");
        Reply { content_type: "text/html", ..Reply::new(status, body.into_bytes()) }
    }

    fn refused(refusal: &Refusal) -> Self {
        Reply::new(refusal.status, refusal.body())
    }

    fn gone(manner: Manner) -> Self {
        Reply { manner, ..Reply::new(0, Vec::new()) }
    }
}

/// Answers one request and writes it down.
pub async fn answer(device: Arc<Device>, request: Request) -> Reply {
    let user = login::credentials(request.authorization.as_deref());
    let name = user.as_ref().map_or("", |(name, _)| name.as_str());
    let order = device.journal.arrived(name, &request.method, &request.path, &request.query, &request.body);
    let mut power = device.up.subscribe();
    let (mut reply, changed) = tokio::select! {
        biased;
        // Whatever was under way ends with the power.
        _ = power.wait_for(|up| !up) => (Reply::gone(Manner::Reset), false),
        done = meet_faults(&device, &request, user) => done,
    };
    reply.order = order;
    device.journal.finished(order, reply.status, changed);
    reply
}

async fn meet_faults(
    device: &Arc<Device>,
    request: &Request,
    user: Option<(String, String)>,
) -> (Reply, bool) {
    let mut gate = device.faults.gate();
    let fault = device.faults.meet(&request.method, &request.path);
    match &fault {
        // Ends early only with the box.
        Some(Fault::Hold) => drop(gate.changed().await),
        Some(Fault::Latency(time)) => device.clock.sleep(*time).await,
        Some(Fault::Stall) => return (Reply::gone(Manner::Never), false),
        Some(Fault::ResetConnection | Fault::DropBeforeApply) => return (Reply::gone(Manner::Reset), false),
        Some(Fault::Status(status, body)) => return (Reply::new(*status, body.clone().into_bytes()), false),
        Some(Fault::Html) => return (Reply::html(200, "RouterOS router configuration page"), false),
        Some(Fault::RefuseByPolicy) => return (Reply::refused(&Refusal::denied()), false),
        Some(Fault::RefuseWrites(text)) => return (Reply::refused(&Refusal::bad(text.clone())), false),
        Some(Fault::YesWithoutChange) => return (Reply::new(200, b"[]".to_vec()), false),
        Some(Fault::LinkDies { before: true, heals_after }) => {
            device.cut_link(*heals_after);
            while device.link_is_dead() {
                tokio::time::sleep(SEND_AGAIN_EVERY).await;
            }
        }
        Some(Fault::WrongDataAfterBoot) => return (wrong_menu(device), false),
        Some(Fault::ChangeBehindBackBeforeRead { menu, props }) => {
            let props: Vec<(&str, &str)> = props.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let at = props.iter().find(|(key, _)| *key == ".id").map(|(_, id)| *id);
            let rest: Vec<(&str, &str)> = props.into_iter().filter(|(key, _)| *key != ".id").collect();
            // A change that the box refuses has not happened.
            drop(device.change_behind_back(menu, at, &rest));
        }
        _ => {}
    }
    let before = matches!(fault, Some(Fault::ForgetWrite)).then(|| device.state().snapshot());
    let (mut reply, mut changed) = serve(device, request, user).await;
    match fault {
        Some(Fault::ForgetWrite) => {
            if let Some(before) = before {
                device.state().put_back(before);
            }
            changed = false;
        }
        Some(Fault::HalfJson) => {
            let half = reply.body.len() / 2;
            reply.body.truncate(half);
        }
        Some(Fault::EmptyAnswer) => reply.body.clear(),
        Some(Fault::NoWithChange(text)) => reply = Reply::refused(&Refusal::bad(text)),
        Some(Fault::LinkDies { before: false, heals_after }) => device.cut_link(heals_after),
        Some(Fault::Reboot(down_for)) => {
            device.reboots.send_replace(Some(down_for));
            reply.manner = Manner::Reset;
        }
        Some(Fault::Degrade(vitals)) => device.state().vitals.overlay(&vitals),
        Some(Fault::DropAnswerAfterApply) => reply.manner = Manner::Reset,
        Some(Fault::SlowBytes(each)) => reply.manner = Manner::Slow(each),
        _ => {}
    }
    (reply, changed)
}

async fn serve(device: &Arc<Device>, request: &Request, user: Option<(String, String)>) -> (Reply, bool) {
    match request.method.as_str() {
        "HEAD" => return (Reply::refused(&Refusal { status: 501, detail: None }), false),
        "OPTIONS" => return (Reply::refused(&Refusal { status: 503, detail: None }), false),
        "GET" if request.path == "/" => return (Reply::html(200, "RouterOS"), false),
        _ => {}
    }
    let Some(path) =
        request.path.strip_prefix("/rest").filter(|path| path.is_empty() || path.starts_with('/'))
    else {
        return (Reply::html(404, "Not Found"), false);
    };
    if switched_off(device) {
        return (Reply::html(403, "Forbidden"), false);
    }
    let Some((name, password)) = user else { return (unauthorised(), false) };
    if !login::known(&mut device.state(), &name, &password, request.from) {
        return (unauthorised(), false);
    }
    match in_turn(device, request, path, &name).await {
        Ok((answer, keep, changed)) => {
            let mut reply = Reply::new(answer.status(), answer.body(keep.as_deref()));
            if let Answer::Created(_, location) = answer {
                reply.location = Some(location);
            }
            (reply, changed)
        }
        Err(refusal) => (Reply::refused(&refusal), false),
    }
}

/// One request of a user at a time; nobody runs longer than the wall, and those who wait fall with it.
async fn in_turn(
    device: &Arc<Device>,
    request: &Request,
    path: &str,
    user: &str,
) -> Result<operate::Outcome, Refusal> {
    let lane = device.lane(user);
    let mut closed = lane.closed.subscribe();
    let guard = tokio::select! {
        biased;
        _ = closed.changed() => return Err(Refusal::session_closed()),
        guard = lane.queue.lock() => guard,
    };
    let actor = login::log_in(&mut device.state(), user, request.from, device.now())?;
    if device.dazed() {
        return daze(device);
    }
    let outcome = tokio::select! {
        outcome = operate::run(device, request, path, &actor) => outcome,
        () = device.clock.sleep(WALL) => {
            lane.closed.send_modify(|times| *times += 1);
            Err(Refusal::session_closed())
        }
    };
    drop(guard);
    outcome
}

/// The first seconds after a boot: an error now, another menu's rows then.
fn daze(device: &Arc<Device>) -> Result<operate::Outcome, Refusal> {
    if device.next_daze().is_multiple_of(2) {
        return Err(Refusal { status: 500, detail: Some("std failure: timeout (13)".to_owned()) });
    }
    Ok((Answer::Rows(device.state().table("/system/logging").rows.clone()), None, false))
}

fn wrong_menu(device: &Arc<Device>) -> Reply {
    let rows = device.state().table("/system/logging").rows.clone();
    Reply::new(200, Answer::Rows(rows).body(None))
}

fn unauthorised() -> Reply {
    Reply::refused(&Refusal { status: 401, detail: None })
}

/// From 7.21 REST can be turned off per protocol, and says so in HTML.
fn switched_off(device: &Arc<Device>) -> bool {
    let mut state = device.state();
    if state.catalogue.menu("/ip/service/webserver").is_none() {
        return false;
    }
    let key = if device.tls { "rest-secure" } else { "rest-plain" };
    state.table("/ip/service/webserver").rows.first().is_some_and(|row| row.get(key) == Some("false"))
}
