//! The fleet's clock: real time, made faster or slower by one factor.
//!
//! Everything that takes time on a router (pings, walls, boots, timers) asks this clock, so a test can
//! live through ten minutes in a second without any sleep of its own.

use std::time::{Duration, Instant};

/// Scaled time since the fleet started.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    unix_start_s: u64,
    scale: f64,
}

impl Clock {
    /// A clock that runs `scale` times as fast as the real one.
    pub fn new(scale: f64) -> Self {
        Clock { start: Instant::now(), unix_start_s: unix_now_s(), scale: scale.max(0.000_001) }
    }

    /// Router time since the start.
    pub fn now(&self) -> Duration {
        self.start.elapsed().mul_f64(self.scale)
    }

    /// Router time as seconds since 1970.
    pub fn unix_s(&self) -> u64 {
        self.unix_start_s + self.now().as_secs()
    }

    /// Seconds since 1970 at the start; factory contents are dated from it.
    pub fn unix_start_s(&self) -> u64 {
        self.unix_start_s
    }

    /// Waits for so much router time.
    pub async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time.div_f64(self.scale)).await;
    }
}

#[allow(clippy::disallowed_methods)] // a router has a clock of its own; nothing is replayed from it
fn unix_now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
