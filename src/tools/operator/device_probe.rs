//! What a box shows before any login is sent: for the first trust, and for comparing later.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::principal::Kind,
    failure::{Code, Failure},
    routeros::text::Untrusted,
    tools::{
        context::Cx,
        operator::ADMIN,
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// IPv4 or IPv6 address.
    address: IpAddr,
    /// 1–65535.
    port: u16,
    #[serde(default = "yes")]
    tls: bool,
}

const fn yes() -> bool {
    true
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// Compare with the router's own before trusting it.
    spki_sha256: Option<String>,
    subject: Option<Untrusted>,
    names: Vec<Untrusted>,
    not_after: Option<String>,
    self_signed: bool,
}

pub struct DeviceProbe;

impl Tool for DeviceProbe {
    const SPEC: Spec = Spec::operator(
        "device_probe",
        "Probe an address",
        "Shows the key of the box at an address; sends no login.",
        Kind::Read,
        ADMIN,
    );
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let shown =
            cx.prober().fingerprint(params.address, params.port, params.tls).await.map_err(|error| {
                Failure::new(Code::DeviceUnreachable, format!("{}:{}: {error}", params.address, params.port))
                    .log(error)
            })?;
        Ok(Answer {
            spki_sha256: shown.spki_sha256,
            subject: shown.subject,
            names: shown.names,
            not_after: shown.not_after,
            self_signed: shown.self_signed,
        })
    }
}
