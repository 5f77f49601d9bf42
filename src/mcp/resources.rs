//! Resources: the same tools under a URI, so that they are authorised, recorded, cleaned and narrowed in the same way.

use rmcp::{
    ErrorData,
    model::{MetaObject, ReadResourceResult, Resource, ResourceContents, ResourceTemplate},
};

use crate::{
    access::principal::Principal,
    domain::plan::PlanStatus,
    failure::{Code, Failure},
    mcp::{
        handler::{Context, Handler},
        refusal,
        templates::{self, Means, TEMPLATES, Template},
    },
    tools::{call::Corridor, tool::ToolDef},
};

/// Devices that are listed as resources; beyond it the templates and list_devices serve.
const DEVICES_LISTED_MAX: usize = 100;
/// Plans that are listed as resources: the newest that are not over.
const PLANS_LISTED_MAX: usize = 20;
/// The largest text of a resource, in bytes (TOOLS: decision 4).
const TEXT_BYTES_MAX: usize = 100_000;
/// How many events the listed resource of recent events has.
const RECENT: &str = "50";
/// Of each device, these are listed; all others are in the templates.
const LISTED_OF_DEVICES: [&str; 2] = ["device-overview", "device-health"];
const JSON: &str = "application/json";

/// The rows whose tool this caller may use.
fn usable(corridor: &Corridor, principal: &Principal) -> Vec<&'static Template> {
    let tools: Vec<&ToolDef> = corridor.visible(principal);
    let may = |template: &&Template| tools.iter().any(|def| def.spec.name == template.tool);
    TEMPLATES.iter().filter(may).collect()
}

pub(super) fn list(corridor: &Corridor, principal: &Principal) -> Vec<Resource> {
    let usable = usable(corridor, principal);
    let environments: Vec<String> =
        principal.environments.iter().map(|environment| environment.as_str().to_owned()).collect();
    let recent = [RECENT.to_owned()];
    let at = corridor.now();
    let (devices, plans): (Vec<String>, Vec<String>) = corridor.shared().engine.view(|views| {
        let seen = views.state.devices.values().filter(|device| principal.sees(device));
        let devices = seen.take(DEVICES_LISTED_MAX).map(|device| device.device_id.to_string()).collect();
        let open = views.state.plans.values().rev().filter(|plan| {
            let status = plan.status_at(at);
            let open = [PlanStatus::Pending, PlanStatus::Approved, PlanStatus::Executing];
            (open.contains(&status) || status == PlanStatus::RollingBack)
                && principal.sees_plan(&views.state, plan)
        });
        (devices, open.take(PLANS_LISTED_MAX).map(|plan| plan.plan.plan_id.to_string()).collect())
    });
    let mut all = Vec::new();
    for template in usable {
        let values: &[String] = match template.variables.first().map(|variable| variable.means) {
            None => &[String::new()],
            Some(Means::Environment) => &environments,
            Some(Means::Device) if LISTED_OF_DEVICES.contains(&template.name) => &devices,
            Some(Means::Plan) if template.name == "plan-summary" => &plans,
            Some(Means::Limit) => &recent,
            Some(Means::Device | Means::Plan | Means::Tool | Means::Actor) => &[],
        };
        for value in values {
            let of = if value.is_empty() || value == RECENT { String::new() } else { format!(": {value}") };
            let name = if value.is_empty() {
                template.name.to_owned()
            } else {
                format!("{}-{value}", template.name)
            };
            let resource = Resource::new(template.with(value), name)
                .with_title(format!("{}{of}", template.title))
                .with_description(template.about)
                .with_mime_type(JSON);
            all.push(resource);
        }
    }
    all
}

pub(super) fn templates(corridor: &Corridor, principal: &Principal) -> Vec<ResourceTemplate> {
    let usable = usable(corridor, principal).into_iter().filter(|template| !template.variables.is_empty());
    usable
        .map(|template| {
            ResourceTemplate::new(template.uri, template.name)
                .with_title(template.title)
                .with_description(template.about)
                .with_mime_type(JSON)
        })
        .collect()
}

pub(super) async fn read(
    handler: &Handler,
    uri: &str,
    cx: &Context,
) -> Result<ReadResourceResult, ErrorData> {
    let Some((template, arguments)) = templates::find(uri) else {
        let failure = Failure::new(Code::NotFound, "there is no such resource")
            .hint("resources/templates/list shows all kinds");
        return Err(refusal::of_resource(uri, &failure));
    };
    let mut meta = MetaObject::new();
    meta.0.insert("tool".into(), template.tool.into());
    meta.0.insert("arguments".into(), arguments.clone());
    let outcome = handler.call(cx, template.tool, arguments).await?;
    let mut value = outcome.map_err(|failure| refusal::of_resource(uri, &failure))?.value;
    template.narrow(&mut value);
    let text = value.to_string();
    if text.len() > TEXT_BYTES_MAX {
        let failure = Failure::new(Code::Overloaded, "this resource is larger than an answer may be")
            .hint(format!("{} gives it in pages", template.tool));
        return Err(refusal::of_resource(uri, &failure));
    }
    let contents = ResourceContents::text(text, uri).with_mime_type(JSON).with_meta(meta);
    Ok(ReadResourceResult::new(vec![contents]))
}
