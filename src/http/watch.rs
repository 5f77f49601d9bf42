//! Time limits of one connection: until a whole request head, between requests, and while the peer does not read.
//!
//! The HTTP library's own timer starts only once it knows which version of HTTP is spoken, so a peer that says nothing
//! would stay for ever. This one counts from the first moment and sees bytes, requests and answers.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From the first byte of a request (for the first one: from the connection) to its whole head.
    pub head: Duration,
    /// Between the end of an answer and the next request.
    pub idle: Duration,
    /// Without the peer reading anything of what waits for it.
    pub stalled: Duration,
}

/// What a connection is doing.
#[derive(Debug)]
struct Doing {
    /// Requests without a whole answer.
    open: usize,
    /// When a head began that is not whole yet.
    head_since: Option<Instant>,
    /// When the last answer ended.
    quiet_since: Instant,
    /// Since when nothing could be written.
    stalled_since: Option<Instant>,
    /// HTTP/2 is spoken: bytes between requests need not be a head.
    frames: bool,
}

/// The watch over one connection.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Mutex<Doing>>);

impl Watch {
    /// A connection that was just accepted: its first head is awaited.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Doing {
            open: 0,
            head_since: Some(now),
            quiet_since: now,
            stalled_since: None,
            frames: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whole head is here; the request is open until what is returned is dropped.
    pub(super) fn request(&self, frames: bool) -> Open {
        let mut doing = self.lock();
        doing.open += 1;
        doing.head_since = None;
        doing.frames = frames;
        Open(self.clone())
    }

    fn read(&self) {
        let mut doing = self.lock();
        if doing.open == 0 && !doing.frames && doing.head_since.is_none() {
            doing.head_since = Some(Instant::now());
        }
    }

    fn wrote(&self, stalled: bool) {
        let mut doing = self.lock();
        if !stalled {
            doing.stalled_since = None;
        } else if doing.stalled_since.is_none() {
            doing.stalled_since = Some(Instant::now());
        }
    }

    /// When the connection is over, as things stand.
    fn ends(&self, limits: &Limits) -> Option<(Instant, &'static str)> {
        let doing = self.lock();
        let stalled = doing.stalled_since.map(|since| (since + limits.stalled, "the peer does not read"));
        let waiting = match doing.head_since {
            _ if doing.open > 0 => None,
            Some(since) => Some((since + limits.head, "no whole request head came in time")),
            None => Some((doing.quiet_since + limits.idle, "nothing was asked for long")),
        };
        stalled.into_iter().chain(waiting).min_by_key(|(at, _)| *at)
    }

    /// Resolves, with the reason, when a limit is passed.
    pub(super) async fn over(self, limits: Limits) -> &'static str {
        // Limits of other states may begin meanwhile, so it looks as often as the shortest of them.
        let often = limits.head.min(limits.idle).min(limits.stalled);
        loop {
            let now = Instant::now();
            match self.ends(&limits) {
                Some((at, why)) if at <= now => return why,
                Some((at, _)) => tokio::time::sleep_until(at.min(now + often)).await,
                None => tokio::time::sleep_until(now + often).await,
            }
        }
    }
}

/// One request without a whole answer.
#[derive(Debug)]
pub(super) struct Open(Watch);

impl Drop for Open {
    fn drop(&mut self) {
        let mut doing = self.0.lock();
        doing.open -= 1;
        doing.quiet_since = Instant::now();
    }
}

/// A body that keeps its request open until it is sent or dropped.
pub(super) struct Held<B> {
    body: B,
    _open: Open,
}

impl<B> Held<B> {
    pub(super) const fn new(body: B, open: Open) -> Self {
        Self { body, _open: open }
    }
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket whose bytes the watch sees.
pub(super) struct Watched<S>(pub S, pub Watch);

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.0).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.1.read();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    fn seen<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.1.wrote(polled.is_pending());
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.0).poll_write(cx, bytes);
        self.seen(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.0).poll_write_vectored(cx, parts);
        self.seen(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        stalled: Duration::from_secs(30),
    };

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_has_the_time_of_a_head() {
        let started = Instant::now();
        Watch::new().over(LIMITS).await;
        assert_eq!(started.elapsed(), LIMITS.head);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_stays_open_as_long_as_its_answer_and_then_the_connection_idles() {
        let (watch, started) = (Watch::new(), Instant::now());
        let open = watch.request(false);
        let over = tokio::spawn(watch.clone().over(LIMITS));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(!over.is_finished());
        drop(open);
        over.await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_secs(3660));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_head_has_its_time_too_and_frames_of_http2_are_no_head() {
        let (watch, started) = (Watch::new(), Instant::now());
        drop(watch.request(false));
        watch.read();
        watch.clone().over(LIMITS).await;
        assert_eq!(started.elapsed(), LIMITS.head);
        let (watch, started) = (Watch::new(), Instant::now());
        drop(watch.request(true));
        watch.read();
        watch.clone().over(LIMITS).await;
        assert_eq!(started.elapsed(), LIMITS.idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_left() {
        let (watch, started) = (Watch::new(), Instant::now());
        let _open = watch.request(false);
        watch.wrote(true);
        watch.clone().over(LIMITS).await;
        assert_eq!(started.elapsed(), LIMITS.stalled);
        watch.wrote(false);
        assert!(watch.ends(&LIMITS).is_none());
    }
}
