//! The timed undo on the router: what its scripts do there, and that it fires when we are gone.

mod rig;
mod scripts;
mod trials;
mod wire;
