//! Changes a DHCP pool: its range, what clients of its network are told, and for how long they may keep an address.

use std::time::Duration;

use events::operation::{Operation, Property};

use crate::{
    changes::{
        Proposal, Refused,
        dhcp::{
            ADD_NETWORK, NETWORK, Net, POOL, SERVER, Tables, gateway_fits, host, may_cut_us, nets_on,
            network_of, new_network, new_range, range, resolvers, servers_of, shown, spans, text,
        },
        record::{self, id_of},
        span::Span,
    },
    routeros::{
        compat::Endpoint,
        port::Row,
        resources::dhcp_lease::DhcpLease,
        value::{duration, list},
    },
};

/// Changing, with its undo. A network is added where clients were told nothing so far.
pub const MODIFY: [Endpoint; 5] = [
    Endpoint::set(POOL.path, &["ranges"]),
    Endpoint::set(NETWORK.path, &["gateway", "dns-server"]),
    ADD_NETWORK[0],
    ADD_NETWORK[1],
    Endpoint::set(SERVER.path, &["lease-time"]),
];

/// A lease may last so many seconds: from a minute to a year.
pub const LEASE_S: std::ops::RangeInclusive<u32> = 60..=31_536_000;

/// What shall change; nothing given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// `first-last`, in place of all ranges of the pool.
    pub range: Option<String>,
    /// What clients are told; empty tells none.
    pub gateway: Option<String>,
    /// What clients are told; an empty list tells none.
    pub dns_servers: Option<Vec<String>>,
    /// Seconds within [`LEASE_S`], of every server that hands the pool out.
    pub lease_time_s: Option<u32>,
}

/// Changes a pool. `leases` are those of the router.
///
/// # Errors
/// What makes no sense, what overlaps, what would leave clients without what they are told, what could not be undone.
pub fn modify(
    tables: &Tables,
    pool_id: &str,
    wish: &Wish,
    leases: &[DhcpLease],
) -> Result<Proposal, Refused> {
    let pool = record::find(&POOL, &tables.pools, pool_id, "pool_id")?;
    if *wish == Wish::default() {
        return Err(Refused::param("modifications", "needs at least one change"));
    }
    let old = spans(pool)?;
    let new = wish.range.as_deref().map(range).transpose()?;
    let now = new.map_or_else(|| old.clone(), |span| vec![span]);
    let mut proposal = Proposal { operations: Vec::new(), high: Vec::new(), warnings: Vec::new() };
    let moved = new.filter(|_| now != old);
    if let Some(span) = moved {
        keep_served(tables, pool, &old, span)?;
    }
    proposal.operations.extend(tell_clients(tables, pool, &now, wish, &mut proposal.warnings)?);
    if let Some(span) = moved {
        let ranges = ("ranges".to_owned(), shown(&span));
        proposal.operations.extend(record::set(&POOL, pool, &[ranges])?);
        proposal.warnings.extend(left_outside(leases, &old, span));
    }
    if let Some(seconds) = wish.lease_time_s {
        proposal.operations.extend(last(tables, pool, seconds)?);
    }
    let net = network_of(&tables.networks, &now).map(|(_, net)| net.span);
    let clients: Vec<Span> = old.iter().chain(&now).copied().chain(net).collect();
    if let Some(why) = may_cut_us(&tables.way, &clients) {
        // How long a lease lasts cuts nobody.
        let cuts = |operation: &&mut Operation| operation.action.menu() != SERVER.path;
        for operation in proposal.operations.iter_mut().filter(cuts) {
            operation.risky = Some(why.clone());
            proposal.high = vec![why.clone()];
        }
    }
    Ok(proposal)
}

/// A new range must go on to work where the pool is handed out: in a network that clients are told of, and in one that
/// the server's interface has.
fn keep_served(tables: &Tables, pool: &Row, old: &[Span], span: Span) -> Result<(), Refused> {
    let field = "address_range";
    new_range(tables, &span, Some(id_of(pool)))?;
    let told = network_of(&tables.networks, &[span]);
    if told.is_none() && network_of(&tables.networks, old).is_some() {
        return Err(Refused::param(
            field,
            "leaves the DHCP network that tells clients their gateway and resolvers",
        )
        .hint("plan a new pool for another network (plan_create_dhcp_pool)"));
    }
    for server in servers_of(&tables.servers, text(pool, "name")) {
        let nets = nets_on(&tables.addresses, text(server, "interface"));
        let has =
            |spans: &[Span]| nets.iter().any(|(_, net)| spans.iter().all(|span| net.span.includes(span)));
        if has(old) && !has(&[span]) {
            let why = format!("leaves the network of the interface of DHCP server `{}`", id_of(server));
            return Err(Refused::param(field, why).hint(
                "add an address of the new network to that interface first (add_secondary_ip_address)",
            ));
        }
    }
    Ok(())
}

/// The change of what clients of the pool's network are told, if any is wanted; and whatever is told, the gateway stays
/// out of the pools.
fn tell_clients(
    tables: &Tables,
    pool: &Row,
    now: &[Span],
    wish: &Wish,
    warnings: &mut Vec<String>,
) -> Result<Vec<Operation>, Refused> {
    let there = network_of(&tables.networks, now);
    let gateway = wish.gateway.as_deref().map(|text| match text {
        "" => Ok(None),
        text => host("gateway", text).map(Some),
    });
    let gateway = gateway.transpose()?;
    let dns = wish.dns_servers.as_deref().map(resolvers).transpose()?;
    if let Some((row, _)) = there.filter(|_| gateway.is_none()) {
        let told = list(text(row, "gateway")).into_iter().filter_map(Span::parse);
        if told.into_iter().any(|told| now.iter().any(|span| span.overlaps(&told))) {
            return Err(Refused::param("address_range", "has the gateway that clients are told")
                .hint("leave it out of the range, or change `gateway` as well"));
        }
    }
    if gateway.is_none() && dns.is_none() {
        return Ok(Vec::new());
    }
    let net: Net = match there {
        Some((_, net)) => net,
        None => new_network(tables, now, None).map_err(|refused| Refused {
            say: "`modifications`: the pool has no DHCP network, and no address of the router is in a network with all of it"
                .into(),
            hint: Some(
                "add an address of the clients' network to the router first (add_secondary_ip_address)"
                    .into(),
            ),
            ..refused
        })?,
    };
    if let Some(Some(gateway)) = gateway {
        let others = tables.pools.iter().filter(|other| id_of(other) != id_of(pool)).map(spans);
        let pools: Vec<Vec<Span>> =
            others.chain(std::iter::once(Ok(now.to_vec()))).collect::<Result<_, _>>()?;
        gateway_fits(&net, gateway, &pools)?;
    }
    let gateway = gateway.map(|gateway| gateway.map(|gateway| gateway.to_string()).unwrap_or_default());
    let given = [("gateway", gateway), ("dns-server", dns)];
    let given: Vec<Property> =
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let Some((row, net)) = there else {
        let address = ("address".to_owned(), net.to_string());
        let told = given.into_iter().filter(|(_, value)| !value.is_empty());
        let properties: Vec<Property> = std::iter::once(address).chain(told).collect();
        let tells = properties.len() > 1;
        return Ok(tells
            .then(|| record::add(&NETWORK, &tables.networks, properties, None))
            .into_iter()
            .collect());
    };
    let row = record::find(&NETWORK, &tables.networks, id_of(row), "pool_id")?;
    let operations = record::set(&NETWORK, row, &given)?;
    let mut others = tables.pools.iter().filter(|other| id_of(other) != id_of(pool));
    let shared = others.any(|other| spans(other).is_ok_and(|all| all.iter().any(|it| net.span.overlaps(it))));
    if shared && !operations.is_empty() {
        warnings.push(format!("other pools lie in {net} as well: their clients are told the same"));
    }
    Ok(operations)
}

/// Clients whose address is of the old range only must take another one when they renew it.
fn left_outside(leases: &[DhcpLease], old: &[Span], new: Span) -> Option<String> {
    let left = given_out(leases, old).filter(|at| !new.overlaps(at)).count();
    (left > 0).then(|| format!("active leases outside the new range: {left}; they end when they are renewed"))
}

/// The addresses that clients have out of these ranges and that nobody keeps for them.
pub(super) fn given_out<'a>(leases: &'a [DhcpLease], spans: &'a [Span]) -> impl Iterator<Item = Span> + 'a {
    let active = leases.iter().filter(|lease| lease.dynamic && lease.status.expose() == "bound");
    let address = |lease: &DhcpLease| {
        let address = lease.active_address.as_ref().or(lease.address.as_ref())?;
        Span::parse(address.expose())
    };
    active.filter_map(address).filter(|at| spans.iter().any(|span| span.overlaps(at)))
}

/// How long the servers of the pool lend an address.
fn last(tables: &Tables, pool: &Row, seconds: u32) -> Result<Vec<Operation>, Refused> {
    let field = "lease_time";
    let servers = servers_of(&tables.servers, text(pool, "name"));
    if servers.is_empty() {
        return Err(Refused::param(field, "no DHCP server hands this pool out")
            .hint("plan_create_dhcp_pool with the pool's name, range and an `interface` adds one"));
    }
    let wanted = Duration::from_secs(seconds.into());
    let mut operations = Vec::new();
    for server in servers {
        if duration(text(server, "lease-time")) != Some(wanted) {
            let server = record::find(&SERVER, &tables.servers, id_of(server), "pool_id")?;
            operations.extend(record::set(&SERVER, server, &[("lease-time".to_owned(), spelled(seconds))])?);
        }
    }
    Ok(operations)
}

/// A duration as RouterOS shows it: `1d2h`, `30m`.
fn spelled(seconds: u32) -> String {
    let units = [(604_800, 'w'), (86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
    let mut rest = seconds;
    let mut text = String::new();
    for (size, unit) in units {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*, sample::select};

    use super::*;
    use crate::{
        changes::dhcp_laws::{any_tables, code, rows, sent, tables, there_and_back},
        failure::Code,
        routeros::resources::Reading as _,
    };

    const POOL_A: &str = "name=a ranges=192.0.2.100-192.0.2.199";
    const NET: &str = "address=192.0.2.0/24 gateway=192.0.2.1 dns-server=9.9.9.9";
    const DHCP: &str = "name=d interface=lan address-pool=a lease-time=30m";
    const HERE: &str = "address=192.0.2.1/24 interface=lan";

    fn leases(lines: &[&str]) -> Vec<DhcpLease> {
        rows(lines).iter().map(|row| DhcpLease::read(row).unwrap()).collect()
    }

    fn usual() -> Tables {
        tables(&[POOL_A], &[NET], &[DHCP], &[HERE])
    }

    fn range_to(text: &str) -> Wish {
        Wish { range: Some(text.into()), ..Wish::default() }
    }

    #[test]
    fn each_menu_gets_its_own_change_and_what_is_so_already_none() {
        let wish = Wish {
            range: Some("192.0.2.50-192.0.2.149".into()),
            gateway: Some("192.0.2.2".into()),
            dns_servers: Some(vec!["1.1.1.1".into(), "9.9.9.9".into()]),
            lease_time_s: Some(93_600),
        };
        let tables = usual();
        let proposal = modify(&tables, "*1", &wish, &[]).unwrap();
        assert_eq!(
            sent(&proposal),
            [
                "set /ip/dhcp-server/network *1 gateway=192.0.2.2 dns-server=1.1.1.1,9.9.9.9",
                "set /ip/pool *1 ranges=192.0.2.50-192.0.2.149",
                "set /ip/dhcp-server *1 lease-time=1d2h",
            ]
        );
        there_and_back(&tables, &proposal);
        let same = Wish {
            range: Some("192.0.2.100-192.0.2.199".into()),
            gateway: Some("192.0.2.1".into()),
            dns_servers: Some(vec!["9.9.9.9".into()]),
            lease_time_s: Some(1800),
        };
        assert!(modify(&tables, "*1", &same, &[]).unwrap().operations.is_empty());
        assert_eq!(code(modify(&tables, "*1", &Wish::default(), &[])), Code::InvalidParams);
        assert_eq!(code(modify(&tables, "*9", &same, &[])), Code::NotFound);
    }

    #[test]
    fn what_is_told_can_be_taken_away_and_told_for_the_first_time() {
        let none = Wish { gateway: Some(String::new()), dns_servers: Some(vec![]), ..Wish::default() };
        let tables_ = usual();
        let proposal = modify(&tables_, "*1", &none, &[]).unwrap();
        assert_eq!(sent(&proposal), ["set /ip/dhcp-server/network *1 gateway= dns-server="]);
        there_and_back(&tables_, &proposal);
        let first = Wish { gateway: Some("192.0.2.1".into()), ..Wish::default() };
        let untold = tables(&[POOL_A], &[], &[DHCP], &[HERE]);
        let proposal = modify(&untold, "*1", &first, &[]).unwrap();
        assert_eq!(sent(&proposal), ["add /ip/dhcp-server/network address=192.0.2.0/24 gateway=192.0.2.1"]);
        there_and_back(&untold, &proposal);
        assert!(modify(&untold, "*1", &none, &[]).unwrap().operations.is_empty());
        let nowhere = tables(&[POOL_A], &[], &[DHCP], &[]);
        let refused = modify(&nowhere, "*1", &first, &[]).unwrap_err();
        assert!(
            refused.code == Code::InvalidParams && refused.say.contains("no DHCP network"),
            "{refused:?}"
        );
    }

    #[test]
    fn a_range_stays_where_it_is_told_and_served() {
        let other = "name=b ranges=192.0.2.10-192.0.2.19";
        let two = tables(&[POOL_A, other], &[NET], &[DHCP], &[HERE]);
        for (range, word) in [
            ("192.0.2.15-192.0.2.120", "overlaps pool `*2`"),
            ("10.0.0.5-10.0.0.9", "leaves the DHCP network"),
            ("192.0.2.200-192.0.3.20", "over the edge"),
            ("192.0.2.1-192.0.2.9", "router's own"),
            ("192.0.2.200-192.0.2.255", "broadcast"),
        ] {
            let refused = modify(&two, "*1", &range_to(range), &[]).unwrap_err();
            assert!(
                refused.code == Code::InvalidParams && refused.say.contains(word),
                "{range}: {refused:?}"
            );
        }
        let elsewhere = "address=10.0.0.1/24 interface=other";
        let both = tables(&[POOL_A], &["address=10.0.0.0/24", NET], &[DHCP], &[HERE, elsewhere]);
        let refused = modify(&both, "*1", &range_to("10.0.0.5-10.0.0.9"), &[]).unwrap_err();
        assert!(refused.say.contains("interface of DHCP server `*1`"), "{refused:?}");
    }

    #[test]
    fn a_gateway_is_never_given_to_a_client() {
        let far = tables(&[POOL_A], &["address=192.0.2.0/24 gateway=192.0.2.60"], &[], &[HERE]);
        let refused = modify(&far, "*1", &range_to("192.0.2.50-192.0.2.99"), &[]).unwrap_err();
        assert!(refused.say.contains("has the gateway"), "{refused:?}");
        let both = Wish { gateway: Some("192.0.2.1".into()), ..range_to("192.0.2.50-192.0.2.99") };
        assert_eq!(modify(&far, "*1", &both, &[]).unwrap().operations.len(), 2);
        for bad in ["192.0.2.150", "192.0.3.1", "192.0.2.255", "nonsense"] {
            let wish = Wish { gateway: Some(bad.into()), ..Wish::default() };
            assert_eq!(code(modify(&usual(), "*1", &wish, &[])), Code::InvalidParams, "{bad}");
        }
    }

    #[test]
    fn leases_left_outside_and_pools_that_share_a_network_are_said() {
        let leases = leases(&[
            "address=192.0.2.100 active-address=192.0.2.100 status=bound dynamic=true",
            "address=192.0.2.150 active-address=192.0.2.150 status=bound dynamic=true",
            "address=192.0.2.101 status=bound",
            "address=192.0.2.102 status=waiting dynamic=true",
        ]);
        let proposal = modify(&usual(), "*1", &range_to("192.0.2.140-192.0.2.199"), &leases).unwrap();
        assert!(
            proposal.warnings.len() == 1
                && proposal.warnings[0].starts_with("active leases outside the new range: 1;"),
            "{proposal:?}"
        );
        let two = tables(&[POOL_A, "name=b ranges=192.0.2.10-192.0.2.19"], &[NET], &[], &[HERE]);
        let wish = Wish { gateway: Some("192.0.2.2".into()), ..Wish::default() };
        assert_eq!(modify(&two, "*1", &wish, &[]).unwrap().warnings.len(), 1);
    }

    #[test]
    fn a_change_in_our_own_network_is_risky() {
        let mut tables = usual();
        tables.way.from = vec!["192.0.2.7".parse().unwrap()];
        let wish = Wish { gateway: Some("192.0.2.2".into()), ..Wish::default() };
        let proposal = modify(&tables, "*1", &wish, &[]).unwrap();
        assert!(proposal.operations[0].risky.is_some() && proposal.high.len() == 1);
    }

    #[test]
    fn lease_times_are_spelled_as_routeros_shows_them() {
        for (seconds, text) in
            [(60, "1m"), (1800, "30m"), (3661, "1h1m1s"), (31_536_000, "52w1d"), (86_400, "1d")]
        {
            assert_eq!(spelled(seconds), text);
            assert_eq!(duration(text), Some(Duration::from_secs(seconds.into())));
        }
        let unserved = tables(&[POOL_A], &[NET], &[], &[HERE]);
        let wish = Wish { lease_time_s: Some(600), ..Wish::default() };
        assert_eq!(code(modify(&unserved, "*1", &wish, &[])), Code::InvalidParams);
    }

    proptest! {
        #[test]
        fn changing_goes_there_and_back(
            (pools, networks, servers) in any_tables(),
            at in any::<prop::sample::Index>(),
            range in option::of((0u8..4, 2u8..120, 1u8..100)),
            gateway in option::of(select(&["", "10.0.0.1", "10.0.1.1", "10.0.2.253"][..])),
            dns in option::of(select(&["", "9.9.9.9"][..])),
            lease in option::of(select(&[600, 1800, 86_400][..])),
        ) {
            prop_assume!(!pools.is_empty());
            let addresses: Vec<String> = (0..3).map(|n| format!("address=10.0.{n}.1/24 interface=v{n}")).collect();
            let lines: Vec<&str> = addresses.iter().map(String::as_str).collect();
            let id = id_of(at.get(&pools)).to_owned();
            let tables = Tables { pools, networks, servers, ..tables(&[], &[], &[], &lines) };
            let wish = Wish {
                range: range.map(|(net, low, size)| format!("10.0.{net}.{low}-10.0.{net}.{}", low + size)),
                gateway: gateway.map(str::to_owned),
                dns_servers: dns.map(|text| text.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect()),
                lease_time_s: lease,
            };
            if let Ok(proposal) = modify(&tables, &id, &wish, &[]) {
                there_and_back(&tables, &proposal);
            }
        }
    }
}
