//! Answers: JSON, failures, and the headers that every answer carries.

use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use warp::reply::{Reply as _, Response};

use crate::failure::{Code, Failure};

/// JSON with a status.
pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    let mut response = warp::reply::json(value).into_response();
    *response.status_mut() = status;
    response
}

/// A failure in its form, with `Retry-After` where it belongs.
pub(super) fn failure(failure: &Failure) -> Response {
    let status =
        StatusCode::from_u16(failure.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, &failure.to_json());
    if let Some(after) = failure.retry_after {
        let seconds = after.as_secs_f64().ceil().max(1.0).to_string();
        if let Ok(value) = HeaderValue::from_str(&seconds) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
    }
    response
}

/// No valid credentials.
pub(super) fn unauthenticated() -> Response {
    failure(
        &Failure::new(Code::Unauthenticated, "no valid token was shown")
            .hint("send `Authorization: Bearer …`"),
    )
}

/// Nothing here.
pub(super) fn not_found() -> Response {
    failure(&Failure::new(Code::NotFound, "there is nothing at this path"))
}

/// Text.
pub(super) fn text(kind: &'static str, body: String) -> Response {
    warp::reply::with_header(body, header::CONTENT_TYPE, kind).into_response()
}

/// The headers that every answer carries; a refused sign-in also says where to learn how to sign in (RFC 9728 5.1), and
/// that a token was `shown` which is not valid (RFC 6750 3.1).
pub(super) fn secured(mut response: Response, shown: bool, base_url: impl FnOnce() -> String) -> Response {
    let refused = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if refused {
        let about = format!("{}/.well-known/oauth-protected-resource/mcp", base_url());
        let error = if shown { "error=\"invalid_token\", " } else { "" };
        let challenge = format!("Bearer {error}resource_metadata=\"{about}\"");
        // Only what was checked stands in it, so it is a header's value.
        let challenge = HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Bearer"));
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
