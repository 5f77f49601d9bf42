//! Rollouts over fifty routers, killed at random moments: after each restart the job goes on, and what every router saw
//! and has is what the log says.

use std::{collections::BTreeSet, time::Duration};

use events::{crash::POINTS, event::Event, job::StepStatus};
use serde_json::json;

use crate::{
    crash::fleet_rig::{Fleet, Round},
    history::{History, complaints},
};

/// Routers of a rollout.
const ROUTERS: usize = 50;
/// Kills without `APPLIANCE_KILLS`.
const KILLS: usize = 10;

/// Where a rollout can be killed: everything that it meets on its way.
fn points() -> Vec<&'static str> {
    let met = ["runner.", "gate.", "lane.", "writer.", "log.append.", "job."];
    let of_a_plan = |point: &&&str| met.iter().any(|room| point.starts_with(room));
    let rare = ["stale", "stuck", "doubt", "refused", "give_up", "recover", "reopen"];
    let often = |point: &&&str| !rare.iter().any(|word| point.contains(word));
    POINTS.iter().filter(of_a_plan).filter(often).copied().collect()
}

/// A generator of its own, so that a run can be told again by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

#[derive(Default)]
struct Totals {
    killed: usize,
    in_doubt: usize,
    in_doubt_and_done: usize,
    writes: usize,
    intents: usize,
    longest_settle: Duration,
    longest_end: Duration,
    wrong: Vec<String>,
}

#[test]
fn rollouts_over_fifty_routers_survive_being_killed() {
    let kills = std::env::var("APPLIANCE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed_0050_u64);
    let fleet = Fleet::make(ROUTERS);
    let (mut dice, mut totals, points) = (Dice(seed.max(1)), Totals::default(), points());
    for n in 0..kills {
        let servers = if n % 2 == 0 { "9.9.9.9" } else { "192.0.2.53" };
        let point = points[dice.below(points.len())];
        // Points of a step are met once a router, those of gates a few times a wave, those of the job hardly.
        let most = match point {
            _ if point.starts_with("job.") || point.contains("status") => 1,
            _ if point.starts_with("gate.") => 4,
            _ => ROUTERS,
        };
        let hit = 1 + dice.below(most);
        let name = format!("SEED={seed} kill {n} at {point}:{hit}");
        let round = fleet.round(servers, point, hit);
        judge(&round, servers, &name, &mut totals);
        if totals.wrong.len() > 20 {
            break;
        }
    }
    println!(
        "{} of {kills} rollouts over {ROUTERS} routers killed; {} intents, {} writes; in doubt at death {}, of them done on \
         the router {}; complaints {}; longest until nothing was in doubt {:.1} s, until the rollout was done {:.1} s",
        totals.killed,
        totals.intents,
        totals.writes,
        totals.in_doubt,
        totals.in_doubt_and_done,
        totals.wrong.len(),
        totals.longest_settle.as_secs_f64(),
        totals.longest_end.as_secs_f64(),
    );
    assert!(totals.wrong.is_empty(), "{:#?}", totals.wrong);
    assert!(totals.killed * 2 >= kills, "most rollouts are killed before their end");
}

fn judge(round: &Round, servers: &str, name: &str, totals: &mut Totals) {
    let mut history = History::of_log(&round.log, round.head);
    history.requests.clone_from(&round.requests);
    for (device, rows) in &round.truth {
        history.truth.insert((device.clone(), "/ip/dns".into()), rows.clone());
    }
    totals.wrong.extend(complaints(&history).into_iter().map(|line| format!("{name}: {line}")));
    if round.status != json!("completed") {
        totals.wrong.push(format!("{name}: the rollout is {}", round.status));
    }
    for (device, rows) in &round.truth {
        if rows[0]["servers"] != servers {
            totals.wrong.push(format!("{name}: {device} has {}", rows[0]["servers"]));
        }
    }
    // What was begun and not ended when the process died is exactly what was in doubt.
    let begun: BTreeSet<String> = open_at_death(round);
    let sent: BTreeSet<String> = round.written_at_death.iter().cloned().collect();
    let ended: BTreeSet<String> = ended_at_death(round);
    for device in sent.iter().filter(|device| !begun.contains(*device) && !ended.contains(*device)) {
        totals.wrong.push(format!("{name}: {device} was written to, and the log at death does not know"));
    }
    totals.killed += usize::from(round.killed);
    totals.in_doubt += begun.len();
    totals.in_doubt_and_done += begun.intersection(&sent).count();
    totals.writes += history.requests.iter().filter(|request| request.method != "GET").count();
    totals.intents += history.intents();
    totals.longest_settle = totals.longest_settle.max(round.settled_after);
    totals.longest_end = totals.longest_end.max(round.ended_after);
}

/// Devices with an intent and no end in the log as the process left it.
fn open_at_death(round: &Round) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    for envelope in
        round.log.iter().filter(|envelope| envelope.seq.0 > round.head && envelope.seq.0 <= round.died_at)
    {
        match &envelope.event {
            Event::StepStarted(e) => drop(open.insert(e.device_id.to_string())),
            Event::StepSettled(e) if e.status != StepStatus::InDoubt => {
                open.remove(e.device_id.as_str());
            }
            _ => {}
        }
    }
    open
}

fn ended_at_death(round: &Round) -> BTreeSet<String> {
    let before = |seq: u64| seq > round.head && seq <= round.died_at;
    let ended = round.log.iter().filter(|envelope| before(envelope.seq.0)).filter_map(|envelope| {
        match &envelope.event {
            Event::StepSettled(e) if e.status == StepStatus::Applied => Some(e.device_id.to_string()),
            _ => None,
        }
    });
    ended.collect()
}
