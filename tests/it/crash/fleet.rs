//! Rollouts over fifty routers, killed at random moments, forward and backward, with and without timed undos: after each
//! restart what the product calls in doubt is the truth, the job goes on, and what every router saw and has is what the
//! log says.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use events::{crash::POINTS, event::Event, gate::DeadManStatus, job::StepStatus};
use serde_json::json;

use crate::{
    crash::fleet_rig::{DNS, Fleet, RULES, Round, Story, TIMERS, is_ours},
    history::{History, complaints},
};

/// Routers of a rollout.
const ROUTERS: usize = 50;
/// Kills without `APPLIANCE_KILLS`.
const KILLS: usize = 30;
/// What was in doubt at death is settled so long after the restart, at most.
const RESUMED_WITHIN: Duration = Duration::from_secs(5);

/// Where a story can be killed: what it meets on its way.
fn points(story: Story) -> Vec<&'static str> {
    let met: &[&str] = match story {
        Story::Plain => &["runner.", "gate.", "lane.", "writer.", "log.append.", "job."],
        // Past all writes: only what is met once a step says how far it is.
        Story::Refused(_) => &["runner.", "lane.write."],
        Story::LostAnswers => &["settle.", "runner.before_doubt", "runner.after_doubt"],
        Story::Risky => &["dead_man.", "runner.", "gate.", "lane.write."],
    };
    let rare = ["stale", "stuck", "refused", "give_up", "recover", "reopen"];
    let doubt = story == Story::LostAnswers;
    let fits = |point: &&&str| {
        met.iter().any(|room| point.starts_with(room))
            && !rare.iter().any(|word| point.contains(word))
            && (doubt || !point.contains("doubt"))
            && (!matches!(story, Story::Refused(_)) || **point != "runner.picked")
    };
    POINTS.iter().filter(fits).copied().collect()
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

    /// One after the other: plain or with lost answers, undone since one refuses, under timed undos.
    fn story(&mut self, n: usize) -> Story {
        match n % 3 {
            0 if n.is_multiple_of(2) => Story::Plain,
            0 => Story::LostAnswers,
            // One of the first of the last wave: everything before it is undone.
            1 => Story::Refused(30 + self.below(5)),
            _ => Story::Risky,
        }
    }

    /// Where, and at which time that it is met.
    fn kill(&mut self, story: Story) -> (&'static str, usize) {
        let points = points(story);
        let point = points[self.below(points.len())];
        let backward = matches!(story, Story::Refused(_));
        // Points of a step are met once a router, those of gates a few times a wave, those of the job hardly.
        let hit = match point {
            _ if point.starts_with("job.") => 1,
            _ if point.contains("status") => 1 + usize::from(backward),
            _ if point.starts_with("gate.") => 1 + self.below(3),
            // At most fifty were begun, and at least forty-one of them are undone.
            _ if backward => ROUTERS + 1 + self.below(ROUTERS / 2),
            _ => 1 + self.below(ROUTERS - 5),
        };
        (point, hit)
    }
}

#[derive(Default)]
struct Totals {
    killed: usize,
    /// Killed in a rollback, and with a timed undo in hand.
    backward: usize,
    armed: usize,
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
    let asked = std::env::var("APPLIANCE_KILLS").ok().and_then(|text| text.parse().ok());
    let kills: usize = asked.unwrap_or(KILLS);
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed_0050_u64);
    let mut fleet = Fleet::make(ROUTERS);
    let (mut dice, mut totals) = (Dice(seed.max(1)), Totals::default());
    let mut story = Story::Plain;
    for round in 0.. {
        // One that was not killed does not count.
        assert!(round < 3 * kills, "only {} of {round} rollouts were killed before their end", totals.killed);
        let (point, hit) = dice.kill(story);
        let name = format!("SEED={seed} round {round}, {story:?}, at {point}:{hit}");
        let next = dice.story(round + 1);
        let seen = fleet.round(point, hit, next);
        story = next;
        judge(&seen, &name, &mut totals);
        if totals.wrong.len() > 20 || totals.killed == kills {
            break;
        }
    }
    println!(
        "{} rollouts over {ROUTERS} routers killed, {} of them while they were undone, {} with timed undos armed; {} intents, \
         {} writes; in doubt at death {}, of them done on the router {}; complaints {}; longest until what was in doubt at \
         death was settled {:.1} s, until the rollout was over {:.1} s",
        totals.killed,
        totals.backward,
        totals.armed,
        totals.intents,
        totals.writes,
        totals.in_doubt,
        totals.in_doubt_and_done,
        totals.wrong.len(),
        totals.longest_settle.as_secs_f64(),
        totals.longest_end.as_secs_f64(),
    );
    assert!(totals.wrong.is_empty(), "{:#?}", totals.wrong);
    assert!(totals.in_doubt > 0 && totals.in_doubt_and_done > 0, "nothing was in doubt at any death");
    assert!(
        kills < 9 || (totals.backward > 0 && totals.armed > 0),
        "no kill fell into an undo or a guarded step"
    );
    // A figure for a machine that does nothing else.
    let in_time = totals.longest_settle <= RESUMED_WITHIN;
    assert!(asked.is_none() || in_time, "settled only after {:?}", totals.longest_settle);
}

fn judge(round: &Round, name: &str, totals: &mut Totals) {
    let wrong = &mut totals.wrong;
    let mut history = History::of_log(&round.log, round.head);
    history.requests.clone_from(&round.requests);
    for (menu, of_all) in &round.truth {
        for (device, rows) in of_all {
            history.truth.insert((device.clone(), (*menu).into()), rows.clone());
        }
    }
    wrong.extend(complaints(&history).into_iter().map(|line| format!("{name}: {line}")));
    let wanted = if matches!(round.story, Story::Refused(_)) { "rolled_back" } else { "completed" };
    if round.status != json!(wanted) {
        wrong.push(format!("{name}: the rollout is {}", round.status));
    }
    for (device, rows) in &round.truth[DNS] {
        if rows[0]["servers"] != round.server {
            wrong.push(format!("{name}: {device} has {}", rows[0]["servers"]));
        }
    }
    for (device, rows) in &round.truth[RULES] {
        let rules = rows.iter().filter(|row| is_ours(row)).count();
        if rules != usize::from(round.story.is_risky()) {
            wrong.push(format!("{name}: {device} has {rules} rules of the rollout"));
        }
    }
    for (menu, of_all) in TIMERS.map(|menu| (menu, &round.truth[menu])) {
        for (device, rows) in of_all.iter().filter(|(_, rows)| !rows.is_empty()) {
            wrong.push(format!("{name}: left timer: {device} keeps {rows:?} in {menu}"));
        }
    }
    // What was begun and not ended when the process died is exactly what the product calls in doubt.
    let death = Death::of(round);
    let open: BTreeSet<String> = death.open.keys().map(|(device, _)| device.clone()).collect();
    let done: BTreeSet<String> = death
        .open
        .iter()
        .filter(|((device, _), begun)| round.written[device].iter().any(|at| at >= begun))
        .map(|((device, _), _)| device.clone())
        .collect();
    if !round.reported.is_subset(&open) {
        let more = round.reported.difference(&open).collect::<Vec<_>>();
        wrong.push(format!("{name}: in doubt without an open intent: {more:?}"));
    }
    if !round.reported.is_superset(&done) {
        let less = done.difference(&round.reported).collect::<Vec<_>>();
        wrong.push(format!("{name}: written to, not ended, and not in doubt: {less:?}"));
    }
    let forgotten = open.difference(&round.reported).collect::<Vec<_>>();
    if !forgotten.is_empty() {
        wrong.push(format!("{name}: begun, not ended, and not in doubt: {forgotten:?}"));
    }
    // What dies after its rollout's end shows nothing.
    let killed = round.killed && !death.over;
    totals.killed += usize::from(killed);
    totals.backward += usize::from(killed && death.backward);
    totals.armed += usize::from(killed && death.armed);
    totals.in_doubt += round.reported.len();
    totals.in_doubt_and_done += round.reported.intersection(&done).count();
    totals.writes += history.requests.iter().filter(|request| request.method != "GET").count();
    totals.intents += history.intents();
    totals.longest_settle = totals.longest_settle.max(death.settled_after);
    totals.longest_end = totals.longest_end.max(round.ended_after);
}

/// How the log stood when the process died.
#[derive(Default)]
struct Death {
    /// Intents without an end: of which device, a timed undo's or a step's; and since when.
    open: BTreeMap<(String, bool), i64>,
    /// The rollout was over.
    over: bool,
    /// Something was being undone.
    backward: bool,
    /// A timed undo was on a router, or on its way.
    armed: bool,
    /// From the restart until all of those had their end.
    settled_after: Duration,
}

impl Death {
    fn of(round: &Round) -> Self {
        let mut death = Self::default();
        let mut live = BTreeSet::new();
        let later = |seq: u64| seq > round.died_at;
        let own = round.log.iter().filter(|envelope| envelope.seq.0 > round.head);
        let mut waited_for: Option<BTreeSet<(String, bool)>> = None;
        for envelope in own {
            let begun = match &envelope.event {
                Event::StepStarted(e) => Some((e.device_id.to_string(), false)),
                Event::DeadManStarted(e) => Some((e.device_id.to_string(), true)),
                _ => None,
            };
            let ended = match &envelope.event {
                Event::StepSettled(e) if e.status != StepStatus::InDoubt => {
                    Some((e.device_id.to_string(), false))
                }
                Event::DeadManSettled(e) if e.status != DeadManStatus::InDoubt => {
                    Some((e.device_id.to_string(), true))
                }
                _ => None,
            };
            let at = envelope.at.as_micros();
            if later(envelope.seq.0) {
                let left = waited_for.get_or_insert_with(|| death.open.keys().cloned().collect());
                if ended.is_some_and(|ended| left.remove(&ended)) {
                    let after = u64::try_from(at - round.restarted_at).unwrap_or(0);
                    death.settled_after = death.settled_after.max(Duration::from_micros(after));
                }
                continue;
            }
            if let Some(key) = begun {
                death.open.insert(key, at);
            }
            if let Some(key) = ended {
                death.open.remove(&key);
            }
            match &envelope.event {
                Event::JobStatusChanged(e) => death.over = e.status.is_over(),
                Event::StepStarted(e) => death.backward |= e.undo,
                Event::DeadManStarted(e) => drop(live.insert(e.device_id.clone())),
                Event::DeadManSettled(e) if e.status == DeadManStatus::Disarmed => {
                    live.remove(&e.device_id);
                }
                _ => {}
            }
        }
        death.armed = !live.is_empty();
        death
    }
}
