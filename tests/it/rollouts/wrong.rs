//! What is refused when a plan for many devices is asked for, by field, before anything is read or sent.

use serde_json::{Value, json};

use super::{ids, writes};
use crate::house::{As, House};

#[test]
fn what_is_wrong_with_a_rollout_is_said_by_field_and_changes_nothing() {
    let house = House::start(12);
    let allow = json!(["professional_workflows"]);
    // One of staging among those of lab.
    house.call(As::Admin, "device_edit", &json!({ "device_id": house.device(8), "allow": allow }));
    let good = json!({ "device_ids": ids(&house, 0..5), "dns_servers": ["9.9.9.9"] });
    let many: Vec<String> = (0..51).map(|n| format!("r{n}")).collect();
    let mixed = ids(&house, [0, 8]);
    let twice = json!([house.device(0), house.device(1), house.device(0)]);
    let renamed = json!({ "device_id": house.device(0), "name": "the first one" });
    house.call(As::Admin, "device_edit", &renamed);
    for (more, code, field) in [
        (json!({ "device_ids": twice }), "invalid_params", "device_ids"),
        (json!({ "device_ids": [house.device(0), "the first one"] }), "invalid_params", "device_ids"),
        (json!({ "device_ids": [house.device(0), "nobody"] }), "unknown_device", "device_id"),
        (json!({ "device_ids": [house.device(0)] }), "invalid_params", "device_ids"),
        (json!({ "device_ids": [] }), "invalid_params", "device_ids"),
        (json!({ "device_ids": many }), "invalid_params", "device_ids"),
        (json!({ "device_ids": mixed }), "invalid_params", "device_ids"),
        (json!({ "dns_servers": null }), "invalid_params", "dns_servers"),
        (json!({ "dns_servers": [] }), "invalid_params", "dns_servers"),
        (
            json!({ "dns_servers": ["1.1.1.1", "1.0.0.1", "9.9.9.9", "8.8.8.8"] }),
            "invalid_params",
            "dns_servers",
        ),
        (json!({ "dns_servers": ["dns.example.org"] }), "invalid_params", "dns_servers"),
        (json!({ "dns_servers": ["9.9.9.9", "9.9.9.9"] }), "invalid_params", "dns_servers"),
        (json!({ "ntp_servers": [] }), "invalid_params", "ntp_servers"),
        (
            json!({ "ntp_servers": ["a.example", "b.example", "c.example", "d.example", "e.example"] }),
            "invalid_params",
            "ntp_servers",
        ),
        (json!({ "ntp_servers": ["-x-"] }), "invalid_params", "ntp_servers"),
        (json!({ "batch_size": 0 }), "invalid_params", "batch_size"),
        (json!({ "batch_size": 6 }), "invalid_params", "batch_size"),
        (json!({ "batch_size": 51 }), "invalid_params", "batch_size"),
        (json!({ "pause_seconds_between_batches": 3601 }), "invalid_params", "pause_seconds_between_batches"),
        (json!({ "soak_seconds": -1 }), "invalid_params", "soak_seconds"),
        (json!({ "rollback_on_failure": "no" }), "invalid_params", "rollback_on_failure"),
        (json!({ "resolve_name": "a b" }), "invalid_params", "resolve_name"),
        (json!({ "wait_for_ntp": 1 }), "invalid_params", "wait_for_ntp"),
        (json!({ "nonsense": 1 }), "invalid_params", "nonsense"),
    ] {
        let mut params = good.clone();
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = house.mcp_call(As::Agent, "config_plan_dns_ntp_rollout", &params).unwrap_err();
        assert_eq!(
            (&refused["code"], &refused["details"]["field"]),
            (&json!(code), &json!(field)),
            "{more}: {refused}"
        );
    }
    let list = |more: Value| {
        let mut params = json!({ "device_ids": ids(&house, 0..2), "list_name": "mcp-a", "entries": [{ "address": "192.0.2.1" }] });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        house.mcp_call(As::Agent, "config_plan_address_list_sync", &params).unwrap_err()
    };
    for (more, code, field) in [
        (json!({ "entries": [] }), "invalid_params", json!("entries")),
        (
            json!({ "entries": [{ "address": "192.0.2.1" }, { "address": "192.0.2.1/32" }] }),
            "invalid_params",
            json!("entries[1].address"),
        ),
        (json!({ "entries": [{ "address": "2001:db8::1" }] }), "invalid_params", json!("entries[0].address")),
        (
            json!({ "entries": [{ "address": "192.0.2.1", "timeout": "soon" }] }),
            "invalid_params",
            json!("entries[0].timeout"),
        ),
        (
            json!({ "entries": [{ "address": "192.0.2.1", "port": 1 }] }),
            "invalid_params",
            json!("entries[0].port"),
        ),
        (json!({ "mode": "replace" }), "invalid_params", json!("mode")),
        (json!({ "list_name": "blocked" }), "unsafe_operation", Value::Null),
        (json!({ "list_name": "mcp-" }), "unsafe_operation", Value::Null),
    ] {
        let refused = list(more.clone());
        assert_eq!(
            (&refused["code"], &refused["details"]["field"]),
            (&json!(code), &field),
            "{more}: {refused}"
        );
    }
    assert_eq!(writes(&house, 0..12), 0);
}

#[test]
fn a_device_that_cannot_be_read_refuses_the_plan_by_name() {
    let house = House::start(3);
    house.fault(1, &json!({ "fault": "html", "times": 100 }));
    let params = json!({ "device_ids": ids(&house, 0..3), "dns_servers": ["9.9.9.9"] });
    let refused = house.mcp_call(As::Agent, "config_plan_dns_ntp_rollout", &params).unwrap_err();
    assert_eq!(
        (&refused["code"], &refused["device_id"]),
        (&json!("device_garbled"), &json!(house.device(1))),
        "{refused}"
    );
    let plans = house.call(As::Admin, "plan_list", &json!({}));
    assert_eq!(plans["total_count"], 0, "no plan was made: {plans}");
}

#[test]
fn a_plan_is_started_by_the_tool_of_its_kind() {
    let house = House::start(2);
    let params = json!({ "device_ids": ids(&house, 0..2), "dns_servers": ["9.9.9.9"] });
    let plan = house.mcp_call(As::Agent, "config_plan_dns_ntp_rollout", &params).unwrap();
    super::approved(&house, &plan);
    for tool in ["config_apply_address_list_sync", "apply_firewall_plan"] {
        let refused = super::started(&house, tool, &plan).unwrap_err();
        assert!(
            ["invalid_params", "capability_missing"].iter().any(|code| refused["code"] == *code),
            "{tool}: {refused}"
        );
    }
    let other = house.mcp_call(As::Agent, "config_plan_dns_ntp_rollout", &params).unwrap();
    let crossed = json!({ "plan_id": plan["plan_id"], "approval_token": other["approval_token"] });
    let refused = house.mcp_call(As::Agent, "config_apply_dns_ntp_rollout", &crossed).unwrap_err();
    assert_eq!(refused["code"], "approval_token_invalid", "a token of another plan: {refused}");
    assert_eq!(writes(&house, 0..2), 0);
}
