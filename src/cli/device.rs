//! `device`.

use std::{
    io::{BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    cli::{Common, client::Client, out, usage},
    failure::{Code, Failure},
};

#[derive(Debug, Subcommand)]
pub(super) enum Device {
    /// Register a router. Shows its key first and asks you to confirm it.
    Add {
        /// Slug, for ever.
        device_id: String,
        /// IPv4 or IPv6 address of its REST service.
        #[arg(long)]
        address: String,
        /// lab, staging or prod.
        #[arg(long, default_value = "lab")]
        environment: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// List routers.
    List {
        /// Only this environment.
        #[arg(long)]
        environment: Option<String>,
    },
    /// Everything known about a router.
    Show {
        /// Id or name.
        device_id: String,
    },
    /// Change settings, trust or logins of a router.
    Edit {
        /// Id or name.
        device_id: String,
        /// New address.
        #[arg(long)]
        address: Option<String>,
        /// lab, staging or prod.
        #[arg(long)]
        environment: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Try to reach a router.
    Test {
        /// Id or name.
        device_id: String,
    },
    /// Take a router out; its history stays.
    Remove {
        /// Id or name.
        device_id: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Register many routers.
    #[command(subcommand)]
    Import(Import),
}

#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Columns: device_id, address, and optionally name, port, environment, tags (`a=b;c=d`), allow (`x;y`), spki_sha256.
    Csv {
        /// The file.
        file: PathBuf,
        /// Do it; without this only what would be done is shown.
        #[arg(long)]
        yes: bool,
    },
}

/// What `add` and `edit` share.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// Unique name for people.
    #[arg(long)]
    name: Option<String>,
    /// Port of REST (443, or 80 with plain http).
    #[arg(long)]
    port: Option<u16>,
    /// `key=value`, several times.
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
    /// What is allowed beyond reading: advanced_writes, professional_workflows, …
    #[arg(long, value_delimiter = ',')]
    allow: Option<Vec<String>>,
    /// SHA-256 of its public key, compared by you with the router's own.
    #[arg(long, value_name = "HEX", group = "trust")]
    trust_spki: Option<String>,
    /// A certificate authority of the configuration.
    #[arg(long, group = "trust", requires = "server_name")]
    ca: Option<String>,
    /// The name its certificate must carry.
    #[arg(long)]
    server_name: Option<String>,
    /// No encryption at all.
    #[arg(long, group = "trust")]
    plain_http: bool,
    /// The router user that reads.
    #[arg(long)]
    username: Option<String>,
    /// File with that user's password (`-`: standard input); asked for on a terminal.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The router user that writes; default the one that reads.
    #[arg(long)]
    write_username: Option<String>,
    /// File with that user's password.
    #[arg(long, value_name = "FILE")]
    write_password_file: Option<PathBuf>,
}

fn secret(file: Option<&PathBuf>, user: Option<&String>) -> Result<Option<String>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Code::InvalidConfig, format!("the password cannot be read: {error}"))
    };
    let text = match (file, user) {
        (Some(path), _) if path.as_os_str() == "-" => {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
            line
        }
        (Some(path), _) => std::fs::read_to_string(path).map_err(unreadable)?,
        (None, Some(user)) if std::io::stdin().is_terminal() => {
            rpassword::prompt_password(format!("Password of {user}: ")).map_err(unreadable)?
        }
        (None, Some(_)) => return Err(usage("`--password-file` is needed where nobody can be asked")),
        (None, None) => return Ok(None),
    };
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

impl Settings {
    fn trust(&self) -> Option<Value> {
        if let Some(sha256) = &self.trust_spki {
            return Some(json!({ "spki_sha256": sha256 }));
        }
        if let (Some(ca), Some(name)) = (&self.ca, &self.server_name) {
            return Some(json!({ "ca": ca, "server_name": name }));
        }
        self.plain_http.then(|| json!({ "plain_http": true }))
    }

    fn params(&self, params: &mut Map<String, Value>) -> Result<(), Failure> {
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                params.insert(key.to_owned(), value);
            }
        };
        put("name", self.name.clone().map(Value::from));
        put("management_port", self.port.map(Value::from));
        put("allow", self.allow.clone().map(Value::from));
        put("trust", self.trust());
        if !self.tags.is_empty() {
            let pairs = self.tags.iter().map(|tag| {
                tag.split_once('=')
                    .map(|(k, v)| (k.to_owned(), Value::from(v)))
                    .ok_or_else(|| usage(format!("`--tag {tag}`: needs key=value")))
            });
            put("tags", Some(Value::Object(pairs.collect::<Result<_, _>>()?)));
        }
        put("username", self.username.clone().map(Value::from));
        put("password", secret(self.password_file.as_ref(), self.username.as_ref())?.map(Value::from));
        put("write_username", self.write_username.clone().map(Value::from));
        put(
            "write_password",
            secret(self.write_password_file.as_ref(), self.write_username.as_ref())?.map(Value::from),
        );
        Ok(())
    }
}

pub(super) async fn run(common: &Common, command: Device) -> Result<u8, Failure> {
    match command {
        Device::Add { device_id, address, environment, settings } => {
            add(common, device_id, address, environment, settings).await
        }
        Device::List { environment } => {
            let mut params = json!({ "limit": 1000 });
            if let Some(environment) = environment {
                params["environment"] = environment.into();
            }
            let answer = Client::once(common, "list_devices", params).await?;
            out::show(common, &answer, |answer| {
                out::table(
                    &answer["devices"],
                    &[
                        ("id", "id"),
                        ("name", "name"),
                        ("address", "management_ip"),
                        ("environment", "environment"),
                        ("status", "status"),
                        ("version", "routeros_version"),
                        ("model", "hardware_model"),
                    ],
                )
            })?;
            Ok(0)
        }
        Device::Show { device_id } => {
            let shown = Client::once(common, "device_show", json!({ "device_id": device_id })).await?;
            out::show(common, &shown, out::fields)?;
            Ok(0)
        }
        Device::Edit { device_id, address, environment, settings } => {
            let mut params = Map::from_iter([("device_id".to_owned(), Value::from(device_id))]);
            for (key, value) in [("management_ip", address), ("environment", environment)] {
                if let Some(value) = value {
                    params.insert(key.into(), value.into());
                }
            }
            settings.params(&mut params)?;
            let answer = Client::once(common, "device_edit", Value::Object(params)).await?;
            out::show(common, &answer, |a| {
                if a["changed"] == true { "changed".into() } else { "it was so already".into() }
            })?;
            Ok(0)
        }
        Device::Test { device_id } => {
            let answer =
                Client::once(common, "check_connectivity", json!({ "device_id": device_id })).await?;
            out::show(common, &answer, out::fields)?;
            Ok(if answer["reachable"] == true { 0 } else { Code::DeviceUnreachable.exit_code() })
        }
        Device::Remove { device_id, reason, yes } => {
            if !yes {
                if !out::is_terminal() {
                    return Err(usage("`--yes` is needed where nobody can be asked"));
                }
                if out::ask(&format!("Type {device_id} to take it out with its logins:"))? != device_id {
                    return Err(usage("nothing was removed"));
                }
            }
            let params = json!({ "device_id": device_id, "reason": reason });
            let answer = Client::once(common, "device_remove", params).await?;
            out::show(common, &answer, |_| format!("{device_id} is out"))?;
            Ok(0)
        }
        Device::Import(Import::Csv { file, yes }) => import(common, &file, yes).await,
    }
}

async fn add(
    common: &Common,
    device_id: String,
    address: String,
    environment: String,
    settings: Settings,
) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let client = Client::open(common).await?;
    let outcome = async {
        let mut params = Map::new();
        params.insert("device_id".into(), device_id.clone().into());
        params.insert("management_ip".into(), address.clone().into());
        params.insert("environment".into(), environment.into());
        if settings.trust().is_none() && out::is_terminal() {
            let port = settings.port.unwrap_or(443);
            let seen = client.call("device_probe", json!({ "address": address, "port": port, "tls": true })).await?;
            let key = out::cell(&seen["spki_sha256"]);
            out::talk(&format!(
                "The box at {address}:{port} shows this key (SHA-256 of its public key):\n  {key}\nCompare it with the router's own: /certificate print detail, or over a cable you trust."
            ));
            if out::ask("Is it the same? Type yes:")? != "yes" {
                return Err(usage("nothing was registered; no login was sent"));
            }
            params.insert("trust".into(), json!({ "spki_sha256": key }));
        }
        settings.params(&mut params)?;
        let trusted = params.contains_key("trust");
        let answer = client.call("device_add", Value::Object(params)).await?;
        Ok((answer, trusted))
    }
    .await;
    client.close().await?;
    let (answer, trusted) = outcome?;
    out::show(common, &answer, |_| format!("{device_id} is registered"))?;
    if !trusted {
        out::talk(&format!(
            "its key is not confirmed, so no login is sent: appliance device edit {device_id} --trust-spki HEX"
        ));
    }
    Ok(0)
}

/// The parameters that a row means.
fn row_params(row: &std::collections::BTreeMap<String, String>) -> Result<Value, String> {
    let get = |key: &str| row.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let mut params = Map::new();
    params.insert("device_id".into(), get("device_id").ok_or("no device_id")?.into());
    params.insert("management_ip".into(), get("address").ok_or("no address")?.into());
    params.insert("environment".into(), get("environment").unwrap_or("lab").into());
    if let Some(name) = get("name") {
        params.insert("name".into(), name.into());
    }
    if let Some(port) = get("port") {
        params.insert(
            "management_port".into(),
            port.parse::<u16>().map_err(|_| format!("port `{port}`"))?.into(),
        );
    }
    if let Some(tags) = get("tags") {
        let pairs = tags.split(';').map(|tag| {
            tag.split_once('=')
                .map(|(k, v)| (k.to_owned(), Value::from(v)))
                .ok_or_else(|| format!("tag `{tag}`"))
        });
        params.insert("tags".into(), Value::Object(pairs.collect::<Result<_, _>>()?));
    }
    if let Some(allow) = get("allow") {
        params.insert("allow".into(), allow.split(';').collect::<Vec<_>>().into());
    }
    if let Some(sha256) = get("spki_sha256") {
        params.insert("trust".into(), json!({ "spki_sha256": sha256 }));
    }
    Ok(Value::Object(params))
}

async fn import(common: &Common, file: &std::path::Path, yes: bool) -> Result<u8, Failure> {
    const COLUMNS: [&str; 8] =
        ["device_id", "address", "name", "port", "environment", "tags", "allow", "spki_sha256"];
    common.start_log("warn", false)?;
    let unreadable =
        |error: csv::Error| Failure::new(Code::InvalidParams, format!("{}: {error}", file.display()));
    let mut reader = csv::Reader::from_path(file).map_err(unreadable)?;
    let headers = reader.headers().map_err(unreadable)?.clone();
    if let Some(unknown) = headers.iter().find(|header| !COLUMNS.contains(header)) {
        return Err(usage(format!(
            "`{unknown}` is no column; columns are {}. Passwords never come from a table.",
            COLUMNS.join(", ")
        )));
    }
    let mut rows = Vec::new();
    for row in reader.deserialize() {
        let row: std::collections::BTreeMap<String, String> = row.map_err(unreadable)?;
        rows.push(row);
    }
    let client = Client::open(common).await?;
    let known = client.call("list_devices", json!({ "limit": 1000 })).await;
    let bar = out::bar(common, "importing");
    bar.set_length(rows.len() as u64);
    let (mut results, mut failed) = (Vec::new(), 0);
    if let Ok(known) = &known {
        for (number, row) in (2..).zip(&rows) {
            let id = row.get("device_id").cloned().unwrap_or_default();
            let exists =
                known["devices"].as_array().into_iter().flatten().any(|device| device["id"] == id.as_str());
            let outcome = match (row_params(row), exists, yes) {
                (Err(why), ..) => Err(why),
                (Ok(_), true, _) => Err("there is such a device already".to_owned()),
                (Ok(_), false, false) => Ok("would be added"),
                (Ok(params), false, true) => client
                    .call("device_add", params)
                    .await
                    .map(|_| "added")
                    .map_err(|failure| failure.say.to_string()),
            };
            failed += usize::from(outcome.is_err());
            let (result, why) = outcome.map_or_else(|why| ("refused", why), |done| (done, String::new()));
            results.push(json!({ "line": number, "device_id": id, "result": result, "why": why }));
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    client.close().await?;
    known?;
    let value = json!({ "rows": results, "refused": failed, "done": yes });
    out::show(common, &value, |value| {
        out::table(
            &value["rows"],
            &[("line", "line"), ("device", "device_id"), ("result", "result"), ("why", "why")],
        )
    })?;
    if !yes {
        out::talk("nothing was done yet: add --yes");
    }
    Ok(if failed > 0 { 5 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_device() {
        let row = [
            ("device_id", "r1"),
            ("address", "192.0.2.1"),
            ("tags", "site=a;role=core"),
            ("allow", "advanced_writes"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let params = row_params(&row).unwrap();
        assert_eq!(params["tags"], json!({ "site": "a", "role": "core" }));
        assert_eq!((&params["environment"], &params["allow"]), (&json!("lab"), &json!(["advanced_writes"])));
    }

    #[test]
    fn rows_that_make_no_sense_say_why() {
        for (pairs, why) in [
            (vec![("address", "192.0.2.1")], "device_id"),
            (vec![("device_id", "r1")], "address"),
            (vec![("device_id", "r1"), ("address", "a"), ("port", "x")], "port"),
            (vec![("device_id", "r1"), ("address", "a"), ("tags", "x")], "tag"),
        ] {
            let row = pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            assert!(row_params(&row).unwrap_err().contains(why), "{why}");
        }
    }
}
