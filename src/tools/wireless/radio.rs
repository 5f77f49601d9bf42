//! What the three Wi-Fi stacks have in common: `wireless`, `wifiwave2` (to 7.12), `wifi` (7.13 and newer).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{
        compat::Endpoint,
        figures::bits_per_second,
        resources::{
            wifi::{
                Wave2, Wave2Channel, Wave2Client, Wave2Configuration, Wifi, WifiChannel, WifiClient,
                WifiConfiguration,
            },
            wireless::{Wireless, WirelessClient},
        },
        text::Untrusted,
    },
    tools::context::Router,
};

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    /// `/interface/wireless`.
    Wireless,
    /// `/interface/wifiwave2`.
    Wifiwave2,
    /// `/interface/wifi`.
    Wifi,
}

/// What reading the clients sends.
pub(super) const CLIENT_ENDPOINTS: [Endpoint; 3] =
    [Endpoint::print::<WirelessClient>(), Endpoint::print::<Wave2Client>(), Endpoint::print::<WifiClient>()];

/// A client of any stack.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub stack: Stack,
    pub id: Untrusted,
    pub interface: Untrusted,
    pub ssid: Option<Untrusted>,
    pub mac_address: Untrusted,
    pub signal: Option<i64>,
    pub signal_to_noise: Option<u64>,
    pub tx_rate: Option<u64>,
    pub rx_rate: Option<u64>,
    pub uptime_s: Option<u64>,
    pub bytes: Option<(u64, u64)>,
    pub packets: Option<(u64, u64)>,
    pub authenticated: bool,
}

fn rate(text: Option<&Untrusted>) -> Option<u64> {
    text.and_then(|text| bits_per_second(text.expose()))
}

impl From<WirelessClient> for Client {
    fn from(it: WirelessClient) -> Self {
        Self {
            stack: Stack::Wireless,
            authenticated: it.authenticated(),
            tx_rate: rate(it.tx_rate.as_ref()),
            rx_rate: rate(it.rx_rate.as_ref()),
            id: it.id,
            interface: it.interface,
            ssid: None,
            mac_address: it.mac_address,
            signal: it.signal,
            signal_to_noise: it.signal_to_noise,
            uptime_s: it.uptime_s,
            bytes: it.bytes,
            packets: it.packets,
        }
    }
}

/// The two newer stacks have the same records under two names.
macro_rules! newer_stack {
    ($stack:ident, $method:ident, $radio:ident, $client:ident, $configuration:ident, $channel:ident) => {
        impl From<$client> for Client {
            fn from(it: $client) -> Self {
                Self {
                    stack: Stack::$stack,
                    tx_rate: rate(it.tx_rate.as_ref()),
                    rx_rate: rate(it.rx_rate.as_ref()),
                    id: it.id,
                    interface: it.interface,
                    ssid: it.ssid,
                    mac_address: it.mac_address,
                    signal: it.signal,
                    signal_to_noise: None,
                    uptime_s: it.uptime_s,
                    bytes: it.bytes,
                    packets: it.packets,
                    authenticated: it.authorized,
                }
            }
        }

        impl From<$configuration> for Profile {
            fn from(it: $configuration) -> Self {
                Self {
                    ssid: it.ssid,
                    mode: it.mode,
                    tx_power: it.tx_power,
                    channel: it.channel,
                    tune: Tune { frequency: it.frequency, band: it.band, width: it.width },
                }
            }
        }

        impl From<$channel> for Tune {
            fn from(it: $channel) -> Self {
                Self { frequency: it.frequency, band: it.band, width: it.width }
            }
        }

        impl Profiles {
            /// An interface with what its profiles say where it says nothing itself.
            pub(super) fn $method(&self, it: $radio) -> Radio {
                let none = Profile::default();
                let profile =
                    it.configuration.as_ref().and_then(|name| self.configurations.get(name)).unwrap_or(&none);
                let named = it.channel.as_ref().or(profile.channel.as_ref());
                let channel = named.and_then(|name| self.channels.get(name)).cloned().unwrap_or_default();
                let own = Tune { frequency: it.frequency, band: it.band, width: it.width };
                let tune = own.or(&profile.tune).or(&channel);
                Radio {
                    stack: Stack::$stack,
                    id: it.id,
                    name: it.name,
                    ssid: it.ssid.or_else(|| profile.ssid.clone()),
                    frequency: tune.frequency,
                    band: tune.band,
                    channel_width: tune.width,
                    tx_power: it.tx_power.or(profile.tx_power),
                    tx_power_mode: None,
                    mode: it.mode.or_else(|| profile.mode.clone()),
                    security_profile: None,
                    running: it.running,
                    disabled: it.disabled,
                    comment: it.comment,
                    mac_address: it.mac_address,
                }
            }
        }
    };
}
newer_stack!(Wifiwave2, wifiwave2, Wave2, Wave2Client, Wave2Configuration, Wave2Channel);
newer_stack!(Wifi, wifi, Wifi, WifiClient, WifiConfiguration, WifiChannel);

/// Where a radio sends.
#[derive(Debug, Clone, Default)]
struct Tune {
    frequency: Option<Untrusted>,
    band: Option<Untrusted>,
    width: Option<Untrusted>,
}

impl Tune {
    fn or(self, other: &Self) -> Self {
        Self {
            frequency: self.frequency.or_else(|| other.frequency.clone()),
            band: self.band.or_else(|| other.band.clone()),
            width: self.width.or_else(|| other.width.clone()),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Profile {
    ssid: Option<Untrusted>,
    mode: Option<Untrusted>,
    tx_power: Option<u64>,
    channel: Option<Untrusted>,
    tune: Tune,
}

/// The profiles of one of the newer stacks, by name.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    configurations: BTreeMap<Untrusted, Profile>,
    channels: BTreeMap<Untrusted, Tune>,
}

/// An interface of any stack.
#[derive(Debug, Clone)]
pub(super) struct Radio {
    pub stack: Stack,
    pub id: Untrusted,
    pub name: Untrusted,
    pub ssid: Option<Untrusted>,
    pub frequency: Option<Untrusted>,
    pub band: Option<Untrusted>,
    pub channel_width: Option<Untrusted>,
    pub tx_power: Option<u64>,
    pub tx_power_mode: Option<Untrusted>,
    pub mode: Option<Untrusted>,
    pub security_profile: Option<Untrusted>,
    pub running: bool,
    pub disabled: bool,
    pub comment: Untrusted,
    pub mac_address: Option<Untrusted>,
}

impl From<Wireless> for Radio {
    fn from(it: Wireless) -> Self {
        Self {
            stack: Stack::Wireless,
            id: it.id,
            name: it.name,
            ssid: it.ssid,
            frequency: it.frequency,
            band: it.band,
            channel_width: it.channel_width,
            tx_power: it.tx_power,
            tx_power_mode: it.tx_power_mode,
            mode: it.mode,
            security_profile: it.security_profile,
            running: it.running,
            disabled: it.disabled,
            comment: it.comment,
            mac_address: it.mac_address,
        }
    }
}

/// The clients of all stacks that the router has.
pub(super) async fn clients(router: &Router<'_>) -> Result<Vec<Client>, Failure> {
    let mut all: Vec<Client> =
        router.records_if_any::<WirelessClient>().await?.into_iter().map(Client::from).collect();
    all.extend(router.records_if_any::<Wave2Client>().await?.into_iter().map(Client::from));
    all.extend(router.records_if_any::<WifiClient>().await?.into_iter().map(Client::from));
    Ok(all)
}

/// What reading the interfaces sends.
pub(super) const RADIO_ENDPOINTS: [Endpoint; 7] = [
    Endpoint::print::<Wireless>(),
    Endpoint::print::<Wave2>(),
    Endpoint::print::<Wave2Configuration>(),
    Endpoint::print::<Wave2Channel>(),
    Endpoint::print::<Wifi>(),
    Endpoint::print::<WifiConfiguration>(),
    Endpoint::print::<WifiChannel>(),
];

/// The interfaces of all stacks that the router has, with what their profiles say.
pub(super) async fn radios(router: &Router<'_>) -> Result<Vec<Radio>, Failure> {
    let mut all: Vec<Radio> =
        router.records_if_any::<Wireless>().await?.into_iter().map(Radio::from).collect();
    let wave2 = router.records_if_any::<Wave2>().await?;
    if !wave2.is_empty() {
        let profiles = Profiles {
            configurations: router
                .records_if_any::<Wave2Configuration>()
                .await?
                .into_iter()
                .map(|it| (it.name.clone(), it.into()))
                .collect(),
            channels: router
                .records_if_any::<Wave2Channel>()
                .await?
                .into_iter()
                .map(|it| (it.name.clone(), it.into()))
                .collect(),
        };
        all.extend(wave2.into_iter().map(|it| profiles.wifiwave2(it)));
    }
    let wifi = router.records_if_any::<Wifi>().await?;
    if !wifi.is_empty() {
        let profiles = Profiles {
            configurations: router
                .records_if_any::<WifiConfiguration>()
                .await?
                .into_iter()
                .map(|it| (it.name.clone(), it.into()))
                .collect(),
            channels: router
                .records_if_any::<WifiChannel>()
                .await?
                .into_iter()
                .map(|it| (it.name.clone(), it.into()))
                .collect(),
        };
        all.extend(wifi.into_iter().map(|it| profiles.wifi(it)));
    }
    Ok(all)
}
