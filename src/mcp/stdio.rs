//! The protocol over standard input and output, and over a local socket for the same bytes.

use std::path::Path;

use events::principal::Door;
use rmcp::ServiceExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::principal::Principal,
    failure::{Code, Failure},
    mcp::{Handler, PrincipalSource},
    tools::call::Corridor,
};

/// Clients of the local socket at once.
const CLIENTS_MAX: usize = 256;

async fn serve<R, W>(
    corridor: Corridor,
    principal: Principal,
    reads: R,
    writes: W,
    shutdown: &CancellationToken,
) where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let handler = Handler::new(corridor, PrincipalSource::Fixed(Box::new(principal)), false);
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

/// Serves one client on standard input and output until it closes or `shutdown`.
///
/// # Errors
/// None today; the signature leaves room.
pub async fn serve_stdio(
    corridor: Corridor,
    principal: Principal,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let (reads, writes) = rmcp::transport::stdio_pipes();
    tokio::select! {
        () = serve(corridor, principal, reads, writes, &shutdown) => {}
        () = shutdown.cancelled() => {}
    }
    Ok(())
}

/// Serves local clients on a socket, each as the user that the system names.
pub async fn serve_socket(corridor: Corridor, listener: UnixListener, shutdown: CancellationToken) {
    let mut clients = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a local client could not be accepted");
                    continue;
                }
            },
        };
        while clients.try_join_next().is_some() {}
        if clients.len() >= CLIENTS_MAX {
            continue;
        }
        let Ok(peer) = stream.peer_cred() else { continue };
        let principal = Principal::local(peer.uid(), Door::McpStdio);
        let (corridor, shutdown) = (corridor.clone(), shutdown.clone());
        clients.spawn(async move {
            let (reads, writes) = stream.into_split();
            serve(corridor, principal, reads, writes, &shutdown).await;
        });
    }
    clients.shutdown().await;
}

/// Copies standard input and output to a running appliance's socket until either side closes.
///
/// # Errors
/// `store_unusable` when nothing answers on the socket.
pub async fn bridge(socket: &Path) -> Result<(), Failure> {
    let stream = UnixStream::connect(socket).await.map_err(|error| {
        Failure::new(Code::StoreUnusable, format!("no appliance answers on {}", socket.display())).log(error)
    })?;
    let (mut from_house, mut to_house) = stream.into_split();
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
