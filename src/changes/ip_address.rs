//! Adds and removes addresses of `/ip/address`.

use events::operation::Operation;

use crate::{
    changes::{
        Refused,
        guard::{self, Way},
        record::{self, Menu, id_of, is_dynamic},
        span::Span,
    },
    routeros::{compat::Endpoint, port::Row},
};

/// The menu.
pub const MENU: Menu = Menu {
    path: "/ip/address",
    writable: &["address", "broadcast", "comment", "disabled", "interface", "netmask", "network"],
    conditional: &[],
    state: &["actual-interface", "slave", "vrf"],
    ordered: false,
    unset: false,
    narrow: &[],
};

/// Adding, with its undo.
pub const ADD: [Endpoint; 2] =
    [Endpoint::add(MENU.path, &["address", "interface", "comment"]), Endpoint::remove(MENU.path)];
/// Removing, with its undo.
pub const REMOVE: [Endpoint; 2] = [Endpoint::remove(MENU.path), MENU.restore()];

/// Adds an address to an interface, or nothing when it is there.
///
/// # Errors
/// For what is no host's address, for one that overlaps another of the same interface, and for a network that would draw
/// our own way over to this interface. `routes` are those that lead to us.
pub fn add(
    rows: &[Row],
    routes: &[Row],
    address: &str,
    interface: &str,
    comment: &str,
    way: &Way,
) -> Result<Option<Operation>, Refused> {
    let bad = |why: String| Refused::param("address", why);
    let shown: String = address.chars().take(64).collect();
    let span = address
        .contains('/')
        .then(|| Span::parse(address))
        .flatten()
        .filter(|span| !span.is_v6() && address.split('/').nth(1).is_some_and(plain_bits))
        .ok_or_else(|| {
            bad(format!("`{shown}` is no IPv4 address with its prefix length, such as 192.0.2.5/24"))
        })?;
    let host = address.split('/').next().and_then(|text| text.parse().ok()).unwrap_or_else(|| span.first());
    if span.size() > 1 && (host == span.first() || host == span.last()) {
        return Err(bad(format!("`{shown}` is the network itself or its broadcast address, not a host's")));
    }
    let on_it = |row: &&Row| row.get("interface").is_some_and(|name| name == interface);
    let own = rows.iter().filter(|row| !is_dynamic(row));
    for row in own.filter(on_it) {
        let Some(other) = row.get("address").and_then(|text| Span::parse(text)) else { continue };
        let told = row.get("comment").map_or("", String::as_str);
        if row.get("address").is_some_and(|text| text == address) && told == comment && !guard::disabled(row)
        {
            return Ok(None);
        }
        if other.overlaps(&span) {
            return Err(bad(format!("`{shown}` overlaps address `{}` of the same interface", id_of(row)))
                .hint("list_ip_addresses shows it; choose a network of its own"));
        }
    }
    guard::address_comes(way, routes, span, interface)?;
    let mut properties =
        vec![("address".to_owned(), address.to_owned()), ("interface".to_owned(), interface.to_owned())];
    if !comment.is_empty() {
        properties.push(("comment".to_owned(), comment.to_owned()));
    }
    Ok(Some(record::add(&MENU, rows, properties, None)))
}

/// A prefix length as RouterOS writes it.
fn plain_bits(bits: &str) -> bool {
    bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'))
}

/// Removes an address.
///
/// # Errors
/// `not_found`, and `unsafe_operation` when our own way lies in its network or RouterOS made it itself.
pub fn remove(rows: &[Row], routes: &[Row], id: &str, way: &Way) -> Result<Operation, Refused> {
    let row = record::find(&MENU, rows, id, "address_id")?;
    guard::address_leaves(way, routes, row)?;
    record::remove(&MENU, rows, row)
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::{changes::play::laws::there_and_back, failure::Code};

    fn row(text: &str) -> Row {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn table() -> Vec<Row> {
        vec![
            row(
                ".id=*1 address=192.0.2.1/24 network=192.0.2.0 interface=ether1 actual-interface=ether1 disabled=false dynamic=false",
            ),
            row(".id=*2 address=10.7.0.1/16 network=10.7.0.0 interface=bridge dynamic=false comment=town"),
            row(".id=*3 address=100.64.0.7/10 network=100.64.0.0 interface=ether1 dynamic=true"),
        ]
    }

    fn way() -> Way {
        Way::of("192.0.2.1".parse().unwrap(), 443, &[row("via=rest-api address=198.51.100.9")], &table())
    }

    fn code(result: Result<Option<Operation>, Refused>) -> Code {
        result.unwrap_err().code
    }

    #[test]
    fn overlaps_and_what_is_no_host_are_refused() {
        let add = |address: &str, interface: &str| add(&table(), &[], address, interface, "", &way());
        for bad in [
            "10.9.0.1",
            "10.9.0.0/24",
            "10.9.0.255/24",
            "x/24",
            "10.9.0.1/33",
            "2001:db8::1/64",
            "",
            "/",
            "10.9.0.1/024",
            "10.9.0.1/+24",
        ] {
            assert_eq!(code(add(bad, "bridge")), Code::InvalidParams, "{bad}");
        }
        assert_eq!(code(add("10.7.3.1/24", "bridge")), Code::InvalidParams, "overlaps");
        assert!(add("10.7.3.1/24", "ether2").unwrap().is_some(), "of another interface");
        assert!(add("100.64.9.1/24", "ether1").unwrap().is_some(), "dynamic ones do not count");
        assert!(
            add("10.9.0.1/31", "bridge").unwrap().is_some()
                && add("10.9.0.1/32", "bridge").unwrap().is_some()
        );
        assert_eq!(add("192.0.2.1/24", "ether1"), Ok(None), "there already");
    }

    #[test]
    fn our_own_way_is_guarded() {
        assert_eq!(code(add(&table(), &[], "198.51.100.1/24", "bridge", "", &way())), Code::UnsafeOperation);
        let near =
            Way { from: vec!["192.0.2.9".parse().unwrap()], interface: Some("ether1".into()), ..way() };
        assert!(add(&table(), &[], "192.0.2.7/32", "ether2", "", &near).unwrap().is_some());
        assert_eq!(code(add(&table(), &[], "192.0.2.9/30", "ether2", "", &near)), Code::UnsafeOperation);
        assert_eq!(remove(&table(), &[], "*1", &way()).unwrap_err().code, Code::UnsafeOperation);
        assert_eq!(remove(&table(), &[], "*3", &way()).unwrap_err().code, Code::UnsafeOperation, "dynamic");
        assert_eq!(remove(&table(), &[], "*9", &way()).unwrap_err().code, Code::NotFound);
    }

    proptest! {
        #[test]
        fn there_and_back_again(n in 1u8..200, interface in select(&["ether1", "bridge", "ether2"][..]), comment in select(&["", "c"][..])) {
            if let Ok(Some(operation)) = add(&table(), &[], &format!("10.{n}.0.1/24"), interface, comment, &way()) {
                there_and_back(&MENU, &table(), &[operation]);
            }
            there_and_back(&MENU, &table(), &[remove(&table(), &[], "*2", &way()).unwrap()]);
        }
    }
}
