//! Trusted workflows of the configuration: held against the tools that there are and what these can write.

use std::collections::BTreeSet;

use crate::{
    access::principal::{Audience, Kind},
    domain::workflow::{Trusted, Workflow},
    tools::{catalog, tool::ToolDef},
};

/// A wrong key below `workflows`, and why.
pub(super) type Wrong = (String, String);

/// Tools that make plans.
fn planners() -> impl Iterator<Item = &'static ToolDef> {
    catalog::all().filter(|def| {
        let demand = &def.spec.demand;
        demand.audience == Audience::Everyone
            && demand.kind == Kind::Write
            && def.uses.iter().any(|endpoint| endpoint.is_write())
    })
}

/// The tools that a kind means: a tool by any of its names, or all of a topic.
fn meant(kind: &str) -> BTreeSet<&'static str> {
    let name = catalog::canonical(kind);
    let fits = |def: &&ToolDef| def.spec.name == name || def.spec.demand.topic == Some(kind);
    planners().filter(fits).map(|def| def.spec.name).collect()
}

/// Each workflow with its tools.
///
/// # Errors
/// The first key that is wrong: a name that stands twice, an unknown kind, a property that none of its kinds writes.
pub(super) fn resolve(workflows: &[Workflow]) -> Result<Vec<Trusted>, Wrong> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for (at, rule) in workflows.iter().enumerate() {
        let key = |key: &str| format!("workflows.{at}.{key}");
        rule.check().map_err(|(own, why)| (key(&own), why))?;
        if !names.insert(&rule.name) {
            return Err((key("name"), format!("`{}` stands twice", rule.name)));
        }
        let mut tools = BTreeSet::new();
        for kind in &rule.kinds {
            let meant = meant(kind);
            if meant.is_empty() {
                let topics = planners().filter_map(|def| def.spec.demand.topic);
                let known: BTreeSet<&str> = planners().map(|def| def.spec.name).chain(topics).collect();
                let known: Vec<&str> = known.into_iter().collect();
                return Err((
                    key("kinds"),
                    format!(
                        "`{kind}` is no tool that changes routers, nor a topic; known are {}",
                        known.join(", ")
                    ),
                ));
            }
            tools.extend(meant);
        }
        let writes = planners().filter(|def| tools.contains(def.spec.name)).flat_map(|def| def.uses);
        let written: BTreeSet<&str> =
            writes.filter(|endpoint| endpoint.is_write()).flat_map(|endpoint| endpoint.sent()).collect();
        if let Some(property) = rule.values.keys().find(|property| !written.contains(property.as_str())) {
            let known: Vec<&str> = written.into_iter().collect();
            return Err((
                key(&format!("values.{property}")),
                format!("none of its kinds writes this property; they write {}", known.join(", ")),
            ));
        }
        all.push(Trusted { rule: rule.clone(), tools: tools.into_iter().map(str::to_owned).collect() });
    }
    Ok(all)
}

/// A workflow to start from, every line a comment.
pub(super) const EXAMPLE: &str = r##"
# Trusted workflows: plans that one of these describes are approved without a person. Default none.
# [[workflows]]
# Its name, once: 1–64 of a-z, 0-9, - and _.
# name = "ntp-north"
# What it is for, in your words. Default empty.
# description = "our two time servers, on the access points of the north"
# It approves plans. Default true.
# enabled = true
# Its plans are about devices of this environment.
# environment = "prod"
# Its devices by id, `*` for any characters. Default none.
# devices = ["north-ap-*"]
# Its devices by tag too, each key=value. Default none.
# tags = ["role=ap"]
# Tools that make its plans, or whole topics (`firewall`, `routing`, `dhcp`, `bridge`, `wireless`, `dns_ntp`, `address_list`).
# kinds = ["update_ntp_servers"]
# Its plans may remove records. Default false.
# removals = false
# Production alone is no reason against its plans. Default false: what is in production is of high risk, and that no workflow approves.
# production = true
# Devices in one plan, at most (1–50). Default 1.
# max_devices = 5
# Every RouterOS property that its plans may write, with the values allowed: each member of a comma list must be among them; `*` allows any.
# values = { enabled = ["true"], servers = ["192.0.2.123", "192.0.2.124"] }
# It approves only then, in UTC; a window whose `to` is not after its `from` ends on the next day. Default always.
# window = { days = ["mon", "tue", "wed", "thu", "fri"], from = "08:00", to = "17:00" }
"##;

#[cfg(test)]
mod tests {
    use super::*;

    fn ntp() -> Workflow {
        serde_json::from_value(serde_json::json!({
            "name": "ntp", "environment": "prod", "devices": ["r*"], "kinds": ["update_ntp_servers"],
            "values": { "servers": ["192.0.2.123"] },
        }))
        .unwrap()
    }

    #[test]
    fn kinds_are_tools_older_names_and_topics() {
        assert_eq!(resolve(&[ntp()]).unwrap()[0].tools, ["update_ntp_servers".to_owned()].into());
        let mut topic = Workflow { values: Default::default(), kinds: vec!["routing".into()], ..ntp() };
        let tools = resolve(&[topic.clone()]).unwrap().remove(0).tools;
        assert!(tools.contains("plan_add_static_route") && tools.contains("plan_remove_static_route"));
        assert!(
            !tools.contains("apply_static_route_plan") && tools.iter().all(|tool| tool.contains("route"))
        );
        topic.kinds = vec!["system/update-identity".into()];
        assert_eq!(resolve(&[topic]).unwrap()[0].tools, ["set_system_identity".to_owned()].into());
    }

    #[test]
    fn what_a_workflow_cannot_mean_is_named() {
        let twice = resolve(&[ntp(), ntp()]).unwrap_err();
        assert_eq!(twice.0, "workflows.1.name", "{}", twice.1);
        type Change = fn(&mut Workflow);
        let cases: [(Change, &str, &str); 12] = [
            (|w| w.name = "NTP".into(), "name", "NTP"),
            (|w| w.devices.clear(), "devices", "empty means none"),
            (|w| w.devices = vec!["no such".into()], "devices", "no such"),
            (|w| w.tags = vec!["site".into()], "tags", "key=value"),
            (|w| w.kinds.clear(), "kinds", "empty means none"),
            (|w| w.kinds.push("plan_approve".into()), "kinds", "plan_approve"),
            (|w| w.kinds.push("get_ntp_status".into()), "kinds", "get_ntp_status"),
            (|w| w.max_devices = 51, "max_devices", "1–50"),
            (|w| _ = w.values.insert("serverz".into(), vec!["x".into()]), "values.serverz", "servers"),
            (|w| _ = w.values.insert("servers".into(), vec![]), "values.servers", "empty means none"),
            (|w| w.window = window(&[], "08:00", "09:00"), "window.days", "at least one"),
            (|w| w.window = window(&["mon"], "8:00", "09:00"), "window.from", "HH:MM"),
        ];
        for (change, key, named) in cases {
            let mut workflow = ntp();
            change(&mut workflow);
            let (at, why) = resolve(&[workflow]).unwrap_err();
            assert!(at == format!("workflows.0.{key}") && why.contains(named), "{at}: {why}");
        }
    }

    fn window(days: &[&str], from: &str, to: &str) -> Option<crate::domain::workflow::Window> {
        serde_json::from_value(serde_json::json!({ "days": days, "from": from, "to": to })).unwrap()
    }

    #[test]
    fn the_example_is_a_workflow_with_every_key() {
        let text: String = EXAMPLE
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| {
                line.starts_with("[[") || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
            })
            .map(|line| format!("{line}\n"))
            .collect();
        #[derive(serde::Deserialize)]
        struct All {
            workflows: Vec<Workflow>,
        }
        let all: All = toml::from_str(&text).unwrap();
        let trusted = resolve(&all.workflows).unwrap();
        let keys = serde_json::to_value(&trusted[0].rule).unwrap();
        let table: toml::Table = text.parse().unwrap();
        for key in keys.as_object().unwrap().keys() {
            assert!(table["workflows"][0].get(key).is_some(), "the example has no `{key}`");
        }
    }
}
