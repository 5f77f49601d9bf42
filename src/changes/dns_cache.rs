//! Empties the cache of a router's resolver.

use events::operation::{Action, Expectation, Operation, Property, Which};

use crate::{
    changes::wanted,
    routeros::{
        compat::Endpoint,
        port::Row,
        value::{boolean, duration},
    },
};

const MENU: &str = "/ip/dns/cache";

/// The command that this change sends.
pub const ENDPOINT: Endpoint = Endpoint::act("/ip/dns/cache/flush", &[]);

/// What goes when the cache is emptied: all but what the router's own static names put there.
#[must_use]
pub fn flushed(rows: &[Row]) -> Vec<&Row> {
    let fixed =
        |row: &Row| row.get("static").is_some_and(|text| text.is_empty() || boolean(text) == Some(true));
    rows.iter().filter(|row| !fixed(row)).collect()
}

/// Empties it, or nothing when it is empty. There is no undo: names are asked for again. Told by the entry that would
/// stay longest.
#[must_use]
pub fn flush(rows: &[Row]) -> Option<Operation> {
    let ttl = |row: &Row| row.get("ttl").and_then(|text| duration(text)).unwrap_or_default();
    let last = flushed(rows).into_iter().max_by_key(|row| ttl(row))?;
    // By what it says: the router may give its id to the next name.
    let told = |names: &[&str]| -> Vec<Property> {
        names.iter().filter_map(|name| Some(((*name).to_owned(), last.get(*name)?.clone()))).collect()
    };
    let which = || Which::Find {
        by: wanted(&told(&["name", "type", "data"])),
        narrow: told(&["name"]),
        except: Vec::new(),
    };
    Some(Operation {
        action: Action::Command {
            menu: MENU.to_owned(),
            command: "flush".to_owned(),
            properties: Vec::new(),
        },
        undo: Vec::new(),
        expect_before: Expectation::of(MENU, which(), Vec::new()),
        expect_after: Expectation::gone(MENU, which()),
        risky: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_that_would_stay_longest_tells() {
        let row = |id: &str, ttl: &str, fixed: &str| -> Row {
            [(".id", id), ("name", id), ("ttl", ttl), ("static", fixed)]
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect()
        };
        let rows = [row("*1", "5m", "false"), row("*2", "1h", "false"), row("*3", "1d", "true")];
        let Which::Find { narrow, .. } = flush(&rows).unwrap().expect_after.which else {
            panic!("found by name")
        };
        assert_eq!(narrow, [("name".to_owned(), "*2".to_owned())]);
        assert_eq!(flushed(&rows).len(), 2);
        assert_eq!(flush(&rows[2..]), None);
    }
}
