//! Trusted workflows: plans that the configuration describes so narrowly that no person needs to look at them.
//!
//! Deny by default: whatever a workflow does not name, it does not allow. It never approves high risk, nor what could cut
//! our own way to a router.

use std::collections::{BTreeMap, BTreeSet};

use events::{
    device::Environment,
    ids::Moment,
    operation::Action,
    plan::{ApprovedBy, DevicePart, Plan, RiskLevel},
    principal::Actor,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{
        Refusal, Rules, State,
        plan::{PlanState, hex},
    },
    failure::Code,
};

/// What stands before a workflow's name where a plan says who approved it.
const POLICY: &str = "workflow:";
/// As many devices as a plan can have.
const DEVICES_MAX: u32 = 50;
/// Allows any value of a property.
const ANY: &str = "*";
/// What production adds to the score of a risk (DECISIONS: risk).
const PRODUCTION_SCORE: u8 = 30;
/// From this score on, a risk is high.
const HIGH_SCORE: u8 = 60;

/// A trusted workflow, as the configuration says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// Its name, once: 1–64 of `a-z`, `0-9`, `-` and `_`.
    pub name: String,
    /// What it is for, in your words.
    #[serde(default)]
    pub description: String,
    /// It approves plans. Default true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its plans are about devices of this environment.
    pub environment: Environment,
    /// Its devices by id, `*` for any characters. Default none.
    #[serde(default)]
    pub devices: Vec<String>,
    /// Its devices by tag too, each `key=value`. Default none.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Tools that make its plans, or whole topics (`update_ntp_servers`, `routing`).
    pub kinds: Vec<String>,
    /// Every RouterOS property that its plans may write, with the values allowed: each member of a comma list must be among
    /// them; `*` allows any. Default none.
    #[serde(default)]
    pub values: BTreeMap<String, Vec<String>>,
    /// Its plans may remove records. Default false.
    #[serde(default)]
    pub removals: bool,
    /// Production alone is no reason against its plans. Default false: what is in production is of high risk, and that no
    /// workflow approves.
    #[serde(default)]
    pub production: bool,
    /// Devices in one plan, at most (1–50). Default 1.
    #[serde(default = "one")]
    pub max_devices: u32,
    /// It approves only then. Default always.
    #[serde(default)]
    pub window: Option<Window>,
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

/// A part of the week, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Days on which it begins: `mon` to `sun`.
    pub days: Vec<Day>,
    /// It begins then, `HH:MM`.
    pub from: String,
    /// It ends then, `HH:MM`, up to `24:00`; on the next day when that is not after `from`.
    pub to: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    const WEEK: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];
}

/// Minutes since midnight of `HH:MM`.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |text: &str| (text.len() == 2).then(|| text.bytes().all(|b| b.is_ascii_digit()));
    (digits(hours) == Some(true) && digits(minutes) == Some(true)).then_some(())?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

impl Window {
    /// True while it is open.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        let (Some(from), Some(to)) = (minutes(&self.from), minutes(&self.to)) else { return false };
        let minute = at.as_micros().div_euclid(60_000_000);
        let (day, now) = (minute.div_euclid(24 * 60), minute.rem_euclid(24 * 60));
        // 1970-01-01 was a Thursday, the fourth day of a week that begins with Monday.
        let begins = |day: i64| {
            let at = usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
            self.days.contains(&Day::WEEK[at])
        };
        if from < to {
            return begins(day) && (from..to).contains(&now);
        }
        (begins(day) && now >= from) || (begins(day - 1) && now < to)
    }

    fn check(&self) -> Result<(), (String, String)> {
        for (key, text) in [("from", &self.from), ("to", &self.to)] {
            if minutes(text).is_none() {
                return Err((
                    format!("window.{key}"),
                    format!("`{text}` is not a time of day; needs HH:MM, UTC"),
                ));
            }
        }
        if self.from == self.to {
            return Err((
                "window.to".into(),
                "is the same as `from`; `00:00` to `24:00` is a whole day".into(),
            ));
        }
        if self.days.is_empty() {
            return Err((
                "window.days".into(),
                "needs at least one of mon, tue, wed, thu, fri, sat, sun".into(),
            ));
        }
        Ok(())
    }
}

/// True when a text fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(rest, &text[at..]))
}

impl Workflow {
    /// What is wrong with it, as far as it can be seen from itself: the key below its own, and a sentence.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, why: String| Err((key.to_owned(), why));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(plain) {
            return wrong("name", format!("`{}`: needs 1–64 of a-z, 0-9, - and _", self.name));
        }
        if self.devices.is_empty() && self.tags.is_empty() {
            return wrong("devices", "needs `devices` or `tags`: empty means none".into());
        }
        if let Some(bad) =
            self.devices.iter().find(|id| id.is_empty() || !id.chars().all(|c| plain(c) || "*.".contains(c)))
        {
            return wrong("devices", format!("`{bad}` is neither a device id nor a pattern of ids with `*`"));
        }
        if let Some(bad) =
            self.tags.iter().find(|tag| tag.split_once('=').is_none_or(|(key, _)| key.is_empty()))
        {
            return wrong("tags", format!("`{bad}`: a tag is key=value"));
        }
        if self.kinds.is_empty() {
            return wrong("kinds", "needs at least one tool or topic: empty means none".into());
        }
        if let Some((property, _)) = self.values.iter().find(|(_, values)| values.is_empty()) {
            return wrong(
                &format!("values.{property}"),
                "needs at least one value: empty means none; `*` allows any".into(),
            );
        }
        if !(1..=DEVICES_MAX).contains(&self.max_devices) {
            return wrong("max_devices", format!("{} is outside 1–{DEVICES_MAX}", self.max_devices));
        }
        self.window.as_ref().map_or(Ok(()), Window::check)
    }

    /// SHA-256 over the whole rule (64 hex digits), so that the log tells which version of it approved.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(serde_json::to_vec(self).expect("plain data with text keys")))
    }
}

/// A workflow with the tools that its kinds mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// The rule.
    pub rule: Workflow,
    /// Names of tools.
    pub tools: BTreeSet<String>,
}

/// A person stopped approval by trusted workflows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Moment,
    /// Why, in their words.
    pub reason: String,
}

impl Trusted {
    /// Why it does not approve a plan at a moment, one sentence each; empty when it does.
    #[must_use]
    pub fn mismatches(&self, state: &State, rules: &Rules, plan: &Plan, at: Moment) -> Vec<String> {
        let rule = &self.rule;
        let mut why = Vec::new();
        if rules.two_approvers_for_high_risk && crate::domain::plan::is_high(plan) {
            why.push("its risk is high, and `two_approvers_for_high_risk` asks for two people".to_owned());
        }
        if !rule.enabled {
            why.push("it is switched off: `enabled` is false".to_owned());
        }
        if rule.environment != plan.environment {
            let (plan, rule) = (plan.environment.as_str(), rule.environment.as_str());
            why.push(format!("the plan is about {plan} devices, not {rule}"));
        }
        if !self.tools.contains(&plan.tool) {
            why.push(format!("`kinds` do not name {}", plan.tool));
        }
        let devices: BTreeSet<_> = plan.waves.iter().flatten().map(|part| &part.device_id).collect();
        if devices.len() > usize::try_from(rule.max_devices).unwrap_or(0) {
            why.push(format!("{} devices are more than `max_devices`, {}", devices.len(), rule.max_devices));
        }
        if !plan.undoes.is_empty() {
            why.push("it reverses other plans".to_owned());
        }
        if plan.rollout.without_dead_man {
            why.push("it asks for risky changes without a timed undo".to_owned());
        }
        if rule.window.as_ref().is_some_and(|window| !window.holds(at)) {
            why.push("`window` is not open now".to_owned());
        }
        for part in plan.waves.iter().flatten() {
            self.of_part(state, part, &mut why);
        }
        let mut seen = BTreeSet::new();
        why.retain(|sentence| seen.insert(sentence.clone()));
        why
    }

    fn of_part(&self, state: &State, part: &DevicePart, why: &mut Vec<String>) {
        let (rule, id) = (&self.rule, part.device_id.as_str());
        let tagged = state.devices.get(&part.device_id).is_some_and(|device| {
            let tags = rule.tags.iter().filter_map(|tag| tag.split_once('='));
            tags.into_iter().any(|(key, value)| device.settings.tags.get(key).is_some_and(|has| has == value))
        });
        if !tagged && !rule.devices.iter().any(|pattern| fits(pattern, id)) {
            why.push(format!("{id} is neither among its `devices` nor has one of its `tags`"));
        }
        let apart = part.risk.score.saturating_sub(PRODUCTION_SCORE);
        let production = rule.production && rule.environment == Environment::Prod && apart < HIGH_SCORE;
        if part.risk.level == RiskLevel::High && !production {
            why.push(format!("the risk for {id} is high, and a workflow never approves that"));
        }
        if part.dead_man.is_some() || part.operations.iter().any(|operation| operation.risky.is_some()) {
            why.push(format!("it could cut our own way to {id}, and a workflow never approves that"));
        }
        for operation in &part.operations {
            self.of_action(&operation.action, why);
        }
    }

    fn of_action(&self, action: &Action, why: &mut Vec<String>) {
        let written = match action {
            Action::SetSingleton { properties, .. }
            | Action::Set { properties, .. }
            | Action::Add { properties, .. }
            | Action::Command { properties, .. } => properties,
            Action::Remove { menu, .. } => {
                if !self.rule.removals {
                    why.push(format!("it removes a record of {menu}, and `removals` is false"));
                }
                return;
            }
        };
        for (property, value) in written {
            let Some(allowed) = self.rule.values.get(property) else {
                why.push(format!("`values` do not name `{property}`"));
                continue;
            };
            if allowed.iter().any(|one| one == ANY) {
                continue;
            }
            for member in value.split(',').filter(|member| !allowed.iter().any(|one| one == member)) {
                why.push(format!("`values.{property}` do not allow `{member}`"));
            }
        }
    }
}

/// The workflow that approves a plan now, if one does: the first in the order of the configuration.
#[must_use]
pub fn approving<'a>(state: &State, rules: &'a Rules, plan: &Plan, at: Moment) -> Option<&'a Trusted> {
    if state.auto_approval_stopped.is_some() {
        return None;
    }
    rules.workflows.iter().find(|trusted| trusted.mismatches(state, rules, plan, at).is_empty())
}

/// How a workflow is named where a plan says who approved it.
#[must_use]
pub fn policy_of(name: &str) -> String {
    format!("{POLICY}{name}")
}

/// The workflow that approved a plan, if one did.
#[must_use]
pub fn approved(plan: &PlanState) -> Option<&str> {
    plan.approvals.iter().find_map(|approval| match &approval.by {
        ApprovedBy::Policy(policy) => policy.strip_prefix(POLICY),
        ApprovedBy::Person(_) => None,
    })
}

/// A proposal that names a workflow is held against it once more, at the moment when it is written down. Answers with
/// the comment under which the approval is kept: which version of the rule it was.
pub(super) fn admit(
    state: &State,
    rules: &Rules,
    plan: &Plan,
    policy: Option<&str>,
    at: Moment,
) -> Result<String, Refusal> {
    let Some(name) = policy.and_then(|policy| policy.strip_prefix(POLICY)) else { return Ok(String::new()) };
    running(state)?;
    let refused = |why: &str| {
        Err(Refusal::new(
            Code::PlanNotApproved,
            format!("the workflow {name} does not approve this plan: {why}"),
        )
        .hint("a named approver can"))
    };
    let Some(trusted) = rules.workflows.iter().find(|trusted| trusted.rule.name == name) else {
        return refused("the configuration has none of that name");
    };
    match trusted.mismatches(state, rules, plan, at).first() {
        Some(why) => refused(why),
        None => Ok(format!("rule sha256:{}", trusted.rule.sha256())),
    }
}

/// A plan that a workflow approved does not start while workflows are stopped.
pub(super) fn still_trusted(state: &State, plan: &PlanState) -> Result<(), Refusal> {
    if approved(plan).is_some() { running(state) } else { Ok(()) }
}

fn running(state: &State) -> Result<(), Refusal> {
    let Some(stopped) = &state.auto_approval_stopped else { return Ok(()) };
    Err(Refusal::new(
        Code::AutoApprovalStopped,
        format!("approval by trusted workflows was stopped by {} at {}", stopped.by.label, stopped.at),
    )
    .hint("propose the change again: a person approves it; or an admin runs `appliance workflow resume`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::NOON;

    #[test]
    fn patterns_fit_whole_ids() {
        for (pattern, text, fit) in [
            ("r1", "r1", true),
            ("r1", "r10", false),
            ("r*", "r10", true),
            ("*-ap", "north-ap", true),
            ("*-ap", "north-ap2", false),
            ("n*-*p", "north-ap", true),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
    }

    #[test]
    fn a_window_is_open_from_its_first_minute_to_its_last_also_over_midnight() {
        // Noon of the tests: a Monday at 14:13:20.
        assert_eq!(NOON.to_string(), "2026-09-21T14:13:20.000000Z");
        let at = |day: i64, time: &str| {
            let midnight = NOON.plus_secs(-(14 * 3600 + 13 * 60 + 20));
            midnight.plus_secs((day * 24 * 60 + minutes(time).unwrap()) * 60)
        };
        let window = |days: &[Day], from: &str, to: &str| Window {
            days: days.to_vec(),
            from: from.into(),
            to: to.into(),
        };
        let day = window(&[Day::Mon, Day::Sun], "08:00", "17:30");
        for (when, open) in [
            (at(0, "07:59"), false),
            (at(0, "08:00"), true),
            (at(0, "17:29"), true),
            (at(0, "17:30"), false),
            (at(1, "09:00"), false),
            (at(6, "09:00"), true),
        ] {
            assert_eq!(day.holds(when), open, "{when}");
        }
        let night = window(&[Day::Mon], "22:00", "04:00");
        for (when, open) in [
            (at(0, "21:59"), false),
            (at(0, "22:00"), true),
            (at(1, "03:59"), true),
            (at(1, "04:00"), false),
            (at(0, "03:00"), false),
        ] {
            assert_eq!(night.holds(when), open, "{when}");
        }
        assert!(window(&[Day::Mon], "00:00", "24:00").holds(at(0, "23:59")));
        assert!(!window(&[Day::Mon], "bad", "24:00").holds(at(0, "12:00")), "what cannot be read is closed");
    }

    #[test]
    fn times_of_day_are_exact() {
        for bad in ["", "8:00", "08:60", "24:01", "25:00", "+8:00", "08:00:00", "0800"] {
            assert_eq!(minutes(bad), None, "{bad}");
        }
        assert_eq!((minutes("00:00"), minutes("24:00")), (Some(0), Some(1440)));
    }
}
