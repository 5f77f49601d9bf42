//! `/mcp`: bearer → principal → the protocol library's HTTP service → warp's reply.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService,
    session::{SessionManager as _, local::LocalSessionManager},
};
use tokio_util::sync::CancellationToken;
use warp::{Filter as _, filters::BoxedFilter, reply::Response};

use crate::{
    access::principal::Principal,
    failure::{Code, Failure},
    http::{
        Doors,
        guard::{self, Caller},
        reply,
    },
    mcp::{Handler, PrincipalSource},
};

/// A session that is silent for this long is over.
const SESSION_KEPT: Duration = Duration::from_secs(30 * 60);
/// The largest request.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Says which protocol a request speaks.
const VERSION_HEADER: &str = "mcp-protocol-version";
/// From this protocol version on there are no sessions.
const STATELESS_SINCE: &str = "2026-07-28";
/// Names a session in requests and answers.
const SESSION_HEADER: &str = "mcp-session-id";

/// Which principal a session belongs to: the protocol library does not bind them.
#[derive(Default)]
struct Sessions(Mutex<BTreeMap<String, String>>);

impl Sessions {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Mcp {
    service: StreamableHttpService<Handler, LocalSessionManager>,
    manager: Arc<LocalSessionManager>,
    sessions: Sessions,
    doors: Doors,
}

pub(super) fn route(doors: &Doors, shutdown: &CancellationToken) -> BoxedFilter<(Response,)> {
    let mut manager = LocalSessionManager::default();
    manager.session_config.keep_alive = Some(SESSION_KEPT);
    let manager = Arc::new(manager);
    // Host and Origin were checked for every route before this one; the library checks them once more.
    let mut config = StreamableHttpServerConfig::default()
        .with_cancellation_token(shutdown.child_token())
        .with_max_request_body_bytes(BODY_BYTES_MAX)
        .disable_allowed_hosts();
    config.allowed_origins = Vec::new();
    let (corridor, conformance) = (doors.corridor.clone(), doors.conformance);
    let service = StreamableHttpService::new(
        move || Ok(Handler::new(corridor.clone(), PrincipalSource::Request, conformance)),
        Arc::clone(&manager),
        config,
    );
    let mcp = Arc::new(Mcp { service, manager, sessions: Sessions::default(), doors: doors.clone() });
    warp::path("mcp")
        .and(warp::path::end())
        .and(warp::any().map(move || Arc::clone(&mcp)))
        .and(warp::ext::get::<Caller>())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|mcp: Arc<Mcp>, caller: Caller, method: Method, headers: HeaderMap, body| async move {
            match caller {
                Ok(Some(principal)) => mcp.answer(principal, method, headers, body).await,
                _ => reply::unauthenticated(),
            }
        })
        .boxed()
}

impl Mcp {
    /// Answers. What may open a session goes on when its client leaves: else there would be a session that belongs to
    /// nobody and counts for nobody.
    async fn answer(
        self: Arc<Self>,
        principal: Principal,
        method: Method,
        headers: HeaderMap,
        body: impl Stream<Item = Result<impl warp::Buf + Send + 'static, warp::Error>> + Send + Sync + 'static,
    ) -> Response {
        if method != Method::POST || headers.contains_key(SESSION_HEADER) || is_stateless(&headers) {
            return self.serve(principal, method, headers, body).await;
        }
        let served = tokio::spawn(async move { self.serve(principal, method, headers, body).await });
        served.await.unwrap_or_else(|panic| {
            tracing::error!(%panic, "a message could not be served");
            reply::failure(&Failure::new(Code::Bug, "the message could not be served; this is our mistake"))
        })
    }

    async fn serve(
        &self,
        principal: Principal,
        method: Method,
        headers: HeaderMap,
        body: impl Stream<Item = Result<impl warp::Buf + Send + 'static, warp::Error>> + Send + Sync + 'static,
    ) -> Response {
        let who = principal.actor.name.clone();
        let named = headers.get(SESSION_HEADER).and_then(|id| id.to_str().ok()).map(str::to_owned);
        if let Some(id) = &named
            && self.sessions.lock().get(id).is_some_and(|owner| *owner != who)
        {
            // Another's session does not exist for this caller.
            return reply::json(
                StatusCode::NOT_FOUND,
                &serde_json::json!({
                    "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": "Session not found" }
                }),
            );
        }
        // Only `initialize` of the older protocol makes a session; later versions say which they speak.
        if named.is_none()
            && !is_stateless(&headers)
            && let Some(full) = self.full_for(&who, 0).await
        {
            return reply::failure(&full);
        }
        let within = tokio::time::Instant::now() + self.doors.options.body_timeout();
        let body = futures_util::stream::unfold(Box::pin(body), move |mut body| async move {
            match tokio::time::timeout_at(within, body.next()).await {
                Ok(part) => part.map(|part| (part.map_err(std::io::Error::other), body)),
                Err(_) => Some((Err(std::io::ErrorKind::TimedOut.into()), body)),
            }
        });
        let frames =
            body.map(|part| part.map(|mut buffer| Frame::data(buffer.copy_to_bytes(buffer.remaining()))));
        let mut request = Request::new(StreamBody::new(frames));
        *request.method_mut() = method.clone();
        *request.uri_mut() = http::Uri::from_static("/mcp");
        *request.headers_mut() = headers;
        request.extensions_mut().insert(principal.clone());
        let (head, body) = self.service.handle(request).await.into_parts();
        if let Some(id) = head.headers.get(SESSION_HEADER).and_then(|id| id.to_str().ok())
            && named.is_none()
        {
            self.sessions.lock().insert(id.to_owned(), who.clone());
            // The library makes a session before anybody could ask whether there is room.
            if let Some(full) = self.full_for(&who, 1).await {
                let _ = self.manager.close_session(&Arc::from(id)).await;
                self.sessions.lock().remove(id);
                return reply::failure(&full);
            }
        }
        if method == Method::DELETE
            && head.status.is_success()
            && let Some(id) = named
        {
            self.sessions.lock().remove(&id);
        }
        // What is still being sent ends with the token.
        let ended = guard::ended(self.doors.corridor.clone(), principal);
        let chunks = body
            .into_data_stream()
            .map(|chunk| chunk.map_err(|never| match never {}))
            .take_until(Box::pin(ended));
        let mut response =
            warp::reply::Reply::into_response(warp::reply::stream::<_, Bytes, std::io::Error>(chunks));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }

    /// Why this principal may have no session beyond those it has, `more` of which are the one in question.
    /// Sessions that ended by themselves are forgotten first.
    async fn full_for(&self, who: &str, more: usize) -> Option<Failure> {
        let live = self.manager.sessions.read().await;
        let mut sessions = self.sessions.lock();
        sessions.retain(|id, _| live.contains_key(id.as_str()));
        let max = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(more);
        let own = sessions.values().filter(|owner| *owner == who).count();
        let say = if own >= max(self.doors.options.max_sessions_per_principal) {
            "you have too many sessions open"
        } else if sessions.len() >= max(self.doors.options.max_sessions) {
            "too many sessions are open"
        } else {
            return None;
        };
        let failure =
            Failure::new(Code::Overloaded, say).hint("end a session with DELETE /mcp, or let one go idle");
        Some(failure.retry_after(Duration::from_secs(30)))
    }
}

fn is_stateless(headers: &HeaderMap) -> bool {
    let version = headers.get(VERSION_HEADER).and_then(|version| version.to_str().ok());
    version.is_some_and(|version| version >= STATELESS_SINCE)
}
