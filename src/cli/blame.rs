//! `blame`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Common, client::Client, out},
    failure::Failure,
};

#[derive(Debug, Args)]
pub(super) struct Blame {
    /// Id or unique name of the device.
    device: String,
    /// Menu, such as `/ip/firewall/filter` or `"ip firewall filter"`.
    path: String,
    /// RouterOS's id of the record, such as `*3`.
    #[arg(long, conflicts_with = "match")]
    id: Option<String>,
    /// Instead of the id: a property that the record has or had, such as `comment=uplink`.
    #[arg(long = "match", id = "match", value_name = "NAME=VALUE")]
    matching: Option<String>,
    /// At most so many (default: all).
    #[arg(long, value_parser = out::count)]
    limit: Option<usize>,
}

pub(super) async fn run(common: &Common, args: Blame) -> Result<u8, Failure> {
    let mut params = json!({ "device_id": args.device, "path": args.path });
    for (name, value) in [("id", args.id), ("match", args.matching)] {
        if let Some(value) = value {
            params[name] = value.into();
        }
    }
    let answer = Client::list(common, "object_history", params, "changes", args.limit).await?;
    out::show(common, &answer, |answer| {
        if answer["changes"].as_array().is_none_or(Vec::is_empty) {
            return "nothing of it was changed here; what was changed by hand on the router is not known"
                .to_owned();
        }
        out::table(&json!(flat(&answer["changes"])), &COLUMNS)
    })?;
    Ok(0)
}

const COLUMNS: [(&str, &str); 8] = [
    ("at", "at"),
    ("status", "status"),
    ("change", "change"),
    ("by", "requested_by"),
    ("with", "client"),
    ("session", "correlation_id"),
    ("approved by", "approved_by"),
    ("plan", "plan_id"),
];

/// One row a line of the change; what is the same for all of them stands in the first.
fn flat(changes: &Value) -> Vec<Value> {
    let mut rows = Vec::new();
    for change in changes.as_array().into_iter().flatten() {
        let mut lines = change["lines"].as_array().into_iter().flatten();
        let mut first = change.clone();
        first["change"] = lines.next().cloned().unwrap_or_default();
        rows.push(first);
        rows.extend(lines.map(|line| json!({ "change": line })));
    }
    rows
}
