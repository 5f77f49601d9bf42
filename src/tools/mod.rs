//! The catalogue: every tool is one file, and all doors call them through [`call::Corridor`].
//!
//! A tool reads routers, thinks with `changes`, submits wishes to the engine, and shapes the answer. It cannot write to a
//! router: only the runner can.

pub mod call;
pub mod catalog;
pub mod context;
pub mod params;
pub mod tool;
