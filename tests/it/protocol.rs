//! A client of the protocol over HTTP, in both of its eras: sessions that begin with `initialize`, and requests that stand
//! alone.

use serde_json::{Value, json};

use crate::house::{As, House, Reply, raw};

/// The last version with sessions.
const WITH_SESSIONS: &str = "2025-11-25";
/// The first version without.
const STATELESS: &str = "2026-07-28";

/// Somebody who speaks the protocol.
pub struct Client<'a> {
    house: &'a House,
    token: String,
    session: Option<String>,
}

/// What became of a tool's call.
#[derive(Debug)]
pub struct Called {
    /// `isError`.
    pub failed: bool,
    /// The text for people, all blocks of it.
    pub said: String,
    /// `structuredContent`.
    pub value: Value,
}

impl Called {
    /// The failure's code; nothing when the call succeeded.
    pub fn code(&self) -> &str {
        if self.failed { self.value["code"].as_str().unwrap_or("no code") } else { "" }
    }
}

impl<'a> Client<'a> {
    /// Each request says what it speaks.
    pub fn stateless(house: &'a House, who: As) -> Self {
        Self::of(house, house.token(who).unwrap())
    }

    /// The same with a token of one's own.
    pub fn of(house: &'a House, token: &str) -> Self {
        Self { house, token: token.to_owned(), session: None }
    }

    /// Opens a session, as most clients of today do.
    pub fn session(house: &'a House, who: As) -> Self {
        let mut client = Self::stateless(house, who);
        let params = json!({ "protocolVersion": WITH_SESSIONS, "capabilities": {},
            "clientInfo": { "name": "t", "version": "1" } });
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let reply = client.send("", &body);
        assert_eq!(reply.status, 200, "{}", reply.text);
        let head = reply.head.to_ascii_lowercase();
        let line = head.lines().find_map(|line| line.strip_prefix("mcp-session-id:")).expect("a session");
        client.session = Some(line.trim().to_owned());
        assert_eq!(message(&reply)["result"]["protocolVersion"], WITH_SESSIONS, "{}", reply.text);
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert!(
            (200..300)
                .contains(&client.send(&client.headers("notifications/initialized", ""), &ready).status)
        );
        client
    }

    fn headers(&self, method: &str, name: &str) -> String {
        match &self.session {
            Some(id) => format!("MCP-Protocol-Version: {WITH_SESSIONS}\r\nMcp-Session-Id: {id}\r\n"),
            None if name.is_empty() => {
                format!("MCP-Protocol-Version: {STATELESS}\r\nMcp-Method: {method}\r\n")
            }
            None => {
                format!("MCP-Protocol-Version: {STATELESS}\r\nMcp-Method: {method}\r\nMcp-Name: {name}\r\n")
            }
        }
    }

    fn send(&self, headers: &str, body: &Value) -> Reply {
        let body = body.to_string();
        let (host, token) = (self.house.host(), &self.token);
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: application/json, text/event-stream\r\n\
             Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        raw(host, request.as_bytes())
    }

    /// Sends one request and gives the whole answer: `result` or `error`. `name` is what the request is about, if it names
    /// something.
    pub fn exchange(&self, method: &str, name: &str, mut params: Value) -> (Value, String) {
        if self.session.is_none() {
            params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": STATELESS,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" } });
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let reply = self.send(&self.headers(method, name), &body);
        (message(&reply), reply.text)
    }

    /// The result of a request that must succeed.
    pub fn result(&self, method: &str, params: Value) -> Value {
        let (mut answer, text) = self.exchange(method, "", params);
        assert!(answer["result"].is_object(), "{method}: {text}");
        answer["result"].take()
    }

    /// What `tools/list` says, byte for byte.
    pub fn tools_text(&self) -> String {
        self.exchange("tools/list", "", json!({})).1
    }

    /// What `tools/list` says.
    pub fn tools(&self) -> Vec<Value> {
        let mut listed = self.result("tools/list", json!({}));
        assert!(listed["nextCursor"].is_null(), "one page holds all tools");
        serde_json::from_value(listed["tools"].take()).unwrap()
    }

    /// Calls a tool. A fault of the protocol is none of its outcomes.
    pub fn call(&self, tool: &str, arguments: &Value) -> Called {
        let (answer, text) =
            self.exchange("tools/call", tool, json!({ "name": tool, "arguments": arguments }));
        let result = &answer["result"];
        let content = result["content"].as_array().unwrap_or_else(|| panic!("{tool} {arguments}: {text}"));
        let said = content.iter().map(|block| block["text"].as_str().expect("text blocks only")).collect();
        Called { failed: result["isError"] == true, said, value: result["structuredContent"].clone() }
    }

    /// Calls a tool that must succeed.
    pub fn done(&self, tool: &str, arguments: &Value) -> Value {
        let called = self.call(tool, arguments);
        assert!(!called.failed, "{tool} {arguments}: {}", called.value);
        called.value
    }
}

/// The last message of an answer: one JSON document, or the last event of a stream.
fn message(reply: &Reply) -> Value {
    if !reply.body.is_null() {
        return reply.body.clone();
    }
    let events = reply.text.lines().filter_map(|line| line.strip_prefix("data:"));
    events.filter_map(|data| serde_json::from_str(data.trim()).ok()).next_back().unwrap_or_default()
}
