//! Commands of menus in console text: `find get print add set remove enable disable comment move unset`, and all
//! others by way of the same table that REST uses.

use crate::answer::{Answer, Refusal};
use crate::body::Body;
use crate::commands::check::{before_condition, condition};
use crate::commands::console::Console;
use crate::commands::expression::{Dialect, Tree, parse};
use crate::commands::jobs::{self, Origin};
use crate::commands::script::{Fault, Piece, Word};
use crate::commands::value::Value;
use crate::rest::operate::generic;
use crate::spec::{Kind, Menu, Shape};
use crate::state::State;
use crate::table::{Record, parse_id};
use crate::writes::{Args, take};
use crate::{radio, views};

/// Flags that the console shows whether or not the row has them.
const FLAGS: [&str; 7] = ["active", "builtin", "default", "dynamic", "inactive", "invalid", "running"];

impl Console {
    /// A command that is done at once.
    pub(super) fn perform(
        &mut self,
        menu: &'static Menu,
        verb: &str,
        statement: &str,
        rest: &[Word],
    ) -> Result<Value, Fault> {
        if menu.path == "/" && verb == "execute" {
            let (mut args, loose) = self.gather(menu, rest)?;
            let script = take(&mut args, "script").or_else(|| loose.first().map(Value::shown));
            let origin = Origin { parent: self.job, ..Origin::default() };
            let id = jobs::start(&self.device, script.unwrap_or_default(), &self.actor, origin);
            return Ok(Value::text(format!("*{id:X}")));
        }
        match verb {
            "find" | "get" | "print" if !self.actor.may("read") => Err(denied()),
            "find" => {
                let rows = self.rows(menu, condition(statement, verb, rest))?;
                Ok(Value::List(rows.iter().map(Record::wire_id).collect()))
            }
            "print" => {
                let rows = self.rows(menu, condition(statement, verb, rest))?;
                let words = before_condition(verb, rest);
                let count = words.iter().any(|word| word.piece == Piece::Bare("count-only".to_owned()));
                Ok(Value::text(if count { rows.len().to_string() } else { lines(&rows) }))
            }
            "get" => self.get(menu, rest),
            "add" | "set" | "remove" | "enable" | "disable" | "comment" | "move" | "unset" => {
                self.write(menu, verb, rest)
            }
            verb => Err(format!("failure: {verb} in brackets is beyond this simulator")),
        }
    }

    /// A command with a life of its own.
    pub(super) async fn special(
        &mut self,
        menu: &'static Menu,
        verb: &str,
        rest: &[Word],
    ) -> Result<(), Fault> {
        let (mut args, loose) = self.gather(menu, rest)?;
        let names = menu.command(verb).unwrap_or_default();
        let free: Vec<&str> =
            names.iter().copied().filter(|name| !args.iter().any(|(key, _)| key == name)).collect();
        args.extend(free.iter().zip(&loose).map(|(name, value)| ((*name).to_owned(), value.argument())));
        let body = Body { args, ..Body::default() };
        let done = super::run(&self.device, menu, verb, &body, &self.actor).await;
        let done =
            done.unwrap_or_else(|| Err(Refusal::bad(format!("bad command name {verb} (line 1 column 1)"))));
        done.map(drop).map_err(|refusal| refusal.text().to_owned())
    }

    fn gather(&mut self, menu: &'static Menu, rest: &[Word]) -> Result<(Args, Vec<Value>), Fault> {
        let (mut args, mut loose) = (Args::new(), Vec::new());
        for word in rest {
            let value = self.value(&word.piece, Some(menu.path))?;
            match &word.key {
                Some(key) => args.push((key.clone(), value.argument())),
                None => loose.push(value),
            }
        }
        Ok((args, loose))
    }

    /// The rows that a condition lets through.
    fn rows(&mut self, menu: &'static Menu, condition: Option<&str>) -> Result<Vec<Record>, Fault> {
        let tree = match condition {
            None => Tree::Known(Value::flag(true)),
            Some(text) => {
                let tree = parse(text, Dialect::Where)?;
                tree.known(&mut |piece| self.value(piece, Some(menu.path)))?
            }
        };
        let now = self.device.now();
        let rows = views::rows(&mut self.device.state(), menu, now);
        let mut kept = Vec::new();
        for row in rows {
            let mut row = Record::clone(&row);
            if !self.actor.may("sensitive") {
                let secrets: Vec<String> =
                    row.props().map(|(key, _)| key.to_owned()).filter(|key| radio::secret(key)).collect();
                for key in secrets {
                    row.unset(&key);
                }
            }
            if tree.holds(&|name| property(menu, &row, name))? {
                kept.push(row);
            }
        }
        Ok(kept)
    }

    fn get(&mut self, menu: &'static Menu, rest: &[Word]) -> Result<Value, Fault> {
        let (mut args, loose) = self.gather(menu, rest)?;
        let mut loose = loose.into_iter();
        let now = self.device.now();
        let rows = views::rows(&mut self.device.state(), menu, now);
        let row = if menu.shape == Shape::One {
            rows.first()
        } else {
            let who = take(&mut args, "number").or_else(|| loose.next().map(|value| value.argument()));
            views::find(&rows, &who.unwrap_or_default())
        };
        let row = row.ok_or("no such item")?;
        let Some(name) = take(&mut args, "value-name").or_else(|| loose.next().map(|value| value.shown()))
        else {
            return Ok(Value::text(lines(&[Record::clone(row)])));
        };
        if radio::secret(&name) && !self.actor.may("sensitive") {
            return Ok(Value::Nothing);
        }
        Ok(property(menu, row, &name))
    }

    fn write(&mut self, menu: &'static Menu, verb: &str, rest: &[Word]) -> Result<Value, Fault> {
        if !self.actor.may("write") || menu.need.is_some_and(|policy| !self.actor.may(policy)) {
            return Err(denied());
        }
        let (mut args, loose) = self.gather(menu, rest)?;
        let mut loose = loose.into_iter();
        let now = self.device.now();
        let mut state = self.device.state();
        if menu.shape == Shape::List && verb != "add" {
            let who = match take(&mut args, "numbers") {
                Some(who) => {
                    Value::List(who.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect())
                }
                None => loose.next().ok_or("missing value(s) of argument(s) numbers")?,
            };
            if who == Value::List(Vec::new()) {
                // `remove [find …]` that finds nothing is no fault.
                return Ok(Value::Nothing);
            }
            if who.items().iter().any(|part| part.is_empty() || is_place(&mut state, menu, part))
                || who == Value::Nothing
            {
                return Err("no such item".to_owned());
            }
            args.push(("numbers".to_owned(), who.argument()));
        }
        for value in loose {
            let key = match verb {
                "unset" => "value-name",
                "move" => "destination",
                _ => "comment",
            };
            args.push((key.to_owned(), value.argument()));
        }
        // Looked at under the same lock, so that a job which was taken away changes nothing more.
        if self.job.is_some_and(|job| !state.jobs.contains_key(&job)) {
            return Err("interrupted".to_owned());
        }
        if menu.path == "/system/script/job" && verb == "remove" {
            let who = args.pop().map(|(_, who)| who).unwrap_or_default();
            return jobs::end(&mut state, &who)
                .map(|()| Value::Nothing)
                .map_err(|refusal| refusal.text().to_owned());
        }
        let answer = state.change(&self.actor, now, |state| generic(state, menu, verb, args, now));
        drop(state);
        if menu.path == "/system/scheduler" {
            super::watch_schedule(&self.device);
        }
        match answer.map_err(|refusal| refusal.text().to_owned())? {
            Answer::Ret(id) => Ok(Value::Text(id)),
            _ => Ok(Value::Nothing),
        }
    }
}

fn denied() -> Fault {
    Refusal::denied().text().to_owned()
}

/// A bare number means a row of the last `print`, and a script has printed none.
fn is_place(state: &mut State, menu: &'static Menu, text: &str) -> bool {
    parse_id(text).is_none() && text.parse::<usize>().is_ok() && state.table(menu.path).named(text).is_none()
}

/// A property as the console knows it: addresses in lists apart, and yes-or-no there even when never written.
fn property(menu: &Menu, row: &Record, name: &str) -> Value {
    if name == ".id" {
        return Value::text(row.wire_id());
    }
    let kind = menu.arg(name).map(|arg| arg.kind);
    match (row.get(name), kind) {
        (Some(""), Some(Kind::Form("ips" | "hosts" | "prefixes"))) => Value::text(""),
        (Some(text), Some(Kind::Form("ips" | "hosts" | "prefixes"))) => {
            Value::List(text.split(',').map(str::to_owned).collect())
        }
        (Some(text), _) => Value::text(text),
        (None, Some(Kind::Bool)) if !name.contains('.') => Value::flag(false),
        (None, None) if FLAGS.contains(&name) => Value::flag(false),
        (None, _) => Value::Nothing,
    }
}

/// Rows as `print terse` shows them.
fn lines(rows: &[Record]) -> String {
    let line = |(place, row): (usize, &Record)| {
        let pairs = crate::answer::visible(row).into_iter().map(|(key, value)| format!(" {key}={value}"));
        format!("{place}{}", pairs.collect::<String>())
    };
    rows.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
}
