//! Dropping old samples. The ledger is kept for ever.

use redb::ReadableTable as _;

use super::{
    AppendError, EventLog, append, error::append_source, reopen::Unsettled, rows, tables, tail::Growth, tend,
};
use crate::ids::Seq;

/// Rows dropped in one commit: a call is short, and the caller calls again.
const ROWS_MAX: usize = 4096;

impl EventLog {
    /// Drops rows of samples that end at or before `through`, at most some thousands a call, and remembers how far.
    /// Gives the number of rows dropped: call again until it is 0. A batch of samples that an append brought together
    /// stays whole.
    ///
    /// # Errors
    /// `Unknown` when the commit fails; no event is in doubt then, but the log must be reopened.
    pub fn retire_samples(&mut self, through: Seq) -> Result<usize, AppendError> {
        self.refuse_while_unsettled()?;
        let growth = Growth::after(&self.shared.tail());
        let outcome = self.shared.commit_with(|database| -> Result<usize, super::Fault> {
            let txn = append::begin(database, true)?;
            let mut dropped = Vec::new();
            {
                let mut samples = txn.open_table(tables::SAMPLES)?;
                for entry in samples.range(..=through.0)?.take(ROWS_MAX) {
                    let (key, row) = entry?;
                    let last = rows::backwards(row.value(), Seq(key.value()))?.first().map(|frame| frame.seq);
                    match last {
                        Some(last) if last <= through => dropped.push((key.value(), last)),
                        _ => break,
                    }
                }
                for (key, _) in &dropped {
                    samples.remove(key)?;
                }
            }
            let Some((_, last)) = dropped.last() else {
                txn.abort()?;
                return Ok(0);
            };
            txn.open_table(tables::META)?.insert(tables::META_RETIRED, last.0.to_le_bytes().as_slice())?;
            // The head must not fall back when its own row is dropped.
            tend::write_derived(&txn, &self.shared.tail(), &growth)?;
            txn.commit()?;
            Ok(dropped.len())
        });
        let unknown = |source| AppendError::Unknown(source);
        match outcome {
            Some(Ok(0)) => Ok(0),
            Some(Ok(rows)) => {
                self.shared.tail_mut().forget_flushed();
                self.commits_since_flush = 0;
                Ok(rows)
            }
            Some(Err(fault)) => {
                self.unsettled = Some(Unsettled::nothing());
                Err(unknown(match fault {
                    super::Fault::Store(error) => append_source(error),
                    super::Fault::Damaged { seq, why } | super::Fault::Newer { seq, why } => {
                        std::io::Error::other(format!("at event {seq}, {why}"))
                    }
                }))
            }
            None => Err(unknown(std::io::Error::other("the store is closed"))),
        }
    }
}
