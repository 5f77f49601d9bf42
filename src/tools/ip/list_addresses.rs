//! Lists the addresses of a router.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::ip_address::IpAddress, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    address: Untrusted,
    network: Untrusted,
    interface: Untrusted,
    disabled: bool,
    comment: Untrusted,
    dynamic: bool,
    invalid: bool,
}

impl From<IpAddress> for Listed {
    fn from(it: IpAddress) -> Self {
        Self {
            id: it.id,
            address: it.address,
            network: it.network,
            interface: it.interface,
            disabled: it.disabled,
            comment: it.comment,
            dynamic: it.dynamic,
            invalid: it.invalid,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    addresses: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct ListIpAddresses;

impl Tool for ListIpAddresses {
    const SPEC: Spec = Spec::read(
        "list_ip_addresses",
        "List IP addresses",
        "IPv4 addresses of a router: interface, network, state.",
    );
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<IpAddress>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all = cx.router(&device.device_id).records::<IpAddress>(&[]).await?;
        let (addresses, end) = window.cut(all, Listed::from);
        Ok(Answer { addresses, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} addresses", answer.addresses.len(), answer.end.total_count)
    }
}
