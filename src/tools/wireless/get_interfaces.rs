//! A router's Wi-Fi interfaces, of all three stacks.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::capsman::{OldCap, Wave2Cap, WifiCap},
        text::Untrusted,
    },
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
        wireless::radio::{CLIENT_ENDPOINTS, RADIO_ENDPOINTS, Stack, clients, radios},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    stack: Stack,
    id: Untrusted,
    name: Untrusted,
    /// Of the interface or its profile.
    ssid: Option<Untrusted>,
    /// MHz: one, several or ranges; `auto`.
    frequency: Option<Untrusted>,
    band: Option<Untrusted>,
    channel_width: Option<Untrusted>,
    /// dBm, where set.
    tx_power: Option<u64>,
    tx_power_mode: Option<Untrusted>,
    mode: Option<Untrusted>,
    security_profile: Option<Untrusted>,
    running: bool,
    disabled: bool,
    comment: Untrusted,
    mac_address: Option<Untrusted>,
    registered_clients: usize,
    authenticated_clients: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    wireless_interfaces: Vec<Listed>,
    /// Access points are managed here: see get_capsman_remote_caps.
    capsman_detected: bool,
    #[serde(flatten)]
    end: End,
}

pub struct GetWirelessInterfaces;

impl Tool for GetWirelessInterfaces {
    const SPEC: Spec = Spec::read(
        "get_wireless_interfaces",
        "Wi-Fi interfaces",
        "Wi-Fi interfaces of all stacks with SSID, channel, power and client counts. No Wi-Fi is an empty list.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        RADIO_ENDPOINTS[0],
        RADIO_ENDPOINTS[1],
        RADIO_ENDPOINTS[2],
        RADIO_ENDPOINTS[3],
        RADIO_ENDPOINTS[4],
        RADIO_ENDPOINTS[5],
        RADIO_ENDPOINTS[6],
        CLIENT_ENDPOINTS[0],
        CLIENT_ENDPOINTS[1],
        CLIENT_ENDPOINTS[2],
        Endpoint::print::<OldCap>(),
        Endpoint::print::<Wave2Cap>(),
        Endpoint::print::<WifiCap>(),
    ];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let all = radios(&router).await?;
        let clients = if all.is_empty() { Vec::new() } else { clients(&router).await? };
        let capsman_detected = !router.records_if_any::<OldCap>().await?.is_empty()
            || !router.records_if_any::<Wave2Cap>().await?.is_empty()
            || !router.records_if_any::<WifiCap>().await?.is_empty();
        let (wireless_interfaces, end) = window.cut(all, |radio| {
            let here = || clients.iter().filter(|c| c.stack == radio.stack && c.interface == radio.name);
            Listed {
                registered_clients: here().count(),
                authenticated_clients: here().filter(|client| client.authenticated).count(),
                stack: radio.stack,
                id: radio.id,
                name: radio.name.clone(),
                ssid: radio.ssid,
                frequency: radio.frequency,
                band: radio.band,
                channel_width: radio.channel_width,
                tx_power: radio.tx_power,
                tx_power_mode: radio.tx_power_mode,
                mode: radio.mode,
                security_profile: radio.security_profile,
                running: radio.running,
                disabled: radio.disabled,
                comment: radio.comment,
                mac_address: radio.mac_address,
            }
        });
        Ok(Answer { wireless_interfaces, capsman_detected, end })
    }

    fn say(answer: &Answer) -> String {
        let hint =
            if answer.capsman_detected { "; managed access points: get_capsman_remote_caps" } else { "" };
        format!("{} of {} Wi-Fi interfaces{hint}", answer.wireless_interfaces.len(), answer.end.total_count)
    }
}
