//! What the changes of DHCP pools share: their menus, what is read of a router, and the rules of ranges and networks.
//!
//! A pool is a range of addresses, a network is what clients of it are told, a server hands the addresses out on an
//! interface. RouterOS itself refuses neither pools that overlap nor the removal of one that is in use.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use crate::{
    changes::{
        Refused,
        guard::Way,
        record::{Menu, id_of},
        span::Span,
    },
    routeros::{
        compat::{Endpoint, Field},
        port::Row,
        value::{boolean, list},
    },
};

/// `/ip/pool`.
pub const POOL: Menu = Menu {
    path: "/ip/pool",
    writable: &["comment", "name", "next-pool", "ranges"],
    conditional: &[],
    state: &["total", "used", "available"],
    ordered: false,
    unset: false,
    narrow: &[],
};

/// `/ip/dhcp-server/network`.
pub const NETWORK: Menu = Menu {
    path: "/ip/dhcp-server/network",
    writable: &[
        "address",
        "boot-file-name",
        "caps-manager",
        "comment",
        "dhcp-option",
        "dhcp-option-set",
        "dns-none",
        "dns-server",
        "domain",
        "gateway",
        "netmask",
        "next-server",
        "ntp-server",
        "wins-server",
    ],
    conditional: &[Field::may("ntp-none").since(7, 20)],
    state: &[],
    ordered: false,
    unset: false,
    narrow: &[],
};

/// `/ip/dhcp-server`.
pub const SERVER: Menu = Menu {
    path: "/ip/dhcp-server",
    writable: &[
        "add-arp",
        "address-pool",
        "allow-dual-stack-queue",
        "always-broadcast",
        "authoritative",
        "bootp-lease-time",
        "bootp-support",
        "client-mac-limit",
        "comment",
        "conflict-detection",
        "delay-threshold",
        "dhcp-option-set",
        "disabled",
        "insert-queue-before",
        "interface",
        "lease-script",
        "lease-time",
        "name",
        "parent-queue",
        "relay",
        "server-address",
        "use-framed-as-classless",
        "use-radius",
    ],
    conditional: &[
        Field::may("address-lists").since(7, 17),
        Field::may("use-reconfigure").since(7, 20),
        Field::may("dynamic-lease-identifiers").since(7, 21),
        Field::may("support-broadband-tr101").since(7, 21),
        Field::may("add-dns-entries").since(7, 23),
        Field::may("add-dns-entries-suffix").since(7, 23),
    ],
    state: &[],
    ordered: false,
    unset: false,
    narrow: &[],
};

/// Adding a network, with its undo.
pub(super) const ADD_NETWORK: [Endpoint; 2] =
    [Endpoint::add(NETWORK.path, &["address", "gateway", "dns-server"]), Endpoint::remove(NETWORK.path)];

/// What a server hands out when it has no pool: only what its static leases say.
pub(super) const STATIC_ONLY: &str = "static-only";

/// The most addresses of one pool, 2^16: more than any network that a DHCP server should serve, and few enough that a
/// slip (`10.0.0.2-10.99.0.254`) is caught.
const POOL_MAX: u128 = 65_536;

/// Addresses that no client can have: this host, loopback, multicast, and reserved (RFC 6890).
const NOT_FOR_CLIENTS: [&str; 3] = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"];

/// What is read of a router before a change of its pools is proposed.
#[derive(Debug, Clone)]
pub struct Tables {
    /// `/ip/pool`.
    pub pools: Vec<Row>,
    /// `/ip/dhcp-server/network`.
    pub networks: Vec<Row>,
    /// `/ip/dhcp-server`.
    pub servers: Vec<Row>,
    /// `/ip/address`.
    pub addresses: Vec<Row>,
    /// Our own way to the router.
    pub way: Way,
}

/// A property's text; unset is empty.
pub(super) fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map(String::as_str).unwrap_or_default()
}

/// A flag that is on.
pub(super) fn is_on(row: &Row, name: &str) -> bool {
    boolean(text(row, name)) == Some(true)
}

/// An IPv4 network of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Net {
    first: Ipv4Addr,
    bits: u8,
    /// Its addresses.
    pub(super) span: Span,
}

impl Net {
    /// Of `192.0.2.1/24`: host bits count as zero. An address alone is a network of its own.
    pub(super) fn of(text: &str) -> Option<Self> {
        let bits = text.split_once('/').map_or(Some(32), |(_, bits)| bits.parse().ok())?;
        let span = Span::parse(text)?;
        let IpAddr::V4(first) = span.first() else { return None };
        Some(Self { first, bits, span })
    }

    /// The network that a parameter names.
    fn of_param(field: &'static str, text: &str) -> Result<Self, Refused> {
        let bad =
            || Refused::param(field, "is an IPv4 network with its prefix length, such as `192.0.2.0/24`");
        let net = text.contains('/').then(|| Self::of(text)).flatten().ok_or_else(bad)?;
        if net.bits < 8 || net.bits > 30 {
            return Err(Refused::param(field, "its prefix length is 8–30"));
        }
        if text.split('/').next().and_then(|address| address.parse().ok()) != Some(net.first) {
            return Err(Refused::param(field, format!("it has host bits; the network is {net}")));
        }
        Ok(net)
    }

    /// True for the address of the network itself, and for its broadcast address.
    fn is_edge(&self, address: IpAddr) -> bool {
        self.bits < 31 && (address == self.span.first() || address == self.span.last())
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// A range `a-b` of IPv4 addresses that clients can have, a < b.
pub(super) fn range(text: &str) -> Result<Span, Refused> {
    let field = "address_range";
    let say =
        "is `first-last`, two IPv4 addresses of which the first is lower, such as `192.0.2.10-192.0.2.99`";
    let span = text.contains('-').then(|| Span::parse(text)).flatten();
    let span = span.filter(|span| !span.is_v6() && span.size() > 0);
    let span = span.ok_or_else(|| Refused::param(field, say))?;
    if span.size() >= POOL_MAX {
        let why = format!("{} addresses are too many: a pool has at most {POOL_MAX}", span.size() + 1);
        return Err(Refused::param(field, why));
    }
    if NOT_FOR_CLIENTS.iter().filter_map(|bad| Span::parse(bad)).any(|bad| bad.overlaps(&span)) {
        return Err(Refused::param(field, "has addresses that no client can have"));
    }
    Ok(span)
}

/// A range in RouterOS's spelling.
pub(super) fn shown(span: &Span) -> String {
    format!("{}-{}", span.first(), span.last())
}

/// An address that clients are told.
pub(super) fn host(field: &'static str, text: &str) -> Result<Ipv4Addr, Refused> {
    let address = text.parse::<Ipv4Addr>();
    let address = address.map_err(|_| Refused::param(field, "is an IPv4 address such as `192.0.2.1`"))?;
    let at = Span::of(IpAddr::V4(address));
    if NOT_FOR_CLIENTS.iter().filter_map(|bad| Span::parse(bad)).any(|bad| bad.overlaps(&at)) {
        return Err(Refused::param(field, format!("{address} is no address of a host")));
    }
    Ok(address)
}

/// Resolvers that clients are told, in RouterOS's spelling.
pub(super) fn resolvers(texts: &[String]) -> Result<String, Refused> {
    let mut servers = Vec::new();
    for text in texts {
        let server = host("dns_servers", text)?.to_string();
        if servers.contains(&server) {
            return Err(Refused::param("dns_servers", format!("{server} stands twice")));
        }
        servers.push(server);
    }
    Ok(servers.join(","))
}

/// The ranges of a pool.
///
/// # Errors
/// `unsafe_operation` when they cannot be read: an overlap with them could not be seen.
pub(super) fn spans(pool: &Row) -> Result<Vec<Span>, Refused> {
    let read: Option<Vec<Span>> = list(text(pool, "ranges")).into_iter().map(Span::parse).collect();
    read.ok_or_else(|| {
        Refused::unsafe_operation(
            format!("the ranges of pool `{}` cannot be read, so an overlap could not be seen", id_of(pool)),
            "write them as `first-last` or as a network on the router",
        )
    })
}

/// The most specific DHCP network that has all of these addresses.
pub(super) fn network_of<'a>(networks: &'a [Row], spans: &[Span]) -> Option<(&'a Row, Net)> {
    let known = networks.iter().filter_map(|row| Some((row, Net::of(text(row, "address"))?)));
    known
        .filter(|(_, net)| !spans.is_empty() && spans.iter().all(|span| net.span.includes(span)))
        .max_by_key(|(_, net)| net.bits)
}

/// The router's own addresses that are in use: each with its record and its network.
pub(super) fn own(addresses: &[Row]) -> impl Iterator<Item = (&Row, IpAddr, Net)> {
    addresses.iter().filter(|row| !is_on(row, "disabled")).filter_map(|row| {
        let address = text(row, "address");
        Some((row, address.split('/').next()?.parse().ok()?, Net::of(address)?))
    })
}

/// The most specific network of the router's own that has all of these addresses.
pub(super) fn own_network(addresses: &[Row], spans: &[Span]) -> Option<Net> {
    let nets = own(addresses).map(|(_, _, net)| net);
    nets.filter(|net| net.bits < 31 && spans.iter().all(|span| net.span.includes(span)))
        .max_by_key(|net| net.bits)
}

/// What must hold for a new range of a pool, whatever its network: it overlaps no other pool, has no address of the
/// router's, does not reach over the edge of a DHCP network, and has neither a network's own address nor its broadcast.
pub(super) fn new_range(tables: &Tables, span: &Span, own_pool: Option<&str>) -> Result<(), Refused> {
    let field = "address_range";
    for pool in tables.pools.iter().filter(|pool| Some(id_of(pool)) != own_pool) {
        if spans(pool)?.iter().any(|other| other.overlaps(span)) {
            return Err(Refused::param(field, format!("overlaps pool `{}`", id_of(pool)))
                .hint("choose addresses that no pool has, or change that pool first"));
        }
    }
    if let Some((_, address, _)) = own(&tables.addresses).find(|(_, address, _)| span.contains(*address)) {
        return Err(Refused::param(field, format!("has {address}, which is the router's own address"))
            .hint("leave it out of the range"));
    }
    let nets = || tables.networks.iter().filter_map(|row| Some((row, Net::of(text(row, "address"))?)));
    let over = nets()
        .find(|(_, net)| net.span.overlaps(span) && !net.span.includes(span) && !span.includes(&net.span));
    if let Some((row, _)) = over {
        let why = format!("reaches over the edge of DHCP network `{}`", id_of(row));
        return Err(Refused::param(field, why).hint("plan a pool for each network"));
    }
    let net = network_of(&tables.networks, &[*span]).map(|(_, net)| net);
    net.or_else(|| own_network(&tables.addresses, &[*span])).map_or(Ok(()), |net| no_edge(&net, span))
}

/// No client can have a network's own address or its broadcast address.
pub(super) fn no_edge(net: &Net, span: &Span) -> Result<(), Refused> {
    let edge = [net.span.first(), net.span.last()];
    match edge.into_iter().find(|address| net.is_edge(*address) && span.contains(*address)) {
        None => Ok(()),
        Some(address) => Err(Refused::param(
            "address_range",
            format!("has {address}, which is the address or the broadcast address of {net}"),
        )),
    }
}

/// A gateway must be a host of its network that no client can be given: `pools` are all pools as they will be.
pub(super) fn gateway_fits(net: &Net, gateway: Ipv4Addr, pools: &[Vec<Span>]) -> Result<(), Refused> {
    let (field, address) = ("gateway", IpAddr::V4(gateway));
    if !net.span.contains(address) || net.is_edge(address) {
        return Err(Refused::param(field, format!("{gateway} is no host of the network {net}")));
    }
    if pools.iter().flatten().any(|span| span.contains(address)) {
        return Err(Refused::param(field, format!("{gateway} is in a pool, so a client could be given it"))
            .hint("leave it out of the range, or choose another gateway"));
    }
    Ok(())
}

/// The network that is to be added for these addresses: the one that is named, or the router's own.
pub(super) fn new_network(tables: &Tables, spans: &[Span], named: Option<&str>) -> Result<Net, Refused> {
    let field = "network";
    let net = match named {
        Some(text) => Net::of_param(field, text)?,
        None => own_network(&tables.addresses, spans).ok_or_else(|| {
            Refused::param(field, "is needed: no address of the router is in a network with that range").hint(
                "name the clients' network, such as `192.0.2.0/24`, or add an address to the router first",
            )
        })?,
    };
    if !spans.iter().all(|span| net.span.includes(span)) {
        return Err(Refused::param(field, format!("{net} does not have the whole range")));
    }
    spans.iter().try_for_each(|span| no_edge(&net, span))?;
    Ok(net)
}

/// Why a change of what clients of a network get may cut our own way: our own address is one of theirs.
pub(super) fn may_cut_us(way: &Way, spans: &[Span]) -> Option<String> {
    let ours = way.from.iter().any(|from| spans.iter().any(|span| span.contains(*from)));
    ours.then(|| "our own address may be a lease of this network".to_owned())
}

/// The servers that hand out from a pool.
pub(super) fn servers_of<'a>(servers: &'a [Row], pool: &str) -> Vec<&'a Row> {
    servers.iter().filter(|server| text(server, "address-pool") == pool).collect()
}

/// The networks of the router's own addresses on an interface.
pub(super) fn nets_on<'a>(addresses: &'a [Row], interface: &str) -> Vec<(&'a Row, Net)> {
    let on = |row: &Row| text(row, "interface") == interface || text(row, "actual-interface") == interface;
    own(addresses).filter(|(row, ..)| on(row)).map(|(row, _, net)| (row, net)).collect()
}
