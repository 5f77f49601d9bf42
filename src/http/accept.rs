//! The accept loop: time for headers, caps on connections, and a shutdown that lets requests finish.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};
use tokio_util::sync::CancellationToken;
use warp::{Filter as _, filters::BoxedFilter, reply::Response};

use crate::http::{
    Doors, api,
    guard::{self, Came},
    host::Host,
    mcp, ops, reply, stream,
    watch::{Held, Limits, Watch, Watched},
};

/// Requests that are being answered at shutdown get this long.
const DRAIN: Duration = Duration::from_secs(5);
/// Streams at once on one HTTP/2 connection.
const H2_STREAMS_MAX: u32 = 100;
/// Peers of HTTP/2 connections that went away without a word are noticed.
const H2_PING_EVERY: Duration = Duration::from_secs(30);
/// A peer that reads nothing of what waits for it is left.
const STALLED: Duration = Duration::from_secs(60);

/// Connections by address.
#[derive(Default)]
struct Counts(Mutex<(usize, BTreeMap<IpAddr, usize>)>);

/// One counted connection.
struct Counted(Arc<Counts>, Option<IpAddr>);

impl Counts {
    fn enter(self: &Arc<Self>, doors: &Doors, ip: Option<IpAddr>) -> Option<Counted> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let exempt = ip.is_none_or(|ip| ip.is_loopback() || doors.options.trusted_proxies.contains(&ip));
        let max = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        if counts.0 >= max(doors.options.max_connections) {
            return None;
        }
        if let Some(ip) = ip.filter(|_| !exempt)
            && counts.1.get(&ip).copied().unwrap_or(0) >= max(doors.options.max_connections_per_address)
        {
            return None;
        }
        counts.0 += 1;
        if let Some(ip) = ip {
            *counts.1.entry(ip).or_default() += 1;
        }
        Some(Counted(Arc::clone(self), ip))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.0 -= 1;
        if let Some(ip) = self.1
            && let Some(count) = counts.1.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                counts.1.remove(&ip);
            }
        }
    }
}

fn routes(doors: &Doors, shutdown: &CancellationToken) -> BoxedFilter<(Response,)> {
    mcp::route(doors, shutdown)
        .or(stream::route(doors, shutdown))
        .unify()
        .or(api::route(doors))
        .unify()
        .or(ops::route(doors))
        .unify()
        .or(warp::any().map(reply::not_found))
        .unify()
        .boxed()
}

/// Everything a connection needs.
#[derive(Clone)]
struct Serving {
    doors: Doors,
    routes: BoxedFilter<(Response,)>,
    shutdown: CancellationToken,
}

impl Serving {
    fn new(doors: Doors, shutdown: &CancellationToken) -> Self {
        let routes = routes(&doors, shutdown);
        Self { doors, routes, shutdown: shutdown.clone() }
    }

    async fn connection<S>(self, socket: S, came: Came, counted: Option<Counted>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = Builder::new(TokioExecutor::new());
        let limits = Limits {
            head: self.doors.options.header_timeout(),
            idle: self.doors.options.idle_timeout(),
            stalled: STALLED,
        };
        // The watch has the limits: the library's own would begin late, and count idle time as a slow head.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None::<Duration>);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(H2_STREAMS_MAX)
            .keep_alive_interval(Some(H2_PING_EVERY));
        let watch = Watch::new();
        let (doors, routes, seen) = (self.doors, warp::service(self.routes), watch.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let open = seen.request(request.version() == http::Version::HTTP_2);
            let answered = answer(doors.clone(), routes.clone(), came, request);
            async move {
                let (head, body) = answered.await?.into_parts();
                Ok::<_, Infallible>(http::Response::from_parts(head, Held::new(body, open)))
            }
        });
        let socket = TokioIo::new(Watched(socket, watch.clone()));
        let mut serving = std::pin::pin!(builder.serve_connection(socket, service));
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            why = watch.over(limits) => {
                tracing::debug!(why, "a connection was closed");
                Ok(())
            }
            () = self.shutdown.cancelled() => {
                serving.as_mut().graceful_shutdown();
                tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
        }
        drop(counted);
    }
}

async fn answer(
    doors: Doors,
    mut routes: impl tower_service::Service<Request<Incoming>, Response = Response, Error = Infallible>,
    came: Came,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let host = Host::of(request.headers(), request.uri());
    let base_url = || guard::base_url(&doors, host.as_ref());
    if let Err(failure) = guard::check(&doors, came, host.as_ref(), request.headers()) {
        return Ok(reply::secured(reply::failure(&failure), false, base_url));
    }
    let caller = guard::caller(&doors, came, request.headers(), request.uri().path());
    let shown = caller.is_err();
    request.extensions_mut().insert(caller);
    if let Some(host) = &host {
        request.extensions_mut().insert(host.clone());
    }
    routes.call(request).await.map(|response| reply::secured(response, shown, base_url))
}

pub(super) async fn tcp(doors: Doors, listener: TcpListener, shutdown: CancellationToken) {
    let counts = Arc::new(Counts::default());
    let (knocks, corridor) = (Arc::clone(&doors.knocks), doors.corridor.clone());
    let serving = Serving::new(doors, &shutdown);
    let mut open = tokio::task::JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let (socket, peer) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => { accept_failed(&error).await; continue; }
            },
        };
        let ip = peer.ip().to_canonical();
        // Over the cap: closed at once, before it can cost anything.
        let Some(counted) = counts.enter(&serving.doors, Some(ip)) else { continue };
        let _ = socket.set_nodelay(true);
        open.spawn(serving.clone().connection(socket, Came::Tcp(ip), Some(counted)));
    }
    close(open).await;
    knocks.flush(&corridor);
}

pub(super) async fn unix(doors: Doors, listener: UnixListener, shutdown: CancellationToken) {
    let counts = Arc::new(Counts::default());
    let (knocks, corridor) = (Arc::clone(&doors.knocks), doors.corridor.clone());
    let serving = Serving::new(doors, &shutdown);
    let mut open = tokio::task::JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let socket = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(error) => { accept_failed(&error).await; continue; }
            },
        };
        let Ok(peer) = socket.peer_cred() else { continue };
        let Some(counted) = counts.enter(&serving.doors, None) else { continue };
        open.spawn(serving.clone().connection(socket, Came::Local(peer.uid()), Some(counted)));
    }
    close(open).await;
    knocks.flush(&corridor);
}

/// Out of file descriptors and the like: a moment's rest rather than a busy loop.
async fn accept_failed(error: &std::io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Connections were told by the same token; they end with the request they are answering.
async fn close(mut open: tokio::task::JoinSet<()>) {
    while open.join_next().await.is_some() {}
}
