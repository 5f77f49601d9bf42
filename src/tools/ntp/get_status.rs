//! How a router keeps its time.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{
        compat::Endpoint,
        resources::ntp_client::{NtpClient, NtpServer},
        text::Untrusted,
    },
    tools::{
        context::Cx,
        listing::Origin,
        params::OneDevice,
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    enabled: bool,
    /// Set by people, in order.
    ntp_servers: Vec<Untrusted>,
    /// Learnt from DHCP.
    dynamic_servers: Vec<Untrusted>,
    mode: Untrusted,
    status: Untrusted,
    synced_server: Option<Untrusted>,
    stratum: Option<u64>,
    offset_ms: Option<f64>,
    #[serde(flatten)]
    origin: Origin,
}

pub struct GetNtpStatus;

impl Tool for GetNtpStatus {
    const SPEC: Spec = Spec::read(
        "get_ntp_status",
        "NTP status",
        "Servers, synchronisation and offset of a router's NTP client.",
    );
    type Params = OneDevice;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<NtpClient>(), Endpoint::print::<NtpServer>()];

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let ntp = router.read::<NtpClient>().await?;
        let servers = router.read_all_if_any::<NtpServer>().await?;
        Ok(Answer {
            enabled: ntp.enabled,
            ntp_servers: Untrusted::all(&ntp.servers),
            dynamic_servers: servers
                .into_iter()
                .filter(|server| server.dynamic)
                .map(|server| server.address)
                .collect(),
            mode: ntp.mode,
            status: ntp.status,
            synced_server: ntp.synced_server,
            stratum: ntp.stratum,
            offset_ms: ntp.offset_ms,
            origin: Origin::REST,
        })
    }

    fn say(answer: &Answer) -> String {
        format!(
            "{}, {} set servers",
            if answer.enabled { "enabled" } else { "disabled" },
            answer.ntp_servers.len()
        )
    }
}
