//! Bridge ports: who may be one, and what being one does to an interface and to what stands on it.

use std::sync::Arc;

use crate::answer::Refusal;
use crate::links::dead;
use crate::radio;
use crate::state::State;
use crate::table::Record;

const PORTS: &str = "/interface/bridge/port";

/// Refuses what cannot be a port.
pub fn check(row: &Record) -> Result<(), Refusal> {
    if row.text("interface") == row.text("bridge") {
        return Err(Refusal::bad("failure: can not add bridge as its own port"));
    }
    Ok(())
}

/// The bridge that an interface is a working port of.
pub fn bridge_of(state: &mut State, interface: &str) -> Option<String> {
    let ports = Arc::clone(state.table(PORTS));
    let port = ports.rows.iter().find(|row| holds(state, row, interface))?;
    Some(port.text("bridge").to_owned())
}

/// The row that makes an interface a working port.
pub fn port_of(state: &mut State, interface: &str) -> Option<Arc<Record>> {
    let ports = Arc::clone(state.table(PORTS));
    ports.rows.iter().find(|row| holds(state, row, interface)).cloned()
}

/// A port that is switched off, or whose bridge is gone, holds nobody; a port may name an interface list.
fn holds(state: &mut State, port: &Record, interface: &str) -> bool {
    let named = port.text("interface");
    let member = |row: &Arc<Record>| {
        row.text("list") == named && row.text("interface") == interface && !row.is("disabled")
    };
    !port.is("disabled")
        && !dead(port.text("bridge"))
        && (named == interface || state.table("/interface/list/member").rows.iter().any(member))
}

/// Marks every interface that is a port, and only those.
pub fn mark_slaves(state: &mut State) {
    let all = Arc::clone(state.table("/interface"));
    for row in &all.rows {
        let slave = bridge_of(state, row.text("name")).is_some();
        if slave == row.is("slave") {
            continue;
        }
        for menu in ["/interface", "/interface/ethernet"] {
            if state.table(menu).row(row.id).is_none() {
                continue;
            }
            if let Some(row) = state.table_mut(menu).row_mut(row.id) {
                if slave {
                    row.set("slave", "true");
                } else {
                    row.unset("slave");
                }
            }
        }
    }
}

/// A port as it reads now: what its interface and its bridge make of it.
pub fn shown(state: &mut State, row: &mut Record) {
    let name = row.text("interface").to_owned();
    let is_list = state.table("/interface/list").named(&name).is_some();
    let bridge = row.text("bridge").to_owned();
    let whole = state.table("/interface/bridge").named(&bridge).is_some_and(|bridge| !bridge.is("disabled"));
    let up = is_list || is_up(state, &name);
    let works = whole && up && !row.is("disabled");
    row.set("inactive", flag(!works));
    row.set("forwarding", flag(works));
    row.set("learning", flag(works));
    row.set("role", if works { "designated-port" } else { "disabled-port" });
    row.set("status", if works { "in-bridge" } else { "inactive" });
    let switched = state.table("/interface").named(&name).is_some_and(|row| row.text("type") == "ether");
    if works && switched && row.is("hw") {
        row.set("hw-offload", "true");
    } else {
        row.unset("hw-offload");
    }
}

/// Whether an interface is there, switched on and has a link.
pub fn is_up(state: &mut State, name: &str) -> bool {
    let Some(row) = state.table("/interface").named(name).cloned() else { return false };
    if row.is("disabled") {
        return false;
    }
    if let Some(works) = radio::works(state, name) {
        return works;
    }
    match state.table("/interface/vlan").named(name).map(|vlan| vlan.text("interface").to_owned()) {
        // Parents are older than their VLANs, so that there is no circle to fall into but one's own name.
        Some(parent) => parent != name && is_up(state, &parent),
        None => row.is("running"),
    }
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
