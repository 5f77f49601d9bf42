//! Start here: hand over to `cli`.

fn main() -> std::process::ExitCode {
    appliance::cli::main()
}
