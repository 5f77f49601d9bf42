//! A person lets a gate pass that failed.

use events::job::Direction;

use crate::tools::operator::directing::decision;

decision!(
    /// Goes on although a gate failed.
    JobResume,
    "job_resume",
    "Resume a job",
    "Lets the failed gate of a halted job pass and goes on with the next wave.",
    Direction::Resume
);
