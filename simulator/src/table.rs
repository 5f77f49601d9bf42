//! Rows of a menu: an id and its texts.
//!
//! Tables are cheap to share between boxes: factory texts are borrowed from the program itself, and a
//! box copies a table only when it writes to it. Knows nothing of what the texts mean.

use std::borrow::Cow;
use std::sync::Arc;

/// A text that is either part of the program or made at run time.
pub type Text = Cow<'static, str>;

/// One record of a menu.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The number behind `.id`.
    pub id: u64,
    props: Vec<(Text, Text)>,
}

impl Record {
    /// The id of rows that have none: answers of commands, menus without records.
    pub const NO_ID: u64 = u64::MAX;

    /// A row without an id.
    pub fn loose() -> Self {
        Record::new(Record::NO_ID)
    }

    /// An empty record.
    pub fn new(id: u64) -> Self {
        Record { id, props: Vec::new() }
    }

    /// The record's `.id` as it goes over the wire.
    pub fn wire_id(&self) -> String {
        format!("*{:X}", self.id)
    }

    /// The text of one property.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.props.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_ref())
    }

    /// The text of one property, or nothing.
    pub fn text(&self, key: &str) -> &str {
        self.get(key).unwrap_or("")
    }

    /// Whether a flag reads `true` or `yes`.
    pub fn is(&self, key: &str) -> bool {
        matches!(self.get(key), Some("true" | "yes"))
    }

    /// Writes one property.
    pub fn set(&mut self, key: impl Into<Text>, value: impl Into<Text>) {
        let (key, value) = (key.into(), value.into());
        match self.props.iter_mut().find(|(k, _)| *k == key) {
            Some(slot) => slot.1 = value,
            None => self.props.push((key, value)),
        }
    }

    /// Forgets one property; true if it was there.
    pub fn unset(&mut self, key: &str) -> bool {
        let before = self.props.len();
        self.props.retain(|(k, _)| k != key);
        before != self.props.len()
    }

    /// Builder form of [`Record::set`].
    pub fn with(mut self, key: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.set(key, value);
        self
    }

    /// All properties, including hidden ones (which start with `~`).
    pub fn props(&self) -> impl Iterator<Item = (&str, &str)> {
        self.props.iter().map(|(k, v)| (k.as_ref(), v.as_ref()))
    }

    pub(crate) fn props_mut(&mut self) -> impl Iterator<Item = &mut Text> {
        self.props.iter_mut().map(|(_, v)| v)
    }
}

/// The rows of one menu in their order; a menu without records keeps exactly one.
///
/// Rows are shared too, so that keeping a hundred former states for undo costs pointers only.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The rows, first to last.
    pub rows: Vec<Arc<Record>>,
    /// The next free id.
    pub next: u64,
}

impl Table {
    /// Appends a row, keeping ids unique.
    pub fn push(&mut self, row: Record) {
        self.next = self.next.max(row.id.saturating_add(1));
        self.rows.push(Arc::new(row));
    }

    /// Takes a fresh id.
    pub fn fresh_id(&mut self) -> u64 {
        let id = self.next.max(1);
        self.next = id + 1;
        id
    }

    /// Where a row with this id stands.
    pub fn position(&self, id: u64) -> Option<usize> {
        self.rows.iter().position(|row| row.id == id)
    }

    /// The row with this id.
    pub fn row(&self, id: u64) -> Option<&Arc<Record>> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// The same, to write to; copies the row if another table shares it.
    pub fn row_mut(&mut self, id: u64) -> Option<&mut Record> {
        self.rows.iter_mut().find(|row| row.id == id).map(Arc::make_mut)
    }

    /// The only row of a menu without records.
    pub fn only_mut(&mut self) -> &mut Record {
        if self.rows.is_empty() {
            self.rows.push(Arc::new(Record::loose()));
        }
        Arc::make_mut(&mut self.rows[0])
    }

    /// The row with this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Record>> {
        self.rows.iter().find(|row| row.get("name") == Some(name))
    }
}

/// Reads `*1F`; anything else is no id.
pub fn parse_id(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix('*')?, 16).ok()
}
