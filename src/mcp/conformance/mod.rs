//! Fixtures that the protocol's conformance suite asks for by name. Behind a feature, and off unless asked for.
//!
//! They touch no router, no log and no state of the appliance; they only exercise the protocol through our own doors.
//! What they share lives as long as the process, since a handler lives for one request only.

#![expect(deprecated, reason = "older protocol versions need sampling, roots and logging")]

mod content;
mod rounds;
mod tasks;
mod tools;

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CallToolResponse, Reference, ServerCapabilities, SubscribeRequestParams,
        SubscriptionFilter, Tool, UnsubscribeRequestParams,
    },
    service::SubscriptionContext,
};
use tokio::sync::broadcast;

use crate::mcp::handler::Context;

pub(super) use content::{prompt, prompts, read, resources, templates};
pub(super) use tasks::{cancel_task, get_task, update_task};

/// Lists that a fixture pretends to have changed.
#[derive(Debug, Clone, Copy)]
enum Change {
    Tools,
    Prompts,
}

/// What fixtures share between requests.
struct Shared {
    changes: broadcast::Sender<Change>,
    subscribed: Mutex<BTreeSet<String>>,
}

static SHARED: LazyLock<Shared> =
    LazyLock::new(|| Shared { changes: broadcast::Sender::new(16), subscribed: Mutex::default() });

/// Everything the suite exercises.
pub(super) fn capabilities() -> ServerCapabilities {
    ServerCapabilities::builder()
        .enable_tools()
        .enable_tool_list_changed()
        .enable_prompts()
        .enable_prompts_list_changed()
        .enable_resources()
        .enable_resources_subscribe()
        .enable_completions()
        .enable_logging()
        .enable_tasks()
        .build()
}

/// The fixtures among the tools.
pub(super) fn tools() -> Vec<Tool> {
    let mut all = tools::list();
    all.extend(rounds::list());
    all.extend(tasks::list());
    all
}

/// Calls a fixture.
pub(super) async fn call(request: CallToolRequestParams, cx: Context) -> Result<CallToolResponse, ErrorData> {
    if let Some(response) = rounds::call(&request, &cx) {
        return response;
    }
    if tasks::is_one(&request.name) {
        return tasks::call(&request, &cx).await;
    }
    tools::call(&request, &cx).await.map(CallToolResponse::Complete)
}

/// True when a completion is asked for one of the fixtures; they have nothing to offer.
pub(super) fn is_reference(reference: &Reference) -> bool {
    match reference {
        Reference::Prompt(prompt) => prompts().iter().any(|fixture| fixture.name == prompt.name),
        Reference::Resource(resource) => {
            templates().iter().any(|fixture| fixture.uri_template == resource.uri)
        }
        _ => false,
    }
}

pub(super) fn subscribe(request: SubscribeRequestParams) {
    SHARED.subscribed.lock().unwrap_or_else(PoisonError::into_inner).insert(request.uri);
}

pub(super) fn unsubscribe(request: &UnsubscribeRequestParams) {
    SHARED.subscribed.lock().unwrap_or_else(PoisonError::into_inner).remove(&request.uri);
}

pub(super) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    requested.clone()
}

/// Tells a listener of changed lists until it leaves.
pub(super) async fn listen(context: SubscriptionContext) {
    let mut changes = SHARED.changes.subscribe();
    loop {
        let change = tokio::select! {
            () = context.cancelled() => return,
            change = changes.recv() => change,
        };
        // A list that the listener did not ask for is refused by the sink; that is what the filter is for.
        let told = match change {
            Ok(Change::Tools) if context.accepted().tools_list_changed == Some(true) => {
                context.sink().notify_tool_list_changed().await
            }
            Ok(Change::Prompts) if context.accepted().prompts_list_changed == Some(true) => {
                context.sink().notify_prompt_list_changed().await
            }
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if told.is_err() {
            return;
        }
    }
}
