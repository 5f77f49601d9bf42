//! Reads a whole script before any of it runs, as the console does: what cannot be read is not begun.
//!
//! Looks at words and names only — menus, commands, arguments of this release. Values are looked at when their
//! statement runs.

use crate::commands::expression::{Dialect, parse};
use crate::commands::script::{Fault, Part, Piece, Word, statements, unreadable, words};
use crate::spec::{Catalogue, Menu, Shape};

/// What a statement that begins with no colon means.
#[derive(Debug)]
pub enum Call {
    /// A menu alone: what follows is said there.
    Enter(String),
    /// A command of a menu, and how many words it took to say so.
    Do(&'static Menu, String, usize),
}

/// Words with a colon that can stand alone or in brackets, and the keys they take.
const CONTROLS: [(&str, &[&str]); 19] = [
    ("delay", &["delay-time"]),
    ("do", &["command", "on-error"]),
    ("error", &["message"]),
    ("execute", &["script"]),
    ("foreach", &["counter", "in", "do"]),
    ("global", &[]),
    ("if", &["condition", "do", "else"]),
    ("len", &["value"]),
    ("local", &[]),
    ("log", &["message"]),
    ("nothing", &[]),
    ("put", &["message"]),
    ("resolve", &["domain-name", "server", "server-port", "type"]),
    ("set", &[]),
    ("toarray", &["value"]),
    ("toip", &["value"]),
    ("tonum", &["value"]),
    ("tostr", &["value"]),
    ("typeof", &["value"]),
];

/// Commands that work the same in every menu and take effect at once.
pub const GENERIC: [&str; 11] =
    ["find", "get", "print", "add", "set", "remove", "enable", "disable", "comment", "move", "unset"];

fn bad(word: &str) -> Fault {
    format!("bad command name {word} (line 1 column 1)")
}

fn too_much() -> Fault {
    "expected end of command (line 1 column 1)".to_owned()
}

/// Reads a script.
pub fn script(catalogue: &'static Catalogue, text: &str) -> Result<(), Fault> {
    block(catalogue, text, "")
}

fn block(catalogue: &'static Catalogue, text: &str, base: &str) -> Result<(), Fault> {
    let mut base = base.to_owned();
    for statement in statements(text)? {
        let words = words(statement)?;
        match words.first().map(|word| &word.piece) {
            Some(Piece::Bare(word)) if word.starts_with(':') => control(catalogue, &words, &base)?,
            Some(Piece::Block(inner)) => block(catalogue, inner, &base)?,
            _ => {
                if let Some(place) = command(catalogue, statement, &words, &base)? {
                    base = place;
                }
            }
        }
    }
    Ok(())
}

fn control(catalogue: &'static Catalogue, words: &[Word], base: &str) -> Result<(), Fault> {
    let Some(Piece::Bare(first)) = words.first().map(|word| &word.piece) else { return Err(unreadable()) };
    let name = first.trim_start_matches(':');
    let (_, keys) = CONTROLS.iter().find(|(known, _)| *known == name).ok_or_else(|| bad(name))?;
    for word in &words[1..] {
        let key = word.key.as_deref();
        if key.is_some_and(|key| !keys.contains(&key)) {
            return Err(too_much());
        }
        match &word.piece {
            // `in={…}` is a list of values, every other one a script.
            Piece::Block(inner) if key != Some("in") => block(catalogue, inner, base)?,
            other => piece(catalogue, other, base)?,
        }
    }
    Ok(())
}

/// A command of a menu; the new place, if the statement only goes there.
fn command(
    catalogue: &'static Catalogue,
    statement: &str,
    words: &[Word],
    base: &str,
) -> Result<Option<String>, Fault> {
    let (menu, verb, used) = match resolve(catalogue, words, base)? {
        Call::Enter(place) if used_up(words) => return Ok(Some(place)),
        Call::Enter(_) => return Err(unreadable()),
        Call::Do(menu, verb, used) => (menu, verb, used),
    };
    let rest = &words[used..];
    if let Some(condition) = condition(statement, &verb, rest) {
        for operand in parse(condition, Dialect::Where)?.pieces() {
            piece(catalogue, operand, menu.path)?;
        }
    }
    let rest = before_condition(&verb, rest);
    arguments(menu, &verb, rest)?;
    for word in rest {
        piece(catalogue, &word.piece, menu.path)?;
    }
    Ok(None)
}

fn used_up(words: &[Word]) -> bool {
    words.iter().all(|word| word.key.is_none() && matches!(word.piece, Piece::Bare(_)))
}

fn piece(catalogue: &'static Catalogue, piece_: &Piece, base: &str) -> Result<(), Fault> {
    match piece_ {
        Piece::Group(text) => group(catalogue, text, base),
        Piece::Command(text) => inner(catalogue, text, base),
        Piece::Quoted(parts) => parts.iter().try_for_each(|part| match part {
            Part::Group(text) => group(catalogue, text, base),
            Part::Command(text) => inner(catalogue, text, base),
            Part::Text(_) | Part::Variable(_) => Ok(()),
        }),
        // A bare value that swallowed a sign of the language was not meant as one.
        Piece::Bare(text) if text.contains(['"', '[', ']', '(', ')', '{', '}', '$']) => Err(unreadable()),
        Piece::Bare(_) | Piece::Variable(_) | Piece::Block(_) => Ok(()),
    }
}

fn group(catalogue: &'static Catalogue, text: &str, base: &str) -> Result<(), Fault> {
    let tree = parse(text, Dialect::Brackets)?;
    tree.pieces().into_iter().try_for_each(|operand| piece(catalogue, operand, base))
}

/// `[…]`: one command.
fn inner(catalogue: &'static Catalogue, text: &str, base: &str) -> Result<(), Fault> {
    let words = words(text)?;
    match words.first().map(|word| &word.piece) {
        Some(Piece::Bare(word)) if word.starts_with(':') => control(catalogue, &words, base),
        _ => match command(catalogue, text, &words, base)? {
            None => Ok(()),
            Some(_) => Err(unreadable()),
        },
    }
}

/// Finds the menu and the command that words name, seen from a place.
pub fn resolve(catalogue: &'static Catalogue, words: &[Word], base: &str) -> Result<Call, Fault> {
    let is_place = |path: &str| {
        let below = format!("{path}/");
        catalogue.menu(path).is_some() || catalogue.menus().any(|menu| menu.path.starts_with(&below))
    };
    let mut path = if base == "/" { String::new() } else { base.to_owned() };
    let mut used = 0;
    for word in words {
        let (None, Piece::Bare(text)) = (&word.key, &word.piece) else { break };
        if text.starts_with('/') {
            path.clear();
        }
        used += 1;
        let mut segments = text.split('/').filter(|segment| !segment.is_empty());
        while let Some(segment) = segments.next() {
            let longer = format!("{path}/{segment}");
            if is_place(&longer) {
                path = longer;
                continue;
            }
            let menu = catalogue.menu(if path.is_empty() { "/" } else { &path });
            let known = |menu: &&Menu| {
                menu.command(segment).is_some() || (segment == "find" && menu.shape == Shape::List)
            };
            return match menu.filter(known) {
                Some(menu) if segments.next().is_none() => Ok(Call::Do(menu, segment.to_owned(), used)),
                _ => Err(bad(segment)),
            };
        }
    }
    if used == 0 { Err(unreadable()) } else { Ok(Call::Enter(path)) }
}

/// The condition of a `find` or a `print where`, as written.
pub fn condition<'s>(statement: &'s str, verb: &str, rest: &[Word]) -> Option<&'s str> {
    let at = match verb {
        "find" => rest.iter().find(|word| !is_where(word)),
        "print" => rest.iter().skip_while(|word| !is_where(word)).nth(1),
        _ => None,
    };
    at.map(|word| &statement[word.at..])
}

/// The words that are no condition.
pub fn before_condition<'w>(verb: &str, rest: &'w [Word]) -> &'w [Word] {
    match verb {
        "find" => &[],
        "print" => &rest[..rest.iter().position(is_where).unwrap_or(rest.len())],
        _ => rest,
    }
}

fn is_where(word: &Word) -> bool {
    word.key.is_none() && word.piece == Piece::Bare("where".to_owned())
}

/// Whether a command takes these arguments.
fn arguments(menu: &Menu, verb: &str, rest: &[Word]) -> Result<(), Fault> {
    const PRINT: [&str; 8] =
        ["as-value", "brief", "count-only", "detail", "proplist", "terse", "value-list", "without-paging"];
    let list = menu.shape == Shape::List;
    let of = |args: &[crate::spec::Arg], key: &str| args.iter().any(|arg| arg.name == key);
    let takes = |key: &str| match verb {
        "add" => of(&menu.add, key),
        "set" => of(&menu.set, key) || (list && key == "numbers"),
        "get" => key == "value-name" || (list && key == "number"),
        "print" => PRINT.contains(&key),
        "unset" => matches!(key, "numbers" | "value-name"),
        "move" => matches!(key, "numbers" | "destination"),
        "comment" => matches!(key, "numbers" | "comment"),
        "remove" | "enable" | "disable" => key == "numbers",
        _ => menu.command(verb).is_some_and(|args| args.contains(&key)),
    };
    let named = rest.iter().filter_map(|word| word.key.as_deref());
    let loose = rest.iter().filter(|word| word.key.is_none());
    let loose_most = match verb {
        "add" => 0,
        "set" => usize::from(list),
        "get" => 1 + usize::from(list),
        "unset" | "move" | "comment" => 2,
        "print" => PRINT.len(),
        "remove" | "enable" | "disable" => 1,
        _ => menu.command(verb).map_or(0, <[_]>::len),
    };
    let printed = |word: &Word| {
        verb != "print" || matches!(&word.piece, Piece::Bare(text) if PRINT.contains(&text.as_str()))
    };
    if named.clone().any(|key| !takes(key))
        || loose.clone().count() > loose_most
        || !loose.clone().all(printed)
    {
        return Err(too_much());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn told(text: &str) -> String {
        script(Catalogue::of(Profile::Ccr7_24), text).err().unwrap_or_default()
    }

    #[test]
    fn what_can_be_read() {
        for text in [
            "/ip dns\nset servers=1.1.1.1\n/ip address\nadd address=10.0.0.1/24 interface=guest",
            "/ip/dns/set servers=\"\"; /ip/dns set servers=1.1.1.1",
            "ip address print count-only where address~\"10.\"",
            ":if ([:len [/ip/address find where address=\"10.0.0.1/24\" !comment]] = 0) do={ :nothing } else={ :put x }",
            ":foreach i in=[/ip/firewall/filter/find where chain=\"input\"] do={ :if ($i != *5) do={ /ip/firewall/filter/remove $i } }",
            ":do { /ip/route/unset *80000001 value-name=gateway } on-error={ :log error \"x\" }",
            "/ip/firewall/filter; move *3 *5",
            "/system/reboot; /log info \"x\"; /tool/ping 1.1.1.1 count=2",
            "",
        ] {
            assert_eq!(told(text), "", "{text}");
        }
    }

    #[test]
    fn what_is_refused_before_it_begins() {
        for (text, fault) in [
            ("/ip/dns/frobnicate", "bad command name frobnicate"),
            ("/ip/dns/find", "bad command name find"),
            // Without a place of its own a command is looked for where the script is: nowhere.
            ("/ip/firewall/filter/move *3 *5; move *3 *5", "bad command name move"),
            (":local a [find]", "bad command name find"),
            ("/interface/wireless/print", "bad command name wireless"),
            ("/ip/address/unset *1 comment", "bad command name unset"),
            (":while (true) do={}", "bad command name while"),
            (":do {} while=(true)", "expected end of command"),
            ("/ip/dns/set server=1.1.1.1", "expected end of command"),
            ("/ip/address/add *5", "expected end of command"),
            ("/ip/address/remove *5 *6", "expected end of command"),
            (":delay 5s; /ip/dns/set server=1.1.1.1", "expected end of command"),
            (":if (true) do={ /ip/dns/set server=1.1.1.1 }", "expected end of command"),
            (":if ([:len [/ip/adress find]] = 0) do={}", "bad command name adress"),
            (":put \"$[/ip/adress/find]\"", "bad command name adress"),
            ("/ip/address/remove [find where address=]", "syntax error"),
            ("/ip/address/remove [find where a==b]", "syntax error"),
            ("/ip/address/remove [find", "expected closing brace"),
            ("/ip/address/remove find]", "syntax error"),
            ("/ip/address/set *1 comment=a\"b\"", "syntax error"),
            ("/ip/address/set *1 comment=\"\\q\"", "syntax error"),
            ("\"text\"", "syntax error"),
            ("[/ip/address]", "syntax error"),
        ] {
            assert!(told(text).starts_with(fault), "{text}: {}", told(text));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_script_panics(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "/ip/address", "find", "where", "set", "add", "print", ":if", ":do", ":foreach", ":put", "do={", "on-error={",
                    "[", "]", "(", ")", "{", "}", "\"", "\\", "$", "$a", "=", "!", "~", "&&", "or", ";", "\n", " ", "a=", "*5", "é",
                    "comment", ".id", "in=", "#", ",",
                ]),
                0..40,
            ),
            gap in "[ ]?",
        ) {
            let text = crate::commands::script::joined(&words.join(&gap));
            drop(told(&text));
        }
    }
}
