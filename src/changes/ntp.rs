//! Sets the servers of a router's NTP client, and switches it on or off.

use std::{collections::BTreeSet, net::IpAddr};

use events::operation::Operation;

use crate::{
    changes::{Nonsense, canonical, joined, same_servers, set_singleton},
    routeros::{compat::Endpoint, resources::ntp_client::NtpClient},
};

/// The command that this change sends.
pub const ENDPOINT: Endpoint = Endpoint::set_singleton("/system/ntp/client", &["enabled", "servers"]);

/// What has to be done so that these are the servers, or nothing when they are.
///
/// # Errors
/// [`Nonsense`] when one is neither an address nor a host name, or stands twice.
pub fn set_servers(now: &NtpClient, wanted: &[String], enabled: bool) -> Result<Option<Operation>, Nonsense> {
    let nonsense = |why| Nonsense { field: "ntp_servers", why };
    let mut seen = BTreeSet::new();
    for server in wanted {
        if server.parse::<IpAddr>().is_err() && !is_host_name(server) {
            let shown: String = server.chars().take(64).collect();
            return Err(nonsense(format!("`{shown}` is neither an IP address nor a host name")));
        }
        if !seen.insert(canonical(server).to_ascii_lowercase()) {
            return Err(nonsense(format!("`{server}` stands twice")));
        }
    }
    let wanted: Vec<String> = wanted.iter().map(|server| canonical(server)).collect();
    if same_servers(&now.servers, &wanted) && now.enabled == enabled {
        return Ok(None);
    }
    let settings =
        |list: String, on: bool| vec![("enabled".to_owned(), on.to_string()), ("servers".to_owned(), list)];
    let before = settings(joined(&now.servers), now.enabled);
    let after = settings(wanted.join(","), enabled);
    Ok(Some(set_singleton("/system/ntp/client", before, after)))
}

/// Labels of 1–63 letters, digits and hyphens (RFC 1123), not all digits at the end.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number = text.rsplit('.').next().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label) && !last_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(servers: &[&str], enabled: bool) -> NtpClient {
        NtpClient {
            enabled,
            mode: "unicast".into(),
            servers: servers.iter().map(|s| (*s).into()).collect(),
            status: "".into(),
            synced_server: None,
            stratum: None,
            offset_ms: None,
        }
    }

    #[test]
    fn names_and_addresses_are_servers() {
        for good in ["pool.ntp.org", "162.159.200.1", "2606:4700:f1::1", "ntp-1.example"] {
            assert!(set_servers(&now(&[], false), &[good.to_owned()], true).is_ok(), "{good}");
        }
        for bad in ["", "-a.example", "999.1.1.1", "a b", "a/b", "1.2.3"] {
            assert!(set_servers(&now(&[], false), &[bad.to_owned()], true).is_err(), "{bad}");
        }
    }

    #[test]
    fn switching_on_alone_is_a_change() {
        let same = vec!["pool.ntp.org".to_owned()];
        assert!(set_servers(&now(&["pool.ntp.org"], false), &same, true).unwrap().is_some());
        assert!(set_servers(&now(&["pool.ntp.org"], true), &same, true).unwrap().is_none());
    }
}
