//! One address of a router.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::ip_address::IpAddress},
    tools::{
        context::Cx,
        ip::list_addresses::Listed,
        listing::{Origin, RecordId},
        params::DeviceRef,
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Its id or name.
    device_id: DeviceRef,
    /// From list_ip_addresses.
    address_id: RecordId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    address: Listed,
    #[serde(flatten)]
    origin: Origin,
}

pub struct GetIpAddress;

impl Tool for GetIpAddress {
    const SPEC: Spec = Spec::read("get_ip_address", "IP address", "One address of a router, by its id.");
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::record::<IpAddress>()];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let found =
            router.record::<IpAddress>(&params.address_id.0, "list_ip_addresses shows the ids").await?;
        Ok(Answer { address: found.into(), origin: Origin::REST })
    }
}
