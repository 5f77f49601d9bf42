//! The one clock and the one source of ids. Everything below takes both from its caller.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use events::ids::Moment;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
static STEADY: Steady = Steady::new();
/// A clock that is behind the ledger by more than this is believed: the ledger's own was wrong.
const AHEAD_MAX_S: i64 = 24 * 3600;

/// Now, in UTC. Within a process it never steps back: a wall clock that is set back stretches no approval and no wait.
#[expect(clippy::disallowed_methods, reason = "the shell's one clock")]
#[must_use]
pub fn now() -> Moment {
    let started = *STARTED;
    // The wall clock first: a thread that is held up between the two then only seems to be behind.
    let wall: Moment = chrono::Utc::now().into();
    let wall = Moment::from_micros(wall.as_micros().saturating_add(ahead()));
    let passed = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
    Moment::from_micros(STEADY.moment(wall.as_micros(), passed))
}

/// Time goes on from the newest event of the ledger, so that a clock that was set back while we were down stretches
/// nothing either. False when that event is more than a day ahead: then the clock is believed.
pub fn goes_on_from(newest: Moment) -> bool {
    let ahead = newest.micros_since(now());
    if ahead > AHEAD_MAX_S * 1_000_000 {
        return false;
    }
    let passed = i64::try_from(STARTED.elapsed().as_micros()).unwrap_or(i64::MAX);
    STEADY.moment(newest.as_micros(), passed);
    true
}

/// How far a test has the clock run ahead, in microseconds: `APPLIANCE_CLOCK_AHEAD_SECONDS`.
#[cfg(feature = "crash-points")]
fn ahead() -> i64 {
    static AHEAD: LazyLock<i64> = LazyLock::new(|| {
        let asked = std::env::var("APPLIANCE_CLOCK_AHEAD_SECONDS").ok().and_then(|text| text.parse().ok());
        asked.map_or(0, |seconds: i64| seconds.saturating_mul(1_000_000))
    });
    *AHEAD
}

/// What is shipped knows the machine's clock only.
#[cfg(not(feature = "crash-points"))]
const fn ahead() -> i64 {
    0
}

/// Follows the wall clock when it is ahead, and goes on at the steady clock's pace when it was set back.
struct Steady(AtomicI64);

impl Steady {
    const fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// The moment, from the wall clock and the time that has passed since the start, both in microseconds.
    fn moment(&self, wall: i64, passed: i64) -> i64 {
        let ahead = wall.saturating_sub(passed);
        let furthest = self.0.fetch_max(ahead, Ordering::Relaxed).max(ahead);
        furthest.saturating_add(passed)
    }
}

/// 128 random bits from the operating system.
///
/// # Panics
/// When the operating system gives no randomness: nothing here is safe then.
#[must_use]
pub fn random() -> u128 {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    u128::from_le_bytes(bytes)
}

/// Mints an id of any kind.
macro_rules! mint {
    ($kind:ty) => {
        <$kind>::from_parts($crate::engine::clock::now(), $crate::engine::clock::random())
    };
}
pub(crate) use mint;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_back_takes_nothing_back() {
        let steady = Steady::new();
        assert_eq!(steady.moment(1_000, 0), 1_000);
        assert_eq!(steady.moment(1_500, 500), 1_500, "they agree");
        assert_eq!(steady.moment(100, 600), 1_600, "set back: time goes on as it passes");
        assert_eq!(steady.moment(150, 650), 1_650);
        assert_eq!(steady.moment(9_000, 700), 9_000, "set ahead: followed");
        assert_eq!(steady.moment(1_750, 750), 9_050, "and not back again");
        assert_eq!(steady.moment(9_040, 760), 9_060, "a late look is no step back");
    }

    #[test]
    fn now_never_steps_back() {
        let mut last = now();
        for _ in 0..10_000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
    }
}
