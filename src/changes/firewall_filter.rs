//! Adds, changes, moves and removes rules of `/ip/firewall/filter`.

use events::operation::{Action, FOUND, Operation, Property};

use crate::{
    changes::{
        Proposal, Refused,
        guard::{self, Way},
        play::play,
        record::{self, Menu, id_of},
        span::matcher,
    },
    routeros::{
        compat::{Endpoint, Field},
        port::Row,
    },
};

/// The menu, with every property that can be written in some release from 7.10 to 7.24.
pub const MENU: Menu = Menu {
    path: "/ip/firewall/filter",
    writable: WRITABLE,
    conditional: &[Field::may("hw-offload").until(7, 20, 99), Field::may("tos").since(7, 21)],
    state: &["bytes", "packets", ".section", "disabled-by"],
    ordered: true,
    unset: true,
    narrow: &[],
};

const WRITABLE: &[&str] = &[
    "action",
    "address-list",
    "address-list-timeout",
    "chain",
    "comment",
    "connection-bytes",
    "connection-limit",
    "connection-mark",
    "connection-nat-state",
    "connection-rate",
    "connection-state",
    "connection-type",
    "content",
    "disabled",
    "dscp",
    "dst-address",
    "dst-address-list",
    "dst-address-type",
    "dst-limit",
    "dst-port",
    "fragment",
    "hotspot",
    "icmp-options",
    "in-bridge-port",
    "in-bridge-port-list",
    "in-interface",
    "in-interface-list",
    "ingress-priority",
    "ipsec-policy",
    "ipv4-options",
    "jump-target",
    "layer7-protocol",
    "limit",
    "log",
    "log-prefix",
    "nth",
    "out-bridge-port",
    "out-bridge-port-list",
    "out-interface",
    "out-interface-list",
    "p2p",
    "packet-mark",
    "packet-size",
    "per-connection-classifier",
    "port",
    "priority",
    "protocol",
    "psd",
    "random",
    "realm",
    "reject-with",
    "routing-mark",
    "src-address",
    "src-address-list",
    "src-address-type",
    "src-mac-address",
    "src-port",
    "tcp-flags",
    "tcp-mss",
    "time",
    "tls-host",
    "ttl",
    "place-before",
];

/// Properties that a tool sets.
const SET: &[&str] =
    &["chain", "action", "src-address", "dst-address", "protocol", "dst-port", "jump-target", "comment"];

const ADDED: &[&str] = &[
    "chain",
    "action",
    "src-address",
    "dst-address",
    "protocol",
    "dst-port",
    "jump-target",
    "comment",
    "place-before",
];

/// Adding, with its undo.
pub const ADD: [Endpoint; 2] = [Endpoint::add(MENU.path, ADDED), Endpoint::remove(MENU.path)];
/// Changing and moving, with their undo.
pub const MODIFY: [Endpoint; 3] = [
    Endpoint::set(MENU.path, SET),
    Endpoint::act("/ip/firewall/filter/unset", &["numbers", "value-name"]),
    Endpoint::act("/ip/firewall/filter/move", &["numbers", "destination"]),
];
/// Removing, with its undo.
pub const REMOVE: [Endpoint; 2] = [Endpoint::remove(MENU.path), MENU.restore()];

/// What a rule shall be; nothing given leaves a property alone (or unset).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// `input`, `forward` or `output`.
    pub chain: Option<String>,
    /// What it does.
    pub action: Option<String>,
    /// Chain that a `jump` goes to.
    pub jump_target: Option<String>,
    /// Source address, network or range.
    pub src_address: Option<String>,
    /// Destination address, network or range.
    pub dst_address: Option<String>,
    /// Protocol in RouterOS's word.
    pub protocol: Option<String>,
    /// Destination ports: `22`, `80-90`, several with commas.
    pub dst_port: Option<String>,
    /// Comment.
    pub comment: Option<String>,
}

impl Wish {
    /// In the order in which they may be set one by one: a port needs its protocol.
    fn properties(&self) -> Result<Vec<Property>, Refused> {
        let address = |field, text: &Option<String>| {
            text.as_deref().map(matcher).transpose().map_err(|why| Refused::param(field, why))
        };
        let given = [
            ("chain", self.chain.clone()),
            ("action", self.action.clone()),
            ("jump-target", self.jump_target.clone()),
            ("src-address", address("src_address", &self.src_address)?),
            ("dst-address", address("dst_address", &self.dst_address)?),
            ("protocol", self.protocol.as_deref().map(|word| protocol(word).to_owned())),
            ("dst-port", self.dst_port.as_deref().map(ports).transpose()?),
            ("comment", self.comment.clone()),
        ];
        Ok(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}

/// RouterOS's word for a protocol.
fn protocol(word: &str) -> &str {
    match word {
        "esp" => "ipsec-esp",
        "ah" => "ipsec-ah",
        other => other,
    }
}

/// Ports in RouterOS's spelling.
fn ports(text: &str) -> Result<String, Refused> {
    let bad = || {
        Refused::param("dst_port", "ports are 1–65535, such as `443`, `8000-8100`, or several with commas")
    };
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad);
    let parts = text.split(',').map(|part| match part.split_once('-') {
        None => port(part).map(|port| port.to_string()),
        Some((low, high)) => match (port(low)?, port(high)?) {
            (low, high) if low < high => Ok(format!("{low}-{high}")),
            _ => Err(bad()),
        },
    });
    Ok(parts.collect::<Result<Vec<_>, _>>()?.join(","))
}

/// A rule must make sense whole: ports need a protocol that has them, a jump needs its target.
fn check(rule: &Row) -> Result<(), Refused> {
    let of = |name: &str| rule.get(name).map_or("", String::as_str);
    if !of("dst-port").is_empty() && !matches!(of("protocol"), "tcp" | "udp" | "dccp" | "sctp" | "udp-lite") {
        return Err(Refused::param("dst_port", "ports need `protocol` tcp or udp"));
    }
    if (of("action") == "jump") == of("jump-target").is_empty() {
        return Err(Refused::param("jump_target", "is needed with action jump, and with no other"));
    }
    Ok(())
}

/// Adds a rule: before another, or at the end.
///
/// # Errors
/// What makes no sense, what would cut our own way.
pub fn add(rows: &[Row], wish: &Wish, before: Option<&str>, way: &Way) -> Result<Proposal, Refused> {
    let properties = wish.properties()?;
    check(&properties.iter().cloned().collect())?;
    if let Some(before) = before {
        record::find(&MENU, rows, before, "place_before")?;
    }
    if let Some(same) = rows.iter().find(|row| record::is_just(&MENU, row, &properties)) {
        return Err(Refused::param("device_ids", format!("rule `{}` is just like it already", id_of(same)))
            .hint("to change its place use plan_modify_firewall_rule with `place_before`"));
    }
    let operation = record::add(&MENU, rows, properties, before);
    proposal(rows, vec![operation], way, false)
}

/// Changes a rule, and its place if wanted.
///
/// # Errors
/// What makes no sense, what would cut our own way, what could not be undone.
pub fn modify(
    rows: &[Row],
    id: &str,
    wish: &Wish,
    before: Option<&str>,
    way: &Way,
) -> Result<Proposal, Refused> {
    let row = record::find(&MENU, rows, id, "rule_id")?;
    let properties = wish.properties()?;
    let mut wanted = row.clone();
    wanted.extend(properties.iter().cloned());
    // A jump's target goes with it.
    check(&wanted)?;
    let has = |name: &str| row.get(name).is_some_and(|value| !value.is_empty());
    let gives = |name: &str| properties.iter().any(|(n, value)| n == name && row.get(n) != Some(value));
    if has("protocol") && gives("protocol") && !has("dst-port") && gives("dst-port") {
        return Err(Refused::unsafe_operation(
            "a port cannot be added while the protocol changes: between the two the rule would match more than before or after",
            "add the new rule before it with plan_add_firewall_rule, then remove this one",
        ));
    }
    let mut operations = record::set(&MENU, row, &properties)?;
    if let Some(before) = before {
        record::find(&MENU, rows, before, "place_before")?;
        let settled = operations.iter().fold(rows.to_vec(), |rows, op| play(&rows, &op.action, id));
        let row = record::find(&MENU, &settled, id, "rule_id")?;
        operations.extend(record::move_before(&MENU, &settled, row, before)?);
    }
    proposal(rows, operations, way, true)
}

/// Removes a rule.
///
/// # Errors
/// What would cut our own way, what could not be undone.
pub fn remove(rows: &[Row], id: &str, way: &Way) -> Result<Proposal, Refused> {
    let row = record::find(&MENU, rows, id, "rule_id")?;
    let operation = record::remove(&MENU, rows, row)?;
    proposal(rows, vec![operation], way, true)
}

fn proposal(
    rows: &[Row],
    mut operations: Vec<Operation>,
    way: &Way,
    existing: bool,
) -> Result<Proposal, Refused> {
    let mut now = rows.to_vec();
    let mut input = false;
    for operation in &mut operations {
        let next = play(&now, &operation.action, FOUND);
        let touched = touched(operation);
        operation.risky = guard::own_way(way, &now, &next, &[&touched])?;
        let way_in =
            |rows: &[Row]| rows.iter().any(|row| id_of(row) == touched && guard::of_the_router(rows, row));
        input |= way_in(&now) || way_in(&next);
        now = next;
    }
    let mut reasons = Vec::new();
    if input {
        reasons.push("it is about the way into the router itself, or out of it".to_owned());
    }
    if operations.iter().any(rejects) {
        reasons.push("its action is reject".to_owned());
    }
    if existing && !operations.is_empty() {
        reasons.push("it changes or removes a rule that is there".to_owned());
    }
    reasons.extend(operations.iter().filter_map(|operation| operation.risky.clone()));
    Ok(Proposal { operations, high: reasons, warnings: Vec::new() })
}

fn touched(operation: &Operation) -> String {
    match &operation.action {
        Action::Set { id, .. } | Action::Remove { id, .. } => id.clone(),
        Action::Command { properties, .. } => properties
            .iter()
            .find(|(name, _)| name == "numbers")
            .map(|(_, id)| id.clone())
            .unwrap_or_default(),
        _ => FOUND.to_owned(),
    }
}

fn rejects(operation: &Operation) -> bool {
    let (Action::Add { properties, .. } | Action::Set { properties, .. }) = &operation.action else {
        return false;
    };
    properties.iter().any(|(name, value)| name == "action" && value == "reject")
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*, sample::select};

    use super::*;
    use crate::{changes::play::laws::there_and_back, failure::Code};

    fn row(text: &str) -> Row {
        let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn rows(lines: &[&str]) -> Vec<Row> {
        lines.iter().enumerate().map(|(n, line)| row(&format!(".id=*{n:X} {line}"))).collect()
    }

    fn far() -> Way {
        Way {
            to: "192.0.2.1".parse().unwrap(),
            port: 443,
            from: vec!["198.51.100.9".parse().unwrap()],
            direct: true,
            interface: None,
        }
    }

    fn drop_web() -> Wish {
        Wish {
            chain: Some("forward".into()),
            action: Some("drop".into()),
            protocol: Some("tcp".into()),
            dst_port: Some("80".into()),
            ..Wish::default()
        }
    }

    /// Rules as routers show them: with state, dynamic ones, duplicates, and matchers that no tool sets.
    fn any_rule() -> impl Strategy<Value = Row> {
        let maybe = |name: &'static str, values: &'static [&'static str]| {
            option::of(select(values))
                .prop_map(move |value| value.map(|value| (name.to_owned(), value.to_owned())))
        };
        let fixed = (
            select(&["input", "forward", "output", "mine"][..]),
            select(&["accept", "drop", "reject", "passthrough"][..]),
        );
        let some = (
            maybe("src-address", &["10.0.0.0/8", "192.0.2.9"]),
            maybe("dst-address-list", &["blocked"]),
            maybe("in-interface", &["ether1", "my bridge"]),
            maybe("connection-state", &["established,related", "invalid"]),
            maybe("comment", &["a", "defconf: drop", "ünï"]),
            maybe("disabled", &["true", "false"]),
            maybe("dynamic", &["true", "false"]),
            maybe("bytes", &["0", "17"]),
            maybe("hw-offload", &["true"]),
        );
        (fixed, some, any::<bool>()).prop_map(|((chain, action), some, ported)| {
            let (a, b, c, d, e, f, g, h, i) = some;
            let mut row: Row = [a, b, c, d, e, f, g, h, i].into_iter().flatten().collect();
            row.insert("chain".into(), chain.into());
            row.insert("action".into(), action.into());
            if ported {
                row.insert("protocol".into(), "tcp".into());
                row.insert("dst-port".into(), "22".into());
            }
            row
        })
    }

    fn any_rules() -> impl Strategy<Value = Vec<Row>> {
        proptest::collection::vec(any_rule(), 1..12).prop_map(|rows| {
            let id = |(n, mut row): (usize, Row)| {
                row.insert(".id".into(), format!("*{:X}", n * 3 + 1));
                row
            };
            rows.into_iter().enumerate().map(id).collect()
        })
    }

    fn any_wish() -> impl Strategy<Value = Wish> {
        let text = |values: &'static [&'static str]| {
            option::of(select(values)).prop_map(|value| value.map(str::to_owned))
        };
        (
            text(&["input", "forward"]),
            text(&["accept", "drop", "reject", "log"]),
            text(&["10.0.0.0/8", "172.16.0.1", "192.0.2.1-192.0.2.7"]),
            text(&["203.0.113.0/24"]),
            text(&["tcp", "udp", "icmp"]),
            text(&["443", "1000-2000,22"]),
            text(&["", "new words"]),
        )
            .prop_map(|(chain, action, src_address, dst_address, protocol, dst_port, comment)| {
                Wish {
                    chain,
                    action,
                    jump_target: None,
                    src_address,
                    dst_address,
                    protocol,
                    dst_port,
                    comment,
                }
            })
    }

    proptest! {
        #[test]
        fn adding_goes_there_and_back(rows in any_rules(), mut wish in any_wish(), at in any::<prop::sample::Index>(), last: bool) {
            wish.chain.get_or_insert("forward".into());
            wish.action.get_or_insert("accept".into());
            let before = (!last).then(|| id_of(at.get(&rows)).to_owned());
            if let Ok(proposal) = add(&rows, &wish, before.as_deref(), &far()) {
                there_and_back(&MENU, &rows, &proposal.operations);
            }
        }

        #[test]
        fn changing_and_moving_go_there_and_back(rows in any_rules(), wish in any_wish(), at in any::<prop::sample::Index>(), to in option::of(any::<prop::sample::Index>())) {
            let id = id_of(at.get(&rows));
            let before = to.map(|to| id_of(to.get(&rows)));
            if let Ok(proposal) = modify(&rows, id, &wish, before, &far()) {
                there_and_back(&MENU, &rows, &proposal.operations);
            }
        }

        #[test]
        fn removing_goes_there_and_back(rows in any_rules(), at in any::<prop::sample::Index>()) {
            if let Ok(proposal) = remove(&rows, id_of(at.get(&rows)), &far()) {
                there_and_back(&MENU, &rows, &proposal.operations);
            }
        }
    }

    #[test]
    fn a_removed_rule_comes_back_whole_and_where_it_was() {
        let rows = rows(&[
            "chain=forward action=accept",
            "chain=forward action=drop src-address-list=bad log=true bytes=9",
            "chain=forward action=drop",
        ]);
        let proposal = remove(&rows, "*1", &far()).unwrap();
        let Action::Add { properties, .. } = &proposal.operations[0].undo[0] else { panic!("an add") };
        let told = |name: &str| properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!((told("src-address-list"), told("log"), told("bytes")), (Some("bad"), Some("true"), None));
        assert_eq!(told("place-before"), Some("*2"));
    }

    #[test]
    fn each_step_of_a_change_has_one_undo_and_never_matches_more() {
        let rows = rows(&["chain=forward action=accept protocol=tcp"]);
        let proposal = modify(&rows, "*0", &drop_web(), None, &far()).unwrap();
        let sent: Vec<_> = proposal
            .operations
            .iter()
            .map(|operation| match &operation.action {
                Action::Set { properties, .. } => {
                    properties.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sent, [vec!["dst-port"], vec!["action"]], "narrower first, then what it does");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_field() {
        let table = rows(&[
            "chain=forward action=drop protocol=tcp dst-port=80",
            "chain=forward action=drop dynamic=true",
        ]);
        let code = |result: Result<Proposal, Refused>| result.unwrap_err().code;
        assert_eq!(code(add(&table, &drop_web(), None, &far())), Code::InvalidParams, "just like it");
        let bare = Wish { protocol: None, ..drop_web() };
        assert_eq!(code(add(&table, &bare, None, &far())), Code::InvalidParams, "a port without a protocol");
        let jump = Wish { action: Some("jump".into()), dst_port: Some("81".into()), ..drop_web() };
        assert_eq!(code(add(&table, &jump, None, &far())), Code::InvalidParams, "a jump without a target");
        assert_eq!(code(add(&table, &drop_web(), Some("*77"), &far())), Code::NotFound);
        assert_eq!(code(remove(&table, "*77", &far())), Code::NotFound);
        assert_eq!(code(remove(&table, "*1", &far())), Code::UnsafeOperation, "dynamic");
        for bad in ["0", "65536", "80-70", "http", "1,,2", "-"] {
            let wish = Wish { dst_port: Some(bad.into()), ..drop_web() };
            assert_eq!(code(add(&table, &wish, None, &far())), Code::InvalidParams, "{bad}");
        }
        let odd = rows(&["chain=forward action=drop brand-new=1"]);
        assert_eq!(code(remove(&odd, "*0", &far())), Code::UnsafeOperation, "could not be put back");
    }

    #[test]
    fn a_port_is_not_added_while_the_protocol_changes() {
        let table = rows(&["chain=forward action=drop protocol=icmp"]);
        let refused = modify(&table, "*0", &drop_web(), None, &far()).unwrap_err();
        assert_eq!(refused.code, Code::UnsafeOperation);
    }

    #[test]
    fn our_own_way_is_guarded_and_the_way_in_is_high_risk() {
        let input = Wish { chain: Some("input".into()), action: Some("drop".into()), ..Wish::default() };
        assert_eq!(add(&[], &input, None, &far()).unwrap_err().code, Code::UnsafeOperation);
        let narrow = Wish { src_address: Some("203.0.113.0/24".into()), ..input };
        let proposal = add(&[], &narrow, None, &far()).unwrap();
        assert_eq!((proposal.high.len(), proposal.operations[0].risky.as_ref()), (1, None));
    }
}
