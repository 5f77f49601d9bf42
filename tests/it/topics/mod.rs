//! Plans of topics, whole: planned, approved by a person, applied, read back, and undone to the letter when one fails.

mod bridge;
mod dhcp;
mod firewall;
mod route;
mod wireless;

use serde_json::{Value, json};

use crate::house::{As, House};

/// A menu as the simulator has it.
pub fn rows(house: &House, n: usize, menu: &str) -> Vec<Value> {
    let shown = house.control("GET", &format!("/boxes/{}/menu?path={menu}", house.box_of(n)), None);
    shown.as_array().or_else(|| shown["rows"].as_array()).unwrap().clone()
}

/// A menu without ids and figures that move by themselves, and without what is off: what a person would compare.
pub fn plain(house: &House, n: usize, menu: &str) -> Vec<Value> {
    let mut rows = rows(house, n, menu);
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        for moving in [".id", "bytes", "packets", "creation-time", "last-seen", "expires-after"] {
            row.remove(moving);
        }
        row.retain(|_, value| value != "" && value != "false" && value != "no");
    }
    // Elsewhere a record's place means nothing.
    if !menu.starts_with("/ip/firewall") {
        rows.sort_by_key(Value::to_string);
    }
    rows
}

/// Two routers give the next record of a menu the same id: ids are never used again, so one of them may be ahead.
pub fn level(house: &House, devices: [usize; 2], menu: &str, props: &Value) {
    let next = |n: usize| {
        let at = format!("/boxes/{}/behind-back", house.box_of(n));
        let number = |row: &Value| u64::from_str_radix(&row[".id"].as_str().unwrap()[1..], 16).unwrap();
        let before: Vec<u64> = rows(house, n, menu).iter().map(number).collect();
        house.control("POST", &at, Some(&json!({ "menu": menu, "props": props })));
        let added = rows(house, n, menu).iter().map(number).find(|id| !before.contains(id)).unwrap();
        house.control(
            "POST",
            &at,
            Some(&json!({ "menu": menu, "id": format!("*{added:X}"), "remove": true })),
        );
        added
    };
    let [a, b] = devices;
    let (mut of_a, mut of_b) = (next(a), next(b));
    while of_a != of_b {
        if of_a < of_b {
            of_a = next(a);
        } else {
            of_b = next(b);
        }
    }
}

/// A plan of the agent's.
pub fn plan(house: &House, tool: &str, params: &Value) -> Value {
    let plan = house.call(As::Agent, tool, params);
    assert!(plan["plan_id"].is_string(), "{plan}");
    plan
}

/// A person says yes.
pub fn approve(house: &House, plan: &Value) {
    let params = json!({ "plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"] });
    house.call(As::Approver, "plan_approve", &params);
}

/// The agent starts it.
pub fn apply(house: &House, tool: &str, plan: &Value) -> Result<Value, Value> {
    let params = json!({ "plan_id": plan["plan_id"], "approval_token": plan["approval_token"] });
    house.try_call(As::Agent, tool, &params)
}

/// Planned, approved, applied, and nothing else.
pub fn carried_out(house: &House, tool: &str, params: &Value, apply_tool: &str) -> Value {
    let plan = plan(house, tool, params);
    approve(house, &plan);
    let applied = apply(house, apply_tool, &plan).unwrap_or_else(|failure| panic!("{tool}: {failure}"));
    assert_eq!(applied["status"], "completed", "{applied}");
    plan
}

/// The same change on two routers, the second of which refuses to write: the first is undone, and its menus are as they
/// were, to the letter and in order.
pub fn undone(house: &House, tool: &str, params: &Value, apply_tool: &str, menus: &[&str]) {
    undone_on(house, [0, 1], tool, params, apply_tool, menus);
}

/// The same, on the routers of one's choice.
pub fn undone_on(
    house: &House,
    [first, second]: [usize; 2],
    tool: &str,
    params: &Value,
    apply_tool: &str,
    menus: &[&str],
) {
    let mut params = params.clone();
    params["device_ids"] = json!([house.device(first), house.device(second)]);
    let before: Vec<_> = menus.iter().map(|menu| plain(house, first, menu)).collect();
    let wrote = house.writes(first);
    let plan = plan(house, tool, &params);
    approve(house, &plan);
    house.fault(second, &json!({ "fault": "refuse_writes", "detail": "failure: no", "times": 9 }));
    let failure = apply(house, apply_tool, &plan).expect_err("the second router refuses");
    house.control("DELETE", &format!("/boxes/{}/faults", house.box_of(second)), None);
    let job = house.call(As::Agent, "job_status", &json!({ "job_id": failure["details"]["job_id"] }));
    assert_eq!(failure["details"]["job_status"], "rolled_back", "{tool}: {failure}\n{job:#}");
    assert!(house.writes(first) >= wrote + 2, "{tool}: nothing was applied, so nothing was undone");
    let after: Vec<_> = menus.iter().map(|menu| plain(house, first, menu)).collect();
    assert_eq!(before, after, "{tool}: not as it was");
}

/// A router that lies: it answers yes and does nothing, or no and does it. The end is what the router really shows.
pub fn lied_to(house: &House, tool: &str, params: &Value, apply_tool: &str, menu: &str) {
    let mut params = params.clone();
    params["device_ids"] = json!([house.device(0)]);
    for (fault, end) in [("yes_without_change", "device_refused"), ("no_with_change", "completed")] {
        let before = plain(house, 0, menu);
        let plan = plan(house, tool, &params);
        approve(house, &plan);
        house.fault(0, &json!({ "fault": fault, "times": 1 }));
        match apply(house, apply_tool, &plan) {
            Ok(applied) => {
                assert_eq!(applied["status"], end, "{tool} {fault}");
                assert_ne!(before, plain(house, 0, menu), "{tool} {fault}: it did it");
            }
            Err(failure) => {
                assert_eq!(failure["code"], end, "{tool} {fault}: {failure}");
                assert_eq!(before, plain(house, 0, menu), "{tool} {fault}");
            }
        }
    }
}
