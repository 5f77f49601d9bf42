//! Rules about bearer tokens. Only hashes are known here.

use events::{
    access::{TokenCreated, TokenRevoked},
    event::Event,
    ids::{Moment, TokenId},
    principal::{Actor, Role},
};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Refusal, State},
    failure::Code,
};

/// A token's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// How it was made.
    pub created: TokenCreated,
    /// When it was made.
    pub created_at: Moment,
    /// Ended before its time.
    pub revoked: bool,
}

pub(super) fn create(state: &State, created: TokenCreated, at: Moment) -> Result<Vec<Event>, Refusal> {
    let label_chars = created.label.chars().count();
    if label_chars == 0 || label_chars > 64 || created.label.chars().any(char::is_control) {
        return Err(Refusal::new(Code::InvalidParams, "`label`: 1–64 printable characters"));
    }
    if created.role == Role::Approver && !created.personal {
        return Err(Refusal::new(
            Code::InvalidParams,
            "`personal`: an approver token stands for a named person, so it must be personal",
        ));
    }
    if created.expires_at <= at {
        return Err(Refusal::new(Code::InvalidParams, "`expires`: lies in the past"));
    }
    if state.tokens.contains_key(&created.token_id) {
        return Err(Refusal::new(Code::AlreadyExists, "this token id exists already"));
    }
    Ok(vec![created.into()])
}

pub(super) fn revoke(state: &State, actor: &Actor, token_id: TokenId) -> Result<Vec<Event>, Refusal> {
    let token = state
        .tokens
        .get(&token_id)
        .ok_or_else(|| Refusal::new(Code::NotFound, format!("there is no token `{token_id}`")))?;
    if token.revoked {
        return Ok(Vec::new());
    }
    Ok(vec![TokenRevoked { token_id, by: actor.clone() }.into()])
}

pub(super) fn apply(state: &mut State, event: &Event) {
    match event {
        Event::TokenCreated(e) => {
            // Ids carry their time, so the moment of creation needs no field of its own.
            let created_at =
                Moment::from_micros(i64::try_from((e.token_id.to_u128() >> 80) * 1000).unwrap_or(0));
            state.tokens.insert(e.token_id, Token { created: e.clone(), created_at, revoked: false });
        }
        Event::TokenRevoked(e) => {
            if let Some(token) = state.tokens.get_mut(&e.token_id) {
                token.revoked = true;
            }
        }
        _ => {}
    }
}
