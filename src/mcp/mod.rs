//! The Model Context Protocol: a thin handler over the corridor. No rule lives here.

#[cfg(feature = "conformance")]
mod conformance;
mod handler;
mod listed;
mod prompts;
mod resources;
pub mod stdio;

pub use handler::{Handler, PrincipalSource};
