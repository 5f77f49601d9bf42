//! Undos that live on the router: timer jobs and scheduler entries, and what they survive.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{BoxSpec, Fault, Fleet, FleetOptions, Profile, Router};

use crate::support::Client;
use crate::{one, one_at};

const JOBS: &str = "/rest/system/script/job";
const SCHEDULER: &str = "/rest/system/scheduler";

async fn arm(client: &Client, script: &str) -> String {
    let armed = client.post("/rest/execute", json!({ "script": script })).await;
    assert_eq!(armed.status, 200, "{}", armed.text());
    armed.json()["ret"].as_str().unwrap().to_owned()
}

fn entry(interval: &str, on_event: &str) -> Option<Value> {
    Some(json!({"name": "mcp-undo", "interval": interval, "on-event": on_event}))
}

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(seen: impl Fn() -> bool) {
    let seeing = async {
        while !seen() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seeing).await.expect("it is never seen");
}

fn identity(router: &Router) -> String {
    router.read("/system/identity")[0]["name"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_listed_at_once_and_says_whose_it_is() {
    let (fleet, _) = one_at(Profile::Ccr7_24, 0.001).await;
    let router = fleet.routers()[0].clone();
    let client = Client::rw(&router);
    let id = arm(&client, ":delay 120s; /ip/dns/set servers=192.0.2.1").await;
    let jobs = client.get(JOBS).await.rows();
    assert_eq!(jobs.len(), 1);
    let job = &jobs[0];
    assert_eq!(
        (&job[".id"], &job["owner"], &job["type"]),
        (&json!(id), &json!("appliance-rw"), &json!("command"))
    );
    assert_eq!(job["started"].as_str().unwrap().len(), "2026-09-28 16:48:57".len());
    assert!(
        job["policy"].as_str().unwrap().contains("write")
            && job["script"].is_null()
            && job["parent"].is_null()
    );
    assert_eq!(client.get(&format!("{JOBS}/{id}")).await.json()[".id"], id.as_str());
    // A job that starts another is its parent.
    let parent = arm(&client, ":execute \":delay 50s\"; :delay 60s").await;
    until(|| router.read("/system/script/job").len() == 3).await;
    let child = router.read("/system/script/job").into_iter().find(|job| job.contains_key("parent")).unwrap();
    assert_eq!(child["parent"], parent.as_str());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_asks_for_no_connection_no_login_and_no_link() {
    let (fleet, client) = one_at(Profile::Ccr7_24, 1_000.0).await;
    let router = fleet.routers()[0].clone();
    // Ten minutes and more: the login that armed it is long gone.
    arm(&client, ":delay 15m; /system/identity/set name=late").await;
    router.cut_link(None);
    router.change_behind_back("/user", Some("admin"), &[("disabled", "yes")]).unwrap();
    until(|| identity(&router) == "late").await;
    assert_eq!(router.reachable(), (false, false), "the link is still dead");
    assert!(router.read("/system/script/job").is_empty());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_away_it_stops_between_two_statements() {
    let (fleet, client) = one_at(Profile::Ccr7_24, 20.0).await;
    let router = fleet.routers()[0].clone();
    let id =
        arm(&client, "/system/identity/set name=first; :delay 60s; /system/identity/set name=second").await;
    until(|| identity(&router) == "first").await;
    assert_eq!(client.call("DELETE", &format!("{JOBS}/{id}"), None).await.status, 204);
    assert_eq!(client.get(JOBS).await.text(), "[]");
    // Another timer of the same length runs out later than the first would have.
    arm(&client, ":delay 61s; /ip/dns/set servers=9.9.9.9").await;
    until(|| router.read("/ip/dns")[0]["servers"] == "9.9.9.9").await;
    assert_eq!(identity(&router), "first");
    // `remove` by command, from REST and from a script.
    let id = arm(&client, ":delay 1d").await;
    assert_eq!(client.post(&format!("{JOBS}/remove"), json!({"numbers": id})).await.text(), "[]");
    let id = arm(&client, ":delay 1d").await;
    arm(&client, &format!("/system/script/job/remove {id}")).await;
    until(|| router.read("/system/script/job").is_empty()).await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_takes_jobs_and_leaves_entries() {
    let spec = BoxSpec::new("box", Profile::Ccr7_24).plain();
    // Eight seconds for what must be done before the job is due: machines are busy.
    let options = FleetOptions { clock_scale: 20.0, boot_race: Duration::ZERO, ..FleetOptions::default() };
    let fleet = Fleet::start_with(vec![spec], options).await.unwrap();
    let router = fleet.routers()[0].clone();
    let client = Client::admin(&router);
    arm(&client, ":delay 160s; /ip/dns/set servers=8.8.8.8").await;
    let undo = "/system/identity/set name=restored; /system/scheduler/remove [find where name=\"mcp-undo\"]";
    let added = client.call("PUT", SCHEDULER, entry("3m", undo)).await;
    assert_eq!(added.status, 201);
    assert_eq!((&added.json()["owner"], &added.json()["run-count"]), (&json!("admin"), &json!("0")));
    // Both as date and time: a time alone stands before or after a date as the hour has it.
    let text = |name: &str| added.json()[name].as_str().unwrap().to_owned();
    assert!(text("next-run") > format!("{} {}", text("start-date"), text("start-time")));
    router.reboot(Duration::from_millis(100)).await;
    assert!(router.read("/system/script/job").is_empty());
    assert_eq!(router.read("/system/scheduler").len(), 1);
    router.is_up().await;
    until(|| identity(&router) == "restored").await;
    until(|| router.read("/system/scheduler").is_empty()).await;
    // The job would have been due twenty seconds before the entry.
    assert_eq!(router.read("/ip/dns")[0]["servers"], "192.0.2.1");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reboot_another_script_has_the_id_of_a_lost_one() {
    let spec = BoxSpec::new("box", Profile::Ccr7_24).plain();
    let options = FleetOptions { clock_scale: 10.0, boot_race: Duration::ZERO, ..FleetOptions::default() };
    let fleet = Fleet::start_with(vec![spec], options).await.unwrap();
    let router = fleet.routers()[0].clone();
    let lost = arm(&Client::rw(&router), ":delay 1d").await;
    let later = arm(&Client::rw(&router), ":delay 1d").await;
    assert_ne!(lost, later);
    router.reboot(Duration::from_millis(100)).await;
    router.is_up().await;
    let another = arm(&Client::admin(&router), ":delay 1d").await;
    assert_eq!(another, lost);
    assert_eq!(router.read("/system/script/job")[0]["owner"], "admin");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_may_not_execute() {
    let (fleet, _) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let client = Client::ro(&router);
    for body in [json!({ "script": ":put 1" }), json!({ "script": ":put 1", "as-string": "yes" })] {
        let refused = client.post("/rest/execute", body).await;
        assert_eq!(refused.status, 500);
        assert!(refused.text().contains("not enough permissions"), "{}", refused.text());
    }
    assert!(router.read("/system/script/job").is_empty());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_lost_at_the_very_request() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    arm(&client, ":delay 1d").await;
    let fault = Fault::Reboot(Duration::from_millis(50));
    router.inject(fault.on("POST", "/rest/ip/dns").times(1));
    let told = client.try_call("POST", "/rest/ip/dns/set", Some(json!({"servers": "9.9.9.9"}))).await;
    assert!(told.is_none(), "nobody was told");
    until(|| router.read("/system/script/job").is_empty()).await;
    router.is_up().await;
    assert_eq!(router.read("/ip/dns")[0]["servers"], "9.9.9.9", "done before the power went");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_schedule_and_where() {
    let specs = vec![
        BoxSpec::new("core", Profile::Ccr7_24).plain(),
        BoxSpec::new("home", Profile::Hex7_16_2).plain(),
    ];
    let options = FleetOptions { clock_scale: 100.0, boot_race: Duration::ZERO, ..FleetOptions::default() };
    let fleet = Fleet::start_with(specs, options).await.unwrap();
    let (core, home) = (&fleet.routers()[0], &fleet.routers()[1]);
    let event = ":log info \"x\"";
    let refused = Client::rw(core).call("PUT", SCHEDULER, entry("20s", event)).await;
    assert_eq!((refused.status, refused.detail().as_str()), (500, "not enough permissions (9)"));
    assert_eq!(Client::admin(core).call("PUT", SCHEDULER, entry("20s", event)).await.status, 201);
    let refused = Client::admin(home).call("PUT", SCHEDULER, entry("20s", event)).await;
    assert_eq!((refused.status, refused.detail().as_str()), (500, "failure: not allowed by device-mode"));
    let add = format!("/system/scheduler/add name=x interval=1m on-event=\"{}\"", event.replace('"', "\\\""));
    let told = crate::scripts::said(&Client::admin(home), &add).await;
    assert_eq!(told, "failure: not allowed by device-mode", "in a script as well");
    assert!(home.read("/system/scheduler").is_empty());
    // An entry that was there before the mode was changed is shown as what it is, and never runs.
    let row = [
        ("name", "old"),
        ("interval", "1s"),
        ("on-event", "/system/identity/set name=ran"),
        ("owner", "admin"),
        ("policy", "read,write"),
        ("run-count", "0"),
        ("~start_ms", "0"),
    ];
    let row = row.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    home.plant("/system/scheduler", vec![row]);
    home.reboot(Duration::from_millis(20)).await;
    home.is_up().await;
    let shown = home.read("/system/scheduler");
    assert_eq!(shown[0][".about"], "inactivated, not allowed by device-mode");
    // The timer job works in every mode.
    arm(&Client::rw(home), ":delay 30s; /ip/dns/set servers=9.9.9.9").await;
    until(|| home.read("/ip/dns")[0]["servers"] == "9.9.9.9").await;
    assert_eq!(
        (identity(home).as_str(), &home.read("/system/scheduler")[0]["run-count"]),
        ("home", &json!("0"))
    );
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_runs_with_its_own_policies_and_at_its_time() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    let weak = json!({"name": "weak", "interval": "5s", "policy": "read", "on-event": "/system/identity/set name=ran"});
    let later = json!({"name": "later", "start-date": "2099-01-01", "start-time": "00:00:00", "on-event": ":log info \"x\""});
    let at_boot = json!({"name": "boot", "start-time": "startup", "on-event": "/ip/dns/set servers=1.1.1.1"});
    let wrong = json!({"name": "wrong", "start-time": "noon", "on-event": ""});
    for (entry, status) in [(weak, 201), (later, 201), (at_boot, 201), (wrong, 400)] {
        assert_eq!(client.call("PUT", SCHEDULER, Some(entry)).await.status, status);
    }
    let of =
        |name: &str| router.read("/system/scheduler").into_iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(of("later")["next-run"], "2099-01-01 00:00:00");
    assert!(of("boot").get("next-run").is_none());
    let complained = || {
        router
            .read("/log")
            .iter()
            .any(|row| row["message"] == "executing script failed: not enough permissions (9)")
    };
    until(complained).await;
    assert_eq!(identity(&router), "box");
    let runs = of("weak")["run-count"].as_str().unwrap().parse::<u32>().unwrap();
    assert!(runs > 0);
    // Switched off it does not run, switched on it goes on with its next turn.
    client.post(&format!("{SCHEDULER}/disable"), json!({"numbers": "weak"})).await;
    assert!(of("weak").get("next-run").is_none());
    router.reboot(Duration::from_millis(20)).await;
    until(|| router.read("/ip/dns")[0]["servers"] == "1.1.1.1").await;
    fleet.stop().await;
}

/// A change that shuts us out, and the undo that was armed before it.
async fn shut_out_and_back(arm: impl AsyncFn(&Client, &str)) {
    let undo = ":if ([:len [/ip/address/find where address=\"192.0.2.10/24\" interface=\"ether1\"]] = 0) do={ \
                /ip/address/add address=192.0.2.10/24 interface=ether1 comment=\"uplink\" }";
    // Ten seconds to be shut out before the undo is due: machines are busy.
    let (fleet, client) = one_at(Profile::Ccr7_24, 60.0).await;
    let router = fleet.routers()[0].clone();
    arm(&client, undo).await;
    assert_eq!(router.reachable(), (true, true));
    let fatal = tokio::spawn({
        let client = client.clone();
        async move { client.call("DELETE", "/rest/ip/address/*1", None).await }
    });
    until(|| router.reachable() == (false, false)).await;
    // Nobody does anything; the router opens itself again, and what was sent meanwhile arrives.
    assert_eq!(client.get("/rest/system/identity").await.status, 200);
    assert_eq!(fatal.await.unwrap().status, 204);
    assert_eq!(router.reachable(), (true, true));
    let back: Vec<_> =
        router.read("/ip/address").into_iter().filter(|row| row["address"] == "192.0.2.10/24").collect();
    assert_eq!((back.len(), &back[0]["comment"]), (1, &json!("uplink")));
    until(|| router.read("/system/scheduler").is_empty() && router.read("/system/script/job").is_empty())
        .await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_job_brings_the_way_back() {
    shut_out_and_back(async |client, undo| {
        arm(client, &format!(":delay 10m; {undo}")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_entry_brings_the_way_back() {
    shut_out_and_back(async |client, undo| {
        let event = format!("{undo}; /system/scheduler/remove [find where name=\"mcp-undo\"]");
        assert_eq!(client.call("PUT", SCHEDULER, entry("10m", &event)).await.status, 201);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_dies_and_heals() {
    let (fleet, client) = one(Profile::Ccr7_24).await;
    let router = fleet.routers()[0].clone();
    // After the write: it is done, and its answer comes when the link is back.
    let dies = Fault::LinkDies { before: false, heals_after: Some(Duration::from_secs(30)) };
    router.inject(dies.on("POST", "/rest/ip/dns").times(1));
    let since = router.router_time();
    assert_eq!(client.post("/rest/ip/dns/set", json!({"servers": "9.9.9.9"})).await.status, 200);
    assert!(router.router_time() >= since + Duration::from_secs(30));
    // Before the write: it is not done until then.
    let dies = Fault::LinkDies { before: true, heals_after: None };
    router.inject(dies.on("POST", "/rest/ip/dns").times(1));
    let write = tokio::spawn({
        let client = client.clone();
        async move { client.post("/rest/ip/dns/set", json!({"servers": "1.1.1.1"})).await }
    });
    until(|| router.link_is_dead()).await;
    assert_eq!(router.read("/ip/dns")[0]["servers"], "9.9.9.9");
    router.mend_link();
    assert_eq!(write.await.unwrap().status, 200);
    assert_eq!(router.read("/ip/dns")[0]["servers"], "1.1.1.1");
    // For ever, until somebody mends it.
    router.cut_link(None);
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.get("/rest/ip/dns").await.status }
    });
    let cut = router.router_time();
    until(|| router.router_time() > cut + Duration::from_secs(60)).await;
    assert!(router.link_is_dead() && !asked.is_finished());
    router.mend_link();
    assert_eq!(asked.await.unwrap(), 200);
    fleet.stop().await;
}
