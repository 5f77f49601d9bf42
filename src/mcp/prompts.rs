//! Prompts: guides from files in `docs/prompts`, embedded. No word of a router gets into one; of a caller only what was checked.

use std::collections::BTreeMap;

use events::device::Environment;
use rmcp::{
    ErrorData,
    model::{GetPromptResult, JsonObject, MetaObject, Prompt, PromptArgument, PromptMessage, Role},
};
use serde_json::Value;

use crate::{
    access::principal::{self, Principal, Tier},
    changes::address_list::PREFIX,
    failure::{Code, Failure},
    mcp::{
        prompt_file::{self, Argument, File, Kind},
        refusal,
        templates::Means,
    },
    tools::{call::Corridor, catalog, tool::ToolDef},
};

/// The longest name of an address list that RouterOS shows whole, in characters.
const LIST_NAME_CHARS_MAX: usize = 64;

/// What can be offered for an argument.
pub(super) enum Offer {
    /// These.
    Values(Vec<String>),
    /// What the caller may see of a kind.
    Known(Means),
}

/// The tools that a guide needs.
fn needs(file: &File) -> impl Iterator<Item = &'static ToolDef> {
    file.head.needs.iter().filter_map(|name| catalog::find(name))
}

/// Whether the caller may use every tool that a guide needs.
fn may(corridor: &Corridor, principal: &Principal, file: &File) -> Result<(), Failure> {
    file.head.needs.iter().try_for_each(|name| {
        let def = catalog::find(name).ok_or_else(|| {
            Failure::new(Code::Bug, format!("this prompt needs `{name}`, which is not there"))
        })?;
        corridor.allows(principal, def)
    })
}

/// The guides that the caller may follow to their end.
pub(super) fn list(corridor: &Corridor, principal: &Principal) -> Vec<Prompt> {
    let immediate = &corridor.shared().policy.immediate_writes;
    let usable = prompt_file::all().iter().filter(|file| may(corridor, principal, file).is_ok());
    usable.map(|file| listed(file, immediate)).collect()
}

fn listed(file: &File, immediate: &[Environment]) -> Prompt {
    let head = &file.head;
    let arguments = head.argument.iter().map(|argument| {
        let mut about = argument.description.clone();
        if !argument.values.is_empty() {
            about.push_str(&format!(" One of {}.", argument.values.join(", ")));
        }
        if !argument.default.is_empty() {
            about.push_str(&format!(" Default {}.", argument.default));
        }
        PromptArgument::new(argument.name.clone()).with_description(about).with_required(argument.required)
    });
    let mut prompt = Prompt::new(&head.name, Some(&head.description), Some(arguments.collect()));
    prompt.title = Some(head.title.clone());
    prompt.with_meta(meta(file, immediate))
}

/// What the contract says about a prompt beside its arguments: where it leads, how far, and where a person must approve.
fn meta(file: &File, immediate: &[Environment]) -> MetaObject {
    let every = [Environment::Lab, Environment::Staging, Environment::Prod];
    let environments = file.head.argument.iter().find(|argument| argument.name == "environment");
    let environments: Vec<Environment> = every
        .into_iter()
        .filter(|one| environments.is_none_or(|argument| argument.values.iter().any(|v| v == one.as_str())))
        .collect();
    let writes = needs(file).any(|def| def.spec.demand.kind == principal::Kind::Write);
    let plans = needs(file).any(|def| def.spec.shaped);
    let approved: Vec<&str> = environments
        .iter()
        .filter(|one| plans || (writes && !immediate.contains(one)))
        .map(|one| one.as_str())
        .collect();
    let tier = needs(file).map(|def| def.spec.demand.tier).max().unwrap_or(Tier::Fundamental);
    let names: Vec<&str> = environments.iter().map(|one| one.as_str()).collect();
    let mut meta = MetaObject::new();
    meta.0.insert("category".into(), file.head.category.as_str().into());
    meta.0.insert("tier".into(), tier.as_str().into());
    meta.0.insert("environments".into(), names.into());
    meta.0.insert("requires_approval".into(), (!approved.is_empty()).into());
    meta.0.insert("requires_approval_in".into(), approved.into());
    meta
}

/// The prompt of that name, if the caller may follow it.
fn find(corridor: &Corridor, principal: &Principal, name: &str) -> Result<&'static File, Failure> {
    let file = prompt_file::all().iter().find(|file| file.head.name == name);
    let file = file.ok_or_else(|| {
        Failure::new(Code::NotFound, "there is no such prompt").hint("prompts/list shows all")
    })?;
    may(corridor, principal, file)?;
    Ok(file)
}

/// What can be offered for an argument; `None` when the caller has no such prompt, or the prompt no such argument.
pub(super) fn offer(
    corridor: &Corridor,
    principal: &Principal,
    prompt: &str,
    argument: &str,
) -> Option<Offer> {
    let file = find(corridor, principal, prompt).ok()?;
    let argument = file.head.argument.iter().find(|one| one.name == argument)?;
    Some(match argument.kind {
        Some(Kind::Device) => Offer::Known(Means::Device),
        Some(Kind::ManagedList) => Offer::Values(Vec::new()),
        None if argument.name == "environment" => {
            let reaches = |value: &&String| {
                value.as_str() == "all" || principal.environments.iter().any(|one| one.as_str() == *value)
            };
            Offer::Values(argument.values.iter().filter(reaches).cloned().collect())
        }
        None => Offer::Values(argument.values.clone()),
    })
}

/// A guide with the caller's values in their places.
pub(super) fn get(
    corridor: &Corridor,
    principal: &Principal,
    name: &str,
    given: Option<&JsonObject>,
) -> Result<GetPromptResult, ErrorData> {
    let device_id = |reference: &str| {
        corridor.shared().engine.view(|views| {
            let device = views.state.find_device(reference).filter(|device| principal.sees(device));
            device.map(|device| device.device_id.to_string())
        })
    };
    let text = find(corridor, principal, name).and_then(|file| {
        let values = values(file, given, device_id)?;
        let text = prompt_file::fill(file.body, &values)
            .map_err(|why| Failure::new(Code::Bug, "this prompt cannot be given").log(why))?;
        Ok((file, text))
    });
    let (file, text) = text.map_err(|failure| refusal::of_prompt(&failure))?;
    let mut result = GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]);
    result.description = Some(file.head.description.clone());
    Ok(result)
}

/// The value of every argument: as given and checked, else its default.
fn values<'a>(
    file: &'a File,
    given: Option<&JsonObject>,
    device_id: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<&'a str, String>, Failure> {
    let arguments = &file.head.argument;
    if let Some(unknown) = given
        .into_iter()
        .flat_map(JsonObject::keys)
        .find(|key| !arguments.iter().any(|one| one.name == **key))
    {
        let shown: String = unknown.chars().filter(|c| !c.is_control()).take(64).collect();
        let known: Vec<&str> = arguments.iter().map(|one| one.name.as_str()).collect();
        return Err(Failure::param(
            &shown,
            format!("no argument of this prompt, which has {}", known.join(", ")),
        ));
    }
    let value = |argument: &'a Argument| {
        let value = match given.and_then(|given| given.get(&argument.name)) {
            None | Some(Value::Null) => "",
            Some(Value::String(text)) => text.as_str(),
            Some(_) => return Err(Failure::param(&argument.name, "arguments of prompts are texts")),
        };
        // Clients with forms send what was left empty.
        if value.is_empty() {
            return if argument.required {
                Err(Failure::param(&argument.name, "this prompt needs it"))
            } else {
                Ok((argument.name.as_str(), argument.default.clone()))
            };
        }
        checked(argument, value, &device_id).map(|value| (argument.name.as_str(), value))
    };
    arguments.iter().map(value).collect()
}

fn checked(
    argument: &Argument,
    value: &str,
    device_id: impl Fn(&str) -> Option<String>,
) -> Result<String, Failure> {
    match argument.kind {
        Some(Kind::Device) => device_id(value).ok_or_else(|| {
            Failure::new(Code::UnknownDevice, "there is no such device")
                .hint("list_devices shows all")
                .details(serde_json::json!({ "field": argument.name }))
        }),
        Some(Kind::ManagedList) => {
            let name = value.strip_prefix(PREFIX).unwrap_or_default();
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if !name.is_empty() && value.len() <= LIST_NAME_CHARS_MAX && name.chars().all(plain) {
                return Ok(value.to_owned());
            }
            Err(Failure::param(
                &argument.name,
                format!(
                    "begins with `{PREFIX}`, then letters, digits, `-`, `_`, `.`; at most {LIST_NAME_CHARS_MAX}"
                ),
            ))
        }
        None if argument.values.iter().any(|one| one == value) => Ok(value.to_owned()),
        None => Err(Failure::param(&argument.name, format!("one of {}", argument.values.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values_of(name: &str, given: Value) -> Result<BTreeMap<&'static str, String>, Failure> {
        let file = prompt_file::all().iter().find(|file| file.head.name == name).unwrap();
        let device_id = |reference: &str| (reference == "North tower").then(|| "r1".to_owned());
        values(file, given.as_object(), device_id)
    }

    #[test]
    fn what_is_given_is_checked_and_the_rest_has_its_default() {
        let rollout = values_of("dns-ntp-rollout", json!({ "environment": "prod" })).unwrap();
        assert_eq!((rollout["environment"].as_str(), rollout["dry_run"].as_str()), ("prod", "true"));
        let review = values_of("comprehensive-device-review", json!({ "device_id": "North tower" })).unwrap();
        assert_eq!(review["device_id"], "r1", "names become ids");
        let empty = values_of("troubleshoot-device", json!({ "device_id": "", "issue_type": null })).unwrap();
        assert_eq!((empty["device_id"].as_str(), empty["issue_type"].as_str()), ("", ""));
        for (name, given, code, field) in [
            ("device-onboarding", json!({ "environment": "mars" }), Code::InvalidParams, "environment"),
            ("device-onboarding", json!({ "environment": 1 }), Code::InvalidParams, "environment"),
            ("device-onboarding", json!({ "planet": "mars" }), Code::InvalidParams, "planet"),
            ("comprehensive-device-review", json!({}), Code::InvalidParams, "device_id"),
            ("comprehensive-device-review", json!({ "device_id": "r9" }), Code::UnknownDevice, "device_id"),
            ("address-list-sync", json!({ "list_name": "trusted" }), Code::InvalidParams, "list_name"),
            ("address-list-sync", json!({ "list_name": "mcp-" }), Code::InvalidParams, "list_name"),
            ("address-list-sync", json!({ "list_name": "mcp-a` b" }), Code::InvalidParams, "list_name"),
            ("address-list-sync", json!({ "list_name": "mcp-a\nb" }), Code::InvalidParams, "list_name"),
        ] {
            let failure = values_of(name, given.clone()).unwrap_err();
            assert_eq!(failure.code, code, "{name} {given}");
            assert_eq!(failure.details.unwrap()["field"], field, "{name} {given}");
        }
    }

    #[test]
    fn approval_is_said_where_the_policy_asks_for_it() {
        let of = |name: &str, immediate: &[Environment]| {
            meta(prompt_file::all().iter().find(|file| file.head.name == name).unwrap(), immediate).0
        };
        let usual = [Environment::Lab, Environment::Staging];
        // A plan of several devices waits for a person everywhere.
        let everywhere = json!(["lab", "staging", "prod"]);
        for immediate in [usual.as_slice(), &[]] {
            let rollout = of("dns-ntp-rollout", immediate);
            assert_eq!(
                (&rollout["requires_approval_in"], &rollout["tier"]),
                (&everywhere, &json!("professional"))
            );
        }
        let review = of("fleet-health-review", &usual);
        assert_eq!((&review["requires_approval"], &review["tier"]), (&json!(false), &json!("fundamental")));
        assert_eq!(review["environments"], json!(["lab", "staging", "prod"]));
    }
}
