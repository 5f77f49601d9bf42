//! Black-box tests: the real binary, its real doors, and simulated routers.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on says so by panicking")]

mod access;
mod bad_input;
mod catalogue;
mod cli;
mod crash;
mod doors;
mod files;
mod history;
mod house;
mod jobs;
mod listing;
mod lists;
mod lone;
mod offline;
mod packaging;
mod peers;
mod pipes;
mod reach;
mod records;
mod secrets;
mod stdio;
mod stores;
mod stuck;
mod terminal;
mod untrusted;
mod writes;
