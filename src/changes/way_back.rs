//! What reversing a change would do to our own way to a router: each operation, played on the records as they are now, is
//! held against the guard of its menu. The guards judged the change when it was planned; since then the router may have
//! come to lean on what the change left.

use std::collections::BTreeMap;

use events::operation::{Action, Operation};

use crate::{
    changes::{
        Refused, address_list,
        bridge_guard::{self, Lan},
        bridge_port, bridge_settings, firewall_filter,
        guard::{self, Way},
        guard_route::{self, Paths, Planned},
        invert::played,
        ip_address,
        record::id_of,
        route,
        span::Span,
        wireless::way::over_the_air,
    },
    routeros::{port::Row, value::boolean},
};

/// What the guards must know of a router besides the records that the operations are about.
#[derive(Debug, Default)]
pub struct Needs {
    /// `/ip/firewall/filter`, whole.
    pub filter: bool,
    /// The routes to us, and to the destinations of these operations.
    pub routes: Option<Vec<String>>,
    /// Bridges, ports and VLANs.
    pub lan: bool,
}

impl Needs {
    /// What the guards of these operations need; nothing when no guard watches their menus.
    #[must_use]
    pub fn of(operations: &[Operation]) -> Option<Self> {
        let mut needs = Self::default();
        let watched = operations.iter().filter(|operation| {
            operation.risky.is_some() && guard_of(operation.action.menu()) != Guard::None
        });
        let mut any = false;
        for operation in watched {
            any = true;
            match guard_of(operation.action.menu()) {
                Guard::Filter | Guard::List => needs.filter = true,
                Guard::Address => drop(needs.routes.get_or_insert_default()),
                Guard::Route => {
                    let told = [&operation.expect_before, &operation.expect_after].into_iter();
                    let told = told.flat_map(|expectation| &expectation.properties);
                    let own =
                        told.filter(|(name, _)| name == "dst-address").filter_map(|(_, value)| value.clone());
                    needs.routes.get_or_insert_default().extend(own);
                }
                Guard::Port | Guard::Bridge | Guard::Air => needs.lan = true,
                Guard::None => {}
            }
        }
        any.then_some(needs)
    }
}

/// The same, as read. What a router does not let us read is none: its guard is silent then, and the timed undo stands alone.
#[derive(Debug)]
pub struct Known<'a> {
    /// Our own way.
    pub way: &'a Way,
    /// `/ip/firewall/filter`.
    pub filter: Option<&'a [Row]>,
    /// The router's addresses, and the routes.
    pub paths: Option<Paths<'a>>,
    /// Bridges.
    pub lan: Option<&'a Lan>,
}

/// Which guard watches a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    Filter,
    List,
    Address,
    Route,
    Port,
    Bridge,
    Air,
    None,
}

fn guard_of(menu: &str) -> Guard {
    match menu {
        _ if menu == firewall_filter::MENU.path => Guard::Filter,
        _ if menu == address_list::MENU.path => Guard::List,
        _ if menu == ip_address::MENU.path => Guard::Address,
        _ if menu == route::MENU.path => Guard::Route,
        _ if menu == bridge_port::MENU.path => Guard::Port,
        _ if menu == bridge_settings::MENU.path => Guard::Bridge,
        "/interface/wireless" | "/interface/wifi" | "/interface/wifiwave2" => Guard::Air,
        _ => Guard::None,
    }
}

/// Holds operations against the guards of their menus, in their order. `read` has the records of their menus.
///
/// # Errors
/// `unsafe_operation` for the first that would surely cut our own way.
pub fn keeps_our_way(
    operations: &[Operation],
    read: &BTreeMap<String, Vec<Row>>,
    known: &Known<'_>,
) -> Result<(), Refused> {
    let mut now = read.clone();
    if let Some(rules) = known.filter {
        // The menu as the rules' own guard needs it: whole, whatever was read for the records alone.
        now.insert(firewall_filter::MENU.path.to_owned(), rules.to_vec());
    }
    for (n, operation) in operations.iter().enumerate() {
        let menu = &operation.expect_before.menu;
        let rows = now.get(menu).cloned().unwrap_or_default();
        let (found, next) = played(&rows, operation, n);
        let step = Step { operation, rows: &rows, next: &next, found: found.as_ref() };
        match guard_of(menu) {
            Guard::Filter => step.rule(known)?,
            Guard::List => {
                let rules = now.get(firewall_filter::MENU.path).filter(|_| known.filter.is_some());
                rules.map_or(Ok(()), |rules| step.member(known, rules))?;
            }
            Guard::Address => step.address(known)?,
            Guard::Route => step.route(known)?,
            Guard::Port => step.port(known)?,
            Guard::Bridge => step.bridge(known)?,
            Guard::Air => step.air(known)?,
            Guard::None => {}
        }
        now.insert(menu.clone(), next);
    }
    Ok(())
}

/// One operation, and the records of its menu before and after it.
struct Step<'a> {
    operation: &'a Operation,
    rows: &'a [Row],
    next: &'a [Row],
    /// The record that it is about, where it is there before.
    found: Option<&'a Row>,
}

impl Step<'_> {
    fn added(&self) -> Option<Row> {
        let Action::Add { properties, .. } = &self.operation.action else { return None };
        Some(properties.iter().cloned().collect())
    }

    fn removed(&self) -> Option<&Row> {
        self.found.filter(|_| matches!(self.operation.action, Action::Remove { .. }))
    }

    /// What a record is set to.
    fn set(&self) -> Option<(&Row, Row)> {
        let before = self.found?;
        let after = self.next.iter().find(|row| id_of(row) == id_of(before))?;
        (before != after).then(|| (before, after.clone()))
    }

    fn rule(&self, known: &Known<'_>) -> Result<(), Refused> {
        if known.filter.is_none() {
            return Ok(());
        }
        // The one that is new, or differs, or stands elsewhere.
        let new = self.next.iter().map(id_of).find(|id| !self.rows.iter().any(|row| id_of(row) == *id));
        let touched: Vec<&str> = self.found.map(id_of).into_iter().chain(new).collect();
        guard::own_way(known.way, self.rows, self.next, &touched).map(drop)
    }

    fn member(&self, known: &Known<'_>, rules: &[Row]) -> Result<(), Refused> {
        let added = self.added();
        let Some(member) = added.as_ref().or(self.found) else { return Ok(()) };
        let of = |name: &str| member.get(name).map_or("", String::as_str);
        address_list::keeps_our_way(address_list::decides(rules, of("list")), of("address"), known.way)
    }

    fn address(&self, known: &Known<'_>) -> Result<(), Refused> {
        let Some(paths) = &known.paths else { return Ok(()) };
        if let Some(row) = self.removed() {
            return guard::address_leaves(known.way, paths.routes, row);
        }
        let added = self.added();
        let set = self.set();
        if let Some((before, _)) = &set {
            guard::address_leaves(known.way, paths.routes, before)?;
        }
        let Some(row) = added.as_ref().or(set.as_ref().map(|(_, after)| after)) else { return Ok(()) };
        let network = row.get("address").and_then(|text| Span::parse(text));
        match (network, row.get("interface")) {
            (Some(network), Some(interface)) if !guard::disabled(row) => {
                guard::address_comes(known.way, paths.routes, network, interface)
            }
            _ => Ok(()),
        }
    }

    fn route(&self, known: &Known<'_>) -> Result<(), Refused> {
        let Some(paths) = &known.paths else { return Ok(()) };
        if let Some(row) = self.removed() {
            return paths.leaves(row).map(drop);
        }
        let added = self.added();
        let set = self.set();
        if let Some((before, after)) = &set {
            let leads = |row: &Row| {
                ["dst-address", "gateway", "distance", "disabled"].map(|name| row.get(name).cloned())
            };
            if leads(before) == leads(after) {
                return Ok(());
            }
            paths.leaves(before)?;
        }
        let Some(row) = added.as_ref().or(set.as_ref().map(|(_, after)| after)) else { return Ok(()) };
        let Some(destination) = guard_route::destination(row).filter(|_| !guard::disabled(row)) else {
            return Ok(());
        };
        let of = |name: &str| guard_route::of(row, name);
        let planned = Planned {
            destination,
            gateway: of("gateway").parse().ok(),
            distance: of("distance").parse().ok(),
            table: guard_route::table(row),
            id: set.as_ref().map(|(before, _)| id_of(before)),
        };
        paths.taken_over(&planned).map(drop)
    }

    fn port(&self, known: &Known<'_>) -> Result<(), Refused> {
        let Some(lan) = known.lan else { return Ok(()) };
        if let Some(row) = self.removed() {
            return bridge_guard::port_removed(lan, bridge_guard::text(row, "bridge"), row).map(drop);
        }
        let added = self.added();
        let interface = added.as_ref().and_then(|row| row.get("interface"));
        interface.map_or(Ok(()), |interface| bridge_guard::port_added(lan, interface).map(drop))
    }

    fn bridge(&self, known: &Known<'_>) -> Result<(), Refused> {
        let (Some(lan), Some((before, after))) = (known.lan, self.set()) else { return Ok(()) };
        let filters = |row: &Row| row.get("vlan-filtering").and_then(|text| boolean(text)).unwrap_or(false);
        if filters(before) == filters(&after) {
            return Ok(());
        }
        bridge_guard::vlan_filtering(lan, before, filters(&after)).map(drop)
    }

    fn air(&self, known: &Known<'_>) -> Result<(), Refused> {
        let (Some(lan), Some(row)) = (known.lan, self.found) else { return Ok(()) };
        let name = bridge_guard::text(row, "name");
        over_the_air(known.way, &[name], false, &lan.ports, &lan.vlans).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use events::operation::Property;

    use super::*;
    use crate::{changes::record, domain::invert::reversed, failure::Code};

    fn row(text: &str) -> Row {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn way() -> Way {
        let addresses = [row(".id=*1 address=192.0.2.1/24 interface=ether1")];
        Way::of("192.0.2.1".parse().unwrap(), 443, &[row("via=rest-api address=192.0.2.9")], &addresses)
    }

    fn properties(text: &str) -> Vec<Property> {
        row(text).into_iter().collect()
    }

    const OURS: &str = "chain=input action=accept src-address=192.0.2.9";

    fn known<'a>(way: &'a Way, filter: &'a [Row], routes: &'a [Row]) -> Known<'a> {
        Known { way, filter: Some(filter), paths: Some(Paths { way, addresses: &[], routes }), lan: None }
    }

    fn verdict(operation: &Operation, added: &str, menu: &str, rows: &[Row], filter: &[Row]) -> Option<Code> {
        let back = reversed(std::iter::once((operation, Some(added)))).unwrap();
        assert!(Needs::of(&back).is_some(), "{back:?}");
        let read = BTreeMap::from([(menu.to_owned(), rows.to_vec())]);
        keeps_our_way(&back, &read, &known(&way(), filter, &[])).err().map(|refused| refused.code)
    }

    #[test]
    fn a_rule_that_has_come_to_carry_us_is_not_taken_away() {
        let menu = firewall_filter::MENU.path;
        let old = row(&format!(".id=*1 {OURS}"));
        let last = row(".id=*2 chain=input action=drop");
        let add =
            record::add(&firewall_filter::MENU, &[old.clone(), last.clone()], properties(OURS), Some("*2"));
        let ours = row(&format!(".id=*3 {OURS}"));
        let both = [old, ours.clone(), last.clone()];
        assert_eq!(verdict(&add, "*3", menu, &both, &both), None, "the older one still lets us in");
        let alone = [ours, last];
        assert_eq!(verdict(&add, "*3", menu, &alone, &alone), Some(Code::UnsafeOperation));
    }

    #[test]
    fn a_member_of_a_list_that_has_come_to_decide_about_us_stays() {
        let menu = address_list::MENU.path;
        let member = ("mcp-friends", "192.0.2.9");
        let add = address_list::added(member, "", "");
        let there = [row(".id=*7 list=mcp-friends address=192.0.2.9")];
        let by_list = [
            row(".id=*1 chain=input action=accept src-address-list=mcp-friends"),
            row(".id=*2 chain=input action=drop"),
        ];
        assert_eq!(verdict(&add, "*7", menu, &there, &by_list[1..]), None);
        assert_eq!(verdict(&add, "*7", menu, &there, &by_list), Some(Code::UnsafeOperation));
    }

    #[test]
    fn an_address_that_has_become_ours_to_reach_stays() {
        let menu = ip_address::MENU.path;
        let own = row(".id=*1 address=192.0.2.1/24 interface=ether1");
        let add =
            record::add(&ip_address::MENU, &[], properties("address=192.0.2.1/24 interface=ether1"), None);
        assert_eq!(verdict(&add, "*1", menu, &[own], &[]), Some(Code::UnsafeOperation));
        let other = row(".id=*1 address=198.51.100.1/24 interface=ether2");
        let add =
            record::add(&ip_address::MENU, &[], properties("address=198.51.100.1/24 interface=ether2"), None);
        assert_eq!(verdict(&add, "*1", menu, &[other], &[]), None);
    }

    #[test]
    fn a_route_that_has_come_to_carry_the_answers_to_us_stays() {
        let ours =
            row(".id=*5 dst-address=192.0.2.0/24 gateway=10.0.0.1 distance=1 routing-table=main active=true");
        let wish = properties("dst-address=192.0.2.0/24 gateway=10.0.0.1 distance=1");
        let add = record::add(&route::MENU, &[], wish, None);
        let back = reversed(std::iter::once((&add, Some("*5")))).unwrap();
        let needs = Needs::of(&back).unwrap();
        assert!(needs.routes.unwrap().contains(&"192.0.2.0/24".to_owned()));
        let read = BTreeMap::from([(route::MENU.path.to_owned(), vec![ours.clone()])]);
        let way = way();
        let refused = |routes: &[Row]| keeps_our_way(&back, &read, &known(&way, &[], routes)).is_err();
        assert!(refused(std::slice::from_ref(&ours)));
        let nearer =
            row(".id=*6 dst-address=192.0.2.8/29 gateway=10.0.0.2 distance=1 routing-table=main active=true");
        assert!(!refused(&[ours, nearer]), "another one is nearer");
    }

    #[test]
    fn what_no_guard_watches_needs_no_reading() {
        let set = crate::changes::set_singleton("/ip/dns", properties("servers=a"), properties("servers=b"));
        let back = reversed(std::iter::once((&set, None))).unwrap();
        assert!(Needs::of(&back).is_none());
    }
}
