//! What a box must do, told over real sockets: one module a matter.

#![allow(clippy::unwrap_used, reason = "a test's helper; clippy sees no test here")]

#[path = "../support/mod.rs"]
mod support;

mod bridges;
mod broken;
mod console;
mod dhcp;
mod filters;
mod gates;
mod many;
mod probing;
mod reaching;
mod routes;
mod scripts;
mod timers;
mod turns;
mod verbs;
mod wireless;
mod writing;

use simulator::{BoxSpec, Fleet, Profile};
use support::{Client, fleet};

/// One plain box and its administrator.
async fn one(profile: Profile) -> (Fleet, Client) {
    one_at(profile, 100.0).await
}

/// The same with another clock.
async fn one_at(profile: Profile, clock_scale: f64) -> (Fleet, Client) {
    let fleet = fleet(vec![BoxSpec::new("box", profile).plain()], clock_scale).await;
    let client = Client::admin(&fleet.routers()[0]);
    (fleet, client)
}
