//! RouterOS's REST on the wire: one request, one answer, one meaning.
//!
//! Builds URLs (record ids go raw, with their star), sends, and maps statuses and words to [`RouterError`]. Knows no
//! queue, no retry and no deadline of a caller: lanes do. A request that was sent is always followed to its end, because
//! RouterOS carries it out whether or not somebody waits.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use events::operation::{Action, Property};
use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};

use crate::routeros::{
    error::{Garble, RouterError},
    hosts::{Hosts, PinnedResolver, Presence},
    json::{self, BODY_MAX, Body, JsonError},
    port::Ask,
    text::Untrusted,
    tls::{TlsTrouble, tls_trouble},
};

/// RouterOS ends a request after 60 s (FACTS 1.1); five more for the way.
const WALL: Duration = Duration::from_secs(65);
/// Unused connections are closed after this long: well below the 10 minutes for which the router keeps a login.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// A router user's name and password.
pub(super) struct Login {
    pub user: String,
    pub password: SecretString,
}

/// One request, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub method: Method,
    /// Path and query below the root, encoded.
    pub path: String,
    /// JSON body; every value is text.
    pub body: Option<String>,
}

/// The client for all devices.
#[derive(Debug, Clone)]
pub(super) struct RestClient(reqwest::Client);

impl RestClient {
    /// A client whose names, addresses and certificates all come from `hosts`.
    pub(super) fn new(
        hosts: &Arc<Hosts>,
        tls: rustls::ClientConfig,
        connect_timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(PinnedResolver(Arc::clone(hosts))))
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE_MAX)
            .user_agent(concat!("appliance/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
    }

    /// Sends one request and follows it to its end. `note` hears where it stands.
    pub(super) async fn send(
        &self,
        at: &Presence,
        tls: bool,
        login: &Login,
        request: Request,
        note: impl Fn(&'static str) + Send,
    ) -> Result<Body, RouterError> {
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://{}:{}{}", at.host(), at.port(), request.path);
        let writes = request.method != Method::GET;
        let mut building = self
            .0
            .request(request.method, url)
            .timeout(WALL)
            .header(header::HOST, at.authority())
            .header(header::ACCEPT, "application/json")
            .basic_auth(&login.user, Some(login.password.expose_secret()));
        if let Some(body) = request.body {
            building = building.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = building.send().await.map_err(sending_failed)?;
        note("lane.write.after_head");
        let status = response.status();
        let page = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/html"));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(error, writes))? {
            if bytes.len() + chunk.len() > BODY_MAX {
                return Err(Garble::Json(JsonError::TooLong).into());
            }
            bytes.extend_from_slice(&chunk);
        }
        note("lane.write.after_body");
        meaning(status, page, &bytes)
    }
}

/// The request could not be sent whole, or no answer began.
fn sending_failed(error: reqwest::Error) -> RouterError {
    let error = error.without_url();
    match tls_trouble(&error) {
        Some(TlsTrouble::Mismatch { seen_sha256 }) => return RouterError::Mismatch { seen_sha256 },
        Some(TlsTrouble::Handshake) if error.is_connect() => return RouterError::Handshake(error.into()),
        _ => {}
    }
    if error.is_connect() {
        RouterError::Unreachable(error.into())
    } else if error.is_timeout() {
        RouterError::Timeout
    } else if error.is_builder() {
        Garble::Unsendable.into()
    } else {
        RouterError::Lost(error.into())
    }
}

/// The answer began and did not end.
fn lost(error: reqwest::Error, _writes: bool) -> RouterError {
    let error = error.without_url();
    if error.is_timeout() { RouterError::Timeout } else { RouterError::Lost(error.into()) }
}

/// What an answer means (FACTS 1.1 and 1.2).
pub(super) fn meaning(status: StatusCode, page: bool, bytes: &[u8]) -> Result<Body, RouterError> {
    let code = status.as_u16();
    if status == StatusCode::UNAUTHORIZED {
        return Err(RouterError::Auth);
    }
    let parsed = match json::parse(bytes) {
        Ok(body) if !page => Ok(body),
        Ok(_) | Err(JsonError::Html) => return Err(RouterError::NotRest { status: code }),
        Err(error) => Err(error),
    };
    if status.is_success() {
        return parsed.map_err(|error| Garble::Json(error).into());
    }
    let row = parsed.ok().and_then(|body| body.rows.into_iter().next()).unwrap_or_default();
    let words = row.get("detail").or_else(|| row.get("message")).map(|text| Untrusted::new(text));
    let Some(words) = words else {
        return Err(if status == StatusCode::NOT_FOUND {
            RouterError::Absent { status: code, words: Untrusted::default() }
        } else {
            Garble::Wordless(code).into()
        });
    };
    Err(spoken(code, words))
}

/// RouterOS's own words for a refusal. The status alone tells too little: a missing policy is a 500.
fn spoken(status: u16, words: Untrusted) -> RouterError {
    let says = |text: &str| words.expose().contains(text);
    if says("Session closed") {
        RouterError::Wall
    } else if says("not enough permissions") || says("not allowed (9)") {
        RouterError::Forbidden { status, words }
    } else if status == 404 || says("no such command") || says("no such item") {
        RouterError::Absent { status, words }
    } else {
        RouterError::Refused { status, words }
    }
}

/// Encodes one segment of a path or one part of a query. The star stays: `%2A` in an id is refused by RouterOS.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~*,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// `/ip/dns` → `/rest/ip/dns`, each segment encoded.
fn base(menu: &str) -> String {
    menu.split('/')
        .filter(|segment| !segment.is_empty())
        .fold("/rest".to_owned(), |path, segment| format!("{path}/{}", encoded(segment)))
}

fn object(properties: &[Property]) -> String {
    let object: serde_json::Map<_, _> =
        properties.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    serde_json::Value::Object(object).to_string()
}

/// The request that asks a question.
pub(super) fn request_of_ask(ask: &Ask) -> Request {
    match ask {
        Ask::Print { menu, properties, filters } => {
            let mut path = base(menu);
            let mut sign = '?';
            if !properties.is_empty() {
                let _ = write!(path, "?.proplist={}", encoded(&properties.join(",")));
                sign = '&';
            }
            for (name, value) in filters {
                let _ = write!(path, "{sign}{}={}", encoded(name), encoded(value));
                sign = '&';
            }
            Request { method: Method::GET, path, body: None }
        }
        Ask::Record { menu, id } => {
            Request { method: Method::GET, path: format!("{}/{}", base(menu), encoded(id)), body: None }
        }
        Ask::Command { menu, command, arguments } => looking_request(menu, command, arguments),
    }
}

fn command_request(menu: &str, command: &str, arguments: &[Property]) -> Request {
    let path = format!("{}/{}", base(menu), encoded(command));
    Request { method: Method::POST, path, body: Some(object(arguments)) }
}

/// A command that looks: the words of a query, one argument each, travel as a list.
fn looking_request(menu: &str, command: &str, arguments: &[Property]) -> Request {
    let (words, plain): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|(name, _)| name == ".query");
    let mut request = command_request(menu, command, &plain);
    if !words.is_empty() {
        let words: Vec<String> = words.into_iter().map(|(_, word)| word).collect();
        let mut object: serde_json::Map<_, _> =
            plain.into_iter().map(|(name, value)| (name, value.into())).collect();
        object.insert(".query".to_owned(), words.into());
        request.body = Some(serde_json::Value::Object(object).to_string());
    }
    request
}

/// The request that carries an action out. A menu without records refuses PATCH, so it is set by command.
pub(super) fn request_of_action(action: &Action) -> Request {
    match action {
        Action::SetSingleton { menu, properties } => command_request(menu, "set", properties),
        Action::Command { menu, command, properties } => command_request(menu, command, properties),
        Action::Set { menu, id, properties } => Request {
            method: Method::PATCH,
            path: format!("{}/{}", base(menu), encoded(id)),
            body: Some(object(properties)),
        },
        Action::Add { menu, properties } => {
            Request { method: Method::PUT, path: base(menu), body: Some(object(properties)) }
        }
        Action::Remove { menu, id } => {
            Request { method: Method::DELETE, path: format!("{}/{}", base(menu), encoded(id)), body: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> RouterError {
        meaning(StatusCode::from_u16(status).unwrap(), false, body.as_bytes()).unwrap_err()
    }

    #[test]
    fn ids_keep_their_star_and_everything_else_is_encoded() {
        let request = request_of_action(&Action::Set {
            menu: "/ip/firewall/filter".into(),
            id: "*1F".into(),
            properties: vec![("comment".into(), "a \"b\"".into())],
        });
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("PATCH", "/rest/ip/firewall/filter/*1F")
        );
        assert_eq!(request.body.as_deref(), Some(r#"{"comment":"a \"b\""}"#));
        let url = reqwest::Url::parse(&format!("http://x{}", request.path)).unwrap();
        assert!(url.as_str().ends_with("/*1F"), "the URL library leaves the star alone: {url}");
        let named = request_of_ask(&Ask::Record { menu: "/file".into(), id: "disk1/a b".into() });
        assert_eq!(named.path, "/rest/file/disk1%2Fa%20b");
    }

    #[test]
    fn menus_without_records_are_set_by_command() {
        let request = request_of_action(&Action::SetSingleton {
            menu: "/ip/dns".into(),
            properties: vec![("servers".into(), "9.9.9.9".into())],
        });
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/rest/ip/dns/set"));
    }

    #[test]
    fn questions_name_properties_and_filters() {
        let ask = Ask::Print {
            menu: "/interface".into(),
            properties: vec!["name".into(), "type".into()],
            filters: vec![("running".into(), "true".into()), ("name".into(), "a&b=c".into())],
        };
        assert_eq!(
            request_of_ask(&ask).path,
            "/rest/interface?.proplist=name,type&running=true&name=a%26b%3Dc"
        );
    }

    #[test]
    fn words_of_a_query_travel_as_a_list() {
        let ask = Ask::Command {
            menu: "/ip/route".into(),
            command: "print".into(),
            arguments: vec![
                ("count-only".into(), String::new()),
                (".query".into(), "static=true".into()),
                (".query".into(), "#!".into()),
            ],
        };
        let request = request_of_ask(&ask);
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/rest/ip/route/print"));
        assert_eq!(request.body.as_deref(), Some(r##"{"count-only":"",".query":["static=true","#!"]}"##));
    }

    #[test]
    fn statuses_and_words_are_told_apart() {
        assert!(matches!(error(401, ""), RouterError::Auth));
        assert!(matches!(error(403, "<html>no</html>"), RouterError::NotRest { status: 403 }));
        assert!(matches!(error(200, "<!DOCTYPE html><html>"), RouterError::NotRest { status: 200 }));
        assert!(matches!(error(404, r#"{"error":404,"message":"Not Found"}"#), RouterError::Absent { .. }));
        let bad = |detail: &str| {
            error(400, &format!(r#"{{"error":400,"message":"Bad Request","detail":"{detail}"}}"#))
        };
        assert!(matches!(bad("Session closed"), RouterError::Wall));
        assert!(matches!(bad("no such command or directory (wifi)"), RouterError::Absent { .. }));
        assert!(matches!(bad("failure: already have such entry"), RouterError::Refused { .. }));
        assert!(matches!(bad("missing or invalid resource identifier"), RouterError::Refused { .. }));
        let internal = |detail: &str| {
            error(500, &format!(r#"{{"error":500,"message":"Internal Server Error","detail":"{detail}"}}"#))
        };
        assert!(matches!(internal("not enough permissions (9)"), RouterError::Forbidden { .. }));
        assert!(matches!(internal("std failure: not allowed (9)"), RouterError::Forbidden { .. }));
        assert!(matches!(internal("failure: not allowed by device-mode"), RouterError::Refused { .. }));
        assert!(matches!(error(200, r#"[{"name":"a"#), RouterError::Garbled(_)));
        assert!(matches!(error(502, ""), RouterError::Garbled(_)));
    }

    #[test]
    fn words_of_routers_are_cleaned() {
        let RouterError::Refused { words, .. } =
            error(400, "{\"error\":400,\"detail\":\"failure: \\u001b[31mred\"}")
        else {
            panic!("a refusal")
        };
        assert!(!words.expose().contains('\u{1b}'), "{words:?}");
    }

    #[test]
    fn empty_answers_objects_and_ret_are_answers() {
        let ok = |text: &str| meaning(StatusCode::OK, false, text.as_bytes()).unwrap();
        assert_eq!(ok(""), Body::default());
        assert_eq!(ok("[]"), Body::default());
        assert_eq!(ok(r#"{"ret":"5"}"#).ret.as_deref(), Some("5"));
        assert_eq!(ok(r#"{"name":"x"}"#).rows.len(), 1);
    }
}
