//! The table of resources: which URI means which call of which tool. Data only; reading goes through the corridor.

use serde_json::{Map, Value};

/// The longest value in a URI, in bytes; ids and names are far shorter.
const VALUE_BYTES_MAX: usize = 256;

/// What a variable of a URI means: how it travels, and what can be offered for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// A device's id or unique name.
    Device,
    /// A plan's id.
    Plan,
    /// `lab`, `staging` or `prod`.
    Environment,
    /// A tool's name.
    Tool,
    /// An actor's stable name.
    Actor,
    /// How many rows.
    Limit,
}

/// A variable of a URI and the tool's parameter that it becomes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variable {
    pub name: &'static str,
    pub parameter: &'static str,
    pub means: Means,
}

const fn variable(name: &'static str, parameter: &'static str, means: Means) -> Variable {
    Variable { name, parameter, means }
}

const DEVICE: &[Variable] = &[variable("id", "device_id", Means::Device)];
const PLAN: &[Variable] = &[variable("id", "plan_id", Means::Plan)];
const ENVIRONMENT: &[Variable] = &[variable("environment", "environment", Means::Environment)];

/// One kind of resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct Template {
    /// As clients see it; without variables it is a resource by itself.
    pub uri: &'static str,
    pub name: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    /// The tool that reads it.
    pub tool: &'static str,
    pub variables: &'static [Variable],
    /// What the tool is asked besides: the longest page, where nothing else is said.
    pub limit: Option<u32>,
    /// Fields of the tool's answer that this view leaves out, wherever they stand.
    pub without: &'static [&'static str],
}

const fn row(
    uri: &'static str,
    name: &'static str,
    title: &'static str,
    about: &'static str,
    tool: &'static str,
    variables: &'static [Variable],
) -> Template {
    Template { uri, name, title, about, tool, variables, limit: None, without: &[] }
}

impl Template {
    const fn limit(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    const fn without(mut self, fields: &'static [&'static str]) -> Self {
        self.without = fields;
        self
    }

    /// The resource's URI with one value in place of each variable.
    pub(super) fn with(&self, value: &str) -> String {
        let parts = self.uri.split('/').map(|part| if part.starts_with('{') { value } else { part });
        parts.collect::<Vec<_>>().join("/")
    }

    /// The tool's parameters, when a URI is one of these.
    fn arguments(&self, uri: &str) -> Option<Value> {
        let mut given = uri.split('/');
        let mut variables = self.variables.iter();
        let mut arguments = Map::new();
        for part in self.uri.split('/') {
            let value = given.next()?;
            if !part.starts_with('{') {
                if value != part {
                    return None;
                }
                continue;
            }
            let (variable, value) = (variables.next()?, decoded(value)?);
            // A number that is none is refused by the tool, which says what it takes.
            let number = (variable.means == Means::Limit).then(|| value.parse::<u32>().ok()).flatten();
            arguments.insert(variable.parameter.into(), number.map_or(Value::String(value), Value::from));
        }
        if given.next().is_some() {
            return None;
        }
        if let Some(limit) = self.limit {
            arguments.insert("limit".into(), limit.into());
        }
        Some(Value::Object(arguments))
    }

    /// Takes out what this view leaves out.
    pub(super) fn narrow(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !self.without.contains(&name.as_str()));
                fields.values_mut().for_each(|inner| self.narrow(inner));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.narrow(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Every kind of resource (TOOLS: section 4). Where two rows fit, the first is meant.
pub(super) const TEMPLATES: &[Template] = &[
    row(
        "fleet://health-summary",
        "fleet-health-summary",
        "Fleet health",
        "How the routers stand by our records, and which need a look",
        "fleet_summary",
        &[],
    ),
    row(
        "fleet://devices/{environment}",
        "fleet-devices",
        "Devices of an environment",
        "The routers of one environment, with status, version and what they allow",
        "list_devices",
        ENVIRONMENT,
    )
    .limit(1000),
    row(
        "fleet://{environment}/summary",
        "fleet-environment-summary",
        "Health of an environment",
        "How the routers of one environment stand by our records",
        "fleet_summary",
        ENVIRONMENT,
    ),
    row(
        "device://{id}/overview",
        "device-overview",
        "Overview",
        "What a router is and how it is doing",
        "get_system_overview",
        DEVICE,
    ),
    row(
        "device://{id}/health",
        "device-health",
        "Health",
        "A look at a router, judged",
        "device_health",
        DEVICE,
    ),
    row(
        "device://{id}/logs",
        "device-logs",
        "Log",
        "The newest 50 lines of a router's log",
        "get_recent_logs",
        DEVICE,
    )
    .limit(50),
    row("device://{id}/bridges", "device-bridges", "Bridges", "Bridges of a router", "list_bridges", DEVICE)
        .limit(500),
    row(
        "device://{id}/dhcp-server",
        "device-dhcp-server",
        "DHCP servers",
        "DHCP servers, their pools and networks",
        "get_dhcp_server_status",
        DEVICE,
    )
    .limit(500),
    row(
        "device://{id}/dhcp-leases",
        "device-dhcp-leases",
        "DHCP leases",
        "Active DHCP leases",
        "get_dhcp_leases",
        DEVICE,
    )
    .limit(500),
    row(
        "device://{id}/wireless",
        "device-wireless",
        "Wi-Fi",
        "Wi-Fi interfaces of all stacks",
        "get_wireless_interfaces",
        DEVICE,
    )
    .limit(500),
    row(
        "device://{id}/wireless/clients",
        "device-wireless-clients",
        "Wi-Fi clients",
        "Clients of a router's own Wi-Fi",
        "get_wireless_clients",
        DEVICE,
    )
    .limit(500),
    row(
        "device://{id}/capsman/remote-caps",
        "device-capsman-remote-caps",
        "Managed access points",
        "Access points that a router manages",
        "get_capsman_remote_caps",
        DEVICE,
    )
    .limit(500),
    row(
        "device://{id}/capsman/registrations",
        "device-capsman-registrations",
        "Clients of managed access points",
        "Wi-Fi clients of the access points that a router manages",
        "get_capsman_registrations",
        DEVICE,
    )
    .limit(500),
    row(
        "plan://{id}",
        "plan",
        "Plan",
        "A plan with its operations, diff, risk, approval and job",
        "plan_details",
        PLAN,
    ),
    row(
        "plan://{id}/summary",
        "plan-summary",
        "Plan in short",
        "Where a plan stands, on which devices, at what risk",
        "plan_details",
        PLAN,
    )
    .without(&["operations", "changes"]),
    row(
        "plan://{id}/details",
        "plan-details",
        "Plan in full",
        "A plan with its operations, diff, risk, approval and job",
        "plan_details",
        PLAN,
    ),
    row(
        "plan://{id}/execution-log",
        "plan-execution-log",
        "What became of a plan",
        "Every event of a plan and its job, newest first",
        "audit_events",
        PLAN,
    )
    .limit(1000),
    row(
        "audit://events/recent/{limit}",
        "audit-recent",
        "Recent events",
        "What happened, newest first",
        "audit_events",
        &[variable("limit", "limit", Means::Limit)],
    ),
    row(
        "audit://events/by-user/{user_sub}",
        "audit-by-user",
        "Events by somebody",
        "What one user or token did, newest first",
        "audit_events",
        &[variable("user_sub", "actor", Means::Actor)],
    ),
    row(
        "audit://events/by-device/{device_id}",
        "audit-by-device",
        "Events of a device",
        "What happened to one router, newest first",
        "audit_events",
        &[variable("device_id", "device_id", Means::Device)],
    ),
    row(
        "audit://events/by-tool/{tool_name}",
        "audit-by-tool",
        "Calls of a tool",
        "Calls, refusals and plans of one tool, newest first",
        "audit_events",
        &[variable("tool_name", "tool", Means::Tool)],
    ),
];

/// What a URI means, with the tool's parameters; `None` when it is no resource.
pub(super) fn find(uri: &str) -> Option<(&'static Template, Value)> {
    TEMPLATES.iter().find_map(|template| Some((template, template.arguments(uri)?)))
}

/// One part of a URI without its percent signs. Nothing empty, hidden, or longer than an id or name.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit()? << 4 | digit()?);
    }
    let text = String::from_utf8(bytes).ok()?;
    let fits = !text.is_empty() && text.len() <= VALUE_BYTES_MAX && !text.contains(char::is_control);
    fits.then_some(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{
        access::principal::{Audience, Kind},
        tools::catalog,
    };

    const fn example(means: Means) -> &'static str {
        match means {
            Means::Device => "r1",
            Means::Plan => "plan_01arz3ndektsv4rrffq69g5fav",
            Means::Environment => "lab",
            Means::Tool => "get_dns_status",
            Means::Actor => "token%3Atok_x",
            Means::Limit => "7",
        }
    }

    #[test]
    fn every_row_is_a_call_that_its_tool_takes() {
        let mut names = BTreeSet::new();
        for template in TEMPLATES {
            let at = template.uri;
            assert!(names.insert(template.name) && names.insert(at), "{at} twice");
            let def = catalog::find(template.tool).unwrap_or_else(|| panic!("{at}: no {}", template.tool));
            assert_eq!(def.spec.demand.kind, Kind::Read, "{at}");
            assert_eq!(def.spec.demand.audience, Audience::Everyone, "{at}");
            let named: Vec<String> = at
                .split('/')
                .filter_map(|part| Some(part.strip_prefix('{')?.strip_suffix('}')?.to_owned()))
                .collect();
            assert_eq!(named, template.variables.iter().map(|v| v.name).collect::<Vec<_>>(), "{at}");
            assert!(named.len() <= 1, "{at}: `with` fills one variable");
            let uri = template.with(template.variables.first().map_or("", |v| example(v.means)));
            let (found, arguments) = find(&uri).unwrap_or_else(|| panic!("{uri} is nothing"));
            assert_eq!(found.name, template.name, "{uri} means another row");
            if let Err(failure) = (def.prepare)(arguments) {
                panic!("{uri}: {failure}");
            }
            let schema = (def.output_schema)().to_string();
            for field in template.without {
                assert!(schema.contains(&format!("\"{field}\"")), "{at}: no `{field}` to leave out");
            }
        }
    }

    #[test]
    fn uris_mean_tools() {
        let call = |uri| find(uri).map(|(template, arguments)| (template.tool, arguments));
        for (uri, tool, arguments) in [
            ("device://r1/overview", "get_system_overview", json!({ "device_id": "r1" })),
            (
                "device://North%20tower/logs",
                "get_recent_logs",
                json!({ "device_id": "North tower", "limit": 50 }),
            ),
            ("audit://events/recent/7", "audit_events", json!({ "limit": 7 })),
            ("audit://events/recent/x", "audit_events", json!({ "limit": "x" })),
            ("audit://events/by-user/token%3Atok_1", "audit_events", json!({ "actor": "token:tok_1" })),
            ("audit://events/by-user/token:tok_1", "audit_events", json!({ "actor": "token:tok_1" })),
            ("fleet://devices/prod", "list_devices", json!({ "environment": "prod", "limit": 1000 })),
            ("fleet://prod/summary", "fleet_summary", json!({ "environment": "prod" })),
            ("fleet://health-summary", "fleet_summary", json!({})),
        ] {
            assert_eq!(call(uri), Some((tool, arguments)), "{uri}");
        }
        for none in [
            "",
            "device://r1",
            "device:///overview",
            "device://r1/overview/",
            "device://r1/overview?x=1",
            "device://r1/secrets",
            "device://%/overview",
            "device://%zz/overview",
            "device://%ff/overview",
            "device://%1b%5b/overview",
            "DEVICE://r1/overview",
            "fleet://health-summary/",
            "plan://",
            "file:///etc/passwd",
        ] {
            assert_eq!(call(none), None, "{none}");
        }
        assert_eq!(call(&format!("device://{}/overview", "a".repeat(257))), None);
    }

    #[test]
    fn a_view_leaves_out_fields_wherever_they_stand() {
        let (summary, _) = find("plan://plan_x/summary").unwrap();
        let mut value = json!({ "status": "pending", "devices": [{ "device_id": "r1", "operations": [1], "changes": [] }] });
        summary.narrow(&mut value);
        assert_eq!(value, json!({ "status": "pending", "devices": [{ "device_id": "r1" }] }));
    }
}
