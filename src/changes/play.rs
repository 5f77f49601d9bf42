//! What a menu looks like after an action: RouterOS's own rules for adding, setting, moving and removing a record.

use events::operation::{Action, Property};

use crate::{changes::record::id_of, routeros::port::Row};

/// The records after an action; one that is added gets `new_id`.
#[must_use]
pub fn play(rows: &[Row], action: &Action, new_id: &str) -> Vec<Row> {
    let mut rows = rows.to_vec();
    let at = |rows: &[Row], id: &str| rows.iter().position(|row| id_of(row) == id);
    match action {
        Action::Add { properties, .. } => {
            let mut row = Row::from([(".id".to_owned(), new_id.to_owned())]);
            write(&mut row, properties.iter().filter(|(name, _)| name != "place-before"));
            let before = properties.iter().find(|(name, _)| name == "place-before");
            let place = before.and_then(|(_, id)| at(&rows, id)).unwrap_or(rows.len());
            rows.insert(place, row);
        }
        Action::Set { id, properties, .. } => {
            if let Some(n) = at(&rows, id) {
                write(&mut rows[n], properties);
            }
        }
        Action::SetSingleton { properties, .. } => {
            if let Some(row) = rows.first_mut() {
                write(row, properties);
            }
        }
        Action::Remove { id, .. } => rows.retain(|row| id_of(row) != id),
        Action::Command { command, properties, .. } => {
            let of = |name: &str| properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
            let Some(n) = of("numbers").and_then(|id| at(&rows, id)) else { return rows };
            match command.as_str() {
                "unset" => {
                    rows[n].remove(of("value-name").unwrap_or_default());
                }
                "move" => {
                    let row = rows.remove(n);
                    let place = of("destination").and_then(|id| at(&rows, id)).unwrap_or(rows.len());
                    rows.insert(place, row);
                }
                _ => {}
            }
        }
    }
    rows
}

/// RouterOS leaves out what is empty.
fn write<'a>(row: &mut Row, properties: impl IntoIterator<Item = &'a Property>) {
    for (name, value) in properties {
        if value.is_empty() {
            row.remove(name);
        } else {
            row.insert(name.clone(), value.clone());
        }
    }
}

/// What every change kind must keep: there and back is where it began, at every step.
#[cfg(test)]
pub(in crate::changes) mod laws {
    use std::collections::BTreeMap;

    use events::operation::{Expectation, FOUND, Operation, Which};

    use super::*;
    use crate::{
        changes::{
            invert::first_misfit,
            record::{Menu, is_dynamic, place_of},
        },
        domain::invert::reversed,
        routeros::value::is_off,
    };

    /// Plays operations and their undo, last first, and holds each expectation against the records on the way.
    ///
    /// # Panics
    /// When an expectation does not fit, or the records are not as they were.
    pub fn there_and_back(menu: &Menu, rows: &[Row], operations: &[Operation]) {
        let mut states = vec![rows.to_vec()];
        for (n, operation) in operations.iter().enumerate() {
            assert_eq!(operation.undo.len(), 1, "exactly one undo");
            let now = states.last().unwrap();
            assert_fits(now, &operation.expect_before, "before", operation);
            let meant = found(now, &operation.expect_before).map_or("", id_of);
            let next = play(now, &operation.action.on_found(meant), &format!("*A00{n}"));
            assert_fits(&next, &operation.expect_after, "after", operation);
            states.push(next);
        }
        let mut now = states.last().unwrap().clone();
        for (n, operation) in operations.iter().enumerate().rev() {
            assert_fits(&now, &operation.expect_after, "before the undo", operation);
            let found =
                found(&now, &operation.expect_after).map_or(String::new(), |row| id_of(row).to_owned());
            now = play(&now, &operation.undo[0].on_found(&found), &format!("*B00{n}"));
            assert_fits(&now, &operation.expect_before, "after the undo", operation);
        }
        assert_eq!(plain(menu, &now), plain(menu, rows), "not as it was\n{operations:#?}");
        // The same by operations of their own, and the way there once more by what reverses those.
        let there = states.last().unwrap();
        let made: Vec<_> =
            operations.iter().cloned().enumerate().map(|(n, o)| (o, format!("*A00{n}"))).collect();
        let (now, made) = reversed_all(there, &made, "C");
        assert_eq!(plain(menu, &now), plain(menu, rows), "not as it was\n{made:#?}");
        let (now, made) = reversed_all(&now, &made, "D");
        assert_eq!(plain(menu, &now), plain(menu, there), "not there again\n{made:#?}");
    }

    /// Plays what reverses operations, each of which is held against the records on the way; answers with the records, and
    /// with what was played, each with the id that it would add under.
    ///
    /// # Panics
    /// When the records do not fit what reverses the operations.
    pub fn reversed_all(
        rows: &[Row],
        made: &[(Operation, String)],
        ids: &str,
    ) -> (Vec<Row>, Vec<(Operation, String)>) {
        let back = reversed(made.iter().map(|(o, added)| (o, Some(added.as_str())))).unwrap();
        if back.is_empty() {
            return (rows.to_vec(), Vec::new());
        }
        let read = BTreeMap::from([(back[0].expect_before.menu.clone(), rows.to_vec())]);
        assert_eq!(first_misfit(&back, &read), None, "{rows:#?}");
        let mut now = rows.to_vec();
        let mut played = Vec::new();
        for (n, operation) in back.into_iter().enumerate() {
            let added = format!("*{ids}00{n}");
            let found =
                found(&now, &operation.expect_before).map_or(String::new(), |row| id_of(row).to_owned());
            now = play(&now, &operation.action.on_found(&found), &added);
            assert_fits(&now, &operation.expect_after, "after what reverses it", &operation);
            played.push((operation, added));
        }
        (now, played)
    }

    fn plain<'a>(menu: &Menu, rows: &'a [Row]) -> Vec<BTreeMap<&'a str, &'a str>> {
        // Dynamic rules come and go, so a place is one among the others.
        let mut plain: Vec<BTreeMap<&str, &str>> = rows
            .iter()
            .filter(|row| !menu.ordered || !is_dynamic(row))
            .map(|row| {
                let told = row.iter().filter(|(name, value)| !menu.is_state(name) && !is_off(name, value));
                told.map(|(name, value)| (name.as_str(), value.as_str())).collect()
            })
            .collect();
        if !menu.ordered {
            plain.sort();
        }
        plain
    }

    fn shows(row: &Row, wanted: &[(String, Option<String>)]) -> bool {
        let plain =
            |name: &str, text: Option<&str>| text.filter(|text| !is_off(name, text)).map(str::to_owned);
        wanted.iter().all(|(name, value)| {
            plain(name, row.get(name).map(String::as_str)) == plain(name, value.as_deref())
        })
    }

    fn found<'a>(rows: &'a [Row], expectation: &Expectation) -> Option<&'a Row> {
        let mut found = rows.iter().filter(|row| match &expectation.which {
            Which::Menu => true,
            Which::Id(id) => id_of(row) == id,
            Which::Find { by, except, .. } => {
                shows(row, by) && !except.iter().any(|other| other == id_of(row))
            }
        });
        let first = found.next();
        assert!(found.next().is_none(), "several fit {expectation:?}");
        first
    }

    fn assert_fits(rows: &[Row], expectation: &Expectation, when: &str, operation: &Operation) {
        let row = found(rows, expectation);
        assert_eq!(row.is_some(), expectation.present, "{when}: {expectation:?}\n{rows:#?}");
        let Some(row) = row else {
            let count = rows.iter().filter(|row| !is_dynamic(row)).count() as u64;
            if let (Some(wanted), Which::Find { narrow, .. }) = (expectation.count, &expectation.which) {
                assert!(!narrow.is_empty() || wanted == count, "{when}: {wanted} records, not {count}");
            }
            return;
        };
        assert!(shows(row, &expectation.properties), "{when}: {row:?} is not {expectation:?}");
        if let Some(place) = &expectation.place {
            assert_eq!(&place_of(rows, row), place, "{when}");
        }
        if let Action::Set { id, .. } | Action::Remove { id, .. } = &operation.action
            && when == "before"
            && id != FOUND
        {
            assert_eq!(id_of(row), id, "another record is meant");
        }
    }
}
