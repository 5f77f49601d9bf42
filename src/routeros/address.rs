//! Which addresses may be called at all: the guard against being sent to our own house.
//!
//! Judges addresses only; devices are registered by address, so no name is ever looked up.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    str::FromStr,
    sync::LazyLock,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A range of addresses, such as `10.0.0.0/8` or `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// A text that is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a network such as 10.0.0.0/8 or 2001:db8::/32")]
pub struct NetworkError;

impl Network {
    /// True when the address is inside.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| NetworkError)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| NetworkError)?;
        if bits <= most { Ok(Self { base, bits }) } else { Err(NetworkError) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Network {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Network".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "an address range such as 10.0.0.0/8" })
    }
}

/// Why an address may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{ip} may not be called: {why}")]
pub struct AddressRefused {
    /// Which.
    pub ip: IpAddr,
    /// Why.
    pub why: &'static str,
}

/// Tells whether a router may live at an address. An empty `allow` means every address that is a host on a network.
///
/// # Errors
/// [`AddressRefused`] with the reason.
pub fn address_allowed(ip: IpAddr, allow: &[Network], allow_loopback: bool) -> Result<(), AddressRefused> {
    let refused = |why| Err(AddressRefused { ip, why });
    let loopback = match ip {
        IpAddr::V4(v4) => {
            if v4.octets()[0] == 0 {
                return refused("it names no host");
            }
            if v4.is_multicast() || v4.is_broadcast() {
                return refused("it is no single host");
            }
            if v4.is_link_local() {
                return refused("it is link-local");
            }
            v4.is_loopback()
        }
        IpAddr::V6(v6) => {
            if v6.is_unspecified() {
                return refused("it names no host");
            }
            if v6.is_multicast() {
                return refused("it is no single host");
            }
            if v6.is_unicast_link_local() || v6.segments()[0] & 0xffc0 == 0xfec0 {
                return refused("it is link-local");
            }
            if carries_v4(v6) && !v6.is_loopback() {
                return refused("it is an IPv4 address in disguise");
            }
            v6.is_loopback()
        }
    };
    if loopback {
        return if allow_loopback { Ok(()) } else { refused("it is this machine") };
    }
    if allow.is_empty() || allow.iter().any(|network| network.contains(ip)) {
        Ok(())
    } else {
        refused("it is outside allow_networks")
    }
}

/// True when an address is one of this machine's: only such an address can be bound. Says no where the system lets foreign
/// addresses be bound as well.
#[must_use]
pub fn is_own(ip: IpAddr) -> bool {
    /// Addresses for documentation (RFC 5737, RFC 3849) belong to nobody.
    static ANYTHING_BINDS: LazyLock<bool> = LazyLock::new(|| {
        binds(Ipv4Addr::new(192, 0, 2, 1).into())
            || binds(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
    });
    binds(ip) && !*ANYTHING_BINDS
}

fn binds(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// IPv4 inside IPv6: mapped, compatible, NAT64, 6to4, Teredo.
fn carries_v4(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    (s[..5] == [0; 5] && (s[5] == 0xffff || s[5] == 0))
        || (s[..2] == [0x64, 0xff9b])
        || s[0] == 0x2002
        || (s[0] == 0x2001 && s[1] == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(ip: &str, allow: &[&str], loopback: bool) -> bool {
        let allow: Vec<Network> = allow.iter().map(|n| n.parse().unwrap()).collect();
        address_allowed(ip.parse().unwrap(), &allow, loopback).is_ok()
    }

    #[test]
    fn only_hosts_on_a_network_are_called() {
        for ip in ["10.0.0.1", "192.168.88.1", "203.0.113.5", "2001:db8::1", "fd00::1"] {
            assert!(allowed(ip, &[], false), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "127.0.0.1",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(!allowed(ip, &[], false), "{ip}");
        }
    }

    #[test]
    fn loopback_only_when_said_so() {
        assert!(allowed("127.0.0.1", &["10.0.0.0/8"], true));
        assert!(allowed("::1", &[], true));
        assert!(!allowed("::ffff:127.0.0.1", &[], true));
    }

    #[test]
    fn this_machine_knows_its_own_addresses() {
        // No packet is sent: connecting a datagram socket only asks for the way.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let own = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()).map(|at| at.ip());
        assert!(is_own([127, 0, 0, 1].into()));
        assert!(own.is_err() || is_own(own.unwrap()));
        assert!(!is_own([192, 0, 2, 7].into()) && !is_own("2001:db8::7".parse().unwrap()));
    }

    #[test]
    fn a_list_of_networks_limits() {
        assert!(allowed("10.1.2.3", &["10.0.0.0/8"], false));
        assert!(!allowed("11.1.2.3", &["10.0.0.0/8"], false));
        assert!(allowed("11.1.2.3", &["0.0.0.0/0"], false));
        assert!(allowed("2001:db8::9", &["2001:db8::/32"], false));
        assert!(!allowed("10.1.2.3", &["2001:db8::/32"], false));
        assert!(allowed("10.1.2.3", &["10.1.2.3"], false));
        for bad in ["10.0.0.0/33", "x", "10.0.0.0/", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
