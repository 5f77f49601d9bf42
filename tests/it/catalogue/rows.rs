//! One row a tool: how it is called, what its list holds, and refusals of its own. What follows from a tool's schema
//! (unknown fields, bounds, types) needs no row.

use serde_json::{Value, json};

use crate::catalogue::stage::Stage;

/// A tool of the catalogue that agents may use.
pub struct Row {
    pub tool: &'static str,
    /// Parameters of a call that succeeds.
    pub params: fn(&Stage) -> Value,
    /// For lists: the field, and the rows on each of [`super::stage::RELEASES`] where their number is known.
    pub list: Option<(&'static str, Option<[usize; 4]>)>,
    /// Calls that are refused for the tool's own reasons: what is put over the parameters, and the code.
    pub refused: fn(&Stage, &Value) -> Vec<(Value, &'static str)>,
}

impl Row {
    const fn of(tool: &'static str, params: fn(&Stage) -> Value) -> Self {
        Self { tool, params, list: None, refused: |_, _| Vec::new() }
    }
    /// Takes a router and nothing else.
    const fn reads(tool: &'static str) -> Self {
        Self::of(tool, |stage| stage.device())
    }
    /// Takes a router and, at most, a page.
    const fn lists(tool: &'static str, list: &'static str, rows: Option<[usize; 4]>) -> Self {
        let mut row = Self::of(tool, |stage| stage.device());
        row.list = Some((list, rows));
        row
    }
    const fn refuses(mut self, refused: fn(&Stage, &Value) -> Vec<(Value, &'static str)>) -> Self {
        self.refused = refused;
        self
    }
}

/// Ids that are none, and one that is none of this router's.
fn ids(field: &'static str) -> Vec<(Value, &'static str)> {
    let bad = ["ether1", "*", "*1/../2", ""].map(|id| (json!({ field: id }), "invalid_params"));
    bad.into_iter().chain([(json!({ field: "*7FFFFFF0" }), "not_found")]).collect()
}

/// An id of ours that was never given out.
fn unknown(id: &Value) -> String {
    let id = id.as_str().unwrap();
    let last = if id.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &id[..id.len() - 1])
}

/// The id of a plan or a job: another one, one of another kind, none.
fn own_ids(field: &'static str, given: &Value, code: &'static str) -> Vec<(Value, &'static str)> {
    let other =
        if field == "plan_id" { "job_01JC0000000000000000000000" } else { "plan_01JC0000000000000000000000" };
    vec![
        (json!({ field: unknown(&given[field]) }), code),
        (json!({ field: other }), "invalid_params"),
        (json!({ field: "" }), "invalid_params"),
    ]
}

/// Every row, in the order of the catalogue.
pub const ROWS: &[Row] = &[
    Row::of("echo", |_| json!({ "message": "hello" })),
    Row::of("service_health", |_| json!({})),
    Row::reads("device_health"),
    Row::of("list_devices", |_| json!({ "limit": 5 }))
        .refuses(|_, _| vec![(json!({ "environment": "moon" }), "invalid_params")]),
    Row::reads("check_connectivity"),
    Row::reads("get_system_overview"),
    Row::reads("get_system_packages"),
    Row::reads("get_system_clock"),
    Row::of("set_system_identity", |stage| stage.with(json!({ "identity": "tower" })))
        .refuses(|_, _| vec![(json!({ "identity": "a\u{1b}[2J" }), "invalid_params")]),
    Row::lists("list_interfaces", "interfaces", None),
    Row::of("get_interface", |stage| {
        stage.with(json!({ "interface_id": stage.id_of("list_interfaces", "interfaces", |_| true) }))
    })
    .refuses(|_, _| ids("interface_id")),
    Row::lists("get_interface_stats", "stats", None)
        .refuses(|_, _| vec![(json!({ "interface_names": ["ether99"] }), "not_found")]),
    Row::lists("list_ip_addresses", "addresses", Some([3, 3, 3, 3])),
    Row::of("get_ip_address", |stage| {
        stage.with(json!({ "address_id": stage.id_of("list_ip_addresses", "addresses", |_| true) }))
    })
    .refuses(|_, _| ids("address_id")),
    Row::lists("get_arp_table", "arp_entries", Some([3, 3, 3, 3])),
    Row::reads("get_dns_status"),
    Row::lists("get_dns_cache", "cache_entries", Some([3, 3, 3, 3])),
    Row::of("update_dns_servers", |stage| stage.with(json!({ "dns_servers": ["9.9.9.9"] })))
        .refuses(|_, _| vec![(json!({ "dns_servers": ["dns.example"] }), "invalid_params")]),
    Row::reads("get_ntp_status"),
    Row::of("update_ntp_servers", |stage| stage.with(json!({ "ntp_servers": ["192.0.2.1"] })))
        .refuses(|_, _| vec![(json!({ "ntp_servers": ["-x-"] }), "invalid_params")]),
    Row::lists("get_routing_summary", "routes", None),
    Row::of("get_route", |stage| {
        stage.with(json!({ "route_id": stage.id_of("get_routing_summary", "routes", |_| true) }))
    })
    .refuses(|_, _| ids("route_id")),
    Row::lists("list_firewall_filter_rules", "filter_rules", Some([5, 5, 5, 5])),
    Row::lists("list_firewall_nat_rules", "nat_rules", Some([1, 1, 1, 1])),
    Row::lists("list_firewall_address_lists", "address_lists", Some([2, 2, 2, 2])),
    Row::lists("get_recent_logs", "log_entries", None).refuses(|_, _| {
        [("topics", json!(["a", 1])), ("start_time", json!("yesterday")), ("end_time", json!("2026-13-01"))]
            .map(|(field, bad)| (json!({ field: bad }), "invalid_params"))
            .to_vec()
    }),
    Row::lists("get_logging_config", "logging_actions", Some([4, 4, 4, 4])),
    Row::lists("get_dhcp_server_status", "servers", Some([1, 1, 1, 1])),
    Row::lists("get_dhcp_leases", "leases", Some([1, 1, 1, 1])),
    Row::lists("list_bridges", "bridges", Some([1, 1, 1, 1])),
    Row::lists("list_bridge_ports", "bridge_ports", Some([3, 3, 4, 3])),
    Row::lists("get_wireless_interfaces", "wireless_interfaces", Some([2, 1, 3, 1])),
    Row::lists("get_wireless_clients", "wireless_clients", Some([2, 1, 2, 1])),
    Row::lists("get_capsman_remote_caps", "remote_caps", Some([1, 1, 2, 1])),
    Row::lists("get_capsman_registrations", "registrations", Some([1, 1, 1, 1])),
    Row::of("plan_details", |stage| json!({ "plan_id": stage.changed()["plan_id"] }))
        .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::of("job_status", |stage| json!({ "job_id": stage.changed()["job_id"] }))
        .refuses(|_, given| own_ids("job_id", given, "unknown_job")),
    Row::of("audit_events", |stage| stage.with(json!({ "limit": 20 })))
        .refuses(|_, _| vec![(json!({ "from": "yesterday" }), "invalid_params")]),
];
