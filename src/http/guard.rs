//! What every request must pass before a route sees it: a name we serve, an origin we allow, and who calls.

use events::principal::Door;
use http::{HeaderMap, Uri, header};

use crate::{
    access::{principal::Principal, tokens},
    failure::{Code, Failure},
    http::Doors,
};

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// Over TCP.
    Tcp,
    /// Over the control socket, from this local user.
    Local(u32),
}

/// The caller, or why nothing is told. `None` when no credentials were shown (open routes serve those too).
pub(super) type Caller = Result<Option<Principal>, Code>;

/// Names that always mean this machine.
fn is_loopback_name(host: &str) -> bool {
    let name = if let Some(rest) = host.strip_prefix('[') {
        rest.split(']').next().unwrap_or_default()
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    matches!(name, "localhost" | "127.0.0.1" | "::1")
}

/// Refuses requests for names that are not ours (DNS rebinding) and from pages of others.
pub(super) fn check(doors: &Doors, came: Came, headers: &HeaderMap, uri: &Uri) -> Result<(), Failure> {
    if came != Came::Tcp {
        return Ok(());
    }
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or("?"));
    let host =
        text(header::HOST).or_else(|| uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    let bare = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let ours = |known: &String| known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(bare);
    if !is_loopback_name(host) && !doors.options.public_hosts.iter().any(ours) {
        return Err(Failure::new(Code::RoleRequired, "this name is not served here")
            .hint("add it to `server.public_hosts`"));
    }
    if let Some(origin) = text(header::ORIGIN) {
        let own = origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority == host && is_loopback_name(authority));
        if !own && !doors.options.allowed_origins.iter().any(|known| known == origin) {
            return Err(Failure::new(Code::RoleRequired, "pages of this origin may not call")
                .hint("add it to `server.allowed_origins`"));
        }
    }
    Ok(())
}

/// Who calls: the bearer first, then the local user of the socket.
pub(super) fn caller(doors: &Doors, came: Came, headers: &HeaderMap, path: &str) -> Caller {
    let door = match (came, path.starts_with("/mcp")) {
        (_, true) => Door::McpHttp,
        (Came::Local(_), false) => Door::Cli,
        (Came::Tcp, false) => Door::Api,
    };
    let Some(shown) = headers.get(header::AUTHORIZATION) else {
        return Ok(match came {
            Came::Local(uid) => Some(doors.corridor.narrowed(Principal::local(uid, door))),
            Came::Tcp => None,
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
        _ => Err(Code::Unauthenticated),
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback_name;

    #[test]
    fn loopback_names_with_and_without_port() {
        for good in ["localhost", "localhost:80", "127.0.0.1:8080", "[::1]:80", "[::1]"] {
            assert!(is_loopback_name(good), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "127.0.0.2"] {
            assert!(!is_loopback_name(bad), "{bad}");
        }
    }
}
