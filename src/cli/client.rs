//! The way from a command to a tool: through the running appliance, or with the store opened here.

use std::path::PathBuf;

use bytes::Bytes;
use events::principal::Door;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::{
    access::{principal::Principal, tokens},
    appliance::Appliance,
    cli::Common,
    engine::clock,
    failure::{Code, Failure},
    tools::call::Call,
};

/// Where tools are called.
pub(super) enum Client {
    /// A daemon runs: through its control socket.
    Daemon {
        /// The socket.
        socket: PathBuf,
        /// The bearer, if one was given.
        bearer: Option<String>,
    },
    /// Nobody holds the store: it is open here.
    InProcess {
        /// The open house.
        house: Box<Appliance>,
        /// Who calls.
        principal: Box<Principal>,
    },
}

/// The bearer of this command: from a file, or from the environment.
pub(super) fn bearer(common: &Common) -> Result<Option<String>, Failure> {
    if let Some(file) = &common.token_file {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::new(
                Code::InvalidConfig,
                format!("the token file {} cannot be read: {error}", file.display()),
            )
        })?;
        return Ok(Some(text.trim().to_owned()));
    }
    Ok(std::env::var("APPLIANCE_TOKEN").ok().filter(|token| !token.is_empty()))
}

/// The user that runs this process. Not the owner of `/proc/self`: that is root for a process that nobody may look into.
pub(super) fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

impl Client {
    /// A client for the configured state directory.
    pub(super) async fn open(common: &Common) -> Result<Self, Failure> {
        let config = common.load()?;
        let bearer = bearer(common)?;
        let socket = config.store.control_socket();
        if UnixStream::connect(&socket).await.is_ok() {
            return Ok(Self::Daemon { socket, bearer });
        }
        let house = Box::new(Appliance::open(&config).await?);
        let principal = match bearer {
            None => Principal::local(uid(), Door::Cli),
            Some(token) => house
                .engine()
                .view(|views| tokens::authenticate(&views.state, &token, clock::now(), Door::Cli))?,
        };
        Ok(Self::InProcess { house, principal: Box::new(principal) })
    }

    /// Calls a tool.
    pub(super) async fn call(&self, tool: &str, params: Value) -> Result<Value, Failure> {
        match self {
            Self::InProcess { house, principal } => {
                let call = Call {
                    principal: (**principal).clone(),
                    tool: tool.to_owned(),
                    params,
                    cancel: CancellationToken::new(),
                    progress: None,
                };
                house.corridor().call(call).await.map(|answered| answered.value)
            }
            Self::Daemon { socket, bearer } => {
                let path = format!(
                    "/api/tools/{}",
                    tool.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_")
                );
                request(socket, bearer.as_deref(), "POST", &path, params.to_string()).await
            }
        }
    }

    /// What `GET /api/tools` says.
    pub(super) async fn tools(&self) -> Result<Value, Failure> {
        match self {
            Self::Daemon { socket, bearer } => {
                request(socket, bearer.as_deref(), "GET", "/api/tools", String::new()).await
            }
            Self::InProcess { house, principal } => {
                let tools: Vec<Value> = house
                    .corridor()
                    .visible(principal)
                    .into_iter()
                    .map(|def| serde_json::json!({ "name": def.spec.name, "title": def.spec.title, "description": def.spec.description, "tier": def.spec.demand.tier.as_str() }))
                    .collect();
                Ok(serde_json::json!({ "tools": tools }))
            }
        }
    }

    /// Closes the store if it was opened here.
    pub(super) async fn close(self) -> Result<(), Failure> {
        match self {
            Self::InProcess { house, .. } => house.stop().await,
            Self::Daemon { .. } => Ok(()),
        }
    }

    /// Opens, calls once, closes.
    pub(super) async fn once(common: &Common, tool: &str, params: Value) -> Result<Value, Failure> {
        common.start_log("warn", false)?;
        let client = Self::open(common).await?;
        let answer = client.call(tool, params).await;
        client.close().await?;
        answer
    }
}

async fn request(
    socket: &std::path::Path,
    bearer: Option<&str>,
    method: &str,
    path: &str,
    body: String,
) -> Result<Value, Failure> {
    let lost = |error: Box<dyn std::error::Error + Send + Sync>| {
        Failure::new(Code::StoreUnusable, "the running appliance did not answer").log(error)
    };
    let stream = UnixStream::connect(socket).await.map_err(|error| lost(error.into()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| lost(error.into()))?;
    let driving = tokio::spawn(connection);
    let mut building = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json");
    if let Some(bearer) = bearer {
        building = building.header("authorization", format!("Bearer {bearer}"));
    }
    let request = building.body(Full::new(Bytes::from(body))).map_err(|error| {
        Failure::new(Code::InvalidParams, "the token has characters that cannot be sent").log(error)
    })?;
    let response = sender.send_request(request).await.map_err(|error| lost(error.into()))?;
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(|error| lost(error.into()))?.to_bytes();
    driving.abort();
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| lost(error.into()))?;
    if status.is_success() { Ok(value) } else { Err(failure_of(&value)) }
}

/// A failure from its form.
fn failure_of(value: &Value) -> Failure {
    let word = value["code"].as_str().unwrap_or_default();
    let code = Code::ALL.iter().copied().find(|code| code.as_str() == word).unwrap_or(Code::Bug);
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    let mut failure =
        Failure::new(code, text("message").unwrap_or_else(|| "the appliance answered without words".into()));
    failure.hint = text("hint").map(Into::into);
    failure.details = value.get("details").cloned();
    failure.retry_after = value["retry_after_s"].as_f64().map(std::time::Duration::from_secs_f64);
    failure.device_id = value["device_id"].as_str().and_then(|id| id.parse().ok());
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_its_way() {
        let sent = Failure::new(Code::DeviceInJob, "held")
            .hint("wait")
            .details(serde_json::json!({ "job_id": "j" }));
        let got = failure_of(&sent.to_json());
        assert_eq!(
            (got.code, got.say.as_ref(), got.hint.as_deref()),
            (Code::DeviceInJob, "held", Some("wait"))
        );
        assert_eq!(got.details, sent.details);
        assert_eq!(failure_of(&Value::Null).code, Code::Bug);
    }
}
