//! Filter rules: which combinations a router refuses, and what the input chain does to a connection.
//!
//! Knows chains, the matchers that a connection to the box itself can meet, and their order. A rule with a
//! matcher that cannot be judged here (time, limit, content, …) is passed over, whatever its action: see the
//! README.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::answer::Refusal;
use crate::state::State;
use crate::table::Record;
use crate::values::contains;

/// Protocols that have ports.
const WITH_PORTS: [&str; 5] = ["tcp", "udp", "udp-lite", "dccp", "sctp"];
const DEPTH_MAX: usize = 16; // jumps within jumps; more is a circle

/// Refuses what cannot be a rule.
pub fn check(row: &Record) -> Result<(), Refusal> {
    let protocol = row.text("protocol");
    let ported = ["port", "src-port", "dst-port", "to-ports"].iter().any(|key| row.get(key).is_some());
    if ported && !WITH_PORTS.contains(&protocol) {
        return Err(Refusal::bad("failure: ports can be specified if proto is tcp,udp,udp-lite,dccp,sctp"));
    }
    if row.text("action") == "jump" && row.get("jump-target").is_none() {
        return Err(Refusal::bad("failure: jump-target must be specified"));
    }
    if row.text("reject-with") == "tcp-reset" && protocol != "tcp" {
        return Err(Refusal::bad("failure: tcp-reset can be used only with tcp"));
    }
    let has = |keys: [&str; 2]| keys.iter().any(|key| row.get(key).is_some());
    match row.text("chain") {
        "input" | "prerouting" if has(["out-interface", "out-interface-list"]) => Err(Refusal::bad(
            "failure: outgoing interface matching not possible in input and prerouting chains",
        )),
        "output" | "postrouting" if has(["in-interface", "in-interface-list"]) => Err(Refusal::bad(
            "failure: incoming interface matching not possible in output and postrouting chains",
        )),
        _ => Ok(()),
    }
}

/// What the input chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The packet gets in.
    Accept,
    /// Nobody hears of it again.
    Drop,
    /// The sender is told.
    Reject,
}

/// A TCP packet to the box itself.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Who sends it.
    pub from: Ipv4Addr,
    /// From which port.
    pub from_port: u16,
    /// The box's own address.
    pub to: Ipv4Addr,
    /// The service's port.
    pub to_port: u16,
    /// The interface it comes in by, as the IP layer sees it.
    pub interface: String,
    /// The bridge port it came through, if the interface is a bridge.
    pub port: Option<String>,
    /// `new` or `established`.
    pub state: &'static str,
}

/// Runs a packet through the input chain; what no rule decides gets in.
pub fn judge(state: &mut State, packet: &Packet) -> Verdict {
    let rules = Arc::clone(state.table("/ip/firewall/filter"));
    chain(state, &rules.rows, "input", packet, 0).unwrap_or(Verdict::Accept)
}

/// The verdict of a chain; nothing if it comes to its end or returns.
fn chain(
    state: &mut State,
    rules: &[Arc<Record>],
    name: &str,
    packet: &Packet,
    depth: usize,
) -> Option<Verdict> {
    if depth > DEPTH_MAX {
        return None;
    }
    for rule in rules.iter().filter(|rule| rule.text("chain") == name && !rule.is("disabled")) {
        if !matches(state, rule, packet) {
            continue;
        }
        match rule.text("action") {
            "accept" | "fasttrack-connection" => return Some(Verdict::Accept),
            "drop" | "tarpit" => return Some(Verdict::Drop),
            "reject" => return Some(Verdict::Reject),
            "return" => return None,
            "jump" => {
                let verdict = chain(state, rules, rule.text("jump-target"), packet, depth + 1);
                if verdict.is_some() {
                    return verdict;
                }
            }
            _ => {}
        }
    }
    None
}

fn matches(state: &mut State, rule: &Record, packet: &Packet) -> bool {
    rule.props().all(|(key, value)| match key {
        "chain"
        | "action"
        | "comment"
        | "disabled"
        | "dynamic"
        | "invalid"
        | "bytes"
        | "packets"
        | "log"
        | "log-prefix"
        | "jump-target"
        | "reject-with"
        | "address-list"
        | "address-list-timeout"
        | "hw-offload" => true,
        _ => {
            let (wanted, value) = match value.strip_prefix('!') {
                Some(value) => (false, value),
                None => (true, value),
            };
            // What cannot be judged is no match, negated or not.
            matcher(state, key, value, packet).is_some_and(|met| met == wanted)
        }
    })
}

fn matcher(state: &mut State, key: &str, value: &str, packet: &Packet) -> Option<bool> {
    Some(match key {
        "protocol" => value == "tcp",
        "connection-state" => value.split(',').any(|word| word == packet.state),
        "src-address" => within(value, packet.from),
        "dst-address" => within(value, packet.to),
        "src-address-list" => listed(state, value, packet.from),
        "dst-address-list" => listed(state, value, packet.to),
        "dst-address-type" => value.split(',').any(|word| word == "local"),
        "src-address-type" => value.split(',').any(|word| word == "unicast"),
        "dst-port" => port_in(value, packet.to_port),
        "src-port" => port_in(value, packet.from_port),
        "port" => port_in(value, packet.to_port) || port_in(value, packet.from_port),
        "in-interface" => value == packet.interface,
        "in-interface-list" => in_list(state, value, &packet.interface, 0),
        "in-bridge-port" => packet.port.as_deref() == Some(value),
        _ => return None,
    })
}

fn within(text: &str, address: Ipv4Addr) -> bool {
    match text.split_once('-') {
        Some((from, to)) => match (from.parse::<Ipv4Addr>(), to.parse::<Ipv4Addr>()) {
            (Ok(from), Ok(to)) => (from..=to).contains(&address),
            _ => false,
        },
        None => contains(text, &address.to_string()),
    }
}

fn listed(state: &mut State, list: &str, address: Ipv4Addr) -> bool {
    let table = state.table("/ip/firewall/address-list");
    table
        .rows
        .iter()
        .any(|row| row.text("list") == list && !row.is("disabled") && within(row.text("address"), address))
}

fn port_in(text: &str, port: u16) -> bool {
    text.split(',').any(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        matches!((from.parse::<u16>(), to.parse::<u16>()), (Ok(from), Ok(to)) if (from..=to).contains(&port))
    })
}

fn in_list(state: &mut State, list: &str, interface: &str, depth: usize) -> bool {
    match list {
        "all" => return true,
        "none" => return false,
        _ if depth > DEPTH_MAX => return false,
        _ => {}
    }
    let member = state
        .table("/interface/list/member")
        .rows
        .iter()
        .any(|row| row.text("list") == list && row.text("interface") == interface && !row.is("disabled"));
    let row = state.table("/interface/list").named(list).cloned().unwrap_or_default();
    let any_of = |state: &mut State, lists: &str| {
        lists
            .split(',')
            .filter(|name| !name.is_empty())
            .any(|name| in_list(state, name, interface, depth + 1))
    };
    (member || any_of(state, row.text("include"))) && !any_of(state, row.text("exclude"))
}
