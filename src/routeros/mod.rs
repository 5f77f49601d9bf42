//! Everything about the router's language: ways in, lanes, typed readings, logins.
//!
//! Knows no plan, no job, no caller. Writing needs a [`events::ticket::Ticket`], which only the log can make.

pub mod error;
pub mod port;
