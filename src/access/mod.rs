//! Who may come in, and what they may touch. One choke point: [`principal::Principal::admit`].

pub mod principal;
pub mod tokens;
