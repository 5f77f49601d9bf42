//! Ends a token at once.

use events::ids::TokenId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::{Kind, Scope},
    domain::Command,
    failure::Failure,
    tools::{
        context::Cx,
        operator::ADMIN,
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    token_id: TokenId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    token_id: TokenId,
    status: &'static str,
}

pub struct TokenRevoke;

impl Tool for TokenRevoke {
    const SPEC: Spec =
        Spec::operator("token_revoke", "Revoke a token", "Ends a bearer token at once.", Kind::Write, ADMIN)
            .idempotent()
            .destructive();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let reach = cx.view(|views| {
            views.state.tokens.get(&params.token_id).map(|token| {
                let scopes = token.created.device_scopes.iter().filter_map(|scope| Scope::parse(scope).ok());
                (token.created.environments.clone(), scopes.collect::<Vec<_>>())
            })
        });
        // Whoever may not make a token may not end it either.
        if let Some((environments, scopes)) = reach {
            cx.principal().may_grant(&environments, &scopes)?;
        }
        cx.submit(Command::RevokeToken { token_id: params.token_id }).await?;
        Ok(Answer { token_id: params.token_id, status: "revoked" })
    }
}
