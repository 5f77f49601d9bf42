//! Completion: what a caller may put into the arguments of prompts and the variables of resources, as far as they may see it.

use std::collections::BTreeSet;

use events::principal::Role;
use rmcp::{
    ErrorData,
    model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference},
};

use crate::{
    access::principal::Principal,
    failure::{Code, Failure},
    mcp::{
        prompts::{self, Offer},
        refusal,
        templates::{Means, TEMPLATES},
    },
    tools::call::Corridor,
};

/// Numbers of rows that are offered; every number up to 1000 is fine.
const LIMITS: [&str; 5] = ["10", "50", "100", "500", "1000"];

/// Values that begin with what was typed: at most a hundred, and how many there are.
///
/// # Errors
/// Invalid parameters, when there is no such prompt, resource or argument for this caller.
pub(super) fn complete(
    corridor: &Corridor,
    principal: &Principal,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, ErrorData> {
    let argument = request.argument.name.as_str();
    let nothing =
        |what: &str| refusal::of_prompt(&Failure::new(Code::NotFound, format!("there is no such {what}")));
    let all = match &request.r#ref {
        Reference::Resource(resource) => {
            let mut templates = TEMPLATES.iter();
            let template = templates.find(|template| template.uri == resource.uri);
            let mut variables = template.ok_or_else(|| nothing("resource"))?.variables.iter();
            let variable = variables.find(|variable| variable.name == argument);
            known(corridor, principal, variable.ok_or_else(|| nothing("variable of this resource"))?.means)
        }
        Reference::Prompt(prompt) => {
            let offer = prompts::offer(corridor, principal, &prompt.name, argument);
            match offer.ok_or_else(|| nothing("argument of a prompt that you may use"))? {
                Offer::Values(values) => values,
                Offer::Known(means) => known(corridor, principal, means),
            }
        }
        _ => Vec::new(),
    };
    Ok(CompleteResult::new(page(all, &request.argument.value)))
}

fn page(all: Vec<String>, typed: &str) -> CompletionInfo {
    let fitting: Vec<String> = all.into_iter().filter(|value| value.starts_with(typed)).collect();
    let total = u32::try_from(fitting.len()).ok();
    let has_more = fitting.len() > CompletionInfo::MAX_VALUES;
    let values = fitting.into_iter().take(CompletionInfo::MAX_VALUES).collect();
    CompletionInfo::with_pagination(values, total, has_more).unwrap_or_default()
}

/// What the caller may see of a kind.
fn known(corridor: &Corridor, principal: &Principal, means: Means) -> Vec<String> {
    let engine = &corridor.shared().engine;
    match means {
        Means::Device => engine.view(|views| {
            let seen = views.state.devices.values().filter(|device| principal.sees(device));
            seen.map(|device| device.device_id.to_string()).collect()
        }),
        // The newest first.
        Means::Plan => engine.view(|views| {
            let plans = views.state.plans.values().rev();
            let seen = plans.filter(|plan| principal.sees_plan(&views.state, plan));
            seen.map(|plan| plan.plan.plan_id.to_string()).collect()
        }),
        Means::Environment => principal.environments.iter().map(|one| one.as_str().to_owned()).collect(),
        Means::Tool => corridor.visible(principal).iter().map(|def| def.spec.name.to_owned()).collect(),
        Means::Actor => actors(corridor, principal),
        Means::Limit => LIMITS.map(str::to_owned).into(),
    }
}

/// Oneself, who proposed the plans that one sees, and for an admin of unlimited reach every token.
fn actors(corridor: &Corridor, principal: &Principal) -> Vec<String> {
    let mut names = BTreeSet::from([principal.actor.name.clone()]);
    corridor.shared().engine.view(|views| {
        let plans = views.state.plans.values().filter(|plan| principal.sees_plan(&views.state, plan));
        names.extend(plans.map(|plan| plan.by.name.clone()));
        if principal.actor.role == Role::Admin && principal.is_unlimited() {
            names.extend(views.state.tokens.keys().map(|id| format!("token:{id}")));
        }
    });
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_a_hundred_values_are_given_and_all_are_counted() {
        let all: Vec<String> = (0..250).map(|n| format!("r{n}")).collect();
        let whole = page(all.clone(), "");
        assert_eq!((whole.values.len(), whole.total, whole.has_more), (100, Some(250), Some(true)));
        let some = page(all, "r24");
        assert_eq!((some.values.len(), some.total, some.has_more), (11, Some(11), Some(false)));
        assert_eq!(page(vec!["a".into()], "b").values.len(), 0);
    }
}
