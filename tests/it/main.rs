//! Black-box tests: the real binary, its real doors, and simulated routers.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on says so by panicking")]

mod abilities;
mod access;
mod approval;
mod bad_input;
mod catalogue;
mod cli;
mod crash;
mod dead_man;
mod doors;
mod evidence;
mod files;
mod fuzz;
mod guides;
mod history;
mod house;
mod immediate;
mod jobs;
mod large;
mod listing;
mod lists;
mod lone;
mod offline;
mod packaging;
mod peers;
mod pipes;
mod protocol;
mod reach;
mod records;
mod rollouts;
mod rollouts_guided;
mod rollouts_odd;
mod schema;
mod secrets;
mod stdio;
mod stores;
mod stuck;
mod terminal;
mod topics;
mod undo;
mod untrusted;
mod ways_back;
mod writes;

// What the product's own fuzzing throws, under the name that it has there.
#[path = "../../src/routeros/fuzz_testing.rs"]
mod dice;
#[path = "../../src/tools/fuzz_testing.rs"]
mod nearly_right;
mod routeros {
    pub(crate) use crate::dice as fuzz_testing;
}
