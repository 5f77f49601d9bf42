//! HTTP over the running appliance's control socket.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::failure::{Code, Failure};

fn lost(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(Code::StoreUnusable, "the running appliance did not answer")
        .hint("it may be starting or stopping: try again")
        .log(error)
}

/// An answer whose body is still to be read. The connection ends when it is dropped.
pub(super) struct Answer {
    response: hyper::Response<Incoming>,
    driving: tokio::task::JoinHandle<()>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

/// How the command line names itself.
pub(super) const PRODUCT: &str = concat!("appliance-cli/", env!("CARGO_PKG_VERSION"));

/// Sends a request; a refusal comes back as the failure it is.
pub(super) async fn open(
    socket: &Path,
    bearer: Option<&str>,
    method: &str,
    path: &str,
    body: String,
) -> Result<Answer, Failure> {
    let stream = UnixStream::connect(socket).await.map_err(lost)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let driving = tokio::spawn(async move {
        // How it ended shows in the answer.
        drop(connection.await);
    });
    let mut building = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("user-agent", PRODUCT)
        .header("content-type", "application/json");
    if let Some(bearer) = bearer {
        building = building.header("authorization", format!("Bearer {bearer}"));
    }
    let request = building.body(Full::new(Bytes::from(body))).map_err(|error| {
        // Only the token comes from outside.
        Failure::new(Code::Unauthenticated, "no valid token was shown")
            .hint("the token has characters that no token has")
            .log(error)
    })?;
    let response = sender.send_request(request).await.map_err(lost)?;
    let status = response.status();
    let answer = Answer { response, driving };
    if status.is_success() {
        return Ok(answer);
    }
    Err(Failure::from_json(&answer.whole().await?))
}

impl Answer {
    /// The whole body as JSON.
    pub(super) async fn whole(mut self) -> Result<Value, Failure> {
        let bytes = self.response.body_mut().collect().await.map_err(lost)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(lost)
    }

    /// The next part of the body; `None` when it ended.
    pub(super) async fn part(&mut self) -> Option<Bytes> {
        loop {
            let frame = self.response.body_mut().frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                return Some(data);
            }
        }
    }
}

/// A request and its whole answer.
pub(super) async fn request(
    socket: &Path,
    bearer: Option<&str>,
    method: &str,
    path: &str,
    body: String,
) -> Result<Value, Failure> {
    open(socket, bearer, method, path, body).await?.whole().await
}
