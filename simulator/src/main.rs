//! A fleet in a process of its own, steered over the control API.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use clap::Parser;
use serde_json::json;
use simulator::{Fleet, FleetOptions, Profile, control, demo_fleet};
use tokio::signal::unix::{SignalKind, signal};

/// Simulated RouterOS boxes on loopback.
#[derive(Debug, Parser)]
#[command(name = "simulator", after_help = CONTROL)]
struct Args {
    /// How many boxes.
    #[arg(long, default_value_t = 12)]
    boxes: usize,
    /// Plain HTTP instead of TLS.
    #[arg(long)]
    plain: bool,
    /// The first box's port; the others follow. Any free ports without it.
    #[arg(long)]
    base_port: Option<u16>,
    /// Where the control API listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// All boxes of this version instead of the mixed demo fleet.
    #[arg(long)]
    profile: Option<Profile>,
    /// How many router seconds pass in a real one.
    #[arg(long, default_value_t = 1.0)]
    clock_scale: f64,
    /// One certificate for all boxes.
    #[arg(long)]
    shared_certificate: bool,
    /// Every box on a loopback address of its own (127.31.x.y), which is then one of its `/ip/address`.
    #[arg(long)]
    own_addresses: bool,
}

/// The control API in short; the README says more.
const CONTROL: &str = "\
Prints one line of JSON when ready: {\"control\": ADDRESS, \"boxes\": [{\"name\", \"address\", ...}]}.

Control API (JSON over HTTP, loopback only, no login):
  GET  /boxes                     every box, as in the first line
  GET  /truth?path=/ip/dns        one menu of every box, by name
  GET  /writes?since=ORDER        every request that changed a box, in the order of arrival
  GET  /journals?since=ORDER      every request from there on, for every box, by name
  POST /fault                     like the one of a box, for all boxes; DELETE /faults; POST /release
  GET  /ways                      whether a client gets in, for every box
  GET  /boxes/N/menu?path=P       GET /boxes/N/journal      GET /boxes/N/way
  POST /boxes/N/behind-back       {menu, id?, props} or {menu, id, remove: true}
  POST /boxes/N/cut               {ms?}: the link dies, the router lives on; POST /boxes/N/mend
  POST /boxes/N/reboot            {down_ms?}: timer jobs are lost, scheduler entries stay
  POST /boxes/N/vitals            {cpu-load?, free-memory?, free-hdd-space?, temperature?}; DELETE
  POST /boxes/N/fault             {fault, method?, path_prefix?, after?, times?, ...}; DELETE /boxes/N/faults
  POST /boxes/N/release           lets go what the fault `hold` keeps waiting
  POST /boxes/N/restore           POST /boxes/N/seed   POST /boxes/N/plant   POST /boxes/N/change-key";

const FILES_BESIDES: u64 = 256; // the runtime's own, the control API's connections
const FILES_PER_BOX: u64 = 5; // it listens, and a client holds a few connections

/// Many boxes need many sockets: asks the system for as many as it gives without asking further.
fn raise_file_limit(boxes: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted =
        u64::try_from(boxes).unwrap_or(u64::MAX).saturating_mul(FILES_PER_BOX).saturating_add(FILES_BESIDES);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
        // If it is not given, the socket that is one too many says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum });
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
    raise_file_limit(args.boxes);
    let mut specs = demo_fleet(args.boxes);
    for (spec, at) in specs.iter_mut().zip(0u16..) {
        spec.tls = !args.plain;
        spec.profile = args.profile.unwrap_or(spec.profile);
        spec.port = args.base_port.map_or(0, |first| first.saturating_add(at));
        if args.own_addresses {
            let [high, low] = at.to_be_bytes();
            // One a network, and never its first or last address.
            spec.listen = Ipv4Addr::new(127, 31u8.saturating_add(high), low, 2);
        }
    }
    let options = FleetOptions {
        clock_scale: args.clock_scale,
        shared_certificate: args.shared_certificate,
        ..FleetOptions::default()
    };
    // Before anyone can know our process id.
    let mut terminate = signal(SignalKind::terminate())?;
    let fleet = Fleet::start_with(specs, options).await?;
    let control = fleet.serve_control(args.control).await?;
    let boxes: Vec<_> = fleet.routers().iter().map(control::describe).collect();
    // One line and nothing else: the caller reads it to know that we are ready.
    let mut out = std::io::stdout();
    writeln!(out, "{}", json!({ "control": control.to_string(), "boxes": boxes }))?;
    out.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    fleet.stop().await;
    Ok(())
}
