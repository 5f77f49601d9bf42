//! Small tables beside the log whose rows change in the same commit as the events that tell of them.

use redb::{TableDefinition, WriteTransaction};

use super::tables;

/// A table beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SideTable {
    /// Sealed router logins. Erasable: events carry only their ids.
    Credentials,
}

impl SideTable {
    pub(crate) const fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        match self {
            Self::Credentials => tables::CREDENTIALS,
        }
    }
}

/// A row of a side table: key and value.
pub type SideRow = (Vec<u8>, Vec<u8>);

/// One change of a side table.
#[derive(Clone, PartialEq, Eq)]
pub enum SideWrite {
    /// Sets a row.
    Put {
        /// Where.
        table: SideTable,
        /// Its key.
        key: Vec<u8>,
        /// Its value; expected to be sealed already.
        value: Vec<u8>,
    },
    /// Removes a row. The bytes may stay in free pages of the file until those are used again: what must be
    /// unreadable afterwards has to be sealed with a key that is erased elsewhere.
    Erase {
        /// Where.
        table: SideTable,
        /// Its key.
        key: Vec<u8>,
    },
}

impl std::fmt::Debug for SideWrite {
    /// Without the value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, table, key) = match self {
            Self::Put { table, key, .. } => ("Put", table, key),
            Self::Erase { table, key } => ("Erase", table, key),
        };
        write!(f, "{word}({table:?}, {} key bytes)", key.len())
    }
}

pub(crate) fn write(txn: &WriteTransaction, side: &[SideWrite]) -> Result<(), redb::Error> {
    for change in side {
        match change {
            SideWrite::Put { table, key, value } => {
                txn.open_table(table.definition())?.insert(key.as_slice(), value.as_slice())?;
            }
            SideWrite::Erase { table, key } => {
                txn.open_table(table.definition())?.remove(key.as_slice())?;
            }
        }
    }
    Ok(())
}
