//! `/ip/dns`: the router's resolver.

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record, flag, number, text},
    text::{Exact, Untrusted},
    value::{list, size},
};

/// The resolver's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Servers set by people, in order.
    pub servers: Vec<Exact>,
    /// Servers learnt from DHCP or PPP.
    pub dynamic_servers: Vec<Untrusted>,
    /// Answers to others.
    pub allow_remote_requests: bool,
    /// Size of the cache, in KiB.
    pub cache_size_kib: Option<u64>,
    /// Used part of the cache, in KiB.
    pub cache_used_kib: Option<u64>,
    /// Largest UDP answer, in bytes.
    pub max_udp_packet_size: Option<u64>,
}

impl Reading for DnsSettings {
    const MENU: &'static str = "/ip/dns";
    const FIELDS: &'static [Field] = &[
        Field::must("allow-remote-requests"),
        Field::must("cache-size"),
        Field::may("servers"),
        Field::may("dynamic-servers"),
        Field::may("cache-used"),
        Field::may("max-udp-packet-size"),
    ];

    fn from_row(row: &Record<'_>) -> Self {
        // REST says `2048`, exports say `2048KiB`.
        let kib = |key| row.get(key).and_then(|value| size(value, 1024)).map(|bytes| bytes / 1024);
        Self {
            servers: list(text(row, "servers")).into_iter().map(Exact::new).collect(),
            dynamic_servers: row.list("dynamic-servers"),
            allow_remote_requests: flag(row, "allow-remote-requests"),
            cache_size_kib: kib("cache-size"),
            cache_used_kib: kib("cache-used"),
            max_udp_packet_size: number(row, "max-udp-packet-size"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routeros::port::Row;

    fn row(pairs: &[(&str, &str)]) -> Row {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn unset_servers_are_none_and_sizes_are_kib_in_both_spellings() {
        let read = |pairs: &[(&str, &str)]| DnsSettings::read(&row(pairs)).unwrap();
        let settings = read(&[("allow-remote-requests", "false"), ("cache-size", "2048"), ("servers", "")]);
        assert_eq!((settings.servers.len(), settings.cache_size_kib), (0, Some(2048)));
        let settings = read(&[
            ("allow-remote-requests", "yes"),
            ("cache-size", "2048KiB"),
            ("servers", "1.1.1.1,9.9.9.9"),
        ]);
        assert_eq!(
            (settings.servers, settings.cache_size_kib),
            (vec!["1.1.1.1".into(), "9.9.9.9".into()], Some(2048))
        );
    }

    #[test]
    fn another_menus_row_is_not_read() {
        assert!(DnsSettings::read(&row(&[("name", "router")])).is_err());
    }
}
