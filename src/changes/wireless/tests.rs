//! What must hold for every change of Wi-Fi, on configurations of every stack.

use events::operation::Action;
use proptest::{option, prelude::*, sample::select};

use super::{
    Tune,
    air::{Air, Shelf},
    radio::tune,
    ssid::{Changed, New, create, modify, remove},
    stacks::{Stack, WAVE2, WIFI, WIRELESS},
};
use crate::{
    changes::{Proposal, Refused, guard::Way, play::laws::there_and_back, record::id_of},
    failure::Code,
    routeros::port::Row,
};

fn row(text: &str) -> Row {
    let pairs = text.split(';').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn rows(lines: &[&str]) -> Vec<Row> {
    lines.iter().map(|line| row(line)).collect()
}

fn far() -> Way {
    Way {
        to: "192.0.2.1".parse().unwrap(),
        port: 443,
        from: vec![],
        direct: true,
        interface: Some("ether1".into()),
    }
}

/// A router with one stack.
fn one(stack: &'static Stack, interfaces: &[&str]) -> Air {
    let mut shelf = Shelf::new(stack, rows(interfaces));
    if stack.newer {
        shelf.configurations = rows(&["name=town;ssid=town;country=Latvia;security=staff;channel=quiet"]);
        shelf.channels = rows(&["name=quiet;frequency=5180,5200;band=5ghz-ax"]);
        shelf.securities = rows(&["name=staff;authentication-types=wpa2-psk", "name=free"]);
    } else {
        shelf.securities = rows(&["name=default;mode=none", "name=staff;mode=dynamic-keys"]);
    }
    Air { shelves: vec![shelf], ports: vec![], vlans: vec![] }
}

const OLD: &[&str] = &[
    ".id=*1;name=wlan1;default-name=wlan1;mode=ap-bridge;ssid=town;frequency=2437;band=2ghz-b/g/n;country=latvia;security-profile=default;tx-power-mode=default;nv2-preshared-key=;disabled=false;running=true",
    ".id=*2;name=guests;master-interface=wlan1;mode=ap-bridge;ssid=guests;security-profile=default;disabled=false",
];
const NEW: &[&str] = &[
    ".id=*1;name=wifi1;configuration=town;radio-mac=00:00:5E:00:53:01;master=true;disabled=false",
    ".id=*2;name=guests;master-interface=wifi1;configuration.mode=ap;configuration.ssid=guests;security=staff;disabled=false",
    ".id=*3;name=own;master-interface=wifi1;configuration.mode=ap;configuration.ssid=own;security.authentication-types=wpa2-psk;security.passphrase=canary;disabled=false",
];

fn code(result: Result<Proposal, Refused>) -> Code {
    result.unwrap_err().code
}

fn ssid(ssid: &str) -> Changed {
    Changed { ssid: Some(ssid.into()), ..Changed::default() }
}

fn profile(profile: &str) -> Changed {
    Changed { security_profile: Some(profile.into()), ..Changed::default() }
}

fn sent(proposal: &Proposal) -> Vec<&Action> {
    proposal.operations.iter().map(|operation| &operation.action).collect()
}

/// Interfaces as routers show them: radios and access points on them, with and without what a change sets.
fn any_air() -> impl Strategy<Value = Air> {
    let interface = (
        any::<bool>(),
        option::of(select(&["town", "guests", "ünï"][..])),
        option::of(select(&["staff", "free"][..])),
        option::of(select(&["a", "defconf"][..])),
        (any::<bool>(), option::of(any::<bool>()), any::<bool>()),
    );
    let stack = select(vec![&WIRELESS, &WAVE2, &WIFI]);
    (stack, proptest::collection::vec(interface, 1..6)).prop_map(|(stack, interfaces)| {
        let mut all = Vec::new();
        for (n, (on_first, ssid, security, comment, (tuned, disabled, profiled))) in
            interfaces.into_iter().enumerate()
        {
            let mut row = Row::new();
            let mut put = |name: &str, value: &str| row.insert(name.to_owned(), value.to_owned());
            put(".id", &format!("*{:X}", 5 * n + 9));
            put("name", &format!("radio {n}"));
            put("running", if tuned { "true" } else { "false" });
            if let Some(off) = disabled {
                put("disabled", if off { "true" } else { "false" });
            }
            if let Some(comment) = comment {
                put("comment", comment);
            }
            if !stack.newer || ssid.is_some() {
                put(stack.ssid, ssid.unwrap_or("MikroTik"));
            }
            if !stack.newer || security.is_some() {
                put(stack.security, security.unwrap_or("default"));
            }
            let radio = n == 0 || !on_first;
            if !radio {
                put("master-interface", "radio 0");
            }
            if stack.newer && profiled {
                put("configuration", "town");
            }
            if radio && (!stack.newer || tuned) {
                put(stack.frequency, "2437");
                put(stack.band, if stack.newer { "2ghz-ax" } else { "2ghz-b/g/n" });
                put(stack.tx_power, "17");
            }
            if !stack.newer {
                put("tx-power-mode", "all-rates-fixed");
            }
            all.push(row);
        }
        let mut air = one(stack, &[]);
        air.shelves[0].interfaces = all;
        air
    })
}

fn any_tune() -> impl Strategy<Value = Tune> {
    let pair = select(
        &[("", 0u16), ("2ghz-n", 1), ("2ghz-n", 0), ("", 13), ("5ghz-ac", 36), ("", 36), ("5ghz-ac", 0)][..],
    );
    (pair, select(&[0u8, 14, 17][..]))
        .prop_map(|((band, channel), dbm)| Tune::of(band, channel, dbm).unwrap())
}

/// The changes go there and back, on the stack's own menu.
fn held(air: &Air, proposal: Result<Proposal, Refused>) {
    let Ok(proposal) = proposal else { return };
    let shelf = &air.shelves[0];
    there_and_back(&shelf.stack.menu, &shelf.interfaces, &proposal.operations);
}

proptest! {
    #[test]
    fn making_goes_there_and_back(air in any_air(), security in select(&["staff", "free", "default"][..]), at in any::<prop::sample::Index>()) {
        let on = super::air::name_of(at.get(&air.shelves[0].interfaces)).to_owned();
        let new = New { ssid: "new".into(), security_profile: security.into(), interface: Some(on), ..New::default() };
        held(&air, create(&air, &new, &[], &[], &far()));
    }

    #[test]
    fn changing_goes_there_and_back(air in any_air(), ssid in option::of(select(&["new", "town"][..])), security in option::of(select(&["staff", "free"][..])), mut tune in any_tune(), at in any::<prop::sample::Index>()) {
        tune.dbm = None;
        let changed = Changed { ssid: ssid.map(str::to_owned), security_profile: security.map(str::to_owned), tune };
        held(&air, modify(&air, id_of(at.get(&air.shelves[0].interfaces)), &changed, &far()));
    }

    #[test]
    fn removing_goes_there_and_back(air in any_air(), at in any::<prop::sample::Index>()) {
        held(&air, remove(&air, id_of(at.get(&air.shelves[0].interfaces)), &[], &far()));
    }

    #[test]
    fn tuning_goes_there_and_back(air in any_air(), wanted in any_tune(), at in any::<prop::sample::Index>()) {
        let on = super::air::name_of(at.get(&air.shelves[0].interfaces)).to_owned();
        held(&air, tune(&air, &on, &wanted, &far()));
    }
}

#[test]
fn an_ssid_is_made_in_the_words_of_its_stack() {
    let guests = |ssid: &str, security: &str| New {
        ssid: ssid.into(),
        security_profile: security.into(),
        bridge: Some("lan".into()),
        ..New::default()
    };
    let taken = ["wlan1".to_owned(), "wifi1".to_owned()];
    let bridges = ["lan".to_owned()];
    for (stack, interfaces, wanted) in [
        (
            &WIRELESS,
            OLD,
            "name=wlan2;master-interface=wlan1;mode=ap-bridge;ssid=new;disabled=false;security-profile=staff",
        ),
        (
            &WIFI,
            NEW,
            "name=wifi2;master-interface=wifi1;configuration.mode=ap;configuration.ssid=new;disabled=false;security=staff",
        ),
    ] {
        let air = one(stack, interfaces);
        let made = create(&air, &guests("new", "staff"), &taken, &bridges, &far()).unwrap();
        let [Action::Add { menu, properties }, Action::Add { menu: ports, properties: port }] =
            sent(&made)[..]
        else {
            panic!("{made:?}")
        };
        assert_eq!((menu.as_str(), ports.as_str()), (stack.menu.path, "/interface/bridge/port"));
        assert_eq!(properties.iter().cloned().collect::<Row>(), row(wanted));
        assert_eq!(
            port.iter().cloned().collect::<Row>(),
            row(&format!("bridge=lan;interface={}", properties[0].1))
        );
        assert!(made.warnings.is_empty() && made.high.is_empty(), "{made:?}");
        // Nobody has to give a key on an open one.
        let open = create(&air, &guests("new", "default"), &taken, &bridges, &far()).unwrap();
        assert!(open.warnings[0].contains("open"), "{open:?}");
        assert_eq!(
            code(create(&air, &guests("guests", "staff"), &taken, &bridges, &far())),
            Code::InvalidParams
        );
        assert_eq!(
            code(create(&air, &guests("town", "staff"), &taken, &bridges, &far())),
            Code::InvalidParams
        );
        assert_eq!(code(create(&air, &guests("new", "nobody"), &taken, &bridges, &far())), Code::NotFound);
        assert_eq!(code(create(&air, &guests("new", "staff"), &taken, &[], &far())), Code::NotFound);
        let name = New { name: Some("wlan1".into()), ..guests("new", "staff") };
        assert_eq!(code(create(&air, &name, &taken, &bridges, &far())), Code::InvalidParams);
        for bad in ["", &"x".repeat(33), &"ü".repeat(17)] {
            assert_eq!(
                code(create(&air, &guests(bad, "staff"), &taken, &bridges, &far())),
                Code::InvalidParams
            );
        }
    }
}

#[test]
fn a_radio_is_chosen_by_its_band_and_shared() {
    let mut air = one(&WIRELESS, OLD);
    air.shelves.push(one(&WIFI, NEW).shelves.remove(0));
    let new = |band: &str, channel: u16| New {
        ssid: "new".into(),
        security_profile: "staff".into(),
        tune: Tune::of(band, channel, 0).unwrap(),
        ..New::default()
    };
    let on = |new: &New| -> Result<String, Code> {
        let made = create(&air, new, &[], &[], &far()).map_err(|refused| refused.code)?;
        let Action::Add { properties, .. } = sent(&made)[0] else { panic!("an add") };
        Ok(properties[1].1.clone())
    };
    assert_eq!(on(&new("", 0)), Err(Code::InvalidParams), "two radios");
    assert_eq!(on(&new("2ghz-n", 0)).as_deref(), Ok("wlan1"));
    assert_eq!(on(&new("2ghz-b/g/n", 6)).as_deref(), Ok("wlan1"));
    assert_eq!(on(&new("5ghz-ax", 0)).as_deref(), Ok("wifi1"), "its profile tells");
    assert_eq!(on(&new("2ghz-n", 1)), Err(Code::InvalidParams), "it is on channel 6");
    assert_eq!(on(&new("2ghz-b", 0)), Err(Code::InvalidParams), "it is another band");
    assert_eq!(on(&new("5ghz-n/ac", 0)), Err(Code::NotFound), "no stack with such a radio has it");
    let named = New { interface: Some("guests".into()), ..new("", 0) };
    assert_eq!(on(&named), Err(Code::InvalidParams), "no radio");
    let nowhere = New { interface: Some("nowhere".into()), ..new("", 0) };
    assert_eq!(on(&nowhere), Err(Code::NotFound));
}

#[test]
fn what_stands_in_a_profile_is_said_over_it_and_unset_again() {
    let air = one(&WIFI, NEW);
    let changed = modify(&air, "*1", &ssid("village"), &far()).unwrap();
    let Action::Set { properties, .. } = sent(&changed)[0] else { panic!("a set") };
    assert_eq!(properties, &[("configuration.ssid".to_owned(), "village".to_owned())]);
    let Action::Command { command, properties, .. } = &changed.operations[0].undo[0] else { panic!("unset") };
    assert_eq!((command.as_str(), properties[1].1.as_str()), ("unset", "configuration.ssid"));
    // What the profile says already is no change.
    assert!(modify(&air, "*1", &ssid("town"), &far()).unwrap().operations.is_empty());
    assert!(modify(&air, "*1", &profile("staff"), &far()).unwrap().operations.is_empty());
}

#[test]
fn secrets_go_nowhere_and_what_holds_one_is_not_removed() {
    for stack in [&WIFI, &WAVE2] {
        let air = one(stack, NEW);
        assert!(!format!("{air:?}").contains("canary"));
        let renamed = modify(&air, "*3", &ssid("ours"), &far()).unwrap();
        assert!(!format!("{renamed:?}").contains("canary"));
        let may_be = renamed.operations[0].expect_before.others.as_ref().unwrap();
        assert!(may_be.iter().any(|name| name == "security.passphrase"), "it is there and is no change");
        assert_eq!(code(remove(&air, "*3", &[], &far())), Code::UnsafeOperation);
        assert_eq!(
            code(modify(&air, "*3", &profile("staff"), &far())),
            Code::UnsafeOperation,
            "its own wins"
        );
        // A login that is shown no secrets sees only that one must be there.
        let hidden = NEW[2].replace("security.passphrase=canary;", "");
        let air = one(stack, &[NEW[0], &hidden]);
        assert_eq!(code(remove(&air, "*3", &[], &far())), Code::UnsafeOperation);
    }
    let keyed = OLD[1].replace("disabled=false", "disabled=false;nv2-preshared-key=canary");
    assert_eq!(code(remove(&one(&WIRELESS, &[OLD[0], &keyed]), "*2", &[], &far())), Code::UnsafeOperation);
}

#[test]
fn an_ssid_is_switched_off_and_then_removed_and_comes_back_by_its_name() {
    let air = one(&WIRELESS, OLD);
    let gone = remove(&air, "*2", &[], &far()).unwrap();
    let [Action::Set { id, properties, .. }, Action::Remove { id: removed, .. }] = sent(&gone)[..] else {
        panic!("{gone:?}")
    };
    assert_eq!((id.as_str(), removed.as_str()), ("*2", "*2"));
    assert_eq!(properties, &[("disabled".to_owned(), "true".to_owned())]);
    assert!(gone.operations[0].undo[0].needs_found());
    // Its bridge comes first, and is put back last.
    let mut bridged = air.clone();
    bridged.ports =
        rows(&[".id=*A;bridge=lan;interface=guests;pvid=7", ".id=*B;bridge=lan;interface=ether2"]);
    let gone = remove(&bridged, "*2", &[], &far()).unwrap();
    let Action::Remove { menu, id } = sent(&gone)[0] else { panic!("{gone:?}") };
    assert_eq!((menu.as_str(), id.as_str(), gone.operations.len()), ("/interface/bridge/port", "*A", 3));
    let Action::Add { properties, .. } = &gone.operations[0].undo[0] else { panic!("an add") };
    assert!(properties.contains(&("pvid".to_owned(), "7".to_owned())), "{properties:?}");
    // One that is off already is only removed.
    let off = OLD[1].replace("disabled=false", "disabled=true");
    assert_eq!(remove(&one(&WIRELESS, &[OLD[0], &off]), "*2", &[], &far()).unwrap().operations.len(), 1);
    assert_eq!(code(remove(&air, "*1", &[], &far())), Code::UnsafeOperation, "a radio");
    assert_eq!(code(remove(&air, "*9", &[], &far())), Code::NotFound);
    let refused = remove(&air, "*2", &["/ip/address"], &far()).unwrap_err();
    assert!(refused.say.contains("/ip/address"), "{refused:?}");
}

#[test]
fn a_radio_is_tuned_within_its_band_and_country() {
    let air = one(&WIRELESS, OLD);
    let to = |band: &str, channel: u16, dbm: u8| {
        tune(&air, "wlan1", &Tune::of(band, channel, dbm).unwrap(), &far())
    };
    let louder = to("", 11, 20).unwrap();
    let Action::Set { properties, .. } = sent(&louder)[0] else { panic!("a set") };
    assert_eq!(
        properties.iter().cloned().collect::<Row>(),
        row("frequency=2462;tx-power-mode=all-rates-fixed;tx-power=20")
    );
    let Action::Set { properties, .. } = &louder.operations[0].undo[0] else { panic!("a set") };
    assert_eq!(properties.iter().cloned().collect::<Row>(), row("frequency=2437;tx-power-mode=default"));
    assert!(to("2ghz-n", 6, 0).unwrap().operations.is_empty(), "it is so already");
    assert_eq!(code(to("", 0, 0)), Code::InvalidParams, "nothing");
    assert_eq!(code(to("", 36, 0)), Code::InvalidParams, "not its band");
    assert_eq!(code(to("5ghz-ac", 0, 0)), Code::InvalidParams, "which channel?");
    assert_eq!(code(to("2ghz-ax", 0, 0)), Code::InvalidParams, "not its stack's");
    assert_eq!(code(to("", 14, 0)), Code::InvalidParams, "not its country's");
    assert!(to("5ghz-ac", 36, 0).unwrap().warnings.iter().any(|text| text.contains("hardware")));
    assert_eq!(code(to("5ghz-ac", 149, 20)), Code::InvalidParams, "14 dBm there");
    let on = |interface: &str| tune(&air, interface, &Tune::of("", 1, 0).unwrap(), &far());
    assert_eq!((code(on("guests")), code(on("nowhere"))), (Code::InvalidParams, Code::NotFound));
    let blind = one(&WIFI, &[".id=*1;name=wifi1"]);
    let refused = tune(&blind, "wifi1", &Tune::of("", 1, 0).unwrap(), &far()).unwrap_err();
    assert!(refused.say.contains("`band`"), "{refused:?}");
}

#[test]
fn words_and_numbers_are_checked_by_field() {
    let field = |band: &str, channel: u16, dbm: u8| Tune::of(band, channel, dbm).unwrap_err().say;
    assert!(field("6ghz", 0, 0).starts_with("`band`"));
    assert!(field("", 100, 0).starts_with("`channel`"));
    assert!(field("5ghz-ac", 6, 0).starts_with("`channel`"));
    assert!(field("", 0, 31).starts_with("`tx_power`"));
}

#[test]
fn those_who_are_connected_and_our_own_way_count() {
    let mut air = one(&WIRELESS, OLD);
    air.shelves[0].clients.insert("guests".into(), 3);
    let renamed = modify(&air, "*2", &ssid("new"), &far()).unwrap();
    assert_eq!(renamed.high, ["clients are connected"]);
    assert!(renamed.warnings[0].starts_with("3 clients"), "{renamed:?}");
    assert!(modify(&air, "*2", &ssid("guests"), &far()).unwrap().high.is_empty(), "nothing to do");
    let tuned = tune(&air, "wlan1", &Tune::of("", 1, 0).unwrap(), &far()).unwrap();
    assert_eq!(tuned.high.len(), 1, "those on its other SSIDs as well");
    let over = |interface: &str| Way { interface: Some(interface.into()), ..far() };
    assert_eq!(code(modify(&air, "*2", &ssid("new"), &over("guests"))), Code::UnsafeOperation);
    assert_eq!(
        code(tune(&air, "wlan1", &Tune::of("", 1, 0).unwrap(), &over("guests"))),
        Code::UnsafeOperation
    );
    air.ports = rows(&["bridge=lan;interface=guests"]);
    let risky = modify(&air, "*2", &ssid("new"), &over("lan")).unwrap();
    assert!(risky.operations[0].risky.is_some() && risky.high.len() == 2);
    let new = New { ssid: "new".into(), security_profile: "staff".into(), ..New::default() };
    assert!(create(&air, &new, &[], &[], &over("wlan1")).unwrap().operations[0].risky.is_some());
}

#[test]
fn what_would_have_no_effect_is_refused() {
    let air = one(&WIFI, &[".id=*1;name=wifi1;configuration.manager=capsman;configuration.ssid=a"]);
    assert_eq!(code(modify(&air, "*1", &ssid("b"), &far())), Code::UnsafeOperation);
    let tuned = tune(&air, "wifi1", &Tune::of("", 0, 9).unwrap(), &far());
    assert_eq!(code(tuned), Code::UnsafeOperation);
    let air = one(&WIRELESS, OLD);
    let channel = Changed { tune: Tune::of("", 1, 0).unwrap(), ..Changed::default() };
    assert_eq!(code(modify(&air, "*2", &channel, &far())), Code::InvalidParams, "the radio's channel");
    assert_eq!(code(modify(&air, "*2", &Changed::default(), &far())), Code::InvalidParams, "nothing");
    let made = one(&WIRELESS, &[OLD[0], ".id=*2;name=wlan9;master-interface=wlan1;dynamic=true"]);
    assert_eq!(code(remove(&made, "*2", &[], &far())), Code::UnsafeOperation, "dynamic");
    let odd = one(&WIRELESS, &[".id=*1;name=wlan1;ssid=a;brand-new=1"]);
    assert_eq!(code(modify(&odd, "*1", &ssid("b"), &far())), Code::UnsafeOperation, "could not be put back");
}
