//! People: the queue, two approvers, and each refusal with its own word and way forward.

use serde_json::{Value, json};

use crate::{
    approval::{api, approver, cli, events, refused, risky, route, with_token, yes},
    house::{As, House, json_of, stderr, stdout},
    topics,
};

fn queue(house: &House, who: As) -> Vec<Value> {
    let reply = house.http(who, "GET", "/api/approvals", None);
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.body["total_count"], reply.body["approvals"].as_array().unwrap().len());
    reply.body["approvals"].as_array().unwrap().clone()
}

#[test]
fn high_risk_waits_first_in_the_queue_and_needs_two_people() {
    let settings = [("APPROVAL__TWO_APPROVERS_FOR_HIGH_RISK", "true")];
    let house = House::start_set(2, &[], &settings);
    let low = route(&house, 0, 71);
    let high = risky(&house, 1);
    let waiting = queue(&house, As::Agent);
    assert_eq!((&waiting[0]["plan_id"], &waiting[1]["plan_id"]), (&high["plan_id"], &low["plan_id"]));
    let row = &waiting[0];
    assert_eq!(
        (&row["risk_level"], &row["approvals"], &row["approvals_needed"]),
        (&json!("high"), &json!(0), &json!(2))
    );
    assert_eq!((&row["device_ids"], &row["plan_hash"]), (&json!([house.device(1)]), &high["plan_hash"]));
    assert!(row["created_by"].as_str().unwrap().contains("demo agent"), "{row}");
    assert!(row["age_s"].as_i64().unwrap() < 3600 && row["expires_in_s"].as_i64().unwrap() > 82_800, "{row}");
    assert!(!row["risk_reasons"].as_array().unwrap().is_empty(), "{row}");
    assert_eq!((&row["may_approve"], &row["why_not"]["code"]), (&json!(false), &json!("role_required")));
    assert_eq!(queue(&house, As::Approver)[0]["may_approve"], true);
    assert!(!row.to_string().contains(high["approval_token"].as_str().unwrap()), "no token in the queue");

    let path = |what: &str| format!("/api/plans/{}/{what}", high["plan_id"].as_str().unwrap());
    let hash = json!({ "plan_hash": high["plan_hash"], "comment": "looked at it" });
    let first = house.http(As::Approver, "POST", &path("approve"), Some(&hash));
    let said = (&first.body["status"], &first.body["approvals"], &first.body["approvals_needed"]);
    assert_eq!(said, (&json!("pending"), &json!(1), &json!(2)), "{}", first.text);
    assert!(first.body["next_step"].as_str().unwrap().contains("1 of 2"), "{}", first.text);
    let early = house.try_call(As::Agent, "apply_dhcp_plan", &with_token(&high)).unwrap_err();
    assert_eq!(early["code"], "plan_not_approved", "{early}");
    assert!(early["message"].as_str().unwrap().contains("1 of 2") && early["hint"].is_string(), "{early}");
    let again = house.try_call(As::Approver, "plan_approve", &yes(&high)).unwrap_err();
    assert_eq!(again["code"], "plan_already_approved", "{again}");
    assert!(again["hint"].as_str().unwrap().contains("another named approver"), "{again}");
    // The same person with another token is the same person.
    let twin = approver(&house, " Demo APPROVER ");
    assert_eq!(refused(&house, &twin, "plan_approve", &yes(&high))["code"], "plan_already_approved");
    let mine = json_of(&cli(&house, &twin, &["--json", "plan", "queue", "--mine"]));
    assert_eq!(
        (&mine["total_count"], &mine["approvals"][0]["plan_id"]),
        (&json!(1), &low["plan_id"]),
        "{mine}"
    );

    let bob = approver(&house, "bob");
    let id = high["plan_id"].as_str().unwrap();
    let shown = stdout(&cli(&house, &bob, &["plan", "queue"]));
    assert!(shown.contains("1 of 2") && shown.contains("may approve"), "{shown}");
    let approved = cli(&house, &bob, &["plan", "approve", id, "--hash", high["plan_hash"].as_str().unwrap()]);
    assert!(approved.status.success() && stdout(&approved).contains("plan start"), "{}", stderr(&approved));
    assert_eq!(queue(&house, As::Approver).len(), 1, "what is approved waits no more");
    let done = topics::apply(&house, "apply_dhcp_plan", &high).unwrap();
    assert_eq!(done["status"], "completed", "{done}");
    let details = house.call(As::Agent, "plan_details", &json!({ "plan_id": id }));
    let by = details["approved_by"].as_str().unwrap();
    assert!(by.contains("demo approver") && by.contains("bob"), "{details}");
    assert_eq!(details["approvals"].as_array().unwrap().len(), 2, "{details}");
    assert_eq!(
        (&details["approvals_needed"], &details["auto_approved"]),
        (&json!(2), &json!(false)),
        "{details}"
    );
}

#[test]
fn each_reason_not_to_accept_an_approval_has_its_own_word_and_way_forward() {
    let house = House::start(1);
    let told = |failure: &Value, code: &str| {
        assert_eq!(failure["code"], code, "{failure}");
        assert!(failure["hint"].as_str().is_some_and(|hint| hint.len() > 10), "{code}: no hint: {failure}");
    };
    let alice = approver(&house, "alice");
    let plan = route(&house, 0, 72);
    told(&house.try_call(As::Agent, "plan_approve", &yes(&plan)).unwrap_err(), "role_required");
    let own = approver(&house, "demo agent");
    told(&refused(&house, &own, "plan_approve", &yes(&plan)), "self_approval");
    let mut wrong = yes(&plan);
    wrong["plan_hash"] = json!("0".repeat(64));
    assert_eq!(refused(&house, &alice, "plan_approve", &wrong)["code"], "plan_hash_mismatch");
    told(
        &house.try_call(As::Agent, "apply_routing_plan", &with_token(&plan)).unwrap_err(),
        "plan_not_approved",
    );

    // Rejected, before and after its approval.
    let second = route(&house, 0, 73);
    house.call(As::Approver, "plan_approve", &yes(&second));
    for rejected in [&plan, &second] {
        let path = format!("/api/plans/{}/reject", rejected["plan_id"].as_str().unwrap());
        assert_eq!(
            api(&house, &alice, "POST", &path, &json!({})).body["code"],
            "invalid_params",
            "a reason is due"
        );
        let reply = api(&house, &alice, "POST", &path, &json!({ "comment": "not today" }));
        assert_eq!(reply.body["status"], "rejected", "{}", reply.text);
        told(&refused(&house, &alice, "plan_approve", &yes(rejected)), "plan_rejected");
        told(
            &house.try_call(As::Agent, "apply_routing_plan", &with_token(rejected)).unwrap_err(),
            "plan_rejected",
        );
    }
    let id = plan["plan_id"].as_str().unwrap();
    let log = stdout(&house.cli(As::Admin, &["--json", "events", "list", "--plan", id]));
    assert!(log.contains("not today") && log.contains("alice"), "{log}");

    // Another plan's token, then its own; then the plan is consumed.
    let (third, fourth) = (route(&house, 0, 74), route(&house, 0, 75));
    house.call(As::Approver, "plan_approve", &yes(&third));
    told(&house.try_call(As::Approver, "plan_approve", &yes(&third)).unwrap_err(), "plan_already_approved");
    let crossed = json!({ "plan_id": third["plan_id"], "approval_token": fourth["approval_token"] });
    told(&house.try_call(As::Agent, "apply_routing_plan", &crossed).unwrap_err(), "approval_token_invalid");
    let done = topics::apply(&house, "apply_routing_plan", &third).unwrap();
    for failure in [
        topics::apply(&house, "apply_routing_plan", &third).unwrap_err(),
        refused(&house, &alice, "plan_approve", &yes(&third)),
        refused(&house, &alice, "plan_reject", &json!({ "plan_id": third["plan_id"], "comment": "late" })),
    ] {
        told(&failure, "plan_already_started");
        assert_eq!(failure["details"]["job_id"], done["job_id"], "{failure}");
    }

    // A router that changed since.
    house.call(As::Approver, "plan_approve", &yes(&fourth));
    let other = json!({ "dst-address": "10.75.0.0/16", "gateway": "192.0.2.1", "distance": "1" });
    let at = format!("/boxes/{}/behind-back", house.box_of(0));
    house.control("POST", &at, Some(&json!({ "menu": "/ip/route", "props": other })));
    assert_eq!(topics::apply(&house, "apply_routing_plan", &fourth).unwrap_err()["code"], "plan_stale");
    told(&topics::apply(&house, "apply_routing_plan", &fourth).unwrap_err(), "plan_stale");
    told(&refused(&house, &alice, "plan_approve", &yes(&fourth)), "plan_stale");
}

#[test]
fn no_agent_approves_whatever_its_token_and_it_is_on_record() {
    let house = House::start(1);
    let plan = route(&house, 0, 76);
    for (n, who) in [As::Agent, As::Approver, As::Admin].into_iter().enumerate() {
        let mut params = yes(&plan);
        params["correlation_id"] = json!(format!("agent {n}"));
        let failure = house.mcp_call(who, "plan_approve", &params).unwrap_err();
        assert_eq!(failure["code"], "not_for_agents", "{failure}");
    }
    house.until("three denials on record", || {
        let denied = events(&house, "ToolDenied");
        let ours = denied.iter().filter(|event| event["fact"]["tool"] == "plan_approve");
        (ours.filter(|event| event["fact"]["code"] == "not_for_agents").count() == 3).then_some(())
    });
    assert_eq!(
        house.call(As::Agent, "plan_details", &json!({ "plan_id": plan["plan_id"] }))["status"],
        "pending"
    );
}
