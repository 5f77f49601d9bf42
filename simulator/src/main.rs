//! A fleet in a process of its own, steered over the control API.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use clap::Parser;
use serde_json::json;
use simulator::{Fleet, FleetOptions, Profile, control, demo_fleet};
use tokio::signal::unix::{SignalKind, signal};

/// Simulated RouterOS boxes on loopback.
#[derive(Debug, Parser)]
#[command(name = "simulator")]
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

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
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
