//! Who is calling: Basic auth, the ten-minute login of the REST server, and one queue a user.
//!
//! RouterOS runs one user's requests strictly one after the other; different users do not wait for each
//! other. Passwords are looked at with every request, policies only with every login.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{Mutex, watch};

use crate::answer::Refusal;
use crate::state::{Actor, Now, Session, State};
use crate::values::{contains, show_date_time};

const LOGIN_LIFE: Duration = Duration::from_secs(600);

/// One user's queue.
#[derive(Debug)]
pub struct Lane {
    /// Held while a request runs; hands over in order of arrival.
    pub queue: Mutex<()>,
    /// Counts how often the sixty seconds ran out; those who wait fail with it.
    pub closed: watch::Sender<u64>,
}

impl Default for Lane {
    fn default() -> Self {
        Lane { queue: Mutex::new(()), closed: watch::Sender::new(0) }
    }
}

/// Name and password of a Basic header.
pub fn credentials(header: Option<&str>) -> Option<(String, String)> {
    let encoded = header?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Whether the box knows this user and password from this address.
pub fn known(state: &mut State, user: &str, password: &str, from: SocketAddr) -> bool {
    let Some(row) = state.table("/user").named(user).cloned() else { return false };
    let allowed = row.text("address");
    let near = allowed.is_empty() || allowed.split(',').any(|net| contains(net, &from.ip().to_string()));
    row.text("password") == password && !row.is("disabled") && near
}

/// The login that stands, or a new one.
pub fn log_in(state: &mut State, user: &str, from: SocketAddr, now: Now) -> Result<Actor, Refusal> {
    let stale = |session: &Session| now.since_start.saturating_sub(session.since) >= LOGIN_LIFE;
    if state.sessions.get(user).is_none_or(stale) {
        let group =
            state.table("/user").named(user).map(|row| row.text("group").to_owned()).unwrap_or_default();
        let policies: Vec<String> = state
            .table("/user/group")
            .named(&group)
            .map(|row| {
                row.text("policy").split(',').filter(|p| !p.starts_with('!')).map(str::to_owned).collect()
            })
            .unwrap_or_default();
        let has = |name: &str| policies.iter().any(|policy| policy == name);
        if !has("rest-api") || !has("api") {
            return Err(Refusal { status: 500, detail: Some("std failure: not allowed (9)".to_owned()) });
        }
        let line = format!("user {user} logged in from {} via rest-api", from.ip());
        state.log("system,info,account", &line, now);
        let session = Session {
            since: now.since_start,
            when: show_date_time(now.unix_s),
            policies,
            group,
            from: from.ip().to_string(),
        };
        state.sessions.insert(user.to_owned(), session);
    }
    let policies = state.sessions.get(user).map(|session| session.policies.clone()).unwrap_or_default();
    Ok(Actor { user: user.to_owned(), policies })
}
