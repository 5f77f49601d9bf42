//! Fixture tools that answer in one go.

use std::{sync::Arc, time::Duration};

use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CallToolResult, ClientCapabilities, ContentBlock, CreateMessageRequestParams,
        ElicitRequestParams, JsonObject, LoggingLevel, LoggingMessageNotificationParam,
        ProgressNotificationParam, ProtocolVersion, ResourceContents, SamplingMessage, Tool,
    },
};
use serde_json::{Value, json};

use crate::mcp::{
    conformance::{
        Change, SHARED,
        content::{PNG, WAV},
    },
    handler::Context,
};

/// The suite wants its news apart in time.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn object(value: Value) -> JsonObject {
    match value {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

/// A schema with these properties.
pub(super) fn properties(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

pub(super) fn tool(name: &'static str, about: &'static str, mut schema: Value) -> Tool {
    if schema.as_object().is_none_or(JsonObject::is_empty) {
        schema = json!({ "type": "object", "properties": {} });
    }
    Tool::new(name, about, Arc::new(object(schema)))
}

pub(super) fn list() -> Vec<Tool> {
    let text = |about: &str| json!({ "type": "string", "description": about });
    vec![
        tool("test_simple_text", "Answers with text", json!({})),
        tool("test_image_content", "Answers with a picture", json!({})),
        tool("test_audio_content", "Answers with sound", json!({})),
        tool("test_embedded_resource", "Answers with a resource", json!({})),
        tool("test_multiple_content_types", "Answers with three kinds of content", json!({})),
        tool("test_tool_with_logging", "Sends log messages", json!({})),
        tool("test_logging_tool", "Sends a log message when the request allows it", json!({})),
        tool("test_error_handling", "Always fails", json!({})),
        tool("test_tool_with_progress", "Tells how far it is", json!({})),
        tool(
            "test_sampling",
            "Asks the client's model",
            properties(json!({ "prompt": text("What to ask") }), &["prompt"]),
        ),
        tool(
            "test_elicitation",
            "Asks the client's user",
            properties(json!({ "message": text("What to ask") }), &["message"]),
        ),
        tool("test_elicitation_sep1034_defaults", "Asks with a default for each type", json!({})),
        tool("test_elicitation_sep1330_enums", "Asks with each form of choice", json!({})),
        tool("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", rich_schema()),
        tool("test_reconnection", "Answers after a moment", json!({})),
        tool("test_missing_capability", "Needs a client with sampling", json!({})),
        tool("test_trigger_tool_change", "Tells listeners that the tools changed", json!({})),
        tool("test_trigger_prompt_change", "Tells listeners that the prompts changed", json!({})),
        tool(
            "test_custom_header",
            "Has a parameter that also travels as a header",
            properties(json!({ "region": { "type": "string", "x-mcp-header": "Region" } }), &["region"]),
        ),
    ]
}

fn rich_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    })
}

fn success(content: ContentBlock) -> CallToolResult {
    CallToolResult::success(vec![content])
}

fn said(text: impl Into<String>) -> CallToolResult {
    success(ContentBlock::text(text))
}

fn failed(text: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

pub(super) async fn call(request: &CallToolRequestParams, cx: &Context) -> Result<CallToolResult, ErrorData> {
    let given = |name: &str| {
        let value = request.arguments.as_ref().and_then(|given| given.get(name)).and_then(Value::as_str);
        value
            .map(str::to_owned)
            .ok_or_else(|| ErrorData::invalid_params(format!("`{name}` is required"), None))
    };
    match request.name.as_ref() {
        "test_simple_text" => Ok(said("This is a simple text response for testing.")),
        "test_image_content" => Ok(success(ContentBlock::image(PNG, "image/png"))),
        "test_audio_content" => Ok(success(ContentBlock::audio(WAV, "audio/wav"))),
        "test_embedded_resource" => {
            let text =
                ResourceContents::text("This is an embedded resource content.", "test://embedded-resource");
            Ok(success(ContentBlock::resource(text.with_mime_type("text/plain"))))
        }
        "test_multiple_content_types" => {
            let data = json!({ "test": "data", "value": 123 }).to_string();
            let mixed = ResourceContents::text(data, "test://mixed-content-resource");
            Ok(CallToolResult::success(vec![
                ContentBlock::text("Multiple content types test:"),
                ContentBlock::image(PNG, "image/png"),
                ContentBlock::resource(mixed.with_mime_type("application/json")),
            ]))
        }
        "test_error_handling" => Ok(failed("This tool intentionally returns an error for testing")),
        "test_tool_with_logging" => {
            let news = ["Tool execution started", "Tool processing data", "Tool execution completed"];
            log(cx, &news).await;
            Ok(said("Logging test completed"))
        }
        "test_logging_tool" => {
            log(cx, &["Tool execution started"]).await;
            Ok(said("Logging test completed"))
        }
        "test_tool_with_progress" => {
            progress(cx).await;
            Ok(said("Progress test completed"))
        }
        "test_sampling" => Ok(sample(cx, &given("prompt")?).await),
        "test_elicitation" => {
            let schema = json!({
                "type": "object",
                "properties": {
                    "username": { "type": "string", "description": "User's response" },
                    "email": { "type": "string", "description": "User's email address" }
                },
                "required": ["username", "email"]
            });
            elicit(cx, &given("message")?, schema, "User response").await
        }
        "test_elicitation_sep1034_defaults" => {
            elicit(cx, "Please check these values", defaults_form(), "Elicitation completed").await
        }
        "test_elicitation_sep1330_enums" => {
            elicit(cx, "Please choose", choices_form(), "Elicitation completed").await
        }
        "json_schema_2020_12_tool" => Ok(said("The schema is what matters.")),
        "test_reconnection" => {
            tokio::time::sleep(PAUSE).await;
            Ok(said("Reconnection test completed"))
        }
        "test_missing_capability" => {
            if cx.client_capabilities().is_some_and(|can| can.sampling.is_some()) {
                return Ok(said("The client can sample."));
            }
            let needed = ClientCapabilities::builder().enable_sampling().build();
            Err(ErrorData::missing_required_client_capability(needed))
        }
        "test_trigger_tool_change" => Ok(changed(Change::Tools)),
        "test_trigger_prompt_change" => Ok(changed(Change::Prompts)),
        "test_custom_header" => Ok(said(format!("region: {}", given("region")?))),
        _ => Err(ErrorData::invalid_params("there is no such fixture", None)),
    }
}

fn changed(change: Change) -> CallToolResult {
    // Without a listener there is nobody to tell.
    let _ = SHARED.changes.send(change);
    said("Listeners were told.")
}

/// Newer clients allow log messages request by request; older ones always take them.
fn may_log(cx: &Context) -> bool {
    let newer = cx.protocol_version().is_some_and(|v| v.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
    !newer || cx.meta.log_level().is_some()
}

async fn log(cx: &Context, news: &[&str]) {
    for text in news {
        if may_log(cx) {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(text));
            // A client that left misses news; the call goes on.
            let _ = cx.peer.notify_logging_message(message.with_logger("conformance")).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn progress(cx: &Context) {
    let token = cx.meta.get_progress_token();
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = &token {
            let note = ProgressNotificationParam::new(token.clone(), done).with_total(100.0);
            let _ = cx.peer.notify_progress(note).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn sample(cx: &Context, prompt: &str) -> CallToolResult {
    let asked = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
    match cx.peer.create_message(asked).await {
        Ok(result) => {
            let text = result.message.content.first().and_then(|content| content.as_text());
            said(format!("LLM response: {}", text.map_or("", |text| text.text.as_str())))
        }
        Err(error) => failed(format!("Sampling failed: {error}")),
    }
}

async fn elicit(
    cx: &Context,
    message: &str,
    schema: Value,
    answer: &str,
) -> Result<CallToolResult, ErrorData> {
    let requested_schema =
        serde_json::from_value(schema).map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let asked = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema,
    };
    Ok(match cx.peer.create_elicitation(asked).await {
        Ok(result) => {
            let action = serde_json::to_value(&result.action).unwrap_or_default();
            let content = serde_json::to_value(&result.content).unwrap_or_default();
            said(format!("{answer}: action={}, content={content}", action.as_str().unwrap_or_default()))
        }
        Err(error) => failed(format!("Elicitation failed: {error}")),
    })
}

fn defaults_form() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "User's name", "default": "John Doe" },
            "age": { "type": "integer", "description": "User's age", "default": 30 },
            "score": { "type": "number", "description": "User's score", "default": 95.5 },
            "status": {
                "type": "string", "description": "User's status",
                "enum": ["active", "inactive", "pending"], "default": "active"
            },
            "verified": { "type": "boolean", "description": "Whether the user is verified", "default": true }
        },
        "required": []
    })
}

fn choices_form() -> Value {
    let plain = ["option1", "option2", "option3"];
    let titled = |word: &str| {
        let one = |n: &str, title: &str| json!({ "const": n, "title": format!("{title} {word}") });
        json!([one("value1", "First"), one("value2", "Second"), one("value3", "Third")])
    };
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": plain },
            "titledSingle": { "type": "string", "oneOf": titled("Option") },
            "legacyEnum": {
                "type": "string", "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"]
            },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
            "titledMulti": { "type": "array", "items": { "anyOf": titled("Choice") } }
        },
        "required": []
    })
}
