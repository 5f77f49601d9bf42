//! Long lists are shown whole, and tables of devices are taken in whole or not at all.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use serde_json::{Value, json};

use crate::{
    house::{As, House, json_of, stderr, stdout},
    lone::{Lone, Routers, failure_of},
};

const MANY: usize = 600;

fn ids(answer: &Value, rows: &str, id: &str) -> BTreeSet<String> {
    answer[rows].as_array().unwrap().iter().map(|row| row[id].as_str().unwrap().to_owned()).collect()
}

#[test]
fn six_hundred_devices_are_imported_and_listed() {
    let lone = Lone::new();
    let file = lone.folder.path().join("devices.csv");
    let mut table = String::from("device_id,address,name,port,environment,tags,allow\n");
    for n in 0..MANY {
        let (high, low) = (n / 250, n % 250 + 1);
        writeln!(
            table,
            "router-{n:04},10.9.{high}.{low},\"A rather long name for router number {n:04}\",8443,lab,site=s{n};role=edge,advanced_writes"
        )
        .unwrap();
    }
    fs::write(&file, &table).unwrap();
    let path = file.to_str().unwrap();
    let preview = lone.run(&["--json", "device", "import", "csv", path]);
    assert_eq!(preview.status.code(), Some(0), "{}", stderr(&preview));
    let said = json_of(&preview);
    assert_eq!(
        (&said["done"], &said["added"], &said["refused"]),
        (&json!(false), &json!(0), &json!(0)),
        "{said}"
    );
    assert_eq!(said["rows"].as_array().unwrap().len(), MANY);
    assert_eq!(ids(&json_of(&lone.run(&["--json", "device", "list"])), "devices", "id").len(), 0);

    let done = lone.run(&["--json", "device", "import", "csv", path, "--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert_eq!(json_of(&done)["added"], MANY, "{}", stdout(&done));
    let listed = json_of(&lone.run(&["--json", "device", "list"]));
    assert_eq!(ids(&listed, "devices", "id").len(), MANY);
    assert_eq!(listed["total_count"], MANY);
    assert!(listed["next_cursor"].is_null());
    let table = stdout(&lone.run(&["device", "list"]));
    assert_eq!(table.lines().filter(|line| line.contains("router-")).count(), MANY);
    // Through a daemon too; and every row is there already now, the last as well as the first.
    let _daemon = lone.serve();
    assert_eq!(ids(&json_of(&lone.run(&["--json", "device", "list"])), "devices", "id").len(), MANY);
    let again = lone.run(&["--json", "device", "import", "csv", path]);
    assert_eq!(again.status.code(), Some(4), "{}", stderr(&again));
    assert_eq!(json_of(&again)["refused"], MANY);
}

#[test]
fn plans_jobs_tokens_and_events_are_listed_beyond_a_page() {
    let house = House::start(1);
    let device = house.device(0);
    for n in 0..60 {
        let servers = json!([format!("9.9.9.{}", n + 1)]);
        house.call(As::Agent, "update_dns_servers", &json!({ "device_id": device, "dns_servers": servers }));
    }
    for n in 0..210 {
        let params =
            json!({ "label": format!("t{n}"), "role": "read_only", "environments": [], "device_scopes": [] });
        house.call(As::Admin, "token_create", &params);
    }
    let list = |args: &[&str]| json_of(&house.cli(As::Admin, &[&["--json"], args].concat()));
    assert_eq!(ids(&list(&["plan", "list"]), "plans", "plan_id").len(), 60);
    assert_eq!(ids(&list(&["job", "list"]), "jobs", "job_id").len(), 60);
    assert!(ids(&list(&["token", "list"]), "tokens", "token_id").len() > 210);
    let seqs = |answer: &Value| -> BTreeSet<u64> {
        answer["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    let all = list(&["events", "list", "--all"]);
    let oldest = *seqs(&all).first().unwrap();
    assert!(seqs(&all).len() > 500 && oldest == 1, "{} from {oldest}", seqs(&all).len());
    assert_eq!(seqs(&list(&["events", "list", "--limit", "300"])).len(), 300);
    assert_eq!(seqs(&list(&["events", "list"])).len(), 50);
    let limited = house.cli(As::Admin, &["events", "list", "--limit", "3"]);
    assert!(stderr(&limited).contains("--limit"), "says that there is more: {}", stderr(&limited));
    assert_eq!(list(&["plan", "list", "--limit", "7"])["plans"].as_array().unwrap().len(), 7);
    let by_tool = list(&["events", "list", "--tool", "token_create", "--limit", "500"]);
    assert_eq!(seqs(&by_tool).len(), 213, "three of the demo's own");
}

#[test]
fn a_preview_refuses_what_the_import_would_refuse() {
    let lone = Lone::new();
    let routers = Routers::start(1);
    lone.add(&routers, 0, "known", "lab");
    let (ip, port) = routers.address(0);
    let file = lone.folder.path().join("devices.csv");
    let path = file.to_str().unwrap();
    let rows = [
        ("good,10.0.0.1,,443,lab,,", ""),
        ("known,10.0.0.2,,443,lab,,", "known"),
        ("good,10.0.0.3,,443,lab,,", "line 2"),
        ("other,10.0.0.4,good,443,lab,,", "line 2"),
        ("same-place,10.0.0.1,,443,lab,,", "10.0.0.1:443"),
        (&format!("taken,{ip},,{port},lab,,"), "known"),
        ("Bad Id,10.0.0.5,,443,lab,,", "device_id"),
        ("r7,300.0.0.1,,443,lab,,", "management_ip"),
        ("r8,router.example,,443,lab,,", "management_ip"),
        ("r9,10.0.0.9,,0,lab,,", "management_port"),
        ("r10,10.0.0.10,,70000,lab,,", "port"),
        ("r11,10.0.0.11,,443,production,,", "environment"),
        ("r12,10.0.0.12,,443,,,", "environment"),
        ("r13,10.0.0.13,,443,lab,novalue,", "tag"),
        ("r14,10.0.0.14,,443,lab,,everything", "allow"),
        ("r15,224.0.0.1,,443,lab,,", "224.0.0.1"),
        ("r16,169.254.1.1,,443,lab,,", "169.254.1.1"),
        ("r17,10.0.0.17,known,443,lab,,", "known"),
        ("r18,10.0.0.18", "fields"),
        ("r19,10.0.0.19,\"two\nlines\",443,lab,,", "name"),
        ("last,10.0.0.20,,443,lab,,", ""),
    ];
    let table = rows
        .iter()
        .fold("device_id,address,name,port,environment,tags,allow\n".to_owned(), |text, (row, _)| {
            text + row + "\n"
        });
    fs::write(&file, &table).unwrap();
    let before = json_of(&lone.run(&["--json", "replay"]))["devices"].clone();
    let preview = lone.run(&["--json", "device", "import", "csv", path]);
    assert_eq!(preview.status.code(), Some(4), "{}", stderr(&preview));
    let said = json_of(&preview);
    let reported = said["rows"].as_array().unwrap();
    assert_eq!(reported.len(), rows.len(), "{said}");
    let mut line = 2;
    for (row, (text, why)) in reported.iter().zip(&rows) {
        assert_eq!(row["line"], line, "{row}");
        line += text.lines().count();
        let expected = if why.is_empty() { "would be added" } else { "refused" };
        assert_eq!(row["result"], expected, "{text}: {row}");
        assert!(row["why"].as_str().unwrap().contains(why), "{text} names {why}: {row}");
    }
    // All or nothing, unless asked.
    let refused = lone.run(&["--json", "device", "import", "csv", path, "--yes"]);
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    assert_eq!(json_of(&lone.run(&["--json", "replay"]))["devices"], before, "nothing was added");
    let partial = lone.run(&["--json", "device", "import", "csv", path, "--yes", "--skip-refused"]);
    assert_eq!(partial.status.code(), Some(5), "{}", stderr(&partial));
    let said = json_of(&partial);
    assert_eq!((&said["added"], &said["refused"]), (&json!(2), &json!(rows.len() - 2)), "{said}");
    let listed = ids(&json_of(&lone.run(&["--json", "device", "list"])), "devices", "id");
    assert_eq!(listed, ["good", "known", "last"].map(str::to_owned).into());
}

#[test]
fn tables_that_are_none_are_refused_before_anything() {
    let lone = Lone::new();
    let file = lone.folder.path().join("devices.csv");
    let path = file.to_str().unwrap();
    for (text, named) in [
        (&b""[..], "no rows"),
        (b"device_id,address\n", "no rows"),
        (b"device_id\nr1\n", "address"),
        (b"device_id,address,password\nr1,10.0.0.1,secret\n", "password"),
        (b"device_id,address,address\nr1,10.0.0.1,x\n", "twice"),
        (b"device_id;address\nr1;10.0.0.1\n", "commas"),
        (b"device_id,address\nr1,\xff\n", "UTF-8"),
    ] {
        fs::write(&file, text).unwrap();
        let refused = lone.run(&["--json", "device", "import", "csv", path, "--yes"]);
        let shown = String::from_utf8_lossy(text);
        assert_eq!(refused.status.code(), Some(2), "{shown}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(named), "{shown} names {named}: {}", stderr(&refused));
        assert!(!stderr(&refused).contains("secret"), "{}", stderr(&refused));
    }
    let missing = lone.run(&["--json", "device", "import", "csv", "/nonexistent.csv"]);
    assert_eq!(missing.status.code(), Some(3), "{}", stderr(&missing));
    // One environment and one login for all, and a byte order mark at the start.
    let password = lone.folder.path().join("password");
    fs::write(&password, "ro-secret\n").unwrap();
    fs::write(&file, "\u{feff}device_id,address\nr1, 10.0.0.1 \n").unwrap();
    let done = lone.run(&[
        "--json",
        "device",
        "import",
        "csv",
        path,
        "--yes",
        "--environment",
        "prod",
        "--username",
        "appliance-ro",
        "--password-file",
        password.to_str().unwrap(),
    ]);
    assert_eq!(done.status.code(), Some(0), "{} {}", stdout(&done), stderr(&done));
    let shown = json_of(&lone.run(&["--json", "device", "show", "r1"]));
    assert_eq!(
        (&shown["environment"], &shown["logins"]["read"]),
        (&json!("prod"), &json!("appliance-ro")),
        "{shown}"
    );
    let denied = lone.run_as(None, &["--json", "device", "import", "csv", path, "--environment", "lab"]);
    assert_eq!((denied.status.code(), &failure_of(&denied)["code"]), (Some(4), &json!("role_required")));
}

#[test]
fn trust_is_shown_asked_and_given() {
    let lone = Lone::new();
    let routers = Routers::start(2);
    let (ip, port) = routers.address(0);
    let added = lone.run(&[
        "device",
        "add",
        "r1",
        "--address",
        ip,
        "--port",
        port,
        "--environment",
        "lab",
        "--no-trust",
    ]);
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    assert!(stderr(&added).contains("appliance device trust r1"), "{}", stderr(&added));
    // Nobody can be asked: the key is shown, nothing is trusted.
    let asked = lone.run(&["--json", "device", "trust", "r1"]);
    assert_eq!(asked.status.code(), Some(2), "{}", stderr(&asked));
    assert!(stderr(&asked).contains(routers.key(0)), "{}", stderr(&asked));
    // Another key than the router's is refused.
    let wrong = lone.run(&["--json", "device", "trust", "r1", "--fingerprint", routers.key(1)]);
    assert_eq!((wrong.status.code(), &failure_of(&wrong)["code"]), (Some(4), &json!("tls_mismatch")));
    let nonsense = lone.run(&["--json", "device", "trust", "r1", "--fingerprint", "abc"]);
    assert_eq!(nonsense.status.code(), Some(2), "{}", stderr(&nonsense));
    let colons: Vec<&str> = (0..32).map(|n| &routers.key(0)[2 * n..2 * n + 2]).collect();
    let given =
        lone.run(&["--json", "device", "trust", "r1", "--fingerprint", &colons.join(":").to_uppercase()]);
    assert_eq!(given.status.code(), Some(0), "{}", stderr(&given));
    assert_eq!(json_of(&given)["trust"]["spki_pin"]["sha256"], routers.key(0), "{}", stdout(&given));
    let unknown = lone.run(&["--json", "device", "trust", "nobody"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", stderr(&unknown));
}

#[test]
fn a_quarantined_router_is_explained_and_let_back_in() {
    let house = House::start(1);
    let device = house.device(0).to_owned();
    let old =
        json_of(&house.cli(As::Admin, &["--json", "device", "show", &device]))["trust"]["spki_pin"]["sha256"]
            .clone();
    house.control("POST", &format!("/boxes/{}/change-key", house.box_of(0)), Some(&json!({})));
    house.until("quarantine", || {
        let _ = house.try_call(As::Agent, "get_dns_status", &json!({ "device_id": device }));
        let shown = json_of(&house.cli(As::Admin, &["--json", "device", "show", &device]));
        shown["quarantined"].is_string().then_some(())
    });
    let asked = house.cli(As::Admin, &["device", "trust", &device]);
    let said = stderr(&asked);
    assert_eq!(asked.status.code(), Some(2), "{said}");
    assert!(said.contains("quarantine") && said.contains(old.as_str().unwrap()), "{said}");
    let shown = json_of(&house.cli(As::Admin, &["--json", "device", "show", &device]));
    let new = shown["quarantined"].as_str().unwrap();
    assert!(said.contains(new), "{said}");
    let trusted = house.cli(As::Admin, &["device", "trust", &device, "--fingerprint", new]);
    assert_eq!(trusted.status.code(), Some(0), "{}", stderr(&trusted));
    house.until("answers again", || {
        house.try_call(As::Agent, "get_dns_status", &json!({ "device_id": device })).ok()
    });
}
