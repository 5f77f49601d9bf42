//! Adding, setting, moving and removing a record of a menu, each with the exact way back.
//!
//! An undo puts back every property that the router showed, at the place where the record stood. What is not known to be
//! put back that way is refused before anything is sent.

use events::operation::{Action, Expectation, FOUND, Operation, Place, Property, Wanted, Which};

use crate::{
    changes::{Refused, wanted},
    routeros::{
        compat::{Endpoint, Field},
        port::Row,
        value::{boolean, is_off},
    },
};

/// What must be known about a menu to change its records.
#[derive(Debug, Clone, Copy)]
pub struct Menu {
    /// Its path.
    pub path: &'static str,
    /// Properties that can be written when a record is added, in every release.
    pub writable: &'static [&'static str],
    /// Those that only some releases have.
    pub conditional: &'static [Field],
    /// Properties that RouterOS shows and nobody writes; besides `.id`, `dynamic`, `invalid` and `.nextid`.
    pub state: &'static [&'static str],
    /// The order of its records means something.
    pub ordered: bool,
    /// A property without a neutral value can be cleared with `unset`.
    pub unset: bool,
    /// Properties with which the router itself picks the records that can be like one; empty reads the whole menu.
    pub narrow: &'static [&'static str],
}

impl Menu {
    /// Adding a record with any of its properties: what an undo of a removal sends.
    #[must_use]
    pub const fn restore(&self) -> Endpoint {
        Endpoint::add(self.path, self.writable).also(self.conditional)
    }

    /// True for a property that RouterOS shows and nobody writes.
    #[must_use]
    pub fn is_state(&self, name: &str) -> bool {
        STATE.contains(&name) || self.state.contains(&name)
    }

    /// What may differ from one reading to the next without anybody changing the record.
    fn may_change(&self) -> Vec<String> {
        STATE.iter().chain(self.state).map(|name| (*name).to_owned()).collect()
    }

    fn writes(&self, name: &str) -> bool {
        self.writable.contains(&name) || self.conditional.iter().any(|field| field.name == name)
    }
}

/// Shown by RouterOS in any menu, never written.
const STATE: [&str; 5] = [".id", ".nextid", ".about", "dynamic", "invalid"];

/// The record with an id.
///
/// # Errors
/// `not_found` for one that is not there, `unsafe_operation` for one that RouterOS made itself.
pub fn find<'a>(menu: &Menu, rows: &'a [Row], id: &str, field: &'static str) -> Result<&'a Row, Refused> {
    let row = rows
        .iter()
        .find(|row| id_of(row) == id)
        .ok_or_else(|| Refused::not_found(field, format!("there is no `{id}` in {}", menu.path)))?;
    if is_dynamic(row) {
        return Err(Refused::unsafe_operation(
            format!("`{id}` in {} was made by RouterOS itself and cannot be changed", menu.path),
            "change what makes it (the lease, the protocol, the service)",
        ));
    }
    Ok(row)
}

/// What a record is configured to be: everything shown that can be written.
///
/// # Errors
/// `unsafe_operation` when it shows a property that is not known here: an undo could not put it back.
pub fn configured(menu: &Menu, row: &Row) -> Result<Vec<Property>, Refused> {
    let shown = row.iter().filter(|(name, _)| !menu.is_state(name));
    let unknown = shown.clone().find(|(name, _)| !menu.writes(name));
    if let Some((name, _)) = unknown {
        let name: String = name.chars().take(40).filter(|c| c.is_ascii_graphic()).collect();
        return Err(Refused::unsafe_operation(
            format!("a record of {} has `{name}`, which an undo could not put back", menu.path),
            "change it by hand, or use a release of this product that knows the property",
        ));
    }
    Ok(shown.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// True when a record is configured just so: no property more or less, those that are off or empty aside.
#[must_use]
pub fn is_just(menu: &Menu, row: &Row, properties: &[Property]) -> bool {
    let told = |name: &str| properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let shown = row.iter().filter(|(name, value)| !menu.is_state(name) && !is_off(name, value));
    let extra = shown.clone().any(|(name, value)| told(name) != Some(value));
    let missing = properties.iter().any(|(name, value)| !is_off(name, value) && row.get(name) != Some(value));
    !is_dynamic(row) && !extra && !missing
}

/// Adds a record, before another where order counts (`None`: at the end). The undo removes the record that was added,
/// by the id that the router gave it.
#[must_use]
pub fn add(menu: &Menu, rows: &[Row], properties: Vec<Property>, before: Option<&str>) -> Operation {
    let which = like(menu, rows, &properties);
    let scope = rows.iter().filter(|row| !is_dynamic(row) && in_scope(&which, row)).count() as u64;
    let mut sent = properties.clone();
    if let Some(before) = before {
        sent.push(("place-before".to_owned(), before.to_owned()));
    }
    Operation {
        action: Action::Add { menu: menu.path.to_owned(), properties: sent },
        undo: vec![Action::Remove { menu: menu.path.to_owned(), id: FOUND.to_owned() }],
        expect_before: Expectation { count: Some(scope), ..Expectation::gone(menu.path, which.clone()) },
        expect_after: Expectation {
            place: menu.ordered.then(|| before.map_or(Place::Last, |id| Place::Before(id.to_owned()))),
            ..Expectation::of(menu.path, which, wanted(&properties))
        },
        risky: None,
    }
}

/// Removes a record. The undo adds it again as it was, where it was; it then has another id.
///
/// # Errors
/// As [`configured`].
pub fn remove(menu: &Menu, rows: &[Row], row: &Row) -> Result<Operation, Refused> {
    let properties = configured(menu, row)?;
    let mut which = like(menu, rows, &properties);
    if let Which::Find { except, .. } = &mut which {
        except.retain(|other| other != id_of(row));
    }
    let place = menu.ordered.then(|| place_of(rows, row));
    let mut again = properties.clone();
    if let Some(Place::Before(next)) = &place {
        again.push(("place-before".to_owned(), next.clone()));
    }
    Ok(Operation {
        action: Action::Remove { menu: menu.path.to_owned(), id: id_of(row).to_owned() },
        undo: vec![Action::Add { menu: menu.path.to_owned(), properties: again }],
        expect_before: Expectation {
            place,
            others: Some(menu.may_change()),
            ..Expectation::of(menu.path, which.clone(), wanted(&properties))
        },
        expect_after: Expectation::gone(menu.path, which),
        risky: None,
    })
}

/// Sets properties of a record. What was unset before and cannot be cleared by a value becomes an operation of its own
/// that comes first, in the given order, so that each has one undo; on the way there and back the record never matches
/// more than before or after. Nothing when it is so already.
///
/// # Errors
/// As [`configured`].
pub fn set(menu: &Menu, row: &Row, changes: &[Property]) -> Result<Vec<Operation>, Refused> {
    let mut now = configured(menu, row)?;
    let same = |now: &[Property], (name, value): &Property| {
        let shown = now.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        shown == value || (is_off(name, shown) && is_off(name, value))
    };
    let changed: Vec<&Property> = changes.iter().filter(|change| !same(&now, change)).collect();
    let absent = |now: &[Property], name: &str| !now.iter().any(|(n, v)| n == name && !v.is_empty());
    let needs_unset = |now: &[Property], (name, value): &Property| {
        menu.unset && absent(now, name) && name != "comment" && boolean(value).is_none()
    };
    let (alone, together): (Vec<_>, Vec<_>) =
        changed.into_iter().partition(|change| needs_unset(&now, change));
    let mut operations = Vec::new();
    for change in alone {
        let undo = Action::Command {
            menu: menu.path.to_owned(),
            command: "unset".to_owned(),
            properties: vec![
                ("numbers".to_owned(), id_of(row).to_owned()),
                ("value-name".to_owned(), change.0.clone()),
            ],
        };
        let after = with(&now, std::slice::from_ref(change));
        operations.push(set_with(menu, row, &now, &after, vec![change.clone()], undo));
        now = after;
    }
    if !together.is_empty() {
        let changes: Vec<Property> = together.into_iter().cloned().collect();
        let back = changes.iter().map(|(name, value)| {
            let old = now.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
            let neutral = if boolean(value).is_some() { "no" } else { "" };
            (name.clone(), old.unwrap_or_else(|| neutral.to_owned()))
        });
        let undo =
            Action::Set { menu: menu.path.to_owned(), id: id_of(row).to_owned(), properties: back.collect() };
        let after = with(&now, &changes);
        operations.push(set_with(menu, row, &now, &after, changes, undo));
    }
    Ok(operations)
}

/// Moves a record right before another. The undo moves it back to where it stood.
///
/// # Errors
/// As [`configured`]; nothing to do is `None`.
pub fn move_before(menu: &Menu, rows: &[Row], row: &Row, before: &str) -> Result<Option<Operation>, Refused> {
    let from = place_of(rows, row);
    let to = Place::Before(before.to_owned());
    if from == to || before == id_of(row) {
        return Ok(None);
    }
    let destination = match &from {
        Place::Before(next) => next.clone(),
        // RouterOS moves to the end what is moved before a record that is not there (FACTS 1.2).
        Place::Last => nobody(rows),
    };
    let shown = wanted(&configured(menu, row)?);
    let which = Which::Id(id_of(row).to_owned());
    let to_there = |destination: String| Action::Command {
        menu: menu.path.to_owned(),
        command: "move".to_owned(),
        properties: vec![
            ("numbers".to_owned(), id_of(row).to_owned()),
            ("destination".to_owned(), destination),
        ],
    };
    let expect = |place| Expectation {
        place: Some(place),
        others: Some(menu.may_change()),
        ..Expectation::of(menu.path, which.clone(), shown.clone())
    };
    Ok(Some(Operation {
        action: to_there(before.to_owned()),
        undo: vec![to_there(destination)],
        expect_before: expect(from),
        expect_after: expect(to),
        risky: None,
    }))
}

fn set_with(
    menu: &Menu,
    row: &Row,
    now: &[Property],
    after: &[Property],
    properties: Vec<Property>,
    undo: Action,
) -> Operation {
    // What is absent after must be absent before as well, and the other way round.
    let named = |values: &[Property], others: &[Property]| -> Vec<Wanted> {
        let gone = others.iter().filter(|(name, _)| !values.iter().any(|(n, _)| n == name));
        wanted(values).into_iter().chain(gone.map(|(name, _)| (name.clone(), None))).collect()
    };
    let id = id_of(row);
    Operation {
        action: Action::Set { menu: menu.path.to_owned(), id: id.to_owned(), properties },
        undo: vec![undo],
        expect_before: Expectation {
            others: Some(menu.may_change()),
            ..Expectation::of_id(menu.path, id, named(now, after))
        },
        expect_after: Expectation::of_id(menu.path, id, named(after, now)),
        risky: None,
    }
}

fn with(now: &[Property], changes: &[Property]) -> Vec<Property> {
    let kept = now.iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name));
    kept.chain(changes).cloned().collect()
}

/// The record with these properties; those that look the same now and are not meant are left out by their ids.
fn like(menu: &Menu, rows: &[Row], properties: &[Property]) -> Which {
    let by: Vec<Wanted> = wanted(properties)
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .chain(std::iter::once(("dynamic".to_owned(), None)))
        .collect();
    let narrow: Vec<Property> =
        properties.iter().filter(|(name, _)| menu.narrow.contains(&name.as_str())).cloned().collect();
    let shows = |row: &&Row| {
        let plain =
            |name: &str, text: Option<&str>| text.filter(|text| !is_off(name, text)).map(str::to_owned);
        by.iter().all(|(name, value)| {
            plain(name, row.get(name).map(String::as_str)) == plain(name, value.as_deref())
        })
    };
    let except = rows.iter().filter(shows).map(|row| id_of(row).to_owned()).collect();
    Which::Find { by, narrow, except }
}

fn in_scope(which: &Which, row: &Row) -> bool {
    match which {
        Which::Find { narrow, .. } => narrow.iter().all(|(name, value)| row.get(name) == Some(value)),
        _ => true,
    }
}

/// Where a record stands among those that RouterOS did not make itself.
#[must_use]
pub fn place_of(rows: &[Row], row: &Row) -> Place {
    let own = rows.iter().filter(|other| !is_dynamic(other));
    let next = own.skip_while(|other| id_of(other) != id_of(row)).nth(1);
    next.map_or(Place::Last, |next| Place::Before(id_of(next).to_owned()))
}

/// An id that no record of the menu has.
fn nobody(rows: &[Row]) -> String {
    (0u64..)
        .map(|n| format!("*{:X}", 0xFFFF_FFFF - n))
        .find(|id| !rows.iter().any(|row| id_of(row).eq_ignore_ascii_case(id)))
        .unwrap_or_default()
}

/// RouterOS's id of a record.
#[must_use]
pub fn id_of(row: &Row) -> &str {
    row.get(".id").map(String::as_str).unwrap_or_default()
}

/// True for a record that RouterOS made itself.
#[must_use]
pub fn is_dynamic(row: &Row) -> bool {
    row.get("dynamic").is_some_and(|text| text.is_empty() || boolean(text) == Some(true))
}
