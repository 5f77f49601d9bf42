//! The way in: whether packets of the client that manages the box arrive, and answers get back.
//!
//! The sockets are on loopback, the box's addresses are not; so a box has one of its own addresses as its
//! *management address*, and a client counts as someone who comes in through the interface that held it when
//! the box was unpacked. From then on the box's own configuration decides: the address must be there on the
//! interface that the packets arrive at, a route must lead back, and the input chain must let them in. When it
//! does not, the box is silent — established connections too — until the configuration allows it again.
//! The README says which address it is and how to choose another.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::bridging::{bridge_of, is_up, port_of};
use crate::commands::answers;
use crate::firewall::{self, Packet, Verdict};
use crate::routing::{connected, masked, near};
use crate::state::State;
use crate::table::{Record, Table};
use crate::values::network_of;

/// What happens to a packet of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and the answer gets back.
    Open,
    /// Nothing is ever heard.
    Silent,
    /// The client is told that there is nothing.
    Refused,
}

/// Where the client comes in; fixed when the box is unpacked.
#[derive(Clone, Debug)]
pub struct Way {
    /// The address it connects to.
    pub address: Ipv4Addr,
    /// The interface that its cable leads to, by its id in `/interface`: names may change.
    pub ingress: u64,
    /// The VLAN it speaks in.
    pub tag: Option<String>,
    /// The service's port then.
    pub port: u16,
}

/// Menus that decide about the way.
const DECISIVE: [&str; 16] = [
    "/interface",
    "/interface/wifi",
    "/interface/wifiwave2",
    "/interface/wireless",
    "/interface/bridge",
    "/interface/bridge/port",
    "/interface/bridge/vlan",
    "/interface/list",
    "/interface/list/member",
    "/interface/vlan",
    "/ip/address",
    "/ip/arp",
    "/ip/firewall/address-list",
    "/ip/firewall/filter",
    "/ip/route",
    "/ip/service",
];

const REMEMBERED_MAX: usize = 256; // connections of one client and their questions

/// Answers, and the tables they were worked out from. Holding those keeps them from being changed in place.
#[derive(Debug, Default)]
pub struct Remembered {
    tables: Vec<Arc<Table>>,
    fates: Vec<((SocketAddr, Question), Fate)>,
    /// Whether the way back to a client leaves by an interface: a look at every route.
    ways_back: Vec<((Ipv4Addr, String), bool)>,
}

/// What is asked about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether a new one comes about.
    Connect,
    /// Whether a packet of a standing one arrives.
    Arrive,
    /// Whether an answer gets back; the input chain has no say in it.
    Return,
}

/// Finds the way to an address of a fresh box; nothing if no row holds it.
pub fn find(state: &mut State, address: Ipv4Addr, port: u16) -> Option<Way> {
    let row = state.table("/ip/address").rows.iter().find(|row| own(row) == Some(address)).cloned()?;
    let vlan = state.table("/interface/vlan").named(row.text("interface")).cloned();
    let lands = vlan.as_ref().map_or(row.text("interface"), |vlan| vlan.text("interface")).to_owned();
    let ports = Arc::clone(state.table("/interface/bridge/port"));
    let port_row = ports.rows.iter().find(|port| {
        port.text("bridge") == lands && !port.is("disabled") && is_up(state, port.text("interface"))
    });
    let cable = port_row.map_or(lands.as_str(), |port| port.text("interface"));
    let ingress = state.table("/interface").named(cable)?.id;
    Some(Way { address, ingress, tag: vlan.map(|vlan| vlan.text("vlan-id").to_owned()), port })
}

/// What happens to a client's packet now.
pub fn fate(state: &mut State, client: SocketAddr, question: Question) -> Fate {
    let Some(way) = state.way.clone() else { return Fate::Open };
    let tables: Vec<Arc<Table>> = DECISIVE.iter().map(|menu| Arc::clone(state.table(menu))).collect();
    let same = |last: &Remembered| {
        last.tables.len() == tables.len()
            && last.tables.iter().zip(&tables).all(|(old, new)| Arc::ptr_eq(old, new))
    };
    if !same(&state.fates) {
        state.fates = Remembered { tables, ..Remembered::default() };
    }
    if state.fates.fates.len() >= REMEMBERED_MAX {
        state.fates.fates.clear();
    }
    let asked = (client, question);
    if let Some((_, fate)) = state.fates.fates.iter().find(|(key, _)| *key == asked) {
        return *fate;
    }
    let fate = work_out(state, &way, client, question);
    state.fates.fates.push((asked, fate));
    fate
}

fn work_out(state: &mut State, way: &Way, client: SocketAddr, question: Question) -> Fate {
    let IpAddr::V4(from) = client.ip() else { return Fate::Open };
    let Some((interface, port)) = landing(state, way) else { return Fate::Silent };
    let here = |row: &Arc<Record>| {
        own(row) == Some(way.address) && !row.is("disabled") && row.text("interface") == interface
    };
    if !state.table("/ip/address").rows.iter().any(here) {
        return Fate::Silent;
    }
    let back = (from, interface.clone());
    let known = state.fates.ways_back.iter().find(|(asked, _)| *asked == back).map(|(_, leads)| *leads);
    let leads = known.unwrap_or_else(|| leads_back(state, from, &interface));
    if known.is_none() {
        state.fates.ways_back.push((back, leads));
    }
    if !leads {
        return Fate::Silent;
    }
    let moved = |row: &Arc<Record>| row.text("port") != way.port.to_string();
    let name = if way.port == 443 { "www-ssl" } else { "www" };
    if question == Question::Connect && state.table("/ip/service").named(name).is_some_and(moved) {
        return Fate::Refused;
    }
    let packet = Packet {
        from,
        from_port: client.port(),
        to: way.address,
        to_port: way.port,
        interface,
        port,
        state: if question == Question::Connect { "new" } else { "established" },
    };
    match question {
        Question::Return => Fate::Open,
        _ => match firewall::judge(state, &packet) {
            Verdict::Accept => Fate::Open,
            Verdict::Drop => Fate::Silent,
            Verdict::Reject => Fate::Refused,
        },
    }
}

/// The interface that the client's packets arrive at, and the bridge port they pass.
fn landing(state: &mut State, way: &Way) -> Option<(String, Option<String>)> {
    let cable = state.table("/interface").row(way.ingress)?.text("name").to_owned();
    if !is_up(state, &cable) {
        return None;
    }
    let Some(bridge) = bridge_of(state, &cable) else {
        return Some((tagged(state, way, cable)?, None));
    };
    let (port, whole) = (port_of(state, &cable)?, state.table("/interface/bridge").named(&bridge).cloned()?);
    if whole.is("disabled") || !passes(state, way, &whole, &port) {
        return None;
    }
    Some((tagged(state, way, bridge)?, Some(cable)))
}

/// The VLAN's own interface, where the client speaks in one.
fn tagged(state: &mut State, way: &Way, lands: String) -> Option<String> {
    let Some(tag) = &way.tag else { return Some(lands) };
    let vlans = Arc::clone(state.table("/interface/vlan"));
    let vlan = vlans.rows.iter().find(|vlan| {
        vlan.text("interface") == lands && vlan.text("vlan-id") == tag && !vlan.is("disabled")
    })?;
    Some(vlan.text("name").to_owned())
}

/// Whether a bridge that filters VLANs lets the client's frames through to the box itself.
fn passes(state: &mut State, way: &Way, bridge: &Record, port: &Record) -> bool {
    if !bridge.is("vlan-filtering") {
        return true;
    }
    match &way.tag {
        None => {
            let takes = |row: &Record| row.text("frame-types") != "admit-only-vlan-tagged";
            takes(port) && takes(bridge) && port.text("pvid") == bridge.text("pvid")
        }
        Some(tag) => {
            let holds = |list: &str, name: &str| list.split(',').any(|part| part == name);
            state.table("/interface/bridge/vlan").rows.iter().any(|row| {
                holds(row.text("vlan-ids"), tag)
                    && !row.is("disabled")
                    && row.text("bridge") == bridge.text("name")
                    && holds(row.text("tagged"), bridge.text("name"))
                    && holds(row.text("tagged"), port.text("interface"))
            })
        }
    }
}

/// Whether the best route to the client leaves by the interface that the client is on.
fn leads_back(state: &mut State, client: Ipv4Addr, interface: &str) -> bool {
    let nets = connected(state);
    let direct = near(&nets, client).map(|net| (net.length, net.interface == interface));
    let routes = Arc::clone(state.table("/ip/route"));
    // The longest prefix wins, then the shortest distance.
    let mut best: Option<(u8, u64, bool)> = direct.map(|(length, good)| (length, 0, good));
    for row in routes.rows.iter().filter(|row| !row.is("disabled") && row.text("routing-table") == "main") {
        let Some((network, length)) = network_of(row.text("dst-address")) else { continue };
        if masked(client, length) != u32::from(network) {
            continue;
        }
        let distance = row.text("distance").parse().unwrap_or(1);
        if best.is_some_and(|(most, least, _)| length < most || (length == most && distance >= least)) {
            continue;
        }
        if row.get("blackhole").is_some() {
            best = Some((length, distance, false));
            continue;
        }
        for gateway in row.text("gateway").split(',') {
            let head = gateway.split(['%', '@']).next().unwrap_or(gateway);
            match head.parse::<Ipv4Addr>().ok().map(|address| (near(&nets, address), address)) {
                Some((Some(net), address)) => {
                    let alive = answers(state, &address.to_string());
                    best = Some((length, distance, net.interface == interface && alive));
                }
                // A gateway that cannot be reached makes no active route.
                Some((None, _)) => {}
                None if is_up(state, head) => best = Some((length, distance, head == interface)),
                None => {}
            }
        }
    }
    best.is_some_and(|(_, _, good)| good)
}

fn own(row: &Record) -> Option<Ipv4Addr> {
    row.text("address").split('/').next()?.parse().ok()
}
