//! We are killed, the link dies, the router reboots, each right after a risky write: the router undoes it by itself, in
//! time. And when all is well, nothing fires.
//!
//! `APPLIANCE_TRIALS` sets how many trials are made, 50 routers at a time, and has them measured: deadlines of 3 s, and 5 s
//! more at most. Without it there are 30, with deadlines that a busy machine can keep, and no limit above: what counts is
//! that a router undoes it, and not before its time.

use std::time::Duration;

use serde_json::json;

use super::rig::{Rig, Seen, deadline_s, measures};

/// A busy router, a slow clock (RELIABILITY: restored within deadline + 5 s).
const LATE_S: u64 = 5;
/// What a router has not undone by then it never will.
const NEVER_S: u64 = 60;
const RULES: &str = "/rest/ip/firewall/filter";
/// Routers at a time.
const AT_ONCE: usize = 50;
/// Rounds in which nobody was written to before we died: so often in a row, and the test has nothing to say.
const EMPTY_ROUNDS_MAX: usize = 5;

/// What goes wrong right after the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The appliance is killed.
    Killed,
    /// The link dies, for ever.
    LinkDies,
    /// The router loses its power for a moment, and we are killed.
    Reboots,
}

impl Trouble {
    const fn kills(self) -> bool {
        !matches!(self, Self::LinkDies)
    }

    /// The documented exception: a script that waits does not outlive a reboot.
    fn takes_timers(self, rig: &Rig, n: usize) -> bool {
        self == Self::Reboots && !rig.by_scheduler(n)
    }
}

#[derive(Debug, Default)]
struct Tally {
    trials: usize,
    restored: usize,
    /// Timers that a reboot took with it: the documented exception.
    lost: usize,
    longest: Duration,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, trouble: Trouble, rig: &Rig, seen: &[Seen]) {
        for (n, seen) in seen.iter().enumerate() {
            let Some(written) = seen.written else { continue };
            self.trials += 1;
            let mut wrong = |what: &str| self.wrong.push(format!("{trouble:?}, router {n}: {what}"));
            let Some(armed_at) = rig.armed_at(n) else {
                wrong("written to without a timed undo");
                continue;
            };
            let exception = trouble.takes_timers(rig, n);
            match seen.restored.map(|restored| restored - written) {
                Some(_) if exception => wrong("a timer outlived a reboot"),
                Some(took) => {
                    self.restored += 1;
                    self.longest = self.longest.max(took);
                    let after = u64::try_from(seen.restored_at - armed_at).unwrap_or(0);
                    if after < deadline_s() * 1_000_000 {
                        wrong(&format!("restored {after} µs after it was armed: before its time"));
                    }
                    if measures() && took > Duration::from_secs(deadline_s() + LATE_S) {
                        wrong(&format!("restored after {took:?}"));
                    }
                }
                None if exception => self.lost += 1,
                None => wrong("never restored"),
            }
        }
    }
}

/// One round; nothing when nobody was written to before we died.
fn round(rig: &mut Rig, trouble: Trouble, routers: usize) -> Option<Vec<Seen>> {
    rig.plan_all();
    let write = |fault: &str| json!({ "fault": fault, "down_ms": 500, "method": "PUT", "path_prefix": RULES, "times": 1 });
    match trouble {
        Trouble::Killed => {}
        Trouble::LinkDies => rig.fault_all(&write("link_dies")),
        Trouble::Reboots => rig.fault_all(&write("reboot")),
    }
    if trouble.kills() {
        // What is read back after the write is never answered: so long we cannot undo anything ourselves.
        rig.fault_all(&json!({ "fault": "stall", "method": "GET", "path_prefix": RULES, "after": 2 }));
    }
    rig.start_all();
    let mut seen = vec![Seen::default(); routers];
    let all_written = |seen: &[Seen]| seen.iter().all(|one| one.written.is_some());
    if !trouble.kills() {
        // A link that is mended before it dies would be dead for ever.
        rig.look_until(&mut seen, all_written, NEVER_S);
        assert!(all_written(&seen), "somebody was never written to: {seen:?}");
    } else {
        // Whoever is written to when we die is a trial.
        rig.look_until(&mut seen, all_written, deadline_s());
        rig.kill();
        for (n, one) in seen.iter_mut().enumerate() {
            if one.restored.is_some() {
                *one = Seen::default();
            }
            assert!(
                trouble == Trouble::Reboots || !rig.is_unguarded(n),
                "router {n} is written to, and has no timer"
            );
        }
        if seen.iter().all(|one| one.written.is_none()) {
            return None;
        }
    }
    let rig = &*rig;
    let gone = |(n, one): (usize, &Seen)| {
        let Some(written) = one.written else { return true };
        match trouble.takes_timers(rig, n) {
            // Long after it would have run.
            true => written.elapsed() > Duration::from_secs(deadline_s() + LATE_S),
            false => one.restored.is_some(),
        }
    };
    let patience = if measures() { 2 * (deadline_s() + LATE_S) } else { NEVER_S };
    rig.look_until(&mut seen, |seen| seen.iter().enumerate().all(gone), patience);
    Some(seen)
}

#[test]
fn routers_undo_by_themselves_when_we_the_link_or_their_power_is_gone() {
    let wanted: usize =
        std::env::var("APPLIANCE_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let troubles = [Trouble::Killed, Trouble::LinkDies, Trouble::Reboots];
    let routers = AT_ONCE.min(wanted.div_ceil(troubles.len()));
    let mut rig = Rig::start(routers);
    let mut tally = Tally::default();
    while tally.trials < wanted && tally.wrong.is_empty() {
        for trouble in troubles {
            let mut empty = 0;
            loop {
                let seen = round(&mut rig, trouble, routers);
                if let Some(seen) = &seen {
                    tally.take(trouble, &rig, seen);
                }
                rig.heal();
                if trouble.kills() {
                    rig.revive();
                }
                // Nothing hangs for ever, and the ledger says what the routers show.
                rig.settled();
                rig.clean();
                if seen.is_some() {
                    break;
                }
                empty += 1;
                assert!(
                    empty < EMPTY_ROUNDS_MAX,
                    "nobody was written to when we died, {empty} times in a row"
                );
            }
        }
        rig.good(&mut tally.wrong);
    }
    println!(
        "{} trials of {} s, {routers} at a time: {} restored, the slowest {:.1} s after its write; {} timers lost with a reboot \
         (documented)",
        tally.trials,
        deadline_s(),
        tally.restored,
        tally.longest.as_secs_f64(),
        tally.lost
    );
    assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
    assert!(tally.restored > tally.lost, "{tally:?}");
}
