//! Who is connected to a router's Wi-Fi, on all three stacks.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
        wireless::radio::{CLIENT_ENDPOINTS, Stack, clients},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    stack: Stack,
    id: Untrusted,
    interface: Untrusted,
    ssid: Option<Untrusted>,
    mac_address: Untrusted,
    /// dBm.
    signal_strength: Option<i64>,
    /// dB; `wireless` only.
    signal_to_noise: Option<u64>,
    /// Bits per second, towards the client.
    tx_rate: Option<u64>,
    /// Bits per second.
    rx_rate: Option<u64>,
    /// Seconds.
    uptime: Option<u64>,
    bytes_sent: Option<u64>,
    bytes_received: Option<u64>,
    packets_sent: Option<u64>,
    packets_received: Option<u64>,
    authenticated: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    wireless_clients: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct GetWirelessClients;

impl Tool for GetWirelessClients {
    const SPEC: Spec = Spec::read(
        "get_wireless_clients",
        "Wi-Fi clients",
        "Clients of a router's Wi-Fi with signal, rates and traffic, of all stacks.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &CLIENT_ENDPOINTS;

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all = clients(&cx.router(&device.device_id)).await?;
        let (wireless_clients, end) = window.cut(all, |client| Listed {
            stack: client.stack,
            id: client.id,
            interface: client.interface,
            ssid: client.ssid,
            mac_address: client.mac_address,
            signal_strength: client.signal,
            signal_to_noise: client.signal_to_noise,
            tx_rate: client.tx_rate,
            rx_rate: client.rx_rate,
            uptime: client.uptime_s,
            bytes_sent: client.bytes.map(|(sent, _)| sent),
            bytes_received: client.bytes.map(|(_, received)| received),
            packets_sent: client.packets.map(|(sent, _)| sent),
            packets_received: client.packets.map(|(_, received)| received),
            authenticated: client.authenticated,
        });
        Ok(Answer { wireless_clients, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} clients", answer.wireless_clients.len(), answer.end.total_count)
    }
}
