//! One row a tool: how it is called, what its list holds, and refusals of its own. What follows from a tool's schema
//! (unknown fields, bounds, types) needs no row.

use serde_json::{Value, json};

use crate::{
    catalogue::stage::{RELEASES, Stage},
    house::As,
};

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

/// A job that runs for a while, on a router that no other row is about.
fn running(stage: &Stage) -> Value {
    let at = RELEASES.iter().position(|(_, n)| *n == stage.n).unwrap();
    let n = 2 + at;
    let rule = json!({
        "device_ids": [stage.house.device(n)], "chain": "forward", "action": "drop", "protocol": "gre",
    });
    let plan = stage.approved("plan_add_firewall_rule", &rule);
    // Nobody lets it go: it runs as long as the table is read.
    let held = json!({ "fault": "hold", "method": "PUT", "path_prefix": "/rest/ip/firewall", "times": 1 });
    stage.house.fault(n, &held);
    let job = stage.house.call(As::Admin, "plan_start", &json!({ "plan_id": plan["plan_id"] }));
    json!({ "job_id": job["job_id"], "reason": "the window is over" })
}

/// A static route that is not the default one.
fn route(stage: &Stage) -> Value {
    stage.id_of("get_routing_summary", "routes", |row| row["dst_address"] == "10.99.0.0/16")
}

/// The last filter rule.
fn rule(stage: &Stage) -> Value {
    let all = stage.agent.done("list_firewall_filter_rules", &stage.device());
    all["filter_rules"].as_array().unwrap().last().unwrap()["id"].clone()
}

/// A Wi-Fi interface, of whichever stack the router has.
fn radio(stage: &Stage) -> Value {
    stage.agent.done("get_wireless_interfaces", &stage.device())["wireless_interfaces"][0].clone()
}

/// An SSID on a radio that has others.
fn lobby(stage: &Stage) -> Value {
    let id = || {
        let all = stage.agent.done("get_wireless_interfaces", &stage.device());
        let rows = all["wireless_interfaces"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["ssid"] == "lobby").map(|row| row["id"].clone())
    };
    id().unwrap_or_else(|| {
        let wanted = stage.plan(json!({ "ssid": "lobby", "band": "2ghz-n" }));
        let ready = stage.approved("plan_create_wireless_ssid", &wanted);
        stage.agent.done("apply_wireless_plan", &ready);
        id().unwrap()
    })
}

/// Rows that stand here before their tools do: written from the contract, and not tried yet. A name leaves this list with
/// the tool's first build.
pub const AHEAD: &[&str] = &[];

/// Every row, in the order of the catalogue.
pub const ROWS: &[Row] = &[
    Row::of("echo", |_| json!({ "message": "hello" })),
    Row::of("service_health", |_| json!({})),
    Row::reads("device_health"),
    Row::of("list_devices", |_| json!({ "limit": 5 }))
        .refuses(|_, _| vec![(json!({ "environment": "moon" }), "invalid_params")]),
    Row::of("fleet_summary", |_| json!({}))
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
    Row::of("interface_update_comment", |stage| {
        let id = stage.id_of("list_interfaces", "interfaces", |_| true);
        stage.with(json!({ "interface_id": id, "comment": "to the tower" }))
    })
    .refuses(|_, _| ids("interface_id")),
    Row::lists("list_ip_addresses", "addresses", Some([3, 3, 3, 3])),
    Row::of("get_ip_address", |stage| {
        stage.with(json!({ "address_id": stage.id_of("list_ip_addresses", "addresses", |_| true) }))
    })
    .refuses(|_, _| ids("address_id")),
    Row::lists("get_arp_table", "arp_entries", Some([3, 3, 3, 3])),
    Row::of("add_secondary_ip_address", |stage| {
        let interface = stage.record("/interface", |row| row["type"] == "ether")["name"].clone();
        stage.with(json!({ "address": "10.77.0.1/24", "interface": interface }))
    })
    .refuses(|_, _| vec![(json!({ "address": "10.77.0.1/33" }), "invalid_params")]),
    Row::of("remove_secondary_ip_address", |stage| {
        let own = |row: &Value| row["address"] == "10.77.0.1/24";
        stage.with(json!({ "address_id": stage.id_of("list_ip_addresses", "addresses", own) }))
    })
    .refuses(|_, _| ids("address_id")),
    Row::reads("get_dns_status"),
    Row::lists("get_dns_cache", "cache_entries", Some([3, 3, 3, 3])),
    Row::of("update_dns_servers", |stage| stage.with(json!({ "dns_servers": ["9.9.9.9"] })))
        .refuses(|_, _| vec![(json!({ "dns_servers": ["dns.example"] }), "invalid_params")]),
    Row::reads("flush_dns_cache"),
    Row::reads("get_ntp_status"),
    Row::of("update_ntp_servers", |stage| stage.with(json!({ "ntp_servers": ["192.0.2.1"] })))
        .refuses(|_, _| vec![(json!({ "ntp_servers": ["-x-"] }), "invalid_params")]),
    Row::lists("get_routing_summary", "routes", None),
    Row::of("get_route", |stage| {
        stage.with(json!({ "route_id": stage.id_of("get_routing_summary", "routes", |_| true) }))
    })
    .refuses(|_, _| ids("route_id")),
    Row::of("plan_add_static_route", |stage| {
        stage.plan(json!({ "dst_address": "10.88.0.0/16", "gateway": "192.0.2.1" }))
    })
    .refuses(|_, _| vec![(json!({ "dst_address": "0.0.0.0/0" }), "unsafe_operation")]),
    Row::of("plan_modify_static_route", |stage| {
        stage.plan(json!({ "route_id": route(stage), "comment": "ours" }))
    })
    .refuses(|_, _| ids("route_id")),
    Row::of("plan_remove_static_route", |stage| stage.plan(json!({ "route_id": route(stage) })))
        .refuses(|_, _| ids("route_id")),
    Row::of("apply_routing_plan", |stage| {
        let wanted = stage.plan(json!({ "dst_address": "10.89.0.0/16", "gateway": "192.0.2.1" }));
        stage.approved("plan_add_static_route", &wanted)
    })
    .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::lists("list_firewall_filter_rules", "filter_rules", Some([5, 5, 5, 5])),
    Row::lists("list_firewall_nat_rules", "nat_rules", Some([1, 1, 1, 1])),
    Row::lists("list_firewall_address_lists", "address_lists", Some([2, 2, 2, 2])),
    Row::of("update_firewall_address_list", |stage| {
        stage.with(json!({ "list_name": "mcp-blocked", "address": "203.0.113.9", "action": "add" }))
    })
    .refuses(|_, _| vec![(json!({ "list_name": "blocked" }), "unsafe_operation")]),
    Row::of("plan_add_firewall_rule", |stage| {
        stage.plan(json!({ "chain": "forward", "action": "drop", "protocol": "tcp", "dst_port": "23" }))
    })
    .refuses(|_, _| vec![(json!({ "dst_port": "0" }), "invalid_params")]),
    Row::of("plan_modify_firewall_rule", |stage| {
        stage.plan(json!({ "rule_id": rule(stage), "comment": "ours" }))
    })
    .refuses(|_, _| ids("rule_id")),
    Row::of("plan_remove_firewall_rule", |stage| stage.plan(json!({ "rule_id": rule(stage) })))
        .refuses(|_, _| ids("rule_id")),
    Row::of("apply_firewall_plan", |stage| {
        let wanted = stage.plan(json!({ "chain": "forward", "action": "drop", "dst_address": "192.0.2.9" }));
        stage.approved("plan_add_firewall_rule", &wanted)
    })
    .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::lists("get_recent_logs", "log_entries", None).refuses(|_, _| {
        [("topics", json!(["a", 1])), ("start_time", json!("yesterday")), ("end_time", json!("2026-13-01"))]
            .map(|(field, bad)| (json!({ field: bad }), "invalid_params"))
            .to_vec()
    }),
    Row::lists("get_logging_config", "logging_actions", Some([4, 4, 4, 4])),
    Row::lists("get_dhcp_server_status", "servers", Some([1, 1, 1, 1])),
    Row::lists("get_dhcp_leases", "leases", Some([1, 1, 1, 1])),
    Row::of("plan_create_dhcp_pool", |stage| {
        stage.plan(json!({ "pool_name": "guests", "address_range": "10.66.0.10-10.66.0.20" }))
    })
    .refuses(|_, _| vec![(json!({ "address_range": "10.66.0.20-10.66.0.10" }), "invalid_params")]),
    Row::of("plan_modify_dhcp_pool", |stage| {
        let pool = stage.record("/ip/pool", |_| true);
        let shorter = pool["ranges"].as_str().unwrap().replace(".199", ".180");
        let change = json!({ "address_range": shorter, "lease_time": 3600 });
        stage.plan(json!({ "pool_id": pool[".id"], "modifications": change }))
    })
    .refuses(|_, _| {
        let out = json!({ "modifications": { "address_range": "10.67.0.10-10.67.0.20" } });
        let wrong = [(out, "invalid_params"), (json!({ "modifications": {} }), "invalid_params")];
        ids("pool_id").into_iter().chain(wrong).collect()
    }),
    Row::of("plan_remove_dhcp_pool", |stage| {
        stage.plan(json!({ "pool_id": stage.record("/ip/pool", |_| true)[".id"] }))
    })
    .refuses(|_, _| ids("pool_id")),
    Row::of("apply_dhcp_plan", |stage| {
        let wanted = json!({ "pool_name": "visitors", "address_range": "10.68.0.10-10.68.0.20" });
        stage.approved("plan_create_dhcp_pool", &stage.plan(wanted))
    })
    .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::lists("list_bridges", "bridges", Some([1, 1, 1, 1])),
    Row::lists("list_bridge_ports", "bridge_ports", Some([3, 3, 4, 3])),
    Row::of("plan_add_bridge_port", |stage| {
        stage.plan(json!({ "bridge_name": "bridge", "interface": stage.free_port() }))
    })
    .refuses(|_, _| vec![(json!({ "bridge_name": "nowhere" }), "not_found")]),
    Row::of("plan_remove_bridge_port", |stage| {
        let port = stage.record("/interface/bridge/port", |row| row["bridge"] == "bridge");
        stage.plan(json!({ "bridge_name": "bridge", "interface": port["interface"] }))
    })
    .refuses(|_, _| vec![(json!({ "interface": "nowhere" }), "not_found")]),
    Row::of("plan_modify_bridge_settings", |stage| {
        stage.plan(json!({ "bridge_name": "bridge", "bridge_settings": { "forward_delay": 20 } }))
    })
    .refuses(|_, _| vec![(json!({ "bridge_settings": {} }), "invalid_params")]),
    Row::of("apply_bridge_plan", |stage| {
        let wanted = json!({ "bridge_name": "bridge", "bridge_settings": { "max_message_age": 18 } });
        stage.approved("plan_modify_bridge_settings", &stage.plan(wanted))
    })
    .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::lists("get_wireless_interfaces", "wireless_interfaces", Some([2, 1, 3, 1])),
    Row::lists("get_wireless_clients", "wireless_clients", Some([2, 1, 2, 1])),
    Row::lists("get_capsman_remote_caps", "remote_caps", Some([1, 1, 2, 1])),
    Row::lists("get_capsman_registrations", "registrations", Some([1, 1, 1, 1])),
    Row::of("plan_create_wireless_ssid", |stage| stage.plan(json!({ "ssid": "guests", "band": "2ghz-n" })))
        .refuses(|_, _| vec![(json!({ "band": "5ghz-ac", "channel": 100 }), "invalid_params")]),
    Row::of("plan_modify_wireless_ssid", |stage| {
        stage.plan(json!({ "ssid_id": radio(stage)["id"], "ssid": "guests" }))
    })
    .refuses(|_, _| ids("ssid_id")),
    Row::of("plan_remove_wireless_ssid", |stage| stage.plan(json!({ "ssid_id": lobby(stage) })))
        .refuses(|_, _| ids("ssid_id")),
    Row::of("plan_wireless_rf_settings", |stage| {
        stage.plan(json!({ "interface": radio(stage)["name"], "tx_power": 17 }))
    })
    .refuses(|_, _| vec![(json!({ "tx_power": 31 }), "invalid_params")]),
    Row::of("apply_wireless_plan", |stage| {
        let wanted = json!({ "ssid_id": radio(stage)["id"], "ssid": "visitors" });
        stage.approved("plan_modify_wireless_ssid", &stage.plan(wanted))
    })
    .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::of("config_plan_dns_ntp_rollout", |stage| {
        stage.plans(json!({ "dns_servers": ["9.9.9.9", "1.1.1.1"], "ntp_servers": ["192.0.2.1"] }))
    })
    .refuses(|stage, given| {
        let own = |more: Value| (more, "invalid_params");
        vec![
            own(json!({ "dns_servers": ["dns.example"] })),
            own(json!({ "dns_servers": null, "ntp_servers": null })),
            own(json!({ "batch_size": 3 })),
            own(json!({ "device_ids": [given["device_ids"][0], stage.device] })),
        ]
    }),
    Row::of("config_apply_dns_ntp_rollout", |stage| {
        let wanted = stage.plans(json!({ "dns_servers": ["9.9.9.11"] }));
        stage.approved("config_plan_dns_ntp_rollout", &wanted)
    })
    .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::of("config_plan_address_list_sync", |stage| {
        let entries =
            json!([{ "address": "203.0.113.7", "comment": "ours" }, { "address": "203.0.113.64/26" }]);
        stage.plans(json!({ "list_name": "mcp-shared", "entries": entries }))
    })
    .refuses(|_, _| {
        vec![
            (json!({ "list_name": "blocked" }), "unsafe_operation"),
            (json!({ "entries": [{ "address": "::1" }] }), "invalid_params"),
            (json!({ "entries": [] }), "invalid_params"),
        ]
    }),
    Row::of("config_apply_address_list_sync", |stage| {
        let wanted = json!({ "list_name": "mcp-shared", "entries": [{ "address": "203.0.113.8" }] });
        stage.approved("config_plan_address_list_sync", &stage.plans(wanted))
    })
    .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::of("plan_details", |stage| json!({ "plan_id": stage.changed()["plan_id"] }))
        .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::of("job_status", |stage| json!({ "job_id": stage.changed()["job_id"] }))
        .refuses(|_, given| own_ids("job_id", given, "unknown_job")),
    Row::of(
        "config_rollback_plan",
        |stage| json!({ "plan_id": stage.changed()["plan_id"], "reason": "not wanted" }),
    )
    .refuses(|_, given| own_ids("plan_id", given, "unknown_plan")),
    Row::of("object_history", |stage| stage.with(json!({ "path": "/ip/dns" }))).refuses(|_, _| {
        vec![
            (json!({ "path": "../etc" }), "invalid_params"),
            (json!({ "id": "ether1" }), "invalid_params"),
            (json!({ "match": "comment" }), "invalid_params"),
        ]
    }),
    Row::of("audit_events", |stage| stage.with(json!({ "limit": 20 })))
        .refuses(|_, _| vec![(json!({ "from": "yesterday" }), "invalid_params")]),
    Row::of("job_cancel", running).refuses(|_, given| own_ids("job_id", given, "unknown_job")),
];
