//! What a router undoes by itself when it hears no more from us: scripts in RouterOS's own language (FACTS section 6).
//!
//! A script undoes the operations of a device part, the last one first. It may run when none, some or all of them were
//! made, when some were undone already, and twice: each step looks before it adds, sets what was there before, and goes on
//! when another step fails. The console reads a script whole before it runs any of it, so only words that a release of
//! the product knows are written here.

use std::collections::BTreeSet;

use events::{
    operation::{Action, FOUND, Operation, Place, Property, Wanted, Which},
    plan::{DeadMan, Rung},
};

use crate::routeros::{
    resources::device_mode::DeviceMode,
    value::{boolean, duration, is_off},
};

/// The menu of entries that survive a reboot.
pub const SCHEDULER: &str = "/system/scheduler";
/// The menu of scripts that run.
pub const JOBS: &str = "/system/script/job";
/// Names of entries begin so: people find ours by it.
pub const NAME_PREFIX: &str = "appliance-undo-";
/// Policies of an entry: what its script needs, no more.
pub const ENTRY_POLICY: &str = "read,write,policy";

/// The longest script that is armed, in bytes: half of what RouterOS keeps in one property by its older manuals.
pub const SCRIPT_BYTES_MAX: usize = 30_000;
/// Devices of a wave that are worked on at the same time; the others wait for them under their armed undo.
const AT_ONCE: u32 = 16;
/// What one more operation of a device may take: it is read, written and read back.
const MORE_OPERATION_S: u32 = 5;
/// The latest time that is armed, in seconds.
const SECONDS_MAX: u32 = 86_400;

/// What can be armed for a part of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadManChoice {
    /// This.
    Armable(DeadMan),
    /// Nothing.
    None {
        /// Why, in one clause made by us.
        why: String,
    },
    /// No operation is risky.
    NotNeeded,
}

/// A text as RouterOS's console reads it, in quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'$' | b'?' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out.push('"');
    out
}

/// When a router undoes by itself, in seconds after arming. Longer than its wave can take and be watched, by construction:
/// `floor` is what a wave of up to 16 devices with one operation each may take; more operations and more devices get more,
/// and the time in which the wave is watched comes on top.
#[must_use]
pub fn seconds(floor: u32, soak: u32, operations: usize, devices_in_wave: usize) -> u32 {
    let count = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
    let rounds = count(devices_in_wave).div_ceil(AT_ONCE);
    let one = (count(operations) - 1).saturating_mul(MORE_OPERATION_S).saturating_add(floor);
    one.saturating_mul(rounds).saturating_add(soak).min(SECONDS_MAX)
}

/// By what means a router undoes. An entry of the scheduler survives a reboot; device-mode can forbid it (a release
/// without that menu forbids nothing), and our user needs the policy `policy`.
#[must_use]
pub fn rung(mode: Option<&DeviceMode>, policies: Option<&str>) -> Rung {
    let allowed = mode.is_none_or(|mode| !mode.flagged && !mode.blocked.contains(&"scheduler"));
    let has = |wanted: &str| policies.is_some_and(|all| all.split(',').any(|policy| policy.trim() == wanted));
    let may = ENTRY_POLICY.split(',').all(has);
    if allowed && may { Rung::Scheduler } else { Rung::TimerJob }
}

/// A timed undo, ready to be armed. `label` makes an entry's name unique: letters, digits and `-`.
///
/// # Errors
/// Why there is none, in one clause.
pub fn armed(operations: &[Operation], rung: Rung, seconds: u32, label: &str) -> Result<DeadMan, String> {
    let body = inverse(operations)?;
    let name = format!("{NAME_PREFIX}{label}");
    let told = format!(":log warning {}", quoted(&format!("{name}: nobody disarmed it, undoing")));
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (script, arm, menu, name) = match rung {
        Rung::TimerJob => {
            let script = format!(":delay {seconds}s; {told}; {body}");
            let arm = Action::Command {
                menu: "/".to_owned(),
                command: "execute".to_owned(),
                properties: vec![text("script", &script)],
            };
            (script, arm, JOBS, None)
        }
        Rung::Scheduler => {
            // It goes first, so that it runs once whatever becomes of the rest.
            let gone =
                format!(":do {{ {SCHEDULER}/remove [{SCHEDULER}/find where name={}] }}", quoted(&name));
            let script = format!("{gone} on-error={{}}; {told}; {body}");
            let properties = vec![
                text("name", &name),
                text("interval", &format!("{seconds}s")),
                text("policy", ENTRY_POLICY),
                text("on-event", &script),
            ];
            (script, Action::Add { menu: SCHEDULER.to_owned(), properties }, SCHEDULER, Some(name))
        }
    };
    if script.len() > SCRIPT_BYTES_MAX {
        return Err(format!(
            "its undo is a script of {} bytes; at most {SCRIPT_BYTES_MAX} are armed",
            script.len()
        ));
    }
    Ok(DeadMan { rung, seconds, arm, menu: menu.to_owned(), name })
}

/// The script that undoes operations, the last one first.
///
/// # Errors
/// What cannot be expressed safely, in one clause.
pub fn inverse(operations: &[Operation]) -> Result<String, String> {
    let removed: BTreeSet<(&str, &str)> = operations
        .iter()
        .filter_map(|operation| match &operation.action {
            Action::Remove { menu, id } if id != FOUND => Some((menu.as_str(), id.as_str())),
            _ => None,
        })
        .collect();
    let named: BTreeSet<(&str, &str)> =
        operations.iter().filter_map(|operation| named(&operation.action)).collect();
    let mut steps = Vec::new();
    for operation in operations.iter().rev() {
        if operation.undo.is_empty() {
            return Err(format!("what it does to {} has no undo", operation.action.menu()));
        }
        for undo in &operation.undo {
            let step = Step { operation, undo, removed: &removed, named: &named }.script()?;
            steps.push(format!(":do {{ {step} }} on-error={{}}"));
        }
    }
    Ok(steps.join("; "))
}

/// One undo on its way into a script.
struct Step<'a> {
    operation: &'a Operation,
    undo: &'a Action,
    /// Records that the part removes: put back, they have another id.
    removed: &'a BTreeSet<(&'a str, &'a str)>,
    /// Records that the part names: they were there before it, so none of them is one that it adds.
    named: &'a BTreeSet<(&'a str, &'a str)>,
}

impl Step<'_> {
    fn script(&self) -> Result<String, String> {
        let menu = menu(self.undo.menu())?;
        match self.undo {
            Action::SetSingleton { properties, .. } => Ok(format!("{menu}/set{}", values(properties)?)),
            Action::Set { id, properties, .. } => {
                let values = values(properties)?;
                self.on(id, |record| format!("{menu}/set {record}{values}"))
            }
            Action::Remove { id, .. } => self.on(id, |record| format!("{menu}/remove {record}")),
            Action::Add { properties, .. } => self.put_back(menu, properties),
            Action::Command { command, properties, .. } => self.command(menu, command, properties),
        }
    }

    /// An action on the record with an id, or on the only one that is as the operation left it.
    fn on(&self, id: &str, act: impl Fn(&str) -> String) -> Result<String, String> {
        let menu = self.undo.menu();
        if id != FOUND {
            return Ok(act(self.stays(id)?));
        }
        match &self.operation.expect_after.which {
            Which::Id(id) => Ok(act(self.stays(id)?)),
            Which::Find { by, except, .. } => {
                let mut except = except.clone();
                if matches!(self.operation.action, Action::Add { .. }) {
                    let older = self.named.iter().filter(|(of, _)| *of == menu).map(|(_, id)| *id);
                    let others: Vec<&str> = older.filter(|id| !except.iter().any(|e| e == id)).collect();
                    except.extend(others.into_iter().map(str::to_owned));
                }
                let found = find(menu, by, &except)?;
                Ok(format!(":local f {found}; :if ([:len $f] = 1) do={{ {} }}", act("$f")))
            }
            Which::Menu => Err(format!("{menu} has no records to find")),
        }
    }

    /// Adds what was removed, unless it is there.
    fn put_back(&self, menu: &str, properties: &[Property]) -> Result<String, String> {
        let before = properties.iter().find(|(name, _)| name == "place-before");
        if let Some((_, anchor)) = before {
            self.stays(anchor)?;
        }
        let mut gone = Vec::new();
        if let Action::Remove { id, .. } = &self.operation.action
            && id != FOUND
        {
            gone.push(format!("[:len [{menu}/find where .id={}]] = 0", record_id(id)?));
        }
        if let Which::Find { by, except, .. } = &self.operation.expect_before.which {
            gone.push(format!("[:len {}] = 0", find(menu, by, except)?));
        }
        if gone.is_empty() {
            return Err(format!("a record of {menu} cannot be told from others"));
        }
        let anchor = match before {
            Some((_, anchor)) => format!(" place-before={anchor}"),
            None => String::new(),
        };
        let own: Vec<Property> =
            properties.iter().filter(|(name, _)| name != "place-before").cloned().collect();
        let add = format!("{menu}/add{}{anchor}", values(&own)?);
        Ok(format!(":if ({}) do={{ {add} }}", gone.join(" && ")))
    }

    fn command(&self, menu: &str, command: &str, properties: &[Property]) -> Result<String, String> {
        let of = |name: &str| properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let id = of("numbers").ok_or_else(|| format!("`{command}` in {menu} names no record"))?;
        match command {
            "unset" => {
                let property = word(of("value-name").unwrap_or_default())?;
                self.on(id, |record| format!("{menu}/unset {record} value-name={property}"))
            }
            "enable" | "disable" => self.on(id, |record| format!("{menu}/{command} {record}")),
            "move" => {
                // The console moves to the end what is given no destination.
                let last = self.operation.expect_before.place == Some(Place::Last);
                if last {
                    return self.on(id, |record| format!("{menu}/move numbers={record}"));
                }
                // Before a record that somebody took away is anywhere: then it stays where it is.
                let to = of("destination").ok_or_else(|| format!("a move in {menu} leads nowhere"))?;
                let to = self.stays(to)?;
                let there = format!("[:len [{menu}/find where .id={to}]] = 1");
                self.on(id, |record| {
                    format!(":if ({there}) do={{ {menu}/move numbers={record} destination={to} }}")
                })
            }
            _ => Err(format!("`{command}` in {menu} has no undo in a script")),
        }
    }

    /// An id that the record keeps, whatever the part does.
    fn stays<'i>(&self, id: &'i str) -> Result<&'i str, String> {
        let menu = self.undo.menu();
        if self.removed.contains(&(menu, id)) {
            return Err(format!("a record of {menu} that is removed has no id that lasts"));
        }
        record_id(id)
    }
}

/// The record that an action names by an id of its own.
fn named(action: &Action) -> Option<(&str, &str)> {
    let id = match action {
        Action::Set { id, .. } | Action::Remove { id, .. } => Some(id.as_str()),
        Action::Command { properties, .. } => {
            properties.iter().find(|(name, _)| name == "numbers").map(|(_, id)| id.as_str())
        }
        Action::SetSingleton { .. } | Action::Add { .. } => None,
    };
    id.filter(|id| *id != FOUND).map(|id| (action.menu(), id))
}

/// An id, as it is.
fn record_id(id: &str) -> Result<&str, String> {
    let digits = id.strip_prefix('*').unwrap_or_default();
    let is = (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if is { Ok(id) } else { Err("a record has an id that is none".to_owned()) }
}

/// A menu's path, as it is.
fn menu(path: &str) -> Result<&str, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'/' | b'-');
    let is = path.len() > 1 && path.starts_with('/') && path.bytes().all(plain);
    if is { Ok(path) } else { Err("a menu has a name that is none".to_owned()) }
}

/// A property's name, as it is.
fn word(name: &str) -> Result<&str, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(plain);
    if is { Ok(name) } else { Err("a property has a name that is none".to_owned()) }
}

/// ` name="value"` of each.
fn values(properties: &[Property]) -> Result<String, String> {
    let pair = |(name, value): &Property| Ok(format!(" {}={}", word(name)?, quoted(value)));
    properties.iter().map(pair).collect()
}

/// `[menu/find where …]` for the records that have these properties, some aside.
fn find(menu: &str, by: &[Wanted], except: &[String]) -> Result<String, String> {
    if by.iter().all(|(_, value)| value.is_none()) {
        return Err(format!("a record of {menu} cannot be told from others"));
    }
    let mut conditions = by.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
    for other in except {
        conditions.push(format!(".id!={}", record_id(other)?));
    }
    Ok(format!("[{menu}/find where {}]", conditions.join(" ")))
}

/// What a property must be. A value has a type in the console: besides the text, what is a number, an address or a time
/// is asked for as one.
fn condition((name, value): &Wanted) -> Result<String, String> {
    let name = word(name)?;
    let Some(value) = value.as_deref().filter(|value| !is_off(name, value)) else {
        return Ok(format!("!{name}"));
    };
    let text = format!("{name}={}", quoted(value));
    Ok(match literal(name, value) {
        Some(literal) => format!("({text} or {name}={literal})"),
        None => text,
    })
}

/// A value as the console takes it without quotes, where that can be no other thing.
fn literal<'v>(name: &str, value: &'v str) -> Option<&'v str> {
    let plain = |text: &str| text == "0" || !text.starts_with('0');
    let digits =
        |text: &str| (1..10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && plain(text);
    let (address, bits) = value.split_once('/').unwrap_or((value, "0"));
    let is_address = address.parse::<std::net::Ipv4Addr>().is_ok() && digits(bits);
    let ends_in_unit =
        value.ends_with(['s', 'm', 'h', 'd', 'w']) && value.starts_with(|c: char| c.is_ascii_digit());
    let units = |b: u8| b.is_ascii_digit() || b"smhdw".contains(&b);
    let is_time = ends_in_unit && value.bytes().all(units) && duration(value).is_some();
    if digits(value) || is_address || is_time {
        return Some(value);
    }
    // A name can be `yes`; then it is a text.
    (boolean(value) == Some(true) && is_off(name, "no")).then_some("yes")
}
