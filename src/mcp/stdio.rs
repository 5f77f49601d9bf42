//! The protocol over standard input and output, and over a local socket for the same bytes.
//!
//! On the socket a client may show a token before its first message: a line `Bearer TOKEN`, answered with `ok` or with a
//! failure's object and the end. Without it the client is the local user that the system names.

use std::{path::Path, sync::Arc, time::Duration};

use events::principal::Door;
use rmcp::ServiceExt as _;
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{principal::Principal, tokens},
    failure::{Code, Failure},
    mcp::{Handler, PrincipalSource},
    tools::call::Corridor,
};

/// Clients of the local socket at once.
const CLIENTS_MAX: usize = 256;
/// The longest first line: a word and a token, with room.
const GREETING_BYTES_MAX: u64 = 1024;
/// A client that begins to show a token must end the line by then.
const GREETING_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
/// How a line that shows a token begins; no message of the protocol does.
const GREETING: &str = "Bearer ";

/// The principal of a token over this door.
///
/// # Errors
/// `unauthenticated` when the token is not one, or not valid any more.
pub(super) fn principal(corridor: &Corridor, token: &str) -> Result<Principal, Failure> {
    let at = corridor.now();
    corridor
        .shared()
        .engine
        .view(|views| tokens::authenticate(&views.state, token, at, Door::McpStdio))
        .map_err(|failure| Failure {
            hint: Some("the token is unknown, revoked or expired".into()),
            ..failure
        })
}

/// Where a session's principal comes from: the token if one was shown, else the local user.
fn source(corridor: &Corridor, uid: u32, token: Option<&str>) -> Result<PrincipalSource, Failure> {
    let Some(token) = token else {
        return Ok(PrincipalSource::Fixed(Box::new(Principal::local(uid, Door::McpStdio))));
    };
    principal(corridor, token)?;
    Ok(PrincipalSource::Token(Arc::from(token)))
}

async fn serve<R, W>(
    corridor: Corridor,
    source: PrincipalSource,
    reads: R,
    writes: W,
    shutdown: &CancellationToken,
) where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let handler = Handler::new(corridor, source, false);
    let started = handler.serve_with_ct((reads, writes), shutdown.child_token()).await;
    match started {
        Ok(running) => {
            if let Err(error) = running.waiting().await {
                tracing::warn!(%error, "a client's session ended abnormally");
            }
        }
        // Closed before it said a word: nothing to tell.
        Err(error) => tracing::debug!(%error, "a client left before its session began"),
    }
}

/// Serves one client on standard input and output until it closes or `shutdown`: as the token's principal, or as the
/// local user `uid`.
///
/// # Errors
/// `unauthenticated` when the token is not valid; nothing was served then.
pub async fn serve_stdio(
    corridor: Corridor,
    uid: u32,
    token: Option<&str>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let source = source(&corridor, uid, token)?;
    let (reads, writes) = rmcp::transport::stdio_pipes();
    tokio::select! {
        () = serve(corridor, source, reads, writes, &shutdown) => {}
        () = shutdown.cancelled() => {}
    }
    Ok(())
}

/// Serves local clients on a socket, each as the token it shows, else as the user that the system names.
pub async fn serve_socket(corridor: Corridor, listener: UnixListener, shutdown: CancellationToken) {
    let mut clients = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a local client could not be accepted");
                    // Out of file descriptors and the like: a moment's rest rather than a busy loop.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        while clients.try_join_next().is_some() {}
        if clients.len() >= CLIENTS_MAX {
            continue;
        }
        let Ok(peer) = stream.peer_cred() else { continue };
        let (corridor, shutdown) = (corridor.clone(), shutdown.clone());
        clients.spawn(async move {
            let (reads, mut writes) = stream.into_split();
            let mut reads = BufReader::new(reads);
            if let Some(source) = greet(&corridor, peer.uid(), &mut reads, &mut writes).await {
                serve(corridor, source, reads, writes, &shutdown).await;
            }
        });
    }
    clients.shutdown().await;
}

/// Takes the token that a client may show first. `None` when it was refused, or the client left.
async fn greet(
    corridor: &Corridor,
    uid: u32,
    reads: &mut (impl AsyncBufRead + Unpin),
    writes: &mut OwnedWriteHalf,
) -> Option<PrincipalSource> {
    let first = reads.fill_buf().await.ok()?.first().copied()?;
    if first != GREETING.as_bytes()[0] {
        return source(corridor, uid, None).ok();
    }
    let mut line = String::new();
    let mut limited = reads.take(GREETING_BYTES_MAX);
    let read = tokio::time::timeout(GREETING_WITHIN, limited.read_line(&mut line)).await;
    let token = read.ok().and_then(Result::ok).and(line.strip_prefix(GREETING)).unwrap_or_default().trim();
    match source(corridor, uid, Some(token)) {
        Ok(source) => writes.write_all(b"ok\n").await.ok().map(|()| source),
        Err(failure) => {
            let _ = writes.write_all(format!("{}\n", failure.to_json()).as_bytes()).await;
            None
        }
    }
}

/// Copies standard input and output to a running appliance's socket until either side closes.
///
/// # Errors
/// `store_unusable` when nothing answers on the socket; what the appliance says when it refuses the token.
pub async fn bridge(socket: &Path, token: Option<&str>) -> Result<(), Failure> {
    let gone = |error: std::io::Error| {
        Failure::new(Code::StoreUnusable, format!("no appliance answers on {}", socket.display())).log(error)
    };
    let stream = UnixStream::connect(socket).await.map_err(gone)?;
    let (from_house, mut to_house) = stream.into_split();
    let mut from_house = BufReader::new(from_house);
    if let Some(token) = token {
        to_house.write_all(format!("{GREETING}{token}\n").as_bytes()).await.map_err(gone)?;
        let mut answer = String::new();
        from_house.read_line(&mut answer).await.map_err(gone)?;
        if answer.trim_end() != "ok" {
            return Err(Failure::from_json(&serde_json::from_str(&answer).unwrap_or_default()));
        }
    }
    let (mut stdin, mut stdout) = rmcp::transport::stdio_pipes();
    let there = async {
        let copied = tokio::io::copy(&mut stdin, &mut to_house).await;
        // The house finishes what it was asked before it closes.
        let _ = to_house.shutdown().await;
        copied
    };
    let back = async {
        let copied = tokio::io::copy(&mut from_house, &mut stdout).await;
        let _ = stdout.flush().await;
        copied
    };
    tokio::pin!(there, back);
    tokio::select! {
        _ = &mut back => {}
        _ = &mut there => {
            let _ = back.await;
        }
    }
    Ok(())
}
