//! Words for filter rules, as callers give them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::changes::firewall_filter::Wish;

/// Chain of a rule.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Chain {
    Input,
    Forward,
    Output,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Action {
    Accept,
    Drop,
    Reject,
    Jump,
    Return,
    Passthrough,
    Log,
}

/// What a rule matches.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(super) enum Protocol {
    Tcp,
    Udp,
    Icmp,
    Gre,
    Esp,
    Ah,
    Ipip,
    IpsecAh,
    IpsecEsp,
}

/// RouterOS's word for one of ours.
fn word<T: Serialize>(word: Option<T>) -> Option<String> {
    serde_json::to_value(word?).ok()?.as_str().map(str::to_owned)
}

/// Empty means not given.
fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// What a rule shall be.
#[expect(clippy::too_many_arguments, reason = "a rule's properties, each once")]
pub(super) fn wish(
    chain: Option<Chain>,
    action: Option<Action>,
    jump_target: &str,
    src_address: &str,
    dst_address: &str,
    protocol: Option<Protocol>,
    dst_port: &str,
    comment: Option<&str>,
) -> Wish {
    Wish {
        chain: word(chain),
        action: word(action),
        jump_target: given(jump_target),
        src_address: given(src_address),
        dst_address: given(dst_address),
        protocol: word(protocol),
        dst_port: given(dst_port),
        comment: comment.map(str::to_owned),
    }
}
