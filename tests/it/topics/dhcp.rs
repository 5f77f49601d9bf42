//! DHCP pools, with their networks and servers.

use serde_json::{Value, json};

use super::{apply, approve, carried_out, level, lied_to, plain, plan, rows, undone};
use crate::{
    catalogue::stage::RELEASES,
    house::{As, House},
};

const POOL: &str = "/ip/pool";
const NETWORK: &str = "/ip/dhcp-server/network";
const SERVER: &str = "/ip/dhcp-server";
const LEASE: &str = "/ip/dhcp-server/lease";
const MENUS: [&str; 4] = [POOL, NETWORK, SERVER, LEASE];
const APPLY: &str = "apply_dhcp_plan";

/// As if somebody sat at the router's console.
fn by_hand(house: &House, n: usize, menu: &str, props: &Value) {
    let before = rows(house, n, menu).len();
    let body = json!({ "menu": menu, "props": props });
    house.control("POST", &format!("/boxes/{}/behind-back", house.box_of(n)), Some(&body));
    assert_eq!(rows(house, n, menu).len(), before + 1, "{menu} {props}");
}

/// A guests' bridge with an address, where a server can work.
fn with_guests(house: &House, n: usize) {
    by_hand(house, n, "/interface/bridge", &json!({ "name": "guests lan" }));
    by_hand(house, n, "/ip/address", &json!({ "address": "172.16.7.1/24", "interface": "guests lan" }));
}

/// A pool for guests, whole.
fn guests(house: &House, n: usize) -> Value {
    json!({
        "device_ids": [house.device(n)], "pool_name": "guests", "address_range": "172.16.7.10-172.16.7.99",
        "gateway": "172.16.7.1", "dns_servers": ["9.9.9.9", "172.16.7.1"], "interface": "guests lan",
    })
}

/// The id of the pool with a name, as agents learn it.
fn pool(house: &House, n: usize, name: &str) -> Value {
    let status = house.call(As::Agent, "get_dhcp_server_status", &json!({ "device_id": house.device(n) }));
    let pools = status["pools"].as_array().unwrap();
    pools.iter().find(|pool| pool["name"] == name).unwrap_or_else(|| panic!("no {name}: {status}"))["id"]
        .clone()
}

/// The router's own net `a.b.c` that the demo's pool is of.
fn net(house: &House, n: usize) -> String {
    let ranges = rows(house, n, POOL)[0]["ranges"].as_str().unwrap().to_owned();
    ranges.split('-').next().unwrap().rsplit_once('.').unwrap().0.to_owned()
}

fn last(house: &House, n: usize, menu: &str) -> Value {
    rows(house, n, menu).pop().unwrap()
}

#[test]
fn a_pool_is_made_changed_and_removed_on_every_release() {
    let house = House::start(12);
    for (release, n) in RELEASES {
        let allow =
            json!({ "device_id": house.device(n), "allow": ["professional_workflows", "dhcp_writes"] });
        house.call(As::Admin, "device_edit", &allow);
        with_guests(&house, n);
        let before: Vec<_> = MENUS.iter().map(|menu| plain(&house, n, menu)).collect();
        let writes = house.writes(n);
        let made = carried_out(&house, "plan_create_dhcp_pool", &guests(&house, n), APPLY);
        assert_eq!(
            (&made["risk_level"], house.writes(n)),
            (&json!("medium"), writes + 3),
            "{release}: {made}"
        );
        let (network, server) = (last(&house, n, NETWORK), last(&house, n, SERVER));
        assert_eq!(last(&house, n, POOL)["ranges"], "172.16.7.10-172.16.7.99", "{release}");
        assert_eq!(network["address"], "172.16.7.0/24", "{release}");
        assert_eq!(
            (&network["gateway"], &network["dns-server"]),
            (&json!("172.16.7.1"), &json!("9.9.9.9,172.16.7.1"))
        );
        assert_eq!((&server["interface"], &server["address-pool"]), (&json!("guests lan"), &json!("guests")));
        assert_ne!(server["disabled"], "true");
        // The same again is so already.
        let again = house.call(As::Agent, "plan_create_dhcp_pool", &guests(&house, n));
        assert_eq!(
            (&again["plan_id"], &again["unchanged"]),
            (&Value::Null, &json!([house.device(n)])),
            "{again}"
        );

        let change = json!({
            "device_ids": [house.device(n)], "pool_id": pool(&house, n, "guests"),
            "modifications": { "address_range": "172.16.7.50-172.16.7.149", "gateway": "172.16.7.2",
                               "dns_servers": [], "lease_time": 5400 },
        });
        carried_out(&house, "plan_modify_dhcp_pool", &change, APPLY);
        assert_eq!(last(&house, n, POOL)["ranges"], "172.16.7.50-172.16.7.149", "{release}");
        let network = last(&house, n, NETWORK);
        assert_eq!(
            (&network["gateway"], &network["dns-server"]),
            (&json!("172.16.7.2"), &json!("")),
            "{release}"
        );
        assert_eq!(last(&house, n, SERVER)["lease-time"], "1h30m", "{release}");

        let removal = json!({ "device_ids": [house.device(n)], "pool_id": pool(&house, n, "guests") });
        let removed = carried_out(&house, "plan_remove_dhcp_pool", &removal, APPLY);
        assert_eq!(removed["risk_level"], "high", "{release}: {removed}");
        let after: Vec<_> = MENUS.iter().map(|menu| plain(&house, n, menu)).collect();
        assert_eq!(before, after, "{release}: nothing is left");
    }
}

#[test]
fn a_server_that_knows_its_clients_stays_without_the_pool() {
    let house = House::start(1);
    let name = rows(&house, 0, POOL)[0]["name"].as_str().unwrap().to_owned();
    let removal = json!({ "device_ids": [house.device(0)], "pool_id": pool(&house, 0, &name) });
    let leases = plain(&house, 0, LEASE);
    let networks = plain(&house, 0, NETWORK);
    let removed = carried_out(&house, "plan_remove_dhcp_pool", &removal, APPLY);
    let reasons = removed["devices"][0]["reasons"].to_string();
    assert!(
        reasons.contains("active leases of this pool: 1") && reasons.contains("static leases"),
        "{reasons}"
    );
    assert!(rows(&house, 0, POOL).is_empty());
    assert_eq!(rows(&house, 0, SERVER)[0]["address-pool"], "static-only");
    assert_eq!(
        (plain(&house, 0, LEASE), plain(&house, 0, NETWORK)),
        (leases, networks),
        "clients keep theirs"
    );
}

#[test]
fn every_change_of_a_pool_is_undone_to_the_letter() {
    let house = House::start(2);
    for n in [0, 1] {
        with_guests(&house, n);
    }
    undone(&house, "plan_create_dhcp_pool", &guests(&house, 0), APPLY, &MENUS);
    level(&house, [0, 1], POOL, &json!({ "name": "spare", "ranges": "172.31.9.1-172.31.9.9" }));
    for n in [0, 1] {
        carried_out(&house, "plan_create_dhcp_pool", &guests(&house, n), APPLY);
    }
    let id = pool(&house, 0, "guests");
    assert_eq!(id, pool(&house, 1, "guests"));
    let change = json!({ "pool_id": id, "modifications": {
        "address_range": "172.16.7.50-172.16.7.149", "gateway": "", "dns_servers": ["1.1.1.1"], "lease_time": 600 } });
    undone(&house, "plan_modify_dhcp_pool", &change, APPLY, &MENUS);
    // Server, network and pool, and back.
    undone(&house, "plan_remove_dhcp_pool", &json!({ "pool_id": id }), APPLY, &MENUS);
    // A server that stays, and back: the undo names the pool that was put back.
    let first = rows(&house, 0, POOL)[0][".id"].clone();
    undone(&house, "plan_remove_dhcp_pool", &json!({ "pool_id": first }), APPLY, &MENUS);
    let left = rows(&house, 0, SERVER);
    assert!(left.iter().all(|server| !server["address-pool"].as_str().unwrap().starts_with('*')), "{left:?}");
}

#[test]
fn a_router_that_refuses_in_the_middle_is_put_back() {
    let house = House::start(1);
    with_guests(&house, 0);
    let before: Vec<_> = MENUS.iter().map(|menu| plain(&house, 0, menu)).collect();
    let made = plan(&house, "plan_create_dhcp_pool", &guests(&house, 0));
    approve(&house, &made);
    // Somebody took the interface meanwhile: the pool and the network are added before that is seen.
    by_hand(&house, 0, SERVER, &json!({ "name": "x", "interface": "guests lan" }));
    let failure = apply(&house, APPLY, &made).unwrap_err();
    assert_eq!(failure["details"]["job_status"], "rolled_back", "{failure}");
    let after: Vec<_> = [POOL, NETWORK, LEASE].iter().map(|menu| plain(&house, 0, menu)).collect();
    assert_eq!(after, [before[0].clone(), before[1].clone(), before[3].clone()]);
}

#[test]
fn a_router_that_lies_ends_as_what_it_really_is() {
    let house = House::start(1);
    let alone = json!({ "pool_name": "spare", "address_range": "172.16.8.10-172.16.8.99" });
    lied_to(&house, "plan_create_dhcp_pool", &alone, APPLY, POOL);
    let spare = pool(&house, 0, "spare");
    let range = json!({ "address_range": "172.16.8.10-172.16.8.50" });
    let change = json!({ "pool_id": spare, "modifications": range });
    lied_to(&house, "plan_modify_dhcp_pool", &change, APPLY, POOL);
    lied_to(&house, "plan_remove_dhcp_pool", &json!({ "pool_id": spare }), APPLY, POOL);
}

#[test]
fn a_lost_answer_to_an_add_adds_one_record() {
    let house = House::start(1);
    with_guests(&house, 0);
    for fault in ["drop_answer_after_apply", "drop_before_apply"] {
        let wrote = house.writes(0);
        let made = plan(&house, "plan_create_dhcp_pool", &guests(&house, 0));
        approve(&house, &made);
        house.fault(
            0,
            &json!({ "fault": fault, "method": "PUT", "path_prefix": "/rest/ip/dhcp-server", "times": 1 }),
        );
        apply(&house, APPLY, &made).unwrap_or_else(|failure| panic!("{fault}: {failure}"));
        assert_eq!((house.writes(0), rows(&house, 0, NETWORK).len()), (wrote + 3, 2), "{fault}");
        let removal = json!({ "device_ids": [house.device(0)], "pool_id": pool(&house, 0, "guests") });
        carried_out(&house, "plan_remove_dhcp_pool", &removal, APPLY);
    }
}

#[test]
fn a_pool_that_came_since_makes_the_plan_stale() {
    let house = House::start(1);
    let wanted = json!({ "device_ids": [house.device(0)], "pool_name": "guests",
        "address_range": "172.16.7.10-172.16.7.99" });
    let made = plan(&house, "plan_create_dhcp_pool", &wanted);
    approve(&house, &made);
    by_hand(&house, 0, POOL, &json!({ "name": "others", "ranges": "172.16.7.50-172.16.7.60" }));
    let before = plain(&house, 0, POOL);
    assert_eq!(apply(&house, APPLY, &made).unwrap_err()["code"], "plan_stale");
    assert_eq!(plain(&house, 0, POOL), before);
}

/// A refusal with its code and a word of what it says.
fn refused(house: &House, tool: &str, base: &Value, more: &Value, code: &str, says: &str) {
    let mut params = base.clone();
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let failure = house.try_call(As::Agent, tool, &params).expect_err(&params.to_string());
    assert_eq!(failure["code"], code, "{params}: {failure}");
    assert!(failure.to_string().contains(says), "{params} says {says}: {failure}");
}

#[test]
fn what_overlaps_or_cannot_work_is_refused_by_its_field() {
    let house = House::start(1);
    with_guests(&house, 0);
    let net = net(&house, 0);
    let create = |more: Value, code: &str, says: &str| {
        refused(&house, "plan_create_dhcp_pool", &guests(&house, 0), &more, code, says);
    };
    create(json!({ "address_range": format!("{net}.150-{net}.220") }), "invalid_params", "overlaps pool");
    create(json!({ "address_range": "172.16.7.1-172.16.7.99" }), "invalid_params", "router's own address");
    create(json!({ "address_range": "172.16.7.99-172.16.7.10" }), "invalid_params", "address_range");
    create(json!({ "address_range": "2001:db8::1-2001:db8::9" }), "invalid_params", "address_range");
    create(json!({ "address_range": "10.0.0.1-10.9.0.1" }), "invalid_params", "at most 65536");
    create(json!({ "gateway": "172.16.8.1" }), "invalid_params", "`gateway`");
    create(json!({ "gateway": "172.16.7.20" }), "invalid_params", "in a pool");
    create(json!({ "dns_servers": ["dns.example"] }), "invalid_params", "`dns_servers`");
    create(json!({ "network": "172.16.7.0/26" }), "invalid_params", "`network`");
    create(json!({ "interface": "nowhere" }), "not_found", "list_interfaces");
    create(json!({ "interface": "bridge" }), "invalid_params", "has DHCP server");
    let port = rows(&house, 0, "/interface/bridge/port")[0]["interface"].clone();
    create(json!({ "interface": port }), "invalid_params", "port of a bridge");
    create(json!({ "pool_name": "static-only" }), "invalid_params", "`pool_name`");

    let first = rows(&house, 0, POOL)[0].clone();
    create(json!({ "pool_name": first["name"] }), "invalid_params", "plan_modify_dhcp_pool");
    let base = json!({ "device_ids": [house.device(0)], "pool_id": first[".id"] });
    let modify = |change: Value, code: &str, says: &str| {
        refused(&house, "plan_modify_dhcp_pool", &base, &json!({ "modifications": change }), code, says);
    };
    modify(json!({}), "invalid_params", "at least one");
    modify(
        json!({ "address_range": "172.16.7.10-172.16.7.99" }),
        "invalid_params",
        "leaves the DHCP network",
    );
    modify(json!({ "address_range": format!("{net}.1-{net}.9") }), "invalid_params", "router's own");
    modify(json!({ "gateway": format!("{net}.150") }), "invalid_params", "in a pool");
    modify(json!({ "lease_time": 5 }), "invalid_params", "lease_time");
    assert_eq!(house.writes(0), 0, "nothing was sent");
}

#[test]
fn a_pool_that_others_use_is_not_removed() {
    let house = House::start(1);
    let first = rows(&house, 0, POOL)[0].clone();
    let base = json!({ "device_ids": [house.device(0)], "pool_id": first[".id"] });
    // Somebody's tunnel has an address of it.
    let used =
        json!([{ ".id": "*1", "pool": first["name"], "address": "10.0.0.1", "owner": "PPP", "info": "x" }]);
    house.fault(
        0,
        &json!({ "fault": "status", "status": 200, "body": used.to_string(), "method": "GET",
                 "path_prefix": "/rest/ip/pool/used", "times": 1 }),
    );
    let tool = "plan_remove_dhcp_pool";
    refused(&house, tool, &base, &json!({}), "unsafe_operation", "other than DHCP: 1");
    let next = json!({ "name": "more", "ranges": "172.16.9.1-172.16.9.9", "next-pool": first["name"] });
    by_hand(&house, 0, POOL, &next);
    refused(&house, tool, &base, &json!({}), "unsafe_operation", "next-pool");
    refused(&house, tool, &base, &json!({ "pool_id": "*77" }), "not_found", "pool_id");
}

#[test]
fn pools_of_production_and_of_devices_that_do_not_allow_it_are_left_alone() {
    let house = House::start(10);
    let prod = house.device(9);
    let wanted =
        json!({ "device_ids": [prod], "pool_name": "guests", "address_range": "172.16.7.10-172.16.7.99" });
    assert_eq!(house.refused(As::Agent, "plan_create_dhcp_pool", &wanted), "capability_missing");
    let allow = json!({ "device_id": prod, "allow": ["professional_workflows", "dhcp_writes"] });
    house.call(As::Admin, "device_edit", &allow);
    assert_eq!(house.refused(As::Agent, "plan_create_dhcp_pool", &wanted), "environment_denied");
    assert_eq!(house.writes(9), 0);
    // A plan of another topic is not started here.
    let rule =
        json!({ "device_ids": [house.device(0)], "chain": "forward", "action": "drop", "protocol": "gre" });
    let rule = plan(&house, "plan_add_firewall_rule", &rule);
    approve(&house, &rule);
    assert_eq!(apply(&house, APPLY, &rule).unwrap_err()["code"], "invalid_params");
}
