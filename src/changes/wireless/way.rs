//! Our own way to a router over its Wi-Fi.

use crate::{
    changes::{Refused, guard::Way},
    routeros::port::Row,
};

/// Longest chain of VLANs on VLANs that is followed.
const DEEP: usize = 8;

fn is(row: &Row, property: &str, value: &str) -> bool {
    row.get(property).is_some_and(|own| own == value)
}

/// Would a change of these Wi-Fi interfaces cut our own way in? `station` when one of them is a client elsewhere.
///
/// # Errors
/// `unsafe_operation` when our own way goes over one of them.
pub fn over_the_air(
    way: &Way,
    names: &[&str],
    station: bool,
    ports: &[Row],
    vlans: &[Row],
) -> Result<Option<String>, Refused> {
    let Some(told) = &way.interface else {
        return Ok(station
            .then(|| "this radio is a client elsewhere, and may be our own way to the router".to_owned()));
    };
    let mut own = told.as_str();
    for _ in 0..DEEP {
        let below = vlans.iter().find(|vlan| is(vlan, "name", own)).and_then(|vlan| vlan.get("interface"));
        own = below.map_or(own, String::as_str);
    }
    if names.contains(&own) {
        return Err(Refused::unsafe_operation(
            "our own way to this router goes over that Wi-Fi interface",
            "reach the router over a cable first (`appliance device edit DEVICE --ip ADDRESS`)",
        ));
    }
    let ours = ports.iter().filter(|port| is(port, "bridge", own) && !is(port, "disabled", "true"));
    let shared = ours.into_iter().any(|port| names.iter().any(|name| is(port, "interface", name)));
    Ok(shared
        .then(|| "the bridge that carries our own way to the router has this Wi-Fi as a port".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn verdict(own: Option<&str>, station: bool) -> Result<Option<String>, Refused> {
        let way = Way {
            to: "192.0.2.1".parse().unwrap(),
            port: 443,
            from: vec![],
            direct: own.is_some(),
            interface: own.map(str::to_owned),
        };
        let ports = [
            row("bridge=lan interface=wifi1"),
            row("bridge=old interface=wifi1 disabled=true"),
            row("bridge=wired interface=ether2"),
        ];
        let vlans = [
            row("name=mgmt interface=lan"),
            row("name=air interface=wifi1"),
            row("name=loop interface=loop"),
        ];
        over_the_air(&way, &["wifi1", "guests"], station, &ports, &vlans)
    }

    #[test]
    fn a_way_over_the_air_is_refused_and_one_over_its_bridge_is_risky() {
        for own in ["wifi1", "guests", "air"] {
            assert!(verdict(Some(own), false).is_err(), "{own}");
        }
        for own in ["lan", "mgmt"] {
            assert!(verdict(Some(own), false).unwrap().is_some(), "{own}");
        }
        for own in ["wired", "ether1", "old", "loop"] {
            assert_eq!(verdict(Some(own), true), Ok(None), "{own}");
        }
        assert_eq!(verdict(None, false), Ok(None));
        assert!(verdict(None, true).unwrap().is_some(), "the router does not tell its way");
    }
}
