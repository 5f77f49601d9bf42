//! `cargo xtask demo`.

use crate::run::{Run, appliance};

pub(crate) fn run(args: &[String]) -> bool {
    let done = appliance()
        .and_then(|binary| Run::new(&binary.display().to_string()).args(["demo"]).args(args).done());
    if let Err(why) = &done {
        println!("{why}");
    }
    done.is_ok()
}
