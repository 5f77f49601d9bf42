//! Scripts to the letter, what cannot be one, and when they are due.

use events::{
    operation::{Action, Expectation, FOUND, Operation, Which},
    plan::Rung,
};
use proptest::prelude::*;

use super::{
    dead_man::{SCRIPT_BYTES_MAX, armed, inverse, quoted, rung, seconds},
    firewall_filter::MENU,
    record, set_singleton,
};
use crate::{
    changes::play::play,
    routeros::{
        port::{Reply, Row},
        resources::{Reading as _, device_mode::DeviceMode},
    },
};

fn row(text: &str) -> Row {
    let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn rules() -> Vec<Row> {
    vec![
        row(".id=*1 chain=input action=accept connection-state=established,related"),
        row(
            ".id=*2 chain=input action=drop src-address=10.0.0.0/8 log=true log-prefix=no limit=5 disabled=false",
        ),
        row(".id=*3 chain=input action=drop dynamic=true"),
        row(".id=*4 chain=forward action=drop comment=last"),
    ]
}

fn pairs(text: &str) -> Vec<(String, String)> {
    row(text).into_iter().collect()
}

fn script(operations: &[Operation]) -> String {
    inverse(operations).unwrap()
}

#[test]
fn what_was_set_is_set_back() {
    let dns = set_singleton("/ip/dns", pairs("servers=1.1.1.1,9.9.9.9"), pairs("servers=8.8.8.8"));
    assert_eq!(script(&[dns]), r#":do { /ip/dns/set servers="1.1.1.1,9.9.9.9" } on-error={}"#);
    let none = set_singleton("/ip/dns", vec![("servers".into(), String::new())], pairs("servers=8.8.8.8"));
    assert_eq!(script(&[none]), r#":do { /ip/dns/set servers="" } on-error={}"#);
    let set = record::set(&MENU, &rules()[3], &pairs("comment=first dst-port=80")).unwrap();
    assert_eq!(
        script(&set),
        r#":do { /ip/firewall/filter/set *4 comment="last" } on-error={}; :do { /ip/firewall/filter/unset *4 value-name=dst-port } on-error={}"#
    );
}

#[test]
fn what_was_added_is_removed_if_it_is_the_only_one() {
    let added =
        record::add(&MENU, &rules(), pairs("chain=input action=accept dst-port=443 log=yes"), Some("*1"));
    assert_eq!(
        script(&[added]),
        ":do { :local f [/ip/firewall/filter/find where action=\"accept\" chain=\"input\" (dst-port=\"443\" or dst-port=443) \
         (log=\"yes\" or log=yes) !dynamic]; :if ([:len $f] = 1) do={ /ip/firewall/filter/remove $f } } on-error={}"
    );
    let like = record::add(&MENU, &rules(), pairs("chain=forward action=drop comment=last"), None);
    assert!(script(&[like]).contains(" !dynamic .id!=*4]"), "the one that was there is another");
}

#[test]
fn a_record_that_the_part_itself_changes_is_never_taken_for_the_added_one() {
    let rows = rules();
    let changed = record::set(&MENU, &rows[3], &pairs("comment=first")).unwrap().remove(0);
    let now = play(&rows, &changed.action, "*9");
    let added = record::add(&MENU, &now, pairs("chain=forward action=drop comment=last"), None);
    // While nothing is made, *4 looks just like what is added later.
    assert!(script(&[changed, added]).contains(" !dynamic .id!=*4]"));
}

#[test]
fn what_was_removed_is_put_back_where_it_was_unless_it_is_there() {
    let removed = record::remove(&MENU, &rules(), &rules()[1]).unwrap();
    let found = "action=\"drop\" chain=\"input\" !disabled (limit=\"5\" or limit=5) (log=\"true\" or log=yes) log-prefix=\"no\" \
                 (src-address=\"10.0.0.0/8\" or src-address=10.0.0.0/8) !dynamic";
    assert_eq!(
        script(&[removed]),
        format!(
            ":do {{ :if ([:len [/ip/firewall/filter/find where .id=*2]] = 0 && [:len [/ip/firewall/filter/find where {found}]] = 0) \
             do={{ /ip/firewall/filter/add action=\"drop\" chain=\"input\" disabled=\"false\" limit=\"5\" log=\"true\" log-prefix=\"no\" \
             src-address=\"10.0.0.0/8\" place-before=*4 }} }} on-error={{}}"
        )
    );
}

#[test]
fn what_was_moved_goes_back_also_to_the_end() {
    let rows = rules();
    let up = record::move_before(&MENU, &rows, &rows[1], "*1").unwrap().unwrap();
    let down = record::move_before(&MENU, &rows, &rows[3], "*1").unwrap().unwrap();
    assert_eq!(
        script(&[up]),
        ":do { :if ([:len [/ip/firewall/filter/find where .id=*4]] = 1) do={ /ip/firewall/filter/move numbers=*2 destination=*4 } } \
         on-error={}"
    );
    assert_eq!(script(&[down]), ":do { /ip/firewall/filter/move numbers=*4 } on-error={}");
}

#[test]
fn the_last_operation_is_undone_first() {
    let rows = rules();
    let first = record::set(&MENU, &rows[0], &pairs("comment=a")).unwrap().remove(0);
    let now = play(&rows, &first.action, "*9");
    let second = record::remove(&MENU, &now, &now[3]).unwrap();
    let both = script(&[first, second]);
    assert!(both.find("/add ").unwrap() < both.find("/set *1").unwrap(), "{both}");
}

#[test]
fn what_cannot_be_told_safely_has_no_script() {
    let rows = rules();
    let set = record::set(&MENU, &rows[3], &pairs("comment=a")).unwrap().remove(0);
    let gone = record::remove(&MENU, &rows, &rows[3]).unwrap();
    // Put back, the record has another id: neither it nor its place can be named.
    assert!(inverse(&[set, gone.clone()]).is_err());
    let before_it = record::remove(&MENU, &rows, &rows[1]).unwrap();
    assert!(inverse(&[before_it, gone]).is_err());
    // Of two that are alike, one added here and one removed: which of them is there could not be told.
    let twin = record::add(&MENU, &rows, pairs("chain=forward action=drop comment=last"), None);
    let now = play(&rows, &twin.action, FOUND);
    let gone = record::remove(&MENU, &now, &rows[3]).unwrap();
    assert!(inverse(&[twin, gone]).is_err());
    let mut flush = set_singleton("/ip/dns", pairs("servers=1.1.1.1"), pairs("servers=8.8.8.8"));
    flush.undo.clear();
    assert!(inverse(&[flush]).unwrap_err().contains("no undo"));
    let strange = |menu: &str, name: &str| {
        let property = |value: &str| vec![(name.to_owned(), value.to_owned())];
        inverse(&[set_singleton(menu, property("a"), property("b"))])
    };
    for (menu, name) in
        [("/ip/dns]; /system/reboot", "servers"), ("/ip/dns", "x=1 y"), ("", "servers"), ("/ip/dns", "")]
    {
        assert!(strange(menu, name).is_err(), "{menu} {name}");
    }
    let id = Action::Remove { menu: MENU.path.into(), id: "*1 *2".into() };
    let mut bad = record::add(&MENU, &rows, pairs("chain=a"), None);
    bad.undo = vec![id];
    assert!(inverse(&[bad]).is_err());
    let nobody = Operation {
        action: Action::Add { menu: MENU.path.into(), properties: vec![] },
        undo: vec![Action::Remove { menu: MENU.path.into(), id: FOUND.into() }],
        expect_before: Expectation::gone(MENU.path, Which::Menu),
        expect_after: Expectation::of(
            MENU.path,
            Which::Find { by: vec![("dynamic".into(), None)], narrow: vec![], except: vec![] },
            vec![],
        ),
        risky: None,
    };
    assert!(inverse(&[nobody]).is_err(), "any record would do");
    let long: Vec<Operation> = (0..200)
        .map(|n| {
            set_singleton(
                "/ip/dns",
                pairs(&format!("servers={}", "9".repeat(150 + n % 2))),
                pairs("servers=1"),
            )
        })
        .collect();
    let why = armed(&long, Rung::TimerJob, 120, "x").unwrap_err();
    assert!(why.contains(&SCRIPT_BYTES_MAX.to_string()), "{why}");
}

#[test]
fn a_timer_waits_and_an_entry_removes_itself_first() {
    let dns = set_singleton("/ip/dns", pairs("servers=1.1.1.1"), pairs("servers=8.8.8.8"));
    let timer = armed(std::slice::from_ref(&dns), Rung::TimerJob, 120, "0a-r1").unwrap();
    let Action::Command { menu, command, properties } = &timer.arm else { panic!("{timer:?}") };
    assert_eq!((menu.as_str(), command.as_str(), properties[0].0.as_str()), ("/", "execute", "script"));
    assert!(properties[0].1.starts_with(":delay 120s; :log warning "), "{}", properties[0].1);
    assert_eq!((timer.menu.as_str(), &timer.name, timer.seconds), ("/system/script/job", &None, 120));
    let entry = armed(&[dns], Rung::Scheduler, 90, "0a-r1").unwrap();
    let Action::Add { menu, properties } = &entry.arm else { panic!("{entry:?}") };
    let of = |name: &str| properties.iter().find(|(n, _)| n == name).unwrap().1.as_str();
    assert_eq!(
        (menu.as_str(), of("name"), of("interval")),
        ("/system/scheduler", "appliance-undo-0a-r1", "90s")
    );
    assert!(
        of("on-event").starts_with(
            r#":do { /system/scheduler/remove [/system/scheduler/find where name="appliance-undo-0a-r1"] } on-error={}; "#
        ),
        "{}",
        of("on-event")
    );
    assert_eq!(
        (entry.menu.as_str(), entry.name.as_deref()),
        ("/system/scheduler", Some("appliance-undo-0a-r1"))
    );
}

#[test]
fn the_scheduler_is_taken_where_mode_and_group_allow_it() {
    let mode = |text: &str| {
        let reply = Reply { rows: vec![row(text)], ret: None, took: std::time::Duration::ZERO, tries: 1 };
        DeviceMode::one(&reply).unwrap()
    };
    let all = Some("local,read,write,policy,test,!sniff");
    let free = mode("mode=advanced scheduler=true");
    assert_eq!(rung(Some(&free), all), Rung::Scheduler);
    assert_eq!(rung(None, all), Rung::Scheduler, "releases without modes forbid nothing");
    for no in
        ["mode=home scheduler=false", "mode=home scheduler=no", "mode=advanced flagged=true scheduler=true"]
    {
        assert_eq!(rung(Some(&mode(no)), all), Rung::TimerJob, "{no}");
    }
    for policies in [None, Some(""), Some("read,write,test"), Some("read,write,!policy,test")] {
        assert_eq!(rung(Some(&free), policies), Rung::TimerJob, "{policies:?}");
    }
}

proptest! {
    #[test]
    fn a_deadline_is_after_the_wave_and_its_soak(floor in 3u32..=3600, soak in 0u32..=3600, n in 1usize..50, devices in 1usize..=50) {
        let at = seconds(floor, soak, n, devices);
        prop_assert!(at >= floor + soak);
        prop_assert!(seconds(floor, soak, n + 1, devices) > at && seconds(floor, soak, n, devices + 16) > at || at == 86_400);
        prop_assert!(devices > 16 || n > 1 || at == floor + soak);
    }

    #[test]
    fn a_quoted_text_is_one_line_of_plain_signs_and_ends_where_it_should(text in any::<String>()) {
        let quoted = quoted(&text);
        prop_assert!(quoted.bytes().all(|b| (b' '..=b'~').contains(&b)));
        // Read as the console reads it: nothing but escapes, and they give the bytes back.
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
        let (mut bytes, mut rest) = (Vec::new(), inner.bytes());
        while let Some(byte) = rest.next() {
            prop_assert!(!matches!(byte, b'"' | b'$'), "ends early: {}", quoted);
            if byte != b'\\' {
                bytes.push(byte);
                continue;
            }
            let next = rest.next().unwrap();
            if matches!(next, b'"' | b'\\' | b'$' | b'?') {
                bytes.push(next);
            } else {
                let hex = [next, rest.next().unwrap()];
                prop_assert!(hex.iter().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b)));
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            }
        }
        prop_assert_eq!(bytes, text.into_bytes());
    }
}
