//! Calls whose router is silent end in their own time and say where their work stands.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use events::{
    checkpoint::Signer,
    device::Environment,
    ids::CallId,
    log::EventLog,
    operation::Operation,
    plan::{GatePolicy, Rung},
    principal::Door,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    access::principal::Principal,
    changes::{dns::set_servers, risk},
    domain::{
        Command, Rules,
        testing::{NOON, agent, device_id, settings},
    },
    engine::{Engine, Options, Running},
    failure::{Code, Failure},
    projections::Views,
    routeros::{
        resources::dns::DnsSettings,
        testing::{Rig, Say, Wire, json},
        vault::{SealedStore, SecretKeyBytes, StoreAway, Vault},
    },
    tools::context::{Changed, Cx, Policy, Shared},
};

struct Nothing;

impl SealedStore for Nothing {
    fn sealed(&self, _: events::ids::CredentialId) -> Result<Option<Vec<u8>>, StoreAway> {
        Ok(None)
    }
}

/// A call of `update_dns_servers` by the local user, with one lab router behind a port; nobody carries jobs out.
async fn calling(port: u16, within: Duration) -> (Cx, Running) {
    let log = EventLog::in_memory(Signer::generate());
    let options = Options { rules: Rules::default(), snapshots: None };
    let (engine, running) = Engine::start(log, Views::default(), options);
    let add = Command::AddDevice {
        device_id: device_id("r1"),
        settings: settings("r1", 1, Environment::Lab),
        trust: None,
        logins: Vec::new(),
    };
    engine.submit(agent(), add).await.unwrap();
    let lanes = Rig::at(port).lanes;
    let shared = Shared {
        engine,
        reader: Arc::new(Arc::clone(&lanes)),
        prober: Arc::new(lanes),
        vault: Arc::new(Vault::new(SecretKeyBytes::generate().unwrap(), Arc::new(Nothing))),
        alone: std::sync::atomic::AtomicBool::new(false),
        policy: Policy {
            immediate_writes: vec![Environment::Lab],
            read_only: false,
            environment: None,
            list_output_schemas: true,
            allow_prod_topics: vec![],
            rollouts: crate::tools::rollout::Rollouts::default(),
            version: "0",
        },
    };
    let cx = Cx {
        correlation_id: String::new(),
        client: String::new(),
        shape: crate::tools::rollout::Shape::default(),
        ways: std::sync::Mutex::default(),
        shared: Arc::new(shared),
        principal: Principal::local(0, Door::Cli),
        call_id: CallId::from_parts(NOON, 1),
        tool: "update_dns_servers",
        devices: BTreeMap::new(),
        progress: None,
        cancel: CancellationToken::new(),
        deadline: tokio::time::Instant::now() + within,
    };
    (cx, running)
}

fn dns() -> DnsSettings {
    DnsSettings {
        servers: vec!["1.1.1.1".into()],
        dynamic_servers: Vec::new(),
        allow_remote_requests: false,
        cache_size_kib: None,
        cache_used_kib: None,
        max_udp_packet_size: None,
    }
}

async fn changed(cx: &Cx, dry_run: bool) -> Result<Changed, Failure> {
    changed_by(cx, dry_run, |_| {}).await
}

/// The same, with something else about its operation.
async fn changed_by(cx: &Cx, dry_run: bool, but: impl Fn(&mut Operation)) -> Result<Changed, Failure> {
    let device = cx.view(|views| views.state.devices[&device_id("r1")].clone());
    let mut operation = set_servers(&dns(), &["9.9.9.9".to_owned()]).unwrap().unwrap();
    but(&mut operation);
    cx.change(&device, "set".into(), risk(false, Environment::Lab), vec![operation], dry_run).await
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_job_goes_on_names_the_job_before_the_call_is_over() {
    let (cx, running) = calling(9, Duration::from_secs(60)).await;
    let failure = changed(&cx, false).await.unwrap_err();
    assert_eq!(failure.code, Code::DeadlineExceeded, "{failure}");
    assert!(!cx.time_left().is_zero(), "there is time left to say so");
    let details = failure.details.unwrap();
    let job = cx.view(|views| views.state.jobs.values().next().unwrap().clone());
    assert_eq!(details["job_id"], job.job_id.to_string());
    assert_eq!(details["plan_id"], job.plan_id.to_string());
    running.stop().await;
}

#[tokio::test]
async fn a_dry_run_submits_nothing() {
    let (cx, running) = calling(9, Duration::from_secs(60)).await;
    assert!(matches!(changed(&cx, true).await, Ok(Changed::DryRun(operations)) if operations.len() == 1));
    assert!(cx.view(|views| views.state.plans.is_empty()));
    running.stop().await;
}

#[tokio::test]
async fn a_risky_change_that_nothing_on_the_router_would_undo_is_refused() {
    let (cx, running) = calling(9, Duration::from_secs(60)).await;
    let failure = changed_by(&cx, false, |operation| {
        operation.risky = Some("it may cut us off".into());
        operation.undo.clear();
    });
    let failure = failure.await.unwrap_err();
    assert_eq!(failure.code, Code::UnsafeOperation, "{failure}");
    assert_eq!(failure.details.unwrap()["field"], "without_dead_man");
    assert!(cx.view(|views| views.state.plans.is_empty()));
    running.stop().await;
}

#[tokio::test]
async fn a_risky_change_is_made_under_a_timed_undo_and_watched() {
    let wire = Wire::saying(json("200 OK", "{\"mode\":\"home\",\"scheduler\":\"false\"}")).await;
    let (cx, running) = calling(wire.port, Duration::from_secs(3)).await;
    let risky = |operation: &mut Operation| operation.risky = Some("it may cut us off".into());
    let failure = changed_by(&cx, false, risky).await.unwrap_err();
    assert_eq!(failure.code, Code::DeadlineExceeded, "nobody carries jobs out here: {failure}");
    let plan = cx.view(|views| views.state.plans.values().next().unwrap().plan.clone());
    let dead_man = plan.waves[0][0].dead_man.clone().unwrap();
    assert_eq!((dead_man.rung, dead_man.seconds), (Rung::TimerJob, 120));
    assert_eq!(plan.rollout.gate, Some(GatePolicy::default()));
    assert_eq!(plan.rollout.soak_seconds, 0);
    running.stop().await;
}

#[tokio::test]
async fn a_silent_router_is_said_before_the_call_is_over() {
    let wire = Wire::start(vec![vec![Say::Wait(Arc::new(Notify::new()))]]).await;
    let (cx, running) = calling(wire.port, Duration::from_secs(1)).await;
    let id = device_id("r1");
    let failure = cx.router(&id).read::<DnsSettings>().await.unwrap_err();
    assert_eq!((failure.code, failure.device_id.as_ref()), (Code::DeviceTimeout, Some(&id)), "{failure}");
    assert!(!cx.time_left().is_zero(), "there is time left to say so");
    running.stop().await;
}

#[tokio::test]
async fn a_call_that_is_taken_back_ends_at_once() {
    let wire = Wire::start(vec![vec![Say::Wait(Arc::new(Notify::new()))]]).await;
    let (cx, running) = calling(wire.port, Duration::from_secs(3600)).await;
    let id = device_id("r1");
    let router = cx.router(&id);
    let reading = router.read::<DnsSettings>();
    cx.cancel.cancel();
    assert_eq!(reading.await.unwrap_err().code, Code::Cancelled);
    running.stop().await;
}

#[tokio::test]
async fn an_answer_of_another_menu_is_not_believed() {
    let wire = Wire::saying(json("200 OK", "{\"name\":\"r\"}")).await;
    let (cx, running) = calling(wire.port, Duration::from_secs(60)).await;
    let failure = cx.router(&device_id("r1")).read::<DnsSettings>().await.unwrap_err();
    assert_eq!(failure.code, Code::DeviceGarbled, "{failure}");
    running.stop().await;
}
