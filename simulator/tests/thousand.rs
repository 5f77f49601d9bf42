//! A thousand boxes in one process, in less memory than a browser tab.

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
