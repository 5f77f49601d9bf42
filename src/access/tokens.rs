//! Bearer tokens: text in, principal out.

use events::{ids::Moment, principal::Door};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    access::principal::{Principal, Scope},
    domain::{State, plan::hex},
    failure::{Code, Failure},
};

/// `appl_` and 64 hex digits.
const TOKEN_BYTES: usize = 69;

/// The principal that a bearer token stands for now.
///
/// # Errors
/// `unauthenticated`, always with the same sentence: nothing tells an unknown token from an ended one.
pub fn authenticate(state: &State, bearer: &str, at: Moment, door: Door) -> Result<Principal, Failure> {
    let refused = || {
        Failure::new(Code::Unauthenticated, "no valid token was shown").hint("send `Authorization: Bearer …`")
    };
    if bearer.len() != TOKEN_BYTES || !bearer.starts_with("appl_") {
        return Err(refused());
    }
    let shown = hex(&Sha256::digest(bearer.as_bytes()));
    let same = |kept: &str| bool::from(kept.as_bytes().ct_eq(shown.as_bytes()));
    let token = state.tokens.values().find(|token| same(&token.created.sha256)).ok_or_else(refused)?;
    if token.revoked || at >= token.created.expires_at {
        return Err(refused());
    }
    let created = &token.created;
    Ok(Principal {
        actor: events::principal::Actor {
            name: format!("token:{}", created.token_id),
            label: created.label.clone(),
            role: created.role,
            door,
        },
        personal: created.personal,
        environments: created.environments.clone(),
        // Checked when the token was made; what cannot be read allows nothing.
        scopes: created.device_scopes.iter().filter_map(|scope| Scope::parse(scope).ok()).collect(),
    })
}
