//! The three Wi-Fi stacks as data: their menus, and what each calls the same thing.

use crate::{
    changes::{
        bridge_port,
        record::Menu,
        wireless::properties::{NEWER, OLDER, WAVE2_SOME, WIFI_SOME},
    },
    routeros::{
        compat::{Endpoint, Field, Presence},
        port::Row,
    },
};

/// One of the three stacks.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    /// Its interfaces. What is secret counts as state: it is neither compared nor put back.
    pub menu: Menu,
    /// Where it is found.
    pub presence: Presence,
    /// Properties of an interface that hold a secret.
    pub secrets: &'static [&'static str],
    /// Property of the SSID.
    pub ssid: &'static str,
    /// Property that names the security profile.
    pub security: &'static str,
    /// Property of the mode.
    pub mode: &'static str,
    /// Its word for an access point.
    pub ap: &'static str,
    /// Property of the frequency, in MHz.
    pub frequency: &'static str,
    /// Property of the band.
    pub band: &'static str,
    /// Property of the power, in dBm.
    pub tx_power: &'static str,
    /// Property of the country.
    pub country: &'static str,
    /// How RouterOS begins the names of its interfaces.
    pub prefix: &'static str,
    /// The newer stacks: settings can stand in profiles, and every setting can be unset.
    pub newer: bool,
}

impl Stack {
    /// What a caller's band is called here.
    #[must_use]
    pub const fn word(&self, band: &super::channels::Band) -> Option<&'static str> {
        if self.newer { band.wifi } else { band.wireless }
    }

    /// True for an access point on another one's radio.
    #[must_use]
    pub fn is_virtual(row: &Row) -> bool {
        row.get("master-interface").is_some_and(|name| !name.is_empty())
    }
}

/// `/interface/wireless`.
pub const WIRELESS: Stack = Stack {
    menu: Menu {
        path: "/interface/wireless",
        writable: OLDER,
        conditional: &[],
        state: &[
            "running",
            "default-name",
            "interface-type",
            "pci-info",
            "nv2-preshared-key",
            "nv2-sync-secret",
        ],
        ordered: false,
        unset: false,
        narrow: &["name"],
    },
    presence: Presence::WIRELESS,
    secrets: &["nv2-preshared-key", "nv2-sync-secret"],
    ssid: "ssid",
    security: "security-profile",
    mode: "mode",
    ap: "ap-bridge",
    frequency: "frequency",
    band: "band",
    tx_power: "tx-power",
    country: "country",
    prefix: "wlan",
    newer: false,
};

const fn newer(path: &'static str, conditional: &'static [Field], presence: Presence) -> Stack {
    Stack {
        menu: Menu {
            path,
            writable: NEWER,
            conditional,
            state: &[
                "running",
                "default-name",
                "master",
                "bound",
                "inactive",
                "network",
                "cap",
                "security.passphrase",
                "security.eap-password",
            ],
            ordered: false,
            unset: true,
            narrow: &["name"],
        },
        presence,
        secrets: &["security.passphrase", "security.eap-password"],
        ssid: "configuration.ssid",
        security: "security",
        mode: "configuration.mode",
        ap: "ap",
        frequency: "channel.frequency",
        band: "channel.band",
        tx_power: "configuration.tx-power",
        country: "configuration.country",
        prefix: "wifi",
        newer: true,
    }
}

/// `/interface/wifiwave2`, to 7.12.
pub const WAVE2: Stack = newer("/interface/wifiwave2", WAVE2_SOME, Presence::WIFIWAVE2);

/// `/interface/wifi`, from 7.13 on.
pub const WIFI: Stack = newer("/interface/wifi", WIFI_SOME, Presence::WIFI);

/// What a new access point is made with: the older stack, then the newer ones.
const ADDED: [&[&str]; 2] = [
    &["name", "master-interface", "mode", "ssid", "security-profile", "disabled"],
    &["name", "master-interface", "configuration.mode", "configuration.ssid", "security", "disabled"],
];
/// What of an SSID can be changed.
const SSID: [&[&str]; 2] = [
    &["band", "frequency", "security-profile", "ssid"],
    &["channel.band", "channel.frequency", "security", "configuration.ssid"],
];
/// What of a radio can be changed.
const RADIO: [&[&str]; 2] = [
    &["band", "frequency", "tx-power-mode", "tx-power"],
    &["channel.band", "channel.frequency", "configuration.tx-power"],
];

const fn of(stack: &Stack, properties: [&'static [&'static str]; 2]) -> &'static [&'static str] {
    if stack.newer { properties[1] } else { properties[0] }
}
const fn add(stack: &Stack) -> Endpoint {
    Endpoint::add(stack.menu.path, of(stack, ADDED)).on(stack.presence)
}
const fn set(stack: &Stack, properties: [&'static [&'static str]; 2]) -> Endpoint {
    Endpoint::set(stack.menu.path, of(stack, properties)).on(stack.presence)
}
const fn remove(stack: &Stack) -> Endpoint {
    Endpoint::remove(stack.menu.path).on(stack.presence)
}
const fn unset(stack: &Stack, command: &'static str) -> Endpoint {
    Endpoint::act(command, &["numbers", "value-name"]).on(stack.presence)
}
const fn disable(stack: &Stack) -> Endpoint {
    Endpoint::set(stack.menu.path, &["disabled"]).on(stack.presence)
}
const fn restore(stack: &Stack) -> Endpoint {
    stack.menu.restore().on(stack.presence)
}

const WAVE2_UNSET: Endpoint = unset(&WAVE2, "/interface/wifiwave2/unset");
const WIFI_UNSET: Endpoint = unset(&WIFI, "/interface/wifi/unset");

/// Making an SSID, with its undo.
pub const CREATE: [Endpoint; 8] = [
    add(&WIRELESS),
    remove(&WIRELESS),
    add(&WAVE2),
    remove(&WAVE2),
    add(&WIFI),
    remove(&WIFI),
    bridge_port::ADD[0],
    bridge_port::ADD[1],
];
/// Changing an SSID, with its undo.
pub const MODIFY: [Endpoint; 5] =
    [set(&WIRELESS, SSID), set(&WAVE2, SSID), WAVE2_UNSET, set(&WIFI, SSID), WIFI_UNSET];
/// Removing an SSID, with its undo.
pub const REMOVE: [Endpoint; 11] = [
    disable(&WIRELESS),
    remove(&WIRELESS),
    restore(&WIRELESS),
    disable(&WAVE2),
    remove(&WAVE2),
    restore(&WAVE2),
    disable(&WIFI),
    remove(&WIFI),
    restore(&WIFI),
    bridge_port::REMOVE[0],
    bridge_port::REMOVE[1],
];
/// Changing a radio, with its undo.
pub const TUNE: [Endpoint; 5] =
    [set(&WIRELESS, RADIO), set(&WAVE2, RADIO), WAVE2_UNSET, set(&WIFI, RADIO), WIFI_UNSET];
