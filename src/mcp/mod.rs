//! The Model Context Protocol: a thin handler over the corridor. No rule lives here.

mod completion;
#[cfg(feature = "conformance")]
mod conformance;
mod handler;
mod listed;
mod prompt_file;
mod prompts;
mod refusal;
mod resources;
pub mod stdio;
mod templates;

pub use handler::{Handler, PrincipalSource};
