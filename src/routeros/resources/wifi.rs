//! `/interface/wifi` (7.13 and newer) and `/interface/wifiwave2` (to 7.12): two names of one stack. Passphrases can stand
//! in the same records and no reading asks for them; a change, which must see a record whole, drops them at once.

use crate::routeros::{compat::Presence, resources::reading, text::Untrusted};

reading! {
    /// One interface of the newest stack. What it does not say itself stands in the profiles that it names.
    Wifi in "/interface/wifi", PRESENCE = Presence::WIFI, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// Profile that holds what is not set here.
    configuration: Option<Untrusted> = some may "configuration";
    /// Profile of the channel.
    channel: Option<Untrusted> = some may "channel";
    /// SSID.
    ssid: Option<Untrusted> = some may "configuration.ssid";
    /// `ap`, `station`, …
    mode: Option<Untrusted> = some may "configuration.mode";
    /// In dBm, where it is limited.
    tx_power: Option<u64> = number may "configuration.tx-power";
    /// In MHz: one, several, or ranges.
    frequency: Option<Untrusted> = some may "channel.frequency";
    /// Band.
    band: Option<Untrusted> = some may "channel.band";
    /// Width of the channel.
    width: Option<Untrusted> = some may "channel.width";
    /// The access point that carries it, `identity@address`, when a CAPsMAN manages it.
    cap: Option<Untrusted> = some may "cap";
    /// Works.
    running: bool = flag may "running";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
    /// Hardware address.
    mac_address: Option<Untrusted> = some may "mac-address";
}

reading! {
    /// A configuration that interfaces of the newest stack name.
    WifiConfiguration in "/interface/wifi/configuration", PRESENCE = Presence::WIFI, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// SSID.
    ssid: Option<Untrusted> = some may "ssid";
    /// `ap`, `station`, …
    mode: Option<Untrusted> = some may "mode";
    /// Where the rules about channels come from.
    country: Option<Untrusted> = some may "country";
    /// Who manages the radios: `local`, `capsman`, …
    manager: Option<Untrusted> = some may "manager";
    /// Profile of who may join.
    security: Option<Untrusted> = some may "security";
    /// In dBm, where it is limited.
    tx_power: Option<u64> = number may "tx-power";
    /// Profile of the channel.
    channel: Option<Untrusted> = some may "channel";
    /// In MHz.
    frequency: Option<Untrusted> = some may "channel.frequency";
    /// Band.
    band: Option<Untrusted> = some may "channel.band";
    /// Width of the channel.
    width: Option<Untrusted> = some may "channel.width";
}

reading! {
    /// A channel that interfaces of the newest stack and configurations name.
    WifiChannel in "/interface/wifi/channel", PRESENCE = Presence::WIFI, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// In MHz.
    frequency: Option<Untrusted> = some may "frequency";
    /// Band.
    band: Option<Untrusted> = some may "band";
    /// Width.
    width: Option<Untrusted> = some may "width";
}

reading! {
    /// One client of the newest stack.
    WifiClient in "/interface/wifi/registration-table", PRESENCE = Presence::WIFI, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Interface.
    interface: Untrusted = untrusted must "interface";
    /// SSID.
    ssid: Option<Untrusted> = some may "ssid";
    /// Hardware address.
    mac_address: Untrusted = untrusted must "mac-address";
    /// Signal in dBm.
    signal: Option<i64> = dbm may "signal";
    /// Rate towards the client, in bits per second.
    tx_rate: Option<Untrusted> = some may "tx-rate";
    /// Rate from the client, in bits per second.
    rx_rate: Option<Untrusted> = some may "rx-rate";
    /// Seconds since it came.
    uptime_s: Option<u64> = seconds may "uptime";
    /// Bytes sent and received.
    bytes: Option<(u64, u64)> = pair may "bytes";
    /// Packets sent and received.
    packets: Option<(u64, u64)> = pair may "packets";
    /// May send and receive.
    authorized: bool = flag may "authorized";
}

reading! {
    /// One interface of the stack before it. What it does not say itself stands in the profiles that it names.
    Wave2 in "/interface/wifiwave2", PRESENCE = Presence::WIFIWAVE2, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// Profile that holds what is not set here.
    configuration: Option<Untrusted> = some may "configuration";
    /// Profile of the channel.
    channel: Option<Untrusted> = some may "channel";
    /// SSID.
    ssid: Option<Untrusted> = some may "configuration.ssid";
    /// `ap`, `station`, …
    mode: Option<Untrusted> = some may "configuration.mode";
    /// In dBm, where it is limited.
    tx_power: Option<u64> = number may "configuration.tx-power";
    /// In MHz: one, several, or ranges.
    frequency: Option<Untrusted> = some may "channel.frequency";
    /// Band.
    band: Option<Untrusted> = some may "channel.band";
    /// Width of the channel.
    width: Option<Untrusted> = some may "channel.width";
    /// Works.
    running: bool = flag may "running";
    /// Switched off.
    disabled: bool = flag may "disabled";
    /// Comment, or empty.
    comment: Untrusted = untrusted may "comment";
    /// Hardware address.
    mac_address: Option<Untrusted> = some may "mac-address";
}

reading! {
    /// A configuration that interfaces of the stack before it name.
    Wave2Configuration in "/interface/wifiwave2/configuration", PRESENCE = Presence::WIFIWAVE2, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// SSID.
    ssid: Option<Untrusted> = some may "ssid";
    /// `ap`, `station`, …
    mode: Option<Untrusted> = some may "mode";
    /// Where the rules about channels come from.
    country: Option<Untrusted> = some may "country";
    /// Who manages the radios: `local`, `capsman`, …
    manager: Option<Untrusted> = some may "manager";
    /// Profile of who may join.
    security: Option<Untrusted> = some may "security";
    /// In dBm, where it is limited.
    tx_power: Option<u64> = number may "tx-power";
    /// Profile of the channel.
    channel: Option<Untrusted> = some may "channel";
    /// In MHz.
    frequency: Option<Untrusted> = some may "channel.frequency";
    /// Band.
    band: Option<Untrusted> = some may "channel.band";
    /// Width of the channel.
    width: Option<Untrusted> = some may "channel.width";
}

reading! {
    /// A channel that interfaces of the stack before it and configurations name.
    Wave2Channel in "/interface/wifiwave2/channel", PRESENCE = Presence::WIFIWAVE2, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// In MHz.
    frequency: Option<Untrusted> = some may "frequency";
    /// Band.
    band: Option<Untrusted> = some may "band";
    /// Width.
    width: Option<Untrusted> = some may "width";
}

reading! {
    /// One client of the stack before it.
    Wave2Client in "/interface/wifiwave2/registration-table", PRESENCE = Presence::WIFIWAVE2, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Interface.
    interface: Untrusted = untrusted must "interface";
    /// SSID.
    ssid: Option<Untrusted> = some may "ssid";
    /// Hardware address.
    mac_address: Untrusted = untrusted must "mac-address";
    /// Signal in dBm.
    signal: Option<i64> = dbm may "signal";
    /// Rate towards the client, in bits per second.
    tx_rate: Option<Untrusted> = some may "tx-rate";
    /// Rate from the client, in bits per second.
    rx_rate: Option<Untrusted> = some may "rx-rate";
    /// Seconds since it came.
    uptime_s: Option<u64> = seconds may "uptime";
    /// Bytes sent and received.
    bytes: Option<(u64, u64)> = pair may "bytes";
    /// Packets sent and received.
    packets: Option<(u64, u64)> = pair may "packets";
    /// May send and receive.
    authorized: bool = flag may "authorized";
}

reading! {
    /// Who may join, for interfaces of the newest stack. Its passphrase is never asked for.
    WifiSecurity in "/interface/wifi/security", PRESENCE = Presence::WIFI, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// `wpa2-psk`, …; none is an open network.
    authentication_types: Option<Untrusted> = some may "authentication-types";
}

reading! {
    /// Who may join, for interfaces of the stack before it. Its passphrase is never asked for.
    Wave2Security in "/interface/wifiwave2/security", PRESENCE = Presence::WIFIWAVE2, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// `wpa2-psk`, …; none is an open network.
    authentication_types: Option<Untrusted> = some may "authentication-types";
}
