//! Medians, and what the system says of this process.

use std::{fs, time::Duration};

/// Clock ticks a second in `/proc/PID/stat`: 100 on every Linux that this runs on (`getconf CLK_TCK`).
const TICKS_PER_S: f64 = 100.0;

/// The middle value; of an even number of values the mean of the two in the middle. 0 without values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The value below which `share` of the values are. 0 without values.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    let at = (last as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or(0.0)
}

/// Processor time of a process, all its threads, user and system (10 ms steps).
pub(crate) fn cpu_of(pid: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; fields are counted after it (proc(5): 14 and 15).
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: f64 =
        after.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap_or(0.0)).sum();
    Duration::from_secs_f64(ticks / TICKS_PER_S)
}

/// Bytes that this process caused to be written to the disk so far.
pub(crate) fn written_bytes() -> f64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};

    #[test]
    fn the_middle_is_found() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
        assert_eq!(percentile(&mut [5.0, 1.0, 4.0, 2.0, 3.0], 0.5), 3.0);
        assert_eq!(percentile(&mut [5.0, 1.0], 1.0), 5.0);
    }
}
