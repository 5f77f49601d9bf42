//! Makes a bearer token; it is shown once.

use events::{
    access::TokenCreated,
    device::Environment,
    ids::{Moment, TokenId},
    principal::{Door, Role},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    access::principal::{Kind, Scope},
    domain::{Command, plan::hex},
    engine::{clock, mint},
    failure::{Code, Failure},
    tools::{
        context::Cx,
        operator::ADMIN,
        params::{DeviceRef, List, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The person or program it is for.
    label: Text<1, 64>,
    role: Role,
    /// It stands for a named person (needed for approvers).
    #[serde(default)]
    personal: bool,
    /// Environments it may touch; empty means none.
    environments: Vec<Environment>,
    /// Device ids, `group:NAME` (the tag `group`), `tag:key=value`, or `*`; empty means none.
    device_scopes: List<Text<1, 160>, 0, 256>,
    /// 1–366, default 90.
    expires_days: Option<u32>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    token_id: TokenId,
    /// Shown now and never again.
    token: String,
    label: String,
    role: Role,
    expires_at: Moment,
}

pub struct TokenCreate;

impl Tool for TokenCreate {
    const SPEC: Spec = Spec::operator(
        "token_create",
        "Create a token",
        "Makes a bearer token, shown once.",
        Kind::Write,
        ADMIN,
    );
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let days = params.expires_days.unwrap_or(90);
        if !(1..=366).contains(&days) {
            return Err(Failure::param("expires_days", format!("1–366, got {days}")));
        }
        // A local principal never makes tokens, whatever its role became.
        if !cx.principal().actor.name.starts_with("token:") && cx.principal().actor.door != Door::System {
            return Err(Failure::new(Code::RoleRequired, "making tokens needs an admin token"));
        }
        let device_scopes: Vec<String> = params.device_scopes.0.into_iter().map(|scope| scope.0).collect();
        let scopes: Vec<Scope> = device_scopes
            .iter()
            .map(|scope| Scope::parse(scope).map_err(|why| Failure::param("device_scopes", why)))
            .collect::<Result<_, _>>()?;
        cx.principal().may_grant(&params.environments, &scopes)?;
        let token = format!("appl_{:032x}{:032x}", clock::random(), clock::random());
        let created = TokenCreated {
            token_id: mint!(TokenId),
            label: params.label.0,
            role: params.role,
            personal: params.personal,
            environments: params.environments,
            device_scopes,
            sha256: hex(&Sha256::digest(token.as_bytes())),
            expires_at: cx.now().plus_secs(i64::from(days) * 86_400),
            by: cx.principal().actor.clone(),
        };
        let (token_id, expires_at, label) = (created.token_id, created.expires_at, created.label.clone());
        cx.submit(Command::CreateToken(created)).await?;
        Ok(Answer { token_id, token, label, role: params.role, expires_at })
    }

    fn say(answer: &Answer) -> String {
        format!("{} made; the token is shown once", answer.token_id)
    }
}
