//! What must hold for every reading, and what real routers were seen to answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use proptest::prelude::*;

use super::{
    ALL, Reading, Record, address_list::AddressListEntry, arp::ArpEntry, bridge::Bridge,
    device_mode::DeviceMode, dhcp_lease::DhcpLease, dhcp_server::DhcpServer, dns_cache::CachedName,
    firewall_filter::FilterRule, interface::Interface, ip_address::IpAddress, log::LogLine, looks_right,
    monitor_traffic::Traffic, route::Route, system_resource::SystemResource, wifi::WifiClient,
    wireless::WirelessClient,
};
use crate::routeros::{
    error::RouterError,
    json,
    port::{Reply, Row},
    rest::meaning,
};

fn row(pairs: &[(&str, &str)]) -> Row {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn read<R: Reading>(pairs: &[(&str, &str)]) -> R {
    R::read(&row(pairs)).unwrap()
}

/// What is declared and what is read are the same: a property too many would be asked for in vain, one too few would
/// never be seen when only declared properties are asked for.
#[test]
fn every_reading_reads_what_it_declares_and_nothing_else() {
    for kind in ALL {
        let empty = Row::new();
        let record = Record::new(&empty, kind.fields);
        (kind.try_read)(&record);
        let declared: BTreeSet<String> = kind.fields.iter().map(|field| field.name.to_owned()).collect();
        assert_eq!(declared.len(), kind.fields.len(), "{}: a property twice", kind.menu);
        // An id that only names the record to the router may be declared without being read.
        let asked = record.asked();
        let unread: Vec<_> = declared.difference(&asked).filter(|name| *name != ".id").collect();
        assert!(unread.is_empty(), "{} declares {unread:?} and never reads them", kind.menu);
        assert!(kind.fields.iter().any(|field| field.required), "{}: any row would do", kind.menu);
    }
}

#[test]
#[should_panic(expected = "not declared")]
fn an_undeclared_property_cannot_be_read() {
    let empty = Row::new();
    let _ = Record::new(&empty, Interface::FIELDS).get("secret");
}

#[test]
fn every_reading_is_in_the_list_once() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/routeros/resources");
    let mut declared = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if ["tests.rs", "record.rs", "mod.rs"].iter().any(|name| file.ends_with(name)) {
            continue;
        }
        let source = std::fs::read_to_string(&file).unwrap();
        declared += source.matches("reading! {").count() + source.matches("impl Reading for ").count();
    }
    assert_eq!(declared, ALL.len());
    let menus: BTreeSet<&str> = ALL.iter().map(|kind| kind.menu).collect();
    assert_eq!(menus.len(), ALL.len(), "a menu has two readings");
}

#[test]
fn rows_of_another_menu_are_noticed() {
    assert!(!looks_right("/ip/address", &row(&[("name", "router")])));
    assert!(
        looks_right("/ip/neighbor", &row(&[("name", "router")])),
        "a menu that no reading knows is believed"
    );
    for kind in ALL {
        assert!(!looks_right(kind.menu, &row(&[("none-of-ours", "x")])), "{}", kind.menu);
    }
}

proptest! {
    #[test]
    fn no_value_of_a_router_makes_a_reading_panic(values in proptest::collection::vec(".{0,24}", 40)) {
        for kind in ALL {
            let names = kind.fields.iter().map(|field| field.name.to_owned());
            let full: Row = names.zip(values.iter().cloned()).collect();
            (kind.try_read)(&Record::new(&full, kind.fields));
        }
    }
}

/// Answers of real routers, where the library that holds them stands beside the project; it always does in CI.
fn capture(name: &str) -> Option<Reply> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/routeros/captures");
    if !folder.exists() {
        assert!(std::env::var_os("CI").is_none(), "CI has ../shared");
        println!("skipped: no ../shared");
        return None;
    }
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let body = json::parse(&bytes).unwrap();
    Some(Reply { rows: body.rows, ret: body.ret, took: std::time::Duration::ZERO, tries: 1 })
}

#[test]
fn captured_answers_are_read() {
    let Some(reply) = capture("api_arp_v6.json") else { return };
    let arp = &ArpEntry::all(&reply).unwrap()[0];
    assert!(arp.by_dhcp() && arp.complete && arp.state().expose() == "complete", "{arp:?}");
    let client = WifiClient::one(&capture("api_wifi_registration.json").unwrap()).unwrap();
    assert_eq!((client.signal, client.uptime_s), (Some(-47), Some(228_507)));
    assert_eq!((client.bytes, client.authorized), (Some((1_851_474, 2_037_295)), true));
    let client = WirelessClient::one(&capture("api_wireless_registration.json").unwrap()).unwrap();
    assert_eq!((client.signal, client.signal_to_noise), (Some(-62), Some(52)));
    assert_eq!((client.packets, client.authenticated()), (Some((59_542, 17_464)), true));
    let entry = AddressListEntry::one(&capture("rest_address_list_timeout.json").unwrap()).unwrap();
    assert_eq!((entry.timeout_s, entry.dynamic, entry.disabled), (Some(86_400), true, false));
    let mode = DeviceMode::one(&capture("rest_device_mode.json").unwrap()).unwrap();
    assert_eq!((mode.mode.expose(), mode.flagged), ("advanced", false));
    assert_eq!(
        mode.blocked,
        ["traffic-gen", "container", "install-any-version", "partitions", "routerboard"]
    );
    let traffic = Traffic::all(&capture("rest_monitor_traffic_duration3.json").unwrap()).unwrap();
    assert_eq!((traffic.len(), traffic[0].rx_bits_per_second), (3, Some(0)));
    assert_eq!(traffic[0].rx_packets_per_second, None, "not told is not zero");
    let address = IpAddress::one(&capture("rest_put_ip_address_201.json").unwrap()).unwrap();
    assert_eq!(address.actual_interface.unwrap().expose(), "guest");
    let resource = SystemResource::one(&capture("rest_system_resource_7.1beta4.json").unwrap()).unwrap();
    assert_eq!(resource.version.expose(), "7.1beta4 (development)");
}

/// What an answer of a real router is read as.
enum ReadAs {
    /// The reading of this menu.
    Menu(&'static str),
    /// A refusal with this status, and what it means.
    Refusal(u16, fn(&RouterError) -> bool),
    /// The value of `ret` alone.
    Ret,
    /// No reading: nothing asks this command, for this reason.
    Nothing(&'static str, &'static str),
}

/// Every captured answer.
const CAPTURES: [(&str, ReadAs); 14] = [
    ("api_arp_v6.json", ReadAs::Menu("/ip/arp")),
    ("api_wifi_registration.json", ReadAs::Menu("/interface/wifi/registration-table")),
    ("api_wireless_registration.json", ReadAs::Menu("/interface/wireless/registration-table")),
    ("rest_address_list_timeout.json", ReadAs::Menu("/ip/firewall/address-list")),
    ("rest_bandwidth_test_3s.json", ReadAs::Nothing("/tool/bandwidth-test", "no tool measures bandwidth")),
    (
        "rest_check_for_updates.json",
        ReadAs::Nothing("/system/package/update/check-for-updates", "no tool looks for updates"),
    ),
    ("rest_device_mode.json", ReadAs::Menu("/system/device-mode")),
    ("rest_error_406_old.json", ReadAs::Refusal(406, |error| matches!(error, RouterError::Absent { .. }))),
    ("rest_error_session_closed.json", ReadAs::Refusal(400, |error| matches!(error, RouterError::Wall))),
    ("rest_execute_rejected_200.json", ReadAs::Ret),
    ("rest_monitor_traffic_duration3.json", ReadAs::Menu("/interface/monitor-traffic")),
    ("rest_ping_count4.json", ReadAs::Nothing("/tool/ping", "no tool pings")),
    ("rest_put_ip_address_201.json", ReadAs::Menu("/ip/address")),
    ("rest_system_resource_7.1beta4.json", ReadAs::Menu("/system/resource")),
];

#[test]
fn every_capture_goes_to_a_reading_or_is_named() {
    let Some(_) = capture("rest_device_mode.json") else { return };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/routeros/captures");
    let files =
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|name| name.ends_with(".json")).collect();
    let named: BTreeSet<String> = CAPTURES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, named, "every capture has a line here");
    for (name, read_as) in CAPTURES {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let body = json::parse(&bytes).unwrap();
        assert!(!body.rows.is_empty() || body.ret.is_some(), "{name}");
        let told = match read_as {
            ReadAs::Menu(menu) => {
                let kind = ALL
                    .iter()
                    .find(|kind| kind.menu == menu)
                    .unwrap_or_else(|| panic!("no reading of {menu}"));
                for row in &body.rows {
                    assert!(looks_right(menu, row), "{name} is not of {menu}: {row:?}");
                    (kind.try_read)(&Record::new(row, kind.fields));
                }
                let known = |key: &&String| kind.fields.iter().any(|field| field.name == **key);
                let keys: BTreeSet<&String> = body.rows.iter().flat_map(BTreeMap::keys).collect();
                let read = keys.iter().filter(|key| known(key)).count();
                assert!(
                    read >= kind.fields.iter().filter(|field| field.required).count() && read > 1,
                    "{name}"
                );
                format!("{menu}: {} records, {read} of {} properties read", body.rows.len(), keys.len())
            }
            ReadAs::Refusal(status, fits) => {
                let status = reqwest::StatusCode::from_u16(status).unwrap();
                let error = meaning(status, false, &bytes).unwrap_err();
                assert!(fits(&error), "{name}: {error:?}");
                format!("a refusal, {status}: {error}")
            }
            ReadAs::Ret => {
                assert!(body.rows.is_empty());
                "the words of `ret`".to_owned()
            }
            ReadAs::Nothing(command, why) => {
                let has = ALL.iter().any(|kind| kind.menu == command);
                assert!(!has, "{command} has a reading: {name} goes there");
                format!("no reading: {why}")
            }
        };
        println!("{name} → {told}");
    }
}

#[test]
fn keys_that_are_absent_mean_unset() {
    let rule: FilterRule = read(&[(".id", "*1"), ("chain", "input")]);
    assert_eq!((rule.action, rule.disabled, rule.protocol, rule.bytes), (None, false, None, None));
    assert!(rule.comment.is_empty());
    let route: Route = read(&[
        (".id", "*80000003"),
        ("dst-address", "198.51.100.0/24"),
        ("blackhole", ""),
        ("disabled", "true"),
    ]);
    assert!(route.blackhole && route.disabled && !route.active && !route.dynamic);
    assert_eq!((route.distance, route.routing_table, route.gateway), (None, None, None));
    let arp: ArpEntry = read(&[(".id", "*0"), ("address", "10.0.0.9"), ("interface", "bridge")]);
    assert_eq!((arp.id.expose(), arp.mac_address.clone(), arp.state().expose()), ("*0", None, "incomplete"));
}

#[test]
fn auto_never_and_dangling_ids_are_no_numbers() {
    let bridge: Bridge = read(&[
        (".id", "*10"),
        ("name", "bridge"),
        ("mtu", "auto"),
        ("arp-timeout", "auto"),
        ("ageing-time", "5m"),
    ]);
    assert_eq!((bridge.mtu, bridge.arp_timeout_s, bridge.ageing_time_s), (None, None, Some(300)));
    let lease: DhcpLease =
        read(&[(".id", "*1"), ("status", "waiting"), ("last-seen", "never"), ("server", "*1")]);
    assert_eq!((lease.last_seen_s, lease.server.unwrap().expose().to_owned()), (None, "*1".to_owned()));
    let server: DhcpServer = read(&[
        (".id", "*1"),
        ("name", "dhcp1"),
        ("interface", "bridge"),
        ("address-pool", "*1"),
        ("lease-time", "00:10:00"),
    ]);
    assert_eq!((server.address_pool.expose(), server.lease_time_s), ("*1", Some(600)));
    let cached: CachedName = read(&[("name", "a.example"), ("ttl", "1d2h")]);
    assert_eq!(cached.ttl_s, Some(93_600));
}

#[test]
fn log_lines_split_their_topics_and_know_their_time() {
    let line: LogLine = read(&[
        (".id", "*7"),
        ("time", "sep/28 16:48:57"),
        ("topics", "system,error,critical"),
        ("message", "login failure\u{1b}[31m"),
    ]);
    assert_eq!(line.topics.len(), 3);
    let today = chrono::NaiveDate::from_ymd_opt(2026, 10, 1).unwrap();
    assert_eq!(line.at(today).unwrap().to_string(), "2026-09-28 16:48:57");
    assert_eq!(line.message.expose(), "login failure");
}

#[test]
fn secrets_that_stand_in_the_same_record_are_never_asked_for() {
    for kind in ALL {
        for field in kind.fields {
            let secret = ["passphrase", "password", "secret", "pre-shared-key", "private-key"];
            assert!(!secret.iter().any(|word| field.name.contains(word)), "{} {}", kind.menu, field.name);
        }
    }
    // These menus print passphrases to whoever asks for everything.
    for kind in ALL
        .iter()
        .filter(|kind| kind.menu.starts_with("/interface/wi") || kind.menu.starts_with("/caps-man/reg"))
    {
        assert!(kind.picks, "{} is asked for whole", kind.menu);
    }
}
