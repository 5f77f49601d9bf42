//! What a connection is doing: so that one without a request does not stay for ever.
//!
//! The protocol library times the head of an HTTP/1 request, but not a connection that sends nothing, nor half the preface
//! of HTTP/2: it waits for bytes that tell the two apart.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::{sync::watch, time::Instant};

/// Requests of one connection.
#[derive(Debug, Clone, Copy)]
struct Now {
    /// A whole request head has come at least once.
    begun: bool,
    /// Requests whose answers are not sent yet.
    open: usize,
    /// Since when it is so.
    since: Instant,
}

/// One connection's activity.
#[derive(Debug, Clone)]
pub(super) struct Activity(watch::Sender<Now>);

/// A request that is being answered; dropped with the last byte of its answer.
#[derive(Debug)]
pub(super) struct Open(watch::Sender<Now>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Now { begun: false, open: 0, since: Instant::now() }))
    }

    /// A request head has come.
    pub(super) fn request(&self) -> Open {
        self.0.send_modify(|now| *now = Now { begun: true, open: now.open + 1, since: Instant::now() });
        Open(self.0.clone())
    }

    /// Ends when the connection was without a request for too long.
    pub(super) async fn expired(&self, first_within: Duration, idle_within: Duration) {
        let mut changes = self.0.subscribe();
        loop {
            let now = *changes.borrow_and_update();
            let until = match now {
                Now { begun: false, since, .. } => Some(since + first_within),
                Now { open: 0, since, .. } => Some(since + idle_within),
                Now { .. } => None,
            };
            let over = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                // The sender lives in `self`.
                _ = changes.changed() => {}
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|now| *now = Now { open: now.open - 1, since: Instant::now(), ..*now });
    }
}

/// A body that keeps its request open until it was sent.
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
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn silence_ends_sooner_than_idleness_and_a_request_never() {
        let activity = Activity::new();
        let started = Instant::now();
        activity.expired(FIRST, IDLE).await;
        assert_eq!(started.elapsed(), FIRST);

        let open = activity.request();
        let waited = tokio::time::timeout(Duration::from_secs(100_000), activity.expired(FIRST, IDLE)).await;
        assert!(waited.is_err(), "a long answer is no idleness");
        drop(open);
        let ended = Instant::now();
        activity.expired(FIRST, IDLE).await;
        assert_eq!(ended.elapsed(), IDLE);
    }
}
