//! Questions whose answers are not shown.

use std::{fs::File, io};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal that does not show what is typed, until dropped.
struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Asks for a password on the terminal.
///
/// # Errors
/// When there is no terminal, or the question was broken off.
pub(super) fn ask(prompt: &str) -> io::Result<String> {
    // The library shows the prompt first and hides after it: whoever types quickly would see a part.
    let _hidden = Hidden::begin()?;
    rpassword::prompt_password(prompt)
}
