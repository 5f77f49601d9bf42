//! Where each value of the configuration came from, and errors that say so.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use figment::error::Kind;
use toml::{Spanned, de::DeTable};

use crate::failure::{Code, Failure};

/// A value that a flag of the command line sets.
#[derive(Debug, Clone)]
pub struct Override {
    /// Dotted name.
    pub key: &'static str,
    /// The value.
    pub value: String,
    /// The flag.
    pub flag: &'static str,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the configuration file, counted from 1.
    File(PathBuf, usize),
    /// A variable of the environment.
    Env(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "file {}:{line}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Everything that sets values, the strongest last: file, environment, flags.
pub(super) struct Origins<'a> {
    file: Option<(&'a Path, String)>,
    env: Vec<String>,
    flags: &'a [Override],
}

impl<'a> Origins<'a> {
    /// Reads the file, whose form is checked here.
    ///
    /// # Errors
    /// `invalid_config` when it is missing, unreadable, or not TOML, with the line.
    pub(super) fn read(file: Option<&'a Path>, flags: &'a [Override]) -> Result<Self, Failure> {
        let env = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let env = env.filter(|name| name.to_ascii_uppercase().starts_with("APPLIANCE__")).collect();
        let Some(path) = file else { return Ok(Self { file: None, env, flags }) };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let say = if error.kind() == std::io::ErrorKind::NotFound {
                format!("there is no configuration file {}", path.display())
            } else {
                format!("the configuration file {} cannot be read: {error}", path.display())
            };
            Failure::new(Code::InvalidConfig, say).hint("`appliance config default` prints one to start from")
        })?;
        if let Err(error) = DeTable::parse(&text) {
            let line = line_of(&text, error.span().map_or(0, |span| span.start));
            return Err(Failure::new(
                Code::InvalidConfig,
                format!("{}:{line} is not TOML: {}", path.display(), error.message()),
            )
            .details(serde_json::json!({ "file": path, "line": line })));
        }
        Ok(Self { file: Some((path, text)), env, flags })
    }

    /// The text of the file, empty without one.
    pub(super) fn text(&self) -> &str {
        self.file.as_ref().map_or("", |(_, text)| text)
    }

    /// Who sets a key, or the table that it stands in.
    pub(super) fn of(&self, key: &str) -> Origin {
        if let Some(flag) = self.flags.iter().find(|flag| flag.key == key) {
            return Origin::Flag(flag.flag);
        }
        let wanted = format!("APPLIANCE__{}", key.replace('.', "__"));
        if let Some(name) = self.env.iter().find(|name| name.eq_ignore_ascii_case(&wanted)) {
            return Origin::Env(name.clone());
        }
        let Some((path, text)) = &self.file else { return Origin::Default };
        let Ok(table) = DeTable::parse(text) else { return Origin::Default };
        match place(table.get_ref(), &key.split('.').collect::<Vec<_>>()) {
            Some(at) => Origin::File((*path).to_owned(), line_of(text, at)),
            None => Origin::Default,
        }
    }

    /// A wrong value, with the place that sets it.
    pub(super) fn wrong(&self, key: &str, why: impl fmt::Display) -> Failure {
        let origin = self.of(key);
        let mut details = serde_json::json!({ "key": key, "origin": origin.to_string() });
        if let Origin::File(path, line) = &origin {
            details["file"] = path.display().to_string().into();
            details["line"] = (*line).into();
        }
        let say = match origin {
            Origin::Default => format!("`{key}`: {why}"),
            origin => format!("`{key}`: {why} ({origin})"),
        };
        Failure::new(Code::InvalidConfig, say)
            .hint("`appliance config default` lists every key with its unit and range")
            .details(details)
    }

    /// What decoding said, in our words.
    pub(super) fn failure(&self, error: figment::Error) -> Failure {
        let Some(first) = error.into_iter().next() else {
            return Failure::new(Code::InvalidConfig, "the configuration cannot be read");
        };
        let mut key = first.path.join(".");
        let why = match &first.kind {
            Kind::UnknownField(field, known) => {
                if !key.ends_with(field.as_str()) {
                    key = if key.is_empty() { field.clone() } else { format!("{key}.{field}") };
                }
                let close = known.iter().find(|known| resembles(known, field));
                let close = close.map_or_else(
                    || format!("known are {}", known.join(", ")),
                    |close| format!("did you mean `{close}`?"),
                );
                format!("is no key of the configuration; {close}")
            }
            Kind::UnknownVariant(found, known) => format!("`{found}` is none of {}", known.join(", ")),
            Kind::InvalidType(found, wanted) => format!("needs {wanted}, found {found}"),
            Kind::InvalidValue(found, wanted) => format!("needs {wanted}, not {found}"),
            other => other.to_string(),
        };
        self.wrong(&key, why)
    }
}

/// True when a person who typed the one may have meant the other: same letters, or one letter off.
fn resembles(known: &str, typed: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    let one_off = |long: &str, short: &str| {
        long.len() == short.len() + 1
            && (0..long.len()).any(|at| {
                long.is_char_boundary(at)
                    && long.chars().enumerate().filter(|(n, _)| *n != at).map(|(_, c)| c).eq(short.chars())
            })
    };
    sorted(known) == sorted(typed) || one_off(known, typed) || one_off(typed, known)
}

/// The place of a key in a table, in bytes.
fn place(table: &DeTable<'_>, path: &[&str]) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let (key, value): (&Spanned<_>, &Spanned<toml::de::DeValue<'_>>) =
        table.iter().find(|(key, _)| key.get_ref().as_ref() == *first)?;
    if rest.is_empty() {
        return Some(key.span().start);
    }
    within(value, rest)
}

/// The place of what is left of a path, in a table or in a list of tables.
fn within(value: &Spanned<toml::de::DeValue<'_>>, rest: &[&str]) -> Option<usize> {
    use toml::de::DeValue;
    match value.get_ref() {
        DeValue::Table(inner) => place(inner, rest),
        DeValue::Array(items) => {
            let (number, rest) = rest.split_first()?;
            let item = items.get(number.parse::<usize>().ok()?)?;
            if rest.is_empty() { Some(item.span().start) } else { within(item, rest) }
        }
        _ => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_tables_of_any_form() {
        let text = "a.b = 1\n\n[store]\n# comment\ndir = \"/x\"\n[routers.authorities]\nx = \"y\"\n\
                    [[w]]\nn = 1\n[[w]]\nn = 2\nv = { p = [1] }\n";
        let table = DeTable::parse(text).unwrap();
        let line = |path: &[&str]| place(table.get_ref(), path).map(|at| line_of(text, at));
        assert_eq!(line(&["a", "b"]), Some(1));
        assert_eq!(line(&["store", "dir"]), Some(5));
        assert_eq!(line(&["routers", "authorities", "x"]), Some(7));
        assert_eq!(line(&["store", "none"]), None);
        assert_eq!(line(&["w", "1", "n"]), Some(11));
        assert_eq!(line(&["w", "1", "v", "p"]), Some(12));
        assert_eq!(line(&["w", "2", "n"]), None);
    }

    #[test]
    fn slips_of_the_hand_are_seen() {
        for (known, typed) in
            [("dir", "dri"), ("dir", "dirr"), ("level", "leve"), ("wait_hours", "wait_hour")]
        {
            assert!(resembles(known, typed), "{known} {typed}");
        }
        assert!(!resembles("dir", "listen") && !resembles("dir", "dür"));
    }
}
