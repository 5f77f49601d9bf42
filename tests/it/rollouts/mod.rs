//! Plans of many devices, whole: planned, checked, shown, approved, carried out in batches behind gates, undone.

mod dns_ntp;
mod lists;
mod topics;
mod wrong;

use serde_json::{Value, json};

use crate::house::{As, House};

/// The ids of some devices.
fn ids(house: &House, devices: impl IntoIterator<Item = usize>) -> Vec<String> {
    devices.into_iter().map(|n| house.device(n).to_owned()).collect()
}

/// A person says yes on the command line, having seen the hash.
fn approved(house: &House, plan: &Value) {
    let (id, hash) = (plan["plan_id"].as_str().unwrap(), plan["plan_hash"].as_str().unwrap());
    let said = house.cli(As::Approver, &["plan", "approve", id, "--hash", hash]);
    assert!(said.status.success(), "{}", crate::house::stderr(&said));
}

/// The agent starts it over the protocol.
fn started(house: &House, tool: &str, plan: &Value) -> Result<Value, Value> {
    let params = json!({ "plan_id": plan["plan_id"], "approval_token": plan["approval_token"] });
    house.mcp_call(As::Agent, tool, &params)
}

/// Where a job stands once it rests.
fn rested(house: &House, job_id: &Value) -> Value {
    house.until("the job to rest", || {
        let job = house.call(As::Agent, "job_status", &json!({ "job_id": job_id }));
        let moves = ["pending", "running", "rolling_back"].iter().any(|word| job["status"] == *word);
        (!moves).then_some(job)
    })
}

/// Requests of a box whose path begins so, in the order of the whole fleet: those that changed it, or those that did not.
fn asked(house: &House, n: usize, path: &str, changed: bool) -> Vec<u64> {
    let journal = house.journal(n);
    let fits =
        |entry: &&Value| entry["changed"] == changed && entry["path"].as_str().unwrap().starts_with(path);
    journal.iter().filter(fits).map(|entry| entry["order"].as_u64().unwrap()).collect()
}

/// Requests of these boxes that changed them, together.
fn writes(house: &House, devices: impl IntoIterator<Item = usize>) -> usize {
    devices.into_iter().map(|n| house.writes(n)).sum()
}
