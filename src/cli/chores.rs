//! `call`, `tools`, `status`, `config`.

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
            common.load()?.check_files(common.config.as_deref(), &common.overrides())?;
            out::show(common, &json!({ "ok": true }), |_| "the configuration can be used".into())?;
        }
        ConfigCommand::Show => {
            let shown = Config::show(common.config.as_deref(), &common.overrides())?;
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
