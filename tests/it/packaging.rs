//! What is shipped beside the binary says what the binary says.

use std::path::Path;

use crate::house::{appliance, json_of, stderr, stdout};

/// `BLESS=1` writes the example anew.
#[test]
fn the_example_configuration_is_the_default_one_and_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let printed = stdout(&appliance(folder.path(), &["config", "default"]));
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/appliance.toml");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&example, &printed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&example).unwrap(), printed, "`cargo xtask bless` writes it anew");
    let config = example.to_str().unwrap();
    let checked = appliance(folder.path(), &["--json", "--config", config, "config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert_eq!(json_of(&checked)["ok"], true);
    // Every key has its meaning on the line before it.
    let lines: Vec<&str> = printed.lines().collect();
    for (at, line) in
        lines.iter().enumerate().filter(|(_, line)| line.contains(" =") && !line.starts_with("# Every"))
    {
        assert!(
            at > 0 && lines[at - 1].starts_with("# ") && lines[at - 1].len() > 10,
            "no word about `{line}`"
        );
    }
}
