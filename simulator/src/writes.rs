//! add, set, remove, move, unset, enable, disable, comment — on any menu that takes them.
//!
//! Checks what the client wrote, changes the tables, and says how to undo it. Consequences in other menus
//! are the business of `settle`; who may write is the business of the caller.

use std::sync::Arc;

use crate::answer::Refusal;
use crate::radio;
use crate::routing::is_connected_id;
use crate::settle;
use crate::spec::{Kind, Menu, Shape};
use crate::state::{Note, Now, State};
use crate::table::{Record, parse_id};
use crate::values::{check, quoted};

/// Names and texts as the client wrote them.
pub type Args = Vec<(String, String)>;

/// Words that every command understands.
const COMMON: [&str; 5] = [".id", "numbers", ".proplist", ".query", ".tag"];

/// Takes one argument out.
pub fn take(args: &mut Args, name: &str) -> Option<String> {
    let at = args.iter().position(|(key, _)| key == name)?;
    Some(args.remove(at).1)
}

/// The word of a menu in prose: `/ip/firewall/address-list` is `address-list`.
fn noun(menu: &Menu) -> String {
    let mut words: Vec<&str> = menu.path.trim_start_matches('/').split('/').collect();
    if words.len() > 1 {
        words.remove(0);
    }
    words.join(" ")
}

fn console_path(menu: &Menu) -> String {
    menu.path.replacen('/', " ", usize::MAX).trim().to_owned()
}

fn console_args(args: &Args) -> String {
    args.iter().map(|(key, value)| format!(" {key}={}", quoted(value))).collect()
}

/// Does a change and lets go the wireless clients that it concerns.
fn on_air<T>(
    state: &mut State,
    menu: &Menu,
    work: impl FnOnce(&mut State) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    if !menu.path.starts_with("/interface") {
        return work(state);
    }
    let before = radio::air(state);
    let done = work(state)?;
    radio::kick(state, &before);
    Ok(done)
}

/// A row as `add` would make it, not yet in the table, and the row it is to stand before.
pub fn fresh(
    state: &mut State,
    menu: &'static Menu,
    args: Args,
    now: Now,
) -> Result<(Record, Option<String>), Refusal> {
    let args = accept(state, menu, args)?;
    let missing: Vec<&str> = menu
        .add
        .iter()
        .filter(|arg| arg.required && !args.iter().any(|(key, _)| key == arg.name))
        .map(|arg| arg.name)
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::bad(format!("missing value(s) of argument(s) {}", missing.join(" "))));
    }
    let mut row = Record::new(settle::fresh_id(state, menu));
    for (key, value) in &menu.fresh {
        row.set(*key, *value);
    }
    let mut before = None;
    for (key, value) in &args {
        match key.as_str() {
            "place-before" => before = Some(value.clone()),
            _ => write(&mut row, key, value),
        }
    }
    settle::complete(state, menu, &mut row, now)?;
    Ok((row, before))
}

/// Adds a record and returns its id.
pub fn add(state: &mut State, menu: &'static Menu, args: Args, now: Now) -> Result<(u64, Note), Refusal> {
    on_air(state, menu, |state| add_row(state, menu, args, now))
}

fn add_row(state: &mut State, menu: &'static Menu, mut args: Args, now: Now) -> Result<(u64, Note), Refusal> {
    if menu.add.is_empty() {
        return Err(Refusal::bad("no such command"));
    }
    if menu.mode.is_some_and(|feature| !state.mode_allows(feature)) {
        return Err(Refusal::device_mode());
    }
    args.retain(|(key, _)| !COMMON.contains(&key.as_str()));
    let redo = console_args(&args);
    let (row, before) = fresh(state, menu, args, now)?;
    refuse_twice(state, menu, &row)?;
    let id = row.id;
    let place = match before {
        Some(target) => Some(place_of(state, menu, &target).ok_or_else(Refusal::missing)?),
        None => None,
    };
    let table = state.table_mut(menu.path);
    table.push(row);
    if let Some(place) = place {
        let row = table.rows.pop().unwrap_or_default();
        table.rows.insert(place, row);
    }
    settle::added(state, menu, id);
    let path = console_path(menu);
    Ok((
        id,
        Note {
            action: format!("{} added", noun(menu)),
            undo: format!("/{path} remove *{id:X}"),
            redo: format!("/{path} add{redo}"),
        },
    ))
}

/// Changes records, or the values of a menu without records.
pub fn set(
    state: &mut State,
    menu: &'static Menu,
    ids: &[u64],
    args: Args,
    now: Now,
) -> Result<Note, Refusal> {
    on_air(state, menu, |state| set_rows(state, menu, ids, args, now))
}

fn set_rows(
    state: &mut State,
    menu: &'static Menu,
    ids: &[u64],
    mut args: Args,
    now: Now,
) -> Result<Note, Refusal> {
    if menu.set.is_empty() {
        return Err(Refusal::bad("no such command"));
    }
    args.retain(|(key, _)| !COMMON.contains(&key.as_str()));
    let args = accept_set(state, menu, args)?;
    let path = console_path(menu);
    let mut note = Note { action: format!("{} changed", noun(menu)), ..Note::default() };
    for id in ids {
        let old = state.table(menu.path).row(*id).cloned().unwrap_or_default();
        if settle::sealed(menu, &old) {
            return Err(Refusal::unidentified());
        }
        let mut row = Record::clone(&old);
        row.id = *id;
        settle::rewritten(menu, &mut row, &args);
        for (key, value) in &args {
            write(&mut row, key, value);
        }
        settle::complete(state, menu, &mut row, now)?;
        refuse_twice(state, menu, &row)?;
        // What was not set before is unset again where the menu can do that.
        let (was, unset): (Args, Args) = args
            .iter()
            .map(|(key, _)| (key.clone(), old.text(key).to_owned()))
            .partition(|(key, value)| !value.is_empty() || key == "comment" || !can_unset(menu, key));
        let target = if menu.shape == Shape::One { String::new() } else { format!(" *{id:X}") };
        if !was.is_empty() {
            note.undo.push_str(&format!("/{path} set{target}{}\n", console_args(&was)));
        }
        for (key, _) in unset {
            note.undo.push_str(&format!("/{path} unset{target} {key}\n"));
        }
        note.redo.push_str(&format!("/{path} set{target}{}\n", console_args(&args)));
        match state.table_mut(menu.path).row_mut(*id) {
            Some(slot) => *slot = row,
            None => *state.table_mut(menu.path).only_mut() = row,
        }
        settle::changed(state, menu, *id, &old);
    }
    note.undo.truncate(note.undo.trim_end().len());
    note.redo.truncate(note.redo.trim_end().len());
    Ok(note)
}

/// Removes records.
pub fn remove(state: &mut State, menu: &'static Menu, ids: &[u64]) -> Result<Note, Refusal> {
    on_air(state, menu, |state| remove_rows(state, menu, ids))
}

fn remove_rows(state: &mut State, menu: &'static Menu, ids: &[u64]) -> Result<Note, Refusal> {
    if menu.command("remove").is_none() {
        return Err(Refusal::unidentified());
    }
    let path = console_path(menu);
    let mut note = Note { action: format!("{} removed", noun(menu)), ..Note::default() };
    for id in ids {
        let Some(row) = state.table(menu.path).row(*id).cloned() else { return Err(Refusal::missing()) };
        if settle::pinned(menu, &row) {
            return Err(Refusal::unidentified());
        }
        let kept: Args = row
            .props()
            .filter(|(key, value)| menu.add.iter().any(|arg| arg.name == *key) && !value.is_empty())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let next =
            state.table(menu.path).position(*id).and_then(|at| state.table(menu.path).rows.get(at + 1));
        let place = next.filter(|_| menu.ordered()).map(|next| format!(" place-before={}", next.wire_id()));
        // Taken back in the other order: a row's neighbour has to be there before it.
        let undo = format!("/{path} add{}{}\n", console_args(&kept), place.unwrap_or_default());
        note.undo.insert_str(0, &undo);
        note.redo.push_str(&format!("/{path} remove *{id:X}\n"));
        state.table_mut(menu.path).rows.retain(|row| row.id != *id);
        settle::removed(state, menu, &row);
    }
    note.undo.truncate(note.undo.trim_end().len());
    note.redo.truncate(note.redo.trim_end().len());
    Ok(note)
}

/// Moves rows right before `destination`; an unknown destination means the end of the table.
pub fn shift(
    state: &mut State,
    menu: &'static Menu,
    ids: &[u64],
    destination: Option<&str>,
) -> Result<Note, Refusal> {
    let mut moved: Vec<Arc<Record>> = Vec::new();
    // A place means the table as the client saw it, so it is looked up before anything moves.
    let target = destination.and_then(|text| place_of(state, menu, text));
    let target = target.and_then(|place| state.table(menu.path).rows.get(place).map(|row| row.id));
    let path = console_path(menu);
    let mut undo = String::new();
    let rows = Arc::clone(state.table(menu.path)).rows.clone();
    for id in ids {
        let row = rows.iter().find(|row| row.id == *id).ok_or_else(Refusal::missing)?;
        if settle::sealed(menu, row) {
            return Err(Refusal::unidentified());
        }
    }
    // Taken back from the last to the first: each finds the neighbour that it had.
    for (at, row) in rows.iter().enumerate().rev().filter(|(_, row)| ids.contains(&row.id)) {
        let back =
            rows.get(at + 1).map(|next| format!(" destination={}", next.wire_id())).unwrap_or_default();
        undo.push_str(&format!("/{path} move *{:X}{back}\n", row.id));
    }
    let table = state.table_mut(menu.path);
    for id in ids {
        let Some(at) = table.position(*id) else { continue };
        if Some(*id) != target {
            moved.push(table.rows.remove(at));
        }
    }
    let at = target.and_then(|id| table.position(id)).unwrap_or(table.rows.len());
    table.rows.splice(at..at, moved);
    let list = ids.iter().map(|id| format!("*{id:X}")).collect::<Vec<_>>().join(",");
    let redo = format!("/{path} move {list} destination={}", destination.unwrap_or(""));
    Ok(Note { action: format!("{} moved", noun(menu)), undo: undo.trim_end().to_owned(), redo })
}

/// Whether a property can be forgotten.
fn can_unset(menu: &Menu, name: &str) -> bool {
    let fresh = menu.fresh.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let known =
        menu.set.iter().find(|arg| arg.name == name).is_some_and(|arg| {
            !arg.required && arg.kind != Kind::Bool && !matches!(name, "name" | "log-prefix")
        });
    known && fresh.is_none_or(str::is_empty) && menu.command("unset").is_some()
}

/// Forgets a property of records.
///
/// Only what may be absent can be forgotten: not what an `add` needs, not what has a default other than nothing,
/// and no yes-or-no.
pub fn unset(
    state: &mut State,
    menu: &'static Menu,
    ids: &[u64],
    name: &str,
    now: Now,
) -> Result<Note, Refusal> {
    on_air(state, menu, |state| unset_in(state, menu, ids, name, now))
}

fn unset_in(
    state: &mut State,
    menu: &'static Menu,
    ids: &[u64],
    name: &str,
    now: Now,
) -> Result<Note, Refusal> {
    let fresh = menu.fresh.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    if !can_unset(menu, name) {
        return Err(Refusal::bad("input does not match any value of value-name"));
    }
    let path = console_path(menu);
    let mut note = Note { action: format!("{} changed", noun(menu)), ..Note::default() };
    for id in ids {
        let Some(old) = state.table(menu.path).row(*id).cloned() else { return Err(Refusal::missing()) };
        if settle::sealed(menu, &old) {
            return Err(Refusal::unidentified());
        }
        let mut row = Record::clone(&old);
        row.unset(name);
        if let Some(fresh) = fresh {
            row.set(name.to_owned(), fresh);
        }
        settle::complete(state, menu, &mut row, now)?;
        note.undo.push_str(&format!("/{path} set *{id:X} {name}={}\n", quoted(old.text(name))));
        note.redo.push_str(&format!("/{path} unset *{id:X} {name}\n"));
        if let Some(slot) = state.table_mut(menu.path).row_mut(*id) {
            *slot = row;
        }
        settle::changed(state, menu, *id, &old);
    }
    note.undo.truncate(note.undo.trim_end().len());
    note.redo.truncate(note.redo.trim_end().len());
    Ok(note)
}

/// Ids behind `.id` or `numbers`: ids, names, or places in the table, joined by commas.
pub fn targets(state: &mut State, menu: &'static Menu, text: &str) -> Result<Vec<u64>, Refusal> {
    let table = state.table(menu.path);
    text.split(',')
        .map(|part| {
            let by_place = part.parse::<usize>().ok().and_then(|place| table.rows.get(place));
            let row = parse_id(part).and_then(|id| table.row(id)).or_else(|| table.named(part)).or(by_place);
            row.map(|row| row.id).ok_or_else(|| lost(menu, part))
        })
        .collect()
}

/// Why there is no such stored record: rows that are only worked out cannot be written.
pub fn lost(menu: &Menu, key: &str) -> Refusal {
    let worked_out = menu.path == "/ip/route" && parse_id(key).is_some_and(is_connected_id);
    if worked_out { Refusal::unidentified() } else { Refusal::missing() }
}

fn place_of(state: &mut State, menu: &'static Menu, text: &str) -> Option<usize> {
    let table = state.table(menu.path);
    match parse_id(text) {
        Some(id) => table.position(id),
        None => text.parse().ok().filter(|place| *place < table.rows.len()),
    }
}

/// An empty comment is no comment; everything else is kept as written.
fn write(row: &mut Record, key: &str, value: &str) {
    if key == "comment" && value.is_empty() {
        row.unset(key);
    } else {
        row.set(key.to_owned(), value.to_owned());
    }
}

fn accept(state: &mut State, menu: &Menu, args: Args) -> Result<Args, Refusal> {
    accept_with(state, menu, args, |menu, key| menu.add.iter().any(|arg| arg.name == key))
}

fn accept_set(state: &mut State, menu: &Menu, args: Args) -> Result<Args, Refusal> {
    accept_with(state, menu, args, |menu, key| menu.set.iter().any(|arg| arg.name == key))
}

fn accept_with(
    state: &mut State,
    menu: &Menu,
    args: Args,
    known: impl Fn(&Menu, &str) -> bool,
) -> Result<Args, Refusal> {
    let mut kept = Vec::with_capacity(args.len());
    for (key, value) in args {
        let arg = menu.arg(&key).filter(|_| known(menu, &key));
        let arg = arg.ok_or_else(|| Refusal::bad(format!("unknown parameter {key}")))?;
        if value.is_empty() && menu.fresh.contains(&(arg.name, "")) {
            // What a fresh row shows can be written.
            kept.push((key, value));
            continue;
        }
        let value = check(arg, &value).map_err(Refusal::bad)?;
        if let Kind::Ref(target, negatable) = arg.kind {
            let name = if negatable { value.trim_start_matches('!') } else { &value };
            if !settle::exists(state, target, name) {
                return Err(Refusal::bad(format!("input does not match any value of {}", arg.name)));
            }
        }
        kept.push((key, value));
    }
    Ok(kept)
}

fn refuse_twice(state: &mut State, menu: &Menu, row: &Record) -> Result<(), Refusal> {
    for (keys, text) in &menu.once {
        let written = keys.iter().any(|key| row.get(key).is_some_and(|value| !value.is_empty()));
        let same = |other: &&Arc<Record>| {
            other.id != row.id && keys.iter().all(|key| other.get(key) == row.get(key))
        };
        if written && state.table(menu.path).rows.iter().any(|other| same(&other)) {
            return Err(Refusal::bad(format!("failure: {text}")));
        }
    }
    Ok(())
}
