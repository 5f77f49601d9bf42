//! Black-box tests: the real binary, its real doors, and simulated routers.

mod access;
mod bad_input;
mod cli;
mod house;
mod records;
mod secrets;
mod writes;
