//! Rows of the table, and how they are shown.

use serde_json::{Value, json};

/// Whether a goal is met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// No goal: a figure beside the others.
    None,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    goal_id: &'static str,
    what: String,
    figure: f64,
    unit: &'static str,
    goal: Goal,
    note: String,
}

impl Row {
    pub(crate) fn new(
        goal_id: &'static str,
        what: impl Into<String>,
        figure: f64,
        unit: &'static str,
    ) -> Self {
        Self { goal_id, what: what.into(), figure, unit, goal: Goal::None, note: String::new() }
    }

    pub(crate) const fn at_least(mut self, goal: f64) -> Self {
        self.goal = Goal::AtLeast(goal);
        self
    }

    pub(crate) const fn at_most(mut self, goal: f64) -> Self {
        self.goal = Goal::AtMost(goal);
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Met, or missed; nothing without a goal.
    fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtLeast(goal) => Some(self.figure >= goal),
            Goal::AtMost(goal) => Some(self.figure <= goal),
            Goal::None => None,
        }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            Goal::AtLeast(goal) => format!("≥ {}", number(goal)),
            Goal::AtMost(goal) => format!("≤ {}", number(goal)),
            Goal::None => String::new(),
        }
    }

    const fn verdict(met: Option<bool>) -> &'static str {
        match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        }
    }
}

/// All rows of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        crate::talk(&format!(
            "  {} {}: {} {} {}",
            row.goal_id,
            row.what,
            number(row.figure),
            row.unit,
            Row::verdict(row.met())
        ));
        self.rows.push(row);
    }

    /// For people, in the form that pages take as well.
    pub(crate) fn table(&self) -> String {
        let head = ["goal", "what", "figure", "unit", "wanted", "", "note"].map(str::to_owned);
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(|row| {
            [
                row.goal_id.to_owned(),
                row.what.clone(),
                number(row.figure),
                row.unit.to_owned(),
                row.goal_text(),
                Row::verdict(row.met()).to_owned(),
                row.note.clone(),
            ]
        }));
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        let shown = |line: &[String; 7]| {
            let cells: Vec<String> = (0..7)
                .map(|at| {
                    let pad = " ".repeat(widths[at] - line[at].chars().count());
                    if at == 2 { format!("{pad}{}", line[at]) } else { format!("{}{pad}", line[at]) }
                })
                .collect();
            format!("| {} |", cells.join(" | "))
        };
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        let mut text = format!("{}\n\n{}\n|{}|\n", machine(), shown(&lines[0]), rule.join("|"));
        for line in &lines[1..] {
            text.push_str(&shown(line));
            text.push('\n');
        }
        let judged: Vec<bool> = self.rows.iter().filter_map(Row::met).collect();
        let met = judged.iter().filter(|met| **met).count();
        format!("{text}\ngoals: {met} met, {} missed", judged.len() - met)
    }

    /// For programs.
    pub(crate) fn json(&self) -> String {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "goal": row.goal_id, "what": row.what, "figure": row.figure, "unit": row.unit,
                    "wanted": row.goal_text(), "met": row.met(), "note": row.note,
                })
            })
            .collect();
        serde_json::to_string_pretty(&json!({ "machine": machine(), "rows": rows })).unwrap_or_default()
    }
}

/// The machine in one line, load included: figures of a busy machine are worth less.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
        .unwrap_or("unknown processor")
        .to_owned();
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    format!("{count} × {model}; Linux {kernel}; load average {load}")
}

/// Three digits that matter; large numbers in groups.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        let digits = if value.abs() < 1.0 {
            3
        } else if value.abs() < 10.0 {
            2
        } else {
            1
        };
        let text = format!("{value:.digits$}");
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
    }
    let plain = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) && digit.is_ascii_digit() && !grouped.ends_with('-')
        {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::{Row, number};

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0.28, 1.0, 20.0, 45_000.0, 1_234_567.0, 999.6].map(number),
            ["0.28", "1", "20", "45,000", "1,234,567", "1,000"]
        );
    }

    #[test]
    fn goals_are_judged_on_the_right_side() {
        let row = Row::new("B1", "x", 1.0, "x");
        assert_eq!(row.clone().at_least(1.2).met(), Some(false));
        assert_eq!(row.clone().at_most(1.2).met(), Some(true));
        assert_eq!(row.met(), None);
    }
}
