//! Carries out a request: print, add, set, remove and the generic commands.
//!
//! Commands that take time or have a life of their own are handed to `commands`.

use std::sync::Arc;

use crate::answer::{Answer, Refusal};
use crate::commands;
use crate::query::{filter, matches_all, property_list};
use crate::rest::Request;
use crate::rest::route::{Target, pairs, resolve};
use crate::router::Device;
use crate::spec::{Menu, Shape};
use crate::state::{Actor, Note, State};
use crate::table::{Record, parse_id};
use crate::writes::{self, Args, take};
use crate::{body, radio, views};

/// The answer, the properties to keep of it, and whether anything changed.
pub type Outcome = (Answer, Option<Vec<String>>, bool);

/// Carries out one request of a user whose turn it is.
pub async fn run(
    device: &Arc<Device>,
    request: &Request,
    path: &str,
    actor: &Actor,
) -> Result<Outcome, Refusal> {
    let (answer, keep, changed) = carry_out(device, request, path, actor).await?;
    let answer = if actor.may("sensitive") { answer } else { without_secrets(answer) };
    Ok((answer, keep, changed))
}

/// Keys of wireless networks are for logins with the policy `sensitive`; to others they are not there.
fn without_secrets(answer: Answer) -> Answer {
    let veil = |row: &mut Arc<Record>| {
        let keys: Vec<String> =
            row.props().filter(|(key, _)| radio::secret(key)).map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            Arc::make_mut(row).unset(&key);
        }
    };
    match answer {
        Answer::Rows(mut rows) => {
            rows.iter_mut().for_each(veil);
            Answer::Rows(rows)
        }
        Answer::One(mut row) => {
            veil(&mut row);
            Answer::One(row)
        }
        Answer::Created(mut row, location) => {
            veil(&mut row);
            Answer::Created(row, location)
        }
        other => other,
    }
}

async fn carry_out(
    device: &Arc<Device>,
    request: &Request,
    path: &str,
    actor: &Actor,
) -> Result<Outcome, Refusal> {
    let catalogue = device.state().catalogue;
    let json = request.content_type.as_deref().is_some_and(|kind| kind.starts_with("application/json"));
    if !request.body.is_empty() && !json {
        return Err(Refusal { status: 415, detail: None });
    }
    let body = body::read(&request.body).ok_or_else(|| Refusal::bad("Failed to parse json"))?;
    let target = resolve(catalogue, path)?;
    match (request.method.as_str(), target) {
        ("GET", Target::Menu(menu)) => {
            require(actor, "read")?;
            read_menu(device, menu, &request.query)
        }
        ("GET", Target::Row(menu, key)) => {
            require(actor, "read")?;
            read_row(device, menu, &key, &request.query)
        }
        ("GET", Target::Command(..)) => Err(Refusal::bad("no such command")),
        ("PUT", Target::Menu(menu)) => put(device, menu, body.args, actor),
        ("PATCH", Target::Row(menu, key)) => patch(device, menu, &key, body.args, actor),
        ("DELETE", Target::Row(menu, key)) => delete(device, menu, &key, actor),
        ("POST", Target::Command(menu, word)) => command(device, menu, &word, body, actor).await,
        ("PATCH" | "DELETE", Target::Menu(_)) => Err(Refusal::unidentified()),
        ("PUT" | "POST" | "PATCH" | "DELETE", _) => Err(Refusal::bad("no such command")),
        _ => Err(Refusal { status: 405, detail: None }),
    }
}

fn require(actor: &Actor, policy: &str) -> Result<(), Refusal> {
    if actor.may(policy) { Ok(()) } else { Err(Refusal::denied()) }
}

/// A write needs `write` and whatever the menu asks for besides.
fn may_write(menu: &Menu, actor: &Actor) -> Result<(), Refusal> {
    require(actor, "write")?;
    menu.need.map_or(Ok(()), |policy| require(actor, policy))
}

fn read_menu(device: &Device, menu: &'static Menu, query: &str) -> Result<Outcome, Refusal> {
    let mut pairs = pairs(query);
    let keep = take(&mut pairs, ".proplist").map(|names| property_list(&names));
    let now = device.now();
    let mut rows = views::rows(&mut device.state(), menu, now);
    if menu.shape == Shape::One {
        let row = rows.pop().unwrap_or_default();
        return Ok((Answer::One(row), keep, false));
    }
    rows.retain(|row| matches_all(row, &pairs));
    Ok((Answer::Rows(rows), keep, false))
}

fn read_row(device: &Device, menu: &'static Menu, key: &str, query: &str) -> Result<Outcome, Refusal> {
    let keep = take(&mut pairs(query), ".proplist").map(|names| property_list(&names));
    let now = device.now();
    let rows = views::rows(&mut device.state(), menu, now);
    let row = views::find(&rows, key).cloned().ok_or_else(Refusal::missing)?;
    Ok((Answer::One(row), keep, false))
}

/// The record as a client would read it now.
fn shown(state: &mut State, menu: &'static Menu, id: u64, device: &Device) -> Arc<Record> {
    let rows = views::rows(state, menu, device.now());
    rows.into_iter().find(|row| row.id == id).unwrap_or_default()
}

fn put(device: &Arc<Device>, menu: &'static Menu, args: Args, actor: &Actor) -> Result<Outcome, Refusal> {
    may_write(menu, actor)?;
    if menu.add.is_empty() {
        return Err(Refusal::bad("no such command"));
    }
    let now = device.now();
    let mut state = device.state();
    let id = state.change(actor, now, |state| writes::add(state, menu, args, now))?;
    if menu.path == "/system/scheduler" {
        commands::watch_schedule(device);
    }
    let row = shown(&mut state, menu, id, device);
    let location = format!("/rest{}/{}", menu.path, row.wire_id());
    Ok((Answer::Created(row, location), None, true))
}

fn patch(
    device: &Device,
    menu: &'static Menu,
    key: &str,
    args: Args,
    actor: &Actor,
) -> Result<Outcome, Refusal> {
    // Without the policy a PATCH looks like a wrong id, whatever the id.
    may_write(menu, actor).map_err(|_| Refusal::unidentified())?;
    if menu.set.is_empty() {
        return Err(Refusal::unidentified());
    }
    let by_name = parse_id(key).is_none();
    let now = device.now();
    let mut state = device.state();
    let id = one(&mut state, menu, key)?;
    let outcome =
        state.change(actor, now, |state| writes::set(state, menu, &[id], args, now).map(|note| ((), note)));
    match outcome {
        Err(refusal) if by_name && refusal.status == 400 => Err(Refusal::unidentified()),
        Err(refusal) => Err(refusal),
        Ok(()) => Ok((Answer::One(shown(&mut state, menu, id, device)), None, true)),
    }
}

fn delete(device: &Device, menu: &'static Menu, key: &str, actor: &Actor) -> Result<Outcome, Refusal> {
    may_write(menu, actor)?;
    let now = device.now();
    let mut state = device.state();
    if menu.path == "/system/script/job" {
        commands::end_job(&mut state, key)?;
        return Ok((Answer::NoContent, None, true));
    }
    let id = one(&mut state, menu, key)?;
    state.change(actor, now, |state| writes::remove(state, menu, &[id]).map(|note| ((), note)))?;
    Ok((Answer::NoContent, None, true))
}

/// Exactly one stored record; rows that are only worked out (connections, connected routes) cannot be written.
fn one(state: &mut State, menu: &'static Menu, key: &str) -> Result<u64, Refusal> {
    let table = state.table(menu.path);
    let found = match parse_id(key) {
        Some(id) => table.row(id),
        None => table.named(key),
    };
    if let Some(row) = found {
        return Ok(row.id);
    }
    Err(writes::lost(menu, key))
}

async fn command(
    device: &Arc<Device>,
    menu: &'static Menu,
    word: &str,
    body: body::Body,
    actor: &Actor,
) -> Result<Outcome, Refusal> {
    match word {
        "print" => {
            require(actor, "read")?;
            return print(device, menu, body);
        }
        "get" => {
            require(actor, "read")?;
            return get(device, menu, body.args, actor);
        }
        _ => {}
    }
    if let Some(outcome) = commands::run(device, menu, word, &body, actor).await {
        return outcome.map(|(answer, changed)| (answer, body.proplist, changed));
    }
    may_write(menu, actor)?;
    let now = device.now();
    let mut state = device.state();
    if menu.path == "/system/script/job" && word == "remove" {
        let mut args = body.args;
        let key = selected(&mut args)?;
        commands::end_job(&mut state, &key)?;
        return Ok((Answer::Done, None, true));
    }
    let answer = state.change(actor, now, |state| generic(state, menu, word, body.args, now))?;
    if menu.path == "/system/scheduler" {
        commands::watch_schedule(device);
    }
    Ok((answer, None, true))
}

fn selected(args: &mut Args) -> Result<String, Refusal> {
    let by_id = take(args, ".id");
    by_id.or_else(|| take(args, "numbers")).ok_or_else(|| Refusal::bad("no such item"))
}

/// The commands that work the same everywhere.
pub fn generic(
    state: &mut State,
    menu: &'static Menu,
    word: &str,
    mut args: Args,
    now: crate::state::Now,
) -> Result<(Answer, Note), Refusal> {
    if word == "add" {
        let (id, note) = writes::add(state, menu, args, now)?;
        return Ok((Answer::Ret(format!("*{id:X}")), note));
    }
    let done = |note| (Answer::Done, note);
    if menu.shape == Shape::One {
        return match word {
            "set" => writes::set(state, menu, &[Record::NO_ID], args, now).map(done),
            _ => Err(Refusal::bad("no such command")),
        };
    }
    let who = selected(&mut args)?;
    let ids = writes::targets(state, menu, &who)?;
    let flag = |value: &str| vec![("disabled".to_owned(), value.to_owned())];
    let note = match word {
        "set" => writes::set(state, menu, &ids, args, now)?,
        "remove" => writes::remove(state, menu, &ids)?,
        "enable" => writes::set(state, menu, &ids, flag("false"), now)?,
        "disable" => writes::set(state, menu, &ids, flag("true"), now)?,
        "comment" => {
            let comment = take(&mut args, "comment").unwrap_or_default();
            writes::set(state, menu, &ids, vec![("comment".to_owned(), comment)], now)?
        }
        "move" => {
            let destination = take(&mut args, "destination");
            writes::shift(state, menu, &ids, destination.as_deref())?
        }
        "unset" => {
            let name = take(&mut args, "value-name").unwrap_or_default();
            writes::unset(state, menu, &ids, &name, now)?
        }
        _ => Note::default(),
    };
    Ok(done(note))
}

fn print(device: &Device, menu: &'static Menu, body: body::Body) -> Result<Outcome, Refusal> {
    const WORDS: [&str; 7] = ["count-only", "detail", "stats", "as-value", "without-paging", ".id", "terse"];
    let mut args = body.args;
    if let Some((word, _)) = args.iter().find(|(key, _)| !WORDS.contains(&key.as_str())) {
        return Err(Refusal::bad(format!("unknown parameter {word}")));
    }
    let now = device.now();
    let mut rows = views::rows(&mut device.state(), menu, now);
    if let Some(ids) = take(&mut args, ".id") {
        rows.retain(|row| ids.split(',').any(|id| parse_id(id) == Some(row.id)));
    }
    let rows = filter(rows, &body.query)?;
    let answer = if args.iter().any(|(key, _)| key == "count-only") {
        Answer::Ret(rows.len().to_string())
    } else {
        Answer::Rows(rows)
    };
    Ok((answer, body.proplist, false))
}

fn get(device: &Device, menu: &'static Menu, mut args: Args, actor: &Actor) -> Result<Outcome, Refusal> {
    let now = device.now();
    let rows = views::rows(&mut device.state(), menu, now);
    let row = if menu.shape == Shape::One {
        rows.first().cloned()
    } else {
        let who = selected(&mut args)?;
        views::find(&rows, &who).cloned()
    };
    let row = row.ok_or_else(Refusal::missing)?;
    let name = take(&mut args, "value-name").unwrap_or_default();
    if radio::secret(&name) {
        require(actor, "sensitive")?;
    }
    Ok((Answer::Ret(row.text(&name).to_owned()), None, false))
}
