//! Addresses in a row: one address, a network, or a range, as RouterOS writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses from one to another, of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    v6: bool,
    low: u128,
    high: u128,
}

impl Span {
    /// `192.0.2.1`, `192.0.2.0/24` (host bits count as zero), `192.0.2.1-192.0.2.9`, and the same of IPv6.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((low, high)) = text.split_once('-') {
            let (low, high) = (Self::of(low.trim().parse().ok()?), Self::of(high.trim().parse().ok()?));
            return (low.v6 == high.v6 && low.low <= high.low).then_some(Self { high: high.high, ..low });
        }
        let Some((address, bits)) = text.split_once('/') else { return text.parse().ok().map(Self::of) };
        let address = Self::of(address.parse().ok()?);
        let bits: u32 = Some(bits).filter(|bits| bits.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
        let width: u32 = if address.v6 { 128 } else { 32 };
        let host = width.checked_sub(bits)?;
        let mask = 1u128.checked_shl(host).map_or(u128::MAX, |size| size - 1);
        Some(Self { low: address.low & !mask, high: address.low | mask, ..address })
    }

    /// One address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let (v6, number) = match address {
            IpAddr::V4(v4) => (false, u128::from(v4.to_bits())),
            IpAddr::V6(v6) => (true, v6.to_bits()),
        };
        Self { v6, low: number, high: number }
    }

    /// True when the address is among them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.overlaps(&Self::of(address))
    }

    /// True when some address is in both.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.low <= other.high && other.low <= self.high
    }

    /// True when all of the other are among them.
    #[must_use]
    pub const fn includes(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.low <= other.low && other.high <= self.high
    }

    /// IPv6.
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.v6
    }

    /// First address.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        if self.v6 {
            IpAddr::V6(Ipv6Addr::from_bits(self.low))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(self.low).unwrap_or(u32::MAX)))
        }
    }

    /// Last address.
    #[must_use]
    pub fn last(&self) -> IpAddr {
        Self { low: self.high, ..*self }.first()
    }

    /// Every address of its family.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.low == 0 && self.high == if self.v6 { u128::MAX } else { u128::from(u32::MAX) }
    }

    /// How many addresses, less one.
    #[must_use]
    pub const fn size(&self) -> u128 {
        self.high - self.low
    }
}

/// An IPv4 address, network or range in the one spelling that RouterOS shows in matchers: a single address has no
/// prefix length, a network has its first address.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn matcher(text: &str) -> Result<String, String> {
    let shown: String = text.chars().take(64).collect();
    let span = Span::parse(text).ok_or_else(|| {
        format!("`{shown}` is no address, network (192.0.2.0/24) or range (192.0.2.1-192.0.2.9)")
    })?;
    if span.is_v6() {
        return Err(format!("`{shown}` is IPv6; these rules are about IPv4"));
    }
    if span.is_everything() {
        return Err(format!("`{shown}` means every address; leave it out"));
    }
    let (first, last) = (span.first(), span.last());
    if first == last {
        return Ok(first.to_string());
    }
    match text.split_once('/') {
        None => Ok(format!("{first}-{last}")),
        Some((address, bits)) if address.parse() == Ok(first) => {
            Ok(format!("{first}/{}", bits.trim_start_matches('0')))
        }
        Some((_, bits)) => Err(format!("`{shown}` has host bits; the network is {first}/{bits}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_networks_and_ranges_are_spans() {
        let span = |text| Span::parse(text).unwrap();
        assert!(span("192.0.2.7/24").contains("192.0.2.255".parse().unwrap()));
        assert!(!span("192.0.2.0/25").contains("192.0.2.128".parse().unwrap()));
        assert!(span("192.0.2.1-192.0.2.9").overlaps(&span("192.0.2.9")));
        assert!(span("0.0.0.0/0").is_everything() && span("::/0").is_everything());
        assert!(!span("0.0.0.0/0").contains("::1".parse().unwrap()));
        assert!(span("10.0.0.0/8").includes(&span("10.1.0.0/16")));
        assert_eq!(span("192.0.2.0/30").size(), 3);
        for bad in ["", "x", "1.2.3.4/33", "::/129", "1.2.3.9-1.2.3.1", "1.2.3.4-::1", "1.2.3.4/", "1.2.3"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn matchers_have_one_spelling() {
        assert_eq!(matcher("192.0.2.7/32"), Ok("192.0.2.7".into()));
        assert_eq!(matcher("192.0.2.0/24"), Ok("192.0.2.0/24".into()));
        assert_eq!(matcher("192.0.2.1-192.0.2.9"), Ok("192.0.2.1-192.0.2.9".into()));
        assert!(matcher("192.0.2.7/24").unwrap_err().contains("192.0.2.0/24"));
        assert!(matcher("0.0.0.0/0").is_err() && matcher("::1").is_err() && matcher("any").is_err());
    }
}
