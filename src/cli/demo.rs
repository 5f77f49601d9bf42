//! `demo`: a fresh store with a simulated fleet on loopback, ready to be played with.

use std::{os::unix::fs::DirBuilderExt as _, path::PathBuf};

use clap::Args;
use events::{
    device::{Capability, Environment},
    principal::{Actor, Door, Role},
};
use serde_json::{Value, json};
use simulator::{Fleet, Router, demo_fleet};
use tokio_util::sync::CancellationToken;

use crate::{
    access::principal::{Principal, Scope},
    appliance::{Appliance, Listeners},
    cli::{Common, mcp::claude_entry, out, serve},
    failure::{Code, Failure},
    tools::call::Call,
};

/// How many of the first boxes may be changed at will (DECISIONS: demo fleet).
const FREE_BOXES: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Simulated routers.
    #[arg(long, default_value_t = 12, value_parser = devices)]
    devices: usize,
    /// Address and port of the appliance.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Serve the fixtures of the protocol's conformance suite too.
    #[cfg(feature = "conformance")]
    #[arg(long)]
    conformance: bool,
}

/// Simulated routers in one process: more would need more than a process may have open.
const DEVICES_MAX: usize = 1000;

fn devices(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=DEVICES_MAX).contains(count));
    count.ok_or_else(|| format!("needs a whole number, 1–{DEVICES_MAX}"))
}

/// The demo's folder. What the demo made itself goes when it is dropped, unless it is to be kept.
struct Folder {
    dir: PathBuf,
    remove: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.remove {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// A folder for the demo: the given one if it is new or empty, else a fresh temporary one.
fn folder(common: &Common) -> Result<Folder, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(Code::StoreUnusable, format!("no folder for the demo: {error}"));
    let make = |dir: &std::path::Path| {
        std::fs::DirBuilder::new().mode(0o700).recursive(common.dir.is_some()).create(dir).map_err(failed)
    };
    if let Some(dir) = &common.dir {
        if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Failure::new(Code::AlreadyExists, format!("{} is not empty", dir.display()))
                .hint("the demo starts in a fresh folder"));
        }
        let new = !dir.exists();
        make(dir)?;
        return Ok(Folder { dir: dir.clone(), remove: new });
    }
    let name = format!("appliance-demo-{:016x}", crate::engine::clock::random() as u64);
    let dir = std::env::temp_dir().join(name);
    make(&dir)?;
    Ok(Folder { dir, remove: true })
}

pub(super) async fn run(common: &Common, args: Demo) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let shutdown = serve::shutdown_on_signals()?;
    // Before anything is made: a demo that cannot listen leaves nothing behind.
    let listener = serve::bind(&args.listen).await?;
    let mut folder = folder(common)?;
    play(common, &args, &mut folder, listener, shutdown).await.map(|()| 0)
}

async fn play(
    common: &Common,
    args: &Demo,
    folder: &mut Folder,
    listener: tokio::net::TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let dir = folder.dir.clone();
    let broken =
        |error: std::io::Error| Failure::new(Code::Bug, "the simulated fleet did not start").log(error);
    let fleet = Fleet::start(demo_fleet(args.devices)).await.map_err(broken)?;
    let control = fleet.serve_control(([127, 0, 0, 1], 0).into()).await.map_err(broken)?;
    let mut config = common.load()?;
    config.store.dir.clone_from(&dir);
    config.routers.allow_loopback = true;
    Appliance::init(&config)?;
    let house = Appliance::open(&config).await?;
    #[cfg(feature = "conformance")]
    let house = if args.conformance { house.with_conformance_fixtures() } else { house };
    let served = serve_demo(common, &house, &fleet, &dir, &control.to_string(), listener, shutdown).await;
    house.stop().await?;
    fleet.stop().await;
    // Whoever named the folder keeps it, once the demo ran.
    folder.remove = common.dir.is_none() || served.is_err() && folder.remove;
    served
}

async fn serve_demo(
    common: &Common,
    house: &Appliance,
    fleet: &Fleet,
    dir: &std::path::Path,
    control: &str,
    listener: tokio::net::TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let mut devices = Vec::new();
    for (n, router) in fleet.routers().iter().enumerate() {
        if shutdown.is_cancelled() {
            return Ok(());
        }
        devices.push(register(house, router, n < FREE_BOXES).await?);
    }
    let mut tokens = serde_json::Map::new();
    for (name, role, personal) in
        [("agent", "ops_rw", false), ("approver", "approver", true), ("admin", "admin", false)]
    {
        let params = json!({
            "label": format!("demo {name}"), "role": role, "personal": personal,
            "environments": ["lab", "staging", "prod"], "device_scopes": ["*"], "expires_days": 7,
        });
        tokens.insert(name.into(), call(house, "token_create", params).await?["token"].take());
    }
    let address = listener
        .local_addr()
        .map_err(|error| Failure::new(Code::Bug, "the address is not known").log(error))?;
    let said = json!({
        "url": format!("http://{address}"), "mcp_url": format!("http://{address}/mcp"), "tokens": tokens,
        "store": dir, "devices": devices, "control": control,
    });
    // The sockets exist before anybody is told where they are.
    let ready = CancellationToken::new();
    let serving =
        house.serve_announced(Listeners { tcp: Some(listener), sockets: true }, shutdown, ready.clone());
    let announce = async {
        ready.cancelled().await;
        if common.json { out::data(&said.to_string()) } else { out::data(&welcome(&said, dir)) }
    };
    tokio::select! {
        // A house that cannot open its doors never gets ready.
        served = serving => served,
        told = async { announce.await?; std::future::pending().await } => told,
    }
}

/// The owner of a demo, who may set it up.
fn owner() -> Principal {
    Principal {
        actor: Actor { name: "demo".into(), label: "demo".into(), role: Role::Admin, door: Door::System },
        personal: false,
        environments: vec![Environment::Lab, Environment::Staging, Environment::Prod],
        scopes: vec![Scope::All],
    }
}

async fn call(house: &Appliance, tool: &str, params: Value) -> Result<Value, Failure> {
    let call = Call {
        principal: owner(),
        tool: tool.to_owned(),
        params,
        client: "appliance demo".into(),
        cancel: CancellationToken::new(),
        progress: None,
    };
    house.corridor().call(call).await.map(|answered| answered.value)
}

async fn register(house: &Appliance, router: &Router, free: bool) -> Result<Value, Failure> {
    let address = router.address();
    let environment = router.environment().to_owned();
    let allow: Vec<&str> = match (free, environment.as_str()) {
        (true, _) => Capability::ALL.iter().map(|capability| capability.as_str()).collect(),
        (false, "staging" | "lab") => vec![Capability::AdvancedWrites.as_str()],
        (false, _) => Vec::new(),
    };
    let trust = router.spki_sha256().map_or_else(
        || json!({ "plain_http": true }),
        |key| json!({ "spki_sha256": crate::domain::plan::hex(&key) }),
    );
    let params = json!({
        "device_id": router.name(), "management_ip": address.ip(), "management_port": address.port(),
        "environment": environment, "allow": allow, "trust": trust,
        "username": "appliance-ro", "password": "ro-secret",
        "write_username": "appliance-rw", "write_password": "rw-secret",
    });
    call(house, "device_add", params).await?;
    Ok(json!({
        "id": router.name(), "name": router.name(), "address": address.to_string(),
        "version": router.profile().version(), "environment": environment,
    }))
}

/// What a newcomer needs.
fn welcome(said: &Value, dir: &std::path::Path) -> String {
    let text = |value: &Value| out::cell(value);
    let first = text(&said["devices"][0]["id"]);
    let count = said["devices"].as_array().map_or(0, Vec::len);
    let snippet = json!({ "mcpServers": { "routeros": claude_entry(dir, None, None) } });
    let binary =
        std::env::current_exe().map_or_else(|_| "appliance".to_owned(), |path| path.display().to_string());
    format!(
        "The appliance runs with {count} simulated routers.\n\n  \
         address    {url}\n  MCP        {mcp}\n  store      {store}\n\n\
         Tokens (this demo only)\n  agent      {agent}\n  approver   {approver}\n  admin      {admin}\n\n\
         For Claude Desktop, paste into claude_desktop_config.json:\n{snippet}\n\n\
         Try, in another terminal:\n  {binary} --dir {store} device list\n  \
         {binary} --dir {store} call update_dns_servers device_id={first} 'dns_servers=[\"9.9.9.9\"]'\n  \
         {binary} --dir {store} events list\n\nCtrl-C ends the demo.",
        url = text(&said["url"]),
        mcp = text(&said["mcp_url"]),
        store = dir.display(),
        agent = text(&said["tokens"]["agent"]),
        approver = text(&said["tokens"]["approver"]),
        admin = text(&said["tokens"]["admin"]),
        snippet = serde_json::to_string_pretty(&snippet).unwrap_or_default(),
    )
}
