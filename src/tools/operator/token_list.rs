//! Lists tokens, never their secrets.

use events::{
    device::Environment,
    ids::{Moment, TokenId},
    principal::Role,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    access::principal::Kind,
    failure::Failure,
    tools::{
        context::Cx,
        operator::ADMIN,
        params::Nothing,
        tool::{Spec, Tool},
    },
};

/// A token as listed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    token_id: TokenId,
    label: String,
    role: Role,
    personal: bool,
    environments: Vec<Environment>,
    device_scopes: Vec<String>,
    created_at: Moment,
    created_by: String,
    expires_at: Moment,
    /// valid, expired or revoked.
    status: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    tokens: Vec<Listed>,
    total_count: usize,
}

pub struct TokenList;

impl Tool for TokenList {
    const SPEC: Spec = Spec::operator(
        "token_list",
        "List tokens",
        "Bearer tokens without their secrets.",
        Kind::Read,
        ADMIN,
    );
    type Params = Nothing;
    type Answer = Answer;

    async fn run(cx: &Cx, _: Nothing) -> Result<Answer, Failure> {
        let at = cx.now();
        let tokens: Vec<Listed> = cx.view(|views| {
            let listed = |token: &crate::domain::token::Token| Listed {
                token_id: token.created.token_id,
                label: token.created.label.clone(),
                role: token.created.role,
                personal: token.created.personal,
                environments: token.created.environments.clone(),
                device_scopes: token.created.device_scopes.clone(),
                created_at: token.created_at,
                created_by: token.created.by.name.clone(),
                expires_at: token.created.expires_at,
                status: match (token.revoked, at >= token.created.expires_at) {
                    (true, _) => "revoked",
                    (false, true) => "expired",
                    (false, false) => "valid",
                },
            };
            views.state.tokens.values().rev().take(200).map(listed).collect()
        });
        Ok(Answer { total_count: cx.view(|views| views.state.tokens.len()), tokens })
    }
}
