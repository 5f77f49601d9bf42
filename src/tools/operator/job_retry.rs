//! A person has what failed tried again.

use events::job::Direction;

use crate::tools::operator::directing::decision;

decision!(
    /// Tries again what failed.
    JobRetry,
    "job_retry",
    "Retry a job",
    "Tries again what failed in a job that stands; each router is read first.",
    Direction::Retry
);
