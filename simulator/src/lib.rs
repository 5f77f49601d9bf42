//! Simulated RouterOS v7 boxes on loopback: a strict second opinion on how routers behave.
//!
//! Shares no code with the appliance. Where to look: `profile` says what a box pretends to be, `spec` and
//! `seed` read the two data files, `state` keeps one box, `views` and `writes` are its menus, `commands` what
//! takes time, `rest` the HTTP face, `listen` the sockets, `fleet` the handles that tests hold. `firewall`,
//! `routing`, `bridging` and `radio` are what a box makes of its configuration, `reach` whether it can still be
//! managed. `README.md` says what is known of real routers and what is guessed.
//!
//! Every answer is meant to be what a router says, including the ugly parts: one request of a user at a time,
//! sixty seconds and no more, strings only, refusals in the router's words.

mod answer;
mod body;
mod bridging;
mod bulk;
mod clock;
mod commands;
pub mod control;
mod demo;
pub mod faults;
mod firewall;
pub mod fleet;
mod forms;
pub mod journal;
#[cfg(test)]
mod laws;
mod links;
mod listen;
mod login;
pub mod profile;
mod query;
mod radio;
mod reach;
pub mod rest;
pub mod router;
mod routing;
mod seed;
mod settle;
pub mod spec;
mod state;
mod table;
mod tls;
mod values;
mod views;
mod vitals;
mod writes;

pub use demo::demo_fleet;
pub use faults::{Fault, Injection};
pub use fleet::{BoxSpec, Fleet, FleetOptions, Router, User};
pub use journal::Entry;
pub use profile::Profile;
pub use vitals::Vitals;
