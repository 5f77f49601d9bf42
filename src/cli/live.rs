//! A job while it moves, on a terminal: a bar, what it waits for with a countdown, and the devices in hand.

use std::io::IsTerminal as _;

use events::ids::Moment;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::{
    cli::{Common, out, out::Reader},
    engine::clock,
    failure::Failure,
};

/// Devices that are shown at a time.
const DEVICES_SHOWN: usize = 12;

/// Somebody who is shown a job as it moves.
pub(super) trait Watcher {
    /// It moved.
    fn moved(&mut self, job: &Value) -> Result<Reader, Failure>;
    /// Time passed.
    fn tick(&mut self) {}
    /// Nothing more comes.
    fn end(&mut self) {}
    /// Nothing of it stays on the screen.
    fn is_live(&self) -> bool {
        false
    }
}

/// One line a change, as data.
pub(super) struct Lines {
    pub json: bool,
}

impl Watcher for Lines {
    fn moved(&mut self, job: &Value) -> Result<Reader, Failure> {
        out::line(&if self.json { job.to_string() } else { super::job::line(job) })
    }
}

/// One line a change, to the person.
pub(super) struct Talk {
    pub quiet: bool,
}

impl Watcher for Talk {
    fn moved(&mut self, job: &Value) -> Result<Reader, Failure> {
        if !self.quiet {
            out::talk(&super::job::line(job));
        }
        Ok(Reader::There)
    }
}

/// A view that is drawn again and again.
pub(super) struct Live {
    multi: MultiProgress,
    bar: ProgressBar,
    lines: Vec<ProgressBar>,
    job: Value,
}

/// The live view where it can be seen, else `plain`.
pub(super) fn watcher(common: &Common, data: bool, plain: impl Watcher + 'static) -> Box<dyn Watcher> {
    let seen = std::io::stderr().is_terminal() && (!data || std::io::stdout().is_terminal());
    if common.quiet || common.json || !seen {
        return Box::new(plain);
    }
    let multi = MultiProgress::new();
    let bar = multi.add(ProgressBar::new(100));
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos:>3} %  {wide_msg}") {
        bar.set_style(style);
    }
    Box::new(Live { multi, bar, lines: Vec::new(), job: Value::Null })
}

impl Live {
    fn draw(&mut self) {
        self.bar.set_position(self.job["progress_percent"].as_u64().unwrap_or(0));
        self.bar.set_message(head(&self.job));
        let wanted: Vec<String> =
            waiting(&self.job, clock::now()).into_iter().chain(devices(&self.job, clock::now())).collect();
        while self.lines.len() > wanted.len() {
            if let Some(line) = self.lines.pop() {
                line.finish_and_clear();
                self.multi.remove(&line);
            }
        }
        while self.lines.len() < wanted.len() {
            let line = self.multi.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                line.set_style(style);
            }
            self.lines.push(line);
        }
        for (line, text) in self.lines.iter().zip(wanted) {
            line.set_message(text);
            line.tick();
        }
    }
}

impl Watcher for Live {
    fn moved(&mut self, job: &Value) -> Result<Reader, Failure> {
        self.job = job.clone();
        self.draw();
        Ok(Reader::There)
    }

    fn tick(&mut self) {
        self.draw();
    }

    fn is_live(&self) -> bool {
        true
    }

    fn end(&mut self) {
        self.lines.iter().for_each(ProgressBar::finish_and_clear);
        self.bar.finish_and_clear();
        let _ = self.multi.clear();
    }
}

fn head(job: &Value) -> String {
    let ending = if job["cancel"].is_object() { ", ending" } else { "" };
    format!(
        "{}{ending}  wave {} of {}  {}",
        out::cell(&job["status"]),
        job["wave"],
        job["wave_count"],
        out::cell(&job["job_id"])
    )
}

/// What the job waits for, with the time that is left.
fn waiting(job: &Value, now: Moment) -> Option<String> {
    let waits = &job["waits_for"];
    let left = until(&waits["until"], now).map_or_else(String::new, |left| format!(": {left}"));
    let say = waits["say"].as_str()?;
    Some(format!("  waits for {say}{left}"))
}

/// The time until a moment, as people say it.
fn until(moment: &Value, now: Moment) -> Option<String> {
    let moment: Moment = moment.as_str()?.parse().ok()?;
    let seconds = moment.micros_since(now).max(0) / 1_000_000;
    Some(match seconds {
        0..60 => format!("{seconds} s"),
        _ => format!("{}:{:02} min", seconds / 60, seconds % 60),
    })
}

/// Devices that are worked on, and those in trouble.
fn devices(job: &Value, now: Moment) -> Vec<String> {
    let shown = |device: &&Value| {
        let quiet = matches!(device["status"].as_str(), Some("waiting" | "applied" | "undone"));
        device["wave"] == job["wave"] || !device["reason"].is_null() || !quiet
    };
    let all: Vec<&Value> = job["devices"].as_array().into_iter().flatten().filter(shown).collect();
    let width = all.iter().filter_map(|device| device["device_id"].as_str()).map(str::len).max().unwrap_or(0);
    let line = |device: &&Value| {
        let undo = until(&device["timed_undo"]["undoes_at"], now);
        let undo = undo.map_or_else(String::new, |left| format!("  undoes itself in {left}"));
        let reason = device["reason"].as_str().map_or_else(String::new, |word| format!("  ({word})"));
        let skipped = if device["skipped"] == true { "  left as it is" } else { "" };
        format!(
            "  {:width$}  {}  {}/{}{reason}{undo}{skipped}",
            out::cell(&device["device_id"]),
            out::cell(&device["status"]),
            device["steps_applied"],
            device["steps"]
        )
    };
    let mut lines: Vec<String> = all.iter().take(DEVICES_SHOWN).map(line).collect();
    if all.len() > DEVICES_SHOWN {
        lines.push(format!("  … and {} more", all.len() - DEVICES_SHOWN));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Moment = Moment::from_micros(1_790_000_000_000_000);

    #[test]
    fn a_wait_counts_down_and_never_below_nothing() {
        let waits = |seconds: i64| {
            let until = NOW.plus_secs(seconds).to_string();
            waiting(&json!({ "waits_for": { "say": "the pause before wave 2 to end", "until": until } }), NOW)
        };
        assert_eq!(waits(34).unwrap(), "  waits for the pause before wave 2 to end: 34 s");
        assert_eq!(waits(75).unwrap(), "  waits for the pause before wave 2 to end: 1:15 min");
        assert!(waits(-3).unwrap().ends_with(": 0 s"));
        assert_eq!(waiting(&json!({ "waits_for": null }), NOW), None);
    }

    #[test]
    fn devices_in_hand_and_in_trouble_are_shown() {
        let device = |id: &str, wave: u32, status: &str, reason: Value| json!({ "device_id": id, "wave": wave, "status": status, "reason": reason, "steps": 2, "steps_applied": 1 });
        let mut job = json!({ "wave": 2, "devices": [
            device("a", 1, "applied", Value::Null), device("bcd", 1, "refused", json!("device_refused")),
            device("e", 2, "started", Value::Null), device("f", 3, "waiting", Value::Null) ] });
        job["devices"][2]["timed_undo"] = json!({ "undoes_at": NOW.plus_secs(90).to_string() });
        assert_eq!(
            devices(&job, NOW),
            ["  bcd  refused  1/2  (device_refused)", "  e    started  1/2  undoes itself in 1:30 min"]
        );
        job["devices"] = (0..20).map(|n| device(&n.to_string(), 2, "started", Value::Null)).collect();
        assert_eq!(devices(&job, NOW).len(), DEVICES_SHOWN + 1);
        assert_eq!(devices(&job, NOW).last().unwrap(), "  … and 8 more");
    }
}
