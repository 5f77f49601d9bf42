//! What a reading of a router shows of one operation: its record, where it stands, or that it is not there.

use std::time::Duration;

use events::{
    ids::DeviceId,
    operation::{Action, Expectation, Operation, Place, Wanted, Which},
};

use crate::routeros::{
    error::{Garble, RouterError},
    port::{Ask, Priority, Reader, Row},
    resources,
    value::{boolean, is_off},
};

/// One reading may take this long: routers with thousands of records need seconds for them.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// No such record.
    Gone {
        /// Records that RouterOS did not make itself, where the whole answer was read.
        count: Option<u64>,
    },
    /// The record.
    One {
        /// Its properties.
        row: Row,
        /// Where it stands, where that was read.
        place: Option<Place>,
    },
    /// Several records fit, or ours is another now: none can be told to be it.
    Many,
}

/// What a reading says about an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As wanted.
    After,
    /// As it was.
    Before,
    /// Something else.
    Neither,
}

pub(super) fn judge(operation: &Operation, seen: &Seen) -> Verdict {
    if seen.matches(&operation.expect_after) {
        Verdict::After
    } else if seen.matches(&operation.expect_before) {
        Verdict::Before
    } else {
        Verdict::Neither
    }
}

impl Seen {
    /// Reads what an operation is about. Before and after speak of the same record.
    pub(super) async fn read(
        reader: &dyn Reader,
        device_id: &DeviceId,
        operation: &Operation,
    ) -> Result<Self, RouterError> {
        let Expectation { menu, which, .. } = &operation.expect_after;
        let placed = operation.expect_after.place.is_some() || operation.expect_before.place.is_some();
        let ask = match which {
            Which::Menu => Ask::print(menu),
            Which::Id(id) if !placed => Ask::Record { menu: menu.clone(), id: id.clone() },
            Which::Find { narrow, .. } if !placed => {
                Ask::Print { menu: menu.clone(), properties: Vec::new(), filters: narrow.clone() }
            }
            Which::Id(_) | Which::Find { .. } => Ask::print(menu),
        };
        let one_record = matches!(ask, Ask::Record { .. });
        let rows = match reader.read(device_id, ask, Priority::Job, READ_WITHIN).await {
            Ok(reply) => reply.rows,
            // A record that is gone is an answer; a menu that is gone is not.
            Err(RouterError::Absent { status: 404, .. }) if one_record => Vec::new(),
            Err(error) => return Err(error),
        };
        Self::of(rows, operation)
    }

    /// The same with other operations of its menu taken back, or made once more, in thought on what is read.
    pub(super) async fn read_in_thought(
        reader: &dyn Reader,
        device_id: &DeviceId,
        operation: &Operation,
        thought: impl FnOnce(&[Row]) -> Vec<Row> + Send,
    ) -> Result<Self, RouterError> {
        let Expectation { menu, which, .. } = &operation.expect_after;
        let rows = reader.read(device_id, Ask::print(menu), Priority::Job, READ_WITHIN).await?.rows;
        let mut rows = thought(&rows);
        let placed = operation.expect_after.place.is_some() || operation.expect_before.place.is_some();
        if let (Which::Find { narrow, .. }, false) = (which, placed) {
            rows.retain(|row| narrow.iter().all(|(name, value)| row.get(name) == Some(value)));
        }
        Self::of(rows, operation)
    }

    /// What rows show of an operation.
    fn of(rows: Vec<Row>, operation: &Operation) -> Result<Self, RouterError> {
        let Expectation { menu, which, .. } = &operation.expect_after;
        let placed = operation.expect_after.place.is_some() || operation.expect_before.place.is_some();
        if rows.iter().any(|row| !resources::looks_right(menu, row)) {
            return Err(Garble::OtherMenu.into());
        }
        match which {
            Which::Menu => {
                let row = rows.into_iter().next().ok_or(Garble::Empty)?;
                Ok(Self::One { row, place: None })
            }
            Which::Id(id) => Ok(Self::among(&rows, |row| id_of(row) == id, placed)),
            Which::Find { by, except, .. } => {
                let meant = |row: &Row| shows(row, by) && !except.iter().any(|other| other == id_of(row));
                let seen = Self::among(&rows, meant, placed);
                // What was to be removed and is still there, changed by somebody, is not gone.
                let still = |id: &String| rows.iter().any(|row| id_of(row) == id);
                match (&seen, &operation.action) {
                    (Self::Gone { .. }, Action::Remove { id, .. }) if still(id) => Ok(Self::Many),
                    _ => Ok(seen),
                }
            }
        }
    }

    fn among(rows: &[Row], meant: impl Fn(&Row) -> bool, placed: bool) -> Self {
        let own = || rows.iter().filter(|row| !is_dynamic(row));
        let mut found = rows.iter().filter(|row| meant(row));
        match (found.next(), found.next()) {
            (None, _) => Self::Gone { count: Some(own().count() as u64) },
            (Some(_), Some(_)) => Self::Many,
            (Some(row), None) => {
                let follower = || own().skip_while(|other| id_of(other) != id_of(row)).nth(1);
                let place = || follower().map_or(Place::Last, |next| Place::Before(id_of(next).to_owned()));
                Self::One { row: row.clone(), place: placed.then(place) }
            }
        }
    }

    /// The id of the record.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::One { row, .. } => row.get(".id").map(String::as_str),
            Self::Gone { .. } | Self::Many => None,
        }
    }

    /// True when it is the record that an action names, or the action names none.
    pub(super) fn is_of(&self, action: &Action) -> bool {
        let named = match action {
            Action::Set { id, .. } | Action::Remove { id, .. } => Some(id.as_str()),
            _ => None,
        };
        action.needs_found() || named.is_none() || self.id() == named
    }

    /// True when it is as expected.
    pub(super) fn matches(&self, expectation: &Expectation) -> bool {
        match self {
            Self::Gone { count } => {
                !expectation.present && (expectation.count.is_none() || expectation.count == *count)
            }
            Self::One { row, place } => {
                expectation.present
                    && shows(row, &expectation.properties)
                    && expectation
                        .others
                        .as_ref()
                        .is_none_or(|others| shows_no_more(row, expectation, others))
                    && (expectation.place.is_none() || expectation.place == *place)
            }
            Self::Many => false,
        }
    }

    /// The values of the properties that an expectation speaks of.
    pub(super) fn observed(&self, expectation: &Expectation) -> Vec<Wanted> {
        let row = match self {
            Self::One { row, .. } => Some(row),
            Self::Gone { .. } | Self::Many => None,
        };
        let value = |name: &String| row.and_then(|row| row.get(name).cloned());
        expectation.properties.iter().map(|(name, _)| (name.clone(), value(name))).collect()
    }

    /// The same for a report, with the id of a record that was added: its undo is about no other.
    pub(super) fn reported(&self, operation: &Operation) -> Vec<Wanted> {
        let mut observed = self.observed(&operation.expect_after);
        if let (Action::Add { .. }, Some(id)) = (&operation.action, self.id()) {
            observed.push((".id".to_owned(), Some(id.to_owned())));
        }
        observed
    }
}

fn id_of(row: &Row) -> &str {
    row.get(".id").map(String::as_str).unwrap_or_default()
}

fn is_dynamic(row: &Row) -> bool {
    row.get("dynamic").is_some_and(|text| text.is_empty() || boolean(text) == Some(true))
}

/// Unset, empty and off are the same: RouterOS leaves them out or not as it likes (FACTS 1.3).
fn shows(row: &Row, wanted: &[Wanted]) -> bool {
    let plain = |name: &str, text: Option<&str>| text.filter(|text| !is_off(name, text)).map(str::to_owned);
    wanted.iter().all(|(name, wanted)| {
        plain(name, row.get(name).map(String::as_str)) == plain(name, wanted.as_deref())
    })
}

/// Nothing is set but what is expected, what may be, and what every record has.
fn shows_no_more(row: &Row, expectation: &Expectation, others: &[String]) -> bool {
    let told = |name: &String| expectation.properties.iter().any(|(told, _)| told == name);
    let set = row.iter().filter(|(name, value)| !is_off(name, value));
    set.map(|(name, _)| name).all(|name| name == ".id" || told(name) || others.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(&str, &str)]) -> Row {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn expectation(value: Option<&str>) -> Expectation {
        Expectation::of_menu("/ip/dns", vec![("servers".into(), value.map(str::to_owned))])
    }

    fn seen(value: Option<&str>) -> Seen {
        Seen::One {
            row: value.map(|value| ("servers".to_owned(), value.to_owned())).into_iter().collect(),
            place: None,
        }
    }

    #[test]
    fn absent_empty_and_off_are_the_same() {
        assert!(seen(None).matches(&expectation(None)));
        assert!(seen(Some("")).matches(&expectation(None)));
        assert!(seen(None).matches(&expectation(Some(""))));
        assert!(seen(Some("false")).matches(&expectation(None)));
        assert!(seen(None).matches(&expectation(Some("no"))));
        assert!(!seen(Some("1.1.1.1")).matches(&expectation(None)));
        assert!(!Seen::Gone { count: None }.matches(&expectation(None)), "what is gone shows nothing");
    }

    #[test]
    fn no_is_a_word_in_a_comment() {
        let comment = |text: &str| vec![("comment".to_owned(), Some(text.to_owned()))];
        assert!(!shows(&row(&[]), &comment("no")));
        assert!(!shows(&row(&[("comment", "false")]), &[("comment".to_owned(), None)]));
    }

    #[test]
    fn a_reading_is_before_after_or_neither() {
        let operation = Operation {
            action: Action::SetSingleton { menu: "/ip/dns".into(), properties: vec![] },
            undo: vec![],
            expect_before: expectation(Some("1.1.1.1")),
            expect_after: expectation(Some("9.9.9.9")),
            risky: None,
        };
        assert_eq!(judge(&operation, &seen(Some("9.9.9.9"))), Verdict::After);
        assert_eq!(judge(&operation, &seen(Some("1.1.1.1"))), Verdict::Before);
        assert_eq!(judge(&operation, &seen(Some("8.8.8.8"))), Verdict::Neither);
    }

    #[test]
    fn a_record_is_found_by_what_it_says_and_stands_before_the_next_that_a_person_made() {
        let rows = [
            row(&[(".id", "*1"), ("chain", "input")]),
            row(&[(".id", "*2"), ("chain", "input"), ("dynamic", "true")]),
            row(&[(".id", "*3"), ("chain", "input"), ("src-port", "1")]),
            row(&[(".id", "*4"), ("chain", "forward")]),
        ];
        let by = |pairs: &[(&str, Option<&str>)]| -> Vec<Wanted> {
            pairs.iter().map(|(n, v)| ((*n).to_owned(), v.map(str::to_owned))).collect()
        };
        let find = |pairs: &[(&str, Option<&str>)]| {
            let by = by(pairs);
            Seen::among(&rows, |row| shows(row, &by), true)
        };
        let place = |seen: &Seen| match seen {
            Seen::One { place, .. } => place.clone(),
            _ => None,
        };
        let first = find(&[("chain", Some("input")), ("src-port", None), ("dynamic", None)]);
        assert_eq!((first.id(), place(&first)), (Some("*1"), Some(Place::Before("*3".into()))));
        assert_eq!(place(&find(&[("chain", Some("forward"))])), Some(Place::Last));
        assert_eq!(find(&[("chain", Some("input"))]), Seen::Many);
        assert_eq!(find(&[("chain", Some("output"))]), Seen::Gone { count: Some(3) });
    }

    #[test]
    fn a_record_that_came_unlike_what_was_wanted_is_not_taken_for_none() {
        let which = || Which::Find { by: vec![], narrow: vec![], except: vec![] };
        let none = Expectation { count: Some(3), ..Expectation::gone("/ip/route", which()) };
        assert!(Seen::Gone { count: Some(3) }.matches(&none));
        assert!(!Seen::Gone { count: Some(4) }.matches(&none));
    }

    #[test]
    fn what_came_since_is_seen_where_nothing_else_may_be() {
        let one = Seen::among(
            &[row(&[(".id", "*1"), ("chain", "input"), ("bytes", "9"), ("log", "false")])],
            |_| true,
            false,
        );
        let wanted = vec![("chain".into(), Some("input".into()))];
        let exact = |others: &[&str]| Expectation {
            others: Some(others.iter().map(|name| (*name).to_owned()).collect()),
            ..Expectation::of_id("/ip/firewall/filter", "*1", wanted.clone())
        };
        assert!(one.matches(&exact(&["bytes"])));
        assert!(!one.matches(&exact(&[])), "bytes came since");
    }

    #[test]
    fn an_action_names_the_record_that_was_read() {
        let one = Seen::among(&[row(&[(".id", "*1")])], |_| true, false);
        let remove = |id: &str| Action::Remove { menu: "/ip/route".into(), id: id.into() };
        assert!(one.is_of(&remove("*1")) && one.is_of(&remove(events::operation::FOUND)));
        assert!(!one.is_of(&remove("*2")), "another record took its place");
    }
}
