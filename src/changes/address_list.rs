//! Adds and removes members of `/ip/firewall/address-list`, in lists that are ours.

use events::operation::{Action, Expectation, FOUND, Operation, Property, Wanted, Which};

use crate::{
    changes::{
        Refused,
        guard::{self, Way},
        record::{Menu, configured, id_of, is_dynamic},
        span::{Span, matcher},
        wanted,
    },
    routeros::{compat::Endpoint, port::Row, value::duration},
};

/// Lists that tools may change begin so; all others belong to people.
pub const PREFIX: &str = "mcp-";

/// The menu. A member with a timeout is dynamic, and its time runs.
pub const MENU: Menu = Menu {
    path: "/ip/firewall/address-list",
    writable: &["address", "comment", "disabled", "list", "timeout"],
    conditional: &[],
    state: &["creation-time"],
    ordered: false,
    unset: false,
    narrow: &["list", "address"],
};

/// Adding, with its undo.
pub const ADD: [Endpoint; 2] =
    [Endpoint::add(MENU.path, &["list", "address", "comment", "timeout"]), Endpoint::remove(MENU.path)];
/// Removing, with its undo.
pub const REMOVE: [Endpoint; 2] = [Endpoint::remove(MENU.path), MENU.restore()];

/// A member in RouterOS's spelling: an address, a network, a range, or a name.
///
/// # Errors
/// By field, what makes no sense.
pub fn spelled(list_name: &str, address: &str) -> Result<String, Refused> {
    if !list_name.starts_with(PREFIX) || list_name.len() == PREFIX.len() {
        return Err(Refused::unsafe_operation(
            format!("`list_name`: only lists whose names begin with `{PREFIX}` are changed here"),
            format!(
                "choose a name such as `{PREFIX}blocked`; rules may refer to it beside the lists of people"
            ),
        ));
    }
    if address.parse::<std::net::Ipv6Addr>().is_ok() || address.contains(':') {
        return Err(Refused::param(
            "address",
            "IPv6 members are kept in another menu, which is not changed here",
        ));
    }
    let looks_numeric = address.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '/' | '-'));
    if looks_numeric {
        return matcher(address).map_err(|why| Refused::param("address", why));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
    };
    if address.len() <= 253 && address.split('.').count() > 1 && address.split('.').all(label) {
        return Ok(address.to_ascii_lowercase());
    }
    Err(Refused::param("address", "an IPv4 address, network, range, or a host name"))
}

/// What a timeout is, for refusals.
pub const TIMEOUT: &str = "a time such as `30m`, `12h` or `1d12h`";

/// A time, or nothing for good.
#[must_use]
pub fn is_timeout(text: &str) -> bool {
    text.is_empty() || duration(text).is_some_and(|time| !time.is_zero())
}

/// Adds a member, or nothing when it is there. `rows` are the members with this list and address, `rules` the
/// filter rules.
///
/// # Errors
/// For a member that is there otherwise, a timeout that is none, and a list that a rule drops us by.
pub fn add(
    rows: &[Row],
    rules: &[Row],
    (list, address): (&str, &str),
    comment: &str,
    timeout: &str,
    way: &Way,
) -> Result<Option<Operation>, Refused> {
    if let Some(there) = rows.first() {
        let told = there.get("comment").map_or("", String::as_str);
        let same = told == comment && timeout.is_empty() && !guard::disabled(there);
        if same && !is_dynamic(there) {
            return Ok(None);
        }
        return Err(Refused::param(
            "address",
            format!("is in the list already, otherwise, as `{}`", id_of(there)),
        )
        .hint("remove it first; then add it as wanted"));
    }
    if !is_timeout(timeout) {
        return Err(Refused::param("timeout", TIMEOUT));
    }
    guard_list(rules, list, address, way)?;
    Ok(Some(added((list, address), comment, timeout)))
}

/// Adds a member that is not there.
pub(super) fn added((list, address): (&str, &str), comment: &str, timeout: &str) -> Operation {
    let mut known: Vec<Property> =
        vec![("list".to_owned(), list.to_owned()), ("address".to_owned(), address.to_owned())];
    if !comment.is_empty() {
        known.push(("comment".to_owned(), comment.to_owned()));
    }
    let mut sent = known.clone();
    if !timeout.is_empty() {
        sent.push(("timeout".to_owned(), timeout.to_owned()));
    }
    let which = which(list, address);
    Operation {
        action: Action::Add { menu: MENU.path.to_owned(), properties: sent },
        undo: vec![Action::Remove { menu: MENU.path.to_owned(), id: FOUND.to_owned() }],
        expect_before: Expectation::gone(MENU.path, which.clone()),
        expect_after: Expectation::of(MENU.path, which, wanted(&known)),
        risky: None,
    }
}

/// Removes a member, or nothing when it is not there. The undo of one with a timeout gives it the time that it had left
/// when this was planned.
///
/// # Errors
/// For a list that a rule lets us in by, and what could not be put back.
pub fn remove(
    rows: &[Row],
    rules: &[Row],
    (list, address): (&str, &str),
    way: &Way,
) -> Result<Option<Operation>, Refused> {
    let Some(row) = rows.first() else { return Ok(None) };
    guard_list(rules, list, address, way)?;
    removed(row, (list, address), id_of(row)).map(Some)
}

/// Removes a member that is there, by its id or as the one that is found.
pub(super) fn removed(row: &Row, (list, address): (&str, &str), id: &str) -> Result<Operation, Refused> {
    let again = configured(&MENU, row)?;
    let known: Vec<Property> = again.iter().filter(|(name, _)| name != "timeout").cloned().collect();
    let which = which(list, address);
    Ok(Operation {
        action: Action::Remove { menu: MENU.path.to_owned(), id: id.to_owned() },
        undo: vec![Action::Add { menu: MENU.path.to_owned(), properties: again }],
        expect_before: Expectation::of(MENU.path, which.clone(), wanted(&known)),
        expect_after: Expectation::gone(MENU.path, which),
        risky: None,
    })
}

/// The member: RouterOS keeps no two of one list and address.
pub(super) fn which(list: &str, address: &str) -> Which {
    let by = [("list".to_owned(), list.to_owned()), ("address".to_owned(), address.to_owned())];
    let known: Vec<Wanted> = wanted(&by);
    Which::Find { by: known, narrow: by.to_vec(), except: Vec::new() }
}

/// No rule of the way into the router, or out of it, decides by this list about a member that is us or the router's own
/// address, or may be.
fn guard_list(rules: &[Row], list: &str, address: &str, way: &Way) -> Result<(), Refused> {
    keeps_our_way(decides(rules, list), address, way)
}

/// A rule of the way into the router, or out of it, decides by this list.
pub(super) fn decides(rules: &[Row], list: &str) -> bool {
    let names = |row: &&Row| {
        ["src-address-list", "dst-address-list"].iter().any(|property| {
            row.get(*property).is_some_and(|name| name.strip_prefix('!').unwrap_or(name) == list)
        })
    };
    rules
        .iter()
        .filter(names)
        .any(|row| !guard::disabled(row) && guard::decides(row) && guard::of_the_router(rules, row))
}

/// Where a rule decides by the list, the member is neither us nor the router's own address, and cannot be.
pub(super) fn keeps_our_way(decides: bool, address: &str, way: &Way) -> Result<(), Refused> {
    let may_be_us = match Span::parse(address) {
        Some(span) => way.from.is_empty() || way.from.iter().chain([&way.to]).any(|own| span.contains(*own)),
        // A name may mean any address.
        None => true,
    };
    if decides && may_be_us {
        return Err(Refused::unsafe_operation(
            "a filter rule of the way into the router decides by this list, and `address` is, or may be, our own address",
            "leave the appliance's and the router's address out of the range, and name addresses rather than hosts",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{changes::play::laws::there_and_back, failure::Code};

    fn row(text: &str) -> Row {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn way() -> Way {
        Way::of("192.0.2.1".parse().unwrap(), 443, &[row("via=rest-api address=198.51.100.9")], &[])
    }

    #[test]
    fn only_our_lists_and_what_can_be_a_member() {
        assert_eq!(spelled("blocked", "192.0.2.1").unwrap_err().code, Code::UnsafeOperation);
        assert_eq!(spelled("mcp-", "192.0.2.1").unwrap_err().code, Code::UnsafeOperation);
        for (given, kept) in
            [("192.0.2.1/32", "192.0.2.1"), ("192.0.2.0/24", "192.0.2.0/24"), ("Example.ORG", "example.org")]
        {
            assert_eq!(spelled("mcp-a", given).as_deref(), Ok(kept));
        }
        for bad in
            ["", "::1", "2001:db8::/32", "192.0.2.1/24", "0.0.0.0/0", "a b.example", "localhost", "1.2.3"]
        {
            assert_eq!(spelled("mcp-a", bad).unwrap_err().code, Code::InvalidParams, "{bad}");
        }
    }

    #[test]
    fn members_go_there_and_back_with_their_time() {
        let at = ("mcp-a", "192.0.2.7");
        there_and_back(&MENU, &[], &[add(&[], &[], at, "c", "1h", &way()).unwrap().unwrap()]);
        let there = [row(".id=*1 list=mcp-a address=192.0.2.7 creation-time=x dynamic=true timeout=55m")];
        let operation = remove(&there, &[], at, &way()).unwrap().unwrap();
        there_and_back(&MENU, &there, std::slice::from_ref(&operation));
        let Action::Add { properties, .. } = &operation.undo[0] else { panic!("an add") };
        assert!(properties.contains(&("timeout".into(), "55m".into())));
        assert_eq!(remove(&[], &[], at, &way()), Ok(None));
        let fixed = [row(".id=*1 list=mcp-a address=192.0.2.7 dynamic=false")];
        assert_eq!(add(&fixed, &[], at, "", "", &way()), Ok(None));
        assert_eq!(add(&fixed, &[], at, "new", "", &way()).unwrap_err().code, Code::InvalidParams);
        assert_eq!(add(&[], &[], at, "", "soon", &way()).unwrap_err().code, Code::InvalidParams);
    }

    #[test]
    fn we_neither_lock_ourselves_out_nor_take_our_key_away() {
        let at = ("mcp-a", "198.51.100.0/24");
        let drops = [row("chain=input action=drop src-address-list=mcp-a")];
        assert_eq!(add(&[], &drops, at, "", "", &way()).unwrap_err().code, Code::UnsafeOperation);
        assert!(add(&[], &drops, ("mcp-a", "203.0.113.0/24"), "", "", &way()).is_ok());
        let lets = [row("chain=input action=accept src-address-list=mcp-a"), row("chain=input action=drop")];
        for rule in [
            "chain=input action=drop src-address-list=!mcp-a",
            "chain=output action=drop dst-address-list=mcp-a",
        ] {
            assert_eq!(
                add(&[], &[row(rule)], at, "", "", &way()).unwrap_err().code,
                Code::UnsafeOperation,
                "{rule}"
            );
        }
        let named = ("mcp-a", "example.org");
        assert_eq!(add(&[], &drops, named, "", "", &way()).unwrap_err().code, Code::UnsafeOperation);
        assert!(
            add(&[], &[row("chain=forward action=drop src-address-list=mcp-a")], at, "", "", &way()).is_ok()
        );
        let there = [row(".id=*1 list=mcp-a address=198.51.100.0/24")];
        assert_eq!(remove(&there, &lets, at, &way()).unwrap_err().code, Code::UnsafeOperation);
    }
}
