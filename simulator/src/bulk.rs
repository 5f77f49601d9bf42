//! Many rows at once, for tests of large routers: thousands of rules, leases, routes.
//!
//! Rows go through the same checks and defaults as an `add`, but nobody looks for twins among them and the
//! history is told nothing; what no `add` takes (`dynamic`, `status`, `bytes`, …) is stored as given.

use std::net::Ipv4Addr;

use crate::answer::Refusal;
use crate::spec::{Menu, Shape};
use crate::state::{Now, State};
use crate::table::Record;
use crate::writes::{self, Args};

/// Adds `count` rows made from one pattern; says how many there are now.
///
/// In a value `$(n)` is the row's number from 0, `$(ip BASE)` the address so many after BASE, `$(net BASE/LENGTH)`
/// the network so many after BASE, `$(mac)` a MAC address made of the number.
pub fn fill(
    state: &mut State,
    menu: &'static Menu,
    count: usize,
    pattern: &Args,
    now: Now,
) -> Result<usize, Refusal> {
    if menu.shape != Shape::List {
        return Err(Refusal::bad("no records here"));
    }
    let mut rows: Vec<Record> = Vec::with_capacity(count);
    for number in 0..count {
        let (args, rest): (Args, Args) = pattern
            .iter()
            .map(|(key, value)| (key.clone(), expand(value, number)))
            .partition(|(key, _)| menu.add.iter().any(|arg| arg.name == key));
        let (mut row, _) = writes::fresh(state, menu, args, now)?;
        for (key, value) in rest {
            row.set(key, value);
        }
        rows.push(row);
    }
    let table = state.table_mut(menu.path);
    for row in rows {
        table.push(row);
    }
    Ok(state.table(menu.path).rows.len())
}

fn expand(text: &str, number: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$(") {
        let Some((word, tail)) = after.split_once(')') else { break };
        out.push_str(before);
        out.push_str(&word_for(word, number));
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn word_for(word: &str, number: usize) -> String {
    let count = u32::try_from(number).unwrap_or(u32::MAX);
    let (name, base) = word.split_once(' ').unwrap_or((word, ""));
    let (address, length) = base.split_once('/').unwrap_or((base, "32"));
    let start = address.parse::<Ipv4Addr>().map(u32::from).unwrap_or(0);
    let length: u32 = length.parse().ok().filter(|length| *length <= 32).unwrap_or(32);
    match name {
        "n" => number.to_string(),
        "ip" => Ipv4Addr::from(start.wrapping_add(count)).to_string(),
        "net" => {
            let step = 1u32.checked_shl(32 - length).unwrap_or(0);
            format!("{}/{length}", Ipv4Addr::from(start.wrapping_add(count.wrapping_mul(step))))
        }
        "mac" => {
            let [a, b, c, d] = count.to_be_bytes();
            format!("02:00:{a:02X}:{b:02X}:{c:02X}:{d:02X}")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn patterns() {
        assert_eq!(expand("rule $(n) of many", 7), "rule 7 of many");
        assert_eq!(expand("$(ip 10.0.0.250)", 10), "10.0.1.4");
        assert_eq!(expand("$(net 10.0.0.0/24)", 257), "10.1.1.0/24");
        assert_eq!(expand("$(mac)", 258), "02:00:00:00:01:02");
        assert_eq!(expand("$(broken", 1), "$(broken");
    }
}
