//! Start here: hand over to `cli`.

fn main() -> std::process::ExitCode {
    if let Err(error) = appliance::memory::keep_private() {
        eprintln!("warning: a crash of this process may leave its memory on disk: {error}");
    }
    appliance::cli::main()
}
