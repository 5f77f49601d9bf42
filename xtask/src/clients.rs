//! Real protocol clients against a demo: the official TypeScript and Python clients and the Inspector.

use std::path::PathBuf;

use crate::run::{Demo, Run, appliance, root, target};

/// Node and the clients, from the lock file beside the scripts.
pub(crate) fn node_tools() -> Result<PathBuf, String> {
    let folder = target().join("tools").join("clients");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(root().join("tests/clients").join(file), folder.join(file))
            .map_err(|error| format!("{file}: {error}"))?;
    }
    let stamp = folder.join("installed");
    let lock =
        std::fs::read_to_string(folder.join("package-lock.json")).map_err(|error| error.to_string())?;
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    Run::new("npm").args(["ci", "--no-audit", "--no-fund", "--prefix"]).args([&folder]).done()?;
    std::fs::write(&stamp, lock).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// A Python with the official client, in a folder of its own.
fn python() -> Result<(String, PathBuf), String> {
    let folder = target().join("tools").join("python");
    let wanted = std::fs::read_to_string(root().join("tests/clients/requirements.txt"))
        .map_err(|error| error.to_string())?;
    let stamp = folder.join("installed");
    if !std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        if Run::new("python3").args(["-m", "pip", "--version"]).done().is_err() {
            Run::new("apt-get")
                .args(["install", "--yes", "--no-install-recommends", "python3-pip"])
                .done()?;
        }
        Run::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"])
            .args([&folder])
            .args(["-r", "tests/clients/requirements.txt"])
            .done()?;
        std::fs::write(&stamp, wanted).map_err(|error| error.to_string())?;
    }
    Ok(("python3".into(), folder))
}

/// The `PATH` with the locked Node first.
pub(crate) fn node_path(tools: &std::path::Path) -> std::ffi::OsString {
    let mut path = tools.join("node_modules").join(".bin").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

pub(crate) fn run() -> Result<(), String> {
    let binary = appliance()?;
    let tools = node_tools()?;
    let demo = Demo::start(&binary, &["--devices", "8"])?;
    let said = demo.said.to_string();
    let script = tools.join("clients.mjs");
    // Beside its modules: that is where Node looks for them.
    std::fs::copy(root().join("tests/clients/clients.mjs"), &script).map_err(|error| error.to_string())?;
    let typescript = Run::new("node")
        .args([&script])
        .env("PATH", node_path(&tools))
        .env("DEMO", &said)
        .env("APPLIANCE", &binary)
        .done();
    let (python, modules) = python()?;
    let official = Run::new(&python)
        .args(["tests/clients/client.py"])
        .env("PYTHONPATH", &modules)
        .env("DEMO", &said)
        .env("APPLIANCE", &binary)
        .done();
    typescript.and(official)
}
