//! Prompts: files in `docs/prompts`, embedded. The head names arguments; the body is the text with `{{argument}}` in it.

use include_dir::{Dir, include_dir};
use rmcp::{
    ErrorData,
    model::{GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role},
};
use serde::Deserialize;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/docs/prompts");

/// The head of a prompt's file, in TOML between two lines of `+++`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    title: String,
    description: String,
    #[serde(default)]
    argument: Vec<Argument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Argument {
    name: String,
    description: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    default: String,
}

fn all() -> impl Iterator<Item = (Head, &'static str)> {
    FILES.files().filter_map(|file| file.contents_utf8().and_then(parse))
}

fn parse(text: &'static str) -> Option<(Head, &'static str)> {
    let (head, body) = text.strip_prefix("+++\n")?.split_once("\n+++\n")?;
    Some((toml::from_str(head).ok()?, body.trim()))
}

pub(super) fn list() -> Vec<Prompt> {
    all()
        .map(|(head, _)| {
            let argument = |argument: Argument| {
                PromptArgument::new(argument.name)
                    .with_description(argument.description)
                    .with_required(argument.required)
            };
            let arguments = head.argument.into_iter().map(argument).collect();
            let mut prompt = Prompt::new(head.name, Some(head.description), Some(arguments));
            prompt.title = Some(head.title);
            prompt
        })
        .collect()
}

/// The values that an argument may have, for completion.
pub(super) fn values(prompt: &str, argument: &str) -> Vec<String> {
    let head = all().find(|(head, _)| head.name == prompt).map(|(head, _)| head);
    let found = head.and_then(|head| head.argument.into_iter().find(|one| one.name == argument));
    found.map(|argument| argument.values).unwrap_or_default()
}

pub(super) fn get(name: &str, given: Option<&JsonObject>) -> Result<GetPromptResult, ErrorData> {
    let (head, body) = all()
        .find(|(head, _)| head.name == name)
        .ok_or_else(|| ErrorData::invalid_params("there is no such prompt", None))?;
    let bad = |why: String| ErrorData::invalid_params(why, None);
    let mut text = body.to_owned();
    if let Some(unknown) = given
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
        .find(|key| !head.argument.iter().any(|a| &a.name == *key))
    {
        let shown: String = unknown.chars().take(64).collect();
        return Err(bad(format!("`{shown}` is no argument of this prompt")));
    }
    for argument in &head.argument {
        let value = given.and_then(|given| given.get(&argument.name)).and_then(|value| value.as_str());
        let value = match value {
            None if argument.required => return Err(bad(format!("`{}` is required", argument.name))),
            None => argument.default.as_str(),
            Some(value) if !argument.values.is_empty() && !argument.values.iter().any(|one| one == value) => {
                return Err(bad(format!("`{}` is one of {}", argument.name, argument.values.join(", "))));
            }
            Some(value) if value.len() > 256 || value.contains(char::is_control) => {
                return Err(bad(format!("`{}`: at most 256 printable characters", argument.name)));
            }
            Some(value) => value,
        };
        text = text.replace(&format!("{{{{{}}}}}", argument.name), value);
    }
    let mut result = GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]);
    result.description = Some(head.description);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_prompt_whose_text_uses_its_arguments_only() {
        assert_eq!(all().count(), FILES.files().count(), "a file does not parse");
        for (head, body) in all() {
            for argument in &head.argument {
                assert!(
                    body.contains(&format!("{{{{{}}}}}", argument.name)),
                    "{}: {}",
                    head.name,
                    argument.name
                );
            }
            let given: JsonObject =
                head.argument.iter().filter(|a| a.required).map(|a| (a.name.clone(), "x".into())).collect();
            let text = serde_json::to_string(&get(&head.name, Some(&given)).unwrap()).unwrap();
            assert!(!text.contains("{{"), "{}: a placeholder is left", head.name);
        }
    }

    #[test]
    fn what_is_wrong_with_arguments_is_said() {
        let given =
            |key: &str, value: &str| [(key.to_owned(), value.into())].into_iter().collect::<JsonObject>();
        assert!(get("device-onboarding", Some(&given("environment", "mars"))).is_err());
        assert!(get("device-onboarding", Some(&given("planet", "mars"))).is_err());
        assert!(get("no-such-prompt", None).is_err());
    }
}
