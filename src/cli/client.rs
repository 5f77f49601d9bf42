//! The way from a command to a tool: through the running appliance, or with the store opened here.

use std::path::PathBuf;

use events::principal::Door;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::{
    access::{principal::Principal, tokens},
    appliance::Appliance,
    cli::{Common, serve, wire},
    engine::clock,
    failure::{Code, Failure},
    tools::call::Call,
};

/// Rows asked for at a time; an answer may hold fewer.
const PAGE: usize = 500;

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

/// What a person hears who stopped a command.
pub(super) fn interrupted() -> Failure {
    Failure::new(Code::Cancelled, "interrupted; a step that was in hand is finished first")
        .hint("`appliance job list --open` shows what is not over")
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
        let known = match bearer {
            None => Ok(Principal::local(uid(), Door::Cli)),
            Some(token) => house
                .engine()
                .view(|views| tokens::authenticate(&views.state, &token, clock::now(), Door::Cli)),
        };
        match known {
            Ok(principal) => Ok(Self::InProcess { house, principal: Box::new(principal) }),
            Err(failure) => {
                house.stop().await?;
                Err(Failure { hint: Some("the token is unknown, revoked or expired".into()), ..failure })
            }
        }
    }

    /// The house, when the store is open here.
    pub(super) fn house(&self) -> Option<&Appliance> {
        match self {
            Self::InProcess { house, .. } => Some(house),
            Self::Daemon { .. } => None,
        }
    }

    /// Calls a tool. Where the store is open here, an interruption lets the step in hand finish.
    pub(super) async fn call(&self, tool: &str, params: Value) -> Result<Value, Failure> {
        match self {
            Self::InProcess { house, principal } => {
                let stop = serve::shutdown_on_signals()?;
                let cancel = CancellationToken::new();
                let call = Call {
                    principal: (**principal).clone(),
                    tool: tool.to_owned(),
                    params,
                    client: wire::PRODUCT.into(),
                    cancel: cancel.clone(),
                    progress: None,
                };
                tokio::select! {
                    answered = house.corridor().call(call) => answered.map(|answered| answered.value),
                    () = stop.cancelled() => {
                        cancel.cancel();
                        Err(interrupted())
                    }
                }
            }
            Self::Daemon { socket, bearer } => {
                let path = format!(
                    "/api/tools/{}",
                    tool.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_")
                );
                wire::request(socket, bearer.as_deref(), "POST", &path, params.to_string()).await
            }
        }
    }

    /// Calls a tool that lists, page after page, until `limit` rows are there or none are left. The answer is that of
    /// the last page with all rows; its `next_cursor` is set when rows are left.
    pub(super) async fn rows(
        &self,
        tool: &str,
        mut params: Value,
        field: &str,
        limit: Option<usize>,
    ) -> Result<Value, Failure> {
        let mut all = Vec::new();
        loop {
            let wanted = limit.map_or(PAGE, |limit| (limit - all.len()).min(PAGE));
            params["limit"] = wanted.into();
            let mut answer = self.call(tool, params.clone()).await?;
            if let Value::Array(rows) = answer[field].take() {
                all.extend(rows);
            }
            let cursor = answer["next_cursor"].clone();
            let ended = cursor.is_null() || cursor == params["cursor"];
            if ended || limit.is_some_and(|limit| all.len() >= limit) {
                if answer.get("returned_count").is_some() {
                    answer["returned_count"] = all.len().into();
                }
                answer[field] = Value::Array(all);
                return Ok(answer);
            }
            params["cursor"] = cursor;
        }
    }

    /// What `GET /api/tools` says.
    pub(super) async fn tools(&self) -> Result<Value, Failure> {
        match self {
            Self::Daemon { socket, bearer } => {
                wire::request(socket, bearer.as_deref(), "GET", "/api/tools", String::new()).await
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

    /// Opens, lists, closes.
    pub(super) async fn list(
        common: &Common,
        tool: &str,
        params: Value,
        field: &str,
        limit: Option<usize>,
    ) -> Result<Value, Failure> {
        common.start_log("warn", false)?;
        let client = Self::open(common).await?;
        let answer = client.rows(tool, params, field, limit).await;
        client.close().await?;
        answer
    }
}
