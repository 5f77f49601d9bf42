//! The one place that writes to standard output and talks on standard error.

use std::io::Write as _;

use serde_json::Value;

use crate::{
    cli::Common,
    failure::{Code, Failure},
};

/// Writes data. A reader that left (`| head`) is a normal end.
pub(super) fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Code::Bug, "standard output cannot be written").log(error))
        }
        _ => Ok(()),
    }
}

/// Talks to the person at the terminal.
pub(super) fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// One document: JSON when asked, else for people.
pub(super) fn show(
    common: &Common,
    value: &Value,
    people: impl FnOnce(&Value) -> String,
) -> Result<(), Failure> {
    if common.json {
        data(&serde_json::to_string_pretty(value).unwrap_or_default())
    } else {
        data(&people(value))
    }
}

/// A failure, with what to do next.
pub(super) fn failure(common: &Common, failure: &Failure) {
    if common.json {
        talk(&failure.to_json().to_string());
        return;
    }
    talk(&format!("error: {} ({})", failure.say, failure.code));
    if let Some(hint) = &failure.hint {
        talk(&format!("hint: {hint}"));
    }
    if let Some(words) = failure.details.as_ref().and_then(|details| details["routeros"].as_str()) {
        talk(&format!("the router said: {words}"));
    }
}

/// A table of some fields of a list of objects.
pub(super) fn table(rows: &Value, columns: &[(&str, &str)]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(columns.iter().map(|(title, _)| *title));
    for row in rows.as_array().into_iter().flatten() {
        table.add_row(columns.iter().map(|(_, field)| cell(&row[*field])));
    }
    table.to_string()
}

/// A value as people read it.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(object) => {
            object.iter().map(|(key, value)| format!("{key}={}", cell(value))).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// The fields of an object, one a line.
pub(super) fn fields(value: &Value) -> String {
    let object = value.as_object();
    let width = object.into_iter().flatten().map(|(key, _)| key.len()).max().unwrap_or(0);
    let line = |(key, value): (&String, &Value)| format!("{key:width$}  {}", cell(value));
    object.into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}

/// True when a person is there to read progress and to answer.
pub(super) fn is_terminal() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal() && std::io::stdin().is_terminal()
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn bar(common: &Common, what: &'static str) -> indicatif::ProgressBar {
    use std::io::IsTerminal as _;
    if common.quiet || common.json || !std::io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let style =
        indicatif::ProgressStyle::with_template("{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}");
    let bar = indicatif::ProgressBar::new(0).with_message(what);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

/// Asks a question and returns the answer's line.
pub(super) fn ask(question: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::new(Code::Bug, "the terminal cannot be read").log(error);
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} ").and_then(|()| stderr.flush()).map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(line.trim().to_owned())
}
