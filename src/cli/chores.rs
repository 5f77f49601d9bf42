//! `call`, `tools`, `status`, `config`, `doctor`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    appliance::config::Config,
    cli::{Common, client::Client, out, usage},
    failure::Failure,
};

#[derive(Debug, Args)]
pub(super) struct Call {
    /// The tool's name (`appliance tools` lists them).
    tool: String,
    /// Parameters as key=value; JSON values are taken as such.
    #[arg(value_name = "KEY=VALUE")]
    fields: Vec<String>,
    /// All parameters as one JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "fields")]
    params: Option<String>,
}

fn params_of(call: &Call) -> Result<Value, Failure> {
    if let Some(text) = &call.params {
        return serde_json::from_str(text).map_err(|error| usage(format!("`--params` is not JSON: {error}")));
    }
    let mut params = Map::new();
    for field in &call.fields {
        let (key, text) =
            field.split_once('=').ok_or_else(|| usage(format!("`{field}`: needs key=value")))?;
        // Arrays, objects, numbers and switches are what they look like; everything else is text.
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        params.insert(key.to_owned(), value);
    }
    Ok(Value::Object(params))
}

pub(super) async fn call(common: &Common, args: Call) -> Result<u8, Failure> {
    let answer = Client::once(common, &args.tool, params_of(&args)?).await?;
    out::show(common, &answer, |answer| serde_json::to_string_pretty(answer).unwrap_or_default())?;
    Ok(0)
}

pub(super) async fn tools(common: &Common) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let client = Client::open(common).await?;
    let answer = client.tools().await;
    client.close().await?;
    out::show(common, &answer?, |answer| {
        out::table(&answer["tools"], &[("tool", "name"), ("tier", "tier"), ("what", "title")])
    })?;
    Ok(0)
}

pub(super) async fn status(common: &Common) -> Result<u8, Failure> {
    let answer = Client::once(common, "system_status", json!({})).await?;
    out::show(common, &answer, out::fields)?;
    Ok(0)
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether the configuration can be used.
    Check,
    /// Every value in force and where it came from.
    Show,
    /// A commented file with every key at its default.
    Default,
    /// JSON Schema of the configuration.
    Schema,
}

pub(super) fn config(common: &Common, command: ConfigCommand) -> Result<u8, Failure> {
    match command {
        ConfigCommand::Check => {
            common.load()?;
            out::show(common, &json!({ "ok": true }), |_| "the configuration can be used".into())?;
        }
        ConfigCommand::Show => {
            let shown = Config::show(common.config.as_deref(), &[])?;
            let value = serde_json::to_value(&shown).unwrap_or_default();
            out::show(common, &value, |value| {
                out::table(value, &[("key", "key"), ("value", "value"), ("from", "origin")])
            })?;
        }
        ConfigCommand::Default => out::data(&Config::default_toml())?,
        ConfigCommand::Schema => {
            let schema = crate::tools::tool::schema_of::<Config>();
            out::data(&serde_json::to_string_pretty(&schema).unwrap_or_default())?;
        }
    }
    Ok(0)
}

pub(super) async fn doctor(common: &Common) -> Result<u8, Failure> {
    let mut checks = Vec::new();
    let mut note = |what: &str, found: Result<String, String>| {
        let (ok, text) = found.map_or_else(|why| (false, why), |fine| (true, fine));
        checks.push(json!({ "check": what, "ok": ok, "found": text }));
    };
    let config = common.load();
    note(
        "configuration",
        config.as_ref().map(|_| "can be used".to_owned()).map_err(|failure| failure.say.to_string()),
    );
    if let Ok(config) = &config {
        let store = &config.store;
        note(
            "store",
            if store.file().exists() {
                Ok(store.file().display().to_string())
            } else {
                Err("none; `appliance init` makes one".into())
            },
        );
        for (what, path) in [("master key", store.master_key()), ("checkpoint key", store.checkpoint_key())] {
            use std::os::unix::fs::PermissionsExt as _;
            let found = std::fs::metadata(&path)
                .map_err(|error| format!("{}: {error}", path.display()))
                .and_then(|metadata| {
                    let mode = metadata.permissions().mode() & 0o777;
                    if mode & 0o077 == 0 {
                        Ok(format!("mode {mode:o}"))
                    } else {
                        Err(format!("mode {mode:o}: chmod 600 {}", path.display()))
                    }
                });
            note(what, found);
        }
        let runs = tokio::net::UnixStream::connect(store.control_socket()).await.is_ok();
        note(
            "appliance",
            if runs {
                Ok("runs".into())
            } else {
                Ok("does not run; commands open the store themselves".into())
            },
        );
        if runs || store.file().exists() {
            let status = Client::once(common, "system_status", json!({})).await;
            note(
                "answers",
                status
                    .map(|status| format!("{} devices known", out::cell(&status["devices"])))
                    .map_err(|failure| failure.say.to_string()),
            );
        }
    }
    let bad = checks.iter().filter(|check| check["ok"] == false).count();
    out::show(common, &json!({ "checks": checks, "problems": bad }), |value| {
        out::table(&value["checks"], &[("check", "check"), ("ok", "ok"), ("found", "found")])
    })?;
    Ok(u8::from(bad > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_parameters() {
        let call = |fields: &[&str]| Call {
            tool: "x".into(),
            fields: fields.iter().map(|f| (*f).to_owned()).collect(),
            params: None,
        };
        let params =
            params_of(&call(&["device_id=r1", "dry_run=true", "dns_servers=[\"9.9.9.9\"]", "limit=5"]))
                .unwrap();
        assert_eq!(
            params,
            json!({ "device_id": "r1", "dry_run": true, "dns_servers": ["9.9.9.9"], "limit": 5 })
        );
        assert!(params_of(&call(&["nothing"])).is_err());
    }
}
