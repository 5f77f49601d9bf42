//! Whether a router still is as a plan left it: the operations that reverse the plan are held against its records, each
//! against what the ones before it would have made of them.

use std::collections::BTreeMap;

use events::operation::{Action, Expectation, FOUND, Operation, Property, Which};

use crate::{
    changes::{
        play::play,
        record::{id_of, is_dynamic, place_of},
    },
    routeros::{port::Row, value::is_off},
};

/// What must be read to hold operations against a router: each menu once, with the filter that the router is asked with.
#[must_use]
pub fn readings(operations: &[Operation]) -> Vec<(String, Vec<Property>)> {
    let mut menus: Vec<(String, Vec<Property>)> = Vec::new();
    for operation in operations {
        let (before, after) = (&operation.expect_before, &operation.expect_after);
        let placed = before.place.is_some() || after.place.is_some();
        let narrow = match &before.which {
            Which::Find { narrow, .. } if !placed && operations.len() == 1 => narrow.clone(),
            _ => Vec::new(),
        };
        if !menus.iter().any(|(menu, _)| *menu == before.menu) {
            menus.push((before.menu.clone(), narrow));
        }
    }
    menus
}

/// The first operation for which the router is not as it must be; nothing when all of them fit. `read` has the records of
/// each menu of [`readings`].
#[must_use]
pub fn first_misfit<'a>(
    operations: &'a [Operation],
    read: &BTreeMap<String, Vec<Row>>,
) -> Option<&'a Operation> {
    let mut now = read.clone();
    operations.iter().enumerate().find_map(|(n, operation)| {
        let rows = now.entry(operation.expect_before.menu.clone()).or_default();
        let row = meant(rows, &operation.expect_before);
        if !fits(rows, row, &operation.expect_before) || !can_be_placed(rows, &operation.action) {
            return Some(operation);
        }
        let found = row.ok().flatten().map(id_of).unwrap_or_default();
        let named = match &operation.action {
            Action::Set { id, .. } | Action::Remove { id, .. } => Some(id.as_str()),
            _ => None,
        };
        if !operation.action.needs_found() && named.is_some_and(|id| id != found) {
            return Some(operation);
        }
        let next = played(rows, operation, n).1;
        *rows = next;
        // It may come to stand elsewhere than where it was: its neighbours are others now.
        let after = &operation.expect_after;
        (!fits(rows, meant(rows, after), after)).then_some(operation)
    })
}

/// The record that an operation is about, and the records after it; `n` makes the id of what it adds.
pub(super) fn played(rows: &[Row], operation: &Operation, n: usize) -> (Option<Row>, Vec<Row>) {
    let found = meant(rows, &operation.expect_before).ok().flatten();
    let id = found.map(id_of).unwrap_or_default();
    (found.cloned(), play(rows, &operation.action.on_found(id), &format!("*new{n}")))
}

/// The records as they were before some operations, which come in the order in which they were made: each is taken back
/// in thought, the last one first, where the records are as it left them.
#[must_use]
pub fn rewound(rows: &[Row], operations: &[&Operation]) -> Vec<Row> {
    let mut now = rows.to_vec();
    for (n, operation) in operations.iter().enumerate().rev() {
        let after = &operation.expect_after;
        let row = meant(&now, after);
        let [undo] = operation.undo.as_slice() else { break };
        if !fits(&now, row, after) {
            continue;
        }
        let found = row.ok().flatten().map(id_of).unwrap_or_default();
        // A record that was removed is known by its id to what was done to it before.
        let again = match &operation.action {
            Action::Remove { id, .. } if id != FOUND => id.clone(),
            _ => format!("*was{n}"),
        };
        now = play(&now, &undo.on_found(found), &again);
    }
    now
}

/// The records as some operations would make them, in thought, where the records are as each of them wants them before.
#[must_use]
pub fn replayed(rows: &[Row], operations: &[&Operation]) -> Vec<Row> {
    let mut now = rows.to_vec();
    for (n, operation) in operations.iter().enumerate() {
        if fits(&now, meant(&now, &operation.expect_before), &operation.expect_before) {
            now = played(&now, operation, n).1;
        }
    }
    now
}

/// Several records fit: none can be told to be meant.
#[derive(Clone, Copy)]
struct Several;

fn meant<'a>(rows: &'a [Row], expectation: &Expectation) -> Result<Option<&'a Row>, Several> {
    let mut found = rows.iter().filter(|row| match &expectation.which {
        Which::Menu => true,
        Which::Id(id) => id_of(row) == id,
        Which::Find { by, except, .. } => shows(row, by) && !except.iter().any(|id| id == id_of(row)),
    });
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(Several),
        (row, None) => Ok(row),
    }
}

fn fits(rows: &[Row], row: Result<Option<&Row>, Several>, expectation: &Expectation) -> bool {
    match row {
        Err(Several) => false,
        Ok(None) => !expectation.present,
        Ok(Some(row)) => {
            let told = |name: &String| expectation.properties.iter().any(|(told, _)| told == name);
            let no_more = |others: &Vec<String>| {
                let set = row.iter().filter(|(name, value)| !is_off(name, value));
                set.map(|(name, _)| name).all(|name| name == ".id" || told(name) || others.contains(name))
            };
            expectation.present
                && shows(row, &expectation.properties)
                && expectation.others.as_ref().is_none_or(no_more)
                && expectation.place.as_ref().is_none_or(|place| *place == place_of(rows, row))
        }
    }
}

/// A record is not put before one that is gone.
fn can_be_placed(rows: &[Row], action: &Action) -> bool {
    let Action::Add { properties, .. } = action else { return true };
    let mut before = properties.iter().filter(|(name, _)| name == "place-before");
    before.all(|(_, id)| rows.iter().any(|row| id_of(row) == id && !is_dynamic(row)))
}

/// Unset, empty and off are the same (FACTS 1.3).
fn shows(row: &Row, wanted: &[(String, Option<String>)]) -> bool {
    let plain = |name: &str, text: Option<&str>| text.filter(|text| !is_off(name, text)).map(str::to_owned);
    wanted.iter().all(|(name, wanted)| {
        plain(name, row.get(name).map(String::as_str)) == plain(name, wanted.as_deref())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        changes::{firewall_filter::MENU, play::laws::reversed_all, record},
        domain::invert::reversed,
    };

    fn row(id: &str, comment: &str) -> Row {
        [(".id", id), ("chain", "input"), ("action", "accept"), ("src-port", &id[1..]), ("comment", comment)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn rule(comment: &str) -> Vec<Property> {
        [("chain", "input"), ("action", "drop"), ("comment", comment)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// Rows after some changes, and the changes, each with the id that it added under: each made from what was there then,
    /// as the plans of a session are.
    fn session(rows: &[Row], wishes: &[(u8, usize, u8)]) -> (Vec<Row>, Vec<(Operation, String)>) {
        let (mut now, mut made) = (rows.to_vec(), Vec::new());
        for (n, (what, which, word)) in wishes.iter().enumerate() {
            let at = which % now.len().max(1);
            let comment = format!("c{word}");
            let operations: Vec<Operation> = match (what % 4, now.get(at)) {
                (0, _) | (_, None) => {
                    let before = now.get(at).map(|row| id_of(row).to_owned()).filter(|_| word % 2 == 0);
                    vec![record::add(&MENU, &now, rule(&comment), before.as_deref())]
                }
                (1, Some(row)) => record::set(&MENU, row, &[("comment".to_owned(), comment)]).unwrap(),
                (2, Some(row)) => vec![record::remove(&MENU, &now, row).unwrap()],
                (_, Some(row)) => {
                    let before = id_of(&now[usize::from(*word) % now.len()]).to_owned();
                    record::move_before(&MENU, &now, row, &before).unwrap().into_iter().collect()
                }
            };
            for operation in operations {
                let added = format!("*A{n:02}");
                now = play(&now, &operation.action, &added);
                made.push((operation, added));
            }
        }
        (now, made)
    }

    fn without_ids(rows: &[Row]) -> Vec<Row> {
        let plain = |row: &Row| {
            row.iter().filter(|(name, _)| *name != ".id").map(|(n, v)| (n.clone(), v.clone())).collect()
        };
        rows.iter().map(plain).collect()
    }

    #[test]
    fn what_was_added_changed_and_removed_is_undone_from_the_last_to_the_first() {
        let rows = [row("*1", "a"), row("*2", "b")];
        // A rule is added at the end, gets another comment, and is removed; then the first one as well.
        let (now, made) = session(&rows, &[(0, 0, 1), (1, 2, 7), (2, 2, 0), (1, 0, 5), (2, 0, 0)]);
        assert_eq!(now.len(), 1);
        let (back, _) = reversed_all(&now, &made, "C");
        assert_eq!(without_ids(&back), without_ids(&rows));
        assert_eq!(id_of(&back[0]), "*C000", "it is another record now");
    }

    #[test]
    fn what_was_done_since_is_taken_back_in_thought() {
        let rows = [row("*1", "a"), row("*2", "b")];
        // A comment is changed twice and the rule removed; another one is added and changed.
        let (now, made) = session(&rows, &[(1, 0, 5), (1, 0, 6), (2, 0, 0), (0, 0, 1), (1, 1, 7)]);
        for at in 0..=made.len() {
            let then = session(&rows, &[(1, 0, 5), (1, 0, 6), (2, 0, 0), (0, 0, 1), (1, 1, 7)][..at]).0;
            let later: Vec<&Operation> = made[at..].iter().map(|(operation, _)| operation).collect();
            assert_eq!(without_ids(&rewound(&now, &later)), without_ids(&then), "{at}");
        }
        // The same the other way round, from what was there at first.
        for at in 0..made.len() {
            let then = session(&rows, &[(1, 0, 5), (1, 0, 6), (2, 0, 0), (0, 0, 1), (1, 1, 7)][..at]).0;
            let earlier: Vec<&Operation> = made[..at].iter().map(|(operation, _)| operation).collect();
            assert_eq!(without_ids(&replayed(&rows, &earlier)), without_ids(&then), "{at}");
        }
        // What somebody else made of it is no work of ours, and stays.
        let mut other = now.clone();
        let last = other.len() - 1;
        other[last].insert("comment".into(), "by hand".into());
        assert_eq!(rewound(&other, &[&made[4].0]), other);
    }

    #[test]
    fn what_somebody_changed_since_is_seen_before_anything_is_sent() {
        let rows = [row("*1", "a"), row("*2", "b")];
        let (now, made) = session(&rows, &[(1, 0, 5)]);
        let back = reversed(made.iter().map(|(o, id)| (o, Some(id.as_str())))).unwrap();
        let fits = |rows: &[Row]| {
            first_misfit(&back, &BTreeMap::from([(MENU.path.to_owned(), rows.to_vec())])).is_none()
        };
        assert!(fits(&now));
        let mut other = now.clone();
        other[0].insert("comment".into(), "by hand".into());
        assert!(!fits(&other), "another comment");
        let mut more = now.clone();
        more[0].insert("src-address".into(), "192.0.2.1".into());
        assert!(!fits(&more), "something set besides, which the undo would not put back");
        assert!(!fits(&now[1..]), "gone");
        let mut counted = now.clone();
        counted[0].insert("bytes".into(), "17".into());
        counted.push(row("*9", "z"));
        assert!(fits(&counted), "counters move, and other rules come and go");
    }

    #[test]
    fn a_rule_that_was_added_last_is_taken_away_though_others_came_behind_it() {
        let rows = [row("*1", "a")];
        let (mut now, made) = session(&rows, &[(0, 0, 1)]);
        now.push(row("*9", "z"));
        let (back, _) = reversed_all(&now, &made, "C");
        assert_eq!(back, [row("*1", "a"), row("*9", "z")]);
        // A removed one is not put back before one that is gone.
        let (now, made) = session(&[row("*1", "a"), row("*2", "b")], &[(2, 0, 0)]);
        let back = reversed(made.iter().map(|(o, id)| (o, Some(id.as_str())))).unwrap();
        let read = |rows: &[Row]| BTreeMap::from([(MENU.path.to_owned(), rows.to_vec())]);
        assert_eq!(first_misfit(&back, &read(&now)), None);
        assert!(first_misfit(&back, &read(&[])).is_some());
    }

    #[test]
    fn a_menu_is_read_once_and_whole_when_several_operations_are_about_it() {
        let (_, made) = session(&[row("*1", "a")], &[(0, 0, 1), (1, 0, 2)]);
        let back = reversed(made.iter().map(|(o, id)| (o, Some(id.as_str())))).unwrap();
        assert_eq!(readings(&back), [(MENU.path.to_owned(), Vec::new())]);
    }

    proptest! {
        #[test]
        fn a_session_is_undone_to_the_letter_or_not_at_all(
            count in 0usize..5,
            wishes in prop::collection::vec((any::<u8>(), 0usize..8, 0u8..4), 1..8),
        ) {
            let rows: Vec<Row> = (0..count).map(|n| row(&format!("*{}", n + 1), &format!("r{n}"))).collect();
            let (now, made) = session(&rows, &wishes);
            if !made.is_empty() {
                let back = reversed(made.iter().map(|(o, id)| (o, Some(id.as_str())))).unwrap();
                let read = BTreeMap::from([(MENU.path.to_owned(), now.clone())]);
                if first_misfit(&back, &read).is_none() {
                    let (there, _) = reversed_all(&now, &made, "C");
                    prop_assert_eq!(without_ids(&there), without_ids(&rows));
                }
            }
        }
    }
}
