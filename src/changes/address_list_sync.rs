//! Brings a firewall address list of ours to given members: what is missing is added, what differs is set right, and where
//! the list must be exact, what is too much goes.

use std::collections::{BTreeMap, BTreeSet};

use events::operation::{Action, Expectation, FOUND, Operation, Property};

use crate::{
    changes::{
        Proposal, Refused,
        address_list::{MENU, added, decides, keeps_our_way, removed, which},
        guard::{Way, disabled},
        record::is_dynamic,
        wanted,
    },
    routeros::{compat::Endpoint, port::Row},
};

/// The commands that this change sends, undo included.
pub const ENDPOINTS: [Endpoint; 3] =
    [MENU.restore(), Endpoint::set(MENU.path, &["comment", "disabled"]), Endpoint::remove(MENU.path)];

/// A member as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// In RouterOS's spelling ([`crate::changes::address_list::spelled`]).
    pub address: String,
    /// Empty: none.
    pub comment: String,
    /// How long it stays, in RouterOS's words; empty: for good.
    pub timeout: String,
}

/// What has to be done so that these are members of the list, and where it must be `exact`, no others. `rows` is the whole
/// list as the router has it, `rules` the filter rules. Additions come first. A member whose time runs is left alone as far
/// as it can be: its time is not begun anew, and an exact list keeps those that nobody asked about, since rules put them
/// there.
///
/// # Errors
/// For members that are, or may be, our own way to a router that decides by the list, and for what could not be put back.
pub fn sync(
    rows: &[Row],
    rules: &[Row],
    list: &str,
    members: &[Member],
    exact: bool,
    way: &Way,
) -> Result<Proposal, Refused> {
    let decides = decides(rules, list);
    let there: BTreeMap<&str, &Row> =
        rows.iter().filter_map(|row| Some((row.get("address")?.as_str(), row))).collect();
    let (mut operations, mut warnings) = (Vec::new(), Vec::new());
    let mut resolved = 0_usize;
    for Member { address, comment, timeout } in members {
        let at = (list, address.as_str());
        let Some(row) = there.get(address.as_str()) else {
            keeps_our_way(decides, address, way)?;
            operations.push(added(at, comment, timeout));
            continue;
        };
        let told = row.get("comment").map_or("", String::as_str);
        match (is_dynamic(row), row.contains_key("timeout")) {
            (true, false) => resolved += 1,
            (true, true) if !timeout.is_empty() && told == comment => {}
            (false, _) if timeout.is_empty() => {
                if disabled(row) {
                    keeps_our_way(decides, address, way)?;
                }
                operations.extend(set_right(row, at, comment));
            }
            _ => {
                keeps_our_way(decides, address, way)?;
                operations.push(removed(row, at, FOUND)?);
                operations.push(added(at, comment, timeout));
            }
        }
    }
    if exact {
        let wanted: BTreeSet<&str> = members.iter().map(|member| member.address.as_str()).collect();
        let more = there.iter().filter(|(address, _)| !wanted.contains(*address));
        let (passing, standing): (Vec<_>, Vec<_>) = more.partition(|(_, row)| is_dynamic(row));
        for (address, row) in standing {
            keeps_our_way(decides, address, way)?;
            operations.push(removed(row, (list, address), FOUND)?);
        }
        if !passing.is_empty() {
            warnings.push(format!("members that are there for a while and stay: {}", passing.len()));
        }
    }
    if resolved > 0 {
        warnings.push(format!("members that RouterOS itself resolved from names and that stay: {resolved}"));
    }
    Ok(Proposal { operations, high: Vec::new(), warnings })
}

/// Comment and state of a member that is there for good.
fn set_right(row: &Row, (list, address): (&str, &str), comment: &str) -> Option<Operation> {
    let shown = |name: &str| row.get(name).cloned().unwrap_or_default();
    let (mut before, mut after): (Vec<Property>, Vec<Property>) = (Vec::new(), Vec::new());
    if shown("comment") != comment {
        before.push(("comment".to_owned(), shown("comment")));
        after.push(("comment".to_owned(), comment.to_owned()));
    }
    if disabled(row) {
        before.push(("disabled".to_owned(), shown("disabled")));
        after.push(("disabled".to_owned(), "no".to_owned()));
    }
    let which = which(list, address);
    let expect = |properties: &[Property]| Expectation::of(MENU.path, which.clone(), wanted(properties));
    let set = |properties: Vec<Property>| Action::Set {
        menu: MENU.path.to_owned(),
        id: FOUND.to_owned(),
        properties,
    };
    (!after.is_empty()).then(|| Operation {
        expect_before: expect(&before),
        expect_after: expect(&after),
        action: set(after),
        undo: vec![set(before)],
        risky: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::{
        changes::play::{laws::there_and_back, play},
        failure::Code,
    };

    const LIST: &str = "mcp-a";

    fn row(id: usize, address: &str, more: &str) -> Row {
        let pairs = more.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let own = [("list", LIST), ("address", address)];
        let mut row: Row =
            own.into_iter().chain(pairs).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        row.insert(".id".into(), format!("*{id:X}"));
        row
    }

    fn member(address: &str, comment: &str, timeout: &str) -> Member {
        Member { address: address.into(), comment: comment.into(), timeout: timeout.into() }
    }

    fn way() -> Way {
        let active = Row::from([
            ("via".to_owned(), "rest-api".to_owned()),
            ("address".to_owned(), "198.51.100.9".to_owned()),
        ]);
        Way::of("192.0.2.1".parse().unwrap(), 443, &[active], &[])
    }

    /// The list after all operations.
    fn played(rows: &[Row], operations: &[Operation]) -> Vec<Row> {
        operations.iter().enumerate().fold(rows.to_vec(), |now, (n, operation)| {
            let address = |row: &&Row| match &operation.expect_before.which {
                events::operation::Which::Find { by, .. } => row.get("address") == by[1].1.as_ref(),
                _ => false,
            };
            let found = now.iter().find(address).map_or(String::new(), |row| row[".id"].clone());
            play(&now, &operation.action.on_found(&found), &format!("*F0{n}"))
        })
    }

    #[test]
    fn additions_come_first_and_what_is_so_already_needs_nothing() {
        let rows = [row(1, "10.0.0.1", "comment=a"), row(2, "10.0.0.2", "")];
        let members = [member("10.0.0.1", "a", ""), member("10.0.0.3", "", "")];
        let merge = sync(&rows, &[], LIST, &members, false, &way()).unwrap();
        assert!(matches!(merge.operations.as_slice(), [Operation { action: Action::Add { .. }, .. }]));
        let exact = sync(&rows, &[], LIST, &members, true, &way()).unwrap();
        let kinds: Vec<bool> =
            exact.operations.iter().map(|o| matches!(o.action, Action::Add { .. })).collect();
        assert_eq!(kinds, [true, false], "added before removed");
        there_and_back(&MENU, &rows, &exact.operations);
        let again = played(&rows, &exact.operations);
        assert_eq!(sync(&again, &[], LIST, &members, true, &way()).unwrap().operations, []);
    }

    #[test]
    fn what_is_there_for_a_while_is_left_or_replaced_but_never_prolonged() {
        let rows = [row(1, "10.0.0.1", "dynamic=true timeout=55m"), row(2, "10.0.0.2", "dynamic=true")];
        let same = [member("10.0.0.1", "", "1h")];
        assert_eq!(sync(&rows, &[], LIST, &same, true, &way()).unwrap().operations, []);
        let kept = sync(&rows, &[], LIST, &[member("10.0.0.9", "", "")], true, &way()).unwrap();
        assert_eq!((kept.operations.len(), kept.warnings.len()), (1, 1), "{kept:?}");
        let fixed = sync(&rows, &[], LIST, &[member("10.0.0.1", "", "")], false, &way()).unwrap();
        assert_eq!(fixed.operations.len(), 2, "removed, then added for good");
        there_and_back(&MENU, &rows, &fixed.operations);
        let resolved = sync(&rows, &[], LIST, &[member("10.0.0.2", "x", "")], false, &way()).unwrap();
        assert_eq!((resolved.operations.len(), resolved.warnings.len()), (0, 1));
    }

    #[test]
    fn a_member_that_is_switched_off_or_told_otherwise_is_set_right() {
        let rows = [row(1, "10.0.0.1", "comment=old disabled=true")];
        let set = sync(&rows, &[], LIST, &[member("10.0.0.1", "new", "")], false, &way()).unwrap();
        assert_eq!(set.operations.len(), 1);
        there_and_back(&MENU, &rows, &set.operations);
        let now = played(&rows, &set.operations);
        assert_eq!((now[0]["comment"].as_str(), now[0]["disabled"].as_str()), ("new", "no"));
    }

    #[test]
    fn our_own_way_is_kept() {
        let pairs = |text: &str| -> Row {
            let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let rules = [pairs("chain=input action=drop src-address-list=mcp-a")];
        let us = [member("198.51.100.0/24", "", "")];
        let code = |rows: &[Row], members: &[Member]| {
            sync(rows, &rules, LIST, members, true, &way()).map_err(|refused| refused.code).err()
        };
        assert_eq!(code(&[], &us), Some(Code::UnsafeOperation), "adding");
        let there = |more: &str| [row(1, "198.51.100.0/24", more)];
        assert_eq!(code(&there(""), &[]), Some(Code::UnsafeOperation), "removing");
        assert_eq!(code(&there("disabled=true"), &us), Some(Code::UnsafeOperation), "switching on");
        assert_eq!(code(&there("dynamic=true timeout=1h"), &us), Some(Code::UnsafeOperation), "replacing");
        assert_eq!(code(&there(""), &us), None, "it is so already");
        assert_eq!(code(&[], &[member("203.0.113.0/24", "", "")]), None);
    }

    fn any_rows() -> impl Strategy<Value = Vec<Row>> {
        let more = select(vec!["", "comment=a", "disabled=true", "dynamic=true timeout=1h", "comment=b"]);
        let one = (0u8..12, more);
        vec(one, 0..10).prop_map(|rows| {
            let mut seen = BTreeSet::new();
            let fresh = rows.into_iter().filter(|(last, _)| seen.insert(*last)).enumerate();
            fresh.map(|(n, (last, more))| row(n + 1, &format!("10.0.0.{last}"), more)).collect()
        })
    }

    fn any_members() -> impl Strategy<Value = Vec<Member>> {
        vec((0u8..12, select(vec!["", "a", "c"]), select(vec!["", "1h"])), 0..10).prop_map(|members| {
            let mut seen = BTreeSet::new();
            let fresh = members.into_iter().filter(|(last, ..)| seen.insert(*last));
            fresh
                .map(|(last, comment, timeout)| member(&format!("10.0.0.{last}"), comment, timeout))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn any_list_goes_there_and_back_and_ends_as_wanted(rows in any_rows(), members in any_members(), exact: bool) {
            let proposal = sync(&rows, &[], LIST, &members, exact, &way()).unwrap();
            there_and_back(&MENU, &rows, &proposal.operations);
            let end = played(&rows, &proposal.operations);
            for member in &members {
                let there = end.iter().find(|row| row["address"] == member.address).unwrap();
                let comment = there.get("comment").map_or("", String::as_str);
                prop_assert_eq!(comment, member.comment.as_str());
                prop_assert!(!disabled(there));
            }
            let standing = end.iter().filter(|row| !is_dynamic(row) && !row.contains_key("timeout")).count();
            let wanted = members.iter().filter(|member| member.timeout.is_empty()).count();
            prop_assert!(!exact || standing == wanted, "{standing} of {wanted}");
        }
    }
}
