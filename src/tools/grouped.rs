//! A plan as people and programs are shown it: what is the same on several devices is told once.

use events::{
    ids::DeviceId,
    operation::Operation,
    plan::{DeadMan, DevicePart, GatePolicy, Plan, Precheck, Risk},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    changes::{ShownOperation, diff_lines},
    tools::{page, tool::schema_of},
};

/// Operations that are shown with the answer of a plan tool; the others are in `plan_details`.
const SHOWN_BYTES_MAX: usize = 48_000;

/// One change, and the devices that it is the same for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Group {
    /// From 1, as the devices name it.
    group: usize,
    device_ids: Vec<DeviceId>,
    /// What differs, one line a property.
    changes: Vec<String>,
    /// Exactly what is sent to each, with undo and expectations.
    operations: Vec<ShownOperation>,
    /// Of all; more than are here stand on other pages of plan_details.
    operation_count: usize,
}

/// One device of a plan.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Part {
    device_id: DeviceId,
    /// Its batch, from 1.
    wave: usize,
    /// Its change, among `groups`.
    group: usize,
    risk: Risk,
    /// What was checked when the plan was made.
    checks: Vec<Precheck>,
    /// What the router would undo by itself, and when.
    dead_man: Option<DeadMan>,
}

/// How a plan goes through its devices.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Batches {
    batch_count: usize,
    /// The first one goes alone.
    devices_per_batch: Vec<usize>,
    batch_pause_seconds: u32,
    soak_seconds: u32,
    /// What is judged after each batch.
    gate: Option<GatePolicy>,
    rollback_on_failure: bool,
    without_dead_man: bool,
}

impl Batches {
    /// Its fields in an answer, each with its schema.
    #[must_use]
    pub fn properties() -> Map<String, Value> {
        let mut schema = schema_of::<Self>();
        schema["properties"].as_object_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Those of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        Self {
            batch_count: plan.waves.len(),
            devices_per_batch: plan.waves.iter().map(Vec::len).collect(),
            batch_pause_seconds: plan.rollout.pause_seconds,
            soak_seconds: plan.rollout.soak_seconds,
            gate: plan.rollout.gate.clone(),
            rollback_on_failure: plan.rollback_on_failure,
            without_dead_man: plan.rollout.without_dead_man,
        }
    }
}

/// Devices whose operations are the same to the letter.
struct Same<'a> {
    device_ids: Vec<DeviceId>,
    operations: &'a [Operation],
}

/// The groups of a plan, in the order of their first devices, and the group of each device.
fn grouped(plan: &Plan) -> (Vec<Same<'_>>, Vec<(usize, usize, &DevicePart)>) {
    let mut groups: Vec<Same<'_>> = Vec::new();
    let mut devices = Vec::new();
    for (wave, parts) in (1..).zip(&plan.waves) {
        for part in parts {
            let device_id = part.device_id.clone();
            let known = groups.iter().position(|group| group.operations == part.operations.as_slice());
            let at = known.unwrap_or(groups.len());
            match known {
                Some(at) => groups[at].device_ids.push(device_id),
                None => groups.push(Same { device_ids: vec![device_id], operations: &part.operations }),
            }
            devices.push((wave, at + 1, part));
        }
    }
    (groups, devices)
}

impl Same<'_> {
    fn head(&self, group: usize) -> Group {
        Group {
            group,
            device_ids: self.device_ids.clone(),
            changes: Vec::new(),
            operations: Vec::new(),
            operation_count: self.operations.len(),
        }
    }
}

/// The groups of a plan, as many of their operations as an answer takes.
#[must_use]
pub fn groups(plan: &Plan) -> Vec<Group> {
    let mut bytes = 0;
    let (groups, _) = grouped(plan);
    let shown = (1..).zip(&groups).map(|(number, same)| {
        let mut group = same.head(number);
        for operation in same.operations {
            let (changes, shown) = (diff_lines(operation), ShownOperation::from(operation));
            bytes += size(&changes) + size(&shown);
            if bytes > SHOWN_BYTES_MAX {
                break;
            }
            group.changes.extend(changes);
            group.operations.push(shown);
        }
        group
    });
    shown.collect()
}

fn size(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

/// One page of a plan: its devices, then its operations by group.
#[derive(Debug)]
pub struct Shown {
    /// Groups with operations on this page.
    pub groups: Vec<Group>,
    /// Devices on this page.
    pub devices: Vec<Part>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Row {
    Operation { group: usize, changes: Vec<String>, operation: ShownOperation },
    Device(Box<Part>),
}

/// The page of a plan that begins with row `from`.
#[must_use]
pub fn page(plan: &Plan, from: usize) -> Shown {
    let (same, devices) = grouped(plan);
    let operations = (1..).zip(&same).flat_map(|(group, same)| {
        same.operations.iter().map(move |operation| Row::Operation {
            group,
            changes: diff_lines(operation),
            operation: ShownOperation::from(operation),
        })
    });
    let devices = devices.into_iter().map(|(wave, group, part)| {
        Row::Device(Box::new(Part {
            device_id: part.device_id.clone(),
            wave,
            group,
            risk: part.risk.clone(),
            checks: part.checks.clone(),
            dead_man: part.dead_man.clone(),
        }))
    });
    let page = page::cut(devices.chain(operations).collect(), from, usize::MAX);
    let mut shown = Shown { groups: Vec::new(), devices: Vec::new(), next_cursor: page.next_cursor };
    for row in page.rows {
        match row {
            Row::Device(part) => shown.devices.push(*part),
            Row::Operation { group, changes, operation } => {
                if shown.groups.last().is_none_or(|last| last.group != group) {
                    shown.groups.push(same[group - 1].head(group));
                }
                if let Some(last) = shown.groups.last_mut() {
                    last.changes.extend(changes);
                    last.operations.push(operation);
                }
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{dns_plan, operation};

    fn of(parts: &[(&str, Vec<Operation>)]) -> Plan {
        let mut made = dns_plan(1, events::device::Environment::Lab, &["r1"]);
        let model = made.waves[0][0].clone();
        let part = |(name, operations): &(&str, Vec<Operation>)| DevicePart {
            device_id: name.parse().unwrap(),
            operations: operations.clone(),
            ..model.clone()
        };
        made.waves = parts.iter().map(|one| vec![part(one)]).collect();
        made
    }

    #[test]
    fn what_is_the_same_is_told_once_and_every_device_says_which() {
        let (a, b) = (operation("1.1.1.1", "9.9.9.9"), operation("8.8.8.8", "9.9.9.9"));
        let made = of(&[("r1", vec![a.clone()]), ("r2", vec![b.clone()]), ("r3", vec![a.clone()])]);
        let told = groups(&made);
        let ids: Vec<Vec<&str>> =
            told.iter().map(|group| group.device_ids.iter().map(DeviceId::as_str).collect()).collect();
        assert_eq!(ids, [vec!["r1", "r3"], vec!["r2"]]);
        let page = page(&made, 0);
        let which: Vec<(usize, usize)> = page.devices.iter().map(|part| (part.wave, part.group)).collect();
        assert_eq!(which, [(1, 1), (2, 2), (3, 1)]);
        assert_eq!((page.groups.len(), page.next_cursor), (2, None));
    }

    #[test]
    fn a_large_plan_comes_in_pages_that_lose_nothing() {
        let many: Vec<Operation> =
            (0..400).map(|n| operation("1.1.1.1", &format!("10.0.{}.{}", n / 250, n % 250))).collect();
        let made = of(&[("r1", many.clone()), ("r2", many.clone()), ("r3", many[1..].to_vec())]);
        let short = groups(&made);
        assert!(short[0].operations.len() < 400 && short[0].operation_count == 400, "an answer is cut");
        let (mut operations, mut devices, mut from) = (0, 0, 0);
        loop {
            let page = page(&made, from);
            operations += page.groups.iter().map(|group| group.operations.len()).sum::<usize>();
            devices += page.devices.len();
            let Some(cursor) = page.next_cursor else { break };
            from = crate::tools::page::place(Some(&cursor)).unwrap();
        }
        assert_eq!((operations, devices), (400 + 399, 3));
    }
}
