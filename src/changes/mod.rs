//! What is wanted and what was read → operations with undo and expectations. Pure: no clock, no network, no store.

pub mod address_list;
pub mod address_list_sync;
pub mod bridge_guard;
#[cfg(test)]
mod bridge_guard_tests;
pub mod bridge_port;
pub mod bridge_settings;
pub mod comment;
pub mod dead_man;
#[cfg(test)]
mod dead_man_tests;
pub mod dhcp;
pub mod dhcp_create;
#[cfg(test)]
mod dhcp_laws;
pub mod dhcp_modify;
pub mod dhcp_remove;
pub mod dns;
pub mod dns_cache;
pub mod firewall_filter;
pub mod guard;
pub mod guard_route;
pub mod identity;
pub mod invert;
pub mod ip_address;
pub mod ntp;
pub mod play;
pub mod record;
mod refused;
pub mod route;
#[cfg(test)]
mod route_tests;
pub mod span;
pub mod way_back;
pub mod wireless;

use events::{
    device::Environment,
    operation::{Action, Expectation, Operation, Place, Property, Wanted, Which},
    plan::{Risk, RiskLevel},
};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::routeros::text::{Exact, clean, clean_values};

pub use refused::Refused;

/// A wish that makes no sense, by field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {why}")]
pub struct Nonsense {
    /// Which parameter.
    pub field: &'static str,
    /// Why.
    pub why: String,
}

/// What a plan's part is to do on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// In order; none when all is so already.
    pub operations: Vec<Operation>,
    /// Why it is of high risk, one sentence each.
    pub high: Vec<String>,
    /// What an approver should know besides.
    pub warnings: Vec<String>,
}

/// An address in the one spelling that RouterOS shows (RFC 5952 for IPv6); anything else as it is. What is sent in
/// another spelling would be read back changed.
#[must_use]
pub fn canonical(server: &str) -> String {
    server.parse::<std::net::IpAddr>().map_or_else(|_| server.to_owned(), |address| address.to_string())
}

/// True when two lists mean the same servers in the same order, however addresses are spelled.
fn same_servers(now: &[Exact], wanted: &[String]) -> bool {
    now.len() == wanted.len() && now.iter().zip(wanted).all(|(a, b)| canonical(a.as_sent()) == canonical(b))
}

/// What a list is now, exactly, as one value.
fn joined(list: &[Exact]) -> String {
    list.iter().map(Exact::as_sent).collect::<Vec<_>>().join(",")
}

/// What a reading must show for properties to have these values.
fn wanted(properties: &[Property]) -> Vec<Wanted> {
    let value = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
    properties.iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

/// Sets properties of a menu without records, with the exact way back.
pub(crate) fn set_singleton(menu: &str, before: Vec<Property>, after: Vec<Property>) -> Operation {
    let expect = |properties: &[Property]| Expectation::of_menu(menu, wanted(properties));
    let set = |properties: Vec<Property>| Action::SetSingleton { menu: menu.to_owned(), properties };
    Operation {
        expect_before: expect(&before),
        expect_after: expect(&after),
        action: set(after),
        undo: vec![set(before)],
        risky: None,
    }
}

/// Base 30 for a change that can break something, 0 for one that cannot; +30 for each high reason (DECISIONS: risk).
#[must_use]
pub fn risk(harmless: bool, environment: Environment) -> Risk {
    score(if harmless { 0 } else { 30 }, high_reasons(harmless, environment, &[]), &[])
}

/// The risk of a plan's part: base 30, +30 for each high reason (production is one), +10 for each warning of the checks
/// before, at most 100.
#[must_use]
pub fn plan_risk(environment: Environment, high: &[String], warnings: &[String]) -> Risk {
    score(30, high_reasons(false, environment, high), warnings)
}

fn high_reasons(harmless: bool, environment: Environment, high: &[String]) -> Vec<String> {
    let prod = environment == Environment::Prod && !harmless;
    prod.then(|| "the device is in production".to_owned()).into_iter().chain(high.iter().cloned()).collect()
}

fn score(base: usize, high: Vec<String>, warnings: &[String]) -> Risk {
    let score = u8::try_from((base + 30 * high.len() + 10 * warnings.len()).min(100)).unwrap_or(100);
    let level = match score {
        0..30 => RiskLevel::Low,
        30..60 => RiskLevel::Medium,
        _ => RiskLevel::High,
    };
    Risk { score, level, reasons: high.into_iter().chain(warnings.iter().cloned()).collect() }
}

/// An operation as it is shown: nothing in it acts on whoever reads it, and what was there before is cut where it is too
/// long. The plan itself keeps every byte, so that the undo is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct ShownOperation(Value);

impl From<&Operation> for ShownOperation {
    fn from(operation: &Operation) -> Self {
        let mut shown = serde_json::to_value(operation).unwrap_or(Value::Null);
        // What will be sent is shown whole: an approver must not miss its end.
        clean_values(&mut shown, &["action", "expect_after"]);
        Self(shown)
    }
}

/// One line a property, as people read a change; a record that comes or goes is told whole, in RouterOS's own words.
/// Values are cleaned: what was there may be anything.
#[must_use]
pub fn diff_lines(operation: &Operation) -> Vec<String> {
    let shown = |value: &Option<String>| {
        value.as_deref().map_or_else(|| "(unset)".to_owned(), |v| format!("`{}`", clean(v)))
    };
    let whole = |properties: &[Wanted]| {
        let told = |(name, value): &Wanted| value.as_ref().map(|value| format!("{name}=`{}`", clean(value)));
        properties.iter().filter_map(told).collect::<Vec<_>>().join(" ")
    };
    let (before, after) = (&operation.expect_before, &operation.expect_after);
    let menu = &before.menu;
    let place = |place: &Option<Place>| match place {
        Some(Place::Before(id)) => format!(" before {}", clean(id)),
        Some(Place::Last) => " at the end".to_owned(),
        None => String::new(),
    };
    match (before.present, after.present) {
        (false, true) => {
            return vec![format!("{menu} + {}{}", whole(&after.properties), place(&after.place))];
        }
        (true, false) if before.properties.is_empty() => return vec![format!("{menu} emptied")],
        (true, false) => {
            return vec![format!("{menu} - {}{}", whole(&before.properties), place(&before.place))];
        }
        _ => {}
    }
    let named = match &after.which {
        Which::Id(id) => format!("{menu} {}", clean(id)),
        _ => menu.clone(),
    };
    let mut lines: Vec<String> = after
        .properties
        .iter()
        .filter_map(|(name, new)| {
            let old = before.properties.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.clone());
            (&old != new).then(|| format!("{named} {name}: {} → {}", shown(&old), shown(new)))
        })
        .collect();
    if before.place != after.place {
        lines.push(format!("{named} moved:{} →{}", place(&before.place), place(&after.place)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_clean_and_what_is_sent_is_exact() {
        let nasty = format!("\u{202e}a\u{1b}[2Jb{}", "x".repeat(2000));
        let set = |value: &str| vec![("name".to_owned(), value.to_owned())];
        let long = "y".repeat(2000);
        let operation = set_singleton("/system/identity", set(&nasty), set(&long));
        let shown = serde_json::to_value(ShownOperation::from(&operation)).unwrap();
        let before = shown["expect_before"]["properties"][0][1].as_str().unwrap();
        assert!(before.starts_with("abxx") && before.ends_with("x…"), "{before}");
        assert_eq!(shown["undo"][0]["set_singleton"]["properties"][0][1], before);
        assert_eq!(shown["action"]["set_singleton"]["properties"][0][1], long);
        assert_eq!(operation.expect_before.properties[0].1.as_deref(), Some(nasty.as_str()));
        assert!(diff_lines(&operation)[0].starts_with("/system/identity name: `abxx"));
    }

    #[test]
    fn a_record_that_comes_goes_or_moves_is_told_whole() {
        let menu = &firewall_filter::MENU;
        let row = |id: &str| -> crate::routeros::port::Row {
            [(".id", id), ("chain", "input"), ("comment", "a\u{1b}[2Jb")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        };
        let rows = [row("*1"), row("*2")];
        let added = record::add(menu, &rows, vec![("chain".into(), "output".into())], Some("*2"));
        assert_eq!(diff_lines(&added), ["/ip/firewall/filter + chain=`output` before *2"]);
        let removed = record::remove(menu, &rows, &rows[1]).unwrap();
        assert_eq!(diff_lines(&removed), ["/ip/firewall/filter - chain=`input` comment=`ab` at the end"]);
        let moved = record::move_before(menu, &rows, &rows[1], "*1").unwrap().unwrap();
        assert_eq!(diff_lines(&moved), ["/ip/firewall/filter *2 moved: at the end → before *1"]);
        let set = record::set(menu, &rows[0], &[("comment".into(), "new".into())]).unwrap();
        assert_eq!(diff_lines(&set[0]), ["/ip/firewall/filter *1 comment: `ab` → `new`"]);
    }

    #[test]
    fn risk_follows_its_table() {
        assert_eq!(
            (risk(true, Environment::Prod).score, risk(true, Environment::Prod).level),
            (0, RiskLevel::Low)
        );
        assert_eq!(
            (risk(false, Environment::Lab).score, risk(false, Environment::Lab).level),
            (30, RiskLevel::Medium)
        );
        assert_eq!(
            (risk(false, Environment::Prod).score, risk(false, Environment::Prod).level),
            (60, RiskLevel::High)
        );
    }
}
