//! What is done to a store and its router while the process may be killed at any point.

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::json;

use crate::crash::rig::{Daemon, Device, Site, What};

/// One story. It is told the same way whether or not the process dies in it.
pub struct Scenario {
    pub name: &'static str,
    /// Which of the site's routers.
    pub device: Device,
    /// What is changed.
    pub what: What,
    /// The first process dies here, before the story begins with the second one.
    pub prior: Option<&'static str>,
    /// What is done. Requests to a dead process simply have no answer.
    pub act: fn(&Site<'_>, &mut Daemon),
    /// The change may be refused for good (then nothing must have changed).
    pub may_fail: bool,
    /// The file size limit's signal is ignored, so that writes fail instead of killing.
    pub limited: bool,
}

const PLAIN: Scenario = Scenario {
    name: "plain write",
    device: Device::Lab,
    what: What::Servers,
    prior: None,
    act: |site, daemon| site.make_change(daemon),
    may_fail: false,
    limited: false,
};

/// All stories; for a point that several reach, the first one counts.
pub const SCENARIOS: &[Scenario] = &[
    PLAIN,
    Scenario {
        name: "lost answer",
        act: |site, daemon| {
            site.fault(&json!({ "fault": "drop_answer_after_apply", "method": "POST", "path_prefix": "/rest/ip/dns/set", "times": 1 }));
            site.make_change(daemon);
        },
        ..PLAIN
    },
    Scenario {
        name: "lost request",
        act: |site, daemon| {
            site.fault(&json!({ "fault": "drop_before_apply", "method": "POST", "path_prefix": "/rest/ip/dns/set", "times": 1 }));
            site.make_change(daemon);
        },
        ..PLAIN
    },
    Scenario {
        name: "refused by the router",
        act: |site, daemon| {
            site.fault(&json!({ "fault": "refuse_writes", "detail": "failure: not now", "times": 1 }));
            site.make_change(daemon);
        },
        may_fail: true,
        ..PLAIN
    },
    Scenario {
        name: "login turned away",
        act: |site, daemon| {
            site.fault(&json!({ "fault": "status", "status": 401, "method": "POST", "path_prefix": "/rest/ip/dns/set", "times": 1 }));
            site.make_change(daemon);
        },
        may_fail: true,
        ..PLAIN
    },
    Scenario {
        name: "resumed after the write was taken",
        prior: Some("lane.write.after_head"),
        act: |site, daemon| site.await_settled(daemon),
        ..PLAIN
    },
    Scenario {
        name: "resumed before the write was sent",
        prior: Some("runner.after_begin"),
        act: |site, daemon| site.await_settled(daemon),
        ..PLAIN
    },
    Scenario {
        name: "stale plan of a person's approval",
        device: Device::Prod,
        act: |site, daemon| site.approve_what_is_stale(daemon),
        may_fail: true,
        ..PLAIN
    },
    Scenario {
        name: "router away after the write",
        act: |site, daemon| {
            site.fault(&json!({ "fault": "latency", "ms": 700, "method": "POST", "path_prefix": "/rest/ip/dns/set", "times": 1 }));
            site.make_change_while(daemon, || {
                site.fault(
                    &json!({ "fault": "reset_connection", "method": "GET", "path_prefix": "/rest/ip/dns" }),
                );
            });
            site.heal();
            site.await_settled(daemon);
        },
        ..PLAIN
    },
    Scenario { name: "record added", what: What::Member, ..PLAIN },
    Scenario {
        name: "record added, lost answer",
        what: What::Member,
        act: |site, daemon| {
            site.fault(&json!({ "fault": "drop_answer_after_apply", "method": "PUT", "times": 1 }));
            site.make_change(daemon);
        },
        ..PLAIN
    },
    Scenario {
        name: "record added, resumed after the write was taken",
        what: What::Member,
        prior: Some("lane.write.after_head"),
        act: |site, daemon| site.await_settled(daemon),
        ..PLAIN
    },
    Scenario {
        name: "risky rule under a timed undo",
        what: What::Rule,
        act: |site, daemon| site.approve_and_start(daemon, || {}),
        may_fail: true,
        ..PLAIN
    },
    Scenario {
        name: "router away before the write",
        device: Device::Prod,
        act: |site, daemon| {
            site.approve_and_start(daemon, || {
                site.fault(
                    &json!({ "fault": "reset_connection", "method": "GET", "path_prefix": "/rest/ip/dns" }),
                );
            });
        },
        may_fail: true,
        ..PLAIN
    },
    Scenario { name: "new login", act: |site, daemon| site.renew_login(daemon), ..PLAIN },
    Scenario {
        name: "many records before a write",
        act: |site, daemon| {
            // Enough commits in a row for one that also flushes histories and tiles.
            for _ in 0..70 {
                let _ = daemon.tool("device_edit", &json!({ "device_id": site.device(), "critical": false }));
            }
            site.make_change(daemon);
        },
        ..PLAIN
    },
    Scenario {
        name: "disk that refuses",
        act: |site, daemon| {
            limit(daemon, Some(0));
            let _ = daemon.tool(site.change().0, &site.change().1);
            limit(daemon, None);
            daemon.until_ready();
            site.make_change(daemon);
        },
        limited: true,
        ..PLAIN
    },
    Scenario {
        name: "killed from outside while the router works",
        act: |site, daemon| {
            site.fault(&json!({ "fault": "latency", "ms": 700, "method": "POST", "path_prefix": "/rest/ip/dns/set", "times": 1 }));
            let process = process(daemon);
            site.make_change_while(daemon, || {
                // It may be dead already, where a point killed it.
                let _ = kill_process(process, Signal::KILL);
            });
        },
        ..PLAIN
    },
];

fn process(daemon: &Daemon) -> Pid {
    Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap()
}

/// The daemon may write no byte of any file beyond so many; none takes the limit away.
fn limit(daemon: &Daemon, bytes: Option<u64>) {
    // A process that was killed has no limits.
    let _ = prlimit(Some(process(daemon)), Resource::Fsize, Rlimit { current: bytes, maximum: None });
}
