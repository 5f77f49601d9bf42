//! Everything about the router's language: ways in, lanes, typed readings, logins.
//!
//! Knows no plan, no job, no caller. Writing needs a [`events::ticket::Ticket`], which only the log can make.

pub mod address;
pub mod compat;
pub mod error;
pub mod figures;
#[cfg(test)]
pub(crate) mod fuzz_testing;
#[cfg(test)]
mod fuzz_tests;
pub mod hosts;
pub mod json;
pub mod lanes;
pub mod port;
pub mod resources;
mod rest;
pub mod support;
#[cfg(test)]
pub mod testing;
pub mod text;
pub mod tls;
#[cfg(test)]
mod tls_tests;
mod turn;
pub mod value;
pub mod vault;
#[cfg(test)]
mod wire_tests;
