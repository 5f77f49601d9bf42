//! B7, B8 and B10: the real binary with three routers: memory, first answer, `tools/list`, a read tool, stopping.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Options, Outcome,
    measure::{cpu_of, median, percentile},
    process::{Client, Daemon, Http, Routers, appliance, asked, rss_mb},
    report::{Report, Row},
};

/// `appliance-ro:ro-secret`, the simulator's reading user, as RouterOS takes it.
const BASIC: &str = "Basic YXBwbGlhbmNlLXJvOnJvLXNlY3JldA==";
/// What `get_system_overview` reads from a router, in its order.
const OVERVIEW: [&str; 4] =
    ["/rest/system/resource", "/rest/system/identity", "/rest/system/routerboard", "/rest/system/health"];
/// What the forerunner of this product needed for one such call.
const FORERUNNER_CPU_MS: f64 = 30.0;

struct House {
    dir: PathBuf,
    routers: Routers,
}

fn house(options: &Options) -> Outcome<House> {
    let dir = options.dir.join("three");
    let routers = Routers::start(options, 3)?;
    let made = asked(appliance(options, &dir).args(["init", "--json"]))?;
    let token = made["admin_token"].as_str().ok_or("init told no token")?.to_owned();
    for (name, address) in &routers.boxes {
        let (ip, port) = address.rsplit_once(':').ok_or("an address without a port")?;
        let params = json!({
            "device_id": name, "management_ip": ip, "management_port": port.parse::<u16>()?,
            "environment": "lab", "trust": { "plain_http": true },
            "username": "appliance-ro", "password": "ro-secret",
        });
        let mut command = appliance(options, &dir);
        command.env("APPLIANCE_TOKEN", &token).args(["call", "device_add", "--json", "--params"]);
        asked(command.arg(params.to_string()))?;
    }
    Ok(House { dir, routers })
}

fn memory_and_first_answer(options: &Options, dir: &Path, report: &mut Report) -> Outcome<()> {
    let (mut resting, mut first, mut ready) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds() {
        let daemon = Daemon::start(options, dir)?;
        std::thread::sleep(Duration::from_secs(2));
        resting.push(rss_mb(&daemon.pid())?);
        ready.push(daemon.ready_ms);
        daemon.stop()?;
        for _ in 0..4 {
            let client = Client::start(options, dir, &[])?;
            first.push(client.first_answer_ms);
            client.end()?;
        }
    }
    let row = Row::new("B7", "memory of `serve`, idle, 3 devices", median(&resting), "MB");
    report.add(row.at_most(20.0).note("the forerunner: 127 MB"));
    let row = Row::new("B7", "start to first answer (stdio)", median(&first), "ms");
    report.add(row.at_most(50.0).note("the forerunner: 5,200 ms"));
    report.add(Row::new("B7", "start to ready (`serve`)", median(&ready), "ms").at_most(50.0));
    Ok(())
}

/// Sizes of `tools/list` and the median of asking for it, in milliseconds.
fn tools_list(
    options: &Options,
    dir: &Path,
    with: &[(&str, &str)],
    times: usize,
) -> Outcome<(usize, usize, f64)> {
    let mut client = Client::start(options, dir, with)?;
    let (mut took, mut line) = (Vec::new(), String::new());
    for _ in 0..times {
        let begun = Instant::now();
        line = client.ask("tools/list", &json!({}))?;
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    client.end()?;
    let answer: Value = serde_json::from_str(&line)?;
    let tools = answer["result"]["tools"].as_array().ok_or("no tools")?;
    Ok((answer["result"]["tools"].to_string().len(), tools.len(), percentile(&mut took, 0.5)))
}

fn lists(options: &Options, dir: &Path, report: &mut Report) -> Outcome<()> {
    let times = if options.quick { 50 } else { 500 };
    let bare = [("APPLIANCE__TOOLS__LIST_OUTPUT_SCHEMAS", "false")];
    let (bytes, count, took) = tools_list(options, dir, &bare, times)?;
    let note = format!("{count} tools");
    let row = Row::new("B8", "`tools/list` without output schemas", bytes as f64 / 1000.0, "kB");
    report.add(row.at_most(45.0).note(&note));
    report.add(Row::new("B8", "p50 of it over stdio", took, "ms").at_most(1.0));
    let (bytes, _, took) = tools_list(options, dir, &[], times)?;
    let row = Row::new("B8", "`tools/list` with output schemas", bytes as f64 / 1000.0, "kB");
    report.add(row.at_most(85.0).note(&note));
    report.add(Row::new("B8", "p50 of it over stdio", took, "ms").at_most(1.0));
    Ok(())
}

/// One call of the tool over stdio; milliseconds.
fn overview(client: &mut Client, device: &str) -> Outcome<f64> {
    let params = json!({ "name": "get_system_overview", "arguments": { "device_id": device } });
    let begun = Instant::now();
    let line = client.ask("tools/call", &params)?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let answer: Value = serde_json::from_str(&line)?;
    if answer["result"]["structuredContent"]["routeros_version"].is_string() {
        Ok(took)
    } else {
        Err(format!("the call failed: {line}").into())
    }
}

/// The same requests straight to the router; milliseconds.
fn direct(router: &mut Http) -> Outcome<f64> {
    let begun = Instant::now();
    for path in OVERVIEW {
        // A board without sensors or without a board says so with an error: that is an answer too.
        router.get(path, BASIC)?;
    }
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}

fn read_tool(options: &Options, house: &House, report: &mut Report) -> Outcome<()> {
    let (name, address) = house.routers.boxes.first().ok_or("no routers")?;
    let mut client = Client::start(options, &house.dir, &[])?;
    let mut router = Http::open(address)?;
    let times = if options.quick { 50 } else { 500 };
    let (mut through, mut straight) = (Vec::new(), Vec::new());
    for round in 0..times + 10 {
        let (one, other) = (overview(&mut client, name)?, direct(&mut router)?);
        // The first ones open connections.
        if round >= 10 {
            through.push(one);
            straight.push(other);
        }
    }
    let (through, straight) = (percentile(&mut through, 0.5), percentile(&mut straight, 0.5));
    let row = Row::new("B8", "`get_system_overview`: added to the router's time", through - straight, "ms");
    report.add(row.at_most(1.0).note(format!("p50 {through:.2} ms against {straight:.2} ms for 4 requests")));
    let calls = if options.quick { 200 } else { 1000 };
    let before = cpu_of(&client.pid());
    for _ in 0..calls {
        overview(&mut client, name)?;
    }
    let cpu = (cpu_of(&client.pid()) - before).as_secs_f64() * 1000.0 / f64::from(calls);
    let row = Row::new("B8", "`get_system_overview`: processor time a call", cpu, "ms");
    let note = format!("{:.0} times less than the forerunner", FORERUNNER_CPU_MS / cpu);
    report.add(row.at_most(FORERUNNER_CPU_MS / 20.0).note(note));
    report.add(Row::new("B8", "memory of `stdio` after these calls", rss_mb(&client.pid())?, "MB"));
    client.end()
}

fn stopping(options: &Options, dir: &Path, report: &mut Report) -> Outcome<()> {
    let mut took = Vec::new();
    for _ in 0..options.rounds() {
        let daemon = Daemon::start(options, dir)?;
        std::thread::sleep(Duration::from_millis(300));
        took.push(daemon.stop()?);
    }
    report.add(Row::new("B10", "SIGTERM to the end, idle", median(&took), "s").at_most(1.0));
    Ok(())
}

pub(crate) fn run(options: &Options, report: &mut Report) -> Outcome<()> {
    crate::talk("B7, B8, B10: the real binary with three routers");
    let house = house(options)?;
    if options.wants("B7") {
        memory_and_first_answer(options, &house.dir, report)?;
    }
    if options.wants("B8") {
        lists(options, &house.dir, report)?;
        read_tool(options, &house, report)?;
    }
    if options.wants("B10") {
        stopping(options, &house.dir, report)?;
    }
    Ok(())
}
