//! A simulated router as any program talks to it: REST, without the product between.

use std::{collections::BTreeMap, time::Duration};

use events::operation::{Action, Property};
use serde_json::{Value, json};

use crate::house::House;

/// A record, ids and all.
pub type Row = BTreeMap<String, String>;

/// One router's REST door, as the user that may write.
pub struct Wire {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    base: String,
}

impl Wire {
    /// The router behind a house's n-th device.
    pub fn of(house: &House, n: usize) -> Self {
        // Somebody else in this process may have chosen it already: the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy();
        let address = house.said["devices"][n]["address"].as_str().unwrap();
        Self {
            client: client.timeout(Duration::from_secs(60)).build().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            base: format!("https://{address}/rest"),
        }
    }

    /// A request: the status and the answer.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.runtime.block_on(async {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = self.client.request(method, format!("{}{path}", self.base));
            request = request.basic_auth("appliance-rw", Some("rw-secret"));
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            let reply = request.send().await.unwrap();
            let status = reply.status().as_u16();
            let text = reply.text().await.unwrap();
            let tame: String = text.chars().map(|c| if c < ' ' { '\u{1a}' } else { c }).collect();
            (status, serde_json::from_str(&tame).unwrap_or(Value::Null))
        })
    }

    /// A request that must be done.
    pub fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.send(method, path, body);
        assert!(status < 300, "{method} {path} {body:?}: {status} {answer}");
        answer
    }

    /// A menu's records in their order; one for a menu without records.
    pub fn rows(&self, menu: &str) -> Vec<Row> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let row = |row: &Value| {
            row.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
        };
        match self.done("GET", menu, None) {
            Value::Array(rows) => rows.iter().map(row).collect(),
            one => vec![row(&one)],
        }
    }

    /// An action of a plan.
    pub fn act(&self, action: &Action) {
        let body = |properties: &[Property]| -> Value {
            properties
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let menu = action.menu();
        match action {
            Action::SetSingleton { properties, .. } => {
                self.done("POST", &format!("{menu}/set"), Some(&body(properties)))
            }
            Action::Set { id, properties, .. } => {
                self.done("PATCH", &format!("{menu}/{id}"), Some(&body(properties)))
            }
            Action::Add { properties, .. } => self.done("PUT", menu, Some(&body(properties))),
            Action::Remove { id, .. } => self.done("DELETE", &format!("{menu}/{id}"), None),
            Action::Command { command, properties, .. } => {
                self.done("POST", &format!("{menu}/{command}"), Some(&body(properties)))
            }
        };
    }

    /// Runs a script to its end; what it printed, or the console's refusal.
    pub fn run(&self, script: &str) -> String {
        let answer = self.done("POST", "/execute", Some(&json!({ "script": script, "as-string": "" })));
        answer["ret"].as_str().unwrap_or_default().to_owned()
    }
}

/// What a person would compare: no ids, no figures that move by themselves, nothing that is off; in order where order
/// counts.
pub fn plain(menu: &str, rows: &[Row]) -> Vec<Row> {
    let moving = [
        ".id",
        ".nextid",
        "bytes",
        "packets",
        "creation-time",
        "last-seen",
        "expires-after",
        "uptime",
        "rx-byte",
        "tx-byte",
        "rx-packet",
        "tx-packet",
        "last-link-up-time",
        "link-downs",
        "last-link-down-time",
        "cache-used",
        "status",
        "synced-server",
        "synced-stratum",
        "system-offset",
        "freq-drift",
        "used",
    ];
    let off = |value: &str| matches!(value, "" | "false" | "no");
    let mut plain: Vec<Row> = rows
        .iter()
        .map(|row| {
            let told = row.iter().filter(|(name, value)| !moving.contains(&name.as_str()) && !off(value));
            told.map(|(name, value)| (name.clone(), value.clone())).collect()
        })
        .collect();
    if !menu.starts_with("/ip/firewall/filter") {
        plain.sort();
    }
    plain
}
