//! What plans of static routes do and refuse; there and back on random tables.

use events::operation::{Action, Operation};
use proptest::{option, prelude::*, sample::select};

use super::{
    guard::Way,
    guard_route::Paths,
    play::laws::there_and_back,
    record::id_of,
    route::{MENU, Wish, add, modify, remove},
};
use crate::{
    changes::{Proposal, Refused},
    failure::Code,
    routeros::port::Row,
};

fn row(text: &str) -> Row {
    text.split_whitespace()
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Routes as a router shows them; `#` stands for what every enabled static one has.
fn rows(lines: &[&str]) -> Vec<Row> {
    let usual = "routing-table=main scope=30 target-scope=10 static=true dynamic=false disabled=false";
    let line = |(n, line): (usize, &&str)| row(&format!(".id=*{n} {}", line.replace('#', usual)));
    lines.iter().enumerate().map(line).collect()
}

fn far() -> Way {
    Way {
        to: "192.0.2.1".parse().unwrap(),
        port: 443,
        from: vec!["198.51.100.9".parse().unwrap()],
        direct: true,
        interface: Some("ether1".into()),
    }
}

fn with<T>(routes: &[Row], change: impl FnOnce(&Paths<'_>) -> T) -> T {
    let addresses = [
        row(".id=*1 address=192.0.2.1/24 network=192.0.2.0 interface=ether1"),
        row(".id=*2 address=10.0.0.1/24 network=10.0.0.0 interface=bridge"),
    ];
    change(&Paths { way: &far(), addresses: &addresses, routes })
}

fn wish(destination: &str, gateway: &str) -> Wish {
    Wish { dst_address: Some(destination.into()), gateway: Some(gateway.into()), ..Wish::default() }
}

fn refused(result: Result<Proposal, Refused>) -> (Code, String) {
    let refused = result.unwrap_err();
    (refused.code, refused.say)
}

const TABLE: &[&str] = &[
    "dst-address=0.0.0.0/0 gateway=192.0.2.254 distance=1 active=true #",
    "dst-address=10.99.0.0/16 gateway=10.0.0.2 distance=10 active=true comment=lab #",
    "dst-address=10.98.0.0/16 gateway=10.0.0.3 static=true disabled=true",
    "dst-address=10.0.0.0/24 gateway=bridge distance=0 connect=true dynamic=true active=true",
    "dst-address=10.97.0.0/16 gateway=10.0.0.7 distance=110 ospf=true dynamic=true active=true",
    "dst-address=10.96.0.0/16 blackhole= distance=1 active=true #",
];

#[test]
fn a_route_is_added_with_its_distance_and_once_only() {
    let table = rows(TABLE);
    let proposal = with(&table, |paths| add(&wish("10.50.0.0/16", "10.0.0.2"), paths)).unwrap();
    let Action::Add { properties, .. } = &proposal.operations[0].action else { panic!("an add") };
    let told: Vec<_> = properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(told, ["dst-address=10.50.0.0/16", "gateway=10.0.0.2", "distance=1"]);
    assert_eq!((proposal.high.len(), proposal.warnings.len()), (0, 0));
    let twice = Wish { distance: Some(10), ..wish("10.99.0.0/16", "10.0.0.2") };
    let (code, say) = with(&table, |paths| refused(add(&twice, paths)));
    assert_eq!(code, Code::InvalidParams);
    assert!(say.contains("`dst_address`") && say.contains("`*1`"), "{say}");
    let other = Wish { distance: Some(11), ..twice };
    assert!(with(&table, |paths| add(&other, paths)).is_ok(), "another distance is another route");
    // A disabled route does not tell its distance: it may be the same.
    let (code, say) = with(&table, |paths| refused(add(&wish("10.98.0.0/16", "10.0.0.3"), paths)));
    assert!(code == Code::InvalidParams && say.contains("(disabled)"), "{say}");
}

#[test]
fn destinations_are_networks_and_never_everything() {
    for (destination, code, says) in [
        ("0.0.0.0/0", Code::UnsafeOperation, "default"),
        ("10.1.2.3/0", Code::UnsafeOperation, "default"),
        ("::/0", Code::UnsafeOperation, "default"),
        ("10.1.2.3/16", Code::InvalidParams, "10.1.0.0/16"),
        ("10.1.2.3", Code::InvalidParams, "10.1.2.3/32"),
        ("10.1.0.0/33", Code::InvalidParams, "no network"),
        ("10.1.0.0-10.1.0.255", Code::InvalidParams, "no network"),
        ("2001:db8::/32", Code::InvalidParams, "IPv6"),
        ("somewhere", Code::InvalidParams, "no network"),
    ] {
        let (got, say) = with(&[], |paths| refused(add(&wish(destination, "10.0.0.2"), paths)));
        assert!(got == code && say.contains(says), "{destination}: {got:?} {say}");
    }
    let proposal = with(&[], |paths| add(&wish("10.9.0.0/016", "10.0.0.2"), paths)).unwrap();
    let Action::Add { properties, .. } = &proposal.operations[0].action else { panic!("an add") };
    assert_eq!(properties[0].1, "10.9.0.0/16", "one spelling");
}

#[test]
fn gateways_are_other_routers() {
    for gateway in [
        "bridge",
        "10.0.0.2%bridge",
        "fe80::1",
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.5",
        "255.255.255.255",
        "10.0.0.1",
    ] {
        let (code, say) = with(&[], |paths| refused(add(&wish("10.9.0.0/16", gateway), paths)));
        assert!(code == Code::InvalidParams && say.contains("`gateway`"), "{gateway}: {say}");
    }
    let none = Wish { gateway: None, ..wish("10.9.0.0/16", "") };
    assert_eq!(with(&[], |paths| refused(add(&none, paths))).0, Code::InvalidParams);
    let far_off = with(&[], |paths| add(&wish("10.9.0.0/16", "172.31.0.1"), paths)).unwrap();
    assert!(far_off.warnings[0].contains("gateway"), "{far_off:?}");
}

#[test]
fn a_change_sets_what_differs_and_back() {
    let table = rows(TABLE);
    let change = Wish { gateway: Some("10.0.0.9".into()), distance: Some(10), ..Wish::default() };
    let proposal = with(&table, |paths| modify("*1", &change, paths)).unwrap();
    let [Operation { action, undo, .. }] = proposal.operations.as_slice() else { panic!("one request") };
    let Action::Set { properties, .. } = action else { panic!("a set") };
    assert_eq!(properties, &[("gateway".to_owned(), "10.0.0.9".to_owned())]);
    let Action::Set { properties, .. } = &undo[0] else { panic!("a set") };
    assert_eq!(properties, &[("gateway".to_owned(), "10.0.0.2".to_owned())]);
    let same = Wish { comment: Some("lab".into()), distance: Some(10), ..Wish::default() };
    assert!(with(&table, |paths| modify("*1", &same, paths)).unwrap().operations.is_empty());
    let moved = Wish { dst_address: Some("10.95.0.0/16".into()), ..Wish::default() };
    assert_eq!(with(&table, |paths| modify("*2", &moved, paths)).unwrap().operations.len(), 1, "disabled");
}

#[test]
fn what_cannot_be_changed_is_refused_and_says_why() {
    let table = rows(TABLE);
    let comment = || Wish { comment: Some("x".into()), ..Wish::default() };
    let distance = || Wish { distance: Some(7), ..Wish::default() };
    for (id, wish, code, says) in [
        ("*77", comment(), Code::NotFound, "*77"),
        ("*0", comment(), Code::UnsafeOperation, "default"),
        ("*3", comment(), Code::UnsafeOperation, "an address of the router"),
        ("*4", comment(), Code::UnsafeOperation, "OSPF"),
        ("*2", distance(), Code::UnsafeOperation, "disabled"),
        ("*5", wish("10.96.0.0/16", "10.0.0.2"), Code::InvalidParams, "`gateway`"),
        ("*1", wish("0.0.0.0/0", "10.0.0.2"), Code::UnsafeOperation, "default"),
        ("*1", wish("10.98.0.0/16", "10.0.0.3"), Code::InvalidParams, "`*2`"),
        ("*1", Wish::default(), Code::InvalidParams, "at least one"),
    ] {
        let (got, say) = with(&table, |paths| refused(modify(id, &wish, paths)));
        assert!(got == code && say.contains(says), "{id}: {got:?} {say}");
    }
    for (id, says) in [("*0", "default"), ("*2", "disabled"), ("*3", "an address"), ("*4", "OSPF")] {
        let (code, say) = with(&table, |paths| refused(remove(id, paths)));
        assert!(code == Code::UnsafeOperation && say.contains(says), "{id}: {say}");
    }
    let odd = rows(&["dst-address=10.9.0.0/16 gateway=10.0.0.2 distance=1 brand-new=1 #"]);
    assert_eq!(with(&odd, |paths| refused(remove("*0", paths))).0, Code::UnsafeOperation);
}

#[test]
fn a_removed_route_comes_back_whole() {
    let table = rows(TABLE);
    let again = |id: &str| {
        let proposal = with(&table, |paths| remove(id, paths)).unwrap();
        let Action::Add { properties, .. } = proposal.operations[0].undo[0].clone() else { panic!("an add") };
        properties.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        again("*1"),
        "comment=lab distance=10 dst-address=10.99.0.0/16 gateway=10.0.0.2 routing-table=main scope=30 target-scope=10"
    );
    assert!(again("*5").ends_with("blackhole=yes"), "the flag that reads as an empty text");
}

#[test]
fn the_route_to_us_stays_and_one_around_us_is_high_risk() {
    let table = rows(&[
        "dst-address=198.51.100.0/24 gateway=192.0.2.254 distance=1 active=true #",
        "dst-address=198.51.0.0/16 gateway=192.0.2.254 distance=1 active=true #",
    ]);
    let elsewhere = Wish { gateway: Some("10.0.0.2".into()), ..Wish::default() };
    assert_eq!(with(&table, |paths| refused(remove("*0", paths))).0, Code::UnsafeOperation);
    assert_eq!(with(&table, |paths| refused(modify("*0", &elsewhere, paths))).0, Code::UnsafeOperation);
    let words = Wish { comment: Some("to us".into()), ..Wish::default() };
    let named = with(&table, |paths| modify("*0", &words, paths)).unwrap();
    assert_eq!(named.operations[0].risky, None, "a comment leads nowhere else");
    let wider = with(&table, |paths| remove("*1", paths)).unwrap();
    assert_eq!((wider.high.len(), wider.operations[0].risky.is_some()), (1, false));
    let nearer = with(&table, |paths| add(&wish("198.51.100.0/25", "10.0.0.2"), paths)).unwrap();
    assert!(nearer.operations[0].risky.is_some() && nearer.high.len() == 1);
    let (code, _) = with(&table, |paths| refused(add(&wish("198.51.100.0/25", "172.31.0.1"), paths)));
    assert_eq!(code, Code::UnsafeOperation, "to nowhere");
}

#[test]
fn an_approver_is_told_of_shared_traffic_and_of_wide_destinations() {
    let table = rows(TABLE);
    let beside = Wish { distance: Some(10), ..wish("10.99.0.0/16", "10.0.0.9") };
    let proposal = with(&table, |paths| add(&beside, paths)).unwrap();
    assert!(proposal.warnings.iter().any(|words| words.contains("shared")), "{proposal:?}");
    let wide = with(&table, |paths| add(&wish("64.0.0.0/2", "10.0.0.9"), paths)).unwrap();
    assert!(wide.warnings.iter().any(|words| words.contains("wider")), "{wide:?}");
    let eight = with(&table, |paths| add(&wish("11.0.0.0/8", "10.0.0.9"), paths)).unwrap();
    assert!(eight.warnings.is_empty(), "{eight:?}");
}

/// Routes as routers show them: static and not, in use and not, disabled ones without their figures, look-alikes.
fn any_route() -> impl Strategy<Value = Row> {
    let destination = select(&["10.1.0.0/16", "10.2.0.0/16", "198.51.100.0/24", "0.0.0.0/0"][..]);
    let gateway = select(&["10.0.0.2", "10.0.0.3", "ether2", "10.0.0.2%bridge", ""][..]);
    let kind = select(&["static", "disabled", "ospf", "connect"][..]);
    let maybe = |name: &'static str, values: &'static [&'static str]| {
        option::of(select(values))
            .prop_map(move |value| value.map(|value| (name.to_owned(), value.to_owned())))
    };
    let some = (
        maybe("comment", &["a", "ünï"]),
        maybe("check-gateway", &["ping"]),
        maybe("pref-src", &["", "10.0.0.1"]),
        maybe("suppress-hw-offload", &["true", "false"]),
        maybe("active", &["true"]),
        maybe("immediate-gw", &["10.0.0.2%bridge"]),
    );
    (destination, gateway, kind, select(&["1", "5"][..]), select(&["main", "wan2"][..]), some).prop_map(
        |(destination, gateway, kind, distance, table, (a, b, c, d, e, f))| {
            let mut row: Row = [a, b, c, d, e, f].into_iter().flatten().collect();
            let mut set = |name: &str, value: &str| row.insert(name.into(), value.into());
            set("dst-address", destination);
            if gateway.is_empty() {
                set("blackhole", "");
            } else {
                set("gateway", gateway);
            }
            match kind {
                "static" => set("static", "true"),
                "disabled" => set("disabled", "true"),
                other => {
                    set(other, "true");
                    set("dynamic", "true")
                }
            };
            if kind != "disabled" {
                set("distance", distance);
                set("routing-table", table);
                set("scope", "30");
                set("target-scope", "10");
            }
            row
        },
    )
}

fn any_table() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(any_route(), 1..12).prop_map(|rows| {
        let id = |(n, mut row): (usize, Row)| {
            row.insert(".id".into(), format!("*8000000{n:X}"));
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
        text(&["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "198.51.100.0/25"]),
        text(&["10.0.0.2", "10.0.0.4", "172.31.0.1"]),
        option::of(select(&[1u8, 5, 200][..])),
        text(&["", "new words"]),
    )
        .prop_map(|(dst_address, gateway, distance, comment)| Wish {
            dst_address,
            gateway,
            distance,
            comment,
        })
}

/// Operations with the flag of a blackhole as a router shows it once it was written.
fn as_shown(mut operations: Vec<Operation>) -> Vec<Operation> {
    for operation in &mut operations {
        if let Action::Add { properties, .. } = &mut operation.undo[0] {
            properties
                .iter_mut()
                .filter(|(name, _)| name == "blackhole")
                .for_each(|(_, value)| value.clear());
        }
    }
    operations
}

/// The law compares in order; where a route stands means nothing, so the one in question stands last.
fn last(mut table: Vec<Row>, at: &prop::sample::Index) -> (Vec<Row>, String) {
    let row = table.remove(at.index(table.len()));
    let id = id_of(&row).to_owned();
    table.push(row);
    (table, id)
}

proptest! {
    #[test]
    fn adding_goes_there_and_back(table in any_table(), mut wish in any_wish()) {
        wish.dst_address.get_or_insert("10.1.0.0/16".into());
        wish.gateway.get_or_insert("10.0.0.2".into());
        if let Ok(proposal) = with(&table, |paths| add(&wish, paths)) {
            there_and_back(&MENU, &table, &proposal.operations);
        }
    }

    #[test]
    fn changing_goes_there_and_back(table in any_table(), wish in any_wish(), at in any::<prop::sample::Index>()) {
        let id = id_of(at.get(&table));
        if let Ok(proposal) = with(&table, |paths| modify(id, &wish, paths)) {
            there_and_back(&MENU, &table, &proposal.operations);
        }
    }

    #[test]
    fn removing_goes_there_and_back(table in any_table(), at in any::<prop::sample::Index>()) {
        let (table, id) = last(table, &at);
        if let Ok(proposal) = with(&table, |paths| remove(&id, paths)) {
            there_and_back(&MENU, &table, &as_shown(proposal.operations));
        }
    }
}
