//! `mcp install`: sets up MCP clients on this machine without harming what they have.

use std::{
    fmt,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    cli::{
        Common,
        file::{Beside, back_up},
        out,
    },
    failure::{Code, Failure},
    strict_json::Strict,
};

/// The name under which clients know us.
const NAME: &str = "routeros";

#[derive(Debug, Subcommand)]
pub(super) enum Mcp {
    /// Set up an MCP client on this machine.
    #[command(subcommand)]
    Install(Install),
}

#[derive(Debug, Subcommand)]
pub(super) enum Install {
    /// Claude Desktop: adds `routeros` to its configuration. What was there stays, and is copied first.
    ClaudeDesktop(ClaudeDesktop),
}

#[derive(Debug, Args)]
pub(super) struct ClaudeDesktop {
    /// Only print what would be added.
    #[arg(long)]
    print: bool,
    /// Its configuration file, where it is not at the usual place.
    #[arg(long, value_name = "FILE", alias = "file")]
    config_path: Option<PathBuf>,
    /// File with the token that the client shall act with (a read-only one, say); without it, it acts as the local
    /// requester.
    #[arg(long, value_name = "FILE")]
    with_token: Option<PathBuf>,
}

/// What Claude Desktop needs to know. Everything in it is absolute: it is started from another folder.
pub(super) fn claude_entry(store: &Path, config: Option<&Path>, token: Option<&Path>) -> Value {
    let binary = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("appliance"));
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut args = vec![json!("--dir"), json!(absolute(store)), json!("stdio")];
    for (flag, path) in [("--config", config), ("--token-file", token)] {
        if let Some(path) = path {
            args.extend([json!(flag), json!(absolute(path))]);
        }
    }
    json!({ "command": binary, "args": args })
}

fn refused(file: &Path, why: impl fmt::Display) -> Failure {
    Failure::new(Code::InvalidConfig, format!("{}: {why}; nothing was changed", file.display()))
        .hint("mend it, or add by hand what `appliance mcp install claude-desktop --print` shows")
}

/// What the file says now; `None` when there is none.
fn read(file: &Path) -> Result<Option<Map<String, Value>>, Failure> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(file, format!("cannot be read: {error}"))),
    };
    if bytes.trim_ascii().is_empty() {
        return Ok(Some(Map::new()));
    }
    match serde_json::from_slice(&bytes) {
        // Writing back a file with a name twice would lose one of the two.
        Ok(Strict(Value::Object(object))) => Ok(Some(object)),
        Ok(_) => Err(refused(file, "is not a JSON object")),
        Err(error) => Err(refused(file, format!("is not JSON as it should be: {error}"))),
    }
}

/// Adds our entry; false when it is there already.
fn add(file: &Path, config: &mut Map<String, Value>, entry: Value) -> Result<bool, Failure> {
    let servers = config.entry("mcpServers").or_insert_with(|| json!({}));
    let Value::Object(servers) = servers else {
        return Err(refused(file, "`mcpServers` is not an object"));
    };
    match servers.get(NAME) {
        Some(there) if *there == entry => return Ok(false),
        Some(there) if !there.is_object() => {
            return Err(refused(file, format!("`mcpServers.{NAME}` is not an object")));
        }
        _ => {}
    }
    servers.insert(NAME.to_owned(), entry);
    Ok(true)
}

fn usual_place() -> Result<PathBuf, Failure> {
    let home =
        std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from).ok_or_else(|| {
            Failure::new(Code::InvalidConfig, "HOME is not set, so the usual place is not known")
                .hint("name the file with `--config-path`")
        })?;
    Ok(if cfg!(target_os = "macos") {
        home.join("Library/Application Support/Claude/claude_desktop_config.json")
    } else {
        home.join(".config/Claude/claude_desktop_config.json")
    })
}

pub(super) fn run(common: &Common, command: Mcp) -> Result<u8, Failure> {
    let Mcp::Install(Install::ClaudeDesktop(args)) = command;
    let store = common.load()?.store.dir;
    if let Some(token) = &args.with_token
        && let Err(error) = std::fs::File::open(token)
    {
        return Err(Failure::new(
            Code::InvalidConfig,
            format!("the token file {} cannot be read: {error}", token.display()),
        ));
    }
    let entry = claude_entry(&store, common.config.as_deref(), args.with_token.as_deref());
    if args.print {
        let whole = json!({ "mcpServers": { NAME: entry } });
        out::data(&serde_json::to_string_pretty(&whole).unwrap_or_default())?;
        return Ok(0);
    }
    let file = args.config_path.map_or_else(usual_place, Ok)?;
    // A link is followed: the file it stands for is what is read and replaced.
    let file = std::fs::canonicalize(&file).unwrap_or(file);
    let there = read(&file)?;
    let existed = there.is_some();
    let mut config = there.unwrap_or_default();
    if !add(&file, &mut config, entry)? {
        let value = json!({ "file": file, "changed": false, "backup": null });
        out::show(common, &value, |_| format!("{} has it already; nothing was changed", file.display()))?;
        return Ok(0);
    }
    let backup = write(&file, existed, &config)
        .map_err(|error| refused(&file, format!("cannot be written: {error}")))?;
    let value = json!({ "file": file, "changed": true, "backup": backup });
    out::show(common, &value, |_| {
        let kept = backup.as_ref().map(|copy| format!(" (before: {})", copy.display())).unwrap_or_default();
        format!("written to {}{kept}; restart Claude Desktop", file.display())
    })?;
    Ok(0)
}

/// Replaces the file in one step, keeping its mode, after a copy of what was there.
fn write(file: &Path, existed: bool, config: &Map<String, Value>) -> std::io::Result<Option<PathBuf>> {
    let (mut backup, mut mode) = (None, None);
    if existed {
        mode = Some(std::fs::metadata(file)?.permissions().mode() & 0o7777);
        backup = Some(back_up(file)?);
    } else if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut beside = Beside::open(file, mode)?;
    beside.write_all(serde_json::to_string_pretty(config)?.as_bytes())?;
    beside.write_all(b"\n")?;
    beside.finish(existed)?;
    Ok(backup)
}
