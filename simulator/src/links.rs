//! Names that other rows hold: what follows a rename, and what is left of a dead one.
//!
//! A row that pointed at something that is gone reads back the dead object's id (`address-pool:"*1"`), and goes
//! on holding its place: a port of a removed bridge still keeps its interface from any other bridge.

use std::sync::Arc;

use crate::state::State;
use crate::table::Record;

/// Menus whose rows may point elsewhere.
const HOLDERS: [&str; 22] = [
    "/interface/bridge/port",
    "/interface/bridge/vlan",
    "/interface/vlan",
    "/interface/wifi",
    "/interface/wifi/configuration",
    "/interface/wifi/datapath",
    "/interface/wifiwave2",
    "/interface/wifiwave2/configuration",
    "/interface/wifiwave2/datapath",
    "/interface/wireless",
    "/interface/list/member",
    "/ip/address",
    "/ip/arp",
    "/ip/dhcp-client",
    "/ip/dhcp-server",
    "/ip/dhcp-server/lease",
    "/ip/firewall/filter",
    "/ip/firewall/nat",
    "/ip/firewall/mangle",
    "/ip/pool",
    "/ip/route",
    "/user",
];

/// The properties that hold names of a menu's rows.
pub fn keys_of(path: &str) -> &'static [&'static str] {
    match path {
        "/interface"
        | "/interface/ethernet"
        | "/interface/vlan"
        | "/interface/bridge"
        | "/interface/wireless"
        | "/interface/wifi"
        | "/interface/wifiwave2" => &[
            "interface",
            "bridge",
            "master-interface",
            "in-interface",
            "out-interface",
            "datapath.bridge",
            "gateway",
        ],
        "/interface/list" => &["list", "interface", "in-interface-list", "out-interface-list"],
        "/interface/wireless/security-profiles" => &["security-profile"],
        "/interface/wifi/configuration" | "/interface/wifiwave2/configuration" => &["configuration"],
        "/interface/wifi/security" | "/interface/wifiwave2/security" => &["security"],
        "/interface/wifi/channel" | "/interface/wifiwave2/channel" => &["channel"],
        "/interface/wifi/datapath" | "/interface/wifiwave2/datapath" => &["datapath"],
        "/ip/pool" => &["address-pool", "next-pool"],
        "/ip/dhcp-server" => &["server"],
        "/user/group" => &["group"],
        "/routing/table" => &["routing-table"],
        _ => &[],
    }
}

/// Whether a property points at something that is gone.
pub fn dead(value: &str) -> bool {
    value.strip_prefix('!').unwrap_or(value).starts_with('*')
}

/// Writes a new name wherever the old one stands.
pub fn repoint(state: &mut State, keys: &[&'static str], old: &str, new: &str) {
    let points = |row: &Record, key: &str| {
        row.get(key).is_some_and(|value| value.strip_prefix('!').unwrap_or(value) == old)
    };
    for holder in HOLDERS {
        let holds = |row: &&Arc<Record>| keys.iter().any(|key| points(row, key));
        let hit: Vec<u64> = state.table(holder).rows.iter().filter(holds).map(|row| row.id).collect();
        for id in hit {
            let Some(row) = state.table_mut(holder).row_mut(id) else { continue };
            for key in keys {
                if points(row, key) {
                    let sign = if row.text(key).starts_with('!') { "!" } else { "" };
                    row.set(*key, format!("{sign}{new}"));
                }
            }
        }
    }
}
