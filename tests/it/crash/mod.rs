//! The real binary is killed at every named point of a write; routers live on in another process. After a restart
//! nothing was written without a durable intent, nothing begun is forgotten, and nothing was written twice blindly.
//!
//! `APPLIANCE_KILLS` sets how many kills are made; without it, one at every point.

mod fleet;
mod fleet_rig;
mod rig;
mod scenarios;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use events::crash::POINTS;

use rig::{Site, Template};
use scenarios::{SCENARIOS, Scenario};

/// Sites that work at the same time, each with its own routers and its own store.
const SITES: usize = 4;

/// What a run of a scenario showed.
#[derive(Debug, Default)]
pub struct Seen {
    /// The process was killed at the point.
    pub killed: bool,
    /// How often each point was reached, while it was counted.
    pub reached: BTreeMap<String, usize>,
    /// From the restart until no job was open.
    pub resumed: Duration,
    /// Everything that was wrong.
    pub complaints: Vec<String>,
    /// Writes that routers saw, and intents in the log.
    pub writes: usize,
    pub intents: usize,
}

/// One kill to be made.
#[derive(Clone, Copy)]
struct Kill {
    scenario: &'static Scenario,
    point: &'static str,
    hit: usize,
}

/// What all kills together showed.
#[derive(Default)]
struct Totals {
    at: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
    longest: Duration,
    writes: usize,
    intents: usize,
}

/// Runs work on all sites at once.
fn on_sites<T: Sync>(template: &Template, work: &[T], each: impl Fn(&Site<'_>, &T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for n in 0..SITES {
            let (next, each) = (&next, &each);
            scope.spawn(move || {
                let site = template.site(n);
                while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(&site, item);
                }
            });
        }
    });
}

/// One kill at every point first, in the middle of what reaches it; then at every hit of every scenario.
fn kills_of(reached: &BTreeMap<(&str, String), usize>, budget: Option<usize>) -> Vec<Kill> {
    let hits = |scenario: &Scenario, point: &str| {
        reached.get(&(scenario.name, point.to_owned())).copied().unwrap_or(0)
    };
    let mut kills = Vec::new();
    for point in POINTS {
        // A start is worth most where there is something to resume.
        let fits = |scenario: &&Scenario| !point.starts_with("start.") || scenario.prior.is_some();
        if let Some(scenario) = SCENARIOS.iter().filter(fits).find(|scenario| hits(scenario, point) > 0) {
            kills.push(Kill { scenario, point, hit: hits(scenario, point).div_ceil(2) });
        }
    }
    let Some(budget) = budget else { return kills };
    let most = reached.values().copied().max().unwrap_or(0);
    let more = (1..=most).flat_map(|hit| {
        let kill = move |scenario| POINTS.iter().map(move |point| Kill { scenario, point, hit });
        SCENARIOS.iter().flat_map(kill).filter(move |kill| hits(kill.scenario, kill.point) >= hit)
    });
    let first: BTreeSet<_> = kills.iter().map(|kill| (kill.scenario.name, kill.point, kill.hit)).collect();
    kills.extend(more.filter(|kill| !first.contains(&(kill.scenario.name, kill.point, kill.hit))));
    kills.truncate(budget);
    kills
}

#[test]
fn kills_at_every_point_of_a_write_leave_nothing_forgotten_nor_blindly_repeated() {
    let budget = std::env::var("APPLIANCE_KILLS").ok().and_then(|text| text.parse().ok());
    let template = Template::make(SITES);

    // Undisturbed first: each scenario does what it should, and shows which points it reaches.
    let reached: Mutex<BTreeMap<(&str, String), usize>> = Mutex::default();
    on_sites(&template, SCENARIOS, |site, scenario| {
        let seen = site.run(scenario, None);
        assert!(seen.complaints.is_empty(), "{}: {:#?}", scenario.name, seen.complaints);
        let mut reached = reached.lock().unwrap();
        for (point, count) in seen.reached {
            reached.insert((scenario.name, point), count);
        }
    });
    let reached = reached.into_inner().unwrap();
    let never: Vec<_> =
        POINTS.iter().filter(|point| !reached.keys().any(|(_, reached)| reached == *point)).collect();
    assert!(never.is_empty(), "no scenario reaches {never:?}");

    let kills = kills_of(&reached, budget);
    let totals: Mutex<Totals> = Mutex::default();
    on_sites(&template, &kills, |site, kill| {
        let mut seen = site.run(kill.scenario, Some((kill.point, kill.hit)));
        if !seen.killed && seen.complaints.is_empty() {
            // How often a point is reached differs a little from run to run; that it is reached does not.
            seen = site.run(kill.scenario, Some((kill.point, 1)));
        }
        let name = format!("{} killed at {}:{}", kill.scenario.name, kill.point, kill.hit);
        let mut totals = totals.lock().unwrap();
        totals.wrong.extend(seen.complaints.iter().map(|line| format!("{name}: {line}")));
        if seen.killed {
            *totals.at.entry(kill.point).or_default() += 1;
        }
        totals.longest = totals.longest.max(seen.resumed);
        totals.writes += seen.writes;
        totals.intents += seen.intents;
    });
    let Totals { at, wrong, longest, writes, intents } = totals.into_inner().unwrap();
    let count = |word: &str| wrong.iter().filter(|line| line.contains(word)).count();
    for (point, kills) in &at {
        println!("{point:<28} {kills:>4} kills");
    }
    println!(
        "{} kills at {} points; {intents} intents, {writes} writes; orphan writes {}, double writes {}, blind writes {}, \
         forgotten steps {}, all complaints {}; longest until all jobs were settled: {:.1} s",
        at.values().sum::<usize>(),
        at.len(),
        count("orphan write"),
        count("double write"),
        count("blind second write"),
        count("forgotten step"),
        wrong.len(),
        longest.as_secs_f64()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    let missed: Vec<_> = POINTS.iter().filter(|point| !at.contains_key(*point)).collect();
    let all = budget.is_none_or(|budget| budget >= POINTS.len());
    assert!(!all || missed.is_empty(), "nobody was killed at {missed:?}");
    assert!(at.len() >= 40 || !all, "{} points", at.len());
}

#[test]
fn every_point_of_the_sources_is_in_the_list_and_every_listed_point_in_the_sources() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    for folder in ["src", "events/src", "snapshots/src"] {
        for entry in walkdir::WalkDir::new(root.join(folder)).into_iter().map(Result::unwrap) {
            if entry.path().extension().is_some_and(|ending| ending == "rs") {
                let source = std::fs::read_to_string(entry.path()).unwrap();
                for opening in ["crash::point(\"", "note(\"lane."] {
                    for (at, _) in source.match_indices(opening) {
                        let rest = &source[at..];
                        let name = rest.split('"').nth(1).unwrap().to_owned();
                        *found.entry(name).or_insert(0) += 1;
                    }
                }
            }
        }
    }
    let listed: BTreeSet<_> = POINTS.iter().map(|point| (*point).to_owned()).collect();
    let in_sources: BTreeSet<_> = found.keys().cloned().collect();
    assert_eq!(in_sources, listed);
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "one name, one place: {twice:?}");
}
