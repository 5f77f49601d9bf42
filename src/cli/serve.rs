//! `init`, `serve` and `stdio`.

use std::sync::OnceLock;

use clap::Args;
use tokio::{
    net::{TcpListener, UnixStream},
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    appliance::{Appliance, Listeners, bridge_stdio, config::LogFormat},
    cli::{Common, client, out},
    failure::{Code, Failure},
};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port; wins over `server.listen`.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

/// Cancelled by SIGTERM or SIGINT; one for the process, from the first call on.
pub(super) fn shutdown_on_signals() -> Result<CancellationToken, Failure> {
    static HEARD: OnceLock<CancellationToken> = OnceLock::new();
    if let Some(token) = HEARD.get() {
        return Ok(token.clone());
    }
    let failed = |error| Failure::new(Code::Bug, "signals cannot be heard").log(error);
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
    let token = HEARD.get_or_init(CancellationToken::new).clone();
    let heard = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        heard.cancel();
    });
    Ok(token)
}

pub(super) fn init(common: &Common) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let made = Appliance::init(&common.load()?)?;
    let value = serde_json::to_value(&made).unwrap_or_default();
    out::show(common, &value, |_| {
        format!(
            "made {} in {}\n\nadmin token (shown once, keep it safe):\n  {}\n\nkey for `appliance verify --key`:\n  {}\n\nnext: appliance serve --dir {}",
            made.store_id,
            made.dir.display(),
            made.admin_token,
            made.verifier_key,
            made.dir.display()
        )
    })?;
    Ok(0)
}

pub(super) async fn bind(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Code::CannotListen, format!("{address} cannot be listened on: {error}"))
            .hint("choose another with `--listen` or `server.listen`")
    })
}

pub(super) async fn serve(common: &Common, args: Serve) -> Result<u8, Failure> {
    let config = common.load()?;
    let level = config.log.level.clone();
    common.start_log(&level, config.log.format == LogFormat::Json)?;
    let shutdown = shutdown_on_signals()?;
    let house = Appliance::open(&config).await?;
    let listener = match bind(args.listen.as_deref().unwrap_or(&config.server.listen)).await {
        Ok(listener) => listener,
        Err(failure) => {
            house.stop().await?;
            return Err(failure);
        }
    };
    if let Ok(address) = listener.local_addr() {
        out::talk(&format!("listening on http://{address} (MCP at /mcp, admin API at /api)"));
    }
    let served = house.serve(Listeners { tcp: Some(listener), sockets: true }, shutdown).await;
    house.stop().await?;
    served.map(|()| 0)
}

pub(super) async fn stdio(common: &Common) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let config = common.load()?;
    let bearer = client::bearer(common)?;
    let shutdown = shutdown_on_signals()?;
    let socket = config.store.mcp_socket();
    if UnixStream::connect(&socket).await.is_ok() {
        tokio::select! {
            bridged = bridge_stdio(&socket, bearer.as_deref()) => bridged?,
            () = shutdown.cancelled() => {}
        }
        return Ok(0);
    }
    let house = Appliance::open(&config).await?;
    let served = house.serve_stdio(client::uid(), bearer.as_deref(), shutdown).await;
    house.stop().await?;
    served.map(|()| 0)
}
