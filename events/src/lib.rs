//! The vocabulary of facts, and the log that keeps and proves them.
//!
//! Three layers, read in this order:
//! 1. words: [`ids`], [`operation`], [`principal`] and the families of facts [`access`], [`call`], [`device`], [`job`],
//!    [`plan`], [`sample`], [`store`];
//! 2. [`event`]: the one [`event::Event`] enum, its registry of never-reused numbers, and [`event::Envelope`];
//! 3. [`log`]: the store that appends and reads them; under it [`frame`], [`upcast`], [`merkle`] and [`checkpoint`];
//!    beside it [`audit`] and [`export`], which work on a store that nobody holds, and [`evidence`]: some events that prove
//!    themselves far from their store.
//!
//! This crate names no rule, no router, no door: it would read the same if the product did something else with its
//! facts. Only this crate and `snapshots` name the store's library.

pub mod access;
pub mod audit;
pub mod call;
pub mod checkpoint;
pub mod codec;
pub mod crash;
pub mod device;
pub mod event;
pub mod evidence;
pub mod export;
pub mod fold;
pub mod frame;
pub mod gate;
pub mod ids;
pub mod job;
pub mod log;
pub mod merkle;
pub mod operation;
pub mod plan;
mod plan_v1;
mod plan_v2;
pub mod principal;
pub mod sample;
pub mod store;
pub mod upcast;

#[cfg(test)]
mod fixtures;

pub use log::ticket;
