//! `/interface/wireless`: the oldest of the three Wi-Fi stacks. Its secrets stand elsewhere.

use crate::routeros::{compat::Presence, resources::reading, text::Untrusted};

reading! {
    /// One interface.
    Wireless in "/interface/wireless",
        PRESENCE = Presence::WIRELESS, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// SSID.
    ssid: Option<Untrusted> = some may "ssid";
    /// In MHz, or `auto`.
    frequency: Option<Untrusted> = some may "frequency";
    /// Band.
    band: Option<Untrusted> = some may "band";
    /// Width of the channel.
    channel_width: Option<Untrusted> = some may "channel-width";
    /// In dBm, where it is set.
    tx_power: Option<u64> = number may "tx-power";
    /// `default`, `all-rates-fixed`, …
    tx_power_mode: Option<Untrusted> = some may "tx-power-mode";
    /// `ap-bridge`, `station`, …
    mode: Option<Untrusted> = some may "mode";
    /// Security profile.
    security_profile: Option<Untrusted> = some may "security-profile";
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
    /// One client.
    WirelessClient in "/interface/wireless/registration-table",
        PRESENCE = Presence::WIRELESS, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Interface.
    interface: Untrusted = untrusted must "interface";
    /// Hardware address.
    mac_address: Untrusted = untrusted must "mac-address";
    /// Signal in dBm.
    signal: Option<i64> = dbm may "signal-strength";
    /// Signal above noise, in dB.
    signal_to_noise: Option<u64> = number may "signal-to-noise";
    /// Rate towards the client, as told.
    tx_rate: Option<Untrusted> = some may "tx-rate";
    /// Rate from the client, as told.
    rx_rate: Option<Untrusted> = some may "rx-rate";
    /// Seconds since it came.
    uptime_s: Option<u64> = seconds may "uptime";
    /// Bytes sent and received.
    bytes: Option<(u64, u64)> = pair may "bytes";
    /// Packets sent and received.
    packets: Option<(u64, u64)> = pair may "packets";
    /// `false` while it has not proved who it is; absent on open networks of some releases.
    port_enabled: Option<Untrusted> = some may "802.1x-port-enabled";
}

reading! {
    /// Who may join. Its keys are never asked for.
    WirelessSecurity in "/interface/wireless/security-profiles",
        PRESENCE = Presence::WIRELESS, PICKS = true;
    /// RouterOS's id.
    id: Untrusted = untrusted must ".id";
    /// Name.
    name: Untrusted = untrusted must "name";
    /// `none` for an open network, `dynamic-keys`, …
    mode: Option<Untrusted> = some may "mode";
}

impl WirelessClient {
    /// May send and receive.
    #[must_use]
    pub fn authenticated(&self) -> bool {
        self.port_enabled.as_ref().is_none_or(|word| !matches!(word.expose(), "false" | "no"))
    }
}
