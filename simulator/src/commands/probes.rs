//! ping and traceroute, one packet a second of router time.
//!
//! A fixed little internet: four hosts and the box's own networks answer, the rest of the world is silent.

use std::sync::Arc;
use std::time::Duration;

use crate::answer::{Answer, Refusal};
use crate::commands::Done;
use crate::router::Device;
use crate::state::State;
use crate::table::Record;
use crate::values::{contains, parse_time, show_time};
use crate::writes::{Args, take};

/// Hosts that answer every box.
const ALIVE: [&str; 4] = ["1.1.1.1", "8.8.8.8", "9.9.9.9", "192.0.2.1"];
const TRACE_ROUND_MAX: u64 = 3; // rounds without count or duration would run into the wall

/// Whether a host answers pings of this box.
pub fn answers(state: &mut State, host: &str) -> bool {
    if ALIVE.contains(&host) {
        return true;
    }
    let own = state.table("/ip/address").rows.clone();
    let neighbours = state.table("/ip/arp").rows.clone();
    own.iter().any(|row| row.text("address").split('/').next() == Some(host))
        || neighbours.iter().any(|row| row.text("address") == host && row.is("complete"))
}

/// A round trip that looks measured but is the same every time.
fn round_trip(host: &str, seq: u64) -> Duration {
    let base = if host.starts_with("192.0.2.") || host.starts_with("10.") { 380 } else { 9_200 };
    let jitter = host.bytes().map(u64::from).sum::<u64>().wrapping_mul(31).wrapping_add(seq * 97) % 270;
    Duration::from_micros(base + jitter)
}

fn address(state: &mut State, args: &mut Args) -> Result<String, Refusal> {
    let text =
        take(args, "address").ok_or_else(|| Refusal::bad("missing value(s) of argument(s) address"))?;
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Ok(text);
    }
    let cached = state.table("/ip/dns/cache").named(&text).map(|row| row.text("data").to_owned());
    let fixed = || state.table("/ip/dns/static").named(&text).map(|row| row.text("address").to_owned());
    cached.or_else(fixed).ok_or_else(|| Refusal::bad("failure: while resolving ip address"))
}

fn number(args: &mut Args, name: &'static str) -> Result<Option<u64>, Refusal> {
    take(args, name)
        .map(|text| text.parse().map_err(|_| Refusal::bad(format!("invalid value for argument {name}"))))
        .transpose()
}

fn time(args: &mut Args, name: &'static str) -> Result<Option<Duration>, Refusal> {
    take(args, name)
        .map(|text| {
            parse_time(&text).ok_or_else(|| Refusal::bad(format!("invalid value for argument {name}")))
        })
        .transpose()
}

/// Sends packets; every row sums up those before it.
pub async fn ping(device: &Arc<Device>, mut args: Args) -> Done {
    let host = address(&mut device.state(), &mut args)?;
    // Without a count it goes on until the wall.
    let count = number(&mut args, "count")?.unwrap_or(u64::MAX);
    let interval = time(&mut args, "interval")?.unwrap_or(Duration::from_secs(1));
    if !(Duration::from_millis(10)..=Duration::from_secs(5)).contains(&interval) {
        return Err(Refusal::bad("value of interval out of range (00:00:00.010..00:00:05)"));
    }
    let size = number(&mut args, "size")?.unwrap_or(56);
    let mut rows = Vec::new();
    let mut times: Vec<Duration> = Vec::new();
    for seq in 0..count {
        device.clock.sleep(interval).await;
        let alive = answers(&mut device.state(), &host);
        let sent = seq + 1;
        let mut row = Record::loose().with("seq", seq.to_string()).with("host", host.clone());
        if alive {
            let trip = round_trip(&host, seq);
            times.push(trip);
            row.set("size", size.to_string());
            row.set("ttl", if host.starts_with("192.0.2.") { "64" } else { "57" });
            row.set("time", show_time(trip));
        } else {
            row.set("status", "timeout");
        }
        let received = times.len() as u64;
        row.set("sent", sent.to_string());
        row.set("received", received.to_string());
        row.set("packet-loss", (100 * (sent - received) / sent).to_string());
        if let (Some(least), Some(most)) = (times.iter().min(), times.iter().max()) {
            let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap_or(1);
            row.set("min-rtt", show_time(*least));
            row.set(
                "avg-rtt",
                show_time(Duration::from_micros(u64::try_from(mean.as_micros()).unwrap_or(0))),
            );
            row.set("max-rtt", show_time(*most));
        }
        rows.push(Arc::new(row));
    }
    Ok((Answer::Rows(rows), false))
}

/// The way to a host, refreshed once a second; one block of rows per refresh.
pub async fn traceroute(device: &Arc<Device>, mut args: Args) -> Done {
    let (host, local) = {
        let mut state = device.state();
        let host = address(&mut state, &mut args)?;
        let own = state.table("/ip/address").rows.clone();
        let local = own.iter().any(|row| contains(row.text("address"), &host));
        (host, local)
    };
    let count = number(&mut args, "count")?;
    let duration = time(&mut args, "duration")?;
    let most = number(&mut args, "max-hops")?.unwrap_or(255);
    time(&mut args, "timeout")?;
    let alive = answers(&mut device.state(), &host);
    let rounds = match (count, duration) {
        (Some(count), Some(duration)) => count.min(duration.as_secs()),
        (Some(count), None) => count,
        (None, Some(duration)) => duration.as_secs(),
        (None, None) => u64::MAX,
    };
    let mut path: Vec<String> = Vec::new();
    if !local {
        path.push("192.0.2.1".to_owned());
        if host != "192.0.2.1" {
            // One silent hop, as there nearly always is.
            path.push(String::new());
            path.push("198.51.100.17".to_owned());
        }
    }
    match path.last() {
        Some(last) if *last == host => {}
        _ if alive => path.push(host.clone()),
        _ => path.extend([String::new(), String::new()]),
    }
    path.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let mut rows = Vec::new();
    for round in 0..rounds.max(1) {
        device.clock.sleep(Duration::from_secs(1)).await;
        if round >= TRACE_ROUND_MAX && rounds == u64::MAX {
            continue; // keeps running into the wall without growing
        }
        for (hop, address) in path.iter().enumerate() {
            rows.push(Arc::new(hop_row(round, hop, address)));
        }
    }
    Ok((Answer::Rows(rows), false))
}

fn hop_row(round: u64, hop: usize, address: &str) -> Record {
    let sent = round + 1;
    let row = Record::loose()
        .with(".section", round.to_string())
        .with("address", address.to_owned())
        .with("sent", sent.to_string())
        .with("status", "");
    if address.is_empty() {
        return row.with("loss", "100").with("last", "timeout");
    }
    // Milliseconds with one decimal, and no unit.
    let ms = |seq: u64| round_trip(address, seq).as_micros() as f64 / 1_000.0 + hop as f64;
    let all: Vec<f64> = (0..sent).map(ms).collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let spread = (all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt();
    let show = |value: f64| format!("{value:.1}");
    row.with("loss", "0")
        .with("last", show(ms(round)))
        .with("avg", show(mean))
        .with("best", show(all.iter().copied().fold(f64::MAX, f64::min)))
        .with("worst", show(all.iter().copied().fold(0.0, f64::max)))
        .with("std-dev", show(spread))
}
