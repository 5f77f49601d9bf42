//! The file store: export, backup, reading in pieces, key import.

use std::sync::Arc;

use crate::answer::{Answer, Refusal};
use crate::commands::Done;
use crate::commands::export::text;
use crate::router::Device;
use crate::settle;
use crate::spec::Menu;
use crate::state::{Actor, Now, State};
use crate::table::Record;
use crate::values::show_date_time;
use crate::writes::{self, Args, take};

const CHUNK_MAX: usize = 32_768; // what one read gives at most

fn require(actor: &Actor, policy: &str) -> Result<(), Refusal> {
    if actor.may(policy) { Ok(()) } else { Err(Refusal::denied()) }
}

/// Writes a file, replacing one of the same name.
fn store(state: &mut State, name: &str, kind: &'static str, contents: String, now: Now) {
    let table = state.table_mut("/file");
    table.rows.retain(|row| row.get("name") != Some(name));
    let id = table.fresh_id();
    let row = Record::new(id)
        .with("name", name.to_owned())
        .with("type", kind)
        .with("size", contents.len().to_string())
        .with("last-modified", show_date_time(now.unix_s))
        .with("contents", contents);
    table.push(row);
}

/// Writes the configuration as console text into a file.
pub fn export(device: &Arc<Device>, mut args: Args, actor: &Actor) -> Done {
    require(actor, "read")?;
    let file = take(&mut args, "file");
    let sensitive = take(&mut args, "show-sensitive").is_some();
    if sensitive {
        require(actor, "sensitive")?;
    }
    let path = take(&mut args, "path");
    let now = device.now();
    let mut state = device.state();
    let text = text(&mut state, path.as_deref(), sensitive, now);
    if let Some(file) = file {
        require(actor, "write")?;
        let name = if file.ends_with(".rsc") { file } else { format!("{file}.rsc") };
        store(&mut state, &name, "script", text, now);
        return Ok((Answer::Done, true));
    }
    Ok((Answer::Done, false))
}

/// Writes a backup file; what is in it nobody can read.
pub fn backup(device: &Arc<Device>, mut args: Args, actor: &Actor) -> Done {
    require(actor, "write")?;
    let now = device.now();
    let mut state = device.state();
    let named = take(&mut args, "name");
    if let Some(kind) = take(&mut args, "encryption")
        && !matches!(kind.as_str(), "aes-sha256" | "rc4")
    {
        return Err(Refusal::bad("input does not match any value of encryption"));
    }
    let default = || {
        let stamp = show_date_time(now.unix_s).replace([':', '-'], "").replace(' ', "-");
        format!("{}-{stamp}", state.birth.identity)
    };
    let name = named.unwrap_or_else(default);
    let name = if name.ends_with(".backup") { name } else { format!("{name}.backup") };
    store(&mut state, &name, "backup", "\u{f788}\u{f7ac}backup".repeat(1_024), now);
    state.log("system,info", "configuration backup created", now);
    Ok((Answer::Done, true))
}

/// Reads a piece of a file; one empty piece ends it, beyond lies a refusal.
pub fn read(device: &Arc<Device>, mut args: Args, actor: &Actor) -> Done {
    require(actor, "read")?;
    let missing = |name: &str| Refusal::bad(format!("missing value(s) of argument(s) {name}"));
    let name = take(&mut args, "file").ok_or_else(|| missing("file"))?;
    let chunk = take(&mut args, "chunk-size").ok_or_else(|| missing("chunk-size"))?;
    let chunk = chunk.parse::<usize>().ok().filter(|size| (1..=CHUNK_MAX).contains(size));
    let chunk = chunk.ok_or_else(|| Refusal::bad("value of chunk-size out of range (1..32768)"))?;
    let offset = take(&mut args, "offset").unwrap_or_else(|| "0".to_owned());
    let offset: usize = offset.parse().map_err(|_| Refusal::bad("invalid value for argument offset"))?;
    let mut state = device.state();
    let file = state.table("/file").named(&name).cloned();
    let file = file.ok_or_else(|| Refusal::bad("input does not match any value of file"))?;
    let contents: Vec<char> = file.text("contents").chars().collect();
    if offset > contents.len() {
        return Err(Refusal::bad("failure: chunk out of file bounds"));
    }
    let end = (offset + chunk).min(contents.len());
    let data: String = contents[offset..end].iter().collect();
    Ok((Answer::Rows(vec![Arc::new(Record::loose().with("data", data))]), false))
}

/// Gives a user the key in a file; the file is used up.
pub fn import_key(device: &Arc<Device>, menu: &'static Menu, mut args: Args, actor: &Actor) -> Done {
    require(actor, "write")?;
    require(actor, "policy")?;
    let user = take(&mut args, "user").unwrap_or_else(|| actor.user.clone());
    let file = take(&mut args, "public-key-file");
    let file = file.ok_or_else(|| Refusal::bad("missing value(s) of argument(s) public-key-file"))?;
    let now = device.now();
    let mut state = device.state();
    if !settle::exists(&mut state, "user", &user) {
        return Err(Refusal::bad("input does not match any value of user"));
    }
    let found = state.table("/file").named(&file).cloned();
    let found = found.ok_or_else(|| Refusal::bad("input does not match any value of public-key-file"))?;
    let key = found.text("contents").trim().to_owned();
    state.change(actor, now, |state| {
        let args = vec![("user".to_owned(), user), ("key".to_owned(), key)];
        let (_, note) = writes::add(state, menu, args, now)?;
        state.table_mut("/file").rows.retain(|row| row.id != found.id);
        Ok(((), note))
    })?;
    Ok((Answer::Done, true))
}
