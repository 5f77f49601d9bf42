//! Who is connected to the access points that a router manages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::{
            capsman::OldCapClient,
            wifi::{Wifi, WifiClient},
        },
        text::Untrusted,
    },
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
        wireless::radio::Stack,
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    stack: Stack,
    id: Untrusted,
    interface: Untrusted,
    mac_address: Untrusted,
    ssid: Option<Untrusted>,
    /// `identity@address`; `wifi` only.
    ap: Option<Untrusted>,
    radio_name: Option<Untrusted>,
    /// dBm.
    rx_signal: Option<i64>,
    /// dBm; `wireless` only.
    tx_signal: Option<i64>,
    /// Seconds.
    uptime: Option<u64>,
    packets_sent: Option<u64>,
    packets_received: Option<u64>,
    bytes_sent: Option<u64>,
    bytes_received: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    registrations: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct GetCapsmanRegistrations;

impl Tool for GetCapsmanRegistrations {
    const SPEC: Spec = Spec::read(
        "get_capsman_registrations",
        "Clients of managed access points",
        "Clients at access points that a router's CAPsMAN manages. None is an empty list.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] =
        &[Endpoint::print::<OldCapClient>(), Endpoint::print::<Wifi>(), Endpoint::print::<WifiClient>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let old = router.records_if_any::<OldCapClient>().await?.into_iter();
        let mut all: Vec<Listed> = old.map(Listed::from).collect();
        // The newest stack has one table for its own and for managed radios; an interface says who carries it.
        let managed: BTreeMap<Untrusted, Untrusted> = router
            .records_if_any::<Wifi>()
            .await?
            .into_iter()
            .filter_map(|radio| radio.cap.map(|cap| (radio.name, cap)))
            .collect();
        if !managed.is_empty() {
            let clients = router.records_if_any::<WifiClient>().await?.into_iter();
            all.extend(clients.filter_map(|it| {
                let ap = managed.get(&it.interface)?.clone();
                Some(Listed {
                    stack: Stack::Wifi,
                    id: it.id,
                    interface: it.interface,
                    mac_address: it.mac_address,
                    ssid: it.ssid,
                    ap: Some(ap),
                    radio_name: None,
                    rx_signal: it.signal,
                    tx_signal: None,
                    uptime: it.uptime_s,
                    packets_sent: it.packets.map(|(sent, _)| sent),
                    packets_received: it.packets.map(|(_, received)| received),
                    bytes_sent: it.bytes.map(|(sent, _)| sent),
                    bytes_received: it.bytes.map(|(_, received)| received),
                })
            }));
        }
        let (registrations, end) = window.cut(all, |client| client);
        Ok(Answer { registrations, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} clients", answer.registrations.len(), answer.end.total_count)
    }
}

impl From<OldCapClient> for Listed {
    fn from(it: OldCapClient) -> Self {
        Self {
            stack: Stack::Wireless,
            id: it.id,
            interface: it.interface,
            mac_address: it.mac_address,
            ssid: it.ssid,
            ap: None,
            radio_name: it.radio_name,
            rx_signal: it.rx_signal,
            tx_signal: it.tx_signal,
            uptime: it.uptime_s,
            packets_sent: it.packets.map(|(sent, _)| sent),
            packets_received: it.packets.map(|(_, received)| received),
            bytes_sent: it.bytes.map(|(sent, _)| sent),
            bytes_received: it.bytes.map(|(_, received)| received),
        }
    }
}
