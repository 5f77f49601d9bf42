//! One address list on many routers.

use serde_json::{Value, json};

use super::{approved, ids, rested, started, writes};
use crate::{
    house::{As, House, json_of},
    topics::rows,
};

const PLAN: &str = "config_plan_address_list_sync";
const APPLY: &str = "config_apply_address_list_sync";
const MENU: &str = "/ip/firewall/address-list";

fn members(house: &House, n: usize, list: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = rows(house, n, MENU).into_iter().filter(|row| row["list"] == list);
    let mut members: Vec<_> = of.map(|row| (text(&row["address"]), text(&row["comment"]))).collect();
    members.sort();
    members
}

fn carried_out(house: &House, params: &Value) -> Value {
    let plan = house.mcp_call(As::Agent, PLAN, params).unwrap();
    approved(house, &plan);
    let job = started(house, APPLY, &plan).unwrap();
    assert_eq!(rested(house, &job["job_id"])["status"], "completed");
    plan
}

#[test]
fn lists_are_merged_and_made_exact_and_other_lists_stay() {
    let house = House::start(3);
    let others = rows(&house, 1, MENU).len();
    let entries = json!([
        { "address": "203.0.113.7", "comment": "mail" }, { "address": "203.0.113.64/26" }, { "address": "Bad.Example.org" },
    ]);
    let params = json!({ "device_ids": ids(&house, 0..3), "list_name": "mcp-shared", "entries": entries });
    let plan = carried_out(&house, &params);
    assert_eq!(
        (&plan["devices_per_batch"], plan["groups"].as_array().unwrap().len()),
        (&json!([1, 2]), 1),
        "the same on all: {plan:#}"
    );
    let wanted = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(address, comment)| ((*address).to_owned(), (*comment).to_owned())).collect()
    };
    let all = wanted(&[("203.0.113.64/26", ""), ("203.0.113.7", "mail"), ("bad.example.org", "")]);
    for n in 0..3 {
        assert_eq!(members(&house, n, "mcp-shared"), all, "{n}");
    }
    let again = house.mcp_call(As::Agent, PLAN, &params).unwrap();
    assert!(again["plan_id"].is_null() && again["unchanged"].as_array().unwrap().len() == 3, "{again}");

    // Exact: one goes, one is told otherwise, one comes; where the router is the same, so is the change, ids or not.
    let entries = json!([{ "address": "203.0.113.7", "comment": "post" }, { "address": "203.0.113.64/26" }, { "address": "203.0.113.8" }]);
    let exact = json!({
        "device_ids": ids(&house, 0..3), "list_name": "mcp-shared", "entries": entries, "mode": "exact",
    });
    let plan = carried_out(&house, &exact);
    assert_eq!(plan["groups"].as_array().unwrap().len(), 1, "{plan:#}");
    let now = wanted(&[("203.0.113.64/26", ""), ("203.0.113.7", "post"), ("203.0.113.8", "")]);
    for n in 0..3 {
        assert_eq!(members(&house, n, "mcp-shared"), now, "{n}");
    }
    assert_eq!(rows(&house, 1, MENU).len(), others + 3, "other lists stay");
}

#[test]
fn a_failure_puts_every_member_back() {
    let house = House::start(2);
    let some = json!([{ "address": "203.0.113.1", "comment": "a" }, { "address": "203.0.113.2" }]);
    let params = json!({ "device_ids": ids(&house, 0..2), "list_name": "mcp-a", "entries": some });
    carried_out(&house, &params);
    let before = members(&house, 0, "mcp-a");
    let other = json!([{ "address": "203.0.113.1", "comment": "b" }, { "address": "203.0.113.3" }]);
    let exact =
        json!({ "device_ids": ids(&house, 0..2), "list_name": "mcp-a", "entries": other, "mode": "exact" });
    let plan = house.mcp_call(As::Agent, PLAN, &exact).unwrap();
    approved(&house, &plan);
    house.fault(1, &json!({ "fault": "refuse_writes", "detail": "failure: no", "times": 9 }));
    let failed = started(&house, APPLY, &plan);
    let job_id = failed.as_ref().map_or_else(|failure| &failure["details"]["job_id"], |job| &job["job_id"]);
    assert_eq!(rested(&house, job_id)["status"], "rolled_back", "{failed:?}");
    assert_eq!(members(&house, 0, "mcp-a"), before);
    assert_eq!(members(&house, 1, "mcp-a"), before);
}

#[test]
fn a_list_too_large_for_one_plan_says_how_many_devices_fit() {
    let house = House::start(3);
    let entries: Vec<Value> =
        (0..900).map(|n| json!({ "address": format!("203.0.{}.{}", n / 250, n % 250) })).collect();
    let plan = |devices: usize| {
        let params =
            json!({ "device_ids": ids(&house, 0..devices), "list_name": "mcp-big", "entries": entries });
        house.mcp_call(As::Agent, PLAN, &params)
    };
    let refused = plan(3).unwrap_err();
    assert_eq!(refused["code"], "invalid_params", "{refused}");
    assert_eq!(
        refused["details"],
        json!({ "field": "device_ids", "operations": 2700, "limit": 2000, "devices_that_fit": 2 }),
        "{refused}"
    );
    let fits = plan(2).unwrap();
    let group = &fits["groups"][0];
    assert_eq!(group["operation_count"], 900, "{}", group["operation_count"]);
    assert!(fits.to_string().len() < 100_000, "an answer stays small: {}", fits.to_string().len());
    // On the command line all of it is shown, page after page.
    let id = fits["plan_id"].as_str().unwrap();
    let whole = json_of(&house.cli(As::Approver, &["--json", "plan", "show", id]));
    assert_eq!(whole["groups"].as_array().unwrap().len(), 1, "a group that was cut is one again");
    assert_eq!(whole["groups"][0]["operations"].as_array().unwrap().len(), 900);
    assert_eq!((whole["devices"].as_array().unwrap().len(), &whole["next_cursor"]), (2, &Value::Null));
    assert_eq!(writes(&house, 0..3), 0);
}
