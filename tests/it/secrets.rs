//! Canary secrets, one of each kind, are driven through everything and must appear nowhere.

use serde_json::json;

use crate::house::{As, House, appliance, request, stderr, stdout};

#[test]
fn canaries_appear_in_no_answer_event_log_error_metric_or_export() {
    // Names that would be found in any form: plain, base64, hex, URL-encoded.
    let canaries = [
        ("read password", "canary-read-pw-7f3a91"),
        ("write password", "canary-write-pw-2b8c40"),
        ("rotated password", "canary-rotated-pw-91d2e7"),
        ("rejected password", "canary-rejected-pw-55aa10"),
        ("password in a wrong field", "canary-misplaced-pw-c3c3c3"),
        ("password of an unknown device", "canary-unknown-pw-0a1b2c"),
    ];
    let house = House::start_with(2, &["--log-level", "trace"]);
    let mut outputs = Vec::new();
    let mut secrets: Vec<(String, String)> =
        canaries.iter().map(|(kind, text)| ((*kind).to_owned(), (*text).to_owned())).collect();
    let device = house.device(0).to_owned();
    let edits = [
        json!({ "device_id": device, "username": "u1", "password": canaries[0].1 }),
        json!({ "device_id": device, "write_username": "u2", "write_password": canaries[1].1 }),
        json!({ "device_id": device, "username": "u1", "password": canaries[2].1 }),
        json!({ "device_id": device, "username": 7, "password": canaries[3].1 }),
        json!({ "device_id": device, "pasword": canaries[4].1 }),
        json!({ "device_id": "nobody", "username": "x", "password": canaries[5].1 }),
    ];
    for edit in &edits {
        let reply = house.http(As::Admin, "POST", "/api/tools/device_edit", Some(edit));
        outputs.push(format!("{} {}", reply.head, reply.text));
    }
    // The simulated router sees the real logins; everything below is what we say.
    let dns =
        house.http(As::Agent, "POST", "/api/tools/get_dns_status", Some(&json!({ "device_id": device })));
    outputs.push(dns.text);
    let write = house.http(
        As::Agent,
        "POST",
        "/api/tools/update_dns_servers",
        Some(&json!({ "device_id": device, "dns_servers": ["9.9.9.9"] })),
    );
    outputs.push(write.text);
    // Bearer tokens of three kinds, a revoked one, a wrong one, and an approval token.
    for who in [As::Agent, As::Approver, As::Admin] {
        secrets.push(("bearer".into(), house.token(who).unwrap().to_owned()));
    }
    let made = house.call(
        As::Admin,
        "token_create",
        &json!({ "label": "canary", "role": "read_only", "environments": ["lab"], "device_scopes": ["*"] }),
    );
    secrets.push(("made bearer".into(), made["token"].as_str().unwrap().to_owned()));
    house.call(As::Admin, "token_revoke", &json!({ "token_id": made["token_id"] }));
    let wrong = format!("appl_{}", "c4a4a47".repeat(10).get(..64).unwrap());
    outputs.push(request(house.url(), "GET", "/api/tools", Some(&wrong), None).text);
    secrets.push(("wrong bearer".into(), wrong));
    let master = std::fs::read(house.store().join("keys/master.key")).unwrap();
    secrets.push(("master key".into(), hex(&master)));
    let signing = std::fs::read(house.store().join("keys/checkpoint.key")).unwrap();
    secrets.push(("checkpoint key".into(), hex(&signing)));
    assert!(secrets.len() >= 12, "{}", secrets.len());

    for (who, path) in [
        (As::Admin, "/metrics"),
        (As::Admin, "/ready"),
        (As::Admin, "/api/status"),
        (As::Admin, "/api/tools"),
    ] {
        outputs.push(house.http(who, "GET", path, None).text);
    }
    for tool in ["audit_events", "token_list", "list_devices", "plan_list", "job_list", "system_status"] {
        outputs.push(house.call(As::Admin, tool, &json!({})).to_string());
    }
    outputs.push(house.call(As::Admin, "device_show", &json!({ "device_id": device })).to_string());
    let store = house.store();
    let (_, log, dir) = house.stop();
    assert!(log.len() > 1000, "the trace log was captured");
    outputs.push(log);
    let export = dir.path().join("export.ndjson");
    let exported = appliance(
        &store,
        &["events", "export", "--store", store.to_str().unwrap(), "--out", export.to_str().unwrap()],
    );
    outputs.push(stdout(&exported) + &stderr(&exported));
    outputs.push(std::fs::read_to_string(&export).unwrap());
    let mut files = vec![std::fs::read(store.join("events/appliance.redb")).unwrap()];
    for entry in std::fs::read_dir(store.join("snapshots")).unwrap() {
        files.push(std::fs::read(entry.unwrap().path()).unwrap());
    }

    for (kind, secret) in &secrets {
        for form in forms(secret) {
            for output in &outputs {
                assert!(!output.contains(&form), "{kind} is in an output: …{}…", around(output, &form));
            }
            for file in &files {
                assert!(!contains(file, form.as_bytes()), "{kind} is in a file");
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text itself, its hex, its base64 and its URL form.
fn forms(secret: &str) -> Vec<String> {
    const TABLE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut base64 = String::new();
    for chunk in secret.as_bytes().chunks_exact(3) {
        let n = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
        for shift in [18, 12, 6, 0] {
            base64.push(char::from(TABLE[(n >> shift & 63) as usize]));
        }
    }
    vec![secret.to_owned(), hex(secret.as_bytes()), base64, secret.replace('-', "%2D")]
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn around(text: &str, form: &str) -> String {
    let at = text.find(form).unwrap_or(0);
    let start = (0..=at.saturating_sub(60)).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    text[start..].chars().take(140).collect()
}
