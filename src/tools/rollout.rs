//! How a plan goes through its devices: what every tool that plans for several devices takes besides its own parameters,
//! and what follows from it.

use std::time::Duration;

use events::plan::{GatePolicy, Rollout};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    changes::ntp::is_host_name,
    failure::{Code, Failure},
    tools::{
        params::{Text, Whole},
        tool::{decode, schema_of},
    },
};

/// The most operations of one plan. Each is a step of its own, with an intent, a write and a reading; a plan of this size
/// takes 10 MB at worst, and the log takes 16 MiB in one event.
pub const OPERATIONS_MAX: usize = 2_000;
/// What a batch takes besides its soak: arming, writing and reading back one device after a look at each.
const BATCH_S: u32 = 15;

/// What the configuration says about rollouts, where a call does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rollouts {
    /// Devices that are changed at the same time, after the first one alone (1–50). Default 5.
    pub batch_size: u32,
    /// Rest between batches, in seconds (0–3600). Default 60.
    pub pause_seconds: u32,
    /// How long a batch is watched before the next one, in seconds (0–3600). Default 30.
    pub soak_seconds: u32,
    /// A router undoes a risky change by itself so many seconds after it was armed, if nobody disarms it (3–3600). More
    /// operations, more devices and a longer soak time make it later. Default 120.
    pub dead_man_seconds: u32,
}

impl Default for Rollouts {
    fn default() -> Self {
        Self { batch_size: 5, pause_seconds: 60, soak_seconds: 30, dead_man_seconds: 120 }
    }
}

impl Rollouts {
    /// Every key with its value and its bounds.
    #[must_use]
    pub const fn bounds(&self) -> [(&'static str, u32, u32, u32); 4] {
        [
            ("rollouts.batch_size", self.batch_size, 1, 50),
            ("rollouts.pause_seconds", self.pause_seconds, 0, 3600),
            ("rollouts.soak_seconds", self.soak_seconds, 0, 3600),
            ("rollouts.dead_man_seconds", self.dead_man_seconds, 3, 3600),
        ]
    }
}

/// How a plan goes through its devices, as the caller wants it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Devices at once, after the first one alone. Default 5.
    #[serde(default)]
    batch_size: Option<Whole<1, 50>>,
    /// Default 60.
    #[serde(default)]
    pause_seconds_between_batches: Option<Whole<0, 3600>>,
    /// Each batch is watched so long. Default 30.
    #[serde(default)]
    soak_seconds: Option<Whole<0, 3600>>,
    /// Undo all when one fails.
    #[serde(default = "yes")]
    rollback_on_failure: bool,
    /// Allow risky changes where routers cannot undo them.
    #[serde(default)]
    without_dead_man: bool,
    /// A name that each device must resolve then.
    #[serde(default)]
    resolve_name: Option<Text<1, 253>>,
    /// Clocks must be synchronised then; waits 10 min.
    #[serde(default)]
    wait_for_ntp: bool,
}

const fn yes() -> bool {
    true
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            batch_size: None,
            pause_seconds_between_batches: None,
            soak_seconds: None,
            rollback_on_failure: true,
            without_dead_man: false,
            resolve_name: None,
            wait_for_ntp: false,
        }
    }
}

impl Shape {
    /// The parameters of a shape, each with its schema.
    #[must_use]
    pub fn properties() -> Map<String, Value> {
        let mut schema = schema_of::<Self>();
        schema["properties"].as_object_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes a shape out of a call's parameters.
    ///
    /// # Errors
    /// `invalid_params` by field.
    pub fn split(params: Value) -> Result<(Value, Self), Failure> {
        let Value::Object(mut own) = params else { return Ok((params, Self::default())) };
        let mut shape = Map::new();
        for name in Self::properties().keys() {
            if let Some((name, value)) = own.remove_entry(name) {
                shape.insert(name, value);
            }
        }
        let shape: Self = decode(shape.into())?;
        if shape.resolve_name.as_ref().is_some_and(|name| !is_host_name(&name.0)) {
            return Err(Failure::param("resolve_name", "a host name such as `example.com`"));
        }
        Ok((own.into(), shape))
    }

    /// Undo what was applied when something fails.
    #[must_use]
    pub const fn rollback_on_failure(&self) -> bool {
        self.rollback_on_failure
    }

    /// Risky changes may be made where no timed undo can be armed.
    #[must_use]
    pub const fn without_dead_man(&self) -> bool {
        self.without_dead_man
    }

    /// How many devices of a batch, of a call that names so many.
    ///
    /// # Errors
    /// `invalid_params` when there are fewer devices than a batch is to have.
    pub fn batch_size(&self, defaults: &Rollouts, devices: usize) -> Result<usize, Failure> {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        match self.batch_size {
            None => Ok(size(defaults.batch_size).min(devices).max(1)),
            Some(Whole(asked)) if size(asked) <= devices.max(1) => Ok(size(asked)),
            Some(Whole(asked)) => {
                Err(Failure::param("batch_size", format!("1–{devices} for {devices} devices, got {asked}")))
            }
        }
    }

    /// How the plan goes through its waves. A plan for people is never without a gate.
    #[must_use]
    pub fn rollout(&self, defaults: &Rollouts) -> Rollout {
        let or = |asked: Option<Whole<0, 3600>>, default: u32| asked.map_or(default, |asked| asked.0);
        Rollout {
            pause_seconds: or(self.pause_seconds_between_batches, defaults.pause_seconds),
            soak_seconds: or(self.soak_seconds, defaults.soak_seconds),
            gate: Some(GatePolicy {
                resolve: self.resolve_name.as_ref().map(|name| name.0.clone()),
                ntp: self.wait_for_ntp,
                ..GatePolicy::default()
            }),
            without_dead_man: self.without_dead_man,
        }
    }
}

/// The devices in their waves. The first one always goes alone: what was never seen to work on one router of the plan is
/// not done to two at once. Then so many at a time, in the order given.
#[must_use]
pub fn waves<T>(devices: Vec<T>, batch_size: usize) -> Vec<Vec<T>> {
    let mut waves = Vec::new();
    let mut left = devices.into_iter();
    waves.extend(left.next().map(|canary| vec![canary]));
    loop {
        let wave: Vec<T> = left.by_ref().take(batch_size.max(1)).collect();
        if wave.is_empty() {
            return waves;
        }
        waves.push(wave);
    }
}

/// How long a rollout of so many waves will take when nothing fails.
#[must_use]
pub fn estimate(rollout: &Rollout, waves: usize) -> Duration {
    let waves = u32::try_from(waves).unwrap_or(u32::MAX);
    let each = rollout.soak_seconds.saturating_add(BATCH_S).saturating_mul(waves);
    let pauses = rollout.pause_seconds.saturating_mul(waves.saturating_sub(1));
    Duration::from_secs(u64::from(each) + u64::from(pauses))
}

/// A plan of this many operations, device by device, fits into one.
///
/// # Errors
/// `invalid_params` that tells how many devices would fit.
pub fn fits(operations: &[usize]) -> Result<(), Failure> {
    let total: usize = operations.iter().sum();
    if total <= OPERATIONS_MAX {
        return Ok(());
    }
    let mut sum = 0;
    let fit = operations.iter().take_while(|count| {
        sum += *count;
        sum <= OPERATIONS_MAX
    });
    let fit = fit.count();
    let worst = operations.iter().max().copied().unwrap_or_default();
    let hint = match fit {
        0 => "plan fewer changes at a time".to_owned(),
        _ => format!("plan for the first {fit} devices, then for the others; or fewer changes at a time"),
    };
    Err(Failure::new(
        Code::InvalidParams,
        format!(
            "`device_ids`: {total} operations on {} devices (up to {worst} on one); a plan holds {OPERATIONS_MAX}",
            operations.len()
        ),
    )
    .hint(hint)
    .details(serde_json::json!({
        "field": "device_ids", "operations": total, "limit": OPERATIONS_MAX, "devices_that_fit": fit,
    })))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_device_goes_alone_and_the_others_in_batches() {
        let sizes = |devices: usize, batch: usize| -> Vec<usize> {
            waves((0..devices).collect(), batch).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(0, 5), Vec::<usize>::new());
        assert_eq!(sizes(1, 5), [1]);
        assert_eq!(sizes(2, 5), [1, 1]);
        assert_eq!(sizes(5, 2), [1, 2, 2]);
        assert_eq!(sizes(50, 5), [1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 4]);
        assert_eq!(sizes(3, 1), [1, 1, 1]);
        assert_eq!(waves(vec!['a', 'b', 'c', 'd'], 2), [vec!['a'], vec!['b', 'c'], vec!['d']]);
    }

    #[test]
    fn a_shape_is_taken_out_by_its_own_names_and_checked_by_field() {
        let params = json!({ "device_ids": ["r1"], "batch_size": 2, "soak_seconds": 0, "resolve_name": "example.org" });
        let (own, shape) = Shape::split(params).unwrap();
        assert_eq!(own, json!({ "device_ids": ["r1"] }));
        let rollout = shape.rollout(&Rollouts::default());
        assert_eq!((rollout.pause_seconds, rollout.soak_seconds), (60, 0));
        assert_eq!(rollout.gate.unwrap().resolve.as_deref(), Some("example.org"));
        assert!(shape.rollback_on_failure() && !shape.without_dead_man());
        for (field, bad) in [
            ("batch_size", json!(0)),
            ("batch_size", json!(51)),
            ("batch_size", json!("5")),
            ("pause_seconds_between_batches", json!(3601)),
            ("soak_seconds", json!(-1)),
            ("rollback_on_failure", json!("no")),
            ("without_dead_man", json!(1)),
            ("resolve_name", json!("a b")),
            ("wait_for_ntp", json!([])),
        ] {
            let failure = Shape::split(json!({ field: bad })).unwrap_err();
            assert_eq!(failure.details.unwrap()["field"], field, "{bad}");
        }
    }

    #[test]
    fn a_batch_is_no_larger_than_the_plan() {
        let size = |asked: Option<u32>, devices: usize| {
            let shape = Shape { batch_size: asked.map(Whole), ..Shape::default() };
            shape.batch_size(&Rollouts::default(), devices).ok()
        };
        assert_eq!((size(None, 1), size(None, 3), size(None, 50)), (Some(1), Some(3), Some(5)));
        assert_eq!((size(Some(3), 3), size(Some(4), 3), size(Some(50), 50)), (Some(3), None, Some(50)));
    }

    #[test]
    fn what_does_not_fit_says_how_many_devices_do() {
        assert!(fits(&[1000, 1000]).is_ok());
        let failure = fits(&[1000, 900, 200, 1]).unwrap_err();
        assert_eq!(failure.details.unwrap()["devices_that_fit"], 2);
        assert_eq!(fits(&[2001]).unwrap_err().details.unwrap()["devices_that_fit"], 0);
    }

    #[test]
    fn time_is_that_of_waves_and_pauses() {
        let rollout = Shape::default().rollout(&Rollouts::default());
        assert_eq!(estimate(&rollout, 1).as_secs(), 45);
        assert_eq!(estimate(&rollout, 3).as_secs(), 3 * 45 + 2 * 60);
    }
}
