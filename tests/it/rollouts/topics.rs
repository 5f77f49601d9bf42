//! The plan tools of every topic, over three devices at once.

use serde_json::{Value, json};

use super::{ids, writes};
use crate::{
    house::{As, House},
    topics::carried_out,
};

#[test]
fn every_topic_plans_for_three_devices_and_changes_them_in_two_batches() {
    let house = House::start(4);
    let devices = [0, 2, 3];
    for (tool, apply, params) in [
        (
            "plan_add_firewall_rule",
            "apply_firewall_plan",
            json!({ "chain": "forward", "action": "drop", "protocol": "tcp", "dst_port": "23" }),
        ),
        (
            "plan_add_static_route",
            "apply_routing_plan",
            json!({ "dst_address": "10.88.0.0/16", "gateway": "192.0.2.1" }),
        ),
        (
            "plan_create_dhcp_pool",
            "apply_dhcp_plan",
            json!({ "pool_name": "guests", "address_range": "10.66.0.10-10.66.0.20" }),
        ),
        (
            "plan_modify_bridge_settings",
            "apply_bridge_plan",
            json!({ "bridge_name": "bridge", "bridge_settings": { "forward_delay": 20 } }),
        ),
        ("plan_create_wireless_ssid", "apply_wireless_plan", json!({ "ssid": "guests", "band": "2ghz-n" })),
    ] {
        let mut params = params;
        params["device_ids"] = json!(ids(&house, devices));
        let wrote = writes(&house, devices);
        let plan = carried_out(&house, tool, &params, apply);
        assert_eq!(
            (&plan["device_count"], &plan["devices_per_batch"]),
            (&json!(3), &json!([1, 2])),
            "{tool}: {plan}"
        );
        assert!(plan["gate"].is_object() && plan["rollback_on_failure"] == true, "{tool}: {plan}");
        let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": plan["plan_id"] }));
        let waves: Vec<&Value> =
            details["devices"].as_array().unwrap().iter().map(|device| &device["wave"]).collect();
        assert_eq!(waves, [&json!(1), &json!(2), &json!(2)], "{tool}");
        assert_eq!((&details["status"], &details["batch_count"]), (&json!("completed"), &json!(2)), "{tool}");
        assert!(writes(&house, devices) >= wrote + 3, "{tool}");
    }
    assert_eq!(house.writes(1), 0, "a device that no plan names");
}
