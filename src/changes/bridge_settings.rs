//! Changes settings of a bridge: spanning tree, VLAN filtering, ageing of hosts.

use std::time::Duration;

use events::{device::Environment, operation::Property};

use crate::{
    changes::{
        Proposal, Refused,
        bridge_guard::{self, Lan, on, text},
        record::{self, Menu, id_of},
    },
    routeros::{
        compat::{Endpoint, Field},
        port::Row,
        value::{duration, whole},
    },
};

/// The menu, with every property that can be written in some release from 7.10 to 7.24.
pub const MENU: Menu = Menu {
    path: "/interface/bridge",
    writable: WRITABLE,
    conditional: &[
        Field::may("add-dhcp-option82").until(7, 22, 99),
        Field::may("dhcp-agent-circuit-id").since(7, 23),
        Field::may("dhcp-agent-remote-id").since(7, 23),
        Field::may("dhcpv6-agent-circuit-id").since(7, 23),
        Field::may("dhcpv6-agent-remote-id").since(7, 23),
        Field::may("dhcpv6-snooping").since(7, 23),
        Field::may("forward-reserved-addresses").since(7, 16),
        Field::may("max-learned-entries").since(7, 16),
        Field::may("mlag-heartbeat").since(7, 22),
        Field::may("mlag-peer-port").since(7, 22),
        Field::may("mlag-priority").since(7, 22),
        Field::may("msrp").since(7, 24),
        Field::may("mvrp").since(7, 16),
        Field::may("port-cost-mode").since(7, 13),
        Field::may("querier-uses-bridge-address").since(7, 24),
        Field::may("ra-guard").since(7, 22),
    ],
    state: &["actual-mtu", "l2mtu", "mac-address", "managed", "running"],
    ordered: false,
    unset: false,
    narrow: &[],
};

const WRITABLE: &[&str] = &[
    "admin-mac",
    "ageing-time",
    "arp",
    "arp-timeout",
    "auto-mac",
    "comment",
    "dhcp-snooping",
    "disabled",
    "ether-type",
    "fast-forward",
    "forward-delay",
    "frame-types",
    "igmp-snooping",
    "igmp-version",
    "ingress-filtering",
    "last-member-interval",
    "last-member-query-count",
    "max-hops",
    "max-message-age",
    "membership-interval",
    "mld-version",
    "mtu",
    "multicast-querier",
    "multicast-router",
    "name",
    "priority",
    "protocol-mode",
    "pvid",
    "querier-interval",
    "query-interval",
    "query-response-interval",
    "region-name",
    "region-revision",
    "startup-query-count",
    "startup-query-interval",
    "transmit-hold-count",
    "vlan-filtering",
];

/// Shown only while the bridge has a spanning tree, runs MSTP or filters VLANs: they come and go with those settings, so
/// a reading after the change is not held to them.
const COME_AND_GO: &[&str] = &[
    "priority",
    "max-message-age",
    "forward-delay",
    "transmit-hold-count",
    "max-hops",
    "region-name",
    "region-revision",
    "port-cost-mode",
    "ether-type",
    "pvid",
    "frame-types",
    "ingress-filtering",
    "mvrp",
    "msrp",
];

/// Changing; the undo is a change too.
pub const MODIFY: [Endpoint; 1] = [Endpoint::set(
    MENU.path,
    &["protocol-mode", "vlan-filtering", "priority", "ageing-time", "forward-delay", "max-message-age"],
)];

/// Bridges that carry a site: in production their spanning tree is not planned here.
const PROTECTED: [&str; 3] = ["bridge-lan", "bridge-core", "bridge-prod"];

/// Seconds that a host may be remembered (IEEE 802.1D, table 7-5).
pub const AGEING_S: std::ops::RangeInclusive<u32> = 10..=1_000_000;
/// Seconds of the forward delay (IEEE 802.1D, table 8-3).
pub const FORWARD_DELAY_S: std::ops::RangeInclusive<u32> = 4..=30;
/// Seconds of the maximum message age (IEEE 802.1D, table 8-3).
pub const MAX_MESSAGE_AGE_S: std::ops::RangeInclusive<u32> = 6..=40;

/// A priority that a bridge can have: 0–61440 in steps of 4096 (IEEE 802.1D, 9.2.5).
#[must_use]
pub const fn is_priority(number: u32) -> bool {
    number <= 61_440 && number.is_multiple_of(4096)
}

/// What a bridge shall be; nothing given leaves a setting alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// `none`, `stp`, `rstp` or `mstp`.
    pub protocol_mode: Option<String>,
    /// A spanning tree: RSTP where none is on; `false` is `none`.
    pub stp: Option<bool>,
    /// Keeps VLANs apart.
    pub vlan_filtering: Option<bool>,
    /// Priority in the spanning tree.
    pub priority: Option<u32>,
    /// Seconds that a host is remembered.
    pub ageing_time_s: Option<u32>,
    /// Seconds.
    pub forward_delay_s: Option<u32>,
    /// Seconds.
    pub max_message_age_s: Option<u32>,
}

impl Wish {
    const fn about_the_tree(&self) -> bool {
        self.protocol_mode.is_some()
            || self.stp.is_some()
            || self.priority.is_some()
            || self.forward_delay_s.is_some()
            || self.max_message_age_s.is_some()
    }

    /// What can be told without a router.
    ///
    /// # Errors
    /// `invalid_params` for no setting at all, one out of range, two that contradict each other; `unsafe_operation` for
    /// the spanning tree of a protected bridge in production.
    pub fn check(&self, bridge: &str, environment: Environment) -> Result<(), Refused> {
        if *self == Self::default() {
            return Err(Refused::param("bridge_settings", "at least one setting is needed"));
        }
        let none = |mode: &str| mode == "none";
        if let (Some(stp), Some(mode)) = (self.stp, self.protocol_mode.as_deref())
            && stp == none(mode)
        {
            return Err(Refused::param(
                "bridge_settings.stp",
                "contradicts `protocol_mode`: give one of the two",
            ));
        }
        if self.priority.is_some_and(|priority| !is_priority(priority)) {
            return Err(Refused::param(
                "bridge_settings.priority",
                "is 0–61440 in steps of 4096, such as 32768 or `0x8000`",
            ));
        }
        let within = |field, given: Option<u32>, range: &std::ops::RangeInclusive<u32>| match given {
            Some(seconds) if !range.contains(&seconds) => {
                Err(Refused::param(field, format!("is {}–{} seconds", range.start(), range.end())))
            }
            _ => Ok(()),
        };
        within("bridge_settings.ageing_time", self.ageing_time_s, &AGEING_S)?;
        within("bridge_settings.forward_delay", self.forward_delay_s, &FORWARD_DELAY_S)?;
        within("bridge_settings.max_message_age", self.max_message_age_s, &MAX_MESSAGE_AGE_S)?;
        if let (Some(delay), Some(age)) = (self.forward_delay_s, self.max_message_age_s) {
            timers(delay, age)?;
        }
        let protected = PROTECTED.iter().any(|name| bridge.eq_ignore_ascii_case(name));
        if environment == Environment::Prod && protected && self.about_the_tree() {
            return Err(Refused::unsafe_operation(
                "the spanning tree of bridge-lan, bridge-core and bridge-prod is not changed in production",
                "change it on a router of lab or staging, or by hand at the site",
            ));
        }
        Ok(())
    }

    /// The protocol that is wanted, if any.
    fn mode(&self, now: &str) -> Option<String> {
        let by_flag = self.stp.map(|stp| match (stp, now) {
            (true, "none" | "") => "rstp",
            (true, on) => on,
            (false, _) => "none",
        });
        self.protocol_mode.clone().or_else(|| by_flag.map(str::to_owned))
    }
}

/// A message must not outlive the time that the tree needs to settle (IEEE 802.1D, 8.10.2).
fn timers(forward_delay_s: u32, max_message_age_s: u32) -> Result<(), Refused> {
    if 2 * (forward_delay_s.saturating_sub(1)) >= max_message_age_s {
        return Ok(());
    }
    Err(Refused::param(
        "bridge_settings",
        format!(
            "2 × (forward_delay − 1) must be at least max_message_age; they would be {forward_delay_s} s and {max_message_age_s} s"
        ),
    )
    .hint("give both, such as 15 and 20"))
}

/// Seconds in RouterOS's spelling: `5m`, `1d2h3s`.
fn seconds(seconds: u32) -> String {
    let mut left = seconds;
    let mut text = String::new();
    for (unit, size) in [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if left >= size {
            text.push_str(&format!("{}{unit}", left / size));
            left %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A priority as RouterOS shows it: `0x8000`, and `0` for none.
fn priority(priority: u32) -> String {
    if priority == 0 { "0".to_owned() } else { format!("0x{priority:X}") }
}

fn number(text: &str) -> Option<u64> {
    text.strip_prefix("0x").map_or_else(|| whole(text), |digits| u64::from_str_radix(digits, 16).ok())
}

/// Changes settings of a bridge; what is so already is left alone.
///
/// # Errors
/// As [`Wish::check`]; what makes no sense for this bridge, what could not be undone, what would cut our own way.
pub fn modify(lan: &Lan, bridge: &str, wish: &Wish, environment: Environment) -> Result<Proposal, Refused> {
    wish.check(bridge, environment)?;
    let row = lan.bridges.iter().find(|row| text(row, "name") == bridge).ok_or_else(|| {
        Refused::not_found("bridge_name", "this router has no bridge of that name")
            .hint("list_bridges names them")
    })?;
    let row = record::find(&MENU, &lan.bridges, id_of(row), "bridge_name")?;
    let changes = changes(row, wish)?;
    let changed = |name: &str| changes.iter().any(|(n, _)| n == name);
    let mut risks = Vec::new();
    if let Some(to) = wish.vlan_filtering.filter(|_| changed("vlan-filtering")) {
        risks.extend(bridge_guard::vlan_filtering(lan, row, to)?);
    }
    if changed("protocol-mode") || changed("priority") {
        risks.extend(bridge_guard::spanning_tree(lan, bridge));
    }
    risks.dedup();
    let mut high = Vec::new();
    if ["protocol-mode", "priority", "forward-delay", "max-message-age"].into_iter().any(changed) {
        high.push(
            "it changes the spanning tree: ports may stop forwarding until the tree has settled".to_owned(),
        );
    }
    if changed("vlan-filtering") {
        high.push("it turns VLAN filtering on or off".to_owned());
    }
    high.extend(risks.iter().cloned());
    let mut operations = record::set(&MENU, row, &changes)?;
    for operation in &mut operations {
        let kept = |name: &String| changed(name) || !COME_AND_GO.contains(&name.as_str());
        operation.expect_after.properties.retain(|(name, _)| kept(name));
        operation.risky = (!risks.is_empty()).then(|| risks.join("; "));
    }
    Ok(Proposal { operations, high, warnings: Vec::new() })
}

/// The properties that differ, in RouterOS's spelling.
fn changes(row: &Row, wish: &Wish) -> Result<Vec<Property>, Refused> {
    let now = text(row, "protocol-mode");
    let mode = wish.mode(now);
    let mut changes: Vec<Property> = Vec::new();
    let mut put = |name: &str, value: String| changes.push((name.to_owned(), value));
    if let Some(mode) = mode.as_ref().filter(|mode| *mode != now) {
        put("protocol-mode", mode.clone());
    }
    if let Some(to) = wish.vlan_filtering.filter(|to| *to != on(row, "vlan-filtering")) {
        put("vlan-filtering", to.to_string());
    }
    if let Some(wanted) =
        wish.priority.filter(|wanted| number(text(row, "priority")) != Some((*wanted).into()))
    {
        put("priority", priority(wanted));
    }
    let differs =
        |name: &str, wanted: &u32| duration(text(row, name)) != Some(Duration::from_secs((*wanted).into()));
    for (name, wanted) in [
        ("ageing-time", wish.ageing_time_s),
        ("forward-delay", wish.forward_delay_s),
        ("max-message-age", wish.max_message_age_s),
    ] {
        if let Some(wanted) = wanted.filter(|wanted| differs(name, wanted)) {
            put(name, seconds(wanted));
        }
    }
    let treeless = mode.as_deref().unwrap_or(now) == "none";
    let of_the_tree = [
        ("bridge_settings.priority", wish.priority.is_some()),
        ("bridge_settings.forward_delay", wish.forward_delay_s.is_some()),
        ("bridge_settings.max_message_age", wish.max_message_age_s.is_some()),
    ];
    if let Some((field, _)) = of_the_tree.into_iter().find(|(_, given)| treeless && *given) {
        return Err(Refused::param(field, "means nothing while the bridge has no spanning tree")
            .hint("give `protocol_mode` rstp first, then this in a plan of its own"));
    }
    let held = |name: &str| duration(text(row, name)).and_then(|time| u32::try_from(time.as_secs()).ok());
    let delay = wish.forward_delay_s.or_else(|| held("forward-delay"));
    let age = wish.max_message_age_s.or_else(|| held("max-message-age"));
    if let (true, Some(delay), Some(age)) =
        (wish.forward_delay_s.is_some() || wish.max_message_age_s.is_some(), delay, age)
    {
        timers(delay, age)?;
    }
    // What the router does not show now cannot be put back.
    let hidden = changes.iter().find(|(name, _)| name != "vlan-filtering" && text(row, name).is_empty());
    if let Some((name, _)) = hidden {
        return Err(Refused::unsafe_operation(
            format!("the router does not show `{name}` of that bridge now, so an undo could not put it back"),
            "turn the spanning tree on in a plan of its own first; then the router shows it",
        ));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use events::operation::Action;
    use proptest::{option, prelude::*, sample::select};

    use super::*;
    use crate::{
        changes::{
            bridge_guard_tests::{lan, row},
            play::laws::there_and_back,
        },
        failure::Code,
    };

    /// A router whose bridge is not on our way.
    fn apart() -> Lan {
        let mut lan = lan();
        lan.way.interface = Some("ether1".into());
        lan
    }

    fn sent(proposal: &Proposal) -> Vec<String> {
        let Some(operation) = proposal.operations.first() else { return Vec::new() };
        let Action::Set { properties, .. } = &operation.action else { panic!("{operation:?}") };
        properties.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    fn planned(lan: &Lan, wish: &Wish) -> Result<Proposal, Refused> {
        modify(lan, "bridge", wish, Environment::Lab)
    }

    proptest! {
        #[test]
        fn changing_goes_there_and_back(
            mode in select(&["none", "stp", "rstp", "mstp"][..]),
            filtering in select(&["vlan-filtering=true", "vlan-filtering=false", ""][..]),
            shown in option::of(select(&["priority=0x1000 forward-delay=00:00:15 max-message-age=20s", "priority=0"][..])),
            wanted in option::of(select(&["none", "stp", "rstp", "mstp"][..])),
            stp in option::of(any::<bool>()),
            vlan_filtering in option::of(any::<bool>()),
            priority in option::of((0u32..=15).prop_map(|n| n * 4096)),
            ageing_time_s in option::of(10u32..100_000),
            forward_delay_s in option::of(4u32..=30),
            max_message_age_s in option::of(6u32..=40),
        ) {
            let mut lan = apart();
            lan.bridges[0] = row(&format!(
                ".id=*10 name=bridge ageing-time=5m protocol-mode={mode} {filtering} mtu=auto comment=LAN running=true {}",
                shown.unwrap_or_default(),
            ));
            let protocol_mode = wanted.map(str::to_owned);
            let wish = Wish { protocol_mode, stp, vlan_filtering, priority, ageing_time_s, forward_delay_s, max_message_age_s };
            if let Ok(proposal) = planned(&lan, &wish) {
                there_and_back(&MENU, &lan.bridges, &proposal.operations);
            }
        }
    }

    #[test]
    fn values_are_sent_as_routeros_shows_them() {
        let wish = Wish {
            protocol_mode: Some("mstp".into()),
            vlan_filtering: Some(true),
            priority: Some(0xF000),
            ageing_time_s: Some(3700),
            forward_delay_s: Some(30),
            max_message_age_s: Some(40),
            ..Wish::default()
        };
        let proposal = planned(&apart(), &wish).unwrap();
        assert_eq!(
            sent(&proposal),
            [
                "protocol-mode=mstp",
                "vlan-filtering=true",
                "priority=0xF000",
                "ageing-time=1h1m40s",
                "forward-delay=30s",
                "max-message-age=40s"
            ]
        );
        assert_eq!((proposal.high.len(), &proposal.operations[0].risky), (2, &None));
        assert_eq!(priority(0), "0");
        assert_eq!(
            [10, 60, 90, 604_800, 1_000_000].map(seconds),
            ["10s", "1m", "1m30s", "1w", "1w4d13h46m40s"]
        );
    }

    #[test]
    fn what_is_so_already_is_left_alone() {
        let wish = Wish {
            stp: Some(true),
            vlan_filtering: Some(false),
            priority: Some(32_768),
            ageing_time_s: Some(300),
            forward_delay_s: Some(15),
            ..Wish::default()
        };
        assert!(planned(&apart(), &wish).unwrap().operations.is_empty());
        let ageing = Wish { ageing_time_s: Some(600), ..wish };
        let proposal = planned(&apart(), &ageing).unwrap();
        assert_eq!((sent(&proposal), proposal.high.len()), (vec!["ageing-time=10m".to_owned()], 0));
    }

    #[test]
    fn stp_is_a_word_for_the_protocol() {
        let with = |mode: &str, stp: bool| {
            let mut lan = apart();
            lan.bridges[0].insert("protocol-mode".into(), mode.into());
            sent(&planned(&lan, &Wish { stp: Some(stp), ..Wish::default() }).unwrap())
        };
        assert_eq!(with("none", true), ["protocol-mode=rstp"]);
        assert_eq!(with("rstp", false), ["protocol-mode=none"]);
        assert!(with("mstp", true).is_empty(), "a spanning tree is on");
        for (stp, mode, fits) in
            [(true, "none", false), (false, "rstp", false), (true, "mstp", true), (false, "none", true)]
        {
            let wish = Wish { stp: Some(stp), protocol_mode: Some(mode.into()), ..Wish::default() };
            assert_eq!(planned(&apart(), &wish).is_ok(), fits, "{stp} {mode}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_field() {
        let base = Wish::default();
        for (wish, field) in [
            (base.clone(), "bridge_settings"),
            (Wish { priority: Some(4095), ..base.clone() }, "bridge_settings.priority"),
            (Wish { priority: Some(65_536), ..base.clone() }, "bridge_settings.priority"),
            (Wish { ageing_time_s: Some(9), ..base.clone() }, "bridge_settings.ageing_time"),
            (Wish { forward_delay_s: Some(3), ..base.clone() }, "bridge_settings.forward_delay"),
            (Wish { max_message_age_s: Some(41), ..base.clone() }, "bridge_settings.max_message_age"),
            (Wish { forward_delay_s: Some(10), ..base.clone() }, "bridge_settings"),
            (Wish { max_message_age_s: Some(29), ..base.clone() }, "bridge_settings"),
            (Wish { stp: Some(false), priority: Some(0), ..base.clone() }, "bridge_settings.priority"),
        ] {
            let refused = planned(&apart(), &wish).unwrap_err();
            assert_eq!(refused.code, Code::InvalidParams, "{wish:?}");
            assert!(refused.say.starts_with(&format!("`{field}`")), "{refused}");
        }
        let any = Wish { ageing_time_s: Some(60), ..base };
        assert_eq!(modify(&apart(), "nowhere", &any, Environment::Lab).unwrap_err().code, Code::NotFound);
        let mut lan = apart();
        lan.bridges[0].insert("dynamic".into(), "true".into());
        assert_eq!(planned(&lan, &any).unwrap_err().code, Code::UnsafeOperation);
    }

    #[test]
    fn what_the_router_hides_is_not_changed() {
        let mut lan = apart();
        lan.bridges[0] = row(".id=*10 name=bridge protocol-mode=none vlan-filtering=false ageing-time=5m");
        let both = Wish { stp: Some(true), priority: Some(4096), ..Wish::default() };
        assert_eq!(planned(&lan, &both).unwrap_err().code, Code::UnsafeOperation);
        let on = Wish { stp: Some(true), ..Wish::default() };
        let proposal = planned(&lan, &on).unwrap();
        assert_eq!(sent(&proposal), ["protocol-mode=rstp"]);
        let off = planned(&apart(), &Wish { stp: Some(false), ..Wish::default() }).unwrap();
        let after = &off.operations[0].expect_after.properties;
        assert!(!after.iter().any(|(name, _)| name == "priority"), "it is not shown any more");
    }

    #[test]
    fn the_spanning_tree_of_a_site_is_protected_in_production() {
        let tree = Wish { forward_delay_s: Some(20), ..Wish::default() };
        let ageing = Wish { ageing_time_s: Some(60), ..Wish::default() };
        for name in PROTECTED {
            assert_eq!(tree.check(name, Environment::Prod).unwrap_err().code, Code::UnsafeOperation);
            assert!(
                tree.check(name, Environment::Staging).is_ok()
                    && ageing.check(name, Environment::Prod).is_ok()
            );
        }
        assert!(tree.check("bridge", Environment::Prod).is_ok());
    }

    #[test]
    fn our_own_way_is_guarded() {
        let filter = Wish { vlan_filtering: Some(true), ..Wish::default() };
        let mut lan = lan();
        assert_eq!(planned(&lan, &filter).unwrap().high.len(), 2, "the bridge's pvid is not shown");
        lan.bridges[0].insert("pvid".into(), "1".into());
        let proposal = planned(&lan, &filter).unwrap();
        assert_eq!((proposal.high.len(), &proposal.operations[0].risky), (1, &None));
        lan.bridges[0].insert("pvid".into(), "99".into());
        assert_eq!(planned(&lan, &filter).unwrap_err().code, Code::UnsafeOperation);
        let tree = planned(&lan, &Wish { priority: Some(4096), ..Wish::default() }).unwrap();
        assert!(tree.operations[0].risky.is_some());
        let timer = planned(&lan, &Wish { forward_delay_s: Some(20), ..Wish::default() }).unwrap();
        assert_eq!((timer.high.len(), &timer.operations[0].risky), (1, &None));
    }
}
