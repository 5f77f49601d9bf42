//! Bridges on our own way to a router: what would cut it.
//!
//! Our frames reach a bridge's own address, or that of a VLAN on top of it, through one of its ports. Which port that is
//! follows from the router's neighbours and from the hosts that the bridge has learnt. What cannot be told is risky, never
//! refused.

use crate::{
    changes::{
        Refused,
        guard::Way,
        record::{id_of, is_dynamic},
    },
    routeros::{
        port::Row,
        value::{boolean, whole},
    },
};

/// A router's bridges, what they are made of, and our own way to the router: as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lan {
    /// Our own way.
    pub way: Way,
    /// `/interface`.
    pub interfaces: Vec<Row>,
    /// `/interface/bridge`.
    pub bridges: Vec<Row>,
    /// `/interface/bridge/port`.
    pub ports: Vec<Row>,
    /// `/interface/bridge/vlan`; needed for VLAN filtering only.
    pub entries: Vec<Row>,
    /// `/interface/vlan`.
    pub vlans: Vec<Row>,
    /// `/ip/address`.
    pub addresses: Vec<Row>,
    /// `/ip/arp`, of the addresses that our requests come from.
    pub neighbours: Vec<Row>,
    /// `/interface/bridge/host`, of the hardware addresses of those.
    pub hosts: Vec<Row>,
}

/// How our own way goes over a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// By another interface.
    No,
    /// It cannot be told.
    Perhaps,
    /// To the bridge's own address, in frames without a tag.
    Untagged,
    /// To the address of a VLAN interface on the bridge.
    Vlan(u64),
}

/// How a port, or the bridge itself, is in a VLAN of a bridge that filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Tagged,
    Untagged,
    Not,
    Unclear,
}

/// Whether our frames get through, there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carried {
    Yes,
    No,
    Unclear,
}

/// Interfaces may stand on each other; deeper is not looked.
const DEPTH: u8 = 8;
/// VLAN of untagged frames where a router does not show it: RouterOS's default, hidden while a bridge does not filter.
const PVID: u64 = 1;

/// The text of a property, or nothing.
pub(super) fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}

/// True for a flag that is set; RouterOS shows some as an empty text.
pub(super) fn on(row: &Row, name: &str) -> bool {
    row.get(name).is_some_and(|text| text.is_empty() || boolean(text) == Some(true))
}

/// Takes part in forwarding.
fn works(port: &Row) -> bool {
    !on(port, "disabled") && !on(port, "inactive")
}

impl Lan {
    /// The interface of that name.
    pub(super) fn interface(&self, name: &str) -> Option<&Row> {
        self.interfaces.iter().find(|row| text(row, "name") == name)
    }

    fn ports_of<'a>(&'a self, bridge: &'a str) -> impl Iterator<Item = &'a Row> {
        self.ports.iter().filter(move |row| text(row, "bridge") == bridge)
    }

    fn vlan(&self, name: &str) -> Option<&Row> {
        self.vlans.iter().find(|row| text(row, "name") == name)
    }

    /// Hardware address that an address of ours was seen with, and where.
    fn neighbour(&self, from: &std::net::IpAddr) -> Option<&Row> {
        let it =
            |row: &&Row| text(row, "address").parse() == Ok(*from) && !text(row, "mac-address").is_empty();
        self.neighbours.iter().find(it)
    }

    /// The interface that our requests come in by: where the router sees us as its neighbour, else the one that carries
    /// the address that we reach.
    fn entry(&self) -> Option<&str> {
        let mut seen = self.way.from.iter().filter_map(|from| self.neighbour(from));
        let first = seen.next().map(|row| text(row, "interface"));
        match first {
            Some(name) if seen.all(|row| text(row, "interface") == name) => Some(name),
            _ => self.way.interface.as_deref(),
        }
    }

    /// Ports of a bridge behind which our requests come from; true when all of them are known.
    fn behind(&self, bridge: &str) -> (Vec<&str>, bool) {
        let mut ports = Vec::new();
        let mut all = !self.way.from.is_empty();
        for from in &self.way.from {
            let mac = self.neighbour(from).map_or("", |row| text(row, "mac-address"));
            let learnt = self.hosts.iter().filter(|row| {
                text(row, "mac-address").eq_ignore_ascii_case(mac)
                    && text(row, "bridge") == bridge
                    && !on(row, "local")
            });
            let before = ports.len();
            ports.extend(
                learnt
                    .map(|row| ["on-interface", "interface"].map(|name| text(row, name)))
                    .filter_map(|names| names.into_iter().find(|name| !name.is_empty())),
            );
            all &= ports.len() > before;
        }
        (ports, all)
    }

    fn over(&self, bridge: &str) -> Over {
        self.entry().map_or(Over::Perhaps, |entry| self.stands_on(entry, bridge, DEPTH))
    }

    /// How an interface's frames go over a bridge.
    fn stands_on(&self, name: &str, bridge: &str, depth: u8) -> Over {
        if name == bridge {
            return Over::Untagged;
        }
        if depth == 0 {
            return Over::Perhaps;
        }
        if let Some(vlan) = self.vlan(name) {
            let parent = text(vlan, "interface");
            return match self.stands_on(parent, bridge, depth - 1) {
                Over::Untagged if parent == bridge => {
                    whole(text(vlan, "vlan-id")).map_or(Over::Perhaps, Over::Vlan)
                }
                Over::No => Over::No,
                _ => Over::Perhaps,
            };
        }
        if self.ports_of(bridge).any(|port| text(port, "interface") == name && !on(port, "disabled")) {
            return Over::Untagged;
        }
        if !self.is_ground(name) {
            return Over::Perhaps;
        }
        // Another bridge may have a VLAN of this one among its ports.
        let apart = |port: &Row| self.stands_on(text(port, "interface"), bridge, depth - 1) == Over::No;
        if self.ports_of(name).all(apart) { Over::No } else { Over::Perhaps }
    }

    /// True for an interface that frames come in by itself: hardware, or a bridge that has ports. An address on another
    /// one (a loopback, a tunnel) does not tell where packets come in.
    fn is_ground(&self, name: &str) -> bool {
        let kind = self.interface(name).map_or("", |row| text(row, "type"));
        match kind {
            "ether" | "bond" | "wlan" | "wifi" | "wifiwave2" | "lte" => true,
            "bridge" => self.ports_of(name).next().is_some(),
            _ => false,
        }
    }

    /// An interface and those that it stands on, the lowest last.
    fn chain<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        let mut chain = vec![name];
        while let Some(vlan) = self.vlan(chain[chain.len() - 1])
            && chain.len() < usize::from(DEPTH)
        {
            chain.push(text(vlan, "interface"));
        }
        chain
    }

    /// True when an interface has addresses or VLANs of its own.
    pub(super) fn bears(&self, name: &str) -> bool {
        let address = |row: &Row| {
            !on(row, "disabled") && (text(row, "interface") == name || text(row, "actual-interface") == name)
        };
        self.addresses.iter().any(address) || self.vlans.iter().any(|row| text(row, "interface") == name)
    }

    fn member(&self, bridge: &Row, row: &Row, name: &str, vid: u64) -> Member {
        let own = |entry: &&Row| {
            text(entry, "bridge") == text(bridge, "name")
                && !on(entry, "disabled")
                && !is_dynamic(entry)
                && has_vlan(text(entry, "vlan-ids"), vid)
        };
        let entries: Vec<&Row> = self.entries.iter().filter(own).collect();
        let stands = |list: &str| entries.iter().any(|entry| names(entry, list).any(|other| other == name));
        let natural =
            pvid(row).unwrap_or(PVID) == vid && text(row, "frame-types") != "admit-only-vlan-tagged";
        match (stands("tagged"), stands("untagged"), natural) {
            (true, false, false) => Member::Tagged,
            (false, true, _) => Member::Untagged,
            (false, false, true) if pvid(row).is_some() => Member::Untagged,
            (false, false, false) => {
                let known = |other: &str| {
                    other == text(bridge, "name")
                        || self.ports.iter().any(|port| text(port, "interface") == other)
                };
                let all =
                    entries.iter().flat_map(|entry| names(entry, "tagged").chain(names(entry, "untagged")));
                // A name that is no port may be a list of interfaces.
                if all.into_iter().all(known) { Member::Not } else { Member::Unclear }
            }
            _ => Member::Unclear,
        }
    }

    /// Whether frames with that tag get from a port to the bridge's own address (`top` none) or to a VLAN's on top of it,
    /// and back, while the bridge filters.
    fn carried(&self, bridge: &Row, top: Option<u64>, port: &Row, tag: Option<u64>) -> Carried {
        let shut = match tag {
            None => "admit-only-vlan-tagged",
            Some(_) => "admit-only-untagged-and-priority-tagged",
        };
        let vid = tag.or_else(|| pvid(port)).unwrap_or(PVID);
        if text(port, "frame-types") == shut || top.is_some_and(|top| top != vid) {
            return Carried::No;
        }
        let kind = |tagged: bool| if tagged { Member::Tagged } else { Member::Untagged };
        let at_port = self.member(bridge, port, text(port, "interface"), vid);
        let at_bridge = self.member(bridge, bridge, text(bridge, "name"), vid);
        match [(at_port, kind(tag.is_some())), (at_bridge, kind(top.is_some()))] {
            both if both.iter().all(|(is, wanted)| is == wanted) => Carried::Yes,
            both if both.iter().all(|(is, wanted)| is == wanted || *is == Member::Unclear) => {
                Carried::Unclear
            }
            _ => Carried::No,
        }
    }
}

fn pvid(row: &Row) -> Option<u64> {
    whole(text(row, "pvid"))
}

fn names<'a>(row: &'a Row, list: &str) -> impl Iterator<Item = &'a str> {
    text(row, list).split(',').filter(|name| !name.is_empty())
}

/// `10`, `20-30`, several with commas.
fn has_vlan(ids: &str, vid: u64) -> bool {
    ids.split(',').any(|part| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        matches!((whole(low), whole(high)), (Some(low), Some(high)) if (low..=high).contains(&vid))
    })
}

/// Would making an interface a port cut our own way?
///
/// # Errors
/// `unsafe_operation` when our way goes over that interface.
pub fn port_added(lan: &Lan, interface: &str) -> Result<Option<String>, Refused> {
    let ways = [lan.way.interface.as_deref(), lan.entry()];
    if ways.into_iter().flatten().any(|name| lan.chain(name).contains(&interface)) {
        return Err(Refused::unsafe_operation(
            "our own way to this router goes over that interface: as a bridge's port it no longer answers for itself",
            "reach the router by an address of the bridge first (`appliance device edit DEVICE --ip ADDRESS`), or take another interface",
        ));
    }
    let known =
        lan.entry().is_some_and(|name| lan.chain(name).last().is_some_and(|name| lan.is_ground(name)));
    Ok((!known && lan.bears(interface)).then(|| {
        "the interface has addresses or VLANs of its own, and which interface our own way goes over is not known"
            .to_owned()
    }))
}

/// Would taking a port out of its bridge cut our own way?
///
/// # Errors
/// `unsafe_operation` when our way surely goes through that port.
pub fn port_removed(lan: &Lan, bridge: &str, port: &Row) -> Result<Option<String>, Refused> {
    if !works(port) {
        return Ok(None);
    }
    match lan.over(bridge) {
        Over::No => return Ok(None),
        Over::Perhaps => {
            return Ok(Some(
                "which interface our own way goes over is not known; it may be this port".to_owned(),
            ));
        }
        Over::Untagged | Over::Vlan(_) => {}
    }
    let interface = text(port, "interface");
    let alone = !lan.ports_of(bridge).any(|other| works(other) && id_of(other) != id_of(port));
    let (behind, all) = lan.behind(bridge);
    let ours = behind.iter().filter(|name| **name == interface).count();
    if alone || (all && ours == behind.len()) {
        return Err(Refused::unsafe_operation(
            "our own way to this router goes through that port",
            "reach the router over another port or address first, then take this port out",
        ));
    }
    let apart = all && ours == 0;
    Ok((!apart).then(|| "our own way goes over that bridge, and it may be through this port".to_owned()))
}

/// May a change of a bridge's spanning tree stop our own way?
#[must_use]
pub fn spanning_tree(lan: &Lan, bridge: &str) -> Option<String> {
    match lan.over(bridge) {
        Over::No => None,
        Over::Perhaps => {
            Some("which interface our own way goes over is not known; it may be this bridge".to_owned())
        }
        Over::Untagged | Over::Vlan(_) => {
            Some("our own way goes over that bridge, whose spanning tree may block the port".to_owned())
        }
    }
}

/// Would turning VLAN filtering on or off cut our own way?
///
/// # Errors
/// `unsafe_operation` when no port would carry our frames any more.
pub fn vlan_filtering(lan: &Lan, bridge: &Row, to: bool) -> Result<Option<String>, Refused> {
    let name = text(bridge, "name");
    let top = match lan.over(name) {
        Over::No => return Ok(None),
        Over::Perhaps => {
            return Ok(Some(
                "which interface our own way goes over is not known; it may be this bridge".to_owned(),
            ));
        }
        Over::Untagged => None,
        Over::Vlan(vid) => Some(vid),
    };
    let (behind, all) = lan.behind(name);
    let ours = |port: &&Row| works(port) && (!all || behind.contains(&text(port, "interface")));
    let ports = lan.ports_of(name).filter(ours);
    let fates: Vec<Carried> = if to {
        // Without filtering a frame arrives as it is, so the tag of ours is known.
        ports.map(|port| lan.carried(bridge, top, port, top)).collect()
    } else {
        let tags = [None, top.or_else(|| pvid(bridge)).or(Some(PVID))];
        let now = ports.flat_map(|port| tags.map(|tag| (tag, lan.carried(bridge, top, port, tag))));
        now.filter(|(_, carried)| *carried != Carried::No)
            .map(|(tag, _)| if tag == top { Carried::Yes } else { Carried::No })
            .collect()
    };
    if !fates.is_empty() && fates.iter().all(|fate| *fate == Carried::No) {
        return Err(Refused::unsafe_operation(
            "our own way goes over that bridge, and none of its VLANs would carry us from our port to the router's address",
            "give our port and the bridge the same `pvid`, or add an entry in /interface/bridge/vlan that has both, first",
        ));
    }
    let sure = !fates.is_empty() && fates.iter().all(|fate| *fate == Carried::Yes);
    Ok((!sure).then(|| {
        "our own way goes over that bridge, and whether its VLANs carry us cannot be told".to_owned()
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::failure::Code;

    /// `name=value` pairs.
    pub fn row(line: &str) -> Row {
        let pairs = line.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    pub fn rows(lines: &[&str]) -> Vec<Row> {
        lines.iter().enumerate().map(|(n, line)| row(&format!(".id=*{n:X} {line}"))).collect()
    }

    /// Three ports in `bridge`, `ether1` outside, a VLAN on each, and we come from 10.0.0.9 to the bridge's 10.0.0.1.
    pub fn lan() -> Lan {
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
            vlans: rows(&[
                "name=office interface=bridge vlan-id=40",
                "name=uplink interface=ether1 vlan-id=7",
            ]),
            addresses: rows(&[
                "address=10.0.0.1/24 interface=bridge",
                "address=192.0.2.1/24 interface=ether1",
            ]),
            neighbours: Vec::new(),
            hosts: Vec::new(),
        }
    }

    /// The router has seen us behind `ether2`.
    pub fn seen() -> Lan {
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
        assert_eq!(
            filtered(&with(office, &[], &list), "pvid=1", true),
            Risky,
            "LAN may be a list of interfaces"
        );
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
}
