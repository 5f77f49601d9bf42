//! Start here: hand over to `cli`.
fn main() {}
