//! Looking back: a finished plan is rolled back to the letter, an object tells who made it what it is, and one plan undoes
//! what a session did.

use appliance::tools::catalog;
use serde_json::{Value, json};

use crate::{
    house::{As, House, json_of, stderr, stdout},
    topics::{apply, approve, plain, plan, rows},
};

const MENU: &str = "/ip/firewall/filter";
const APPLY: &str = "apply_firewall_plan";

/// The same parameters without pauses, where the tool has them.
fn quick(tool: &str, params: &Value) -> Value {
    let schema = (catalog::find(tool).unwrap().input_schema)();
    let mut params = params.clone();
    for wait in ["pause_seconds_between_batches", "soak_seconds"] {
        if schema["properties"][wait].is_object() {
            params[wait] = json!(0);
        }
    }
    params
}

/// A plan of the agent's, approved and carried out.
fn done(house: &House, tool: &str, params: &Value) -> Value {
    let plan = plan(house, tool, &quick(tool, params));
    approve(house, &plan);
    let applied = apply(house, APPLY, &plan).unwrap_or_else(|failure| panic!("{tool}: {failure}"));
    if applied["status"] != "completed" {
        rests(house, &applied["job_id"], "completed");
    }
    plan
}

/// Waits for a job's end.
fn rests(house: &House, job_id: &Value, status: &str) {
    house.until("the end of a job", || {
        let job = house.call(As::Agent, "job_status", &json!({ "job_id": job_id }));
        let over = !["pending", "running", "rolling_back"].contains(&job["status"].as_str().unwrap());
        if over {
            assert_eq!(job["status"], status, "{job:#}");
        }
        over.then_some(())
    });
}

fn status_of(house: &House, plan_id: &Value) -> Value {
    house.call(As::Agent, "plan_details", &json!({ "plan_id": plan_id }))["status"].clone()
}

/// A rule that three routers do not have yet.
fn telnet(house: &House, devices: &[usize]) -> Value {
    let ids: Vec<&str> = devices.iter().map(|n| house.device(*n)).collect();
    json!({ "device_ids": ids, "chain": "forward", "action": "drop", "protocol": "tcp", "dst_port": "23",
        "comment": "no telnet" })
}

fn behind_back(house: &House, n: usize, body: &Value) {
    house.control("POST", &format!("/boxes/{}/behind-back", house.box_of(n)), Some(body));
}

/// The id of the rule with a comment.
fn rule(house: &House, n: usize, comment: &str) -> String {
    let rows = rows(house, n, MENU);
    let row = rows.iter().find(|row| row["comment"] == comment).unwrap_or_else(|| panic!("{rows:?}"));
    row[".id"].as_str().unwrap().to_owned()
}

#[test]
fn a_finished_plan_is_rolled_back_to_the_letter_once() {
    let house = House::start(3);
    let state = || (0..3).map(|n| plain(&house, n, MENU)).collect::<Vec<_>>();
    let before = state();
    let added = done(&house, "plan_add_firewall_rule", &telnet(&house, &[0, 1, 2]));
    let with_rule = state();
    assert!(before != with_rule);
    let params = json!({ "plan_id": added["plan_id"], "reason": "wrong port" });
    let back = house.mcp_call(As::Agent, "config_rollback_plan", &params).unwrap();
    assert_eq!(back["status"], "rolled_back", "{back:#}");
    assert_eq!(back["summary"], json!({ "total": 3, "success": 3, "failed": 0 }));
    assert_eq!(back["devices_affected"], 3);
    assert_eq!(before, state(), "as it was");
    assert_eq!(status_of(&house, &added["plan_id"]), "rolled_back");
    let how = house.call(As::Agent, "plan_details", &json!({ "plan_id": back["rollback_plan_id"] }));
    assert_eq!((&how["status"], &how["auto_approved"]), (&json!("completed"), &json!(true)), "{how:#}");
    let policy = format!("policy rollback_of:{}", added["plan_id"].as_str().unwrap());
    assert_eq!(how["approved_by"], policy);
    let devices = |plan: &Value| -> Vec<String> {
        plan["devices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["device_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(devices(&how).len(), 3);

    // Once is enough; and what reverses is not reversed.
    let writes: usize = (0..3).map(|n| house.writes(n)).sum();
    let again = house.mcp_call(As::Agent, "config_rollback_plan", &params).unwrap_err();
    assert_eq!(again["code"], "plan_closed", "{again}");
    let forth = json!({ "plan_id": back["rollback_plan_id"], "reason": "after all" });
    assert_eq!(house.refused(As::Agent, "config_rollback_plan", &forth), "conflict");
    for wrong in
        [json!({ "plan_id": added["plan_id"] }), json!({ "plan_id": added["plan_id"], "reason": "" })]
    {
        assert_eq!(house.refused(As::Agent, "config_rollback_plan", &wrong), "invalid_params");
    }
    assert_eq!(house.refused(As::Approver, "config_rollback_plan", &params), "role_required");
    assert_eq!(writes, (0..3).map(|n| house.writes(n)).sum::<usize>());

    // A removed rule comes back where it was, as it was.
    let middle = rows(&house, 0, MENU)[3][".id"].clone();
    let removed = done(
        &house,
        "plan_remove_firewall_rule",
        &json!({ "device_ids": [house.device(0)], "rule_id": middle }),
    );
    assert_eq!(rows(&house, 0, MENU).len(), before[0].len() - 1);
    let params = json!({ "plan_id": removed["plan_id"], "reason": "it was needed" });
    house.call(As::Agent, "config_rollback_plan", &params);
    assert_eq!(before, state());
}

#[test]
fn what_cannot_be_reached_is_told_and_rolled_back_later() {
    let house = House::start(3);
    let before: Vec<_> = (0..3).map(|n| plain(&house, n, MENU)).collect();
    let added = done(&house, "plan_add_firewall_rule", &telnet(&house, &[0, 1, 2]));
    let plan_id = added["plan_id"].as_str().unwrap();
    house.fault(1, &json!({ "fault": "reset_connection", "times": 100_000 }));
    let params = json!({ "plan_id": plan_id, "reason": "wrong port" });
    let back = house.mcp_call(As::Agent, "config_rollback_plan", &params).unwrap();
    assert_eq!(back["status"], "partially_rolled_back", "{back:#}");
    assert_eq!(back["summary"], json!({ "total": 3, "success": 2, "failed": 1 }));
    let failed = back["devices"].as_array().unwrap().iter().find(|d| d["status"] == "failed").unwrap();
    assert_eq!(failed["device_id"], house.device(1));
    assert!(failed["reason"].is_string(), "{failed}");
    assert_eq!(status_of(&house, &added["plan_id"]), "partially_rolled_back");
    for n in [0, 2] {
        assert_eq!(before[n], plain(&house, n, MENU));
    }
    house.control("DELETE", &format!("/boxes/{}/faults", house.box_of(1)), None);
    house.until("the router is back", || {
        house.try_call(As::Agent, "get_system_clock", &json!({ "device_id": house.device(1) })).ok()
    });
    assert_ne!(before[1], plain(&house, 1, MENU), "it was not touched");
    let writes = house.writes(0);
    let rest = house.cli(As::Agent, &["--json", "plan", "rollback", plan_id, "--reason", "the rest of it"]);
    assert_eq!(rest.status.code(), Some(0), "{}{}", stdout(&rest), stderr(&rest));
    let rest = json_of(&rest);
    assert_eq!(rest["status"], "rolled_back", "{rest:#}");
    assert_eq!(rest["summary"]["total"], 1, "only what was left: {rest:#}");
    assert_eq!((before[1].clone(), writes), (plain(&house, 1, MENU), house.writes(0)));
    let over = house.cli(As::Agent, &["--json", "plan", "rollback", plan_id, "--reason", "again"]);
    assert_eq!(over.status.code(), Some(4), "{}", stderr(&over));
}

#[test]
fn what_runs_waits_or_was_changed_since_is_not_rolled_back() {
    let house = House::start(3);
    let params = quick("plan_add_firewall_rule", &telnet(&house, &[0, 1, 2]));
    let added = plan(&house, "plan_add_firewall_rule", &params);
    let back = json!({ "plan_id": added["plan_id"], "reason": "no" });
    assert_eq!(house.refused(As::Agent, "config_rollback_plan", &back), "conflict", "it waits for approval");
    approve(&house, &added);
    // The second router keeps its write waiting; the job runs meanwhile.
    house.fault(1, &json!({ "fault": "hold", "method": "PUT", "times": 1 }));
    let started = house.call(As::Admin, "plan_start", &json!({ "plan_id": added["plan_id"] }));
    let running = house.try_call(As::Agent, "config_rollback_plan", &back).unwrap_err();
    assert_eq!(running["code"], "conflict", "{running}");
    assert_eq!(running["details"]["job_id"], started["job_id"], "it says which job: {running}");
    house.release(1);
    rests(&house, &started["job_id"], "completed");

    let writes: Vec<usize> = (0..3).map(|n| house.writes(n)).collect();
    let id = rule(&house, 2, "no telnet");
    behind_back(&house, 2, &json!({ "menu": MENU, "id": id, "props": { "comment": "mine now" } }));
    let stale = house.mcp_call(As::Agent, "config_rollback_plan", &back).unwrap_err();
    assert_eq!(
        (&stale["code"], &stale["device_id"]),
        (&json!("plan_stale"), &json!(house.device(2))),
        "{stale}"
    );
    assert_eq!(stale["details"]["devices"], json!([{ "device_id": house.device(2), "menu": MENU }]));
    assert_eq!(status_of(&house, &added["plan_id"]), "completed", "it stands as it stood");
    assert_eq!(writes, (0..3).map(|n| house.writes(n)).collect::<Vec<_>>(), "nothing was sent anywhere");
    // What came beside it since is none of its business.
    behind_back(&house, 2, &json!({ "menu": MENU, "id": id, "props": { "comment": "no telnet" } }));
    behind_back(
        &house,
        2,
        &json!({ "menu": MENU, "props": { "chain": "input", "action": "accept", "comment": "by hand" } }),
    );
    let done = house.mcp_call(As::Agent, "config_rollback_plan", &back).unwrap();
    assert_eq!(done["status"], "rolled_back", "{done:#}");
    assert!(rows(&house, 2, MENU).iter().any(|row| row["comment"] == "by hand"));
    assert!(!rows(&house, 2, MENU).iter().any(|row| row["comment"] == "no telnet"));
}

#[test]
fn an_object_tells_who_made_it_what_it_is() {
    let house = House::start(1);
    let device = house.device(0);
    let dns = |servers: &str, session: &str| json!({ "device_id": device, "dns_servers": [servers], "correlation_id": session });
    house.mcp_call(As::Agent, "update_dns_servers", &dns("9.9.9.9", "monday")).unwrap();
    let by_cli =
        house.cli(As::Admin, &["call", "update_dns_servers", "--params", &dns("1.0.0.1", "").to_string()]);
    assert!(by_cli.status.success(), "{}", stderr(&by_cli));
    let shown = house.cli(As::Agent, &["--json", "blame", device, "/ip/dns"]);
    let shown = json_of(&shown);
    let changes = shown["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{shown:#}");
    assert!(
        changes[0]["lines"][0].as_str().unwrap().ends_with("`9.9.9.9` → `1.0.0.1`"),
        "newest first: {shown:#}"
    );
    assert_eq!((&changes[1]["correlation_id"], &changes[1]["client"]), (&json!("monday"), &json!("test 1")));
    assert!(changes[0]["client"].as_str().unwrap().starts_with("appliance-cli/"), "{shown:#}");
    assert!(changes[0]["requested_by"].as_str().unwrap().contains("token:"), "{shown:#}");
    assert_eq!(changes[1]["approved_by"], json!(["policy immediate_writes:lab"]));
    assert!(changes[0]["seq"].as_u64() > changes[1]["seq"].as_u64());
    assert!(changes.iter().all(|change| change["status"] == "applied"));
    // In the older era of the protocol the client names itself once, when its session begins.
    let session = crate::protocol::Client::session(&house, As::Agent);
    session.done("update_dns_servers", &dns("8.8.4.4", "tuesday"));
    let newest = house.call(
        As::Agent,
        "object_history",
        &json!({ "device_id": device, "path": "ip dns", "limit": 1 }),
    );
    assert_eq!(
        (&newest["changes"][0]["client"], &newest["total_count"]),
        (&json!("t 1"), &json!(3)),
        "{newest:#}"
    );
    assert_eq!(newest["next_cursor"], "@1");

    // A record keeps its history when it comes back under another id.
    done(&house, "plan_add_firewall_rule", &telnet(&house, &[0]));
    let first_id = rule(&house, 0, "no telnet");
    let comment = json!({ "device_ids": [device], "rule_id": first_id, "comment": "telnet is over" });
    done(&house, "plan_modify_firewall_rule", &comment);
    let removed =
        done(&house, "plan_remove_firewall_rule", &json!({ "device_ids": [device], "rule_id": first_id }));
    let again = json!({ "plan_id": removed["plan_id"], "reason": "still needed" });
    house.call(As::Agent, "config_rollback_plan", &again);
    let second_id = rule(&house, 0, "telnet is over");
    assert_ne!(first_id, second_id);
    let by_comment = ["--match", "comment=no telnet"];
    for find in [["--id", &first_id], ["--id", &second_id], by_comment] {
        let args = [&["--json", "blame", device, MENU][..], &find].concat();
        let shown = json_of(&house.cli(As::Agent, &args));
        let tools: Vec<&str> =
            shown["changes"].as_array().unwrap().iter().map(|c| c["tool_name"].as_str().unwrap()).collect();
        let all = [
            "config_rollback_plan",
            "plan_remove_firewall_rule",
            "plan_modify_firewall_rule",
            "plan_add_firewall_rule",
        ];
        assert_eq!(tools, all, "{find:?}: {shown:#}");
        assert_eq!(shown["changes"][0]["reverses"], json!([removed["plan_id"]]));
        assert_eq!(shown["changes"][0]["reason"], "still needed");
        assert!(shown["changes"][1]["approved_by"][0].as_str().unwrap().contains("approver"), "{shown:#}");
    }
    let table = stdout(&house.cli(As::Agent, &["blame", device, MENU, "--id", &second_id]));
    assert!(table.contains("approved by") && table.contains("no telnet"), "{table}");
    let other =
        house.call(As::Agent, "object_history", &json!({ "device_id": device, "path": MENU, "id": "*FFFF" }));
    assert_eq!(other["total_count"], 0);
    let none = house.cli(As::Agent, &["blame", device, "/ip/route"]);
    assert!(stdout(&none).contains("nothing of it was changed here"), "{}", stdout(&none));
    for wrong in [
        json!({ "path": "../etc" }),
        json!({ "path": MENU, "id": "ether1" }),
        json!({ "path": MENU, "match": "comment" }),
        json!({ "path": MENU, "id": "*1", "match": "comment=x" }),
        json!({ "path": MENU, "limit": 0 }),
    ] {
        let mut params = wrong.clone();
        params["device_id"] = json!(device);
        assert_eq!(house.refused(As::Agent, "object_history", &params), "invalid_params", "{wrong}");
    }
}

#[test]
fn one_plan_undoes_a_session() {
    let house = House::start(2);
    let (device, other) = (house.device(0), house.device(1));
    let state = || {
        (0..2)
            .map(|n| {
                (
                    plain(&house, n, MENU),
                    house.truth(n, "/ip/dns")["servers"].clone(),
                    house.truth(n, "/system/identity")["name"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    let before = state();
    let with = |params: Value| {
        let mut params = params;
        params["correlation_id"] = json!("friday night");
        params
    };
    let act = |tool: &str, params: Value| house.mcp_call(As::Agent, tool, &with(params)).unwrap();
    act("update_dns_servers", json!({ "device_id": device, "dns_servers": ["9.9.9.9"] }));
    act("set_system_identity", json!({ "device_id": other, "identity": "tower" }));
    // A rule that is added, changed and removed within the session; another one that stays.
    done(&house, "plan_add_firewall_rule", &with(telnet(&house, &[0])));
    let id = rule(&house, 0, "no telnet");
    done(
        &house,
        "plan_modify_firewall_rule",
        &with(json!({ "device_ids": [device], "rule_id": id, "comment": "x" })),
    );
    done(&house, "plan_remove_firewall_rule", &with(json!({ "device_ids": [device], "rule_id": id })));
    done(&house, "plan_add_firewall_rule", &with(telnet(&house, &[0, 1])));
    act("update_dns_servers", json!({ "device_id": device, "dns_servers": ["1.0.0.1"] }));
    // Somebody else's change of something else stays.
    house.call(
        As::Agent,
        "update_ntp_servers",
        &json!({ "device_id": device, "ntp_servers": ["162.159.200.1"] }),
    );
    assert_ne!(before, state());

    let wish = json!({ "correlation": "friday night", "reason": "a bad idea" });
    let agent = house.mcp_call(As::Agent, "plan_undo", &wish).unwrap_err();
    assert_eq!(agent["code"], "not_for_agents", "{agent}");
    assert_eq!(house.refused(As::Approver, "plan_undo", &wish), "role_required");
    // What was changed since is not undone blindly.
    behind_back(&house, 0, &json!({ "menu": "/ip/dns", "props": { "servers": "8.8.4.4" } }));
    let stale = house.try_call(As::Agent, "plan_undo", &wish).unwrap_err();
    assert_eq!(stale["code"], "plan_stale", "{stale}");
    assert_eq!(stale["details"]["devices"], json!([{ "device_id": device, "menu": "/ip/dns" }]));
    behind_back(&house, 0, &json!({ "menu": "/ip/dns", "props": { "servers": "1.0.0.1" } }));

    let args = ["--json", "plan", "undo", "--correlation", "friday night", "--reason", "a bad idea"];
    let proposed = house.cli(As::Agent, &args);
    assert!(proposed.status.success(), "{}", stderr(&proposed));
    let proposed = json_of(&proposed);
    assert_eq!(proposed["reverses"].as_array().unwrap().len(), 7, "{proposed:#}");
    assert_eq!(proposed["not_reversed"], json!([]));
    let start = json!({ "plan_id": proposed["plan_id"] });
    assert_eq!(house.refused(As::Agent, "plan_start", &start), "plan_not_approved");
    approve(&house, &proposed);
    let job = house.call(As::Agent, "plan_start", &start);
    rests(&house, &job["job_id"], "completed");
    assert_eq!(before, state(), "as it was before the session");
    assert_eq!(house.truth(0, "/system/ntp/client")["servers"], "162.159.200.1");
    for plan in proposed["reverses"].as_array().unwrap() {
        assert_eq!(status_of(&house, &plan["plan_id"]), "rolled_back", "{plan}");
    }
    assert_eq!(house.refused(As::Agent, "plan_undo", &wish), "conflict", "nothing is left");
    let unknown = json!({ "correlation": "nobody's", "reason": "x" });
    assert_eq!(house.refused(As::Agent, "plan_undo", &unknown), "not_found");
    for wrong in [
        json!({ "reason": "x" }),
        json!({ "correlation": "a", "plan_id": proposed["plan_id"], "reason": "x" }),
    ] {
        assert_eq!(house.refused(As::Agent, "plan_undo", &wrong), "invalid_params", "{wrong}");
    }
}

#[test]
fn what_has_no_undo_is_told_and_an_older_plan_is_undone_with_a_persons_approval() {
    let house = House::start(1);
    let device = house.device(0);
    let with = |params: Value| {
        let mut params = params;
        params["device_id"] = json!(device);
        params["correlation_id"] = json!("s");
        params
    };
    let before = house.truth(0, "/ip/dns")["servers"].clone();
    let flushed = house.call(As::Agent, "flush_dns_cache", &with(json!({})));
    let changed = house.call(As::Agent, "update_dns_servers", &with(json!({ "dns_servers": ["9.9.9.9"] })));
    let proposed = house.call(As::Agent, "plan_undo", &json!({ "correlation": "s", "reason": "x" }));
    let ids = |list: &str| -> Vec<Value> {
        proposed[list].as_array().unwrap().iter().map(|plan| plan["plan_id"].clone()).collect()
    };
    assert_eq!(ids("reverses"), [changed["plan_id"].clone()], "{proposed:#}");
    assert_eq!(ids("not_reversed"), [flushed["plan_id"].clone()], "{proposed:#}");
    assert!(proposed["not_reversed"][0]["why"].as_str().unwrap().contains("no undo"));
    let rollback = json!({ "plan_id": flushed["plan_id"], "reason": "x" });
    assert_eq!(house.refused(As::Agent, "config_rollback_plan", &rollback), "conflict");

    let text = house
        .cli(As::Agent, &["plan", "undo", "--plan", changed["plan_id"].as_str().unwrap(), "--reason", "x"]);
    assert!(text.status.success() && stdout(&text).contains("reverses, newest first"), "{}", stderr(&text));
    approve(&house, &proposed);
    let job = house.call(As::Agent, "plan_start", &json!({ "plan_id": proposed["plan_id"] }));
    rests(&house, &job["job_id"], "completed");
    assert_eq!(house.truth(0, "/ip/dns")["servers"], before);
    let both = house.cli(As::Agent, &["plan", "undo", "--reason", "x"]);
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
}
