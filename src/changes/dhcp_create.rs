//! Adds a DHCP pool with what it needs to be of use: the network that clients are told of, and a server.

use events::operation::{Operation, Property};

use crate::{
    changes::{
        Proposal, Refused,
        dhcp::{
            ADD_NETWORK, NETWORK, Net, POOL, SERVER, Tables, gateway_fits, host, is_on, may_cut_us, nets_on,
            network_of, new_network, new_range, range, resolvers, shown, spans, text,
        },
        record::{self, id_of},
        span::Span,
    },
    routeros::{compat::Endpoint, port::Row},
};

/// Adding, with its undo.
pub const CREATE: [Endpoint; 6] = [
    Endpoint::add(POOL.path, &["name", "ranges"]),
    Endpoint::remove(POOL.path),
    ADD_NETWORK[0],
    ADD_NETWORK[1],
    Endpoint::add(SERVER.path, &["name", "interface", "address-pool", "disabled"]),
    Endpoint::remove(SERVER.path),
];

/// Words of RouterOS that stand where a pool's name does, or that read as nothing.
const NOT_A_NAME: [&str; 6] = ["static-only", "none", "no", "false", "yes", "true"];

/// The pool that is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Name of the pool, and of the server if one is added.
    pub name: String,
    /// `first-last`.
    pub range: String,
    /// What clients are told; empty tells none.
    pub gateway: String,
    /// What clients are told; none where empty.
    pub dns_servers: Vec<String>,
    /// The clients' network; empty takes it from the router's own addresses.
    pub network: String,
    /// Where a server hands the pool out; empty adds none.
    pub interface: String,
}

/// Adds what is missing of a pool, its network and its server, in the order in which nobody is told half of it: the
/// server comes last. `interfaces` are the records of `/interface` with the wanted name.
///
/// # Errors
/// What makes no sense, what overlaps, what another one has.
pub fn create(tables: &Tables, wish: &Wish, interfaces: &[Row]) -> Result<Proposal, Refused> {
    check_name(&wish.name)?;
    let span = range(&wish.range)?;
    let mut proposal = Proposal { operations: Vec::new(), high: Vec::new(), warnings: Vec::new() };
    let same_name = tables.pools.iter().find(|pool| text(pool, "name") == wish.name);
    match same_name {
        Some(pool) if spans(pool)? == [span] => {}
        Some(pool) => {
            return Err(Refused::param("pool_name", format!("pool `{}` has that name", id_of(pool)))
                .hint("plan_modify_dhcp_pool changes a pool that is there"));
        }
        None => {
            new_range(tables, &span, None)?;
            let properties = vec![named("name", &wish.name), named("ranges", shown(&span))];
            proposal.operations.push(record::add(&POOL, &tables.pools, properties, None));
        }
    }
    let net = tell_clients(tables, wish, span, &mut proposal)?;
    if !wish.interface.is_empty() {
        serve(tables, wish, span, interfaces, &mut proposal)?;
        if net.is_none() {
            let why = "no DHCP network has the range: clients get an address and are told no gateway and no resolver";
            proposal.warnings.push(why.to_owned());
        }
    }
    Ok(proposal)
}

fn named(name: &str, value: impl Into<String>) -> Property {
    (name.to_owned(), value.into())
}

fn check_name(name: &str) -> Result<(), Refused> {
    let field = "pool_name";
    if name.trim() != name || name.is_empty() {
        return Err(Refused::param(field, "must not be empty, nor begin or end with a space"));
    }
    if name.starts_with('*') || NOT_A_NAME.contains(&name) {
        return Err(Refused::param(field, "means something else to RouterOS; choose another name"));
    }
    Ok(())
}

/// Adds the network that clients are told of, unless it says so already. Nothing is wanted and nothing is there: none.
fn tell_clients(
    tables: &Tables,
    wish: &Wish,
    span: Span,
    proposal: &mut Proposal,
) -> Result<Option<Net>, Refused> {
    let there = network_of(&tables.networks, &[span]);
    if wish.gateway.is_empty() && wish.dns_servers.is_empty() {
        if !wish.network.is_empty() {
            return Err(Refused::param("network", "is of use with `gateway` or `dns_servers` only"));
        }
        return Ok(there.map(|(_, net)| net));
    }
    let gateway = (!wish.gateway.is_empty()).then(|| host("gateway", &wish.gateway)).transpose()?;
    let dns = resolvers(&wish.dns_servers)?;
    let named_net = Some(wish.network.as_str()).filter(|text| !text.is_empty());
    let named_net = named_net.map(|text| new_network(tables, &[span], Some(text))).transpose()?;
    let there = match named_net {
        Some(named) => the_named(tables, named, there)?,
        None => there,
    };
    let net = match (there, named_net) {
        (Some((_, net)), _) | (None, Some(net)) => net,
        (None, None) => new_network(tables, &[span], None)?,
    };
    if let Some(gateway) = gateway {
        let pools = tables.pools.iter().map(spans).chain(std::iter::once(Ok(vec![span])));
        gateway_fits(&net, gateway, &pools.collect::<Result<Vec<_>, _>>()?)?;
    }
    let gateway = gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
    if let Some((row, _)) = there {
        for (field, property, wanted) in
            [("gateway", "gateway", &gateway), ("dns_servers", "dns-server", &dns)]
        {
            if !wanted.is_empty() && text(row, property) != wanted {
                let why = format!("DHCP network `{}` tells its clients something else", id_of(row));
                return Err(Refused::param(field, why).hint(
                    "leave it out to keep that, or change it with plan_modify_dhcp_pool once the pool is there",
                ));
            }
        }
        return Ok(Some(net));
    }
    let given = [("address", net.to_string()), ("gateway", gateway), ("dns-server", dns)];
    let given = given.into_iter().filter(|(_, value)| !value.is_empty());
    let properties = given.map(|(name, value)| named(name, value)).collect();
    proposal.operations.push(record::add(&NETWORK, &tables.networks, properties, None));
    Ok(Some(net))
}

/// The record of the network that is named, if there is one. RouterOS tells clients what the narrowest network says, so
/// one that is narrower than the named must not have the range.
fn the_named<'a>(
    tables: &'a Tables,
    named: Net,
    narrowest: Option<(&'a Row, Net)>,
) -> Result<Option<(&'a Row, Net)>, Refused> {
    if let Some((row, net)) = narrowest.filter(|(_, net)| *net != named && named.span.includes(&net.span)) {
        let why =
            format!("DHCP network `{}`, {net}, is narrower and is what clients would be told", id_of(row));
        return Err(Refused::param("network", why).hint("leave `network` out to use that one"));
    }
    let mut known = tables.networks.iter().filter_map(|row| Some((row, Net::of(text(row, "address"))?)));
    Ok(known.find(|(_, net)| *net == named))
}

/// Adds the server that hands the pool out, unless it is there.
fn serve(
    tables: &Tables,
    wish: &Wish,
    span: Span,
    interfaces: &[Row],
    proposal: &mut Proposal,
) -> Result<(), Refused> {
    let (field, interface) = ("interface", wish.interface.as_str());
    let on = |server: &&Row| text(server, "interface") == interface;
    if let Some(server) = tables.servers.iter().find(on) {
        let ours = text(server, "address-pool") == wish.name && !is_on(server, "disabled");
        if ours && text(server, "name") == wish.name {
            return Ok(());
        }
        let why = format!("has DHCP server `{}` already; RouterOS takes one an interface", id_of(server));
        return Err(Refused::param(field, why)
            .hint("leave `interface` out to add the pool alone, or change the pool of that server"));
    }
    if let Some(server) = tables.servers.iter().find(|server| text(server, "name") == wish.name) {
        let why = format!("DHCP server `{}` on another interface has that name", id_of(server));
        return Err(Refused::param("pool_name", why));
    }
    let row = interfaces.iter().find(|row| text(row, "name") == interface);
    let row = row.ok_or_else(|| {
        Refused::not_found(field, "there is no interface with that name")
            .hint("list_interfaces has the names")
    })?;
    if is_on(row, "slave") {
        return Err(Refused::param(field, "is a port of a bridge or bond, where a server does not work")
            .hint("name the bridge"));
    }
    let nets = nets_on(&tables.addresses, interface);
    let fitting: Vec<_> = nets.iter().filter(|(_, net)| net.span.includes(&span)).collect();
    if fitting.is_empty() {
        return Err(Refused::param(field, "has no address in a network with that range")
            .hint("add an address of that network to the interface first (add_secondary_ip_address)"));
    }
    if fitting.iter().all(|(row, _)| record::is_dynamic(row)) {
        return Err(Refused::unsafe_operation(
            "the router's own address on that interface is learnt, so another DHCP server serves that network",
            "two servers in one network hand out each other's addresses; choose another interface",
        ));
    }
    let properties = vec![
        named("name", wish.name.as_str()),
        named("interface", interface),
        named("address-pool", wish.name.as_str()),
        named("disabled", "no"),
    ];
    let mut operation: Operation = record::add(&SERVER, &tables.servers, properties, None);
    let clients: Vec<Span> = nets.iter().map(|(_, net)| net.span).collect();
    let tell = |why: String| format!("{why}: the new server would answer when it is renewed");
    operation.risky = may_cut_us(&tables.way, &clients).map(tell);
    proposal.high.extend(operation.risky.clone());
    proposal.operations.push(operation);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*, sample::select};

    use super::*;
    use crate::{
        changes::dhcp_laws::{code, sent, tables, there_and_back},
        failure::Code,
    };

    fn wish() -> Wish {
        Wish {
            name: "guests".into(),
            range: "192.0.2.10-192.0.2.99".into(),
            gateway: "192.0.2.1".into(),
            dns_servers: vec!["9.9.9.9".into(), "192.0.2.1".into()],
            network: String::new(),
            interface: "vlan7".into(),
        }
    }

    fn interface(name: &str) -> Vec<Row> {
        vec![Row::from([("name".to_owned(), name.to_owned()), ("type".to_owned(), "vlan".to_owned())])]
    }

    const HERE: &str = "address=192.0.2.1/24 interface=vlan7";

    #[test]
    fn the_pool_comes_first_and_the_server_last() {
        let tables = tables(&[], &[], &[], &[HERE]);
        let proposal = create(&tables, &wish(), &interface("vlan7")).unwrap();
        assert_eq!(
            sent(&proposal),
            [
                "add /ip/pool name=guests ranges=192.0.2.10-192.0.2.99",
                "add /ip/dhcp-server/network address=192.0.2.0/24 gateway=192.0.2.1 dns-server=9.9.9.9,192.0.2.1",
                "add /ip/dhcp-server name=guests interface=vlan7 address-pool=guests disabled=no",
            ]
        );
        assert!(proposal.high.is_empty() && proposal.warnings.is_empty(), "{proposal:?}");
        there_and_back(&tables, &proposal);
    }

    #[test]
    fn what_is_there_is_not_added_again_and_what_is_missing_is() {
        let pool = "name=guests ranges=192.0.2.10-192.0.2.99";
        let network = "address=192.0.2.0/24 gateway=192.0.2.1 dns-server=9.9.9.9,192.0.2.1 netmask=24";
        let server = "name=guests interface=vlan7 address-pool=guests lease-time=30m";
        let count = |pools: &[&str], networks: &[&str], servers: &[&str]| {
            let tables = tables(pools, networks, servers, &[HERE]);
            create(&tables, &wish(), &interface("vlan7")).unwrap().operations.len()
        };
        assert_eq!(count(&[pool], &[network], &[server]), 0);
        assert_eq!(count(&[pool], &[network], &[]), 1);
        assert_eq!(count(&[pool], &[], &[]), 2);
        assert_eq!(count(&[], &[network], &[]), 2);
    }

    #[test]
    fn the_network_is_the_routers_own_or_the_one_that_is_named() {
        let far = Wish { interface: String::new(), network: "192.0.2.0/25".into(), ..wish() };
        let none = tables(&[], &[], &[], &[]);
        let proposal = create(&none, &far, &[]).unwrap();
        assert!(sent(&proposal)[1].contains("address=192.0.2.0/25"), "{proposal:?}");
        let unnamed = Wish { network: String::new(), ..far.clone() };
        assert!(create(&none, &unnamed, &[]).unwrap_err().say.contains("`network`"));
        for bad in
            ["192.0.2.0", "192.0.2.1/24", "192.0.2.0/26", "10.0.0.0/7", "192.0.2.0/33", "::/64", "x/24"]
        {
            let wish = Wish { network: bad.into(), ..far.clone() };
            assert_eq!(code(create(&none, &wish, &[])), Code::InvalidParams, "{bad}");
        }
        let alone = Wish { gateway: String::new(), dns_servers: vec![], ..far };
        assert_eq!(code(create(&none, &alone, &[])), Code::InvalidParams, "nothing to tell");
        // The most specific of several is taken.
        let two = tables(&[], &[], &[], &["address=192.0.0.1/16 interface=a", HERE]);
        assert!(sent(&create(&two, &wish(), &interface("vlan7")).unwrap())[1].contains("192.0.2.0/24"));
    }

    #[test]
    fn ranges_that_make_no_sense_are_refused() {
        let tables = tables(&[], &[], &[], &[HERE]);
        for bad in [
            "",
            "192.0.2.10",
            "192.0.2.10-192.0.2.10",
            "192.0.2.99-192.0.2.10",
            "192.0.2.0/24",
            "192.0.2.10-192.0.2.99-192.0.2.100",
            "::1-::9",
            "10.0.0.0-10.1.0.0",
            "127.0.0.2-127.0.0.9",
            "0.0.0.1-0.0.0.9",
            "223.255.255.250-224.0.0.5",
            "192.0.2.1-192.0.2.99",
            "192.0.2.0-192.0.2.99",
            "192.0.2.200-192.0.2.255",
        ] {
            let wish = Wish { range: bad.into(), gateway: String::new(), ..wish() };
            let refused = create(&tables, &wish, &interface("vlan7")).unwrap_err();
            assert_eq!(refused.code, Code::InvalidParams, "{bad}");
            assert!(refused.say.contains("`address_range`"), "{bad}: {}", refused.say);
        }
        let most = Wish {
            range: "10.0.0.1-10.1.0.0".into(),
            gateway: String::new(),
            dns_servers: vec![],
            interface: String::new(),
            ..wish()
        };
        assert_eq!(create(&tables, &most, &[]).unwrap().operations.len(), 1, "2^16 addresses are allowed");
    }

    #[test]
    fn overlaps_and_names_that_are_taken_are_refused() {
        for (pool, field) in [
            ("name=a ranges=192.0.2.99-192.0.2.120", "address_range"),
            ("name=a ranges=10.0.0.5,192.0.2.0/28", "address_range"),
            ("name=guests ranges=10.0.0.5-10.0.0.9", "pool_name"),
        ] {
            let tables = tables(&[pool], &[], &[], &[HERE]);
            let refused = create(&tables, &wish(), &interface("vlan7")).unwrap_err();
            assert_eq!(refused.code, Code::InvalidParams, "{pool}");
            assert!(refused.say.contains(field), "{pool}: {}", refused.say);
        }
        let odd = tables(&["name=a ranges=what"], &[], &[], &[HERE]);
        assert_eq!(code(create(&odd, &wish(), &interface("vlan7"))), Code::UnsafeOperation);
        for bad in ["static-only", "none", "*1", " a", "a ", "no"] {
            let wish = Wish { name: bad.into(), ..wish() };
            assert_eq!(
                code(create(&tables(&[], &[], &[], &[HERE]), &wish, &[])),
                Code::InvalidParams,
                "{bad}"
            );
        }
    }

    #[test]
    fn gateways_and_resolvers_are_checked() {
        let tables = tables(&[], &[], &[], &[HERE]);
        for bad in ["192.0.3.1", "192.0.2.0", "192.0.2.255", "192.0.2.50", "gw", "::1", "127.0.0.1"] {
            let wish = Wish { gateway: bad.into(), ..wish() };
            let refused = create(&tables, &wish, &interface("vlan7")).unwrap_err();
            assert!(refused.code == Code::InvalidParams && refused.say.contains("`gateway`"), "{bad}");
        }
        for bad in [&["9.9.9.9", "9.9.9.9"][..], &["dns.example"], &["::1"], &["255.255.255.255"]] {
            let wish = Wish { dns_servers: bad.iter().map(|text| (*text).to_owned()).collect(), ..wish() };
            let refused = create(&tables, &wish, &interface("vlan7")).unwrap_err();
            assert!(refused.code == Code::InvalidParams && refused.say.contains("`dns_servers`"), "{bad:?}");
        }
    }

    #[test]
    fn a_network_that_is_there_is_used_and_not_changed() {
        let network = |gateway: &str| format!("address=192.0.2.0/24 gateway={gateway} dns-server=9.9.9.9");
        let with = |gateway: &str| tables(&[], &[&network(gateway)], &[], &[HERE]);
        let wish = Wish { dns_servers: vec![], ..wish() };
        assert_eq!(create(&with("192.0.2.1"), &wish, &interface("vlan7")).unwrap().operations.len(), 2);
        let refused = create(&with("192.0.2.2"), &wish, &interface("vlan7")).unwrap_err();
        assert!(refused.say.contains("`gateway`"), "{}", refused.say);
        let half = tables(&[], &["address=192.0.2.0/26"], &[], &[HERE]);
        let refused = create(&half, &wish, &interface("vlan7")).unwrap_err();
        assert!(refused.say.contains("over the edge"), "{}", refused.say);
        let wide = Wish { network: "192.0.0.0/16".into(), interface: String::new(), ..wish.clone() };
        let refused = create(&with("192.0.2.1"), &wide, &[]).unwrap_err();
        assert!(refused.say.contains("narrower"), "{}", refused.say);
        let both =
            tables(&[], &["address=192.0.0.0/16", "address=192.0.2.0/24 gateway=192.0.2.1"], &[], &[HERE]);
        let narrow = Wish { network: "192.0.2.0/24".into(), ..wish.clone() };
        assert_eq!(create(&both, &narrow, &interface("vlan7")).unwrap().operations.len(), 2);
        // A network for one host within the range is no obstacle.
        let one = tables(&[], &["address=192.0.2.20/32 gateway=192.0.2.2"], &[], &[HERE]);
        assert_eq!(create(&one, &wish, &interface("vlan7")).unwrap().operations.len(), 3);
    }

    #[test]
    fn a_server_goes_where_it_can_work_and_nowhere_else() {
        let try_on = |servers: &[&str], addresses: &[&str], interfaces: &[Row]| {
            create(&tables(&[], &[], servers, addresses), &wish(), interfaces)
        };
        let there = interface("vlan7");
        assert_eq!(code(try_on(&["name=x interface=vlan7"], &[HERE], &there)), Code::InvalidParams);
        assert_eq!(code(try_on(&["name=guests interface=vlan8"], &[HERE], &there)), Code::InvalidParams);
        assert_eq!(code(try_on(&[], &[HERE], &[])), Code::NotFound);
        let mut slave = there.clone();
        slave[0].insert("slave".into(), "true".into());
        assert_eq!(code(try_on(&[], &[HERE], &slave)), Code::InvalidParams);
        let elsewhere = "address=192.0.2.1/24 interface=vlan8";
        assert_eq!(code(try_on(&[], &[elsewhere], &there)), Code::InvalidParams);
        let off = "address=192.0.2.1/24 interface=vlan7 disabled=true";
        assert_eq!(code(try_on(&[], &[off, elsewhere], &there)), Code::InvalidParams);
        let learnt = "address=192.0.2.1/24 interface=vlan7 dynamic=true";
        assert_eq!(code(try_on(&[], &[learnt], &there)), Code::UnsafeOperation);
        let bare = Wish { gateway: String::new(), dns_servers: vec![], ..wish() };
        let proposal = create(&tables(&[], &[], &[], &[HERE]), &bare, &there).unwrap();
        assert_eq!((proposal.operations.len(), proposal.warnings.len()), (2, 1), "nothing is told");
    }

    #[test]
    fn a_server_in_our_own_network_is_risky() {
        let mut tables = tables(&[], &[], &[], &[HERE]);
        tables.way.from = vec!["192.0.2.200".parse().unwrap()];
        let proposal = create(&tables, &wish(), &interface("vlan7")).unwrap();
        assert!(proposal.operations[2].risky.is_some() && proposal.high.len() == 1);
    }

    proptest! {
        #[test]
        fn creating_goes_there_and_back(
            (pools, networks, servers) in crate::changes::dhcp_laws::any_tables(),
            name in select(&["guests", "p0", "p1"][..]),
            subnet in 0u8..4, low in 2u8..100, size in 1u8..100,
            gateway in option::of(1u8..254), dns: bool,
            network: bool,
            on in option::of(select(&["v0", "v1", "v2", "v3"][..])),
        ) {
            let addresses: Vec<String> =
                (0..3).map(|n| format!("address=10.0.{n}.1/24 interface=v{n}")).collect();
            let lines: Vec<&str> = addresses.iter().map(String::as_str).collect();
            let tables = Tables { pools, networks, servers, ..tables(&[], &[], &[], &lines) };
            let wish = Wish {
                name: name.into(),
                range: format!("10.0.{subnet}.{low}-10.0.{subnet}.{}", low + size),
                gateway: gateway.map(|host| format!("10.0.{subnet}.{host}")).unwrap_or_default(),
                dns_servers: if dns { vec!["9.9.9.9".into()] } else { vec![] },
                network: if network { format!("10.0.{subnet}.0/24") } else { String::new() },
                interface: on.unwrap_or_default().into(),
            };
            if let Ok(proposal) = create(&tables, &wish, &interface(on.unwrap_or("v9"))) {
                there_and_back(&tables, &proposal);
            }
        }
    }

    #[test]
    fn addresses_of_other_families_are_no_obstacle() {
        let tables = tables(&[], &[], &[], &[HERE, "address=2001:db8::1/64 interface=vlan7"]);
        assert!(create(&tables, &wish(), &interface("vlan7")).is_ok());
    }
}
