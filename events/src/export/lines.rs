//! The lines of an export, written and read.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    ops::ControlFlow,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    audit::{
        AuditError, Problem, ProblemKind, Progress,
        walk::{Sink, StoreFacts},
    },
    event::{Envelope, Event, Keep},
    frame::{self, DecodeError, Frame},
    ids::{CommandId, Moment, Seq, StoreId},
    merkle::{self, Frontier},
};

/// The name of the form, in the first line.
pub(crate) const FORMAT: &str = "appliance-log-export/1";
/// The longest line: the largest frame in base64 and, readable, six characters for each of its bytes.
const LINE_BYTES_MAX: u64 = 8 * frame::FRAME_BYTES_MAX as u64;

/// A line of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line {
    Header(Header),
    Checkpoint(CheckpointLine),
    Trailer(Trailer),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub format: String,
    pub store_id: StoreId,
    pub product_version: String,
    pub verifier_key: String,
    pub retired_through: Seq,
    pub head: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckpointLine {
    pub seq: Seq,
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trailer {
    pub events: u64,
    pub ledger: u64,
    pub samples: u64,
    pub checkpoints: u64,
    pub root: String,
    /// Over every byte before this line.
    pub sha256: String,
}

/// An event's line: the readable envelope, then the exact frame.
#[derive(Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum FrameLine<'a> {
    Event {
        #[serde(flatten)]
        envelope: &'a Envelope,
        frame: String,
    },
    Opaque {
        seq: Seq,
        leaf: Option<u64>,
        at: Moment,
        command_id: CommandId,
        type_id: u16,
        version: u8,
        frame: String,
    },
}

/// What reading needs of an event's line.
#[derive(Deserialize)]
struct FrameOnly {
    line: String,
    #[serde(default)]
    frame: String,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn json(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("lines are plain data with text keys");
    line.push('\n');
    line
}

pub(crate) fn render(line: &Line) -> String {
    json(line)
}

/// The line of an event.
pub(crate) fn render_frame(frame: &Frame<'_>) -> Result<String, DecodeError> {
    let encoded = BASE64.encode(frame.bytes);
    Ok(match frame.envelope() {
        Ok(envelope) => json(&FrameLine::Event { envelope: &envelope, frame: encoded }),
        Err(error) if error.is_newer() => json(&FrameLine::Opaque {
            seq: frame.seq,
            leaf: frame.leaf,
            at: frame.at,
            command_id: frame.command_id,
            type_id: frame.type_id,
            version: frame.version,
            frame: encoded,
        }),
        Err(error) => return Err(error),
    })
}

/// Was the readable part written by a version that worded this kind as we do?
fn is_comparable(frame: &Frame<'_>, line: &str) -> bool {
    line == "event" && Event::current_version(frame.type_id) == Some(frame.version)
}

/// Reads an export and hands it over; what is wrong with its lines is told as problems.
pub(crate) fn walk(path: &Path, sink: &mut dyn Sink) -> Result<(), AuditError> {
    let file = File::open(path)?;
    let total = file.metadata()?.len();
    let mut reader = Lines { input: BufReader::with_capacity(1 << 20, file), line: Vec::new() };
    let mut walk = Walk {
        sink,
        hasher: Sha256::new(),
        last: Seq(0),
        trailer: Trailer::zero(),
        frontier: Frontier::default(),
    };
    if !reader.next()? {
        return Err(damaged(Seq(0), "the export is empty"));
    }
    let header = match parse(&reader.line) {
        Some(Line::Header(header)) if header.format == FORMAT => header,
        _ => {
            return Err(damaged(
                Seq(0),
                format!("the first line is not that of an export in the form {FORMAT}"),
            ));
        }
    };
    walk.sink.begin(StoreFacts {
        store_id: header.store_id,
        retired: header.retired_through,
        flushed: None,
        tiles: BTreeMap::new(),
        head: header.head,
    });
    let mut done = walk.took(&reader.line);
    while reader.next()? {
        let found = walk.line(&reader.line)?;
        if found.is_break() {
            return Ok(());
        }
        if let ControlFlow::Continue(Some(trailer)) = found {
            walk.compare_trailer(&trailer, &reader.line);
            if reader.next()? {
                walk.wrong("there are lines after the last line");
            }
            walk.compare_header(&header);
            walk.sink.progress(Progress { done: total, total });
            return Ok(());
        }
        done += walk.took(&reader.line);
        walk.sink.progress(Progress { done: done.min(total.saturating_sub(1)), total });
    }
    Err(damaged(walk.last, "the export ends before its last line"))
}

fn damaged(seq: Seq, why: impl Into<String>) -> AuditError {
    AuditError::Damaged { seq, why: why.into() }
}

fn parse(line: &[u8]) -> Option<Line> {
    serde_json::from_slice(line).ok()
}

/// Whole lines, bounded.
struct Lines<R> {
    input: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<bool, AuditError> {
        self.line.clear();
        let read = (&mut self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)?;
        if read > 0 && self.line.last() != Some(&b'\n') {
            return Err(damaged(Seq(0), "a line does not end"));
        }
        Ok(read > 0)
    }
}

impl Trailer {
    const fn zero() -> Self {
        Self { events: 0, ledger: 0, samples: 0, checkpoints: 0, root: String::new(), sha256: String::new() }
    }
}

struct Walk<'a> {
    sink: &'a mut dyn Sink,
    hasher: Sha256,
    last: Seq,
    /// What the last line must say.
    trailer: Trailer,
    frontier: Frontier,
}

impl Walk<'_> {
    fn wrong(&mut self, what: impl Into<String>) {
        let (seq, what) = (self.last, what.into());
        self.sink.problem(Problem { seq, what, kind: ProblemKind::Export });
    }

    fn took(&mut self, line: &[u8]) -> u64 {
        self.hasher.update(line);
        line.len() as u64
    }

    /// Takes one line; gives the last line back.
    fn line(&mut self, line: &[u8]) -> Result<ControlFlow<(), Option<Trailer>>, AuditError> {
        let kind: FrameOnly = serde_json::from_slice(line)
            .map_err(|error| damaged(self.last, format!("a line is not readable ({error})")))?;
        let flow = match (kind.line.as_str(), parse(line)) {
            ("event" | "opaque", _) => self.frame_line(&kind, line)?,
            (_, Some(Line::Checkpoint(checkpoint))) => {
                self.trailer.checkpoints += 1;
                self.sink.note(checkpoint.seq, &checkpoint.note)
            }
            (_, Some(Line::Trailer(trailer))) => return Ok(ControlFlow::Continue(Some(trailer))),
            (other, _) => {
                return Err(damaged(self.last, format!("a line of the kind {other:?} is not readable here")));
            }
        };
        Ok(match flow {
            ControlFlow::Continue(()) => ControlFlow::Continue(None),
            ControlFlow::Break(()) => ControlFlow::Break(()),
        })
    }

    fn frame_line(&mut self, kind: &FrameOnly, line: &[u8]) -> Result<ControlFlow<()>, AuditError> {
        let bytes = BASE64.decode(&kind.frame).map_err(|_| damaged(self.last, "a frame is not base64"))?;
        let (frame, rest) = frame::read(&bytes).map_err(|error| damaged(self.last, error.to_string()))?;
        self.last = frame.seq;
        if !rest.is_empty() {
            self.wrong("there are bytes after a frame");
        }
        if is_comparable(&frame, &kind.line) {
            match render_frame(&frame) {
                Ok(rendered) if rendered.as_bytes() == line || same_json(rendered.as_bytes(), line) => {}
                Ok(_) => self.wrong("the readable part says something else than the frame"),
                Err(error) => self.wrong(error.to_string()),
            }
        }
        self.trailer.events += 1;
        let keep = if frame.leaf.is_some() {
            self.frontier.push(merkle::leaf_hash(frame.bytes), |_, _, _| {});
            Keep::Ledger
        } else {
            self.trailer.samples += 1;
            Keep::Samples
        };
        Ok(self.sink.frame(keep, &frame))
    }

    fn compare_trailer(&mut self, said: &Trailer, line: &[u8]) {
        self.trailer.ledger = self.frontier.size();
        self.trailer.root = hex(&self.frontier.root());
        self.trailer.sha256 = hex(&self.hasher.clone().finalize());
        if said.sha256 != self.trailer.sha256 {
            self.wrong("the lines are not those that the last line was made for");
        }
        if *said != self.trailer || render(&Line::Trailer(said.clone())).as_bytes() != line {
            self.wrong("the last line does not fit the lines before it");
        }
    }

    fn compare_header(&mut self, header: &Header) {
        if self.last > header.head {
            self.wrong("there are events after the head that the first line names");
        }
    }
}

/// Written by another version, a line may have its fields in another order.
fn same_json(a: &[u8], b: &[u8]) -> bool {
    let value = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    value(a).is_some_and(|a| value(b) == Some(a))
}
