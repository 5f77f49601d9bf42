//! `/system/device-mode`: what the factory's mode lets this board do.

use crate::routeros::{
    compat::Field,
    resources::{Reading, Record},
    text::Untrusted,
};

/// What the board's mode allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMode {
    /// `home`, `basic`, `advanced`, `enterprise`, `rose`.
    pub mode: Untrusted,
    /// Suspicious configuration was seen: more is blocked until a person confirms at the box.
    pub flagged: bool,
    /// Features that are blocked; a feature that the release does not name is not blocked.
    pub blocked: Vec<&'static str>,
}

/// Features as RouterOS names them.
const FEATURES: [&str; 19] = [
    "scheduler",
    "socks",
    "fetch",
    "pptp",
    "l2tp",
    "bandwidth-test",
    "traffic-gen",
    "sniffer",
    "ipsec",
    "romon",
    "proxy",
    "hotspot",
    "smb",
    "email",
    "zerotier",
    "container",
    "install-any-version",
    "partitions",
    "routerboard",
];

impl Reading for DeviceMode {
    const MENU: &'static str = "/system/device-mode";
    const FIELDS: &'static [Field] = &[
        Field::must("mode"),
        Field::may("flagged"),
        Field::may("scheduler"),
        Field::may("socks"),
        Field::may("fetch"),
        Field::may("pptp"),
        Field::may("l2tp"),
        Field::may("bandwidth-test"),
        Field::may("traffic-gen"),
        Field::may("sniffer"),
        Field::may("ipsec"),
        Field::may("romon"),
        Field::may("proxy"),
        Field::may("hotspot"),
        Field::may("smb"),
        Field::may("email"),
        Field::may("zerotier"),
        Field::may("container"),
        Field::may("install-any-version").since(7, 17),
        Field::may("partitions").since(7, 17),
        Field::may("routerboard").since(7, 17),
    ];

    fn from_row(row: &Record<'_>) -> Self {
        let blocked =
            |feature: &&str| row.get(feature).is_some_and(|text| matches!(text.as_str(), "false" | "no"));
        Self {
            mode: row.untrusted("mode"),
            flagged: row.flag("flagged"),
            blocked: FEATURES.into_iter().filter(blocked).collect(),
        }
    }
}
