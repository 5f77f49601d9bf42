//! The management path as routes see it: which route carries the router's answers to us, and what would take them over.
//!
//! A router answers by the longest active prefix that contains our address, the smallest distance among equals. A routing
//! table can have a million rows, so it is never read whole: the prefixes that contain one address are 33, and the router
//! itself is asked for those.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    changes::{
        Refused,
        guard::Way,
        record::{id_of, is_dynamic},
        span::Span,
    },
    routeros::{port::Row, value::boolean},
};

/// So many of our addresses are looked for; a router that sees us come from more is not asked for all.
const ADDRESSES_MAX: usize = 8;

/// What is known about a router's routes as far as our own way needs it.
#[derive(Debug, Clone, Copy)]
pub struct Paths<'a> {
    /// Our own way.
    pub way: &'a Way,
    /// `/ip/address`.
    pub addresses: &'a [Row],
    /// Every route that can contain one of our addresses, active or not; others do no harm.
    pub routes: &'a [Row],
}

/// A route as it will be.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'a> {
    /// Destination.
    pub destination: Span,
    /// Its gateway; `None` when it is no address (an interface).
    pub gateway: Option<IpAddr>,
    /// 1–255.
    pub distance: Option<u8>,
    /// Table.
    pub table: &'a str,
    /// The route that becomes so, if it is there already.
    pub id: Option<&'a str>,
}

/// The destinations that contain one of our IPv4 addresses, in RouterOS's spelling, each once: what the router is asked for.
#[must_use]
pub fn destinations(way: &Way) -> Vec<String> {
    let ours = way.from.iter().filter_map(|from| match from {
        IpAddr::V4(v4) => Some(v4.to_bits()),
        IpAddr::V6(_) => None,
    });
    let mut all: Vec<String> = Vec::new();
    for (address, bits) in ours.take(ADDRESSES_MAX).flat_map(|address| (0..=32u32).map(move |b| (address, b)))
    {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        let text = format!("{}/{bits}", Ipv4Addr::from_bits(address & mask));
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

/// The words of a query for these destinations: any of them (RouterOS's API queries are a stack).
#[must_use]
pub fn query(destinations: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    for (n, destination) in destinations.iter().enumerate() {
        words.push(format!("dst-address={destination}"));
        if n > 0 {
            words.push("#|".to_owned());
        }
    }
    words
}

/// A property, or empty.
pub(super) fn of<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}

/// A flag: `true`, or an empty text (FACTS 1.3).
pub(super) fn flag(row: &Row, name: &str) -> bool {
    row.get(name).is_some_and(|text| text.is_empty() || boolean(text) == Some(true))
}

/// The destination of a route.
pub(super) fn destination(row: &Row) -> Option<Span> {
    Span::parse(of(row, "dst-address"))
}

/// The table of a route; a disabled one does not tell.
pub(super) fn table(row: &Row) -> &str {
    match of(row, "routing-table") {
        "" => "main",
        table => table,
    }
}

impl Paths<'_> {
    /// Where the router sees us come from; `None` when it does not tell, or tells too much.
    fn ours(&self) -> Option<Vec<IpAddr>> {
        let from = &self.way.from;
        let few = (1..=ADDRESSES_MAX).contains(&from.len());
        few.then(|| from.iter().copied().filter(IpAddr::is_ipv4).collect())
    }

    /// True when an address lies in a network of the router's own interfaces.
    #[must_use]
    pub fn connected(&self, address: IpAddr) -> bool {
        self.networks().any(|network| network.contains(address))
    }

    /// True when an address is one of the router's own.
    #[must_use]
    pub fn own(&self, address: IpAddr) -> bool {
        let own = |row: &Row| of(row, "address").split('/').next().and_then(|text| text.parse().ok());
        self.addresses.iter().any(|row| own(row) == Some(address))
    }

    fn networks(&self) -> impl Iterator<Item = Span> {
        let live = self.addresses.iter().filter(|row| !flag(row, "disabled") && !flag(row, "invalid"));
        live.filter_map(|row| {
            let (address, bits) = of(row, "address").split_once('/')?;
            // Of a point-to-point address the network is the other end.
            let network = Some(of(row, "network")).filter(|text| !text.is_empty()).unwrap_or(address);
            Span::parse(&format!("{network}/{bits}"))
        })
    }

    /// The active routes by which the router answers one address, in one table.
    fn carriers<'r>(&'r self, address: IpAddr, in_table: &str, except: Option<&str>) -> Vec<&'r Row> {
        let active = self.routes.iter().filter(|row| {
            flag(row, "active") && table(row) == in_table && except.is_none_or(|id| id_of(row) != id)
        });
        let hits: Vec<(u128, &Row)> = active
            .filter_map(|row| Some((destination(row)?, row)))
            .filter(|(span, _)| span.contains(address))
            .map(|(span, row)| (span.size(), row))
            .collect();
        let best = hits.iter().map(|(size, _)| *size).min();
        hits.into_iter().filter(|(size, _)| Some(*size) == best).map(|(_, row)| row).collect()
    }

    /// Would taking a route away, or leading it elsewhere, cut our own way? The reason when it may.
    ///
    /// # Errors
    /// `unsafe_operation` when it is the one route that carries the router's answers to us.
    pub fn leaves(&self, row: &Row) -> Result<Option<String>, Refused> {
        if !flag(row, "active") {
            return Ok(None);
        }
        let Some(ours) = self.ours() else {
            return Ok(Some(NOT_TOLD.to_owned()));
        };
        let in_table = table(row);
        let mut may = false;
        for address in ours {
            let carriers = self.carriers(address, in_table, None);
            let among = carriers.iter().any(|carrier| id_of(carrier) == id_of(row));
            if among && carriers.len() == 1 && in_table == "main" {
                return Err(Refused::unsafe_operation(
                    "this route carries the router's answers to us",
                    "first reach the router another way: by a network that this route does not lead to, or with another route to us in use",
                ));
            }
            may |= among || carriers.iter().any(|carrier| self.leans_on(carrier, row));
        }
        Ok(may.then(|| "it may carry the router's answers to us".to_owned()))
    }

    /// True when the next hop of one route is found by another.
    fn leans_on(&self, carrier: &Row, row: &Row) -> bool {
        let Ok(gateway) = of(carrier, "gateway").parse::<IpAddr>() else { return false };
        !self.connected(gateway) && destination(row).is_some_and(|span| span.contains(gateway))
    }

    /// Would a route as planned take over the router's answers to us? The reason when it may.
    ///
    /// # Errors
    /// `unsafe_operation` when it would, and leads nowhere.
    pub fn taken_over(&self, planned: &Planned<'_>) -> Result<Option<String>, Refused> {
        let to = self.way.to;
        let nearer = |network: &Span| network.contains(to) && network.size() <= planned.destination.size();
        let around_to = planned.destination.contains(to) && !self.networks().any(|network| nearer(&network));
        let Some(ours) = self.ours() else {
            return Ok(Some(NOT_TOLD.to_owned()));
        };
        let takes = ours.iter().any(|address| self.takes(planned, *address));
        if !takes && !around_to {
            return Ok(None);
        }
        let nowhere = planned.gateway.is_some_and(|gateway| !self.connected(gateway));
        if nowhere && planned.table == "main" {
            return Err(Refused::unsafe_operation(
                "this route would lead the router's answers to us to a gateway that is in no network of the router",
                "use a gateway in one of the router's networks, or a destination that does not contain our own address",
            ));
        }
        Ok(Some("it leads the router's answers to us another way".to_owned()))
    }

    fn takes(&self, planned: &Planned<'_>, address: IpAddr) -> bool {
        if !planned.destination.contains(address) {
            return false;
        }
        let carriers = self.carriers(address, planned.table, planned.id);
        let Some(now) = carriers.first().and_then(|row| destination(row)) else { return true };
        match planned.destination.size().cmp(&now.size()) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => {
                let distance = carriers.iter().filter_map(|row| of(row, "distance").parse::<u8>().ok()).min();
                match (planned.distance, distance) {
                    (Some(new), Some(now)) => new <= now,
                    _ => true,
                }
            }
        }
    }

    /// True when a destination contains the address by which we reach the router, or one of ours.
    #[must_use]
    pub fn concerns_us(&self, span: Span) -> bool {
        span.contains(self.way.to) || self.way.from.iter().any(|from| span.contains(*from))
    }
}

const NOT_TOLD: &str = "it may carry the router's answers to us: the router does not tell where it sees us come from, so this was not looked at";

/// The protocol that made a route, in people's words; `None` for one that a person made.
pub(super) fn made_by(row: &Row) -> Option<&'static str> {
    const MAKERS: [(&str, &str); 10] = [
        ("connect", "an address of the router"),
        ("bgp", "BGP"),
        ("ospf", "OSPF"),
        ("rip", "RIP"),
        ("is-is", "IS-IS"),
        ("dhcp", "DHCP"),
        ("vpn", "a VPN"),
        ("modem", "a modem"),
        ("slaac", "SLAAC"),
        ("bgp-mpls-vpn", "BGP"),
    ];
    let maker = MAKERS.iter().find(|(name, _)| flag(row, name)).map(|(_, words)| *words);
    maker.or_else(|| is_dynamic(row).then_some("RouterOS itself"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;

    fn row(text: &str) -> Row {
        text.split_whitespace()
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn rows(lines: &[&str]) -> Vec<Row> {
        lines.iter().enumerate().map(|(n, line)| row(&format!(".id=*{n} {line}"))).collect()
    }

    fn way(from: &[&str]) -> Way {
        Way {
            to: "192.0.2.1".parse().unwrap(),
            port: 443,
            from: from.iter().map(|text| text.parse().unwrap()).collect(),
            direct: true,
            interface: Some("ether1".into()),
        }
    }

    fn addresses() -> Vec<Row> {
        rows(&[
            "address=192.0.2.1/24 network=192.0.2.0 interface=ether1",
            "address=203.0.113.1/32 network=203.0.113.77 interface=pppoe1",
            "address=10.255.0.1/24 network=10.255.0.0 interface=old disabled=true",
        ])
    }

    fn leaves(from: &[&str], routes: &[&str]) -> Result<Option<String>, Refused> {
        let (way, addresses, routes) = (way(from), addresses(), rows(routes));
        Paths { way: &way, addresses: &addresses, routes: &routes }.leaves(&routes[0])
    }

    const US: &[&str] = &["198.51.100.9"];

    #[test]
    fn every_prefix_of_our_address_is_asked_for_once() {
        let asked = destinations(&way(&["198.51.100.9", "198.51.100.8", "2001:db8::1"]));
        assert!(asked.contains(&"0.0.0.0/0".to_owned()) && asked.contains(&"198.51.100.8/29".to_owned()));
        assert_eq!(asked.len(), 33 + 1, "the two share all but their /32");
        assert_eq!(query(&asked[..3]).len(), 5);
        assert_eq!(query(&["10.0.0.0/8".into()]), ["dst-address=10.0.0.0/8"]);
        assert!(destinations(&way(&["2001:db8::1"])).is_empty());
    }

    #[test]
    fn the_one_route_that_carries_us_stays() {
        let refused =
            leaves(US, &["dst-address=198.51.0.0/16 active=true", "dst-address=0.0.0.0/0 active=true"]);
        assert_eq!(refused.unwrap_err().code, Code::UnsafeOperation);
        for routes in [
            &["dst-address=198.51.0.0/16 active=true", "dst-address=198.51.100.0/24 active=true ospf=true"][..],
            &["dst-address=198.51.0.0/16 inactive=true"],
            &["dst-address=198.52.0.0/16 active=true"],
        ] {
            assert_eq!(leaves(US, routes), Ok(None), "{routes:?}");
        }
    }

    #[test]
    fn what_may_carry_us_is_a_risk() {
        for (from, routes) in [
            (US, &["dst-address=198.51.0.0/16 active=true", "dst-address=198.51.0.0/16 active=true"][..]),
            (US, &["dst-address=198.51.0.0/16 active=true routing-table=wan2"]),
            (&[][..], &["dst-address=10.0.0.0/8 active=true"]),
            (
                US,
                &[
                    "dst-address=10.9.0.0/16 active=true",
                    "dst-address=0.0.0.0/0 active=true gateway=10.9.0.1",
                ],
            ),
        ] {
            assert!(leaves(from, routes).unwrap().is_some(), "{routes:?}");
        }
    }

    fn taken(
        destination: &str,
        gateway: &str,
        distance: u8,
        routes: &[&str],
    ) -> Result<Option<String>, Refused> {
        let (way, addresses, routes) = (way(US), addresses(), rows(routes));
        Paths { way: &way, addresses: &addresses, routes: &routes }.taken_over(&Planned {
            destination: Span::parse(destination).unwrap(),
            gateway: Some(gateway.parse().unwrap()),
            distance: Some(distance),
            table: "main",
            id: None,
        })
    }

    #[test]
    fn a_nearer_route_takes_us_over_and_one_to_nowhere_is_refused() {
        let now = &["dst-address=198.51.100.0/24 active=true distance=5"];
        assert!(taken("198.51.100.0/25", "192.0.2.9", 1, now).unwrap().is_some());
        assert!(taken("198.51.100.0/24", "192.0.2.9", 5, now).unwrap().is_some(), "beside it");
        assert!(taken("198.51.100.0/24", "203.0.113.77", 1, now).unwrap().is_some(), "before it");
        assert!(taken("198.51.100.9/32", "192.0.2.9", 1, &[]).unwrap().is_some(), "we do not know how");
        for nowhere in ["10.255.0.2", "172.16.0.1"] {
            let refused = taken("198.51.100.0/25", nowhere, 1, now).unwrap_err();
            assert_eq!(refused.code, Code::UnsafeOperation, "{nowhere}");
        }
    }

    #[test]
    fn a_wider_later_or_other_route_leaves_us_alone() {
        let now = &["dst-address=198.51.100.0/24 active=true distance=5"];
        for (destination, distance) in
            [("198.51.0.0/16", 1), ("198.51.100.0/24", 6), ("10.0.0.0/8", 1), ("192.0.0.0/16", 1)]
        {
            assert_eq!(taken(destination, "172.16.0.1", distance, now), Ok(None), "{destination}");
        }
        assert!(
            taken("192.0.2.0/25", "192.0.2.200", 1, now).unwrap().is_some(),
            "nearer than our own network"
        );
    }

    #[test]
    fn the_other_end_of_a_link_is_connected() {
        let (way, addresses) = (way(US), addresses());
        let paths = Paths { way: &way, addresses: &addresses, routes: &[] };
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(paths.connected(ip("203.0.113.77")) && !paths.connected(ip("203.0.113.1")));
        assert!(!paths.connected(ip("10.255.0.2")), "disabled");
        assert!(paths.own(ip("203.0.113.1")) && !paths.own(ip("192.0.2.9")));
    }
}
