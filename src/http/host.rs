//! Names in requests, read strictly: a name is compared with a list, so nothing may hide in it.

use std::net::Ipv6Addr;

use http::{HeaderMap, Uri, header};

/// A name and port as a client sent them: `appliance.example:8443`, `[::1]:80`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// Lower case; IPv6 without brackets.
    pub name: String,
    /// As sent.
    pub port: Option<u16>,
    /// Name and port as sent, for making addresses.
    pub text: String,
}

impl Host {
    /// `None` for anything but a name or an address with at most a port: no user, no path, nothing after a bracket.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = match text.strip_prefix('[') {
            Some(inside) => {
                let (address, rest) = inside.split_once(']')?;
                (address.parse::<Ipv6Addr>().ok()?.to_string(), rest)
            }
            None => {
                let end = text.find(':').unwrap_or(text.len());
                let (name, rest) = text.split_at(end);
                let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
                if name.is_empty() || name.len() > 253 || !name.chars().all(fits) {
                    return None;
                }
                (name.to_ascii_lowercase(), rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { name, port, text: text.to_owned() })
    }

    /// The name that a request is for. `None` when it has none, several, or contradicts itself.
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        let mut named = headers.get_all(header::HOST).iter();
        let header = match (named.next(), named.next()) {
            (Some(host), None) => Some(Self::parse(host.to_str().ok()?)?),
            (None, _) => None,
            (Some(_), Some(_)) => return None,
        };
        let target = match uri.authority() {
            Some(authority) => Some(Self::parse(authority.as_str())?),
            None => None,
        };
        match (header, target) {
            (Some(header), Some(target)) if header.name != target.name || header.port != target.port => None,
            (Some(host), _) | (None, Some(host)) => Some(host),
            (None, None) => None,
        }
    }

    /// True for names that always mean this machine.
    pub(super) fn is_loopback(&self) -> bool {
        matches!(self.name.as_str(), "localhost" | "127.0.0.1" | "::1")
    }

    /// True when `known`, a name with or without a port, means this.
    pub(super) fn is(&self, known: &str) -> bool {
        Self::parse(known)
            .is_some_and(|known| known.name == self.name && (known.port.is_none() || known.port == self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_names() {
        for good in ["localhost", "localhost:80", "127.0.0.1:8080", "[::1]:80", "[::1]", "LOCALHOST"] {
            assert!(Host::parse(good).is_some_and(|host| host.is_loopback()), "{good}");
        }
        for other in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "127.0.0.2"] {
            assert!(Host::parse(other).is_some_and(|host| !host.is_loopback()), "{other}");
        }
        for bad in [
            "",
            "[::1]evil",
            "evil@localhost",
            "localhost:99999",
            "localhost:",
            "localhost:80:80",
            "[::1",
            "::1",
            "local host",
            "localhost/x",
            "localhost:+80",
            "[localhost]",
            "localhost#",
            "localhost\u{e9}",
        ] {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn known_names_may_leave_the_port_open() {
        let host = Host::parse("Appliance.Example:8443").unwrap();
        assert!(host.is("appliance.example") && host.is("appliance.example:8443"));
        assert!(!host.is("appliance.example:443") && !host.is("example"));
    }

    #[test]
    fn a_request_names_one_host() {
        let headers = |hosts: &[&str]| {
            let mut map = HeaderMap::new();
            for host in hosts {
                map.append(header::HOST, host.parse().unwrap());
            }
            map
        };
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        let name = |hosts: &[&str], to: &str| Host::of(&headers(hosts), &uri(to)).map(|host| host.text);
        assert_eq!(name(&["a:1"], "/x").as_deref(), Some("a:1"));
        assert_eq!(name(&[], "http://a:1/x").as_deref(), Some("a:1"));
        assert_eq!(name(&["a:1"], "http://a:1/x").as_deref(), Some("a:1"));
        assert_eq!(name(&["a", "a"], "/x"), None);
        assert_eq!(name(&["a"], "http://b/x"), None);
        assert_eq!(name(&[], "/x"), None);
    }
}
