//! The catalogue: every tool is one file, and all doors call them through [`call::Corridor`].
//!
//! A tool reads routers, thinks with `changes`, submits wishes to the engine, and shapes the answer. It cannot write to a
//! router: only the runner can.

mod apply;
mod asking;
pub mod audit;
pub mod bridge;
pub mod call;
pub mod catalog;
mod change;
pub mod config;
pub mod context;
#[cfg(test)]
mod context_tests;
mod dead_man;
pub mod dhcp;
pub mod dns;
pub mod firewall;
mod following;
#[cfg(test)]
mod fuzz_testing;
#[cfg(test)]
mod fuzz_tests;
pub mod grouped;
pub mod interface;
pub mod ip;
pub mod listing;
pub mod logs;
pub mod ntp;
pub mod operator;
mod page;
pub mod params;
pub mod plan;
pub mod platform;
mod precheck;
pub mod propose;
pub mod registry;
pub mod rollout;
pub mod route;
pub mod system;
pub mod tool;
mod topic;
pub mod undo;
pub mod wireless;
