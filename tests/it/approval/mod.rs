//! Approval, through the doors that people and agents use: who says yes, how often, and that nobody else can.

mod denials;
mod once;
mod people;
mod workflows;

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::{
    house::{APPLIANCE, As, House, Reply, request},
    topics,
};

/// A token of one's own, for all devices unless the scopes say otherwise.
fn token(house: &House, label: &str, role: &str, environments: &[&str], scopes: &[&str]) -> String {
    let params = json!({ "label": label, "role": role, "personal": role == "approver",
        "environments": environments, "device_scopes": scopes });
    house.call(As::Admin, "token_create", &params)["token"].as_str().unwrap().to_owned()
}

const EVERYWHERE: &[&str] = &["lab", "staging", "prod"];

pub fn approver(house: &House, label: &str) -> String {
    token(house, label, "approver", EVERYWHERE, &["*"])
}

/// A request to the admin API with a token of one's own.
pub fn api(house: &House, token: &str, method: &str, path: &str, body: &Value) -> Reply {
    let body = (method != "GET").then(|| body.to_string());
    request(house.url(), method, path, Some(token), body.as_deref())
}

/// A call that must fail: its failure.
fn refused(house: &House, token: &str, tool: &str, params: &Value) -> Value {
    let reply = api(house, token, "POST", &format!("/api/tools/{tool}"), params);
    assert!(reply.status >= 400, "{tool} {params} should fail: {}", reply.text);
    assert!(reply.body["code"].is_string() && reply.body["message"].is_string(), "{}", reply.text);
    reply.body
}

/// The command line with a token of one's own.
fn cli(house: &House, token: &str, args: &[&str]) -> Output {
    let mut command = Command::new(APPLIANCE);
    command.arg("--dir").arg(house.store()).args(args).stdin(Stdio::null());
    command.env_remove("APPLIANCE_TOKEN_FILE").env("APPLIANCE_TOKEN", token).output().unwrap()
}

/// A plan of medium risk for the n-th device, each of them another one.
fn route(house: &House, n: usize, number: u32) -> Value {
    let params = json!({ "device_ids": [house.device(n)], "dst_address": format!("10.{number}.0.0/16"),
        "gateway": "192.0.2.1" });
    topics::plan(house, "plan_add_static_route", &params)
}

/// A plan of high risk for the n-th device.
fn risky(house: &House, n: usize) -> Value {
    let pool = topics::rows(house, n, "/ip/pool")[0][".id"].clone();
    let params = json!({ "device_ids": [house.device(n)], "pool_id": pool });
    topics::plan(house, "plan_remove_dhcp_pool", &params)
}

/// What an approver sends.
fn yes(plan: &Value) -> Value {
    json!({ "plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"] })
}

/// What an agent sends to apply.
fn with_token(plan: &Value) -> Value {
    json!({ "plan_id": plan["plan_id"], "approval_token": plan["approval_token"] })
}

/// Every event of a kind, newest first.
fn events(house: &House, kind: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let params = json!({ "kind": kind, "limit": 1000, "cursor": cursor });
        let answer = house.call(As::Admin, "audit_events", &params);
        all.extend(answer["events"].as_array().unwrap().iter().cloned());
        cursor = answer["next_cursor"].clone();
        if cursor.is_null() {
            return all;
        }
    }
}
