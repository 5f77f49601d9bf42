//! The table of all tools, by topic; and the older names they are also known by.

use std::borrow::Cow;

use crate::{
    routeros::compat::Endpoint,
    tools::{self, dead_man, precheck::LOOKS, tool::ToolDef},
};

/// Every topic's tools, in the order in which they are listed.
const TOPICS: &[&[ToolDef]] = &[
    tools::platform::TOOLS,
    tools::registry::TOOLS,
    tools::system::TOOLS,
    tools::interface::TOOLS,
    tools::ip::TOOLS,
    tools::dns::TOOLS,
    tools::ntp::TOOLS,
    tools::route::TOOLS,
    tools::firewall::TOOLS,
    tools::logs::TOOLS,
    tools::dhcp::TOOLS,
    tools::bridge::TOOLS,
    tools::wireless::TOOLS,
    tools::config::TOOLS,
    tools::plan::TOOLS,
    tools::undo::TOOLS,
    tools::audit::TOOLS,
    tools::operator::TOOLS,
];

/// Older names and the tool each means, both as `canonical` writes them (TOOLS 1.14 and decision 2). They are understood
/// everywhere and listed nowhere. A line comes with the tool that it means; `tests/it/listing.rs` has them all and asks
/// for the line then.
const ALIASES: &[(&str, &str)] = &[
    ("audit_get_events", "audit_events"),
    ("device_get_health_data", "device_health"),
    ("fleet_get_summary", "fleet_summary"),
    ("get_bridge", "list_bridges"),
    ("get_bridge_ports", "list_bridge_ports"),
    ("ip_add_secondary_address", "add_secondary_ip_address"),
    ("ip_remove_secondary_address", "remove_secondary_ip_address"),
    ("ip_update_address_list_entry", "update_firewall_address_list"),
    ("job_get_status", "job_status"),
    ("plan_get_details", "plan_details"),
    ("routing_add_static_route", "plan_add_static_route"),
    ("routing_remove_static_route", "plan_remove_static_route"),
    ("system_update_identity", "set_system_identity"),
];

/// Every tool.
pub fn all() -> impl Iterator<Item = &'static ToolDef> {
    TOPICS.iter().flat_map(|topic| topic.iter())
}

/// The tool of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static ToolDef> {
    all().find(|def| def.spec.name == name)
}

/// Every RouterOS command that a tool can send. One that starts plans of a topic sends what the topic's tools planned; one
/// that reverses plans sends what the tools that made them can send, and reads what they read for their guards; what leads
/// to writes can lead to a timed undo as well.
pub fn endpoints(def: &'static ToolDef) -> impl Iterator<Item = Endpoint> {
    let topic = def.spec.demand.topic.filter(|_| def.uses.is_empty());
    let reverses = topic.is_none() && def.uses.is_empty() && def.spec.open_world && def.spec.changes_routers;
    let planned =
        all().filter(move |other| reverses || (topic.is_some() && other.spec.demand.topic == topic));
    let made = planned.filter(|other| other.uses.iter().any(Endpoint::is_write));
    let writes =
        made.flat_map(move |other| other.uses.iter().filter(move |endpoint| reverses || endpoint.is_write()));
    // What every plan looks at first.
    let looks = LOOKS.iter().filter(|_| def.spec.shaped);
    let changes = reverses || topic.is_some() || def.uses.iter().any(Endpoint::is_write);
    let timed = dead_man::USES.iter().filter(move |_| changes);
    def.uses.iter().chain(writes).chain(looks).chain(timed).copied()
}

/// Every older name, with the tool that it means.
pub fn aliases() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALIASES.iter().copied()
}

/// The name that a given name means: `/` and `-` become `_`, older names are followed.
#[must_use]
pub fn canonical(given: &str) -> Cow<'_, str> {
    if find(given).is_some() {
        return Cow::Borrowed(given);
    }
    let plain = given.replace(['/', '-'], "_");
    match ALIASES.iter().find(|(old, _)| *old == plain) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_name_means_one_tool_that_exists_and_hides_none() {
        let mut seen = std::collections::BTreeSet::new();
        for (old, name) in aliases() {
            assert!(find(name).is_some() && find(old).is_none() && seen.insert(old), "{old} → {name}");
            assert_eq!(canonical(old), name);
            assert!(old.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{old} could never be found");
        }
        assert_eq!(canonical("system/update-identity"), "set_system_identity");
        assert_eq!(canonical("list/bridges"), "list_bridges");
        assert_eq!(canonical("no/such-tool"), "no_such_tool");
    }
}
