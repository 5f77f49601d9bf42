//! `GET /api/events?after=SEQ`: the log's tail, then live. An event's id is its Seq; a listener never misses one.
//! `GET /api/events/page?after=SEQ&limit=N`: the same events as one answer.

use std::{collections::BTreeMap, time::Duration};

use events::{event::Keep, ids::Seq};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use warp::{Filter as _, filters::BoxedFilter, reply::Response, sse::Event};

use crate::{
    access::principal::Principal,
    failure::{Code, Failure},
    http::{
        Doors,
        guard::{self, Caller},
        reply,
    },
    projections::audit,
};

/// Events read from the log at a time.
const PAGE: usize = 256;
/// A page ends after so many bytes, at an event (TOOLS: decision 4).
const PAGE_BYTES_MAX: usize = 90_000;
/// Events looked at for one page.
const LOOKED_AT_MAX: usize = 20_000;
/// Events on their way to one listener.
const WAITING_MAX: usize = 64;
/// A sign of life when nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn route(doors: &Doors, shutdown: &CancellationToken) -> BoxedFilter<(Response,)> {
    let (doors, shutdown) = (doors.clone(), shutdown.clone());
    let of_page = doors.clone();
    let query = || warp::query::<BTreeMap<String, String>>().or(warp::any().map(BTreeMap::new)).unify();
    let live = warp::path!("api" / "events")
        .and(warp::get())
        .and(warp::any().map(move || (doors.clone(), shutdown.clone())))
        .and(warp::ext::get::<Caller>())
        .and(query())
        .and(warp::header::headers_cloned())
        .map(
            |(doors, shutdown): (Doors, _),
             caller: Caller,
             query: BTreeMap<String, String>,
             headers: HeaderMap| {
                let Ok(Some(principal)) = caller else { return reply::unauthenticated() };
                match begin(&doors, &query, &headers) {
                    Ok(after) => listen(doors, principal, after, shutdown),
                    Err(failure) => reply::failure(&failure),
                }
            },
        );
    let page = warp::path!("api" / "events" / "page")
        .and(warp::get())
        .and(warp::any().map(move || of_page.clone()))
        .and(warp::ext::get::<Caller>())
        .and(query())
        .then(|doors: Doors, caller: Caller, query: BTreeMap<String, String>| async move {
            let Ok(Some(principal)) = caller else { return reply::unauthenticated() };
            // It reads the log to its end at worst, so not on a thread that serves.
            let paged = tokio::task::spawn_blocking(move || page(&doors, &principal, &query)).await;
            match paged {
                Ok(Ok(page)) => reply::json(StatusCode::OK, &page),
                Ok(Err(failure)) => reply::failure(&failure),
                Err(error) => {
                    reply::failure(&Failure::new(Code::Bug, "the page could not be made").log(error))
                }
            }
        });
    live.or(page).unify().boxed()
}

fn whole_number(name: &str, text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::param(name, "a place in the log: a whole number"))
}

/// Where a listener goes on: after the last event it has, as its client says or it asks, else from now on.
fn begin(
    doors: &Doors,
    query: &BTreeMap<String, String>,
    headers: &HeaderMap,
) -> Result<Option<u64>, Failure> {
    let last = headers.get("last-event-id").map(|last| last.to_str().unwrap_or("?"));
    let (name, after) = match (last, query.get("after")) {
        (Some(last), _) => ("Last-Event-ID", whole_number("Last-Event-ID", last)?),
        (None, Some(after)) => ("after", whole_number("after", after)?),
        (None, None) => return Ok(None),
    };
    let head = doors.corridor.shared().engine.head().borrow().0;
    if after > head {
        return Err(Failure::param(name, format!("the log ends at {head}, got {after}")));
    }
    Ok(Some(after))
}

/// Events after a place, oldest first, as one answer.
fn page(doors: &Doors, principal: &Principal, query: &BTreeMap<String, String>) -> Result<Value, Failure> {
    if let Some(unknown) = query.keys().find(|key| !matches!(key.as_str(), "after" | "limit")) {
        let shown: String = unknown.chars().take(64).collect();
        return Err(Failure::param(&shown, "unknown; there are `after` and `limit`"));
    }
    let after = query.get("after").map_or(Ok(0), |after| whole_number("after", after))?;
    let limit = query.get("limit").map_or(Some(100), |limit| limit.parse().ok());
    let limit =
        limit.filter(|limit| (1..=1000).contains(limit)).ok_or_else(|| Failure::param("limit", "1–1000"))?;
    let engine = &doors.corridor.shared().engine;
    let head = engine.head().borrow().0;
    if after > head {
        return Err(Failure::param("after", format!("the log ends at {head}, got {after}")));
    }
    let (mut events, mut bytes, mut at, mut looked_at) = (Vec::new(), 0, after, 0);
    // A caller who sees little of a long log gets short pages, not a long wait.
    'pages: while at < head && looked_at < LOOKED_AT_MAX {
        let found = engine.log().page(Some(Keep::Ledger), Seq(at).next(), PAGE).map_err(|error| {
            Failure::new(Code::StorageUnavailable, "the log cannot be read now").log(error)
        })?;
        if found.is_empty() {
            at = head;
        }
        for envelope in found {
            if events.len() == limit || bytes > PAGE_BYTES_MAX {
                break 'pages;
            }
            (at, looked_at) = (envelope.seq.0, looked_at + 1);
            if engine.view(|views| principal.sees_event(&views.state, &envelope)) {
                let shown = audit::show(&envelope);
                bytes += shown.fact.to_string().len() + 200;
                events.push(shown);
            }
        }
    }
    Ok(json!({ "events": events, "next_after": at, "head": head, "more": at < head }))
}

fn listen(doors: Doors, principal: Principal, after: Option<u64>, shutdown: CancellationToken) -> Response {
    let (give, take) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        let why = tokio::select! {
            () = shutdown.cancelled() => "the appliance is stopping",
            why = guard::ended(doors.corridor.clone(), principal.clone()) => why,
            _ = follow(&doors, &principal, after, &give) => return,
        };
        // A listener that does not read loses this word as well; it is not waited for.
        let _ = give.try_send(Event::default().event("end").data(why));
    });
    let stream = tokio_stream::wrappers::ReceiverStream::new(take);
    let events = futures_util::StreamExt::map(stream, Ok::<Event, std::convert::Infallible>);
    let kept = warp::sse::keep_alive().interval(HEARTBEAT).stream(events);
    warp::reply::Reply::into_response(warp::sse::reply(kept))
}

/// Ends when the listener left.
async fn follow(
    doors: &Doors,
    principal: &Principal,
    after: Option<u64>,
    give: &mpsc::Sender<Event>,
) -> Result<(), Failure> {
    let engine = &doors.corridor.shared().engine;
    let mut head = engine.head();
    let mut from = Seq(after.unwrap_or_else(|| head.borrow().0)).next();
    loop {
        head.borrow_and_update();
        loop {
            let page = engine.read_log(move |log| log.page(Some(Keep::Ledger), from, PAGE)).await?;
            let page = page.map_err(|error| {
                Failure::new(Code::StorageUnavailable, "the log cannot be read now").log(error)
            })?;
            let Some(last) = page.last() else { break };
            from = last.seq.next();
            for envelope in page {
                if !engine.view(|views| principal.sees_event(&views.state, &envelope)) {
                    continue;
                }
                let shown = audit::show(&envelope);
                let event = Event::default().id(shown.seq.to_string()).event(shown.kind);
                let Ok(event) = event.json_data(&shown) else { continue };
                if give.send(event).await.is_err() {
                    return Ok(());
                }
            }
        }
        tokio::select! {
            changed = head.changed() => if changed.is_err() { return Ok(()) },
            () = give.closed() => return Ok(()),
        }
    }
}
