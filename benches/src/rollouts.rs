//! B9: whole rollouts with the real binary: five at once over 50 routers each, 50 at once over 50 each, and one plan as
//! large as plans may be. No pause and no soak, so that what is left is work.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    Options, Outcome,
    measure::cpu_of,
    process::{Daemon, Http, Routers, appliance, asked, peak_mb, rss_mb},
    report::{Report, Row},
};

/// Routers of one rollout: as many as a plan may have.
const DEVICES: usize = 50;
/// Longer than any of these rollouts.
const PATIENCE: Duration = Duration::from_secs(900);
/// How often it is asked whether they are over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A step: begin, write, read back, judge (PERFORMANCE B9).
const STEP_MS_MAX: f64 = 5.0;

/// A house with many routers, and the people of a rollout.
struct House {
    routers: Routers,
    daemon: Daemon,
    http: Http,
    admin: String,
    approver: String,
}

impl House {
    fn open(options: &Options, name: &str, count: usize) -> Outcome<Self> {
        let dir = options.dir.join(name);
        let routers = Routers::start(options, count)?;
        let made = asked(appliance(options, &dir).args(["init", "--json"]))?;
        let admin = made["admin_token"].as_str().ok_or("init told no token")?.to_owned();
        let daemon = Daemon::start(options, &dir)?;
        let http = Http::open(&daemon.address)?;
        let mut house = Self { routers, daemon, http, admin, approver: String::new() };
        for (n, (_, address)) in house.routers.boxes.clone().into_iter().enumerate() {
            let (ip, port) = address.rsplit_once(':').ok_or("an address without a port")?;
            house.tool(
                "device_add",
                &json!({
                    "device_id": device(n), "management_ip": ip, "management_port": port.parse::<u16>()?,
                    "environment": "lab", "trust": { "plain_http": true },
                    "allow": ["advanced_writes", "professional_workflows", "firewall_writes"],
                    "username": "appliance-rw", "password": "rw-secret",
                }),
            )?;
        }
        let person = json!({
            "label": "Ada", "role": "approver", "personal": true, "environments": ["lab"], "device_scopes": ["*"],
        });
        let made = house.tool("token_create", &person)?;
        house.approver = made["token"].as_str().ok_or("no token")?.to_owned();
        Ok(house)
    }

    fn ask(&mut self, method: &str, path: &str, token: &str, body: &Value) -> Outcome<Value> {
        let bearer = format!("Bearer {token}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.http.ask(method, path, &bearer, &body)?;
        let answer: Value = serde_json::from_slice(&answer)?;
        if status == 200 { Ok(answer) } else { Err(format!("{path}: {answer}").into()) }
    }

    fn tool(&mut self, name: &str, params: &Value) -> Outcome<Value> {
        let admin = self.admin.clone();
        self.ask("POST", &format!("/api/tools/{name}"), &admin, params)
    }

    /// A plan that a person approved; its id.
    fn approved(&mut self, tool: &str, params: &Value) -> Outcome<String> {
        let plan = self.tool(tool, params)?;
        let plan_id = plan["plan_id"].as_str().ok_or("no plan")?.to_owned();
        let approver = self.approver.clone();
        let yes = json!({ "plan_hash": plan["plan_hash"] });
        self.ask("POST", &format!("/api/plans/{plan_id}/approve"), &approver, &yes)?;
        Ok(plan_id)
    }

    fn running(&mut self) -> Outcome<bool> {
        let bearer = format!("Bearer {}", self.admin);
        let (_, text) = self.http.get("/metrics", &bearer)?;
        Ok(!String::from_utf8_lossy(&text).lines().any(|line| line == "appliance_jobs_running 0"))
    }

    /// Starts plans one right after the other and waits until all are over; each must have been carried out whole.
    fn carried_out(&mut self, plans: &[String]) -> Outcome<Figures> {
        let pid = self.daemon.pid();
        let (cpu, begun) = (cpu_of(&pid), Instant::now());
        for plan in plans {
            let admin = self.admin.clone();
            self.ask("POST", &format!("/api/plans/{plan}/start"), &admin, &json!({}))?;
        }
        while self.running()? {
            if begun.elapsed() > PATIENCE {
                return Err("the rollouts do not end".into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_of(&pid) - cpu);
        for plan in plans {
            let admin = self.admin.clone();
            let details = self.ask("GET", &format!("/api/plans/{plan}"), &admin, &Value::Null)?;
            if details["status"] != "completed" {
                return Err(format!("{plan} ended as {}", details["status"]).into());
            }
        }
        Ok(Figures { seconds, cpu_ms: cpu.as_secs_f64() * 1000.0, peak_mb: peak_mb(&pid)? })
    }
}

struct Figures {
    seconds: f64,
    cpu_ms: f64,
    peak_mb: f64,
}

fn device(n: usize) -> String {
    format!("r{n}")
}

/// So many rollouts of new name servers at once, 50 routers each.
#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn at_once(options: &Options, rollouts: usize, report: &mut Report) -> Outcome<()> {
    let what = format!("{rollouts} rollouts × {DEVICES} devices");
    crate::talk(&format!("B9: {what}"));
    let mut house = House::open(options, &format!("rollouts-{rollouts}"), rollouts * DEVICES)?;
    let resting = rss_mb(&house.daemon.pid())?;
    let mut plans = Vec::new();
    let begun = Instant::now();
    for rollout in 0..rollouts {
        let devices: Vec<String> = (rollout * DEVICES..(rollout + 1) * DEVICES).map(device).collect();
        let plan = json!({
            "device_ids": devices, "dns_servers": ["9.9.9.9", "1.1.1.1"],
            "pause_seconds_between_batches": 0, "soak_seconds": 0,
        });
        plans.push(house.approved("config_plan_dns_ntp_rollout", &plan)?);
    }
    let planning = begun.elapsed().as_secs_f64();
    let steps = (rollouts * DEVICES) as f64;
    let done = house.carried_out(&plans)?;
    report.add(
        Row::new("B9", format!("{what}: time"), done.seconds, "s")
            .note(format!("waves of 1, 5, 5, …; planned and approved before, in {planning:.1} s")),
    );
    let cpu = Row::new("B9", format!("{what}: processor time a device step"), done.cpu_ms / steps, "ms");
    report.add(
        cpu.at_most(STEP_MS_MAX).note("capture, write, read back, three looks of the gate; facts on disk"),
    );
    report.add(
        Row::new("B9", format!("{what}: memory, at most"), done.peak_mb, "MB")
            .note(format!("{resting:.0} MB before the first plan")),
    );
    Ok(())
}

/// One plan with nearly as many operations as plans may have.
fn large(options: &Options, report: &mut Report) -> Outcome<()> {
    let entries = if options.quick { 100 } else { 990 };
    crate::talk("B9: one large plan");
    let mut house = House::open(options, "rollout-large", 2)?;
    let members: Vec<Value> =
        (0..entries).map(|n| json!({ "address": format!("10.77.{}.{}", n / 250, n % 250 + 1) })).collect();
    let plan = json!({
        "device_ids": [device(0), device(1)], "list_name": "mcp-bench", "entries": members,
        "pause_seconds_between_batches": 0, "soak_seconds": 0,
    });
    let plan = house.approved("config_plan_address_list_sync", &plan)?;
    let done = house.carried_out(&[plan])?;
    let operations = f64::from(entries * 2);
    let what = format!("1 rollout of {operations} operations on 2 devices");
    let per = |figure: f64| figure / operations;
    report.add(Row::new("B9", format!("{what}: time an operation"), per(done.seconds * 1000.0), "ms"));
    let cpu = Row::new("B9", format!("{what}: processor time an operation"), per(done.cpu_ms), "ms");
    report.add(cpu.at_most(STEP_MS_MAX));
    report.add(Row::new("B9", format!("{what}: memory, at most"), done.peak_mb, "MB"));
    Ok(())
}

pub(crate) fn run(options: &Options, report: &mut Report) -> Outcome<()> {
    at_once(options, 5, report)?;
    if !options.quick {
        at_once(options, 50, report)?;
    }
    large(options, report)
}
