//! Whole rollouts in virtual time: the real runner and rules over a ledger in memory and model routers, with everything
//! that can go wrong. A seed decides all of it.
//!
//! `APPLIANCE_SEEDS=N` plays N of them; `SEED=n` plays one and prints its story.

mod allowed;
mod check;
mod figures;
mod mutants;
mod people;
mod plans;
mod play;
mod rng;
mod router;
mod spelled;
mod stage;
mod verdict;
mod wire;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

use self::{
    figures::Figures,
    mutants::Mutant,
    plans::Scenario,
    play::{End, play},
};

/// As many as continuous integration has the time for.
const SEEDS: u64 = 300;
/// A mistake must be found among so many.
const SEEDS_FOR_A_MISTAKE: u64 = 600;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A story, or why it could not be told to its end.
fn told(scenario: &Scenario, mutant: Option<Mutant>, told: bool) -> End {
    catch_unwind(AssertUnwindSafe(|| play(scenario, mutant, told))).unwrap_or_else(|_| End {
        faults: vec!["something panicked; it is told above".to_owned()],
        story: Vec::new(),
        figures: Figures::default(),
    })
}

/// Plays a seed again and tells all of it.
fn story_of(seed: u64) -> String {
    let scenario = Scenario::of(seed);
    let End { faults, story, .. } = told(&scenario, None, true);
    let mut text = format!("SEED={seed}\n{scenario:#?}\n{}\n", story.join("\n"));
    for fault in &faults {
        let _ = writeln!(text, "FAULT: {fault}");
    }
    text
}

/// Plays many seeds on all cores; those that went wrong, and what happened in all of them.
fn play_all(seeds: std::ops::Range<u64>) -> (Vec<(u64, String)>, Figures) {
    let next = AtomicU64::new(seeds.start);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let one = || {
        let (mut wrong, mut figures) = (Vec::new(), Figures::default());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return (wrong, figures);
            }
            let end = told(&Scenario::of(seed), None, false);
            wrong.extend(end.faults.first().map(|fault| (seed, fault.clone())));
            figures.add(end.figures);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(one)).collect();
        let (mut wrong, mut figures) = (Vec::new(), Figures::default());
        for worker in workers {
            let (more, others) = worker.join().unwrap();
            wrong.extend(more);
            figures.add(others);
        }
        wrong.sort();
        (wrong, figures)
    })
}

#[test]
fn rollouts_keep_their_promises_whatever_happens() {
    if let Some(seed) = number("SEED") {
        let story = story_of(seed);
        assert!(!story.contains("\nFAULT: "), "{story}");
        println!("{story}");
        return;
    }
    let many = number("APPLIANCE_SEEDS").unwrap_or(SEEDS);
    let (wrong, figures) = play_all(0..many);
    println!("{many} seeds: {} wrong", wrong.len());
    for (what, times) in &figures.0 {
        println!("  {times:>9} {what}");
    }
    for (seed, fault) in wrong.iter().take(20) {
        println!("SEED={seed}: {fault}");
    }
    if let Some((seed, _)) = wrong.first() {
        panic!("{} of {many} seeds went wrong, the first one:\n{}", wrong.len(), story_of(*seed));
    }
    if many >= SEEDS {
        for what in SEEN {
            assert!(figures.0.contains_key(what), "never seen: {what}");
        }
    }
}

/// What so many seeds must have seen, or they tell nothing.
const SEEN: [&str; 33] = [
    "gate: CPU",
    "gate: memory",
    "gate: disk",
    "gate: heat",
    "gate: probe",
    "gate: it booted",
    "gate: is lost",
    "routers proven to the letter",
    "routers not proven: a person left it alone",
    "starts on a device that a job holds",
    "timed undos that did not run in time",
    "ends Completed",
    "ends Failed",
    "ends Cancelled",
    "ends RolledBack",
    "ends PartiallyRolledBack",
    "ends Halted",
    "gate passed: true",
    "gate passed: false",
    "step Held",
    "step Applied",
    "step NotApplied",
    "step Refused",
    "step InDoubt",
    "step Diverged",
    "step Undone",
    "step RevertedByRouter",
    "timed undo Disarmed",
    "timed undo Lapsed",
    "timed undo InDoubt",
    "timed undo NotArmed",
    "directed Skip",
    "directed RollBack",
];

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in 0..20 {
        let scenario = Scenario::of(seed);
        let (first, second) = (told(&scenario, None, true), told(&scenario, None, true));
        let differs = first.story.iter().zip(&second.story).find(|(one, other)| one != other);
        assert_eq!(differs, None, "SEED={seed}");
        assert_eq!(first.story.len(), second.story.len(), "SEED={seed}");
    }
}

/// The first seed that finds a mistake by these words; else what was said of it instead.
fn found(mutant: Mutant, words: &str) -> Result<(u64, String), BTreeSet<String>> {
    let mut others = BTreeSet::new();
    for seed in 0..SEEDS_FOR_A_MISTAKE {
        let scenario = Scenario { crashes: vec![], ..Scenario::of(seed) };
        for fault in told(&scenario, Some(mutant), false).faults {
            if fault.contains(words) {
                return Ok((seed, fault));
            }
            others.insert(fault.chars().take(160).collect());
        }
    }
    Err(others)
}

/// Looks for mistakes on all cores.
fn find_all(mistakes: &[(Mutant, &'static str)]) {
    let next = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut missed = Vec::new();
        while let Some((mutant, words)) =
            mistakes.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap())
        {
            match found(*mutant, words) {
                Ok((seed, fault)) => println!("{mutant:?} is found by seed {seed}: {fault}"),
                Err(others) => missed.push(format!(
                    "{mutant:?} was not found by `{words}`, but: {:?}",
                    others.into_iter().take(5).collect::<Vec<_>>()
                )),
            }
        }
        missed
    };
    let missed: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn the_checker_finds_each_deliberate_mistake_about_gates() {
    find_all(&Mutant::OF_GATES);
}

#[test]
fn the_checker_finds_each_deliberate_mistake_about_steps() {
    find_all(&Mutant::OF_STEPS);
}

#[test]
fn the_checker_finds_each_deliberate_mistake_about_requests_and_ends() {
    find_all(&Mutant::OF_REQUESTS_AND_ENDS);
}
