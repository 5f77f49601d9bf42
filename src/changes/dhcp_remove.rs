//! Removes a DHCP pool together with what is of no use without it.
//!
//! RouterOS removes a pool that is in use and leaves a dangling link behind, so whatever hands the pool out is dealt with
//! first. A server goes with its pool, unless static leases or matchers name it: those would be left dangling in their
//! turn, so such a server stays and hands out what is kept for known clients. What uses the pool otherwise is not for a
//! plan about DHCP to change: it is named, and nothing is planned.

use std::collections::BTreeSet;

use crate::{
    changes::{
        Proposal, Refused,
        dhcp::{
            NETWORK, Net, POOL, SERVER, STATIC_ONLY, Tables, may_cut_us, nets_on, network_of, servers_of,
            spans, text,
        },
        dhcp_modify::given_out,
        record::{self, id_of},
        span::Span,
    },
    routeros::{
        compat::Endpoint,
        port::Row,
        resources::{
            dhcp_lease::DhcpLease,
            pool_users::{DhcpMatcher, Hotspot, HotspotUserProfile, IpsecModeConfig, UsedAddress},
        },
        text::Untrusted,
    },
};

/// Removing, with its undo.
pub const REMOVE: [Endpoint; 7] = [
    Endpoint::remove(SERVER.path),
    SERVER.restore(),
    Endpoint::set(SERVER.path, &["address-pool"]),
    Endpoint::remove(NETWORK.path),
    NETWORK.restore(),
    Endpoint::remove(POOL.path),
    POOL.restore(),
];

/// A relay's address that stands for any relay.
const ANY_RELAY: &str = "255.255.255.255";

/// What can use a pool, besides pools and servers.
#[derive(Debug, Clone, Default)]
pub struct Users {
    /// `/ip/dhcp-server/lease`.
    pub leases: Vec<DhcpLease>,
    /// `/ip/dhcp-server/matcher`.
    pub matchers: Vec<DhcpMatcher>,
    /// `/ip/hotspot`.
    pub hotspots: Vec<Hotspot>,
    /// `/ip/hotspot/user/profile`.
    pub hotspot_profiles: Vec<HotspotUserProfile>,
    /// `/ip/ipsec/mode-config`.
    pub mode_configs: Vec<IpsecModeConfig>,
    /// `/ip/pool/used`.
    pub used: Vec<UsedAddress>,
}

/// Removes a pool: first the server stops, then its network goes if nothing else needs it, then the pool.
///
/// # Errors
/// `unsafe_operation` when something else uses the pool, or what could not be put back.
pub fn remove(tables: &Tables, pool_id: &str, users: &Users) -> Result<Proposal, Refused> {
    let pool = record::find(&POOL, &tables.pools, pool_id, "pool_id")?;
    let name = text(pool, "name");
    refuse_other_users(tables, name, users)?;
    let ranges = spans(pool)?;
    let net = network_of(&tables.networks, &ranges);
    let mut operations = Vec::new();
    let mut warnings = Vec::new();
    let mut gone = BTreeSet::new();
    let servers = servers_of(&tables.servers, name);
    for server in &servers {
        let server = record::find(&SERVER, &tables.servers, id_of(server), "pool_id")?;
        if is_needed(server, net.map(|(_, net)| net), users) {
            let alone = [("address-pool".to_owned(), STATIC_ONLY.to_owned())];
            operations.extend(record::set(&SERVER, server, &alone)?);
            let why = format!("DHCP server `{}` stays for its static leases and matchers", id_of(server));
            warnings.push(why);
        } else {
            no_dangling(server)?;
            operations.push(record::remove(&SERVER, &tables.servers, server)?);
            gone.insert(id_of(server));
        }
    }
    if let Some((row, net)) = net.filter(|(_, net)| !is_told_to_others(tables, pool, *net, &gone, users)) {
        let row = record::find(&NETWORK, &tables.networks, id_of(row), "pool_id")?;
        no_dangling(row)?;
        operations.push(record::remove(&NETWORK, &tables.networks, row)?);
        warnings.push(format!("DHCP network {net} goes as well: nothing else needs it"));
    }
    no_dangling(pool)?;
    operations.push(record::remove(&POOL, &tables.pools, pool)?);
    let active = given_out(&users.leases, &ranges).count();
    if active > 0 {
        warnings.push(format!("active leases of this pool: {active}; they end when they are renewed"));
    }
    if servers.is_empty() {
        warnings.push(
            "no DHCP server hands this pool out; PPP profiles may use it, which are not looked at".into(),
        );
    }
    let clients: Vec<Span> = ranges.iter().copied().chain(net.map(|(_, net)| net.span)).collect();
    let risky = may_cut_us(&tables.way, &clients);
    operations.iter_mut().for_each(|operation| operation.risky.clone_from(&risky));
    let always = "it removes a DHCP pool".to_owned();
    Ok(Proposal { operations, high: std::iter::once(always).chain(risky).collect(), warnings })
}

/// What uses the pool and is not for this plan to change.
fn refuse_other_users(tables: &Tables, name: &str, users: &Users) -> Result<(), Refused> {
    let is = |pool: &Untrusted| pool.expose() == name;
    let used = |used: &&UsedAddress| is(&used.pool) && !used.owner.expose().eq_ignore_ascii_case("dhcp");
    let counted = [
        (
            tables.pools.iter().filter(|pool| text(pool, "next-pool") == name).count(),
            "pools that name it as next-pool",
        ),
        (
            users.matchers.iter().filter(|it| is(&it.address_pool)).count(),
            "records of /ip/dhcp-server/matcher",
        ),
        (
            users.leases.iter().filter(|it| !it.dynamic && it.address.as_ref().is_some_and(is)).count(),
            "static leases of /ip/dhcp-server/lease",
        ),
        (users.hotspots.iter().filter(|it| is(&it.address_pool)).count(), "records of /ip/hotspot"),
        (
            users.hotspot_profiles.iter().filter(|it| is(&it.address_pool)).count(),
            "records of /ip/hotspot/user/profile",
        ),
        (
            users.mode_configs.iter().filter(|it| is(&it.address_pool)).count(),
            "records of /ip/ipsec/mode-config",
        ),
        (users.used.iter().filter(used).count(), "addresses in use by services other than DHCP"),
    ];
    let told: Vec<String> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what}: {count}"))
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Refused::unsafe_operation(
        format!("others use this pool, and would be left without it: {}", told.join(", ")),
        "point them at another pool on the router first, then plan again",
    ))
}

/// True when static leases or matchers name the server, or need it for clients of its network.
fn is_needed(server: &Row, net: Option<Net>, users: &Users) -> bool {
    let name = text(server, "name");
    let kept = users.leases.iter().filter(|lease| !lease.dynamic).any(|lease| match &lease.server {
        Some(of) if of.expose() != "all" => of.expose() == name,
        _ => in_net(lease, net),
    });
    kept || users.matchers.iter().any(|matcher| matcher.server.expose() == name)
}

fn in_net(lease: &DhcpLease, net: Option<Net>) -> bool {
    let address = lease.address.as_ref().and_then(|address| Span::parse(address.expose()));
    net.zip(address).is_some_and(|(net, address)| net.span.overlaps(&address))
}

/// True when clients of others than the pool are told what the network says.
fn is_told_to_others(tables: &Tables, pool: &Row, net: Net, gone: &BTreeSet<&str>, users: &Users) -> bool {
    let in_net_of = |address: &str| Span::parse(address).is_some_and(|span| net.span.overlaps(&span));
    let others = tables.pools.iter().filter(|other| id_of(other) != id_of(pool));
    // Ranges that cannot be read may be in it.
    let pools = others
        .map(spans)
        .any(|spans| spans.is_err() || spans.iter().flatten().any(|span| net.span.overlaps(span)));
    let left = tables.servers.iter().filter(|server| !gone.contains(id_of(server)));
    let servers = left.into_iter().any(|server| {
        let on = nets_on(&tables.addresses, text(server, "interface"));
        let relay = text(server, "relay");
        relay == ANY_RELAY || in_net_of(relay) || on.iter().any(|(_, own)| own.span.overlaps(&net.span))
    });
    pools || servers || users.leases.iter().any(|lease| !lease.dynamic && in_net(lease, Some(net)))
}

/// A link to what is gone reads back as its id (`*1`), which cannot be written again.
fn no_dangling(row: &Row) -> Result<(), Refused> {
    let dangling = |value: &str| {
        value.strip_prefix('*').is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    match row.iter().find(|(name, value)| name.as_str() != ".id" && dangling(value)) {
        None => Ok(()),
        Some(_) => Err(Refused::unsafe_operation(
            format!("record `{}` has a link to what is gone, which an undo could not put back", id_of(row)),
            "remove that record by hand, then plan again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::{
        changes::dhcp_laws::{any_tables, code, rows, sent, tables, there_and_back},
        failure::Code,
        routeros::resources::Reading,
    };

    const POOL_A: &str = "name=a ranges=192.0.2.100-192.0.2.199 used=7";
    const NET: &str = "address=192.0.2.0/24 gateway=192.0.2.1 dns-server=9.9.9.9 netmask=24";
    const DHCP: &str = "name=d interface=lan address-pool=a lease-time=30m use-radius=no disabled=false";
    const HERE: &str = "address=192.0.2.1/24 interface=lan";

    fn read<R: Reading>(lines: &[&str]) -> Vec<R> {
        rows(lines).iter().map(|row| R::read(row).unwrap()).collect()
    }

    fn usual() -> Tables {
        tables(&[POOL_A], &[NET], &[DHCP], &[HERE])
    }

    fn keeping(lease: &str) -> Users {
        Users { leases: read(&[lease]), ..Users::default() }
    }

    #[test]
    fn server_network_and_pool_go_in_that_order() {
        let tables = usual();
        let proposal = remove(&tables, "*1", &Users::default()).unwrap();
        let order = ["remove /ip/dhcp-server *1", "remove /ip/dhcp-server/network *1", "remove /ip/pool *1"];
        assert_eq!(sent(&proposal), order);
        assert_eq!(proposal.high, ["it removes a DHCP pool"]);
        there_and_back(&tables, &proposal);
        assert_eq!(code(remove(&tables, "*9", &Users::default())), Code::NotFound);
    }

    #[test]
    fn a_server_with_static_leases_or_matchers_stays_without_a_pool() {
        for users in [
            keeping("address=192.0.2.50 server=d status=waiting"),
            keeping("address=192.0.2.50 status=waiting dynamic=false"),
            Users { matchers: read(&["code=60 server=d address-pool=b"]), ..Users::default() },
        ] {
            let tables = usual();
            let proposal = remove(&tables, "*1", &users).unwrap();
            let order = ["set /ip/dhcp-server *1 address-pool=static-only", "remove /ip/pool *1"];
            assert_eq!(sent(&proposal), order, "{users:?}");
            assert_eq!(proposal.warnings.len(), 1, "{proposal:?}");
            there_and_back(&tables, &proposal);
        }
        // What concerns others keeps nothing here.
        for users in [
            keeping("address=10.0.0.50 status=waiting"),
            keeping("address=192.0.2.150 server=d status=bound dynamic=true"),
        ] {
            assert_eq!(remove(&usual(), "*1", &users).unwrap().operations.len(), 3, "{users:?}");
        }
    }

    #[test]
    fn a_network_stays_while_others_need_it() {
        let other = "name=e interface=lan2 address-pool=static-only";
        let relayed = "name=e interface=wan address-pool=static-only relay=192.0.2.3";
        let any = "name=e interface=wan address-pool=static-only relay=255.255.255.255";
        let here_too = "address=192.0.2.2/25 interface=lan2";
        let stays = |pools: &[&str], servers: &[&str], addresses: &[&str], users: &Users| {
            let tables = tables(pools, &[NET], servers, addresses);
            let proposal = remove(&tables, "*1", users).unwrap();
            there_and_back(&tables, &proposal);
            !sent(&proposal).iter().any(|line| line.contains("network"))
        };
        let none = Users::default();
        assert!(!stays(&[POOL_A], &[DHCP, other], &[HERE], &none));
        assert!(stays(&[POOL_A], &[DHCP, other], &[HERE, here_too], &none));
        assert!(stays(&[POOL_A], &[DHCP, relayed], &[HERE], &none));
        assert!(stays(&[POOL_A], &[DHCP, any], &[HERE], &none));
        assert!(stays(&[POOL_A, "name=b ranges=192.0.2.10-192.0.2.19"], &[DHCP], &[HERE], &none));
        assert!(stays(&[POOL_A, "name=b ranges=odd"], &[DHCP], &[HERE], &none));
        assert!(stays(&[POOL_A], &[], &[HERE], &keeping("address=192.0.2.50 server=x status=waiting")));
    }

    #[test]
    fn what_else_uses_a_pool_is_named_and_nothing_is_planned() {
        let next = tables(&[POOL_A, "name=b ranges=10.0.0.5-10.0.0.9 next-pool=a"], &[NET], &[DHCP], &[HERE]);
        let refused = remove(&next, "*1", &Users::default()).unwrap_err();
        assert!(refused.code == Code::UnsafeOperation && refused.say.contains("next-pool: 1"), "{refused:?}");
        for (users, word) in [
            (Users { matchers: read(&["code=60 server=x address-pool=a"]), ..Users::default() }, "matcher"),
            (Users { hotspots: read(&["interface=lan address-pool=a"]), ..Users::default() }, "/ip/hotspot"),
            (
                Users { hotspot_profiles: read(&["name=p address-pool=a"]), ..Users::default() },
                "/ip/hotspot/user/profile",
            ),
            (
                Users { mode_configs: read(&["name=p address-pool=a"]), ..Users::default() },
                "/ip/ipsec/mode-config",
            ),
            (
                Users { used: read(&["pool=a address=192.0.2.150 owner=PPP"]), ..Users::default() },
                "other than DHCP: 1",
            ),
            (keeping("address=a server=d status=waiting"), "static leases"),
        ] {
            let refused = remove(&usual(), "*1", &users).unwrap_err();
            assert_eq!(refused.code, Code::UnsafeOperation, "{users:?}");
            assert!(refused.say.contains(word) && refused.hint.is_some(), "{refused:?}");
        }
        let dhcp = Users {
            used: read(&["pool=a owner=DHCP", "pool=b owner=PPP"]),
            hotspots: read(&["interface=lan address-pool=b"]),
            ..Users::default()
        };
        assert!(remove(&usual(), "*1", &dhcp).is_ok());
    }

    #[test]
    fn what_cannot_be_put_back_is_refused() {
        let dead = "name=d interface=*7 address-pool=a";
        assert_eq!(
            code(remove(&tables(&[POOL_A], &[], &[dead], &[]), "*1", &Users::default())),
            Code::UnsafeOperation
        );
        let next = "name=a ranges=192.0.2.100-192.0.2.199 next-pool=*3";
        assert_eq!(
            code(remove(&tables(&[next], &[], &[], &[]), "*1", &Users::default())),
            Code::UnsafeOperation
        );
        let unknown = "name=d interface=lan address-pool=a brand-new=1";
        assert_eq!(
            code(remove(&tables(&[POOL_A], &[], &[unknown], &[]), "*1", &Users::default())),
            Code::UnsafeOperation
        );
    }

    #[test]
    fn active_leases_and_pools_without_a_server_are_said() {
        let bound = "address=192.0.2.150 active-address=192.0.2.150 server=d status=bound dynamic=true";
        let proposal = remove(&usual(), "*1", &keeping(bound)).unwrap();
        assert!(
            proposal.warnings.iter().any(|why| why.starts_with("active leases of this pool: 1;")),
            "{proposal:?}"
        );
        let alone = remove(&tables(&[POOL_A], &[], &[], &[]), "*1", &Users::default()).unwrap();
        assert!(alone.warnings[0].contains("PPP"), "{alone:?}");
        let mut ours = usual();
        ours.way.from = vec!["192.0.2.101".parse().unwrap()];
        let proposal = remove(&ours, "*1", &Users::default()).unwrap();
        assert!(proposal.high.len() == 2 && proposal.operations.iter().all(|it| it.risky.is_some()));
    }

    proptest! {
        #[test]
        fn removing_goes_there_and_back(
            (pools, networks, servers) in any_tables(),
            at in any::<prop::sample::Index>(),
            kept in proptest::collection::vec((select(&["d0", "d1", "all"][..]), 0u8..4), 0..3),
        ) {
            prop_assume!(!pools.is_empty());
            let addresses: Vec<String> = (0..3).map(|n| format!("address=10.0.{n}.1/24 interface=v{n}")).collect();
            let lines: Vec<&str> = addresses.iter().map(String::as_str).collect();
            let id = id_of(at.get(&pools)).to_owned();
            let tables = Tables { pools, networks, servers, ..tables(&[], &[], &[], &lines) };
            let leases = kept.iter().map(|(server, net)| match *server {
                "all" => format!("address=10.0.{net}.50 status=waiting"),
                server => format!("address=10.0.{net}.50 server={server} status=waiting"),
            });
            let leases: Vec<String> = leases.collect();
            let leases = read(&leases.iter().map(String::as_str).collect::<Vec<_>>());
            let proposal = remove(&tables, &id, &Users { leases, ..Users::default() }).unwrap();
            there_and_back(&tables, &proposal);
        }
    }
}
