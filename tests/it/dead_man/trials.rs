//! We are killed, the link dies, the router reboots, each right after a risky write: the router undoes it by itself, in
//! time. And when all is well, nothing fires.
//!
//! `APPLIANCE_TRIALS` sets how many trials are made, 50 routers at a time; without it 30.

use std::time::Duration;

use serde_json::json;

use super::rig::{DEADLINE_S, Rig, Seen};

/// A busy router, a slow clock (RELIABILITY: restored within deadline + 5 s).
const LATE_S: u64 = 5;
const RULES: &str = "/rest/ip/firewall/filter";
/// Routers at a time.
const AT_ONCE: usize = 50;

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
            let exception = trouble == Trouble::Reboots && !rig.by_scheduler(n);
            match seen.restored.map(|restored| restored - written) {
                Some(_) if exception => self.wrong.push(format!("router {n}: a timer outlived a reboot")),
                Some(took) => {
                    self.restored += 1;
                    self.longest = self.longest.max(took);
                    if took > Duration::from_secs(DEADLINE_S + LATE_S) {
                        self.wrong.push(format!("{trouble:?}, router {n}: restored after {took:?}"));
                    }
                }
                None if exception => self.lost += 1,
                None => self.wrong.push(format!("{trouble:?}, router {n}: never restored")),
            }
        }
    }
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
            rig.plan_all();
            let write = |fault: &str| {
                let on = "PUT";
                json!({ "fault": fault, "down_ms": 500, "method": on, "path_prefix": RULES, "times": 1 })
            };
            match trouble {
                Trouble::Killed => {}
                Trouble::LinkDies => rig.fault_all(&write("link_dies")),
                Trouble::Reboots => rig.fault_all(&write("reboot")),
            }
            let dies = trouble != Trouble::LinkDies;
            if dies {
                // What is read back after the write is never answered: so long we cannot undo anything ourselves.
                rig.fault_all(
                    &json!({ "fault": "stall", "method": "GET", "path_prefix": RULES, "after": 2 }),
                );
            }
            rig.start_all();
            let mut seen = vec![Seen::default(); routers];
            if dies {
                // Whoever is written to when we die is a trial.
                rig.look_until(&mut seen, |seen| seen.iter().all(|one| one.written.is_some()), DEADLINE_S);
                rig.kill();
                for (n, one) in seen.iter_mut().enumerate() {
                    let armed = trouble == Trouble::Reboots || rig.is_armed_as_it_may(n);
                    if one.restored.is_some() || !armed {
                        *one = Seen::default();
                    }
                }
                assert!(seen.iter().any(|one| one.written.is_some()), "nobody was written to when we died");
            }
            let patience = 2 * (DEADLINE_S + LATE_S);
            rig.look_until(
                &mut seen,
                |seen| seen.iter().all(|one| one.written.is_none() || one.restored.is_some()),
                patience,
            );
            tally.take(trouble, &rig, &seen);
            rig.heal();
            if dies {
                rig.revive();
            }
            // Nothing hangs for ever, and the ledger says what the routers show.
            rig.settled();
            rig.clean();
        }
        rig.good(&mut tally.wrong);
    }
    println!(
        "{} trials of {DEADLINE_S} s, {routers} at a time: {} restored, the slowest {:.1} s after its write; {} timers lost with a \
         reboot (documented)",
        tally.trials,
        tally.restored,
        tally.longest.as_secs_f64(),
        tally.lost
    );
    assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
    assert!(tally.restored > tally.lost, "{tally:?}");
}
