//! Where tools are called: one simulated router of a release, and those who call.

use serde_json::{Value, json};

use crate::{
    house::{As, House},
    protocol::Client,
};

/// The releases, and which device of the demo has each.
pub const RELEASES: [(&str, usize); 4] = [("7.12.2", 11), ("7.16.2", 8), ("7.20.8", 0), ("7.24", 1)];

/// A device of the demo that has no release to itself: the second one of plans for several.
const PEER: usize = 6;

/// One router and an agent in front of it.
pub struct Stage<'a> {
    pub house: &'a House,
    pub agent: &'a Client<'a>,
    /// Its place in the demo.
    pub n: usize,
    pub device: &'a str,
}

impl Stage<'_> {
    /// The only parameter of most tools.
    pub fn device(&self) -> Value {
        json!({ "device_id": self.device })
    }

    /// That and more.
    pub fn with(&self, more: Value) -> Value {
        let mut params = self.device();
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    }

    /// The parameters of a plan for this router alone.
    pub fn plan(&self, more: Value) -> Value {
        let mut params = json!({ "device_ids": [self.device] });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    }

    /// Waits for the end of every job: a rollout goes on after its start was answered.
    fn idle(&self) {
        self.house.until("all jobs to be over", || {
            let open = self.house.call(As::Admin, "job_list", &json!({ "open": true }));
            (open["total_count"] == 0).then_some(())
        });
    }

    /// The parameters of a plan for this router and another one, which comes into its environment.
    pub fn plans(&self, more: Value) -> Value {
        self.idle();
        let listed = self.house.call(As::Admin, "list_devices", &json!({ "limit": 100 }));
        let own = listed["devices"].as_array().unwrap().iter().find(|row| row["id"] == self.device).unwrap();
        let peer = self.house.device(if self.n == PEER { PEER + 1 } else { PEER });
        let allow = ["advanced_writes", "professional_workflows"];
        let edit = json!({ "device_id": peer, "environment": own["environment"], "allow": allow });
        self.house.call(As::Admin, "device_edit", &edit);
        let mut params = json!({ "device_ids": [self.device, peer] });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    }

    /// The first record of a menu that fits, as the router has it.
    pub fn record(&self, menu: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let rows = self.house.control(
            "GET",
            &format!("/boxes/{}/menu?path={menu}", self.house.box_of(self.n)),
            None,
        );
        let rows = rows.as_array().unwrap();
        rows.iter()
            .find(|row| fits(row))
            .unwrap_or_else(|| panic!("{menu} has no such record: {rows:?}"))
            .clone()
    }

    /// An Ethernet interface that is no bridge's port.
    pub fn free_port(&self) -> Value {
        let ports = self.agent.done("list_bridge_ports", &self.device());
        let taken = |name: &Value| {
            ports["bridge_ports"].as_array().unwrap().iter().any(|port| port["interface"] == *name)
        };
        let free = |row: &Value| row["type"] == "ether" && !taken(&row["name"]) && row["name"] != "ether1";
        self.record("/interface", free)["name"].clone()
    }

    /// The id of a list's first row that fits.
    pub fn id_of(&self, tool: &str, list: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let answer = self.agent.done(tool, &self.device());
        let rows = answer[list].as_array().unwrap();
        rows.iter().find(|row| fits(row)).unwrap_or_else(|| panic!("{tool} has no such row: {answer}"))["id"]
            .clone()
    }

    /// A change of the DNS servers, applied: its plan and its job.
    pub fn changed(&self) -> Value {
        self.idle();
        let servers = |last: u8| self.with(json!({ "dns_servers": [format!("9.9.9.{last}")] }));
        let done = self.agent.done("update_dns_servers", &servers(1));
        if done["changed"] == true { done } else { self.agent.done("update_dns_servers", &servers(2)) }
    }

    /// A plan that a person has approved, ready to be applied.
    pub fn approved(&self, tool: &str, params: &Value) -> Value {
        let plan = self.agent.done(tool, params);
        let yes = json!({ "plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"] });
        self.house.call(As::Approver, "plan_approve", &yes);
        json!({ "plan_id": plan["plan_id"], "approval_token": plan["approval_token"] })
    }

    /// Sets everything that the device allows beyond reading.
    pub fn allow(&self, capabilities: &[&str]) {
        let edit = self.with(json!({ "allow": capabilities }));
        self.house.call(As::Admin, "device_edit", &edit);
    }

    /// The place of the last request that the router has seen.
    pub fn asked(&self) -> u64 {
        self.house.journal(self.n).last().map_or(0, |entry| entry["order"].as_u64().unwrap())
    }
}
