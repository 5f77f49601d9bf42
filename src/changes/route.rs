//! Adds, changes and removes static routes of `/ip/route`.
//!
//! A disabled route shows neither its distance nor its table (FACTS 1.3), so it is not removed and its distance not
//! changed: an undo could not put them back.

use std::net::{IpAddr, Ipv4Addr};

use events::operation::{Action, Property};

use crate::{
    changes::{
        Proposal, Refused,
        guard_route::{self, Paths, Planned, flag, made_by, of, table},
        record::{self, Menu, id_of, is_dynamic},
        span::Span,
    },
    routeros::{
        compat::{Endpoint, Field},
        port::Row,
        value::boolean,
    },
};

/// The menu, with every property that can be written in some release from 7.10 to 7.24.
pub const MENU: Menu = Menu {
    path: "/ip/route",
    writable: &[
        "blackhole",
        "check-gateway",
        "comment",
        "disabled",
        "distance",
        "dst-address",
        "gateway",
        "pref-src",
        "routing-table",
        "scope",
        "target-scope",
        "vrf-interface",
    ],
    conditional: &[Field::may("suppress-hw-offload").until(7, 20, 99)],
    state: &[
        "active",
        "bgp",
        "bgp-mpls-vpn",
        "connect",
        "dhcp",
        "ecmp",
        "hw-offloaded",
        "immediate-gw",
        "inactive",
        "is-is",
        "local-address",
        "modem",
        "ospf",
        "rip",
        "slaac",
        "static",
        "vpn",
    ],
    ordered: false,
    unset: false,
    narrow: &["dst-address"],
};

/// Properties that a tool sets.
const SET: &[&str] = &["dst-address", "gateway", "distance", "comment"];

/// Adding, with its undo.
pub const ADD: [Endpoint; 2] = [Endpoint::add(MENU.path, SET), Endpoint::remove(MENU.path)];
/// Changing; the undo sets back.
pub const MODIFY: Endpoint = Endpoint::set(MENU.path, SET);
/// Removing, with its undo.
pub const REMOVE: [Endpoint; 2] = [Endpoint::remove(MENU.path), MENU.restore()];

/// A destination of fewer fixed bits than this covers more than a `/8` and deserves a second look.
const WIDE: u128 = 1 << 24;

/// What a route shall be; nothing given leaves a property alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Network, such as `10.20.0.0/16`.
    pub dst_address: Option<String>,
    /// Address of the next router.
    pub gateway: Option<String>,
    /// 1–255, smaller wins.
    pub distance: Option<u8>,
    /// Comment; empty takes it away.
    pub comment: Option<String>,
}

impl Wish {
    /// Checks what can be checked before any router is read.
    ///
    /// # Errors
    /// What makes no sense on any router, by field; the default route.
    pub fn check(&self) -> Result<(), Refused> {
        if *self == Self::default() {
            return Err(Refused::param(
                "route_id",
                "nothing to change: give at least one of `dst_address`, `gateway`, `distance`, `comment`",
            ));
        }
        self.dst_address.as_deref().map(network).transpose()?;
        self.gateway.as_deref().map(gateway).transpose()?;
        Ok(())
    }

    /// The destination in RouterOS's spelling, if given.
    ///
    /// # Errors
    /// As [`Wish::check`].
    pub fn destination(&self) -> Result<Option<String>, Refused> {
        let span = self.dst_address.as_deref().map(network).transpose()?;
        Ok(span.as_ref().map(spelled))
    }

    fn properties(&self) -> Result<Vec<Property>, Refused> {
        let given = [
            ("dst-address", self.destination()?),
            ("gateway", self.gateway.as_deref().map(gateway).transpose()?.map(|ip| ip.to_string())),
            ("distance", self.distance.map(|distance| distance.to_string())),
            ("comment", self.comment.clone()),
        ];
        Ok(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}

fn default_route() -> Refused {
    Refused::unsafe_operation(
        "the default route is never planned here: most ways to a router, ours included, may depend on it",
        "a person changes it at the router",
    )
}

/// A destination: an IPv4 network without host bits, and not everything.
fn network(text: &str) -> Result<Span, Refused> {
    let shown: String = text.chars().take(64).collect();
    let bad = |why: String| Refused::param("dst_address", why);
    let span = Span::parse(text).filter(|_| !text.contains('-'));
    let span = span.ok_or_else(|| bad(format!("`{shown}` is no network such as 10.20.0.0/16")))?;
    if span.is_everything() {
        return Err(default_route());
    }
    if span.is_v6() {
        return Err(bad(format!("`{shown}` is IPv6; plans are about the IPv4 routes of {}", MENU.path)));
    }
    let Some((address, _)) = text.split_once('/') else {
        return Err(bad(format!("`{shown}` has no prefix length; one address is `{shown}/32`")));
    };
    if address.parse() != Ok(span.first()) {
        return Err(bad(format!("`{shown}` has host bits; the network is {}", spelled(&span))));
    }
    Ok(span)
}

/// A network as RouterOS shows it.
fn spelled(network: &Span) -> String {
    format!("{}/{}", network.first(), 32 - network.size().count_ones())
}

/// A gateway: the IPv4 address of one other machine.
fn gateway(text: &str) -> Result<IpAddr, Refused> {
    let shown: String = text.chars().take(64).collect();
    let bad = |why: &str| Err(Refused::param("gateway", format!("`{shown}` {why}")));
    match text.parse() {
        Ok(IpAddr::V4(ip)) if usable(ip) => Ok(IpAddr::V4(ip)),
        Ok(IpAddr::V4(_)) => bad("is not the address of another router"),
        Ok(IpAddr::V6(_)) => bad("is IPv6, and the destination is IPv4"),
        Err(_) => bad("is no address; interfaces and tables are not taken here"),
    }
}

fn usable(ip: Ipv4Addr) -> bool {
    // RFC 1122 3.2.1.3: none of these is one other host. 240.0.0.0/4 is reserved (RFC 1112).
    !(ip.octets()[0] == 0 || ip.is_loopback() || ip.is_multicast() || ip.octets()[0] >= 240)
}

/// Adds a static route to table `main`.
///
/// # Errors
/// What makes no sense, a route that is there already, the default route, what would cut our own way.
pub fn add(wish: &Wish, paths: &Paths<'_>) -> Result<Proposal, Refused> {
    let missing = |field| Refused::param(field, "is needed: a route leads somewhere");
    let destination = network(wish.dst_address.as_deref().ok_or_else(|| missing("dst_address"))?)?;
    let gateway = gateway(wish.gateway.as_deref().ok_or_else(|| missing("gateway"))?)?;
    // RouterOS's own default, said so that the approver sees it.
    let wish = Wish { distance: wish.distance.or(Some(1)), ..wish.clone() };
    let properties = wish.properties()?;
    not_own(gateway, paths)?;
    let planned =
        Planned { destination, gateway: Some(gateway), distance: wish.distance, table: "main", id: None };
    not_twice(&properties.iter().cloned().collect(), &planned, paths)?;
    let mut operation = record::add(&MENU, paths.routes, properties, None);
    operation.risky = paths.taken_over(&planned)?;
    let warnings = warnings(&planned, paths);
    Ok(proposal(vec![operation], vec![destination], warnings, paths))
}

/// Changes a static route.
///
/// # Errors
/// As [`add`]; a route that a person did not make, and what could not be undone.
pub fn modify(id: &str, wish: &Wish, paths: &Paths<'_>) -> Result<Proposal, Refused> {
    wish.check()?;
    let row = own(paths.routes, id)?;
    let properties = wish.properties()?;
    let mut wanted = row.clone();
    wanted.extend(properties.iter().cloned());
    let old = guard_route::destination(row);
    let destination = guard_route::destination(&wanted).ok_or_else(|| unreadable(id))?;
    let told = |name: &str| !of(row, name).is_empty();
    if wish.gateway.is_some() && !told("gateway") {
        return Err(Refused::param("gateway", format!("`{id}` has none: it drops what it matches"))
            .hint("plan its removal and a new route"));
    }
    if wish.distance.is_some() && !told("distance") {
        return Err(hidden(id, "its distance cannot be changed"));
    }
    let gateway = of(&wanted, "gateway").parse().ok();
    if let (Some(gateway), true) = (gateway, wish.gateway.is_some()) {
        not_own(gateway, paths)?;
    }
    let planned = Planned {
        destination,
        gateway,
        distance: of(&wanted, "distance").parse().ok(),
        table: table(row),
        id: Some(id),
    };
    let operations = record::set(&MENU, &kept(row), &properties)?;
    let leads_elsewhere =
        ["dst-address", "gateway", "distance"].iter().any(|name| of(row, name) != of(&wanted, name));
    if !leads_elsewhere {
        return Ok(proposal(operations, old.into_iter().collect(), Vec::new(), paths));
    }
    not_twice(&wanted, &planned, paths)?;
    let (mut risky, mut warned) = (None, Vec::new());
    if !flag(row, "disabled") {
        let leaves = paths.leaves(row)?;
        risky = leaves.or(paths.taken_over(&planned)?);
        warned = warnings(&planned, paths);
    }
    let operations = operations.into_iter().map(|mut operation| {
        operation.risky.clone_from(&risky);
        operation
    });
    Ok(proposal(operations.collect(), old.into_iter().chain([destination]).collect(), warned, paths))
}

/// Removes a static route. The undo adds it again as it was; it then has another id.
///
/// # Errors
/// A route that a person did not make, the default route, what would cut our own way, what could not be undone.
pub fn remove(id: &str, paths: &Paths<'_>) -> Result<Proposal, Refused> {
    let row = own(paths.routes, id)?;
    if of(row, "distance").is_empty() {
        return Err(hidden(id, "it cannot be removed"));
    }
    let mut operation = record::remove(&MENU, paths.routes, &kept(row))?;
    operation.risky = paths.leaves(row)?;
    if flag(row, "blackhole")
        && let Some(Action::Add { properties, .. }) = operation.undo.first_mut()
        && !properties.iter().any(|(name, _)| name == "blackhole")
    {
        // RouterOS shows the flag as an empty text, which every reading takes for unset; it is written with a word.
        properties.push(("blackhole".to_owned(), "yes".to_owned()));
    }
    let destination = guard_route::destination(row).ok_or_else(|| unreadable(id))?;
    Ok(proposal(vec![operation], vec![destination], Vec::new(), paths))
}

/// The static route with an id.
fn own<'a>(rows: &'a [Row], id: &str) -> Result<&'a Row, Refused> {
    if let Some(maker) = rows.iter().find(|row| id_of(row) == id).and_then(made_by) {
        return Err(Refused::unsafe_operation(
            format!("`{id}` is no static route: it was made by {maker}"),
            format!("change {maker} instead; get_routing_summary shows the static routes"),
        ));
    }
    let row = record::find(&MENU, rows, id, "route_id")?;
    match guard_route::destination(row) {
        Some(span) if span.is_everything() => Err(default_route()),
        Some(_) => Ok(row),
        None => Err(unreadable(id)),
    }
}

fn unreadable(id: &str) -> Refused {
    Refused::unsafe_operation(
        format!("the destination of `{id}` is no network, so it cannot be told what it carries"),
        "change it by hand",
    )
}

fn hidden(id: &str, what: &str) -> Refused {
    Refused::unsafe_operation(
        format!(
            "`{id}` is disabled and does not show its distance and table, so {what}: an undo could not put them back"
        ),
        "enable it at the router first, or change it by hand",
    )
}

/// A route without what is off: those are what a new route has, and not every release takes them all.
fn kept(row: &Row) -> Row {
    let on = |value: &str| !value.is_empty() && boolean(value) != Some(false);
    row.iter().filter(|(_, value)| on(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn not_own(gateway: IpAddr, paths: &Paths<'_>) -> Result<(), Refused> {
    if !paths.own(gateway) {
        return Ok(());
    }
    Err(Refused::param("gateway", format!("{gateway} is an address of the router itself")))
}

/// No two routes with the same destination, gateway, distance and table. What a disabled one does not tell may be the same.
fn not_twice(wanted: &Row, planned: &Planned<'_>, paths: &Paths<'_>) -> Result<(), Refused> {
    let twin = paths.routes.iter().find(|row| {
        let distance = of(row, "distance");
        !is_dynamic(row)
            && planned.id.is_none_or(|id| id_of(row) != id)
            && guard_route::destination(row) == Some(planned.destination)
            && of(row, "gateway") == of(wanted, "gateway")
            && flag(row, "blackhole") == flag(wanted, "blackhole")
            && (distance.is_empty() || planned.distance.is_none_or(|new| new.to_string() == distance))
            && (of(row, "routing-table").is_empty() || table(row) == planned.table)
    });
    let Some(twin) = twin else { return Ok(()) };
    let field = if planned.id.is_some() { "route_id" } else { "dst_address" };
    let disabled = if flag(twin, "disabled") { " (disabled)" } else { "" };
    Err(Refused::param(
        field,
        format!("route `{}`{disabled} has the same destination, gateway, distance and table", id_of(twin)),
    )
    .hint("leave that router out, use another distance, or plan a change of that route"))
}

/// What an approver should know besides.
fn warnings(planned: &Planned<'_>, paths: &Paths<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if planned.gateway.is_some_and(|gateway| !paths.connected(gateway)) {
        warnings.push(
            "the gateway is in no network of the router: the route stays out of use until it is".to_owned(),
        );
    }
    if planned.destination.size() >= WIDE {
        warnings.push("the destination is wider than a /8".to_owned());
    }
    let beside = paths.routes.iter().any(|row| {
        flag(row, "active")
            && planned.id.is_none_or(|id| id_of(row) != id)
            && guard_route::destination(row) == Some(planned.destination)
            && table(row) == planned.table
            && of(row, "distance").parse().ok() == planned.distance
    });
    if beside {
        warnings.push(
            "another route to the same destination has the same distance: traffic is shared among them"
                .to_owned(),
        );
    }
    warnings
}

fn proposal(
    operations: Vec<events::operation::Operation>,
    destinations: Vec<Span>,
    warnings: Vec<String>,
    paths: &Paths<'_>,
) -> Proposal {
    let risky: Option<String> = operations.iter().find_map(|operation| operation.risky.clone());
    let concerns_us = !operations.is_empty() && destinations.iter().any(|span| paths.concerns_us(*span));
    let high = risky.or_else(|| {
        concerns_us.then(|| "its destination contains the router's management address or our own".to_owned())
    });
    let warnings = if operations.is_empty() { Vec::new() } else { warnings };
    Proposal { operations, high: high.into_iter().collect(), warnings }
}
