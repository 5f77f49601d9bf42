//! Our own way over bridges: what cuts it, what may, what does not; and a router for the tests of bridges.

use crate::{
    changes::{
        Refused,
        bridge_guard::{Lan, port_added, port_removed, spanning_tree, text, vlan_filtering},
        guard::Way,
    },
    failure::Code,
    routeros::port::Row,
};

/// `name=value` pairs.
pub(super) fn row(line: &str) -> Row {
    let pairs = line.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(super) fn rows(lines: &[&str]) -> Vec<Row> {
    lines.iter().enumerate().map(|(n, line)| row(&format!(".id=*{n:X} {line}"))).collect()
}

/// Three ports in `bridge`, `ether1` outside, a VLAN on each, and we come from 10.0.0.9 to the bridge's 10.0.0.1.
pub(super) fn lan() -> Lan {
    Lan {
        way: Way {
            to: "10.0.0.1".parse().unwrap(),
            port: 443,
            from: vec!["10.0.0.9".parse().unwrap()],
            direct: true,
            interface: Some("bridge".into()),
        },
        interfaces: rows(&[
            "name=bridge type=bridge mac-address=00:00:5E:00:53:02",
            "name=ether1 type=ether mac-address=00:00:5E:00:53:01",
            "name=ether2 type=ether mac-address=00:00:5E:00:53:02",
            "name=ether3 type=ether mac-address=00:00:5E:00:53:03",
            "name=ether4 type=ether mac-address=00:00:5E:00:53:04",
            "name=ether5 type=ether",
            "name=lo type=loopback",
            "name=office type=vlan",
            "name=uplink type=vlan",
        ]),
        bridges: rows(&[
            "name=bridge auto-mac=true mac-address=00:00:5E:00:53:02 ageing-time=5m protocol-mode=rstp \
             priority=0x8000 forward-delay=15s max-message-age=20s transmit-hold-count=6 vlan-filtering=false",
        ]),
        ports: rows(&[
            "bridge=bridge interface=ether2 pvid=1",
            "bridge=bridge interface=ether3 pvid=1",
            "bridge=bridge interface=ether4 pvid=1 inactive=true",
        ]),
        entries: Vec::new(),
        vlans: rows(&["name=office interface=bridge vlan-id=40", "name=uplink interface=ether1 vlan-id=7"]),
        addresses: rows(&["address=10.0.0.1/24 interface=bridge", "address=192.0.2.1/24 interface=ether1"]),
        neighbours: Vec::new(),
        hosts: Vec::new(),
    }
}

/// The router has seen us behind `ether2`.
pub(super) fn seen() -> Lan {
    Lan {
        neighbours: rows(&["address=10.0.0.9 mac-address=00:00:5E:00:53:99 interface=bridge"]),
        hosts: rows(&[
            "mac-address=00:00:5e:00:53:99 bridge=bridge on-interface=ether2 interface=bridge",
            "mac-address=00:00:5E:00:53:02 bridge=bridge on-interface=bridge local=true",
        ]),
        ..lan()
    }
}

fn by(interface: Option<&str>) -> Lan {
    Lan { way: Way { interface: interface.map(str::to_owned), ..lan().way }, ..lan() }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Fine,
    Risky,
    Refused,
}
use Verdict::{Fine, Risky};

fn verdict(result: Result<Option<String>, Refused>) -> Verdict {
    match result {
        Ok(None) => Fine,
        Ok(Some(_)) => Risky,
        Err(refused) => {
            assert_eq!(refused.code, Code::UnsafeOperation);
            Verdict::Refused
        }
    }
}

fn removed(lan: &Lan, interface: &str) -> Verdict {
    let port = lan.ports.iter().find(|row| text(row, "interface") == interface).unwrap();
    verdict(port_removed(lan, "bridge", port))
}

#[test]
fn the_port_that_we_come_through_stays() {
    assert_eq!([removed(&lan(), "ether2"), removed(&lan(), "ether3")], [Risky, Risky], "not learnt");
    assert_eq!(removed(&lan(), "ether4"), Fine, "has no link");
    assert_eq!([removed(&seen(), "ether2"), removed(&seen(), "ether3")], [Verdict::Refused, Fine]);
    let mut only = lan();
    only.ports.remove(1);
    assert_eq!(removed(&only, "ether2"), Verdict::Refused, "the others have no link");
    assert_eq!(removed(&by(Some("ether1")), "ether2"), Fine, "not over the bridge");
    assert_eq!(removed(&by(Some("uplink")), "ether2"), Fine);
    assert_eq!(removed(&by(Some("office")), "ether2"), Risky, "a VLAN on the bridge");
    assert_eq!(removed(&by(None), "ether2"), Risky);
    assert_eq!(removed(&by(Some("lo")), "ether2"), Risky, "packets come in elsewhere");
    let mut two = seen();
    two.way.from.push("10.0.0.8".parse().unwrap());
    assert_eq!(
        [removed(&two, "ether2"), removed(&two, "ether3")],
        [Risky, Risky],
        "one of two is not learnt"
    );
}

#[test]
fn an_interface_that_carries_us_does_not_become_a_port() {
    let added = |lan: &Lan, name: &str| verdict(port_added(lan, name));
    assert_eq!(added(&by(Some("ether1")), "ether1"), Verdict::Refused);
    assert_eq!(added(&by(Some("uplink")), "ether1"), Verdict::Refused, "our VLAN stands on it");
    assert_eq!(added(&by(Some("ether1")), "ether5"), Fine);
    assert_eq!(added(&lan(), "ether1"), Fine, "we come by the bridge");
    assert_eq!(added(&by(None), "ether1"), Risky);
    assert_eq!(added(&by(None), "ether5"), Fine, "nothing stands on it");
    assert_eq!(added(&by(Some("lo")), "ether1"), Risky);
    let mut neighbour = by(Some("lo"));
    neighbour.neighbours = rows(&["address=10.0.0.9 mac-address=00:00:5E:00:53:99 interface=ether5"]);
    assert_eq!([added(&neighbour, "ether5"), added(&neighbour, "ether1")], [Verdict::Refused, Fine]);
}

fn filtered(lan: &Lan, bridge: &str, to: bool) -> Verdict {
    let mut row = lan.bridges[0].clone();
    row.extend(self::row(bridge));
    verdict(vlan_filtering(lan, &row, to))
}

fn with(lan: Lan, ports: &[&str], entries: &[&str]) -> Lan {
    let ports = if ports.is_empty() { lan.ports.clone() } else { rows(ports) };
    Lan { ports, entries: rows(entries), ..lan }
}

#[test]
fn turning_the_filter_on_needs_a_vlan_that_carries_us() {
    let trunk = ["bridge=bridge interface=ether2 pvid=1", "bridge=bridge interface=ether3 pvid=40"];
    assert_eq!(filtered(&seen(), "pvid=1", true), Fine, "untagged on both sides");
    assert_eq!(filtered(&lan(), "pvid=1", true), Fine, "through whichever port");
    assert_eq!(filtered(&seen(), "ageing-time=5m", true), Risky, "the bridge's pvid is hidden");
    assert_eq!(filtered(&seen(), "pvid=99", true), Verdict::Refused);
    assert_eq!(filtered(&with(lan(), &trunk, &[]), "pvid=1", true), Risky, "through one port only");
    let tagged_only = ["bridge=bridge interface=ether2 pvid=1 frame-types=admit-only-vlan-tagged"];
    assert_eq!(filtered(&with(seen(), &tagged_only, &[]), "pvid=1", true), Verdict::Refused);
    let office = Lan { way: by(Some("office")).way, ..seen() };
    let office = Lan { neighbours: Vec::new(), ..office };
    assert_eq!(filtered(&office, "pvid=1", true), Verdict::Refused, "no entry");
    let whole = ["bridge=bridge vlan-ids=30-50 tagged=bridge,ether2,ether3"];
    assert_eq!(filtered(&with(office.clone(), &[], &whole), "pvid=1", true), Fine);
    let half = ["bridge=bridge vlan-ids=40 tagged=bridge,ether2"];
    assert_eq!(filtered(&with(office.clone(), &[], &half), "pvid=1", true), Risky);
    for lacking in [
        "bridge=bridge vlan-ids=40 tagged=ether2,ether3",
        "bridge=bridge vlan-ids=40 tagged=bridge",
        "bridge=bridge vlan-ids=40 tagged=bridge,ether2,ether3 disabled=true",
        "bridge=bridge vlan-ids=40 tagged=bridge,ether2,ether3 dynamic=true",
        "bridge=other vlan-ids=40 tagged=bridge,ether2,ether3",
        "bridge=bridge vlan-ids=41-50,39 tagged=bridge,ether2,ether3",
        "bridge=bridge vlan-ids=40 tagged=ether2,ether3 untagged=bridge",
    ] {
        assert_eq!(
            filtered(&with(office.clone(), &[], &[lacking]), "pvid=1", true),
            Verdict::Refused,
            "{lacking}"
        );
    }
    let list = ["bridge=bridge vlan-ids=40 tagged=bridge,LAN"];
    assert_eq!(filtered(&with(office, &[], &list), "pvid=1", true), Risky, "LAN may be a list of interfaces");
    assert_eq!(filtered(&by(Some("ether1")), "pvid=99", true), Fine, "not over the bridge");
    assert_eq!(filtered(&by(None), "pvid=99", true), Risky);
}

#[test]
fn turning_the_filter_off_may_leave_a_tag_behind() {
    assert_eq!(filtered(&seen(), "pvid=1 vlan-filtering=true", false), Fine);
    // Access ports of VLAN 40, and our address on the VLAN's interface: without the filter nothing puts the tag on.
    let office = Lan { way: by(Some("office")).way, ..lan() };
    let access = ["bridge=bridge interface=ether2 pvid=40", "bridge=bridge interface=ether3 pvid=40"];
    let entries = ["bridge=bridge vlan-ids=40 tagged=bridge untagged=ether2,ether3"];
    let on = "pvid=1 vlan-filtering=true";
    assert_eq!(filtered(&with(office.clone(), &access, &entries), on, false), Verdict::Refused);
    let trunk = ["bridge=bridge interface=ether2 pvid=1", "bridge=bridge interface=ether3 pvid=40"];
    let mixed = ["bridge=bridge vlan-ids=40 tagged=bridge,ether2 untagged=ether3"];
    assert_eq!(filtered(&with(office.clone(), &trunk, &mixed), on, false), Risky);
    let tagged = ["bridge=bridge vlan-ids=40 tagged=bridge,ether2,ether3"];
    assert_eq!(filtered(&with(office, &[], &tagged), on, false), Fine);
}

#[test]
fn a_spanning_tree_matters_to_its_own_bridge() {
    assert!(spanning_tree(&lan(), "bridge").is_some());
    assert!(spanning_tree(&by(None), "bridge").is_some());
    assert!(spanning_tree(&by(Some("ether1")), "bridge").is_none());
    let mut other = by(Some("bridge2"));
    other.interfaces.push(row("name=bridge2 type=bridge"));
    assert!(spanning_tree(&other, "bridge").is_some(), "no ports: a loopback");
    other.ports.push(row(".id=*9 bridge=bridge2 interface=ether5"));
    assert!(spanning_tree(&other, "bridge").is_none());
    other.ports.push(row(".id=*A bridge=bridge2 interface=office"));
    assert!(spanning_tree(&other, "bridge").is_some(), "it has a VLAN of this one among its ports");
}
