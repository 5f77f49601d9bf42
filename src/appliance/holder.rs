//! Who holds a store: for people who are told that it is held.

use std::{fs, path::Path};

use crate::failure::Failure;

/// A process that has a store's file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// What it does: `appliance serve`, or only the program's name.
    pub doing: String,
}

/// The process that holds a file, if the system shows it to this user. Other users' processes are not shown.
#[must_use]
pub fn holder_of(path: &Path) -> Option<Holder> {
    let wanted = fs::canonicalize(path).ok()?;
    let own = std::process::id();
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own)
        .collect();
    pids.sort_unstable();
    let holds = |pid: &u32| {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == wanted))
    };
    pids.into_iter().find(holds).map(|pid| Holder { pid, doing: doing(pid) })
}

/// The program and its command; never a whole command line, which may carry what others should not read.
fn doing(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let program = words.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let command = words.find(|word| ["serve", "stdio", "demo"].contains(&word.as_ref()));
    command.map_or_else(|| program.clone(), |command| format!("{program} {command}"))
}

/// Names the holder in a failure that says that another process holds the store.
#[must_use]
pub fn name_holder(failure: Failure, path: &Path) -> Failure {
    let Some(Holder { pid, doing }) = holder_of(path) else {
        return failure.hint("stop that process, or ask it through its sockets");
    };
    let say = failure.say.replacen(": stop it", &format!(" (pid {pid}, `{doing}`): stop it"), 1);
    let hint = format!("stop it (kill {pid}), or ask the running appliance instead");
    let mut failure = failure.hint(hint).details(serde_json::json!({ "pid": pid, "process": doing }));
    failure.say = say.into();
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_else_holds_has_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let _open = fs::File::create(&path).unwrap();
        assert_eq!(holder_of(&path), None, "this process itself does not count");
        assert_eq!(holder_of(&dir.path().join("none")), None);
    }

    #[test]
    fn a_process_is_named_by_its_program_only() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let said = doing(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!said.contains("60"), "{said}");
    }
}
