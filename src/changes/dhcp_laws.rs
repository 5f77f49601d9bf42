//! What every change of pools must keep, in its own menus and between them: no step, there or back, leaves a server
//! without its pool, two servers on an interface, or two records with one name.

use std::collections::BTreeSet;

use events::operation::{Action, Operation};
use proptest::{option, prelude::*, sample::select};

use super::{
    Proposal, Refused,
    dhcp::{NETWORK, POOL, SERVER, STATIC_ONLY, Tables, text},
    guard::Way,
    play::{laws, play},
};
use crate::{failure::Code, routeros::port::Row};

/// Records from lines `name=value …`, with ids.
pub fn rows(lines: &[&str]) -> Vec<Row> {
    let row = |(n, line): (usize, &&str)| {
        let pairs = line.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let id = std::iter::once((".id", format!("*{:X}", n + 1)));
        let told = pairs.map(|(name, value)| (name, value.to_owned()));
        id.chain(told).map(|(name, value)| (name.to_owned(), value)).collect()
    };
    lines.iter().enumerate().map(row).collect()
}

/// A router that we reach from afar.
pub fn tables(pools: &[&str], networks: &[&str], servers: &[&str], addresses: &[&str]) -> Tables {
    Tables {
        pools: rows(pools),
        networks: rows(networks),
        servers: rows(servers),
        addresses: rows(addresses),
        way: Way {
            to: "203.0.113.1".parse().unwrap(),
            port: 443,
            from: vec!["198.51.100.9".parse().unwrap()],
            direct: true,
            interface: None,
        },
    }
}

/// The code of a refusal.
pub fn code(result: Result<Proposal, Refused>) -> Code {
    result.unwrap_err().code
}

/// What is sent, one line a request.
pub fn sent(proposal: &Proposal) -> Vec<String> {
    let told = |properties: &[(String, String)]| {
        properties.iter().map(|(name, value)| format!(" {name}={value}")).collect::<String>()
    };
    let line = |action: &Action| match action {
        Action::Add { menu, properties } => format!("add {menu}{}", told(properties)),
        Action::Set { menu, id, properties } => format!("set {menu} {id}{}", told(properties)),
        Action::Remove { menu, id } => format!("remove {menu} {id}"),
        other => panic!("{other:?}"),
    };
    proposal.operations.iter().map(|operation| line(&operation.action)).collect()
}

/// Plays all there and back, menu by menu and all together.
pub fn there_and_back(tables: &Tables, proposal: &Proposal) {
    let whole = [&tables.pools, &tables.networks, &tables.servers].map(Vec::clone);
    for (menu, rows) in [POOL, NETWORK, SERVER].iter().zip(&whole) {
        let of_menu = |operation: &&Operation| operation.action.menu() == menu.path;
        let operations: Vec<Operation> = proposal.operations.iter().filter(of_menu).cloned().collect();
        laws::there_and_back(menu, rows, &operations);
    }
    let mut now = whole;
    assert_whole(&now, "before");
    for (n, operation) in proposal.operations.iter().enumerate() {
        step(&mut now, &operation.action, &format!("*A{n}"));
    }
    for (n, operation) in proposal.operations.iter().enumerate().rev() {
        step(&mut now, &operation.undo[0].on_found(&format!("*A{n}")), &format!("*B{n}"));
    }
}

fn step(now: &mut [Vec<Row>; 3], action: &Action, new_id: &str) {
    let at = [POOL, NETWORK, SERVER].iter().position(|menu| menu.path == action.menu()).unwrap();
    now[at] = play(&now[at], action, new_id);
    assert_whole(now, &format!("after {action:?}"));
}

fn assert_whole([pools, networks, servers]: &[Vec<Row>; 3], when: &str) {
    let names: BTreeSet<&str> = pools.iter().map(|pool| text(pool, "name")).collect();
    for server in servers {
        let pool = text(server, "address-pool");
        assert!(pool == STATIC_ONLY || names.contains(pool), "{when}: {server:?} has no pool");
    }
    for pool in pools {
        let next = text(pool, "next-pool");
        assert!(matches!(next, "" | "none") || names.contains(next), "{when}: {pool:?} has no next pool");
    }
    for (rows, name) in [(pools, "name"), (servers, "name"), (servers, "interface"), (networks, "address")] {
        let values: BTreeSet<&str> = rows.iter().map(|row| text(row, name)).collect();
        assert_eq!(values.len(), rows.len(), "{when}: {name} twice");
    }
}

/// Pools, networks and servers of a router that is whole: pool n is of network 10.0.n.0/24.
pub fn any_tables() -> impl Strategy<Value = (Vec<Row>, Vec<Row>, Vec<Row>)> {
    let maybe = |name: &'static str, values: &'static [&'static str]| {
        option::of(select(values)).prop_map(move |value| value.map(|value| format!(" {name}={value}")))
    };
    let one = (
        any::<[bool; 4]>(),
        maybe("comment", &["a", "ünï"]),
        (
            maybe("gateway", &["10.0.0.1", "10.0.1.1", "10.0.2.254"]),
            maybe("dns-server", &["9.9.9.9,1.1.1.1"]),
        ),
        (maybe("caps-manager", &[""]), maybe("netmask", &["24"]), maybe("ntp-none", &["true"])),
        (
            maybe("lease-time", &["30m", "1d", "00:10:00"]),
            maybe("relay", &["0.0.0.0"]),
            maybe("disabled", &["true", "false"]),
        ),
        (
            maybe("use-radius", &["no", "accounting"]),
            maybe("address-lists", &["", "a,b"]),
            maybe("authoritative", &["after-2s-delay"]),
        ),
    );
    proptest::collection::vec(one, 0..4).prop_map(|all| {
        let (mut pools, mut networks, mut servers) = (Vec::new(), Vec::new(), Vec::new());
        let said = |parts: &[&Option<String>]| {
            parts.iter().map(|part| part.as_deref().unwrap_or("")).collect::<String>()
        };
        for (n, ([pool, more, network, server], comment, told, rare, times, others)) in all.iter().enumerate()
        {
            if *pool {
                let ranges = if *more {
                    format!("10.0.{n}.100-10.0.{n}.149,10.0.{n}.160/29")
                } else {
                    format!("10.0.{n}.100-10.0.{n}.199")
                };
                pools.push(format!("name=p{n} ranges={ranges} used=3{}", said(&[comment])));
            }
            if *network {
                let rest = said(&[&told.0, &told.1, &rare.0, &rare.1, &rare.2]);
                networks.push(format!("address=10.0.{n}.0/24 dynamic=false{rest}"));
            }
            if *server {
                let from = if *pool { format!("p{n}") } else { STATIC_ONLY.to_owned() };
                let rest = said(&[&times.0, &times.1, &times.2, &others.0, &others.1, &others.2, comment]);
                servers.push(format!("name=d{n} interface=v{n} address-pool={from} invalid=false{rest}"));
            }
        }
        let rows_of = |lines: &[String]| rows(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        (rows_of(&pools), rows_of(&networks), rows_of(&servers))
    })
}
