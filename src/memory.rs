//! Keys and router logins stand in this process's memory: no image of it may reach a disk or another user.

use rustix::process::{Resource, Rlimit, setrlimit};

/// From now on the process leaves no core behind, and nobody but root may trace it or read its memory, environment and
/// open files in `/proc`.
///
/// # Errors
/// What the system refused. Nothing else depends on it, so a caller may warn and go on.
pub fn keep_private() -> std::io::Result<()> {
    // Both: a core handler that is a pipe ignores the limit, and a limit alone leaves `/proc/PID/mem` readable.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
