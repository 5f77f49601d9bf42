//! Fixtures that run as tasks where the client knows tasks, and at once where it does not.

use std::{sync::LazyLock, time::Duration};

use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ClientCapabilities,
        ContentBlock, CreateTaskResult, GetTaskParams, GetTaskResult, Tool, UpdateTaskParams,
    },
    task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions},
};
use serde_json::json;

use crate::mcp::{
    conformance::{
        rounds::{form, name_or_question},
        tools::{properties, tool},
    },
    handler::Context,
};

static TASKS: LazyLock<TaskManager> = LazyLock::new(TaskManager::new);

const NAMES: [&str; 7] = [
    "greet",
    "slow_compute",
    "failing_job",
    "protocol_error_job",
    "confirm_delete",
    "multi_input",
    "test_tool_with_task",
];
/// The longest that a fixture computes.
const SECONDS_MAX: u64 = 120;

pub(super) fn is_one(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(super) fn list() -> Vec<Tool> {
    let text = json!({ "type": "string" });
    vec![
        tool("greet", "Greets at once", properties(json!({ "name": text }), &["name"])),
        tool(
            "slow_compute",
            "Takes some seconds",
            properties(json!({ "seconds": { "type": "integer", "minimum": 0 }, "label": text }), &[]),
        ),
        tool("failing_job", "Ends with a tool's error", json!({})),
        tool("protocol_error_job", "Ends with a protocol error", json!({})),
        tool("confirm_delete", "Asks before it goes on", properties(json!({ "filename": text }), &[])),
        tool("multi_input", "Asks two things at once", json!({})),
        tool("test_tool_with_task", "Runs as a task", json!({})),
    ]
}

fn said(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

pub(super) async fn call(
    request: &CallToolRequestParams,
    cx: &Context,
) -> Result<CallToolResponse, ErrorData> {
    let given = |name: &str| request.arguments.as_ref().and_then(|given| given.get(name));
    let name = request.name.clone();
    if name == "greet" {
        let who = given("name").and_then(|v| v.as_str()).unwrap_or("World");
        return Ok(said(format!("Hello, {who}!")).into());
    }
    let mut who = String::new();
    if name == "test_tool_with_task" {
        match name_or_question(request)? {
            Ok(answered) => who = answered,
            Err(question) => return Ok(question),
        }
    }
    let seconds = given("seconds").and_then(serde_json::Value::as_u64).unwrap_or(1).min(SECONDS_MAX);
    let knows_tasks = cx.client_capabilities().is_some_and(|can| can.supports_tasks());
    if knows_tasks && !(name == "slow_compute" && seconds == 0) {
        let options = TaskOptions::new().with_poll_interval_ms(200);
        let task = TASKS
            .spawn(options, move |task| Box::pin(async move { work(&name, seconds, &who, &task).await }));
        return Ok(CreateTaskResult::new(task).into());
    }
    if name == "failing_job" {
        // This one cannot be answered without a task.
        let needed = ClientCapabilities::builder().enable_tasks().build();
        return Err(ErrorData::missing_required_client_capability(needed));
    }
    if name == "slow_compute" {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    Ok(said(format!("{name}: done at once")).into())
}

async fn work(name: &str, seconds: u64, who: &str, task: &TaskContext) -> Result<CallToolResult, TaskExit> {
    match name {
        "slow_compute" => tokio::select! {
            () = task.cancelled() => Err(TaskExit::Cancelled),
            () = tokio::time::sleep(Duration::from_secs(seconds)) => Ok(said(format!("computed for {seconds} s"))),
        },
        "failing_job" => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(CallToolResult::error(vec![ContentBlock::text("This job always fails.")]))
        }
        "protocol_error_job" => {
            Err(TaskExit::Error(ErrorData::internal_error("This job always breaks.", None)))
        }
        "confirm_delete" => {
            let answer =
                task.request_input("confirm", form("Delete the file?", "confirm", "boolean")?).await?;
            Ok(said(if answer["action"] == "accept" { "deleted" } else { "kept" }))
        }
        "multi_input" => {
            let first = task.request_input("first", form("What is the first name?", "name", "string")?);
            let second = task.request_input("second", form("What is the second name?", "name", "string")?);
            let (first, second) = tokio::try_join!(first, second)?;
            Ok(said(format!("{} and {}", first["content"]["name"], second["content"]["name"])))
        }
        _ => Ok(said(format!("Task completed for {who}"))),
    }
}

pub(in crate::mcp) fn get_task(request: &GetTaskParams) -> Result<GetTaskResult, ErrorData> {
    TASKS.get_task(&request.task_id).map(GetTaskResult::new)
}

pub(in crate::mcp) fn update_task(request: UpdateTaskParams) -> Result<(), ErrorData> {
    TASKS.update_task(&request.task_id, request.input_responses)
}

pub(in crate::mcp) fn cancel_task(request: &CancelTaskParams) -> Result<(), ErrorData> {
    TASKS.cancel_task(&request.task_id)
}
