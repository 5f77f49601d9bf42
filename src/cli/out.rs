//! The one place that writes to standard output and talks on standard error.

use std::io::Write as _;

use serde_json::Value;

use crate::{
    cli::Common,
    failure::{Code, Failure},
};

/// Whether somebody still reads standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// As far as we know.
    There,
    /// It closed its end (`| head`).
    Left,
}

/// Writes a line of data and tells whether it is worth writing another.
pub(super) fn line(text: &str) -> Result<Reader, Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Reader::Left),
        Err(error) => Err(Failure::new(Code::Bug, "standard output cannot be written").log(error)),
    }
}

/// Writes data. A reader that left (`| head`) is a normal end.
pub(super) fn data(text: &str) -> Result<(), Failure> {
    line(text).map(drop)
}

/// Returns when the reader of standard output is gone, although nothing is written; never, when that cannot be seen.
pub(super) async fn reader_left() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let waiting = std::thread::Builder::new().name("reader".into()).spawn(move || {
        use rustix::event::{PollFd, PollFlags, poll};
        let stdout = std::io::stdout();
        // Asked for nothing, the system still tells of the other end's closing.
        let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
        let closed = PollFlags::ERR | PollFlags::HUP;
        while let Ok(_) | Err(rustix::io::Errno::INTR) = poll(&mut ends, None) {
            if ends[0].revents().intersects(closed) {
                let _ = tell.send(());
                return;
            }
        }
    });
    if waiting.is_err() || told.await.is_err() {
        std::future::pending().await
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
    if let Some(width) = width() {
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(width);
    }
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

/// The columns of the terminal that standard output is; `None` when it is none.
fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// A number of rows, at least one.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "needs a whole number from 1 on".to_owned())
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

/// Asks a question and returns the answer's line. An interruption is an answer too.
pub(super) async fn ask(question: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::new(Code::Bug, "the terminal cannot be read").log(error);
    {
        let mut stderr = std::io::stderr().lock();
        write!(stderr, "{question} ").and_then(|()| stderr.flush()).map_err(failed)?;
    }
    let stop = crate::cli::serve::shutdown_on_signals()?;
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        read = reading => {
            let line = read.map_err(|error| Failure::new(Code::Bug, "reading failed").log(error))?;
            Ok(line.map_err(failed)?.trim().to_owned())
        }
        () = stop.cancelled() => Err(Failure::new(Code::Cancelled, "interrupted; nothing was changed")),
    }
}
