//! The management path: our own way to a router, and what would cut it.
//!
//! What surely cuts it is refused. What may cut it, as far as can be told from a reading, is marked risky, so that the
//! approver sees it.

use std::net::IpAddr;

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
    /// The interface that carries `to`, in RouterOS's name, where the router itself has that address.
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
        Self { to, port, from, direct: own.is_some(), interface }
    }
}

fn disabled(row: &Row) -> bool {
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

/// Chain `input` as our requests meet it: can they get through, can they be dropped?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    through: bool,
    dropped: bool,
}

/// Would the rules, as they will be, cut our own way in? `touched` are the rules that differ.
///
/// # Errors
/// `unsafe_operation` when our requests would surely be dropped.
pub fn input_chain(
    way: &Way,
    before: &[Row],
    after: &[Row],
    touched: &[&str],
) -> Result<Option<String>, Refused> {
    let (was, will) = (fate(way, before), fate(way, after));
    if !will.through {
        return Err(Refused::unsafe_operation(
            format!("this would drop our own connection (TCP port {} in chain input)", way.port),
            "put the rule after one that accepts our address, or narrow what it matches",
        ));
    }
    let meets_us = after
        .iter()
        .filter(|row| touched.contains(&id_of(row)))
        .any(|row| in_input(row) && stops(row) && matches(way, row, false) != Matches::Never);
    let risky = will.dropped && (!was.dropped || meets_us);
    Ok(risky.then(|| "it may drop our own connection to the router".to_owned()))
}

fn in_input(row: &Row) -> bool {
    !disabled(row) && row.get("chain").is_some_and(|chain| chain == "input")
}

fn stops(row: &Row) -> bool {
    row.get("action").is_some_and(|action| matches!(action.as_str(), "drop" | "reject" | "tarpit"))
}

fn fate(way: &Way, rules: &[Row]) -> Fate {
    let mut fate = Fate { through: false, dropped: false };
    for row in rules.iter().filter(|row| in_input(row)) {
        let action = row.get("action").map_or("accept", String::as_str);
        let stop = stops(row);
        let accept = action == "accept";
        // What a chain that is jumped to does is not followed: it may do either.
        let jump = action == "jump";
        if !(stop || accept || jump) {
            continue;
        }
        match (matches(way, row, accept), jump) {
            (Matches::Never, _) => {}
            (_, true) => fate = Fate { through: true, dropped: true },
            (Matches::Surely, _) if accept => return Fate { through: true, ..fate },
            (Matches::Surely, _) => return Fate { dropped: true, ..fate },
            (Matches::Perhaps, _) if accept => fate.through = true,
            (Matches::Perhaps, _) => fate.dropped = true,
        }
    }
    Fate { through: true, ..fate }
}

fn matches(way: &Way, row: &Row, accept: bool) -> Matches {
    let mut all = Matches::Surely;
    for (name, value) in
        row.iter().filter(|(name, value)| !HARMLESS.contains(&name.as_str()) && !value.is_empty())
    {
        let one = match name.as_str() {
            "protocol" => negated(value, |value| Matches::when(matches!(value, "tcp" | "6"))),
            "dst-port" => negated(value, |value| ports(value, way.port)),
            "src-address" => match way.from.as_slice() {
                [] => Matches::Perhaps,
                from => negated(value, |value| addresses(value, from)),
            },
            "dst-address" if way.direct => negated(value, |value| addresses(value, &[way.to])),
            "in-interface" => match &way.interface {
                Some(own) => {
                    negated(value, |value| if value == own { Matches::Surely } else { Matches::Perhaps })
                }
                None => Matches::Perhaps,
            },
            "connection-state" => states(value, accept),
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

/// A connection of ours begins as `new` and goes on as `established`: both must be accepted, and dropping one is enough.
fn states(value: &str, accept: bool) -> Matches {
    let (value, not) = value.strip_prefix('!').map_or((value, false), |value| (value, true));
    let named = |state: &str| value.split(',').any(|part| part.trim() == state) != not;
    let (new, established) = (named("new"), named("established"));
    let ours = if accept { new } else { new || established };
    Matches::when(ours)
}

/// Would taking away or switching off an address cut us off?
///
/// # Errors
/// `unsafe_operation` when the address we reach is it, or lies in its network.
pub fn address_leaves(way: &Way, row: &Row) -> Result<(), Refused> {
    let Some(network) = row.get("address").and_then(|text| Span::parse(text)) else { return Ok(()) };
    let carries_us = network.contains(way.to) || way.from.iter().any(|from| network.contains(*from));
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
        input_chain(&way(), &rules(before), &rules(after), &[touched])
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
            "chain=input action=jump jump-target=mine",
            "chain=input action=drop in-interface=bridge1",
        ] {
            assert!(verdict(&[], &[rule], "*0").unwrap().is_some(), "{rule}");
        }
        let unknown = Way { from: vec![], ..way() };
        let rules = rules(&["chain=input action=drop src-address=10.0.0.0/8"]);
        assert!(
            input_chain(&unknown, &[], &rules, &["*0"]).unwrap().is_some(),
            "the router does not tell who we are"
        );
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
        assert_eq!((way.direct, way.interface.as_deref()), (true, Some("bridge1")));
        assert!(address_leaves(&way, &addresses[0]).is_err());
        assert!(address_leaves(&way, &row("address=203.0.113.1/24")).is_ok());
    }
}
