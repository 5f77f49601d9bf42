//! One interface of a router.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::interface::Interface},
    tools::{
        context::Cx,
        interface::shown::Shown,
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
    /// From list_interfaces.
    interface_id: RecordId,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    interface: Shown,
    #[serde(flatten)]
    origin: Origin,
}

pub struct GetInterface;

impl Tool for GetInterface {
    const SPEC: Spec = Spec::read(
        "get_interface",
        "Interface",
        "One interface of a router, by its id, with the time of its last link.",
    );
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::record::<Interface>()];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let found =
            router.record::<Interface>(&params.interface_id.0, "list_interfaces shows the ids").await?;
        Ok(Answer { interface: found.into(), origin: Origin::REST })
    }
}
