//! The appliance: change control and observation for MikroTik RouterOS fleets, in one binary.
//!
//! A plan is decided by pure rules, kept as events by one writer, and carried out on routers by one runner that always
//! writes its intention first; every door (MCP, HTTP, standard input, command line) calls the same tools.
//!
//! Floors, top to bottom; arrows go down only (`tests/tidy.rs` keeps it so):
//!
//! ```text
//! 10 main   9 cli   8 appliance   7 http   6 mcp
//!  5 tools   runner                       (neighbours; they never call each other)
//!  4 engine
//!  3 projections   changes   access
//!  2 domain   routeros   (crate snapshots)
//!  1 (crate events)   failure   telemetry   memory   strict_json
//! ```
//!
//! Start reading at [`tools::call`] for a call's way in, [`engine`] for how a decision becomes durable, and [`domain`]
//! for the rules.

pub mod access;
pub mod appliance;
pub mod changes;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod failure;
pub mod http;
pub mod mcp;
pub mod memory;
pub mod projections;
pub mod routeros;
pub mod runner;
pub mod strict_json;
pub mod telemetry;
pub mod tools;
