//! Resources: the same tools under a URI, so that they are authorised and recorded in the same way.

use rmcp::{
    ErrorData,
    model::{
        CompleteRequestParams, CompleteResult, CompletionInfo, ReadResourceResult, Reference, Resource,
        ResourceContents, ResourceTemplate,
    },
};
use serde_json::{Value, json};

use crate::{
    access::principal::Principal,
    failure::Code,
    mcp::{
        handler::{Context, Handler},
        prompts,
    },
    tools::call::Corridor,
};

/// Devices that are listed as resources; beyond it the templates and list_devices serve.
const LISTED_MAX: usize = 100;

/// What a URI means.
fn tool_of(uri: &str) -> Option<(&'static str, Value)> {
    if let Some(rest) = uri.strip_prefix("device://") {
        let (device_id, part) = rest.split_once('/')?;
        let tool = match part {
            "overview" => "get_system_overview",
            "health" => "device_health",
            _ => return None,
        };
        return Some((tool, json!({ "device_id": device_id })));
    }
    let limit = uri.strip_prefix("audit://events/recent/")?.parse::<u32>().ok()?;
    Some(("audit_events", json!({ "limit": limit })))
}

pub(super) fn list(corridor: &Corridor, principal: &Principal) -> Vec<Resource> {
    let devices: Vec<String> = corridor.shared().engine.view(|views| {
        let seen = views.state.devices.values().filter(|device| principal.sees(device));
        seen.take(LISTED_MAX).map(|device| device.device_id.to_string()).collect()
    });
    let mut all = vec![
        Resource::new("audit://events/recent/50", "audit-recent")
            .with_title("Recent events")
            .with_description("What happened, newest first")
            .with_mime_type("application/json"),
    ];
    for id in devices {
        for (part, title, about) in [
            ("overview", "Overview", "What the router is and how it is doing"),
            ("health", "Health", "A look at the router, judged"),
        ] {
            let resource = Resource::new(format!("device://{id}/{part}"), format!("{id}-{part}"))
                .with_title(format!("{title} of {id}"))
                .with_description(about)
                .with_mime_type("application/json");
            all.push(resource);
        }
    }
    all
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    [
        ("device://{id}/overview", "device-overview", "What a router is and how it is doing"),
        ("device://{id}/health", "device-health", "A look at a router, judged"),
        ("audit://events/recent/{limit}", "audit-events-recent", "What happened, newest first"),
    ]
    .map(|(uri, name, about)| {
        ResourceTemplate::new(uri, name).with_description(about).with_mime_type("application/json")
    })
    .into()
}

pub(super) async fn read(
    handler: &Handler,
    uri: &str,
    cx: &Context,
) -> Result<ReadResourceResult, ErrorData> {
    let missing = || ErrorData::resource_not_found("there is no such resource", Some(json!({ "uri": uri })));
    let (tool, params) = tool_of(uri).ok_or_else(missing)?;
    match handler.call(cx, tool, params).await? {
        Ok(answered) => {
            let text =
                ResourceContents::text(answered.value.to_string(), uri).with_mime_type("application/json");
            Ok(ReadResourceResult::new(vec![text]))
        }
        Err(failure) if failure.code == Code::UnknownDevice => Err(missing()),
        Err(failure) if failure.code == Code::InvalidParams => {
            Err(ErrorData::invalid_params(failure.say.clone(), Some(failure.to_json())))
        }
        Err(failure) => Err(ErrorData::internal_error(failure.say.clone(), Some(failure.to_json()))),
    }
}

/// Completions: devices that the caller sees, and the values of prompts' arguments.
pub(super) fn complete(
    corridor: &Corridor,
    principal: &Principal,
    request: &CompleteRequestParams,
) -> CompleteResult {
    let typed = request.argument.value.as_str();
    let argument = request.argument.name.as_str();
    let all: Vec<String> = match (&request.r#ref, argument) {
        (Reference::Resource(_), "id") | (Reference::Prompt(_), "device_id") => {
            corridor.shared().engine.view(|views| {
                let seen = views.state.devices.values().filter(|device| principal.sees(device));
                seen.map(|device| device.device_id.to_string()).collect()
            })
        }
        (Reference::Resource(_), "limit") => ["10", "50", "100", "500"].map(str::to_owned).into(),
        (Reference::Prompt(prompt), argument) => prompts::values(&prompt.name, argument),
        _ => Vec::new(),
    };
    let fitting: Vec<String> = all.into_iter().filter(|value| value.starts_with(typed)).collect();
    let total = u32::try_from(fitting.len()).ok();
    let has_more = fitting.len() > CompletionInfo::MAX_VALUES;
    let values = fitting.into_iter().take(CompletionInfo::MAX_VALUES).collect();
    let info = CompletionInfo::with_pagination(values, total, has_more).unwrap_or_default();
    CompleteResult::new(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_mean_tools() {
        assert_eq!(
            tool_of("device://r1/overview"),
            Some(("get_system_overview", json!({ "device_id": "r1" })))
        );
        assert_eq!(tool_of("audit://events/recent/7"), Some(("audit_events", json!({ "limit": 7 }))));
        for none in
            ["device://r1", "device://r1/secrets", "audit://events/recent/x", "file:///etc/passwd", ""]
        {
            assert_eq!(tool_of(none), None, "{none}");
        }
    }
}
