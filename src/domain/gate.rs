//! When a wave is healthy enough for the next one (DECISIONS: jobs on routers, 2).

use events::{
    gate::{GateSample, Vitals},
    ids::DeviceId,
    plan::GatePolicy,
};

/// So many looks of the soak must show the same trouble.
const LOOKS_TO_FAIL: usize = 2;
/// A router that is up for less than this has rebooted (DECISIONS: thresholds).
const REBOOTED_S: u64 = 60;

/// A figure that a gate looks at.
struct Figure {
    name: &'static str,
    unit: &'static str,
    of: fn(&Vitals) -> Option<i64>,
    limit: fn(&GatePolicy) -> i64,
}

const FIGURES: [Figure; 4] = [
    Figure {
        name: "CPU load",
        unit: " %",
        of: |vitals| Some(i64::from(vitals.cpu_percent)),
        limit: |policy| i64::from(policy.cpu_percent),
    },
    Figure {
        name: "memory in use",
        unit: " %",
        of: |vitals| Some(i64::from(vitals.memory_percent)),
        limit: |policy| i64::from(policy.memory_percent),
    },
    Figure {
        name: "disk in use",
        unit: " %",
        of: |vitals| Some(i64::from(vitals.disk_percent)),
        limit: |policy| i64::from(policy.disk_percent),
    },
    Figure {
        name: "temperature",
        unit: " °C",
        of: |vitals| vitals.temperature_celsius.map(i64::from),
        limit: |policy| i64::from(policy.temperature_celsius),
    },
];

/// A verdict with its reasons, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The next wave may follow.
    pub passed: bool,
    /// Why not, or what should be known.
    pub reasons: Vec<String>,
}

/// Judges a wave by the look before it and those after it. A device that already was beyond a threshold before is not
/// blamed on the wave. One that cannot be read, that rebooted, or that fails a probe fails the gate. `looked_again`: a
/// person had it looked at again, and knows of reboots since the first look.
#[must_use]
pub fn judge(policy: &GatePolicy, samples: &[Vec<GateSample>], looked_again: bool) -> Verdict {
    let Some((before, after)) = samples.split_first() else {
        return Verdict { passed: true, reasons: Vec::new() };
    };
    let mut devices: Vec<&DeviceId> = after.iter().flatten().map(|sample| &sample.device_id).collect();
    devices.sort();
    devices.dedup();
    let (mut bad, mut notes) = (Vec::new(), Vec::new());
    for device_id in devices {
        let of = |samples: &'_ [GateSample]| samples.iter().find(|s| s.device_id == *device_id).cloned();
        let first = of(before).and_then(|sample| sample.vitals);
        let seen: Vec<GateSample> = after.iter().filter_map(|samples| of(samples)).collect();
        if let Some(lost) = seen.iter().find(|sample| sample.vitals.is_none()) {
            let why = lost.problem.as_deref().unwrap_or("device_unreachable");
            bad.push(format!("{device_id} cannot be read after the wave: {why}"));
            continue;
        }
        let vitals: Vec<Vitals> = seen.iter().filter_map(|sample| sample.vitals).collect();
        // An uptime only grows, until the router is started anew.
        let known = first.iter().filter(|_| !looked_again);
        let uptimes: Vec<u64> = known.chain(&vitals).map(|vitals| vitals.uptime_seconds).collect();
        let fell = uptimes.windows(2).any(|two| two[1] < two[0]);
        if fell || (!looked_again && vitals.iter().any(|vitals| vitals.uptime_seconds < REBOOTED_S)) {
            bad.push(format!("{device_id} rebooted"));
        }
        let problems: Vec<&str> = seen.iter().filter_map(|sample| sample.problem.as_deref()).collect();
        if problems.len() >= LOOKS_TO_FAIL {
            bad.push(format!("{device_id} fails a probe: {}", problems[0]));
        }
        for figure in &FIGURES {
            let limit = (figure.limit)(policy);
            let beyond: Vec<i64> =
                vitals.iter().filter_map(figure.of).filter(|value| *value >= limit).collect();
            let already = first.as_ref().and_then(figure.of).is_some_and(|value| value >= limit);
            let worst = beyond.iter().max().copied().unwrap_or_default();
            let told =
                format!("{device_id}: {} {worst}{}, limit {limit}{}", figure.name, figure.unit, figure.unit);
            match (beyond.len() >= LOOKS_TO_FAIL, already) {
                (true, false) => bad.push(told),
                (true, true) => notes.push(format!("{told}, as before the wave")),
                (false, _) => {}
            }
        }
        if let Some(last) = seen.last() {
            notes.extend(last.notes.iter().map(|note| format!("{device_id}: {note}")));
        }
    }
    match bad.is_empty() {
        true => Verdict { passed: true, reasons: notes },
        false => Verdict { passed: false, reasons: bad },
    }
}

/// What the gate says of one device alone.
#[must_use]
pub fn judge_one(
    policy: &GatePolicy,
    samples: &[Vec<GateSample>],
    looked_again: bool,
    device_id: &DeviceId,
) -> Verdict {
    let own = |looks: &Vec<GateSample>| {
        looks.iter().filter(|sample| sample.device_id == *device_id).cloned().collect()
    };
    let samples: Vec<Vec<GateSample>> = samples.iter().map(own).collect();
    judge(policy, &samples, looked_again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals(cpu: u8, uptime: u64) -> Option<Vitals> {
        Some(Vitals {
            cpu_percent: cpu,
            memory_percent: 40,
            disk_percent: 40,
            temperature_celsius: None,
            uptime_seconds: uptime,
        })
    }

    fn look(vitals: Option<Vitals>, problem: Option<&str>) -> Vec<GateSample> {
        let device_id = "r1".parse().unwrap();
        vec![GateSample { device_id, vitals, problem: problem.map(str::to_owned), notes: vec![] }]
    }

    fn passes(samples: &[Vec<GateSample>]) -> bool {
        judge(&GatePolicy::default(), samples, false).passed
    }

    #[test]
    fn two_of_three_looks_beyond_a_threshold_fail() {
        let with = |cpus: [u8; 4]| {
            let looks: Vec<_> = cpus.iter().map(|cpu| look(vitals(*cpu, 100), None)).collect();
            passes(&looks)
        };
        assert!(with([10, 99, 10, 10]), "one peak");
        assert!(!with([10, 80, 10, 80]), "80 % is the threshold itself");
        assert!(!with([79, 80, 80, 80]));
        assert!(with([80, 99, 99, 99]), "it was busy before");
        assert!(with([10, 79, 79, 79]));
    }

    #[test]
    fn a_lost_a_rebooted_and_a_probed_device_fail() {
        let good = || look(vitals(10, 100), None);
        assert!(passes(&[good(), good(), good(), good()]));
        assert!(!passes(&[good(), look(None, Some("device_unreachable"))]), "it is not waited for");
        assert!(!passes(&[good(), good(), look(vitals(10, 3), None), good()]), "it rebooted");
        let young = [20, 40, 50, 70].map(|uptime| look(vitals(10, uptime), None));
        assert!(!passes(&young), "it was just booted, or again");
        let again = [5_000, 100, 110, 120].map(|uptime| look(vitals(10, uptime), None));
        assert!(!passes(&again));
        assert!(judge(&GatePolicy::default(), &again, true).passed, "a person knows, and looked again");
        let twice = [5_000, 100, 70, 80].map(|uptime| look(vitals(10, uptime), None));
        assert!(!judge(&GatePolicy::default(), &twice, true).passed, "once more");
        let deaf = || look(vitals(10, 100), Some("not_resolved"));
        assert!(!passes(&[good(), deaf(), deaf(), good()]));
        assert!(passes(&[good(), deaf(), good(), good()]));
    }

    #[test]
    fn the_gate_is_monotone() {
        // What fails with some load fails with more of it.
        for worse in 80..=100 {
            let looks = [10, worse, worse, 10].map(|cpu| look(vitals(cpu, 100), None));
            assert!(!passes(&looks), "{worse}");
        }
    }
}
