//! The composition root: builds the house bottom-up, runs it, and takes it down top-down.

pub mod config;
pub mod holder;
mod keys;
pub mod origin;
mod start;
mod workflows;

use std::{path::Path, sync::Arc};

use events::{
    device::Environment,
    ids::{DeviceId, StoreId, TokenId},
    log::{LogReader, SideTable},
    principal::{Actor, Door, Role},
};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::{
    appliance::config::Config,
    domain::{Command, plan::hex},
    engine::{Engine, Running, Storage, clock, mint},
    failure::{Code, Failure},
    http, mcp,
    routeros::{
        lanes::{Lanes, Observer},
        port::{Directory, Target},
        vault::{SealedStore, SecretKeyBytes, StoreAway, Vault},
    },
    runner::Runner,
    tools::{call::Corridor, context::Shared},
};

/// What `init` made. The token is shown once and is nowhere else.
#[derive(Debug, serde::Serialize)]
pub struct Initialised {
    /// The store's name.
    pub store_id: StoreId,
    /// The key for `verify --key`.
    pub verifier_key: String,
    /// A first admin token.
    pub admin_token: String,
    /// The state directory.
    pub dir: std::path::PathBuf,
}

/// Where a serving house listens.
pub struct Listeners {
    /// MCP and the admin API.
    pub tcp: Option<TcpListener>,
    /// Also `control.sock` and `mcp.sock` in the state directory.
    pub sockets: bool,
}

/// An open house: store, engine, lanes, corridor and runner. Doors come with [`Appliance::serve`].
pub struct Appliance {
    config: Config,
    corridor: Corridor,
    engine: Engine,
    running: Running,
    stop: CancellationToken,
    chores: tokio::task::JoinSet<()>,
    conformance: bool,
}

/// Looks devices up in the committed state.
struct Register(Engine);

impl Directory for Register {
    fn target(&self, device_id: &DeviceId) -> Option<Target> {
        self.0.view(|views| {
            let device = views.state.devices.get(device_id)?;
            Some(Target {
                device_id: device_id.clone(),
                ip: device.settings.management_ip,
                port: device.settings.management_port,
                trust: device.trust.clone(),
                credentials: device.credentials.clone(),
                quarantined: device.quarantined.is_some(),
            })
        })
    }
}

/// Puts devices that show another key into quarantine.
struct Watch(Engine);

impl Observer for Watch {
    fn mismatch(&self, device_id: &DeviceId, seen_sha256: &str) {
        let (device_id, seen_sha256) = (device_id.clone(), seen_sha256.to_owned());
        self.0.record(Actor::system(), Command::QuarantineDevice { device_id, seen_sha256 });
    }
}

/// Finds sealed logins in the log's erasable table.
struct Sealed(LogReader);

impl SealedStore for Sealed {
    fn sealed(&self, id: events::ids::CredentialId) -> Result<Option<Vec<u8>>, StoreAway> {
        self.0.side(SideTable::Credentials, &id.to_u128().to_be_bytes()).map_err(|error| {
            tracing::warn!(%error, "a sealed login cannot be read");
            StoreAway
        })
    }
}

impl Appliance {
    /// Makes a new store with its keys and a first admin token.
    ///
    /// # Errors
    /// `already_exists` when there is one; `store_unusable` when the place cannot be written.
    pub fn init(config: &Config) -> Result<Initialised, Failure> {
        start::init(config)
    }

    /// Opens the store in this process and brings the folds up to its head.
    ///
    /// # Errors
    /// `store_unusable` when it is missing, locked by another process, of another version or not accessible;
    /// `log_damaged` when it cannot be read.
    pub async fn open(config: &Config) -> Result<Self, Failure> {
        let (log, views, master) = start::open(config).await?;
        let options =
            crate::engine::Options { rules: config.rules(), snapshots: Some(config.store.snapshots()) };
        let (engine, running) = Engine::start(log, views, options);
        let master = SecretKeyBytes::new(*master);
        let vault = Arc::new(Vault::new(master, Arc::new(Sealed(engine.log().clone()))));
        let lanes = Lanes::new(
            config.routers.clone(),
            Arc::new(Register(engine.clone())),
            Arc::clone(&vault),
            Some(Arc::new(Watch(engine.clone()))),
        );
        let lanes = match lanes {
            Ok(lanes) => lanes,
            Err(error) => {
                drop((engine, vault));
                running.stop().await;
                return Err(Failure::new(Code::InvalidConfig, format!("`routers`: {error}")).log(error));
            }
        };
        let shared = Shared {
            engine: engine.clone(),
            reader: Arc::new(Arc::clone(&lanes)),
            prober: Arc::new(Arc::clone(&lanes)),
            vault,
            policy: config.policy(),
            alone: std::sync::atomic::AtomicBool::new(false),
        };
        let corridor = Corridor::new(Arc::new(shared));
        let stop = CancellationToken::new();
        let runner = Runner::new(
            Arc::new(engine.clone()),
            Arc::new(Arc::clone(&lanes)),
            Arc::new(lanes),
            stop.clone(),
        );
        let mut chores = tokio::task::JoinSet::new();
        // Jobs that a crash left behind are settled first of all.
        chores.spawn(runner.run(engine.clone()));
        chores.spawn(expire_plans(engine.clone(), stop.clone()));
        Ok(Self { config: config.clone(), corridor, engine, running, stop, chores, conformance: false })
    }

    /// Adds the fixtures that the protocol's conformance suite asks for.
    #[cfg(feature = "conformance")]
    #[must_use]
    pub const fn with_conformance_fixtures(mut self) -> Self {
        self.conformance = true;
        self
    }

    /// The way to every tool.
    #[must_use]
    pub const fn corridor(&self) -> &Corridor {
        &self.corridor
    }

    /// The only writer.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    fn doors(&self) -> http::Doors {
        let version = env!("CARGO_PKG_VERSION");
        http::Doors::new(self.corridor.clone(), self.config.server.clone(), version, self.conformance)
    }

    /// Opens the doors and runs until `shutdown`; then they close.
    ///
    /// # Errors
    /// `store_unusable` when a socket cannot be made.
    pub async fn serve(&self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), Failure> {
        self.serve_announced(listeners, shutdown, CancellationToken::new()).await
    }

    /// As [`Appliance::serve`]; cancels `ready` once every door is open.
    ///
    /// # Errors
    /// `store_unusable` when a socket cannot be made.
    pub async fn serve_announced(
        &self,
        listeners: Listeners,
        shutdown: CancellationToken,
        ready: CancellationToken,
    ) -> Result<(), Failure> {
        let mut doors = tokio::task::JoinSet::new();
        let mut sockets = Vec::new();
        if let Some(tcp) = listeners.tcp {
            doors.spawn(http::serve_tcp(self.doors(), tcp, shutdown.clone()));
        }
        if listeners.sockets {
            let control = bind_socket(&self.config.store.control_socket()).await?;
            doors.spawn(http::serve_unix(self.doors(), control, shutdown.clone()));
            let raw = bind_socket(&self.config.store.mcp_socket()).await?;
            doors.spawn(mcp::stdio::serve_socket(self.corridor.clone(), raw, shutdown.clone()));
            sockets = vec![self.config.store.control_socket(), self.config.store.mcp_socket()];
        }
        ready.cancel();
        let mut storage = self.engine.storage();
        let lost = tokio::select! {
            () = shutdown.cancelled() => false,
            // Without its writer the appliance can keep nothing: better to end and be started again.
            _ = storage.wait_for(|storage| *storage == Storage::Stopped) => true,
        };
        shutdown.cancel();
        while doors.join_next().await.is_some() {}
        for socket in sockets {
            // Left behind, it would only be replaced at the next start.
            let _ = std::fs::remove_file(socket);
        }
        if lost {
            return Err(Failure::new(Code::Bug, "the writer of the log ended; nothing can be kept any more")
                .hint("start the appliance again; what was acknowledged is kept"));
        }
        Ok(())
    }

    /// Serves MCP on standard input and output until it is closed or `shutdown`, as the token's principal or as the local
    /// user `uid`. Meanwhile the sockets are open too: whoever holds the store lets others in.
    ///
    /// # Errors
    /// `unauthenticated` when the token is not valid.
    pub async fn serve_stdio(
        &self,
        uid: u32,
        token: Option<&str>,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        self.corridor.shared().alone.store(true, std::sync::atomic::Ordering::Relaxed);
        let client = async {
            let served =
                mcp::stdio::serve_stdio(self.corridor.clone(), uid, token, shutdown.child_token()).await;
            shutdown.cancel();
            served
        };
        let others = self.serve(Listeners { tcp: None, sockets: true }, shutdown.clone());
        let (client, others) = tokio::join!(client, others);
        if let Err(failure) = others {
            // The client is served all the same; others are told that the store is held.
            tracing::warn!(code = %failure.code, "{}", failure.say);
        }
        client
    }

    /// Stops the runner between steps, lets queued facts become durable, signs a last checkpoint, saves a snapshot and
    /// closes the store.
    ///
    /// # Errors
    /// None today; the signature leaves room.
    pub async fn stop(self) -> Result<(), Failure> {
        let Self { corridor, engine, running, stop, mut chores, .. } = self;
        stop.cancel();
        while chores.join_next().await.is_some() {}
        drop((corridor, engine));
        running.stop().await;
        Ok(())
    }
}

/// Ends plans whose time is over, so that lists and audit say so without being asked.
async fn expire_plans(engine: Engine, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(std::time::Duration::from_secs(30));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = clock::now();
        let over: Vec<_> = engine.view(|views| {
            use crate::domain::plan::PlanStatus::{Approved, Expired, Pending};
            let plans = views.state.plans.values();
            plans
                .filter(|plan| matches!(plan.status, Pending | Approved) && plan.status_at(now) == Expired)
                .map(|plan| plan.plan.plan_id)
                .collect()
        });
        for plan_id in over {
            if let Err(failure) = engine.submit(Actor::system(), Command::ExpirePlan { plan_id }).await {
                tracing::warn!(%plan_id, code = %failure.code, "a plan's end could not be recorded");
            }
        }
    }
}

/// Replaces a socket that a dead process left; never one that somebody answers on.
async fn bind_socket(path: &Path) -> Result<UnixListener, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let unusable = |error: std::io::Error| {
        Failure::new(Code::StoreUnusable, format!("the socket {} cannot be made", path.display())).log(error)
    };
    if UnixStream::connect(path).await.is_ok() {
        return Err(Failure::new(
            Code::StoreUnusable,
            format!("another process answers on {}", path.display()),
        ));
    }
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).map_err(unusable)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(unusable)?;
    Ok(listener)
}

/// Copies standard input and output to the daemon's MCP socket.
///
/// # Errors
/// When the daemon goes away, or refuses the token.
pub async fn bridge_stdio(socket: &Path, token: Option<&str>) -> Result<(), Failure> {
    mcp::stdio::bridge(socket, token).await
}

/// The record of a fresh token, and the token itself.
#[must_use]
pub fn mint_token(
    label: &str,
    role: Role,
    personal: bool,
    by: &Actor,
    days: i64,
) -> (events::access::TokenCreated, String) {
    use sha2::{Digest as _, Sha256};
    let token = format!("appl_{:032x}{:032x}", clock::random(), clock::random());
    let created = events::access::TokenCreated {
        token_id: mint!(TokenId),
        label: label.to_owned(),
        role,
        personal,
        environments: vec![Environment::Lab, Environment::Staging, Environment::Prod],
        device_scopes: vec!["*".into()],
        sha256: hex(&Sha256::digest(token.as_bytes())),
        expires_at: clock::now().plus_secs(days * 86_400),
        by: by.clone(),
    };
    (created, token)
}

/// The store's owner at `init`: the one local principal that makes an admin token.
#[must_use]
pub(crate) fn owner() -> Actor {
    Actor { name: "owner".into(), label: "store owner at init".into(), role: Role::Admin, door: Door::Cli }
}
