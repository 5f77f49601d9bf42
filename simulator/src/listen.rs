//! Sockets: accepting, TLS, HTTP framing, and the ways a connection can break.
//!
//! Knows nothing of menus; hands every request to `rest` and lets it run on even when the client is gone,
//! as a router does.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::commands;
use crate::reach::{Fate, Question};
use crate::rest::{self, Manner, Reply, Request};
use crate::router::Device;

const BODY_MAX: usize = 4 << 20; // a script or a file, never more
const BACKLOG: u32 = 128;
const REBIND_EVERY: Duration = Duration::from_millis(20);
pub(crate) const SEND_AGAIN_EVERY: Duration = Duration::from_millis(20); // real time; TCP is slower, tests are not

/// Listens on a loopback address; port 0 is any.
///
/// Ports are shared with our own sockets only, so that a box that is down can hold its port without listening.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if address.port() != 0 {
        // Another process on the same port would silently share it.
        let probe = TcpSocket::new_v4()?;
        probe.set_reuseaddr(true)?;
        probe.bind(address)?;
    }
    hold(address)?.listen(BACKLOG)
}

/// Takes a port without listening on it: who connects is refused.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves a box until the fleet ends.
pub async fn serve(device: Arc<Device>, mut listener: TcpListener) {
    let mut stopped = device.stopped.subscribe();
    let mut reboots = device.reboots.subscribe();
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => {
                if let Ok((stream, peer)) = accepted
                    && !device.service_off()
                {
                    tokio::spawn(connection(Arc::clone(&device), stream, peer));
                }
            }
            _ = reboots.changed() => {
                let Some(down_for) = *reboots.borrow_and_update() else { continue };
                let Ok(address) = listener.local_addr() else { return };
                let held = hold(address);
                drop(listener);
                device.power_off();
                tokio::select! {
                    _ = stopped.changed() => return,
                    () = tokio::time::sleep(down_for) => {}
                }
                listener = loop {
                    match hold(address).and_then(|socket| socket.listen(BACKLOG)) {
                        Ok(listener) => break listener,
                        Err(_) => tokio::time::sleep(REBIND_EVERY).await,
                    }
                };
                drop(held);
                device.power_on();
                commands::watch_schedule(&device);
            }
        }
    }
}

async fn connection(device: Arc<Device>, stream: TcpStream, peer: SocketAddr) {
    let mut epoch = device.epoch.subscribe();
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let peer = device.seen(peer);
    let reset = Arc::new(AtomicBool::new(false));
    let wire = Wire { stream, reset: Arc::clone(&reset) };
    let talk = async {
        if !passes(&device, peer, Question::Connect).await {
            reset.store(true, Ordering::SeqCst);
            return;
        }
        let _listed = Listed { id: device.connected(peer), device: &device };
        if device.tls {
            let Ok(identity) = device.identity() else { return };
            if let Ok(stream) = identity.acceptor.accept(wire).await {
                converse(&device, stream, peer, reset).await;
            }
        } else {
            converse(&device, wire, peer, reset).await;
        }
    };
    tokio::select! {
        () = talk => {}
        _ = epoch.changed() => {}
    }
}

/// A connection in the box's list, for as long as it lives.
struct Listed<'d> {
    id: u64,
    device: &'d Device,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.device.state().connections.remove(&self.id);
    }
}

/// Waits while the box's configuration keeps the client out, as TCP does by sending again; false if the client is
/// told that nobody is there.
async fn passes(device: &Device, client: SocketAddr, question: Question) -> bool {
    loop {
        match device.fate(client, question) {
            Fate::Open => return true,
            Fate::Refused => return false,
            Fate::Silent => tokio::time::sleep(SEND_AGAIN_EVERY).await,
        }
    }
}

async fn converse<S>(device: &Arc<Device>, stream: S, peer: SocketAddr, reset: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let device = Arc::clone(device);
        let reset = Arc::clone(&reset);
        async move { exchange(device, request, peer, &reset).await }
    });
    // How a connection ends is the client's affair.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

type Sent = hyper::Response<BoxBody<Bytes, Infallible>>;

async fn exchange(
    device: Arc<Device>,
    request: hyper::Request<Incoming>,
    from: SocketAddr,
    reset: &AtomicBool,
) -> Result<Sent, io::Error> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX).collect().await.map_err(io::Error::other)?.to_bytes();
    let header =
        |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        authorization: header(AUTHORIZATION),
        content_type: header(CONTENT_TYPE),
        body,
        from,
    };
    if !passes(&device, from, Question::Arrive).await {
        reset.store(true, Ordering::SeqCst);
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    // In a task of its own: the command goes on when the client gives up.
    let reply = tokio::spawn(rest::answer(Arc::clone(&device), request)).await.map_err(io::Error::other)?;
    // The very change that was asked for may keep the answer from getting back.
    passes(&device, from, Question::Return).await;
    match reply.manner {
        Manner::Never => std::future::pending().await,
        Manner::Reset => {
            reset.store(true, Ordering::SeqCst);
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Manner::Normal | Manner::Slow(_) => {
            device.journal.answered(reply.order);
            dress(reply, device.options.clock_scale).map_err(io::Error::other)
        }
    }
}

fn dress(reply: Reply, scale: f64) -> Result<Sent, hyper::http::Error> {
    let mut response = hyper::Response::builder().status(reply.status);
    if reply.status != 204 {
        response = response.header(CONTENT_TYPE, reply.content_type);
    }
    if reply.status == 401 {
        response = response.header(WWW_AUTHENTICATE, "Basic realm=\"RouterOS\"");
    }
    if let Some(location) = reply.location {
        response = response.header(LOCATION, location);
    }
    let data = Bytes::from(reply.body);
    response.body(match reply.manner {
        Manner::Slow(each) => {
            let pause = each.div_f64(scale);
            Dripping { data, pause, sleep: Box::pin(tokio::time::sleep(pause)) }.boxed()
        }
        _ => Full::new(data).boxed(),
    })
}

/// A body that comes byte by byte.
struct Dripping {
    data: Bytes,
    pause: Duration,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Body for Dripping {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.data.is_empty() {
            return Poll::Ready(None);
        }
        if self.sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let next = tokio::time::Instant::now() + self.pause;
        self.sleep.as_mut().reset(next);
        Poll::Ready(Some(Ok(Frame::data(self.data.split_to(1)))))
    }
}

/// A TCP stream that can end with a reset.
struct Wire {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.load(Ordering::SeqCst) {
            drop(self.stream.set_zero_linger());
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
