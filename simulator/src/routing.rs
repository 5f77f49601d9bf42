//! Which routes there are and which of them carry traffic, worked out from addresses, links and distances.
//!
//! Reads only. Connected routes are never stored.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::bridging::{bridge_of, is_up};
use crate::state::State;
use crate::table::Record;
use crate::values::network_of;

/// The first id of connected routes on every release seen.
const CONNECTED: u64 = 0x2018_0000;

/// Whether an id is that of a route which is only worked out.
pub fn is_connected_id(id: u64) -> bool {
    id >> 16 == CONNECTED >> 16
}

/// A network that the box is part of.
#[derive(Clone, Debug)]
pub struct Net {
    /// The network's first address, as a number.
    pub network: u32,
    /// Its length.
    pub length: u8,
    /// The box's own address in it.
    pub own: String,
    /// The interface it is on.
    pub interface: String,
    id: u64,
}

/// An address cut to so many bits.
pub fn masked(address: Ipv4Addr, length: u8) -> u32 {
    u32::from(address) & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

/// The networks of all addresses that work: switched on, on an interface that is up and no bridge port.
pub fn connected(state: &mut State) -> Vec<Net> {
    let addresses = Arc::clone(state.table("/ip/address"));
    let mut nets = Vec::new();
    for row in addresses.rows.iter().filter(|row| !row.is("disabled")) {
        let interface = row.text("interface");
        if let Some((_, length)) = network_of(row.text("address"))
            && let Ok(network) = row.text("network").parse::<Ipv4Addr>()
            && is_up(state, interface)
            && bridge_of(state, interface).is_none()
        {
            nets.push(Net {
                network: masked(network, length),
                length,
                own: row.text("address").split('/').next().unwrap_or("").to_owned(),
                interface: interface.to_owned(),
                id: CONNECTED + (row.id & 0xFFFF),
            });
        }
    }
    nets
}

/// The closest network that an address is in.
pub fn near(nets: &[Net], address: Ipv4Addr) -> Option<&Net> {
    nets.iter().filter(|net| masked(address, net.length) == net.network).max_by_key(|net| net.length)
}

/// All routes as they read now.
pub fn rows(state: &mut State, stored: &[Arc<Record>]) -> Vec<Arc<Record>> {
    let nets = connected(state);
    let usable: Vec<Option<String>> = stored.iter().map(|row| immediate(state, row, &nets)).collect();
    // The least distance of each destination, and how many routes have it.
    let mut best: BTreeMap<(&str, &str), (u64, usize)> = BTreeMap::new();
    for (row, _) in stored.iter().zip(&usable).filter(|(_, gateway)| gateway.is_some()) {
        let here = best.entry((row.text("dst-address"), row.text("routing-table"))).or_insert((u64::MAX, 0));
        let mine = distance(row);
        if mine < here.0 {
            *here = (mine, 1);
        } else if mine == here.0 {
            here.1 += 1;
        }
    }
    let mut all = Vec::with_capacity(stored.len() + nets.len());
    for (row, gateway) in stored.iter().zip(&usable) {
        let mut shown = Record::clone(row);
        if row.is("disabled") {
            for key in ["dynamic", "distance", "scope", "target-scope", "routing-table"] {
                shown.unset(key);
            }
        } else if let Some(gateway) = gateway {
            shown.set("immediate-gw", gateway.clone());
            let key = (row.text("dst-address"), row.text("routing-table"));
            if let Some((_, many)) = best.get(&key).filter(|(least, _)| *least == distance(row)) {
                shown.set("active", "true");
                if *many > 1 {
                    shown.set("ecmp", "true");
                }
            }
        } else {
            shown.set("immediate-gw", "");
            shown.set("inactive", "true");
        }
        all.push(Arc::new(shown));
    }
    all.extend(nets.iter().map(|net| Arc::new(connected_row(net))));
    all
}

fn connected_row(net: &Net) -> Record {
    Record::new(net.id)
        .with("dst-address", format!("{}/{}", Ipv4Addr::from(net.network), net.length))
        .with("gateway", net.interface.clone())
        .with("immediate-gw", net.interface.clone())
        .with("local-address", format!("{}%{}", net.own, net.interface))
        .with("distance", "0")
        .with("scope", "10")
        .with("target-scope", "5")
        .with("routing-table", "main")
        .with("active", "true")
        .with("connect", "true")
        .with("dynamic", "true")
        .with("disabled", "false")
}

fn distance(row: &Record) -> u64 {
    row.text("distance").parse().unwrap_or(1)
}

/// The next hop with its interface, if the gateway can be reached.
fn immediate(state: &mut State, row: &Record, nets: &[Net]) -> Option<String> {
    if row.is("disabled") {
        return None;
    }
    if row.get("blackhole").is_some() {
        return Some(String::new());
    }
    let mut hops: Vec<String> = Vec::new();
    for gateway in row.text("gateway").split(',') {
        let head = gateway.split('@').next().unwrap_or(gateway);
        let (head, by) = head.split_once('%').map_or((head, None), |(head, name)| (head, Some(name)));
        match head.parse::<Ipv4Addr>() {
            Ok(address) => {
                let via = near(nets, address).map(|net| net.interface.as_str());
                let via = via.filter(|name| by.is_none_or(|by| by == *name));
                hops.extend(via.map(|name| format!("{address}%{name}")));
            }
            Err(_) if is_up(state, head) => hops.push(head.to_owned()),
            Err(_) => {}
        }
    }
    (!hops.is_empty()).then(|| hops.join(","))
}
