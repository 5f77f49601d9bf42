//! Adds and removes ports of bridges: `/interface/bridge/port`.

use crate::{
    changes::{
        Proposal, Refused,
        bridge_guard::{self, Lan, on, text},
        record::{self, Menu, id_of, is_dynamic},
    },
    routeros::{
        compat::{Endpoint, Field},
        port::Row,
    },
};

/// The menu, with every property that can be written in some release from 7.10 to 7.24.
pub const MENU: Menu = Menu {
    path: "/interface/bridge/port",
    writable: WRITABLE,
    conditional: &[
        Field::may("mvrp-applicant-state").since(7, 16),
        Field::may("mvrp-registrar-state").since(7, 16),
        Field::may("trusted-ra").since(7, 22),
        Field::may("trusted-dhcpv6").since(7, 23),
    ],
    state: STATE,
    ordered: true,
    unset: false,
    narrow: &[],
};

const WRITABLE: &[&str] = &[
    "auto-isolate",
    "bpdu-guard",
    "bridge",
    "broadcast-flood",
    "comment",
    "disabled",
    "edge",
    "fast-leave",
    "frame-types",
    "horizon",
    "hw",
    "ingress-filtering",
    "interface",
    "internal-path-cost",
    "learn",
    "multicast-router",
    "path-cost",
    "point-to-point",
    "priority",
    "pvid",
    "restricted-role",
    "restricted-tcn",
    "tag-stacking",
    "trusted",
    "unknown-multicast-flood",
    "unknown-unicast-flood",
    "place-before",
];

const STATE: &[&str] = &[
    "actual-path-cost",
    "debug-info",
    "declared-vlan-ids",
    "designated-bridge",
    "designated-bridge-id",
    "designated-cost",
    "designated-internal-cost",
    "designated-port-id",
    "designated-port-number",
    "discard-transitions",
    "edge-port",
    "edge-port-discovery",
    "external-fdb",
    "external-fdb-status",
    "forward-transitions",
    "forwarding",
    "hw-offload",
    "hw-offload-group",
    "inactive",
    "internal-root-path-cost",
    "last-topology-change",
    "learning",
    "managed",
    "parent",
    "point-to-point-port",
    "port-id",
    "port-number",
    "registered-vlan-ids",
    "role",
    "root-path-cost",
    "rx-bpdu",
    "rx-tc",
    "sending-rstp",
    "status",
    "topology-changes",
    "tx-bpdu",
    "tx-tc",
];

/// Adding, with its undo.
pub const ADD: [Endpoint; 2] =
    [Endpoint::add(MENU.path, &["bridge", "interface"]), Endpoint::remove(MENU.path)];
/// Removing, with its undo.
pub const REMOVE: [Endpoint; 2] = [Endpoint::remove(MENU.path), MENU.restore()];

/// The bridge and the interface must be there, and be two.
fn known<'a>(lan: &'a Lan, bridge: &str, interface: &str) -> Result<(&'a Row, &'a Row), Refused> {
    if bridge == interface {
        return Err(Refused::param("interface", "a bridge cannot be a port of itself"));
    }
    let row = lan.bridges.iter().find(|row| text(row, "name") == bridge);
    let row = row.ok_or_else(|| {
        Refused::not_found("bridge_name", "this router has no bridge of that name")
            .hint("list_bridges names them")
    })?;
    let port = lan.interface(interface).ok_or_else(|| {
        Refused::not_found("interface", "this router has no interface of that name").hint(
            "list_interfaces names them; ports made of an interface list, or of an interface that is gone, are left to people",
        )
    })?;
    Ok((row, port))
}

/// Makes an interface a port of a bridge, as the last one, with RouterOS's defaults. Nothing to do when it is one.
///
/// # Errors
/// For what is not there, cannot be a port, is one of another bridge, and for an interface that carries our own way.
pub fn add(lan: &Lan, bridge: &str, interface: &str) -> Result<Proposal, Refused> {
    let (own, row) = known(lan, bridge, interface)?;
    if matches!(text(row, "type"), "bridge" | "loopback") {
        return Err(Refused::param("interface", "a bridge or a loopback cannot be a port"));
    }
    let on_it = |vlan: &Row| text(vlan, "name") == interface && text(vlan, "interface") == bridge;
    if lan.vlans.iter().any(on_it) {
        return Err(Refused::param(
            "interface",
            "is a VLAN of that very bridge: as its port it would be a loop",
        ));
    }
    if let Some(port) = lan.ports.iter().find(|port| text(port, "interface") == interface) {
        let here = text(port, "bridge") == bridge;
        if here && !is_dynamic(port) && !on(port, "disabled") {
            return Ok(Proposal { operations: Vec::new(), high: Vec::new(), warnings: Vec::new() });
        }
        let why = match (is_dynamic(port), here) {
            (true, _) => "is a port already, made by RouterOS itself",
            (false, true) => "is a port of that bridge already, and switched off",
            (false, false) => "is a port of another bridge already",
        };
        return Err(
            Refused::param("interface", why).hint("list_bridge_ports shows it; take it out there first")
        );
    }
    let risky = bridge_guard::port_added(lan, interface)?;
    let properties =
        vec![("bridge".to_owned(), bridge.to_owned()), ("interface".to_owned(), interface.to_owned())];
    let mut operation = record::add(&MENU, &lan.ports, properties, None);
    operation.risky = risky;
    let mut warnings = Vec::new();
    if lan.bears(interface) {
        warnings.push(
            "the interface has addresses or VLANs of its own, which work on the bridge or not at all"
                .to_owned(),
        );
    }
    if text(own, "protocol-mode") == "none" {
        warnings
            .push("the bridge has no spanning tree: a loop through the new port is not stopped".to_owned());
    }
    Ok(Proposal { high: operation.risky.iter().cloned().collect(), operations: vec![operation], warnings })
}

/// Takes an interface out of a bridge. The undo makes it a port again with every property, at its place. Nothing to do
/// when it is no port of any bridge.
///
/// # Errors
/// For what is not there, is a port of another bridge or made by RouterOS itself, and for the port that we come through.
pub fn remove(lan: &Lan, bridge: &str, interface: &str) -> Result<Proposal, Refused> {
    let (own, row) = known(lan, bridge, interface)?;
    let mut ports = lan.ports.iter().filter(|port| text(port, "interface") == interface).peekable();
    if ports.peek().is_none() {
        return Ok(Proposal { operations: Vec::new(), high: Vec::new(), warnings: Vec::new() });
    }
    let port = ports.find(|port| text(port, "bridge") == bridge).ok_or_else(|| {
        Refused::param("interface", "is a port of another bridge").hint("list_bridge_ports shows which")
    })?;
    let port = record::find(&MENU, &lan.ports, id_of(port), "interface")?;
    let risky = bridge_guard::port_removed(lan, bridge, port)?;
    let mut operation = record::remove(&MENU, &lan.ports, port)?;
    operation.risky = risky;
    let mut high = vec!["it takes a port out of a bridge: what is behind it loses its network".to_owned()];
    high.extend(operation.risky.iter().cloned());
    let mac = text(own, "mac-address");
    let mut warnings = Vec::new();
    if on(own, "auto-mac") && !mac.is_empty() && mac.eq_ignore_ascii_case(text(row, "mac-address")) {
        warnings
            .push("the bridge has its hardware address from that port and will get another one".to_owned());
    }
    Ok(Proposal { operations: vec![operation], high, warnings })
}

#[cfg(test)]
mod tests {
    use events::operation::Action;
    use proptest::{option, prelude::*, sample::select};

    use super::*;
    use crate::{
        changes::{
            bridge_guard_tests::{lan, rows, seen},
            play::laws::there_and_back,
        },
        failure::Code,
    };

    /// Ports as routers show them: with what nobody writes, dynamic ones, and settings that no tool makes.
    fn any_ports() -> impl Strategy<Value = Vec<Row>> {
        let maybe = |name: &'static str, values: &'static [&'static str]| {
            option::of(select(values))
                .prop_map(move |value| value.map(|value| (name.to_owned(), value.to_owned())))
        };
        let some = (
            maybe("pvid", &["1", "40"]),
            maybe("frame-types", &["admit-all", "admit-only-vlan-tagged"]),
            maybe("horizon", &["none", "7"]),
            maybe("comment", &["to the \"tower\"", "ünï"]),
            maybe("disabled", &["true", "false"]),
            maybe("dynamic", &["true", "false"]),
            maybe("path-cost", &["10", "20000"]),
            maybe("trusted", &["true", "false"]),
            maybe("mvrp-registrar-state", &["normal", "fixed"]),
            maybe("role", &["designated-port"]),
        );
        let port = some.prop_map(|(a, b, c, d, e, f, g, h, i, j)| {
            [a, b, c, d, e, f, g, h, i, j].into_iter().flatten().collect::<Row>()
        });
        let bridges = proptest::collection::vec(any::<bool>(), 4);
        (proptest::collection::vec(port, 1..5), bridges).prop_map(|(ports, bridges)| {
            let whole = |(n, mut row): (usize, Row)| {
                row.insert(".id".into(), format!("*{:X}", n * 5 + 1));
                row.insert("interface".into(), format!("ether{}", n + 1));
                row.insert("bridge".into(), if bridges[n] { "bridge" } else { "other" }.into());
                row
            };
            ports.into_iter().enumerate().map(whole).collect()
        })
    }

    proptest! {
        #[test]
        fn adding_goes_there_and_back(ports in any_ports(), n in 1..6) {
            let lan = Lan { ports, ..lan() };
            if let Ok(proposal) = add(&lan, "bridge", &format!("ether{n}")) {
                there_and_back(&MENU, &lan.ports, &proposal.operations);
            }
        }

        #[test]
        fn removing_goes_there_and_back(ports in any_ports(), n in 1..6) {
            let mut lan = Lan { ports, ..lan() };
            lan.way.interface = Some("uplink".into());
            if let Ok(proposal) = remove(&lan, "bridge", &format!("ether{n}")) {
                there_and_back(&MENU, &lan.ports, &proposal.operations);
            }
        }
    }

    #[test]
    fn a_removed_port_comes_back_whole_and_where_it_was() {
        let mut lan = seen();
        lan.ports = rows(&[
            "bridge=bridge interface=ether2 pvid=1",
            "bridge=bridge interface=ether3 pvid=40 frame-types=admit-only-vlan-tagged comment=tv role=root-port tx-bpdu=9",
            "bridge=bridge interface=ether4 pvid=1",
        ]);
        let proposal = remove(&lan, "bridge", "ether3").unwrap();
        assert_eq!((proposal.high.len(), &proposal.operations[0].risky), (1, &None));
        let Action::Add { properties, .. } = &proposal.operations[0].undo[0] else { panic!("an add") };
        let told = |name: &str| properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!((told("pvid"), told("frame-types")), (Some("40"), Some("admit-only-vlan-tagged")));
        assert_eq!((told("comment"), told("role"), told("tx-bpdu")), (Some("tv"), None, None));
        assert_eq!(told("place-before"), Some("*2"));
    }

    #[test]
    fn what_cannot_be_a_port_or_is_one_is_refused_by_its_field() {
        let mut lan = lan();
        lan.interfaces.extend(rows(&["name=bridge2 type=bridge"]));
        lan.bridges.extend(rows(&["name=bridge2"]));
        lan.ports.extend(rows(&["bridge=bridge interface=ether5 dynamic=true"]));
        for (bridge, interface, code, field) in [
            ("bridge", "bridge", Code::InvalidParams, "interface"),
            ("nowhere", "ether5", Code::NotFound, "bridge_name"),
            ("bridge", "ether99", Code::NotFound, "interface"),
            ("bridge", "bridge2", Code::InvalidParams, "interface"),
            ("bridge", "lo", Code::InvalidParams, "interface"),
            ("bridge", "office", Code::InvalidParams, "interface"),
            ("bridge2", "ether2", Code::InvalidParams, "interface"),
            ("bridge", "ether5", Code::InvalidParams, "interface"),
        ] {
            let refused = add(&lan, bridge, interface).unwrap_err();
            assert_eq!(refused.code, code, "{bridge} {interface}: {refused}");
            assert!(refused.say.starts_with(&format!("`{field}`")), "{refused}");
        }
        assert!(add(&lan, "bridge", "ether2").unwrap().operations.is_empty(), "is so already");
        lan.ports[0].insert("disabled".into(), "true".into());
        assert_eq!(add(&lan, "bridge", "ether2").unwrap_err().code, Code::InvalidParams, "switched off");
    }

    #[test]
    fn a_port_is_taken_out_of_its_own_bridge_only() {
        let mut lan = seen();
        lan.bridges.extend(rows(&["name=bridge2"]));
        assert_eq!(remove(&lan, "bridge2", "ether2").unwrap_err().code, Code::InvalidParams);
        assert_eq!(remove(&lan, "bridge", "ether99").unwrap_err().code, Code::NotFound);
        assert!(remove(&lan, "bridge", "ether5").unwrap().operations.is_empty(), "is so already");
        assert_eq!(
            remove(&lan, "bridge", "ether2").unwrap_err().code,
            Code::UnsafeOperation,
            "we come through it"
        );
        lan.ports[1].insert("dynamic".into(), "true".into());
        assert_eq!(remove(&lan, "bridge", "ether3").unwrap_err().code, Code::UnsafeOperation, "dynamic");
        lan.ports[2].insert("brand-new".into(), "1".into());
        assert_eq!(
            remove(&lan, "bridge", "ether4").unwrap_err().code,
            Code::UnsafeOperation,
            "could not be put back"
        );
    }

    #[test]
    fn what_an_approver_should_know_is_said() {
        let mut lan = seen();
        lan.bridges[0].insert("protocol-mode".into(), "none".into());
        assert_eq!(add(&lan, "bridge", "ether5").unwrap().warnings.len(), 1);
        assert_eq!(add(&lan, "bridge", "ether1").unwrap().warnings.len(), 2, "it has an address");
        lan.hosts.clear();
        let proposal = remove(&lan, "bridge", "ether2").unwrap();
        assert_eq!((proposal.high.len(), proposal.warnings.len()), (2, 1), "{proposal:?}");
    }
}
