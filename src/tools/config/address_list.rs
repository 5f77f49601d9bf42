//! Members of an address list as callers give them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    changes::{
        address_list::{TIMEOUT, is_timeout, spelled},
        address_list_sync::Member,
    },
    failure::{Code, Failure},
    tools::params::Text,
};

/// One member.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Entry {
    /// IPv4 address, network, range, or host name.
    address: Text<1, 253>,
    #[serde(default)]
    comment: Text<0, 255>,
    /// `1d12h`; empty stays for good.
    #[serde(default)]
    timeout: Text<0, 32>,
}

/// What becomes of members that are not given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Mode {
    /// They stay.
    #[default]
    Merge,
    /// They go, unless they are there for a while only.
    Exact,
}

/// The members in RouterOS's spelling, each once.
///
/// # Errors
/// `invalid_params` and `unsafe_operation`, by field.
pub(super) fn members(list_name: &str, entries: Vec<Entry>) -> Result<Vec<Member>, Failure> {
    // The list's name is checked although no member is given.
    spelled(list_name, "192.0.2.1")?;
    let mut seen = BTreeSet::new();
    let one = |(n, entry): (usize, Entry)| {
        let field = |name: &str| format!("entries[{n}].{name}");
        let address = spelled(list_name, &entry.address.0).map_err(|refused| {
            let why = refused.say.trim_start_matches("`address`: ").to_owned();
            match refused.code {
                Code::InvalidParams => Failure::param(&field("address"), why),
                _ => refused.into(),
            }
        })?;
        if !is_timeout(&entry.timeout.0) {
            return Err(Failure::param(&field("timeout"), TIMEOUT));
        }
        if !seen.insert(address.clone()) {
            return Err(Failure::param(&field("address"), format!("`{address}` stands twice")));
        }
        Ok(Member { address, comment: entry.comment.0, timeout: entry.timeout.0 })
    };
    entries.into_iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let given = |entries: serde_json::Value| {
            members("mcp-a", serde_json::from_value(entries).unwrap()).map_err(|failure| {
                failure
                    .details
                    .map_or_else(String::new, |d| d["field"].as_str().unwrap_or_default().to_owned())
            })
        };
        let fine =
            given(json!([{ "address": "192.0.2.1/32" }, { "address": "Example.ORG", "comment": "x" }]));
        let addresses: Vec<String> = fine.unwrap().into_iter().map(|member| member.address).collect();
        assert_eq!(addresses, ["192.0.2.1", "example.org"]);
        let ok = json!({ "address": "192.0.2.1" });
        for (bad, field) in [
            (json!({ "address": "::1" }), "entries[1].address"),
            (json!({ "address": "192.0.2.1/32" }), "entries[1].address"),
            (json!({ "address": "192.0.2.2", "timeout": "soon" }), "entries[1].timeout"),
        ] {
            assert_eq!(given(json!([ok, bad])).unwrap_err(), field, "{bad}");
        }
        assert_eq!(members("blocked", Vec::new()).unwrap_err().code, Code::UnsafeOperation);
    }
}
