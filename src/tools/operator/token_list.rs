//! Lists tokens, never their secrets.

use events::{
    device::Environment,
    ids::{Moment, TokenId},
    principal::Role,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    failure::Failure,
    tools::{
        context::Cx,
        operator::ADMIN,
        page,
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// 1–1000, default 100.
    limit: Option<u32>,
    /// From `next_cursor`.
    cursor: Option<String>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

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
    next_cursor: Option<String>,
}

pub struct TokenList;

impl Tool for TokenList {
    const SPEC: Spec = Spec::operator(
        "token_list",
        "List tokens",
        "Bearer tokens without their secrets, newest first.",
        Kind::Read,
        ADMIN,
    );
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let limit = page::limit(params.limit, 100, 1000)?;
        let from = page::place(params.cursor.as_deref())?;
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
            views.state.tokens.values().rev().map(listed).collect()
        });
        let page = page::cut(tokens, from, limit);
        Ok(Answer { tokens: page.rows, total_count: page.total, next_cursor: page.next_cursor })
    }
}
