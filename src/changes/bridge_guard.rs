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
        // Another bridge may have a VLAN of this one among its ports; of a third one, it is not followed.
        let apart = |port: &Row| match self.chain(text(port, "interface"))[..] {
            [_, .., lowest] => !self.bridges.iter().any(|row| text(row, "name") == lowest),
            _ => true,
        };
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
