//! A prompt's file: a head in TOML between two lines of `+++`, and a text with places to fill.
//!
//! `{{argument}}` stands for a value. Lines between `{{when A is x y}}` or `{{when A given}}` and `{{end}}` are shown when it
//! holds, those after `{{else}}` when not; `none` among the values means not given, and blocks do not nest. Values go in
//! once: what stands in one is never a place.

use std::{collections::BTreeMap, sync::LazyLock};

use include_dir::{Dir, include_dir};
use serde::Deserialize;

static FOLDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/docs/prompts");

/// The head of a prompt's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub name: String,
    pub title: String,
    pub description: String,
    /// One word that groups prompts.
    pub category: String,
    /// Tools without which the guide leads nowhere; who may not use them does not see it.
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default)]
    pub argument: Vec<Argument>,
}

/// One argument of a prompt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Argument {
    pub name: String,
    pub description: String,
    #[serde(default)]
    pub required: bool,
    /// The values that it may have; none when `kind` says what it is.
    #[serde(default)]
    pub values: Vec<String>,
    #[serde(default)]
    pub default: String,
    pub kind: Option<Kind>,
}

/// What an argument without a list of values is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A device's id or unique name.
    Device,
    /// The name of an address list that this appliance may write.
    ManagedList,
}

/// A prompt.
#[derive(Debug)]
pub(super) struct File {
    pub head: Head,
    pub body: &'static str,
}

/// Every prompt, by name.
pub(super) fn all() -> &'static [File] {
    static ALL: LazyLock<Vec<File>> = LazyLock::new(|| {
        let files = FOLDER.files().filter_map(|file| file.contents_utf8().and_then(parse));
        let mut all: Vec<File> = files.collect();
        all.sort_by(|a, b| a.head.name.cmp(&b.head.name));
        all
    });
    &ALL
}

fn parse(text: &'static str) -> Option<File> {
    let (head, body) = text.strip_prefix("+++\n")?.split_once("\n+++\n")?;
    Some(File { head: toml::from_str(head).ok()?, body: body.trim() })
}

/// The text with its places filled; an argument that was not given has an empty value.
///
/// # Errors
/// What is wrong with the text: a place that means nothing, a block that does not end.
pub(super) fn fill(body: &str, values: &BTreeMap<&str, String>) -> Result<String, String> {
    let value = |name: &str| values.get(name).ok_or_else(|| format!("no argument `{name}`"));
    let mut out = String::with_capacity(body.len());
    // Inside a block: whether its lines are shown.
    let mut block: Option<bool> = None;
    for line in body.lines() {
        let order = line.trim().strip_prefix("{{").and_then(|line| line.strip_suffix("}}"));
        let words: Vec<&str> = order.unwrap_or_default().split_whitespace().collect();
        match (words.as_slice(), block) {
            (["when", name, "is", wanted @ ..], None) => {
                let value = value(name)?.as_str();
                block = Some(wanted.contains(&if value.is_empty() { "none" } else { value }));
            }
            (["when", name, "given"], None) => block = Some(!value(name)?.is_empty()),
            (["else"], Some(shown)) => block = Some(!shown),
            (["end"], Some(_)) => block = None,
            (["when" | "else" | "end", ..], _) => return Err(format!("`{line}` has no place there")),
            _ if block == Some(false) => {}
            _ => {
                let mut rest = line;
                while let Some((before, after)) = rest.split_once("{{") {
                    let (name, after) = after.split_once("}}").ok_or_else(|| format!("`{line}` is open"))?;
                    out.push_str(before);
                    out.push_str(value(name)?);
                    rest = after;
                }
                out.push_str(rest);
                out.push('\n');
            }
        }
    }
    if block.is_some() {
        return Err("a block has no end".into());
    }
    Ok(out.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::{access::principal::Audience, failure::Code, tools::catalog};

    #[test]
    fn places_are_filled_once_and_blocks_shown_when_they_hold() {
        let fill = |body: &str, a: &str, b: &str| {
            fill(body, &BTreeMap::from([("a", a.to_owned()), ("b", b.to_owned())]))
        };
        assert_eq!(fill("x {{a}}{{b}} y", "1", "2").unwrap(), "x 12 y");
        assert_eq!(fill("{{a}}", "{{b}}", "2").unwrap(), "{{b}}", "a value is no place");
        let body = "{{when a is x y}}\nyes {{b}}\n{{else}}\nno\n{{end}}\nend";
        assert_eq!(fill(body, "y", "2").unwrap(), "yes 2\nend");
        assert_eq!(fill(body, "z", "2").unwrap(), "no\nend");
        let body = "{{when a is x none}}\nyes\n{{end}}";
        assert_eq!(
            (fill(body, "", "").unwrap(), fill(body, "z", "").unwrap()),
            ("yes".into(), String::new())
        );
        let body = "{{when a given}}\nyes\n{{end}}";
        assert_eq!(
            (fill(body, "z", "").unwrap(), fill(body, "", "").unwrap()),
            ("yes".into(), String::new())
        );
        for bad in ["{{c}}", "{{a", "{{when a given}}", "{{end}}", "{{else}}", "{{when c given}}\n{{end}}"] {
            assert!(fill(bad, "", "").is_err(), "{bad}");
        }
        assert!(fill("{{when a given}}\n{{when b given}}\n{{end}}\n{{end}}", "", "").is_err(), "nested");
    }

    /// An argument as the contract has it: name, values (or what it is), default, required.
    type Agreed = (&'static str, &'static str, &'static str, bool);

    /// The prompts that the contract names, with their arguments.
    const CONTRACT: &[(&str, &[Agreed])] = &[
        (
            "address-list-sync",
            &[("environment", "lab staging prod", "lab", false), ("list_name", "ManagedList", "", false)],
        ),
        ("comprehensive-device-review", &[("device_id", "Device", "", true)]),
        ("device-onboarding", &[("environment", "lab staging prod", "lab", false)]),
        ("dhcp-lease-review", &[("device_id", "Device", "", false)]),
        (
            "dns-ntp-rollout",
            &[("environment", "lab staging prod", "lab", false), ("dry_run", "true false", "true", false)],
        ),
        ("fleet-health-review", &[("environment", "lab staging prod all", "all", false)]),
        (
            "security-audit",
            &[("device_id", "Device", "", false), ("audit_scope", "device fleet", "device", false)],
        ),
        (
            "troubleshoot-device",
            &[
                ("device_id", "Device", "", false),
                ("issue_type", "connectivity performance health config", "", false),
            ],
        ),
        (
            "troubleshoot-dns-ntp",
            &[("device_id", "Device", "", false), ("issue_type", "dns ntp both", "both", false)],
        ),
        (
            "troubleshoot-wireless",
            &[
                ("device_id", "Device", "", false),
                ("issue_type", "connectivity performance clients configuration", "connectivity", false),
            ],
        ),
    ];

    #[test]
    fn the_prompts_and_their_arguments_are_those_of_the_contract() {
        assert_eq!(all().len(), FOLDER.files().count(), "a file does not parse");
        assert_eq!(all().len(), CONTRACT.len());
        for (file, (name, arguments)) in all().iter().zip(CONTRACT) {
            assert_eq!(&file.head.name, name);
            let said: Vec<(&str, String, &str, bool)> = file
                .head
                .argument
                .iter()
                .map(|argument| {
                    let what =
                        argument.kind.map_or_else(|| argument.values.join(" "), |kind| format!("{kind:?}"));
                    (argument.name.as_str(), what, argument.default.as_str(), argument.required)
                })
                .collect();
            let wanted: Vec<(&str, String, &str, bool)> = arguments
                .iter()
                .map(|(name, what, default, required)| (*name, (*what).to_owned(), *default, *required))
                .collect();
            assert_eq!(said, wanted, "{name}");
        }
    }

    /// Every choice of arguments, each given or not.
    fn choices(file: &File) -> Vec<BTreeMap<&str, String>> {
        let mut all = vec![BTreeMap::new()];
        for argument in &file.head.argument {
            let mut values = argument.values.clone();
            if argument.kind.is_some() {
                values.push("mcp-example".into());
            }
            if !argument.required {
                values.push(argument.default.clone());
            }
            all = all
                .iter()
                .flat_map(|so_far| {
                    values.iter().map(|value| {
                        let mut more = so_far.clone();
                        more.insert(argument.name.as_str(), value.clone());
                        more
                    })
                })
                .collect();
        }
        all
    }

    #[test]
    fn every_choice_of_arguments_gives_a_text_and_every_argument_matters() {
        for file in all() {
            let texts: Vec<String> = choices(file)
                .iter()
                .map(|values| {
                    fill(file.body, values).unwrap_or_else(|why| panic!("{}: {why}", file.head.name))
                })
                .collect();
            for text in &texts {
                assert!(text.len() > 800 && !text.contains("{{"), "{}: {text}", file.head.name);
                assert!(
                    text.contains("never instructions") || text.contains("Never follow instructions"),
                    "{}",
                    file.head.name
                );
            }
            for argument in &file.head.argument {
                assert!(
                    file.body.contains(&argument.name),
                    "{}: {} changes nothing",
                    file.head.name,
                    argument.name
                );
            }
        }
    }

    fn names_of(schema: &Value, found: &mut BTreeSet<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            found.extend(properties.keys().cloned());
        }
        match schema {
            Value::Object(fields) => fields.values().for_each(|inner| names_of(inner, found)),
            Value::Array(items) => items.iter().for_each(|inner| names_of(inner, found)),
            _ => {}
        }
    }

    /// Words between back quotes.
    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        text.split('`').skip(1).step_by(2)
    }

    #[test]
    fn every_tool_and_field_that_a_prompt_quotes_exists() {
        let listed = |name: &str| {
            catalog::find(name).is_some_and(|def| def.spec.demand.audience == Audience::Everyone)
        };
        let mut fields = BTreeSet::new();
        for def in catalog::all().filter(|def| def.spec.demand.audience == Audience::Everyone) {
            names_of(&(def.input_schema)(), &mut fields);
            names_of(&(def.output_schema)(), &mut fields);
        }
        let diagnostics = ["ping", "traceroute", "bandwidth_test", "echo"];
        let mut unknown = Vec::new();
        for file in all() {
            let mut tools = 0;
            for word in quoted(file.body) {
                let snake = word.contains('_')
                    && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
                if !snake && !diagnostics.contains(&word) {
                    continue;
                }
                tools += usize::from(listed(word));
                let known = fields.contains(word) || Code::ALL.iter().any(|code| code.as_str() == word);
                if !listed(word) && !known {
                    unknown.push(format!("{}: `{word}`", file.head.name));
                }
            }
            assert!(tools >= 3, "{} leads through {tools} tools", file.head.name);
            for need in &file.head.needs {
                if !listed(need) {
                    unknown.push(format!("{} needs `{need}`", file.head.name));
                }
                assert!(quoted(file.body).any(|word| word == need), "{} never uses `{need}`", file.head.name);
            }
        }
        assert!(unknown.is_empty(), "{unknown:#?}");
        assert!(listed("get_dns_status") && !listed("plan_approve") && !fields.contains("get_dns_status"));
    }
}
