//! What texts of a kind look like, and how the router shows them once they are kept.
//!
//! Pure. Gives the text as it reads back — host bits cut, `/32` dropped where firewall matchers drop it, ranges
//! of one folded, numbers in the router's notation — or nothing if the router would refuse it.

use std::net::{IpAddr, Ipv4Addr};

use crate::values::{network_of, normal_time};

/// Protocols by number, with the names that the firewall shows for them.
const PROTOCOLS: [(u8, &str); 20] = [
    (1, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ip-encap"),
    (5, "st"),
    (6, "tcp"),
    (8, "egp"),
    (12, "pup"),
    (17, "udp"),
    (20, "hmp"),
    (27, "rdp"),
    (33, "dccp"),
    (41, "ipv6-encap"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "ipsec-esp"),
    (51, "ipsec-ah"),
    (89, "ospf"),
    (132, "sctp"),
    (136, "udp-lite"),
];
/// Further names without a row above.
const MORE_PROTOCOLS: [&str; 8] = ["ddp", "encap", "etherip", "icmpv6", "idpr-cmtp", "l2tp", "pim", "vrrp"];

/// The text as it is kept, or nothing if it is not of that form.
pub fn shaped(form: &str, text: &str) -> Option<String> {
    let all = |ok: fn(&str) -> bool| text.is_empty() || text.split(',').all(ok);
    let fine = match form {
        "ip" => is_ip(text),
        "ips" => all(is_ip),
        "hosts" => all(|part| is_ip(part) || is_host(part)),
        "address" => return own_address(text),
        "net" => return network(text, true),
        "prefixes" => all(|part| prefix(part).is_some()),
        "match" => return negatable(text, |text| range(text).or_else(|| network(text, false))),
        "entry" => {
            let kept = range(text).or_else(|| network(text, false));
            return kept.or_else(|| is_host(text).then(|| text.to_owned()));
        }
        "gateway" => !text.is_empty() && text.split(',').all(is_gateway),
        "ranges" => return ranges(text),
        "ports" => return negatable(text, ports),
        "protocol" => return negatable(text, protocol),
        "hex" => return hexadecimal(text, 0xFFFF),
        "port-priority" => return hexadecimal(text, 0xF0),
        "mtu" => text == "auto" || text.parse::<u32>().is_ok_and(|mtu| (32..=65_536).contains(&mtu)),
        "horizon" => text == "none" || text.parse::<u32>().is_ok(),
        "mac" => return mac(text),
        "mhz" => text == "auto" || frequency(text).is_some(),
        "mhz-list" => !text.is_empty() && text.split(',').all(frequency_range),
        "ssid" => (1..=32).contains(&text.len()),
        "psk" => (8..=63).contains(&text.len()),
        "some" => !text.is_empty(),
        "time" => return normal_time(text),
        _ => true,
    };
    fine.then(|| text.to_owned())
}

fn negatable(text: &str, inner: impl Fn(&str) -> Option<String>) -> Option<String> {
    match text.strip_prefix('!') {
        Some(rest) => inner(rest).map(|kept| format!("!{kept}")),
        None => inner(text),
    }
}

fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_host(text: &str) -> bool {
    // All digits and dots would be a mistyped address, not a name.
    let name = text.chars().any(|c| c.is_ascii_alphabetic());
    name && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// An own address keeps its host bits; without a length it is a single one.
fn own_address(text: &str) -> Option<String> {
    let (network, length) = network_of(text)?;
    let address = text.split('/').next().unwrap_or(text);
    let nobody = network == Ipv4Addr::UNSPECIFIED;
    (!nobody).then(|| format!("{address}/{length}"))
}

/// A network without host bits; `full` keeps the length of a single address.
fn network(text: &str, full: bool) -> Option<String> {
    let (network, length) = network_of(text)?;
    Some(if length == 32 && !full { network.to_string() } else { format!("{network}/{length}") })
}

/// `a-b` with a below b; a range of one is that one.
fn range(text: &str) -> Option<String> {
    let (from, to) = bounds(text).filter(|_| text.contains('-'))?;
    Some(if from == to { from.to_string() } else { format!("{from}-{to}") })
}

fn bounds(text: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.parse::<Ipv4Addr>().ok()?, to.parse::<Ipv4Addr>().ok()?);
    (from <= to).then_some((from, to))
}

/// Ranges of a pool: at least one, none twice.
fn ranges(text: &str) -> Option<String> {
    let mut seen: Vec<(Ipv4Addr, Ipv4Addr)> = Vec::new();
    let mut kept = Vec::new();
    for part in text.split(',') {
        let (from, to) = bounds(part)?;
        if seen.iter().any(|(low, high)| from <= *high && *low <= to) {
            return None;
        }
        seen.push((from, to));
        kept.push(if from == to { from.to_string() } else { format!("{from}-{to}") });
    }
    Some(kept.join(","))
}

/// `80,443,1000-2000`.
fn ports(text: &str) -> Option<String> {
    let one = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (from.parse::<u16>().ok()?, to.parse::<u16>().ok()?);
        (from <= to).then(|| if from == to { from.to_string() } else { format!("{from}-{to}") })
    };
    text.split(',').map(one).collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
}

/// A protocol by name or number; known numbers are shown by name.
fn protocol(text: &str) -> Option<String> {
    if let Ok(number) = text.parse::<u8>() {
        let name = PROTOCOLS.iter().find(|(n, _)| *n == number).map(|(_, name)| *name);
        return Some(name.map_or_else(|| number.to_string(), str::to_owned));
    }
    let known = PROTOCOLS.iter().any(|(_, name)| *name == text) || MORE_PROTOCOLS.contains(&text);
    known.then(|| text.to_owned())
}

/// A next hop: an address, an interface, `address%interface`, `address@table`. Whether the interface exists is
/// checked elsewhere.
fn is_gateway(text: &str) -> bool {
    let head = text.split(['%', '@']).next().unwrap_or(text);
    let tail_missing = text.ends_with(['%', '@']);
    let looks_numeric = !head.chars().any(|c| c.is_ascii_alphabetic());
    !tail_missing && (head.parse::<Ipv4Addr>().is_ok() || (!looks_numeric && !head.contains(['=', ';'])))
}

fn prefix(text: &str) -> Option<String> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let longest = match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    if text.contains('/') && length.parse::<u8>().ok()? > longest {
        return None;
    }
    Some(text.to_owned())
}

fn hexadecimal(text: &str, most: u32) -> Option<String> {
    let number = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    // Nought has no prefix: an export of 7.1 has `priority=0` where others have `priority=0xF000`.
    let shown = if number == 0 { "0".to_owned() } else { format!("0x{number:X}") };
    (number <= most).then_some(shown)
}

fn mac(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let pair = |part: &&str| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit());
    (parts.len() == 6 && parts.iter().all(pair)).then(|| parts.join(":").to_ascii_uppercase())
}

/// The centre of a channel in MHz: 2.4 GHz, 5 GHz and 6 GHz. A channel number is none.
pub fn frequency(text: &str) -> Option<u32> {
    let mhz: u32 = text.parse().ok()?;
    let two = (2_412..=2_472).contains(&mhz) && (mhz - 2_412).is_multiple_of(5) || mhz == 2_484;
    let five = (5_160..=5_885).contains(&mhz) && mhz.is_multiple_of(5);
    let six = (5_935..=7_115).contains(&mhz) && mhz.is_multiple_of(5);
    (two || five || six).then_some(mhz)
}

/// `5180`, `5180-5320` and `5180-5320:20`.
fn frequency_range(text: &str) -> bool {
    let (range, step) = text.split_once(':').unwrap_or((text, "5"));
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    // The ends of a range may be edges of a band rather than channels.
    let edge = |text: &str| text.parse::<u32>().ok().filter(|mhz| (2_300..=7_300).contains(mhz));
    let ends = match range.contains('-') {
        true => edge(from).zip(edge(to)),
        false => frequency(from).zip(frequency(to)),
    };
    ends.is_some_and(|(from, to)| from <= to) && step.parse::<u32>().is_ok_and(|step| step > 0)
}

#[cfg(test)]
mod tests {
    use super::shaped;

    fn kept(form: &str, text: &str) -> String {
        shaped(form, text).unwrap_or_else(|| "refused".to_owned())
    }

    #[test]
    fn addresses_and_networks() {
        for (form, text, shown) in [
            ("net", "10.1.2.3/16", "10.1.0.0/16"),
            ("net", "10.1.2.3", "10.1.2.3/32"),
            ("net", "0.0.0.0/0", "0.0.0.0/0"),
            ("net", "10.0.0.0/33", "refused"),
            ("net", "2001:db8::/32", "refused"),
            ("address", "10.1.2.3/24", "10.1.2.3/24"),
            ("address", "10.1.2.3", "10.1.2.3/32"),
            ("address", "10.1.2.3/x", "refused"),
            ("match", "10.1.2.3/24", "10.1.2.0/24"),
            ("match", "10.1.2.3/32", "10.1.2.3"),
            ("match", "!10.1.2.3/32", "!10.1.2.3"),
            ("match", "10.1.2.3-10.1.2.9", "10.1.2.3-10.1.2.9"),
            ("match", "10.1.2.9-10.1.2.3", "refused"),
            ("match", "10.1.2.3-10.1.2.3", "10.1.2.3"),
            ("match", "", "refused"),
            ("match", "!", "refused"),
            ("match", "host.example", "refused"),
            ("entry", "host.example", "host.example"),
            ("entry", "10.1.2.3/32", "10.1.2.3"),
            ("entry", "10.1.2", "refused"),
            ("ranges", "10.0.0.5-10.0.0.9,10.0.0.20", "10.0.0.5-10.0.0.9,10.0.0.20"),
            ("ranges", "10.0.0.5-10.0.0.9,10.0.0.9", "refused"),
            ("ranges", "10.0.0.0/24", "refused"),
            ("ranges", "", "refused"),
        ] {
            assert_eq!(kept(form, text), shown, "{form} {text}");
        }
    }

    #[test]
    fn ports_protocols_gateways() {
        for (form, text, shown) in [
            ("ports", "80,443,1000-2000", "80,443,1000-2000"),
            ("ports", "80-80", "80"),
            ("ports", "!22", "!22"),
            ("ports", "2000-1000", "refused"),
            ("ports", "65536", "refused"),
            ("ports", "", "refused"),
            ("protocol", "6", "tcp"),
            ("protocol", "!udp", "!udp"),
            ("protocol", "253", "253"),
            ("protocol", "tpc", "refused"),
            ("protocol", "", "refused"),
            ("gateway", "192.0.2.1", "192.0.2.1"),
            ("gateway", "192.0.2.1%ether1", "192.0.2.1%ether1"),
            ("gateway", "ether1", "ether1"),
            ("gateway", "192.0.2", "refused"),
            ("gateway", "", "refused"),
            ("hex", "28672", "0x7000"),
            ("hex", "0x7000", "0x7000"),
            ("hex", "65536", "refused"),
            ("port-priority", "0x80", "0x80"),
            ("mac", "48-a9-8a-00-00-0f", "48:A9:8A:00:00:0F"),
            ("mac", "48:A9", "refused"),
        ] {
            assert_eq!(kept(form, text), shown, "{form} {text}");
        }
    }

    #[test]
    fn channels_are_megahertz() {
        for (text, shown) in [
            ("5180", "5180"),
            ("2412,2437,2462", "2412,2437,2462"),
            ("5150-5350", "5150-5350"),
            ("5180-5320:20", "5180-5320:20"),
            ("36", "refused"),
            ("6", "refused"),
            ("5181", "refused"),
            ("", "refused"),
        ] {
            assert_eq!(kept("mhz-list", text), shown, "{text}");
        }
        assert_eq!(kept("mhz", "auto"), "auto");
        assert_eq!(kept("mhz", "5180,5200"), "refused");
        assert_eq!(kept("psk", "1234567"), "refused");
        assert_eq!(kept("ssid", &"x".repeat(33)), "refused");
    }
}
