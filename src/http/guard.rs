//! What every request must pass before a route sees it: a name we serve, an origin we allow, and who calls.

use std::net::IpAddr;

use events::{ids::TokenId, principal::Door};
use http::{HeaderMap, header};

use crate::{
    access::{principal::Principal, tokens},
    failure::{Code, Failure},
    http::{Doors, host::Host},
    tools::call::Corridor,
};

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// Over TCP, from this address.
    Tcp(IpAddr),
    /// Over the control socket, from this local user.
    Local(u32),
}

/// The caller, or why nothing is told. `None` when no credentials were shown (open routes serve those too).
pub(super) type Caller = Result<Option<Principal>, Code>;

/// Refuses requests for names that are not ours (DNS rebinding) and from pages of others.
pub(super) fn check(
    doors: &Doors,
    came: Came,
    host: Option<&Host>,
    headers: &HeaderMap,
) -> Result<(), Failure> {
    if !matches!(came, Came::Tcp(_)) {
        return Ok(());
    }
    let Some(host) = host else {
        return Err(Failure::new(Code::InvalidParams, "the request names no host, or more than one")
            .hint("send one `Host` header: a name or address, and a port where it is not the default"));
    };
    if !host.is_loopback() && !doors.options.public_hosts.iter().any(|known| host.is(known)) {
        return Err(Failure::new(Code::RoleRequired, "this name is not served here")
            .hint("add it to `server.public_hosts`"));
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if let Some(origin) = origins.next() {
        let origin = origin.to_str().unwrap_or("?");
        let own = origin.split_once("://").is_some_and(|(scheme, authority)| {
            scheme == "http" && host.is_loopback() && authority.eq_ignore_ascii_case(&host.text)
        });
        let allowed = own || doors.options.allowed_origins.iter().any(|known| known == origin);
        if !allowed || origins.next().is_some() {
            return Err(Failure::new(Code::RoleRequired, "pages of this origin may not call")
                .hint("add it to `server.allowed_origins`"));
        }
    }
    Ok(())
}

/// Where this appliance is, as clients reach it; without a slash at the end.
pub(super) fn base_url(doors: &Doors, host: Option<&Host>) -> String {
    if !doors.options.public_url.is_empty() {
        return doors.options.public_url.trim_end_matches('/').to_owned();
    }
    format!("http://{}", host.map_or("localhost", |host| host.text.as_str()))
}

/// Ends when the principal's token was revoked or has expired: what is still being sent to it must stop then.
pub(super) async fn ended(corridor: Corridor, principal: Principal) -> &'static str {
    let token: Option<TokenId> =
        principal.actor.name.strip_prefix("token:").and_then(|token| token.parse().ok());
    let Some(token) = token else { return std::future::pending().await };
    let engine = &corridor.shared().engine;
    let expires = engine.view(|views| views.state.tokens.get(&token).map(|token| token.created.expires_at));
    let Some(expires) = expires else { return "the token is unknown" };
    let left = u64::try_from(expires.micros_since(corridor.now())).unwrap_or(0);
    let revoked = engine.wait_until(|views| {
        let revoked = views.state.tokens.get(&token).is_none_or(|token| token.revoked);
        revoked.then_some(())
    });
    tokio::select! {
        _ = revoked => "the token was revoked",
        () = tokio::time::sleep(std::time::Duration::from_micros(left)) => "the token has expired",
    }
}

/// Who calls: the bearer first, then the local user of the socket.
pub(super) fn caller(doors: &Doors, came: Came, headers: &HeaderMap, path: &str) -> Caller {
    let door = match (came, path.starts_with("/mcp")) {
        (_, true) => Door::McpHttp,
        (Came::Local(_), false) => Door::Cli,
        (Came::Tcp(_), false) => Door::Api,
    };
    let Some(shown) = headers.get(header::AUTHORIZATION) else {
        return Ok(match came {
            Came::Local(uid) => Some(doors.corridor.narrowed(Principal::local(uid, door))),
            Came::Tcp(_) => None,
        });
    };
    let bearer = shown.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let at = doors.corridor.now();
    let engine = &doors.corridor.shared().engine;
    let found = bearer.map(|token| engine.view(|views| tokens::authenticate(&views.state, token, at, door)));
    match found {
        Some(Ok(principal)) => Ok(Some(doors.corridor.narrowed(principal))),
        _ => {
            let from = match came {
                Came::Tcp(ip) => ip.to_string(),
                Came::Local(uid) => format!("local:{uid}"),
            };
            doors.knocks.refused(&doors.corridor, door, from);
            Err(Code::Unauthenticated)
        }
    }
}
