//! Each tool against each role, device and environment that it is not for, through every door: refused, and on record.

use std::collections::BTreeMap;

use appliance::{
    access::principal::{Audience, Kind},
    tools::{catalog, tool::ToolDef},
};
use events::{device::Capability, principal::Role};
use serde_json::{Value, json};

use crate::{
    approval::{EVERYWHERE, api, cli, events, token},
    catalogue::{
        rows::{AHEAD, ROWS},
        stage::Stage,
    },
    house::{As, House},
    lone::failure_of,
    protocol::Client,
};

const DOORS: [&str; 3] = ["mcp_http", "api", "cli"];
const ROLES: [Role; 4] = [Role::ReadOnly, Role::OpsRw, Role::Admin, Role::Approver];

/// What the contract says of a role and a tool (DECISIONS: roles): nothing but reading for a reader and an approver,
/// chores for the roles that they name.
fn may(role: Role, def: &ToolDef) -> bool {
    match (def.spec.demand.roles, def.spec.demand.kind) {
        (Some(roles), _) => roles.contains(&role),
        (None, Kind::Read) => true,
        (None, Kind::Write) => role == Role::OpsRw || role == Role::Admin,
    }
}

/// A refusal that was answered, and must be found on record.
struct Denied {
    tool: String,
    code: &'static str,
    door: &'static str,
    label: String,
}

/// Calls through every door, each under a word of its own; what was refused is kept by that word.
struct Doors<'a> {
    house: &'a House,
    denied: BTreeMap<String, Denied>,
    mistakes: Vec<String>,
}

impl<'a> Doors<'a> {
    fn new(house: &'a House) -> Self {
        Self { house, denied: BTreeMap::new(), mistakes: Vec::new() }
    }

    /// The code that a call is refused with through one door.
    fn code(&self, door: &str, token: &str, tool: &str, params: &Value) -> String {
        let text = |value: &Value| value["code"].as_str().unwrap_or("not refused").to_owned();
        match door {
            "mcp_http" => {
                let arguments = json!({ "name": tool, "arguments": params });
                let (answer, _) = Client::of(self.house, token).exchange("tools/call", tool, arguments);
                let result = &answer["result"];
                if result.is_object() {
                    text(&result["structuredContent"])
                } else {
                    text(&answer["error"]["data"])
                }
            }
            "api" => text(&api(self.house, token, "POST", &format!("/api/tools/{tool}"), params).body),
            _ => {
                let output =
                    cli(self.house, token, &["--json", "call", tool, "--params", &params.to_string()]);
                text(&failure_of(&output))
            }
        }
    }

    fn refused(
        &mut self,
        door: &'static str,
        who: (&str, &str),
        tool: &str,
        params: &Value,
        code: &'static str,
    ) {
        let word = format!("denied {}", self.denied.len());
        let mut params = params.clone();
        params["correlation_id"] = word.clone().into();
        let said = self.code(door, who.1, tool, &params);
        if said != code {
            self.mistakes.push(format!("{tool} for {} through {door}: {said}, should be {code}", who.0));
        }
        self.denied.insert(word, Denied { tool: tool.to_owned(), code, door, label: who.0.to_owned() });
    }

    /// Every refusal is an event that says who, what, why and through which door. Tells how many there were.
    fn on_record(mut self) -> usize {
        let all = self.denied.len();
        let found = self.house.until("every denial on record", || {
            let denied = events(self.house, "ToolDenied");
            let of = |event: &Value| event["fact"]["correlation_id"].as_str().unwrap_or_default().to_owned();
            let found: BTreeMap<String, Value> =
                denied.iter().map(|event| (of(event), event.clone())).collect();
            self.denied.keys().all(|word| found.contains_key(word)).then_some(found)
        });
        for (word, denied) in &self.denied {
            let fact = &found[word]["fact"];
            let said = (&fact["tool"], &fact["code"], &fact["by"]["door"], &fact["by"]["label"]);
            let wanted =
                (&json!(denied.tool), &json!(denied.code), &json!(denied.door), &json!(denied.label));
            if said != wanted {
                self.mistakes.push(format!("on record: {said:?}, should be {wanted:?}"));
            }
        }
        assert!(self.mistakes.is_empty(), "{} mistakes:\n{}", self.mistakes.len(), self.mistakes.join("\n"));
        all
    }
}

#[test]
fn a_role_that_a_tool_is_not_for_is_denied_through_every_door_and_on_record() {
    let house = House::start(1);
    let tokens: Vec<(Role, String)> = ROLES
        .into_iter()
        .map(|role| (role, token(&house, &format!("a {role}"), role.as_str(), EVERYWHERE, &["*"])))
        .collect();
    let mut doors = Doors::new(&house);
    let empty = json!({});
    for def in catalog::all() {
        let tool = def.spec.name;
        for (role, token) in &tokens {
            let label = format!("a {role}");
            let who = (label.as_str(), token.as_str());
            if def.spec.demand.audience == Audience::Operator {
                doors.refused("mcp_http", who, tool, &empty, "not_for_agents");
            } else if !may(*role, def) {
                doors.refused("mcp_http", who, tool, &empty, "role_required");
            }
            if !may(*role, def) {
                doors.refused("api", who, tool, &empty, "role_required");
                doors.refused("cli", who, tool, &empty, "role_required");
            }
        }
    }
    assert!(doors.denied.len() > 300, "{}", doors.denied.len());
    println!("tools and roles: {} denials, each on record", doors.on_record());
}

/// Chores about a device, with parameters that can be decoded.
fn chores(device: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("device_show", json!({ "device_id": device })),
        ("device_abilities", json!({ "device_id": device })),
        ("device_edit", json!({ "device_id": device, "critical": true })),
        ("device_remove", json!({ "device_id": device, "reason": "gone" })),
        ("device_trust", json!({ "device_id": device, "trust": { "plain_http": true } })),
    ]
}

#[test]
fn what_is_outside_a_tokens_devices_or_environments_is_denied_through_every_door_and_on_record() {
    let house = House::start(12);
    let agent = Client::stateless(&house, As::Agent);
    let (device, other) = (house.device(0), house.device(1));
    let stage = Stage { house: &house, agent: &agent, n: 0, device };
    stage.allow(&Capability::ALL.map(Capability::as_str));
    let group = json!({ "device_id": other, "tags": { "group": "north", "site": "b" } });
    house.call(As::Admin, "device_edit", &group);
    let mut tokens = Vec::new();
    // Empty means none; `group:` is the tag of that name.
    for (kind, scopes) in
        [("none", vec![]), ("id", vec![other]), ("group", vec!["group:north"]), ("tag", vec!["tag:site=b"])]
    {
        for role in ["ops_rw", "admin"] {
            let label = format!("{kind} {role}");
            tokens.push((
                label.clone(),
                role,
                token(&house, &label, role, EVERYWHERE, &scopes),
                "unknown_device",
            ));
        }
    }
    for role in ["ops_rw", "admin"] {
        let label = format!("staging {role}");
        let token = token(&house, &label, role, &["staging"], &["*"]);
        tokens.push((label, role, token, "environment_denied"));
    }
    let mut doors = Doors::new(&house);
    let mut tools = 0;
    for row in ROWS.iter().filter(|row| !AHEAD.contains(&row.tool)) {
        let params = (row.params)(&stage);
        let of_plan = params["plan_id"].is_string() && params["approval_token"].is_string();
        if !of_plan && params["device_id"].is_null() && params["device_ids"].is_null() {
            continue;
        }
        tools += 1;
        for (label, _, token, code) in tokens.iter().filter(|(_, role, ..)| *role == "ops_rw") {
            // A plan about devices outside the scopes is not confirmed to exist.
            let code = if of_plan && *code == "unknown_device" { "unknown_plan" } else { code };
            // A process for each of them would take its time.
            let all: &[&str] =
                if label.starts_with("id") || code == "environment_denied" { &DOORS } else { &DOORS[..2] };
            for door in all {
                doors.refused(door, (label, token), row.tool, &params, code);
            }
        }
        // Whom it is for gets through with the very same call; later rows need what earlier ones made.
        let called = agent.call(row.tool, &params);
        assert!(!called.failed, "{} {params}: {}", row.tool, called.value);
    }
    for (tool, params) in chores(device) {
        tools += 1;
        for (label, _, token, code) in tokens.iter().filter(|(_, role, ..)| *role == "admin") {
            doors.refused("api", (label, token), tool, &params, code);
            doors.refused("cli", (label, token), tool, &params, code);
        }
    }
    assert!(tools > 45, "{tools}");
    // The same tokens do reach what they are for.
    for (label, _, token, code) in tokens.iter().filter(|(label, ..)| !label.starts_with("none")) {
        let reach = api(&house, token, "POST", "/api/tools/get_dns_status", &json!({ "device_id": other }));
        let wanted = if *code == "environment_denied" { 403 } else { 200 };
        assert_eq!(reach.status, wanted, "{label}: {}", reach.text);
    }
    println!("scopes and environments: {} denials, each on record", doors.on_record());
}

#[test]
fn approving_rejecting_and_starting_what_is_out_of_reach_is_denied_and_on_record() {
    let house = House::start(2);
    let plan = crate::approval::route(&house, 0, 61);
    let mut doors = Doors::new(&house);
    let id = &plan["plan_id"];
    let servers = json!({ "device_id": house.device(0), "dns_servers": ["9.9.9.9"] });
    let done = house.call(As::Agent, "update_dns_servers", &servers);
    let job = &done["job_id"];
    let why = json!({ "job_id": job, "reason": "no" });
    let wishes = [
        ("plan_approve", "approver", json!({ "plan_id": id, "plan_hash": plan["plan_hash"] })),
        ("plan_reject", "approver", json!({ "plan_id": id, "comment": "no" })),
        ("plan_start", "ops_rw", json!({ "plan_id": id })),
        ("plan_details", "read_only", json!({ "plan_id": id })),
        ("plan_evidence", "read_only", json!({ "plan_id": id })),
        ("plan_undo", "ops_rw", json!({ "plan_id": done["plan_id"], "reason": "no" })),
        ("config_rollback_plan", "ops_rw", json!({ "plan_id": done["plan_id"], "reason": "no" })),
        ("apply_routing_plan", "ops_rw", json!({ "plan_id": id, "approval_token": "x" })),
        ("workflow_explain", "read_only", json!({ "plan_id": id })),
        ("audit_events", "read_only", json!({ "plan_id": id, "limit": 1 })),
        ("job_status", "read_only", json!({ "job_id": job })),
        ("job_guide", "read_only", json!({ "job_id": job })),
        ("job_cancel", "ops_rw", why.clone()),
        ("job_retry", "ops_rw", why.clone()),
        ("job_roll_back", "ops_rw", why.clone()),
        ("job_resume", "ops_rw", why.clone()),
        ("job_skip", "ops_rw", json!({ "job_id": job, "device_id": house.device(0), "reason": "no" })),
    ];
    // Whatever names a plan or a job is among them.
    for def in catalog::all() {
        let properties = (def.input_schema)()["properties"].clone();
        let starts = properties["approval_token"].is_object();
        let names = properties["plan_id"].is_object() || properties["job_id"].is_object();
        assert!(
            !names || starts || wishes.iter().any(|(tool, ..)| *tool == def.spec.name),
            "{}",
            def.spec.name
        );
    }
    for (tool, role, params) in wishes {
        let unseen = if params["job_id"].is_string() { "unknown_job" } else { "unknown_plan" };
        let narrow = token(&house, &format!("narrow {tool}"), role, EVERYWHERE, &[house.device(1)]);
        let staging = token(&house, &format!("staging {tool}"), role, &["staging"], &["*"]);
        for door in ["api", "cli"] {
            doors.refused(door, (&format!("narrow {tool}"), &narrow), tool, &params, unseen);
            let elsewhere = if role == "read_only" { unseen } else { "environment_denied" };
            doors.refused(door, (&format!("staging {tool}"), &staging), tool, &params, elsewhere);
        }
    }
    println!("plans out of reach: {} denials, each on record", doors.on_record());
}
