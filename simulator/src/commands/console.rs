//! Runs console text on a box: enough of the language for undo timers and probes.
//!
//! `:delay`, `:if`, `:do … on-error`, `:foreach`, `:local`, `:put`, `:log`, `:error`, `:len`, `:resolve`, and
//! `find get set add remove enable disable unset move comment` of every menu.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::{Answer, Refusal};
use crate::commands::expression::{evaluate, truth};
use crate::commands::probes;
use crate::commands::script::{Fault, Piece, Word, statements, words};
use crate::rest::operate::generic;
use crate::router::Device;
use crate::spec::{Menu, Shape};
use crate::state::Actor;
use crate::table::Record;
use crate::values::parse_time;
use crate::views;
use crate::writes::Args;

/// A running script.
pub struct Console {
    device: Arc<Device>,
    actor: Actor,
    variables: BTreeMap<String, String>,
    /// The job this script runs as; once it is gone from the list, nothing more is applied.
    job: Option<u64>,
    /// What the script printed.
    pub output: String,
}

type Running<'r> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'r>>;

impl Console {
    /// A console of a user.
    pub fn new(device: Arc<Device>, actor: Actor) -> Self {
        Console { device, actor, variables: BTreeMap::new(), job: None, output: String::new() }
    }

    /// The same, as a job.
    pub fn of_job(self, job: u64) -> Self {
        Console { job: Some(job), ..self }
    }

    /// Runs statements one after the other; the first refusal ends the script.
    pub fn run<'r>(&'r mut self, text: &'r str) -> Running<'r> {
        Box::pin(async move {
            for statement in statements(text)? {
                let words = words(statement)?;
                let Some(first) = words.first() else { continue };
                match &first.piece {
                    Piece::Bare(word) if word.starts_with(':') => {
                        self.control(&word[1..], &words[1..]).await?
                    }
                    Piece::Block(block) => self.run(block).await?,
                    _ => {
                        let told = self.command(&words, None)?;
                        if !told.is_empty() {
                            self.print(&told);
                        }
                    }
                }
            }
            Ok(())
        })
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
                let text = self.value_at(rest, 0)?;
                let time = parse_time(&text).ok_or("invalid value for argument delay-time")?;
                self.device.clock.clone().sleep(time.min(Duration::from_secs(864_000))).await;
            }
            "if" => {
                let condition = self.value_at(rest, 0)?;
                let branch = block(if truth(&condition) { "do" } else { "else" });
                if let Some(branch) = branch {
                    self.run(&branch).await?;
                }
            }
            "do" => {
                let body = match rest.first().map(|word| &word.piece) {
                    Some(Piece::Block(body)) => body.clone(),
                    _ => block("command").unwrap_or_default(),
                };
                if let Err(fault) = self.run(&body).await {
                    match block("on-error") {
                        Some(rescue) => self.run(&rescue).await?,
                        None => return Err(fault),
                    }
                }
            }
            "foreach" => {
                let name = self.value_at(rest, 0)?;
                let among =
                    rest.iter().find(|word| word.key.as_deref() == Some("in")).ok_or("syntax error")?;
                let items = self.value(&among.piece, None)?;
                let body = block("do").unwrap_or_default();
                for item in items.split([';', ',']).filter(|item| !item.is_empty()) {
                    self.variables.insert(name.clone(), item.to_owned());
                    self.run(&body).await?;
                }
            }
            "local" | "global" | "set" => {
                let name = self.value_at(rest, 0)?;
                let value = if rest.len() > 1 { self.value_at(rest, 1)? } else { String::new() };
                self.variables.insert(name, value);
            }
            "put" => {
                let text = self.value_at(rest, 0)?;
                self.print(&text);
            }
            "error" => return Err(self.value_at(rest, 0)?),
            _ => {
                self.builtin(word, rest)?;
            }
        }
        Ok(())
    }

    fn value_at(&mut self, words: &[Word], at: usize) -> Result<String, Fault> {
        let word = words.get(at).ok_or("missing value(s) of argument(s)")?;
        self.value(&word.piece, None)
    }

    /// The text of a piece; `menu` is where a bare `find` looks.
    fn value(&mut self, piece: &Piece, menu: Option<&'static Menu>) -> Result<String, Fault> {
        match piece {
            Piece::Bare(text) | Piece::Block(text) => Ok(text.clone()),
            Piece::Quoted(text) => Ok(self.fill(text)),
            Piece::Variable(name) => Ok(self.variables.get(name).cloned().unwrap_or_default()),
            Piece::Group(text) => evaluate(text, &mut |piece| self.value(piece, menu)),
            Piece::Command(text) => {
                let words = words(text)?;
                match words.first().map(|word| &word.piece) {
                    Some(Piece::Bare(word)) if word.starts_with(':') => {
                        let word = word[1..].to_owned();
                        self.builtin(&word, &words[1..])
                    }
                    Some(_) => self.command(&words, menu),
                    None => Ok(String::new()),
                }
            }
        }
    }

    /// Puts variables into a quoted text.
    fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            out.push_str(before);
            out.push_str(self.variables.get(&after[..end]).map_or("", String::as_str));
            rest = &after[end..];
        }
        out.push_str(rest);
        out.replace('\u{1}', "$")
    }

    fn builtin(&mut self, word: &str, rest: &[Word]) -> Result<String, Fault> {
        match word {
            "log" => {
                let level = self.value_at(rest, 0)?;
                let text = self.value_at(rest, 1)?;
                let topics = match level.as_str() {
                    "warning" => "script,warning",
                    "error" => "script,error",
                    _ => "script,info",
                };
                let now = self.device.now();
                self.device.state().log(topics, &text, now);
                Ok(String::new())
            }
            "len" => {
                let list = matches!(rest.first().map(|word| &word.piece), Some(Piece::Command(_)));
                let text = self.value_at(rest, 0)?;
                Ok(if text.is_empty() {
                    0
                } else if list {
                    text.split([';', ',']).count()
                } else {
                    text.chars().count()
                }
                .to_string())
            }
            "resolve" => self.resolve(rest),
            "toip" | "tostr" | "tonum" | "put" => self.value_at(rest, 0),
            word => Err(format!("bad command name {word} (line 1 column 2)")),
        }
    }

    /// Asks a name server; only one that answers pings answers questions.
    fn resolve(&mut self, rest: &[Word]) -> Result<String, Fault> {
        let name = self.value_at(rest, 0)?;
        let mut server = String::new();
        for word in rest.iter().filter(|word| word.key.as_deref() == Some("server")) {
            server = self.value(&word.piece, None)?;
        }
        let mut state = self.device.state();
        if server.is_empty() {
            let dns = state.table("/ip/dns").rows.first().cloned().unwrap_or_default();
            let servers = dns.text("servers").to_owned();
            server = servers
                .split(',')
                .find(|server| probes::answers(&mut state, server))
                .unwrap_or("")
                .to_owned();
        }
        if server.is_empty() || !probes::answers(&mut state, &server) {
            return Err("failure: dns server failure".to_owned());
        }
        if name.ends_with(".invalid") {
            return Err("failure: dns name does not exist".to_owned());
        }
        let cached = state.table("/ip/dns/cache").named(&name).map(|row| row.text("data").to_owned());
        Ok(cached.unwrap_or_else(|| "93.184.215.14".to_owned()))
    }

    /// `/menu command args`, or `command args` inside a known menu.
    fn command(&mut self, words: &[Word], inside: Option<&'static Menu>) -> Result<String, Fault> {
        let catalogue = self.device.state().catalogue;
        let mut path = String::new();
        let mut menu = inside;
        let mut verb = None;
        let mut used = 0;
        'words: for word in words {
            let (None, Piece::Bare(text)) = (&word.key, &word.piece) else { break };
            if text.starts_with('/') {
                path.clear();
                menu = None;
            }
            used += 1;
            for segment in text.split('/').filter(|segment| !segment.is_empty()) {
                let longer = format!("{path}/{segment}");
                let below = format!("{longer}/");
                if catalogue.menu(&longer).is_some()
                    || catalogue.menus().any(|menu| menu.path.starts_with(&below))
                {
                    path = longer;
                    menu = catalogue.menu(&path);
                } else {
                    verb = Some(segment.to_owned());
                    break 'words;
                }
            }
        }
        let verb = verb.unwrap_or_else(|| "print".to_owned());
        let menu = menu.or_else(|| catalogue.menu(if path.is_empty() { "/" } else { &path }));
        let bad = || format!("bad command name {verb} (line 1 column 1)");
        let menu = menu.ok_or_else(bad)?;
        if verb != "find" && menu.command(&verb).is_none() {
            return Err(bad());
        }
        self.verb(menu, &verb, &words[used..])
    }

    fn verb(&mut self, menu: &'static Menu, verb: &str, rest: &[Word]) -> Result<String, Fault> {
        let mut args: Args = Vec::new();
        let mut loose: Vec<String> = Vec::new();
        for word in rest {
            let value = self.value(&word.piece, Some(menu))?;
            match &word.key {
                Some(key) => args.push((key.clone(), value)),
                None => loose.push(value),
            }
        }
        match verb {
            "find" => Ok(self.find(menu, &args, &loose)),
            "get" => self.get(menu, &args, &loose),
            "print" => {
                let now = self.device.now();
                Ok(views::rows(&mut self.device.state(), menu, now).len().to_string())
            }
            _ => self.write(menu, verb, args, loose),
        }
    }

    fn find(&mut self, menu: &'static Menu, args: &Args, loose: &[String]) -> String {
        let now = self.device.now();
        let rows = views::rows(&mut self.device.state(), menu, now);
        let fits = |row: &Record| {
            let pairs = args.iter().all(|(key, value)| match key.strip_suffix('~') {
                Some(key) => row.text(key).contains(value.trim_matches(['^', '$'])),
                None => same(row.text(key), value) || (key == ".id" && row.wire_id() == *value),
            });
            let flags =
                loose.iter().filter(|word| !matches!(word.as_str(), "where" | "and" | "&&")).all(|word| {
                    match word.strip_prefix('!') {
                        Some(flag) => !row.is(flag),
                        None => row.is(word),
                    }
                });
            pairs && flags
        };
        rows.iter().filter(|row| fits(row)).map(|row| row.wire_id()).collect::<Vec<_>>().join(",")
    }

    fn get(&mut self, menu: &'static Menu, args: &Args, loose: &[String]) -> Result<String, Fault> {
        let now = self.device.now();
        let rows = views::rows(&mut self.device.state(), menu, now);
        let named = args.iter().find(|(key, _)| key == "value-name").map(|(_, name)| name.clone());
        let (row, name) = if menu.shape == Shape::One {
            (rows.first(), named.or_else(|| loose.first().cloned()))
        } else {
            let who = args.iter().find(|(key, _)| key == "number").map(|(_, who)| who.clone());
            let who = who.or_else(|| loose.first().cloned()).unwrap_or_default();
            (views::find(&rows, &who), named.or_else(|| loose.get(1).cloned()))
        };
        let row = row.ok_or("no such item")?;
        Ok(row.text(&name.unwrap_or_default()).to_owned())
    }

    fn write(
        &mut self,
        menu: &'static Menu,
        verb: &str,
        mut args: Args,
        loose: Vec<String>,
    ) -> Result<String, Fault> {
        if !self.actor.may("write") || menu.need.is_some_and(|policy| !self.actor.may(policy)) {
            return Err(Refusal::denied().text().to_owned());
        }
        let mut loose = loose.into_iter();
        if menu.shape == Shape::List && verb != "add" && !args.iter().any(|(key, _)| key == "numbers") {
            let who = loose.next().unwrap_or_default().replace(';', ",");
            if who.is_empty() {
                // `remove [find …]` that finds nothing is no fault.
                return Ok(String::new());
            }
            args.push(("numbers".to_owned(), who));
        }
        for word in loose {
            let key = match verb {
                "unset" => "value-name",
                "move" => "destination",
                _ => return Err(format!("expected end of command ({word})")),
            };
            args.push((key.to_owned(), word));
        }
        let now = self.device.now();
        let mut state = self.device.state();
        if self.job.is_some_and(|job| !state.jobs.contains_key(&job)) {
            return Err("interrupted".to_owned());
        }
        if menu.path == "/system/script/job" && verb == "remove" {
            let who = args.pop().map(|(_, who)| who).unwrap_or_default();
            return super::jobs::end(&mut state, &who)
                .map(|()| String::new())
                .map_err(|r| r.text().to_owned());
        }
        if menu.path == "/ip/dns/cache" && verb == "flush" {
            state.table_mut("/ip/dns/cache").rows.retain(|row| row.is("static"));
            return Ok(String::new());
        }
        let answer = state.change(&self.actor, now, |state| generic(state, menu, verb, args, now));
        match answer.map_err(|refusal| refusal.text().to_owned())? {
            Answer::Ret(id) => Ok(id),
            _ => Ok(String::new()),
        }
    }
}

fn same(mine: &str, asked: &str) -> bool {
    mine == asked || matches!((mine, asked), ("true", "yes") | ("false", "no"))
}
