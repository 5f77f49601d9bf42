//! The admin API: `POST /api/tools/{name}`, and the same tools in the shape of resources.

use std::{collections::BTreeMap, sync::LazyLock};

use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, Method, StatusCode, header::USER_AGENT};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use warp::{Filter as _, filters::BoxedFilter, path::FullPath, reply::Response};

use crate::{
    access::principal::Principal,
    failure::{Code, Failure},
    http::{Doors, guard::Caller, reply},
    tools::{call::Call, catalog},
};

/// The largest body of a request.
const BODY_BYTES_MAX: usize = 1024 * 1024;

pub(super) fn route(doors: &Doors) -> BoxedFilter<(Response,)> {
    let doors = doors.clone();
    warp::path("api")
        .and(warp::any().map(move || doors.clone()))
        .and(warp::ext::get::<Caller>())
        .and(warp::method())
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::query::<BTreeMap<String, String>>().or(warp::any().map(BTreeMap::new)).unify())
        .and(warp::body::stream())
        .then(|doors: Doors, caller: Caller, method, path: FullPath, headers, query, body| async move {
            let Ok(Some(principal)) = caller else { return reply::unauthenticated() };
            let client = product(&headers);
            match serve(doors, principal, client, (&method, path.as_str()), query, body).await {
                Ok(response) => response,
                Err(failure) => reply::failure(&failure),
            }
        })
        .boxed()
}

async fn serve(
    doors: Doors,
    principal: Principal,
    client: String,
    (method, path): (&Method, &str),
    query: BTreeMap<String, String>,
    body: impl Stream<Item = Result<impl warp::Buf, warp::Error>> + Send,
) -> Result<Response, Failure> {
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).skip(1).collect();
    let whole = tokio::time::timeout(doors.options.body_timeout(), collect(body)).await;
    let body =
        match whole.map_err(|_| Failure::new(Code::DeadlineExceeded, "the body did not come in time"))?? {
            Ok(body) => body,
            Err(too_large) => return Ok(too_large),
        };
    let params = object(&body)?;
    if let (&Method::GET, ["tools"]) = (method, words.as_slice()) {
        let visible = doors.corridor.visible(&principal);
        let tools: Vec<&Value> = visible.iter().filter_map(|def| DESCRIBED.get(def.spec.name)).collect();
        return Ok(reply::json(StatusCode::OK, &json!({ "tools": tools })));
    }
    let (tool, params) = shape(method, &words, query, params)
        .ok_or_else(|| Failure::new(Code::NotFound, "there is nothing at this path for this method"))?;
    // A client that leaves takes its call back; what changes something is finished all the same.
    let cancel = CancellationToken::new();
    let _left = cancel.clone().drop_guard();
    let call = Call { principal, tool, params, client, cancel, progress: None };
    let answered = doors.corridor.call(call).await?;
    events::crash::point("door.before_answer");
    Ok(reply::json(StatusCode::OK, &answered.value))
}

/// The program that calls: the first product of its `User-Agent` (RFC 9110, 10.1.5), empty when it names none.
fn product(headers: &HeaderMap) -> String {
    let told = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    told.split_ascii_whitespace().next().unwrap_or_default().to_owned()
}

/// Every tool as described, by name. Made once a process: schemas never change.
static DESCRIBED: LazyLock<BTreeMap<&'static str, Value>> =
    LazyLock::new(|| catalog::all().map(|def| (def.spec.name, def.described())).collect());

/// The body, or the answer that it is too large: counted while it comes, whatever its length claims.
async fn collect(
    body: impl Stream<Item = Result<impl warp::Buf, warp::Error>> + Send,
) -> Result<Result<Vec<u8>, Response>, Failure> {
    let mut body = std::pin::pin!(body);
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await {
        let mut part =
            part.map_err(|error| Failure::new(Code::InvalidParams, "the body broke off").log(error))?;
        if bytes.len() + part.remaining() > BODY_BYTES_MAX {
            let failure =
                Failure::new(Code::InvalidParams, format!("the body is larger than {BODY_BYTES_MAX} bytes"));
            return Ok(Err(reply::json(StatusCode::PAYLOAD_TOO_LARGE, &failure.to_json())));
        }
        bytes.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    Ok(Ok(bytes))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Failure> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::new(Code::InvalidParams, "the body is a JSON object")),
        Err(error) => Err(Failure::new(
            Code::InvalidParams,
            format!("the body is not JSON: line {}, column {}", error.line(), error.column()),
        )),
    }
}

/// Which tool a method and path mean, with the parameters that stand in the path.
fn shape(
    method: &Method,
    words: &[&str],
    query: BTreeMap<String, String>,
    mut params: Map<String, Value>,
) -> Option<(String, Value)> {
    let mut with = |name: &str, value: &str| {
        params.insert(name.to_owned(), value.into());
    };
    let verb = method.as_str();
    // `/api/admin/jobs/…` is another name of `/api/jobs/…`.
    let words = match words {
        ["admin", rest @ ..] if rest.first() == Some(&"jobs") => rest,
        words => words,
    };
    let tool = match (verb, words) {
        ("POST", ["tools", name]) => (*name).to_owned(),
        ("GET", ["status"]) => "system_status".to_owned(),
        ("GET", ["devices"]) => "list_devices".to_owned(),
        ("POST", ["devices"]) => "device_add".to_owned(),
        (_, ["devices", id]) => {
            with("device_id", id);
            match verb {
                "GET" => "device_show",
                "PATCH" => "device_edit",
                "DELETE" => "device_remove",
                _ => return None,
            }
            .to_owned()
        }
        ("GET", ["devices", id, "abilities"]) => {
            with("device_id", id);
            "device_abilities".to_owned()
        }
        ("POST", ["devices", id, what @ ("test" | "trust")]) => {
            with("device_id", id);
            if *what == "test" { "check_connectivity" } else { "device_trust" }.to_owned()
        }
        ("GET", ["devices", id, "history"]) => {
            with("device_id", id);
            "object_history".to_owned()
        }
        ("GET", ["plans"]) => "plan_list".to_owned(),
        ("POST", ["plans", "undo"]) => "plan_undo".to_owned(),
        ("POST", ["plans", id, "rollback"]) => {
            with("plan_id", id);
            "config_rollback_plan".to_owned()
        }
        ("GET", ["plans", id]) => {
            with("plan_id", id);
            "plan_details".to_owned()
        }
        ("POST", ["plans", id, what @ ("approve" | "reject" | "start")]) => {
            with("plan_id", id);
            format!("plan_{what}")
        }
        ("GET", ["plans", id, "workflows"]) => {
            with("plan_id", id);
            "workflow_explain".to_owned()
        }
        ("GET", ["approvals"]) => "approval_list".to_owned(),
        ("GET", ["workflows"]) => "workflow_list".to_owned(),
        ("POST", ["workflows", what @ ("stop" | "resume")]) => {
            params.insert("on".to_owned(), (*what == "resume").into());
            "auto_approval_switch".to_owned()
        }
        ("GET", ["jobs"]) => "job_list".to_owned(),
        ("GET", ["jobs", id]) => {
            with("job_id", id);
            "job_status".to_owned()
        }
        ("GET", ["jobs", id, "guide"]) => {
            with("job_id", id);
            "job_guide".to_owned()
        }
        ("POST", ["jobs", id, what @ ("cancel" | "retry" | "skip" | "roll-back" | "resume")]) => {
            with("job_id", id);
            format!("job_{}", what.replace('-', "_"))
        }
        ("GET", ["tokens"]) => "token_list".to_owned(),
        ("POST", ["tokens"]) => "token_create".to_owned(),
        ("DELETE", ["tokens", id]) => {
            with("token_id", id);
            "token_revoke".to_owned()
        }
        _ => return None,
    };
    for (key, value) in query {
        // Numbers and switches of a query are what they look like; everything else is text.
        let value = serde_json::from_str::<Value>(&value)
            .ok()
            .filter(|v| v.is_number() || v.is_boolean())
            .unwrap_or_else(|| value.into());
        params.entry(key).or_insert(value);
    }
    Some((tool, Value::Object(params)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_tools() {
        let shaped = |method: Method, path: &str| {
            let words: Vec<&str> = path.split('/').collect();
            shape(&method, &words, BTreeMap::new(), Map::new())
        };
        assert_eq!(
            shaped(Method::POST, "plans/plan_x/approve"),
            Some(("plan_approve".into(), json!({ "plan_id": "plan_x" })))
        );
        assert_eq!(
            shaped(Method::DELETE, "tokens/tok_x"),
            Some(("token_revoke".into(), json!({ "token_id": "tok_x" })))
        );
        assert_eq!(
            shaped(Method::POST, "workflows/stop"),
            Some(("auto_approval_switch".into(), json!({ "on": false })))
        );
        let job = |tool: &str| Some((tool.to_owned(), json!({ "job_id": "job_x" })));
        assert_eq!(shaped(Method::GET, "admin/jobs/job_x"), job("job_status"));
        assert_eq!(shaped(Method::POST, "admin/jobs/job_x/cancel"), job("job_cancel"));
        assert_eq!(shaped(Method::POST, "jobs/job_x/roll-back"), job("job_roll_back"));
        assert_eq!(shaped(Method::GET, "jobs/job_x/guide"), job("job_guide"));
        assert_eq!(shaped(Method::POST, "admin/plans/plan_x/approve"), None);
        assert_eq!(
            shaped(Method::POST, "plans/plan_x/rollback"),
            Some(("config_rollback_plan".into(), json!({ "plan_id": "plan_x" })))
        );
        assert_eq!(
            shaped(Method::GET, "devices/r1/history"),
            Some(("object_history".into(), json!({ "device_id": "r1" })))
        );
        assert_eq!(shaped(Method::POST, "plans/undo"), Some(("plan_undo".into(), json!({}))));
        assert_eq!(shaped(Method::PUT, "devices/r1"), None);
        assert_eq!(shaped(Method::POST, "plans/plan_x/forge"), None);
    }

    #[test]
    fn queries_are_parameters() {
        let query = [("limit", "7"), ("environment", "lab"), ("open", "true")];
        let query = query.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let (_, params) = shape(&Method::GET, &["jobs"], query, Map::new()).unwrap();
        assert_eq!(params, json!({ "environment": "lab", "limit": 7, "open": true }));
    }
}
