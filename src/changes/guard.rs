//! The management path: our own way to a router, and what would cut it.
//!
//! What surely cuts it is refused. What may cut it, as far as can be told from a reading, is marked risky, so that the
//! approver sees it.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    changes::{
        Refused,
        record::{id_of, is_dynamic},
        span::Span,
    },
    routeros::port::Row,
};

/// Our own way to a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where we reach it.
    pub to: IpAddr,
    /// Port of REST.
    pub port: u16,
    /// Where the router sees us come from; empty when it does not tell.
    pub from: Vec<IpAddr>,
    /// True when `to` is one of the router's own addresses: nothing translates it on the way.
    pub direct: bool,
    /// The interface that we come in by, in RouterOS's name, where that is sure: it has `to`, and we are in its network.
    pub interface: Option<String>,
}

impl Way {
    /// The way, from `/user/active` (who is logged in over REST) and `/ip/address`.
    #[must_use]
    pub fn of(to: IpAddr, port: u16, active: &[Row], addresses: &[Row]) -> Self {
        let over_rest = active.iter().filter(|row| row.get("via").is_some_and(|via| via == "rest-api"));
        let mut from: Vec<IpAddr> = over_rest.filter_map(|row| row.get("address")?.parse().ok()).collect();
        from.sort_unstable();
        from.dedup();
        let own = addresses.iter().find(|row| {
            let address = row.get("address").and_then(|text| text.split('/').next());
            address.and_then(|text| text.parse::<IpAddr>().ok()) == Some(to) && !disabled(row)
        });
        let interface = own.and_then(|row| {
            row.get("actual-interface")
                .filter(|name| !name.is_empty())
                .or_else(|| row.get("interface"))
                .cloned()
        });
        // Only where we are in that address's own network do we surely come in by its interface.
        let network = own.and_then(|row| row.get("address")).and_then(|text| Span::parse(text));
        let on_link = !from.is_empty()
            && network.is_some_and(|network| from.iter().all(|address| network.contains(*address)));
        Self { to, port, from, direct: own.is_some(), interface: interface.filter(|_| on_link) }
    }
}

/// Switched off.
#[must_use]
pub fn disabled(row: &Row) -> bool {
    row.get("disabled").is_some_and(|text| matches!(text.as_str(), "true" | "yes"))
}

/// Whether a rule matches our requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matches {
    Surely,
    Perhaps,
    Never,
}

impl Matches {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Surely, Self::Surely) => Self::Surely,
            _ => Self::Perhaps,
        }
    }

    const fn when(yes: bool) -> Self {
        if yes { Self::Surely } else { Self::Never }
    }
}

/// Properties of a rule that match nothing away.
const HARMLESS: [&str; 13] = [
    ".id",
    "chain",
    "action",
    "comment",
    "disabled",
    "dynamic",
    "invalid",
    "log",
    "log-prefix",
    "bytes",
    "packets",
    "reject-with",
    "jump-target",
];

/// One packet of ours: a request on its way in, or an answer on its way out.
#[derive(Debug, Clone, Copy)]
struct Packet<'a> {
    way: &'a Way,
    /// Us, where the router tells.
    us: Option<IpAddr>,
    /// `input` or `output`.
    chain: &'static str,
    /// `new` or `established`.
    state: &'static str,
}

/// What can become of a packet in a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fate {
    accepted: bool,
    dropped: bool,
    /// It can come to the end of the chain.
    falls: bool,
}

impl Fate {
    /// What nobody drops is accepted.
    const fn through(self) -> bool {
        self.accepted || self.falls
    }
}

/// So many chains are followed; further ones may do anything.
const CHAINS_MAX: usize = 256;

/// Would the rules, as they will be, cut our own way in? `touched` are the rules that differ.
///
/// # Errors
/// `unsafe_operation` when our requests, or the answers to them, would surely be dropped.
pub fn own_way(
    way: &Way,
    before: &[Row],
    after: &[Row],
    touched: &[&str],
) -> Result<Option<String>, Refused> {
    // These rules are about IPv4.
    if way.to.is_ipv6() {
        return Ok(None);
    }
    let us: Vec<Option<IpAddr>> =
        if way.from.is_empty() { vec![None] } else { way.from.iter().copied().map(Some).collect() };
    let kinds = [("input", "new"), ("input", "established"), ("output", "established")];
    let mut risky = false;
    for us in us {
        for (chain, state) in kinds {
            let packet = Packet { way, us, chain, state };
            let (was, will) = (fate(&packet, before, chain), fate(&packet, after, chain));
            if !will.through() && was.through() {
                return Err(Refused::unsafe_operation(
                    format!("this would drop our own connection (TCP port {}) in chain {chain}", way.port),
                    "put the rule after one that accepts our address, or narrow what it matches",
                ));
            }
            let meets = |rows: &[Row]| {
                let chains = reached(rows, chain);
                rows.iter().filter(|row| touched.contains(&id_of(row))).any(|row| {
                    chains.contains(&chain_of(row))
                        && !disabled(row)
                        && decides(row)
                        && matches(&packet, row) != Matches::Never
                })
            };
            risky |= will.dropped && (!was.dropped || meets(before) || meets(after));
        }
    }
    Ok(risky.then(|| "it may drop our own connection to the router".to_owned()))
}

/// The chains that packets to or from the router itself can come to.
#[must_use]
pub fn of_the_router(rows: &[Row], row: &Row) -> bool {
    ["input", "output"].iter().any(|chain| reached(rows, chain).contains(&chain_of(row)))
}

fn chain_of(row: &Row) -> &str {
    row.get("chain").map_or("", String::as_str)
}

/// A chain and those that it jumps to.
fn reached<'a>(rows: &'a [Row], chain: &'a str) -> Vec<&'a str> {
    let mut found = vec![chain];
    let mut n = 0;
    while let Some(from) = found.get(n).copied() {
        n += 1;
        let jumps = rows.iter().filter(|row| chain_of(row) == from && !disabled(row));
        for target in jumps.filter_map(|row| row.get("jump-target")) {
            if !found.contains(&target.as_str()) {
                found.push(target);
            }
        }
    }
    found
}

fn action_of(row: &Row) -> &str {
    row.get("action").map_or("accept", String::as_str)
}

/// It ends a packet's way, or sends it elsewhere.
#[must_use]
pub fn decides(row: &Row) -> bool {
    matches!(action_of(row), "accept" | "drop" | "reject" | "tarpit" | "jump" | "return")
}

fn fate(packet: &Packet<'_>, rules: &[Row], chain: &str) -> Fate {
    fate_in(packet, rules, chain, &mut BTreeMap::new())
}

/// Each chain is looked at once, however many jumps lead to it; one that leads to itself may do anything.
fn fate_in<'a>(
    packet: &Packet<'_>,
    rules: &'a [Row],
    chain: &'a str,
    known: &mut BTreeMap<&'a str, Option<Fate>>,
) -> Fate {
    if let Some(known) = known.get(chain) {
        return known.unwrap_or(Fate { accepted: true, dropped: true, falls: true });
    }
    if known.len() >= CHAINS_MAX {
        return Fate { accepted: true, dropped: true, falls: true };
    }
    known.insert(chain, None);
    let mut fate = Fate::default();
    let mut ends = false;
    let of_chain = rules.iter().filter(|row| chain_of(row) == chain && !disabled(row) && decides(row));
    for row in of_chain {
        let how = matches(packet, row);
        if how == Matches::Never {
            continue;
        }
        match action_of(row) {
            "accept" => fate.accepted = true,
            "jump" => {
                let target = row.get("jump-target").map_or("", String::as_str);
                let inner = fate_in(packet, rules, target, known);
                fate.accepted |= inner.accepted;
                fate.dropped |= inner.dropped;
                if inner.falls {
                    continue;
                }
            }
            "return" => fate.falls = true,
            _ => fate.dropped = true,
        }
        if how == Matches::Surely {
            ends = true;
            break;
        }
    }
    fate.falls |= !ends;
    known.insert(chain, Some(fate));
    fate
}

fn matches(packet: &Packet<'_>, row: &Row) -> Matches {
    let Packet { way, us, chain, state } = packet;
    let inward = *chain == "input";
    let own = way.direct.then_some(way.to);
    let (source, destination) = if inward { (*us, own) } else { (own, *us) };
    let address = |value: &str, ours: Option<IpAddr>| match ours {
        None => Matches::Perhaps,
        Some(ours) => negated(value, |value| addresses(value, &[ours])),
    };
    let mut all = Matches::Surely;
    let told = row.iter().filter(|(name, value)| !HARMLESS.contains(&name.as_str()) && !value.is_empty());
    for (name, value) in told {
        let one = match name.as_str() {
            "protocol" => negated(value, |value| Matches::when(matches!(value, "tcp" | "6"))),
            // Behind a translation the router sees another port than ours.
            "dst-port" if inward && way.direct => negated(value, |value| ports(value, way.port)),
            "src-port" if !inward && way.direct => negated(value, |value| ports(value, way.port)),
            "src-address" => address(value, source),
            "dst-address" => address(value, destination),
            "in-interface" if inward => match &way.interface {
                Some(own) => {
                    negated(value, |value| if value == own { Matches::Surely } else { Matches::Perhaps })
                }
                None => Matches::Perhaps,
            },
            "connection-state" => states(value, state),
            _ => Matches::Perhaps,
        };
        all = all.and(one);
    }
    all
}

fn negated(value: &str, test: impl Fn(&str) -> Matches) -> Matches {
    match value.strip_prefix('!') {
        None => test(value),
        Some(value) => match test(value) {
            Matches::Surely => Matches::Never,
            Matches::Never => Matches::Surely,
            Matches::Perhaps => Matches::Perhaps,
        },
    }
}

fn ports(value: &str, port: u16) -> Matches {
    let mut readable = true;
    let hit = value.split(',').any(|part| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        match (low.trim().parse::<u16>(), high.trim().parse::<u16>()) {
            (Ok(low), Ok(high)) => (low..=high).contains(&port),
            _ => {
                readable = false;
                false
            }
        }
    });
    if hit {
        Matches::Surely
    } else if readable {
        Matches::Never
    } else {
        Matches::Perhaps
    }
}

fn addresses(value: &str, ours: &[IpAddr]) -> Matches {
    let Some(span) = Span::parse(value) else { return Matches::Perhaps };
    match ours.iter().filter(|address| span.contains(**address)).count() {
        0 => Matches::Never,
        n if n == ours.len() => Matches::Surely,
        _ => Matches::Perhaps,
    }
}

/// A connection of ours begins as `new` and goes on as `established`.
fn states(value: &str, state: &str) -> Matches {
    let (value, not) = value.strip_prefix('!').map_or((value, false), |value| (value, true));
    Matches::when(value.split(',').any(|part| part.trim() == state) != not)
}

/// The next hops of the active routes that lead to us.
fn next_hops(way: &Way, routes: &[Row]) -> Vec<IpAddr> {
    let leads_to_us = |row: &&Row| {
        let destination = row.get("dst-address").and_then(|text| Span::parse(text));
        let covers = |span: Span| way.from.is_empty() || way.from.iter().any(|from| span.contains(*from));
        row.contains_key("active") && destination.is_some_and(covers)
    };
    let hops = routes.iter().filter(leads_to_us).flat_map(|row| {
        let told = ["immediate-gw", "gateway"].iter().filter_map(|name| row.get(*name));
        told.flat_map(|text| text.split(',')).filter_map(|hop| hop.split(['%', '@']).next()?.parse().ok())
    });
    hops.collect()
}

/// Would a new address draw the way to us over to another interface?
///
/// # Errors
/// `unsafe_operation` when its network holds us, or the next hop of a route to us.
pub fn address_comes(way: &Way, routes: &[Row], network: Span, interface: &str) -> Result<(), Refused> {
    let elsewhere = way.interface.as_deref() != Some(interface);
    if elsewhere && way.from.iter().any(|from| network.contains(*from)) {
        return Err(Refused::unsafe_operation(
            "our own address lies in that network: the router would answer us over that interface",
            "choose a network that does not contain the appliance",
        ));
    }
    if next_hops(way, routes).iter().any(|hop| network.contains(*hop)) {
        return Err(Refused::unsafe_operation(
            "the next hop of the route to us lies in that network: it would be looked for on that interface",
            "choose a network that does not contain the router's gateway",
        ));
    }
    Ok(())
}

/// Would taking away or switching off an address cut us off?
///
/// # Errors
/// `unsafe_operation` when the address we reach is it, or lies in its network, or the next hop of a route to us does.
pub fn address_leaves(way: &Way, routes: &[Row], row: &Row) -> Result<(), Refused> {
    let Some(network) = row.get("address").and_then(|text| Span::parse(text)) else { return Ok(()) };
    let carries_us = network.contains(way.to)
        || way.from.iter().any(|from| network.contains(*from))
        || next_hops(way, routes).iter().any(|hop| network.contains(*hop));
    if !carries_us || disabled(row) || is_dynamic(row) {
        return Ok(());
    }
    Err(Refused::unsafe_operation(
        "our own way to this router lies in the network of that address",
        "reach the router by another address first (`appliance device edit DEVICE --ip ADDRESS`), then remove this one",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        text.split_whitespace()
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn rules(lines: &[&str]) -> Vec<Row> {
        lines.iter().enumerate().map(|(n, line)| row(&format!(".id=*{n} {line}"))).collect()
    }

    fn way() -> Way {
        Way {
            to: "192.0.2.1".parse().unwrap(),
            port: 443,
            from: vec!["198.51.100.9".parse().unwrap()],
            direct: true,
            interface: Some("ether1".into()),
        }
    }

    fn verdict(before: &[&str], after: &[&str], touched: &str) -> Result<Option<String>, Refused> {
        own_way(&way(), &rules(before), &rules(after), &[touched])
    }

    #[test]
    fn what_surely_drops_us_is_refused() {
        for rule in [
            "chain=input action=drop",
            "chain=input action=reject protocol=tcp dst-port=443",
            "chain=input action=drop src-address=198.51.100.0/24",
            "chain=input action=drop dst-address=192.0.2.1 dst-port=1-1024 protocol=tcp",
            "chain=input action=drop src-address=!10.0.0.0/8",
            "chain=input action=drop connection-state=established",
            "chain=input action=drop in-interface=ether1",
            "chain=output action=drop",
            "chain=output action=drop protocol=tcp src-port=443 dst-address=198.51.100.9",
        ] {
            let error = verdict(&[], &[rule], "*0").unwrap_err();
            assert_eq!(error.code, crate::failure::Code::UnsafeOperation, "{rule}");
        }
    }

    #[test]
    fn what_does_not_meet_us_is_no_risk() {
        for rule in [
            "chain=forward action=drop",
            "chain=input action=drop protocol=udp",
            "chain=input action=drop dst-port=22,80-90 protocol=tcp",
            "chain=input action=drop src-address=10.0.0.0/8",
            "chain=input action=drop connection-state=invalid",
            "chain=input action=drop disabled=true",
            "chain=input action=log",
            "chain=input action=accept",
        ] {
            assert_eq!(verdict(&[], &[rule], "*0"), Ok(None), "{rule}");
        }
    }

    #[test]
    fn an_accept_before_it_saves_us_and_taking_that_away_does_not() {
        let accept = "chain=input action=accept src-address=198.51.100.9";
        let drop = "chain=input action=drop";
        assert_eq!(verdict(&[accept], &[accept, drop], "*1"), Ok(None));
        assert!(verdict(&[accept, drop], &[drop], "*9").is_err());
        assert!(verdict(&[accept, drop], &[drop, accept], "*0").is_err(), "moved before it");
    }

    #[test]
    fn what_cannot_be_told_is_risky() {
        for rule in [
            "chain=input action=drop src-address-list=blocked",
            "chain=input action=drop in-interface-list=WAN",
            "chain=input action=drop in-interface=bridge1",
            "chain=output action=drop out-interface-list=WAN",
        ] {
            assert!(verdict(&[], &[rule], "*0").unwrap().is_some(), "{rule}");
        }
        let unknown = Way { from: vec![], ..way() };
        let rules = rules(&["chain=input action=drop src-address=10.0.0.0/8"]);
        assert!(
            own_way(&unknown, &[], &rules, &["*0"]).unwrap().is_some(),
            "the router does not tell who we are"
        );
    }

    #[test]
    fn both_ends_of_a_connection_must_pass() {
        let known = "chain=input action=accept connection-state=established,related";
        let fresh = "chain=input action=accept connection-state=new src-address=198.51.100.9";
        let drop = "chain=input action=drop";
        assert_eq!(verdict(&[known, fresh, drop], &[known, fresh, drop], ""), Ok(None));
        assert!(
            verdict(&[known, fresh, drop], &[fresh, drop], "*0").is_err(),
            "our second packet is dropped"
        );
        assert!(verdict(&[known, fresh, drop], &[known, drop], "*1").is_err(), "our first packet is dropped");
    }

    #[test]
    fn jumps_are_followed_and_what_they_lead_to_is_guarded() {
        let jump = "chain=input action=jump jump-target=mine";
        let (stop, back) = ("chain=mine action=drop", "chain=mine action=return");
        assert!(verdict(&[stop], &[stop, jump], "*1").is_err());
        assert_eq!(verdict(&[back, stop], &[back, stop, jump], "*2"), Ok(None), "it comes back");
        assert!(verdict(&[jump], &[jump, stop], "*1").is_err(), "a rule of the chain that is jumped to");
        let accept = "chain=input action=accept src-address=198.51.100.9";
        let lan = "chain=input action=accept in-interface-list=LAN";
        let listed = "chain=input action=drop src-address-list=bad";
        let all = "chain=input action=drop";
        let after = verdict(&[listed, accept, lan, all], &[listed, lan, all], "*1");
        assert!(after.unwrap().is_some(), "the rule that surely saved us is gone");
        let deep: Vec<Row> = rules(&["chain=input action=jump jump-target=input"]);
        assert!(own_way(&way(), &[], &deep, &["*0"]).unwrap().is_some(), "a chain without an end");
    }

    #[test]
    fn chains_that_all_lead_to_each_other_are_soon_looked_at() {
        let named = |n: usize| if n == 0 { "input".to_owned() } else { format!("c{n}") };
        let lines: Vec<String> = (0..400)
            .map(|n| format!("chain={} action=jump jump-target={}", named(n / 20), named(n % 20)))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert!(verdict(&[], &lines, "*0").unwrap().is_some());
    }

    #[test]
    fn each_of_our_addresses_counts_and_a_translated_port_is_unknown() {
        let both =
            Way { from: vec!["198.51.100.9".parse().unwrap(), "203.0.113.5".parse().unwrap()], ..way() };
        let drop = rules(&["chain=input action=drop src-address=203.0.113.5"]);
        assert!(own_way(&both, &[], &drop, &["*0"]).is_err());
        let behind = Way { direct: false, port: 8443, ..way() };
        let web = rules(&["chain=input action=drop protocol=tcp dst-port=443"]);
        assert!(own_way(&behind, &[], &web, &["*0"]).unwrap().is_some());
    }

    #[test]
    fn risk_that_was_there_before_is_not_the_changes() {
        let old = "chain=input action=drop src-address-list=blocked";
        assert_eq!(verdict(&[old], &[old, "chain=input action=accept protocol=icmp"], "*1"), Ok(None));
    }

    #[test]
    fn the_way_is_read_from_sessions_and_addresses() {
        let active =
            [row("via=rest-api address=198.51.100.9"), row("via=api"), row("via=winbox address=10.0.0.1")];
        let addresses = [row(".id=*1 address=192.0.2.1/24 interface=ether1 actual-interface=bridge1")];
        let way = Way::of("192.0.2.1".parse().unwrap(), 443, &active, &addresses);
        assert_eq!(way.from, ["198.51.100.9".parse::<IpAddr>().unwrap()]);
        assert_eq!((way.direct, way.interface.as_deref()), (true, None), "we come from elsewhere");
        let near = [row("via=rest-api address=192.0.2.9")];
        let on_link = Way::of("192.0.2.1".parse().unwrap(), 443, &near, &addresses);
        assert_eq!(on_link.interface.as_deref(), Some("bridge1"));
        assert!(address_leaves(&way, &[], &addresses[0]).is_err());
        let uplink = row("address=203.0.113.2/30");
        assert!(address_leaves(&way, &[], &uplink).is_ok());
        let routes =
            [row("dst-address=0.0.0.0/0 gateway=203.0.113.1 immediate-gw=203.0.113.1%ether2 active=true")];
        assert!(address_leaves(&way, &routes, &uplink).is_err(), "the next hop to us is there");
        let network = Span::parse("203.0.113.0/29").unwrap();
        assert!(address_comes(&way, &routes, network, "ether9").is_err());
        assert!(address_comes(&way, &[], network, "ether9").is_ok());
    }
}
