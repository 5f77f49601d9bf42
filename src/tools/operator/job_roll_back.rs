//! A person has a job that stands undone.

use events::job::Direction;

use crate::tools::operator::directing::decision;

decision!(
    /// Undoes what was applied.
    JobRollBack,
    "job_roll_back",
    "Roll a job back",
    "Undoes what a job that stands has applied, the newest first.",
    Direction::RollBack
);
