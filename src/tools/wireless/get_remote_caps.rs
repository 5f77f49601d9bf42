//! The access points that a router manages.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::capsman::{OldCap, OldCapRadio, Wave2Cap, WifiCap},
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
    /// `wireless` only.
    name: Option<Untrusted>,
    address: Untrusted,
    identity: Untrusted,
    version: Untrusted,
    state: Untrusted,
    base_mac: Untrusted,
    /// One for each radio; `wireless` only.
    radio_mac: Vec<Untrusted>,
    board: Untrusted,
    /// `wireless` only.
    radios: Option<u64>,
    /// dBm. Null: no release tells it of an access point; get_capsman_registrations tells it of clients.
    rx_signal: Option<i64>,
    /// Seconds; newer stacks only.
    uptime: Option<u64>,
}

impl Listed {
    /// An access point with those of all radios that are its own.
    fn of_oldest(it: OldCap, radios: &[OldCapRadio]) -> Self {
        let own = radios.iter().filter(|radio| radio.remote_cap_name.as_ref() == Some(&it.name));
        Self {
            radio_mac: own.map(|radio| radio.radio_mac.clone()).collect(),
            stack: Stack::Wireless,
            id: it.id,
            name: Some(it.name),
            address: it.address,
            identity: it.identity,
            version: it.version,
            state: it.state,
            base_mac: it.base_mac,
            board: it.board,
            radios: it.radios,
            rx_signal: None,
            uptime: None,
        }
    }
}

macro_rules! newer_stack {
    ($reading:ident, $stack:ident) => {
        impl From<$reading> for Listed {
            fn from(it: $reading) -> Self {
                Self {
                    stack: Stack::$stack,
                    id: it.id,
                    name: None,
                    address: it.address,
                    identity: it.identity,
                    version: it.version,
                    state: it.state,
                    base_mac: it.base_mac,
                    radio_mac: Vec::new(),
                    board: it.board,
                    radios: None,
                    rx_signal: None,
                    uptime: it.uptime_s,
                }
            }
        }
    };
}
newer_stack!(Wave2Cap, Wifiwave2);
newer_stack!(WifiCap, Wifi);

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    remote_caps: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct GetCapsmanRemoteCaps;

impl Tool for GetCapsmanRemoteCaps {
    const SPEC: Spec = Spec::read(
        "get_capsman_remote_caps",
        "Managed access points",
        "Access points that a router's CAPsMAN manages, of all stacks. None is an empty list.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<OldCap>(),
        Endpoint::print::<OldCapRadio>(),
        Endpoint::print::<Wave2Cap>(),
        Endpoint::print::<WifiCap>(),
    ];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let oldest = router.records_if_any::<OldCap>().await?;
        let radios = match oldest.as_slice() {
            [] => Vec::new(),
            _ => router.records_if_any::<OldCapRadio>().await?,
        };
        let mut all: Vec<Listed> = oldest.into_iter().map(|cap| Listed::of_oldest(cap, &radios)).collect();
        all.extend(router.records_if_any::<Wave2Cap>().await?.into_iter().map(Listed::from));
        all.extend(router.records_if_any::<WifiCap>().await?.into_iter().map(Listed::from));
        let (remote_caps, end) = window.cut(all, |cap| cap);
        Ok(Answer { remote_caps, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} access points", answer.remote_caps.len(), answer.end.total_count)
    }
}
