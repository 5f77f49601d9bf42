//! monitor-traffic and bandwidth-test: rows by the second, all sent at the end.

use std::sync::Arc;
use std::time::Duration;

use crate::answer::{Answer, Refusal};
use crate::commands::Done;
use crate::commands::probes::answers;
use crate::router::Device;
use crate::table::Record;
use crate::values::{parse_time, show_time};
use crate::writes::{Args, take};

/// How a streaming command was asked to end.
pub enum Span {
    /// One look, no `.section`.
    Once,
    /// So many seconds, a row each.
    Seconds(u64),
    /// Never: the wall ends it.
    Endless,
}

/// Reads `once` and `duration`. `once:"false"` is no once.
pub fn span(args: &mut Args) -> Result<Span, Refusal> {
    if take(args, "once").is_some_and(|text| !matches!(text.as_str(), "false" | "no")) {
        return Ok(Span::Once);
    }
    match take(args, "duration") {
        None => Ok(Span::Endless),
        Some(text) => {
            let time =
                parse_time(&text).ok_or_else(|| Refusal::bad("invalid value for argument duration"))?;
            Ok(Span::Seconds(time.as_secs().max(1)))
        }
    }
}

/// Waits until the wall comes down.
pub async fn endless(device: &Arc<Device>) -> Done {
    loop {
        device.clock.sleep(Duration::from_secs(3_600)).await;
    }
}

/// Rates of interfaces.
pub async fn monitor(device: &Arc<Device>, mut args: Args) -> Done {
    let names = take(&mut args, "interface").or_else(|| take(&mut args, "numbers"));
    let names = names.ok_or_else(|| Refusal::bad("missing value(s) of argument(s) interface"))?;
    let names: Vec<String> = names.split(',').map(str::to_owned).collect();
    {
        let mut state = device.state();
        let interfaces = state.table("/interface");
        if names.iter().any(|name| name != "aggregate" && interfaces.named(name).is_none()) {
            return Err(Refusal::bad("input does not match any value of interface"));
        }
    }
    match span(&mut args)? {
        Span::Endless => endless(device).await,
        Span::Once => {
            Ok((Answer::Rows(names.iter().map(|name| Arc::new(rates(device, name))).collect()), false))
        }
        Span::Seconds(seconds) => {
            let mut rows = Vec::new();
            for second in 0..seconds {
                device.clock.sleep(Duration::from_secs(1)).await;
                for name in &names {
                    rows.push(Arc::new(rates(device, name).with(".section", second.to_string())));
                }
            }
            Ok((Answer::Rows(rows), false))
        }
    }
}

fn rates(device: &Device, name: &str) -> Record {
    let busy = {
        let mut state = device.state();
        let table = state.table("/interface");
        name == "aggregate" || table.named(name).is_some_and(|row| row.is("running") && !row.is("disabled"))
    };
    // Swings between half and one and a half of the mean.
    let swing = if busy { 50 + device.clock.now().as_secs() * 13 % 100 } else { 0 };
    let row = Record::loose().with("name", name.to_owned());
    [
        ("rx-bits-per-second", 1_460),
        ("tx-bits-per-second", 330),
        ("rx-packets-per-second", 1),
        ("tx-packets-per-second", 1),
        ("rx-drops-per-second", 0),
        ("rx-errors-per-second", 0),
        ("tx-drops-per-second", 0),
        ("tx-errors-per-second", 0),
    ]
    .into_iter()
    .fold(row, |row, (key, unit)| row.with(key, (unit * swing).to_string()))
}

/// Measures towards another box; a wrong login is an answer like any other.
pub async fn bandwidth_test(device: &Arc<Device>, mut args: Args) -> Done {
    let host =
        take(&mut args, "address").ok_or_else(|| Refusal::bad("missing value(s) of argument(s) address"))?;
    if !device.state().mode_allows("bandwidth-test") {
        return Err(Refusal::device_mode());
    }
    let direction = take(&mut args, "direction").unwrap_or_else(|| "receive".to_owned());
    if !matches!(direction.as_str(), "receive" | "transmit" | "both") {
        return Err(Refusal::bad("input does not match any value of direction"));
    }
    let protocol = take(&mut args, "protocol").unwrap_or_else(|| "udp".to_owned());
    if !matches!(protocol.as_str(), "udp" | "tcp") {
        return Err(Refusal::bad("input does not match any value of protocol"));
    }
    let user = take(&mut args, "user").unwrap_or_default();
    let password = take(&mut args, "password").unwrap_or_default();
    let seconds = match span(&mut args)? {
        Span::Endless => return endless(device).await,
        Span::Once => 1,
        Span::Seconds(seconds) => seconds,
    };
    let base = |section: u64, status: &'static str| {
        Record::loose()
            .with(".section", section.to_string())
            .with("connection-count", if protocol == "tcp" { "20" } else { "1" })
            .with("direction", direction.clone())
            .with("random-data", "false")
            .with("status", status)
    };
    let alive = answers(&mut device.state(), &host);
    let failed = match (alive, user.as_str(), password.as_str()) {
        (false, ..) => Some("can not connect"),
        (true, "admin", "") | (true, _, "wrong") => Some("authentication failed"),
        _ => None,
    };
    let mut rows = vec![Arc::new(measured(base(0, "connecting"), &direction, 0, 0))];
    if let Some(status) = failed {
        device.clock.sleep(Duration::from_secs(1)).await;
        rows.push(Arc::new(base(1, status)));
        return Ok((Answer::Rows(rows), false));
    }
    for second in 1..=seconds {
        device.clock.sleep(Duration::from_secs(1)).await;
        let status = if second == seconds { "done testing" } else { "running" };
        let current = if second == 1 { 0 } else { 854_372_352 + second % 3 * 37_606_656 };
        let mean = if second == 1 { 0 } else { 860_640_128 };
        let row = base(second, status).with("duration", show_time(Duration::from_secs(second)));
        let row = row.with("local-cpu-load", "34").with("remote-cpu-load", "41");
        rows.push(Arc::new(measured(row, &direction, current, mean)));
    }
    Ok((Answer::Rows(rows), false))
}

fn measured(mut row: Record, direction: &str, current: u64, mean: u64) -> Record {
    for (side, other) in [("rx", "transmit"), ("tx", "receive")] {
        if direction == other {
            continue;
        }
        row.set(format!("{side}-size"), "1500");
        row.set(format!("{side}-current"), current.to_string());
        row.set(format!("{side}-10-second-average"), mean.to_string());
        row.set(format!("{side}-total-average"), mean.to_string());
    }
    row.with("lost-packets", if current == 0 { "0" } else { "9014" })
}
