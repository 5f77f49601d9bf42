//! Sets the servers of a router's resolver.

use std::{collections::BTreeSet, net::IpAddr};

use events::operation::Operation;

use crate::{
    changes::{Nonsense, canonical, joined, same_servers, set_singleton},
    routeros::{compat::Endpoint, resources::dns::DnsSettings},
};

/// The command that this change sends.
pub const ENDPOINT: Endpoint = Endpoint::set_singleton("/ip/dns", &["servers"]);

/// What has to be done so that these are the servers, or nothing when they are.
///
/// # Errors
/// [`Nonsense`] when one is not an address or stands twice: `/ip/dns` takes addresses only.
pub fn set_servers(now: &DnsSettings, wanted: &[String]) -> Result<Option<Operation>, Nonsense> {
    let nonsense = |why| Nonsense { field: "dns_servers", why };
    let mut seen = BTreeSet::new();
    for server in wanted {
        let address: IpAddr = server.parse().map_err(|_| {
            nonsense(format!("`{}` is not an IP address", server.chars().take(64).collect::<String>()))
        })?;
        if address.is_unspecified() || address.is_multicast() {
            return Err(nonsense(format!("`{address}` is no server's address")));
        }
        if !seen.insert(address) {
            return Err(nonsense(format!("`{address}` stands twice")));
        }
    }
    let wanted: Vec<String> = wanted.iter().map(|server| canonical(server)).collect();
    if same_servers(&now.servers, &wanted) {
        return Ok(None);
    }
    let servers = |list: String| vec![("servers".to_owned(), list)];
    Ok(Some(set_singleton("/ip/dns", servers(joined(&now.servers)), servers(wanted.join(",")))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::operation::Action;

    fn now(servers: &[&str]) -> DnsSettings {
        DnsSettings {
            servers: servers.iter().map(|s| (*s).into()).collect(),
            dynamic_servers: vec![],
            allow_remote_requests: false,
            cache_size_kib: None,
            cache_used_kib: None,
            max_udp_packet_size: None,
        }
    }

    fn wanted(servers: &[&str]) -> Vec<String> {
        servers.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn equal_needs_nothing_and_order_counts() {
        assert_eq!(set_servers(&now(&["1.1.1.1"]), &wanted(&["1.1.1.1"])), Ok(None));
        assert!(
            set_servers(&now(&["1.1.1.1", "9.9.9.9"]), &wanted(&["9.9.9.9", "1.1.1.1"])).unwrap().is_some()
        );
    }

    #[test]
    fn addresses_are_sent_as_routers_show_them_and_compared_by_value() {
        let long = "2001:0db8:0000:0000:0000:0000:0000:0001";
        assert_eq!(set_servers(&now(&["2001:db8::1"]), &wanted(&[long])), Ok(None));
        let operation = set_servers(&now(&["1.1.1.1"]), &wanted(&[long])).unwrap().unwrap();
        let Action::SetSingleton { properties, .. } = &operation.action else { panic!("a singleton") };
        assert_eq!(properties[0].1, "2001:db8::1");
        assert_eq!(operation.expect_after.properties[0].1.as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn the_undo_is_what_was_there_and_unset_is_unset() {
        let operation = set_servers(&now(&[]), &wanted(&["9.9.9.9"])).unwrap().unwrap();
        assert_eq!(operation.expect_before.properties[0].1, None);
        let Action::SetSingleton { properties, .. } = &operation.undo[0] else { panic!("a singleton") };
        assert_eq!(properties[0].1, "");
    }

    #[test]
    fn what_is_no_server_is_named() {
        for bad in ["dns.example", "999.1.1.1", "", "0.0.0.0", "224.0.0.1", "1.1.1.1,9.9.9.9"] {
            let error = set_servers(&now(&[]), &wanted(&[bad])).unwrap_err();
            assert_eq!(error.field, "dns_servers", "{bad}");
        }
        assert!(
            set_servers(&now(&[]), &wanted(&["::1", "0:0:0:0:0:0:0:1"])).is_err(),
            "twice, spelled apart"
        );
    }
}
