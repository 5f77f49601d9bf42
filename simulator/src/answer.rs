//! What a router says: rows, one record, a single value or a refusal — and how that looks as JSON.
//!
//! The writer is our own on purpose: RouterOS lets control characters and foreign bytes through unescaped,
//! and a well-behaved JSON library could not be talked into that.

use std::sync::Arc;

use crate::seed::as_raw_byte;
use crate::table::Record;

/// A successful answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A list of records.
    Rows(Vec<Arc<Record>>),
    /// One record or the values of a menu without records.
    One(Arc<Record>),
    /// A record that was just made, and where it can be found.
    Created(Arc<Record>, String),
    /// A single value.
    Ret(String),
    /// Done, nothing to tell: `[]`.
    Done,
    /// Done, and no body at all.
    NoContent,
}

/// A refusal with the router's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The router's text; 404 has none.
    pub detail: Option<String>,
}

impl Refusal {
    /// 400 with a text.
    pub fn bad(detail: impl Into<String>) -> Self {
        Refusal { status: 400, detail: Some(detail.into()) }
    }

    /// 404 without a text.
    pub fn missing() -> Self {
        Refusal { status: 404, detail: None }
    }

    /// 500: the user's group lacks a policy.
    pub fn denied() -> Self {
        Refusal { status: 500, detail: Some("not enough permissions (9)".to_owned()) }
    }

    /// 500: the board's mode forbids it.
    pub fn device_mode() -> Self {
        Refusal { status: 500, detail: Some("failure: not allowed by device-mode".to_owned()) }
    }

    /// 400: what an id that cannot be used gets.
    pub fn unidentified() -> Self {
        Refusal::bad("missing or invalid resource identifier")
    }

    /// 400: the sixty seconds are over.
    pub fn session_closed() -> Self {
        Refusal::bad("Session closed")
    }

    /// The text alone, as the console would print it.
    pub fn text(&self) -> &str {
        self.detail.as_deref().unwrap_or("no such item")
    }

    /// The error body.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::from(b"{");
        if let Some(detail) = &self.detail {
            out.extend(b"\"detail\":");
            write_text(&mut out, detail);
            out.push(b',');
        }
        out.extend(format!("\"error\":{},\"message\":\"{}\"}}", self.status, reason(self.status)).bytes());
        out
    }
}

/// The status line's words.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        415 => "Unsupported Media Type",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Answer::Created(..) => 201,
            Answer::NoContent => 204,
            _ => 200,
        }
    }

    /// The body; `keep` is the property list the client asked for.
    pub fn body(&self, keep: Option<&[String]>) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Answer::Rows(rows) => {
                out.push(b'[');
                for (at, row) in rows.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_record(&mut out, row, keep);
                }
                out.push(b']');
            }
            Answer::One(row) | Answer::Created(row, _) => write_record(&mut out, row, keep),
            Answer::Ret(value) => {
                out.extend(b"{\"ret\":");
                write_text(&mut out, value);
                out.push(b'}');
            }
            Answer::Done => out.extend(b"[]"),
            Answer::NoContent => {}
        }
        out
    }
}

/// The properties a client may see, `.id` first, then by name.
pub fn visible(row: &Record) -> Vec<(&str, &str)> {
    let mut props: Vec<(&str, &str)> = row.props().filter(|(key, _)| !key.starts_with('~')).collect();
    props.sort_unstable_by_key(|(key, _)| *key);
    props
}

fn write_record(out: &mut Vec<u8>, row: &Record, keep: Option<&[String]>) {
    let wanted = |key: &str| keep.is_none_or(|keep| keep.iter().any(|k| k == key));
    out.push(b'{');
    let mut first = true;
    let mut pair = |out: &mut Vec<u8>, key: &str, value: &str| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write_text(out, key);
        out.push(b':');
        write_text(out, value);
    };
    // Rows of commands and menus without records have no id.
    if row.id != Record::NO_ID {
        pair(out, ".id", &row.wire_id());
    }
    for (key, value) in visible(row).into_iter().filter(|(key, _)| wanted(key)) {
        pair(out, key, value);
    }
    out.push(b'}');
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            c => match as_raw_byte(c) {
                Some(byte) => out.push(byte),
                None => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            },
        }
    }
    out.push(b'"');
}
