//! `GET /api/events?after=SEQ`: the log's tail, then live. An event's id is its Seq; a listener never misses one.

use std::{collections::BTreeMap, time::Duration};

use events::{event::Keep, ids::Seq};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use warp::{Filter as _, filters::BoxedFilter, reply::Response, sse::Event};

use crate::{
    access::principal::Principal,
    failure::{Code, Failure},
    http::{Doors, guard::Caller, reply},
    projections::audit,
};

/// Events read from the log at a time.
const PAGE: usize = 256;
/// Events on their way to one listener.
const WAITING_MAX: usize = 64;
/// A sign of life when nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn route(doors: &Doors, shutdown: &CancellationToken) -> BoxedFilter<(Response,)> {
    let (doors, shutdown) = (doors.clone(), shutdown.clone());
    warp::path!("api" / "events")
        .and(warp::get())
        .and(warp::any().map(move || (doors.clone(), shutdown.clone())))
        .and(warp::ext::get::<Caller>())
        .and(warp::query::<BTreeMap<String, String>>().or(warp::any().map(BTreeMap::new)).unify())
        .and(warp::header::optional::<u64>("last-event-id"))
        .map(|(doors, shutdown), caller: Caller, query: BTreeMap<String, String>, last: Option<u64>| {
            let Ok(Some(principal)) = caller else { return reply::unauthenticated() };
            let asked = query.get("after").map(|text| text.parse::<u64>());
            let after = match (last, asked) {
                (Some(last), _) | (None, Some(Ok(last))) => Some(last),
                (None, None) => None,
                (None, Some(Err(_))) => {
                    return reply::failure(&Failure::param("after", "a place in the log: a whole number"));
                }
            };
            listen(doors, principal, after, shutdown)
        })
        .boxed()
}

fn listen(doors: Doors, principal: Principal, after: Option<u64>, shutdown: CancellationToken) -> Response {
    let (give, take) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = follow(&doors, &principal, after, &give) => {}
        }
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
            let page = engine.log().page(Some(Keep::Ledger), from, PAGE).map_err(|error| {
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
