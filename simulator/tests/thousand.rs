//! Thousands of boxes in one process, in less memory than a browser tab.

use simulator::{Fleet, demo_fleet};

mod support;

fn resident_mb() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096 / 1_000_000
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_boxes_start_answer_and_stay_small() {
    let specs = demo_fleet(1_000).into_iter().map(simulator::BoxSpec::plain).collect();
    let fleet = Fleet::start(specs).await.expect("a thousand ports");
    // What a poller reads from every box.
    for router in fleet.routers() {
        let client = support::Client::ro(router);
        for path in ["/rest/system/resource", "/rest/system/identity", "/rest/interface", "/rest/ip/route"] {
            assert_eq!(client.get(path).await.status, 200);
        }
    }
    assert!(resident_mb() < 300, "{} MB", resident_mb());
    fleet.stop().await;
    // The same with a key each.
    let fleet = Fleet::start(demo_fleet(1_000)).await.expect("a thousand ports");
    let mut keys: Vec<_> =
        fleet.routers().iter().map(|router| router.spki_sha256().expect("a key")).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 1_000);
    assert!(resident_mb() < 300, "{} MB", resident_mb());
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_times_fifty_are_seen_at_one_glance() {
    let specs = demo_fleet(2_500).into_iter().map(simulator::BoxSpec::plain).collect();
    let fleet = Fleet::start(specs).await.expect("as many ports");
    for router in fleet.routers() {
        router.change_behind_back("/ip/dns", None, &[("servers", "9.9.9.9")]).expect("a change");
    }
    let control = fleet.serve_control("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    let client = support::Client { address: control, login: String::new() };
    assert_eq!(client.get("/boxes").await.json().as_array().map(Vec::len), Some(2_500));
    let truth = client.get("/truth?path=/ip/dns").await.json();
    let truth = truth.as_object().expect("one entry a box");
    assert_eq!(truth.len(), 2_500);
    assert!(truth.values().all(|rows| rows[0]["servers"] == "9.9.9.9"));
    assert_eq!(client.get("/writes").await.text(), "[]", "nobody sent anything");
    assert!(resident_mb() < 300, "{} MB", resident_mb());
    fleet.stop().await;
}
