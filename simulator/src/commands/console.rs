//! Runs console text on a box: enough of the language for undo timers and probes.
//!
//! The words with a colon are here (`check` lists them); commands of menus are in `menus`. The whole text is read
//! before its first statement runs.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::commands::check::{self, Call, GENERIC};
use crate::commands::expression::{Dialect, parse};
use crate::commands::jobs::{self, Origin};
use crate::commands::probes;
use crate::commands::script::{Fault, Part, Piece, Word, joined, statements, unreadable, words};
use crate::commands::value::Value;
use crate::router::Device;
use crate::spec::Catalogue;
use crate::state::Actor;
use crate::values::parse_time;

const DELAY_MAX: Duration = Duration::from_secs(864_000); // ten days; no test waits longer

/// A running script.
pub struct Console {
    pub(super) device: Arc<Device>,
    pub(super) actor: Actor,
    pub(super) catalogue: &'static Catalogue,
    variables: BTreeMap<String, Value>,
    /// Where commands without a path are said.
    base: String,
    /// The job this script runs as; once it is gone from the list, nothing more is done.
    pub(super) job: Option<u64>,
    /// What the script printed.
    pub output: String,
}

type Running<'r> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'r>>;

impl Console {
    /// A console of a user.
    pub fn new(device: Arc<Device>, actor: Actor) -> Self {
        let catalogue = device.state().catalogue;
        Console {
            device,
            actor,
            catalogue,
            variables: BTreeMap::new(),
            base: String::new(),
            job: None,
            output: String::new(),
        }
    }

    /// The same, as a job.
    pub fn of_job(self, job: u64) -> Self {
        Console { job: Some(job), ..self }
    }

    /// Reads the whole script, then runs statement after statement; the first refusal ends it.
    pub async fn run(&mut self, text: &str) -> Result<(), Fault> {
        let text = joined(text);
        check::script(self.catalogue, &text)?;
        self.block(&text).await
    }

    fn block<'r>(&'r mut self, text: &'r str) -> Running<'r> {
        Box::pin(async move {
            let base = self.base.clone();
            for statement in statements(text)? {
                self.still_wanted()?;
                let words = words(statement)?;
                match words.first().map(|word| &word.piece) {
                    Some(Piece::Bare(word)) if word.starts_with(':') => {
                        self.control(&word[1..], &words[1..]).await?;
                    }
                    Some(Piece::Block(block)) => self.block(block).await?,
                    _ => self.statement(statement, &words).await?,
                }
            }
            self.base = base;
            Ok(())
        })
    }

    /// A job that was taken away stops between two statements.
    fn still_wanted(&self) -> Result<(), Fault> {
        let gone = self.job.is_some_and(|job| !self.device.state().jobs.contains_key(&job));
        if gone { Err("interrupted".to_owned()) } else { Ok(()) }
    }

    async fn statement(&mut self, statement: &str, words: &[Word]) -> Result<(), Fault> {
        match check::resolve(self.catalogue, words, &self.base)? {
            Call::Enter(place) => self.base = place,
            Call::Do(menu, verb, used) if GENERIC.contains(&verb.as_str()) => {
                let told = self.perform(menu, &verb, statement, &words[used..])?;
                if verb == "print" {
                    self.print(&told.shown());
                }
            }
            Call::Do(menu, verb, used) => self.special(menu, &verb, &words[used..]).await?,
        }
        Ok(())
    }

    fn print(&mut self, text: &str) {
        self.output.push_str(text);
        self.output.push_str("\r\n");
    }

    async fn control(&mut self, word: &str, rest: &[Word]) -> Result<(), Fault> {
        let block = |key: &str| {
            rest.iter().find(|word| word.key.as_deref() == Some(key)).and_then(|word| match &word.piece {
                Piece::Block(text) => Some(text.clone()),
                _ => None,
            })
        };
        match word {
            "delay" => {
                let text = self.value_at(rest, 0)?.shown();
                let time = parse_time(&text).ok_or("invalid value for argument delay-time")?;
                self.device.clock.clone().sleep(time.min(DELAY_MAX)).await;
            }
            "if" => {
                let condition = self.value_at(rest, 0)?;
                if condition.kind() != "bool" {
                    return Err("conditional not boolean".to_owned());
                }
                if let Some(branch) = block(if condition.is_true() { "do" } else { "else" }) {
                    self.block(&branch).await?;
                }
            }
            "do" => {
                let body = match rest.first() {
                    Some(Word { key: None, piece: Piece::Block(body), .. }) => body.clone(),
                    _ => block("command").ok_or_else(unreadable)?,
                };
                let base = self.base.clone();
                if let Err(fault) = self.block(&body).await {
                    self.base = base;
                    self.still_wanted()?;
                    match block("on-error") {
                        Some(rescue) => self.block(&rescue).await?,
                        None => return Err(fault),
                    }
                }
            }
            "foreach" => {
                let name = self.value_at(rest, 0)?.shown();
                let among = rest.iter().find(|word| word.key.as_deref() == Some("in"));
                let items = self.value(&among.ok_or_else(unreadable)?.piece, None)?.items();
                let body = block("do").ok_or_else(unreadable)?;
                for item in items {
                    self.variables.insert(name.clone(), Value::Text(item));
                    self.block(&body).await?;
                }
            }
            "local" | "global" | "set" => {
                let name = self.value_at(rest, 0)?.shown();
                let value = if rest.len() > 1 { self.value_at(rest, 1)? } else { Value::Nothing };
                self.variables.insert(name, value);
            }
            "put" => {
                let text = self.value_at(rest, 0)?.shown();
                self.print(&text);
            }
            "error" => return Err(self.value_at(rest, 0)?.shown()),
            "nothing" => {}
            _ => {
                self.builtin(word, rest)?;
            }
        }
        Ok(())
    }

    fn value_at(&mut self, words: &[Word], at: usize) -> Result<Value, Fault> {
        let word = words.get(at).ok_or("missing value(s) of argument(s)")?;
        self.value(&word.piece, None)
    }

    /// What a piece is worth; `place` is where a bare `find` looks, if not where the script is.
    pub(super) fn value(&mut self, piece: &Piece, place: Option<&str>) -> Result<Value, Fault> {
        match piece {
            Piece::Bare(text) => Ok(Value::text(text.clone())),
            Piece::Block(text) => {
                let items = text.split(';').map(str::trim).filter(|item| !item.is_empty());
                Ok(Value::List(items.map(str::to_owned).collect()))
            }
            Piece::Quoted(parts) => self.fill(parts, place),
            Piece::Variable(name) => Ok(self.variables.get(name).cloned().unwrap_or(Value::Nothing)),
            Piece::Group(text) => self.group(text, place),
            Piece::Command(text) => self.inner(text, place),
        }
    }

    fn group(&mut self, text: &str, place: Option<&str>) -> Result<Value, Fault> {
        let tree = parse(text, Dialect::Brackets)?;
        tree.known(&mut |piece| self.value(piece, place))?.worth(&|_| Value::Nothing)
    }

    fn inner(&mut self, text: &str, place: Option<&str>) -> Result<Value, Fault> {
        let words = words(text)?;
        match words.first().map(|word| &word.piece) {
            Some(Piece::Bare(word)) if word.starts_with(':') => {
                let word = word[1..].to_owned();
                self.builtin(&word, &words[1..])
            }
            Some(_) => {
                let base = place.unwrap_or(&self.base).to_owned();
                match check::resolve(self.catalogue, &words, &base)? {
                    Call::Enter(_) => Err(unreadable()),
                    Call::Do(menu, verb, used) => self.perform(menu, &verb, text, &words[used..]),
                }
            }
            None => Ok(Value::Nothing),
        }
    }

    /// Puts what is filled in into a quoted text.
    fn fill(&mut self, parts: &[Part], place: Option<&str>) -> Result<Value, Fault> {
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Variable(name) => {
                    out.push_str(&self.variables.get(name).map(Value::shown).unwrap_or_default())
                }
                Part::Group(text) => out.push_str(&self.group(text, place)?.shown()),
                Part::Command(text) => out.push_str(&self.inner(text, place)?.shown()),
            }
        }
        Ok(Value::Text(out))
    }

    fn builtin(&mut self, word: &str, rest: &[Word]) -> Result<Value, Fault> {
        match word {
            "log" => {
                let level = self.value_at(rest, 0)?.shown();
                let text = self.value_at(rest, 1)?.shown();
                let topics = match level.as_str() {
                    "warning" => "script,warning",
                    "error" => "script,error",
                    "debug" => "script,debug",
                    _ => "script,info",
                };
                let now = self.device.now();
                self.device.state().log(topics, &text, now);
                Ok(Value::Nothing)
            }
            "len" => Ok(Value::text(self.value_at(rest, 0)?.length().to_string())),
            "typeof" => Ok(Value::text(self.value_at(rest, 0)?.kind())),
            "resolve" => self.resolve(rest),
            "toarray" => {
                let items = self.value_at(rest, 0)?.argument();
                Ok(Value::List(items.split(',').map(str::to_owned).collect()))
            }
            "tostr" => Ok(Value::text(self.value_at(rest, 0)?.shown())),
            "toip" | "tonum" => self.value_at(rest, 0),
            "execute" => {
                let script = match rest.first().map(|word| &word.piece) {
                    Some(Piece::Block(text)) => text.clone(),
                    _ => self.value_at(rest, 0)?.shown(),
                };
                let origin = Origin { parent: self.job, ..Origin::default() };
                let id = jobs::start(&self.device, script, &self.actor, origin);
                Ok(Value::text(format!("*{id:X}")))
            }
            word => Err(format!("failure: {word} gives nothing to be used in brackets")),
        }
    }

    /// Asks a name server; only one that answers pings answers questions.
    fn resolve(&mut self, rest: &[Word]) -> Result<Value, Fault> {
        let named = |key: &'static str| move |word: &&Word| word.key.as_deref() == Some(key);
        let name =
            rest.iter().find(named("domain-name")).or_else(|| rest.iter().find(|word| word.key.is_none()));
        let name = name.ok_or("missing value(s) of argument(s) domain-name")?.piece.clone();
        let name = self.value(&name, None)?.shown();
        let mut server = String::new();
        if let Some(word) = rest.iter().find(named("server")) {
            let piece = word.piece.clone();
            server = self.value(&piece, None)?.argument();
            if server.parse::<std::net::IpAddr>().is_err() {
                return Err("invalid value for argument server".to_owned());
            }
        }
        let mut state = self.device.state();
        if server.is_empty() {
            let dns = state.table("/ip/dns").rows.first().cloned().unwrap_or_default();
            let servers = dns.text("servers").to_owned();
            let alive = servers.split(',').find(|server| probes::answers(&mut state, server));
            server = alive.unwrap_or("").to_owned();
        }
        if server.is_empty() || !probes::answers(&mut state, &server) {
            return Err("failure: dns server failure".to_owned());
        }
        if name.ends_with(".invalid") {
            return Err("failure: dns name does not exist".to_owned());
        }
        let cached = state.table("/ip/dns/cache").named(&name).map(|row| row.text("data").to_owned());
        Ok(Value::text(cached.unwrap_or_else(|| "93.184.215.14".to_owned())))
    }
}
