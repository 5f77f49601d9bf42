//! Managed access points: `/caps-man` of the oldest stack and `/interface/wifi/capsman` of the newest.

use crate::routeros::{compat::Presence, resources::reading, text::Untrusted};

reading! {
    /// An access point that a CAPsMAN of the oldest stack manages.
    OldCap in "/caps-man/remote-cap",
        PRESENCE = Presence::WIRELESS, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted may "name";
    /// Where it is connected from.
    address: Untrusted = untrusted must "address";
    /// Its own name.
    identity: Untrusted = untrusted may "identity";
    /// Its RouterOS.
    version: Untrusted = untrusted may "version";
    /// `Run`, …
    state: Untrusted = untrusted may "state";
    /// Hardware address.
    base_mac: Untrusted = untrusted may "base-mac";
    /// Model.
    board: Untrusted = untrusted may "board";
    /// Radios.
    radios: Option<u64> = number may "radios";
}

reading! {
    /// A radio of an access point that a CAPsMAN of the oldest stack manages.
    OldCapRadio in "/caps-man/radio",
        PRESENCE = Presence::WIRELESS, PICKS = true;
    /// Hardware address.
    radio_mac: Untrusted = untrusted must "radio-mac";
    /// The access point's name at the manager; unset for a radio of the router itself.
    remote_cap_name: Option<Untrusted> = some may "remote-cap-name";
}

reading! {
    /// A client at an access point that a CAPsMAN of the oldest stack manages.
    OldCapClient in "/caps-man/registration-table",
        PRESENCE = Presence::WIRELESS, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Interface.
    interface: Untrusted = untrusted must "interface";
    /// Hardware address.
    mac_address: Untrusted = untrusted must "mac-address";
    /// SSID.
    ssid: Option<Untrusted> = some may "ssid";
    /// The client's radio name, where it tells one.
    radio_name: Option<Untrusted> = some may "radio-name";
    /// Received signal in dBm.
    rx_signal: Option<i64> = dbm may "rx-signal";
    /// Signal that the client receives, in dBm.
    tx_signal: Option<i64> = dbm may "tx-signal";
    /// Seconds since it came.
    uptime_s: Option<u64> = seconds may "uptime";
    /// Packets sent and received.
    packets: Option<(u64, u64)> = pair may "packets";
    /// Bytes sent and received.
    bytes: Option<(u64, u64)> = pair may "bytes";
}

reading! {
    /// An access point that a CAPsMAN of the newest stack manages.
    WifiCap in "/interface/wifi/capsman/remote-cap", PRESENCE = Presence::WIFI, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Where it is connected from.
    address: Untrusted = untrusted must "address";
    /// Its own name.
    identity: Untrusted = untrusted may "identity";
    /// Its RouterOS.
    version: Untrusted = untrusted may "version";
    /// `Ok`, …
    state: Untrusted = untrusted may "state";
    /// Hardware address.
    base_mac: Untrusted = untrusted may "base-mac";
    /// Model.
    board: Untrusted = untrusted may "board-name";
    /// Seconds since it started.
    uptime_s: Option<u64> = seconds may "uptime";
}

reading! {
    /// An access point that a CAPsMAN of the stack before it manages.
    Wave2Cap in "/interface/wifiwave2/capsman/remote-cap", PRESENCE = Presence::WIFIWAVE2, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Where it is connected from.
    address: Untrusted = untrusted must "address";
    /// Its own name.
    identity: Untrusted = untrusted may "identity";
    /// Its RouterOS.
    version: Untrusted = untrusted may "version";
    /// `Ok`, …
    state: Untrusted = untrusted may "state";
    /// Hardware address.
    base_mac: Untrusted = untrusted may "base-mac";
    /// Model.
    board: Untrusted = untrusted may "board-name";
    /// Seconds since it started.
    uptime_s: Option<u64> = seconds may "uptime";
}
