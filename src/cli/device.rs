//! `device`.

use std::{
    io::{BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    cli::{Common, client::Client, device_show, hidden, import, out, trust, usage},
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
        /// lab, staging or prod: it decides which changes need a person's approval.
        #[arg(long)]
        environment: String,
        /// Neither look at its key nor ask; `device trust` does it later.
        #[arg(long, group = "trust")]
        no_trust: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// List routers.
    List {
        /// Only this environment.
        #[arg(long)]
        environment: Option<String>,
    },
    /// Everything known about a router, and what it can do: asks it, or goes by what is on record.
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
    /// Confirm a router's key; this also ends a quarantine.
    Trust(trust::Trust),
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
    Import(import::Import),
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

/// A password from its file, from standard input, or from the person at the terminal.
pub(super) fn secret(file: Option<&PathBuf>, user: Option<&String>) -> Result<Option<String>, Failure> {
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
            hidden::ask(&format!("Password of {user}: ")).map_err(unreadable)?
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
        Device::Add { device_id, address, environment, no_trust, settings } => {
            add(common, device_id, address, environment, no_trust, settings).await
        }
        Device::List { environment } => {
            let mut params = json!({});
            if let Some(environment) = environment {
                params["environment"] = environment.into();
            }
            let answer = Client::list(common, "list_devices", params, "devices", None).await?;
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
        Device::Show { device_id } => device_show::run(common, &device_id).await,
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
        Device::Trust(args) => trust::run(common, args).await,
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
                if out::ask(&format!("Type {device_id} to take it out with its logins:")).await? != device_id
                {
                    return Err(usage("nothing was removed"));
                }
            }
            let params = json!({ "device_id": device_id, "reason": reason });
            let answer = Client::once(common, "device_remove", params).await?;
            out::show(common, &answer, |_| format!("{device_id} is out"))?;
            Ok(0)
        }
        Device::Import(command) => import::run(common, command).await,
    }
}

async fn add(
    common: &Common,
    device_id: String,
    address: String,
    environment: String,
    no_trust: bool,
    settings: Settings,
) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let mut params = Map::new();
    params.insert("device_id".into(), device_id.clone().into());
    params.insert("management_ip".into(), address.clone().into());
    params.insert("environment".into(), environment.into());
    // Passwords are asked for before the store is opened: nobody else waits for a person's typing.
    settings.params(&mut params)?;
    let client = Client::open(common).await?;
    let outcome = async {
        if !no_trust && !params.contains_key("trust") && out::is_terminal() {
            let port = settings.port.unwrap_or(443);
            let key = trust::look(&client, &address, port).await?;
            trust::confirm(&address, port, &key).await?;
            params.insert("trust".into(), json!({ "spki_sha256": key }));
        }
        let trusted = params.contains_key("trust");
        let answer = client.call("device_add", Value::Object(params)).await?;
        Ok::<_, Failure>((answer, trusted))
    }
    .await;
    client.close().await?;
    let (answer, trusted) = outcome?;
    out::show(common, &answer, |_| format!("{device_id} is registered"))?;
    if !trusted {
        out::talk(&format!(
            "its key is not confirmed, so no login is sent: appliance device trust {device_id}"
        ));
    }
    Ok(0)
}
