//! What time a router thinks it is.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::clock::Clock, text::Untrusted},
    tools::{
        context::Cx,
        listing::Origin,
        params::OneDevice,
        tool::{Spec, Tool},
    },
};

// The contract writes three of these as RouterOS does (`gmt-offset`); every field of every answer is snake_case.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    date: Untrusted,
    time: Untrusted,
    time_zone_name: Untrusted,
    gmt_offset: Untrusted,
    time_zone_autodetect: bool,
    dst_active: bool,
    #[serde(flatten)]
    origin: Origin,
}

pub struct GetSystemClock;

impl Tool for GetSystemClock {
    const SPEC: Spec = Spec::read(
        "get_system_clock",
        "System clock",
        "Date, time and time zone of a router, as it tells them.",
    );
    type Params = OneDevice;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<Clock>()];

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let clock = cx.router(&device.device_id).read::<Clock>().await?;
        Ok(Answer {
            date: clock.date,
            time: clock.time,
            time_zone_name: clock.time_zone_name,
            gmt_offset: clock.gmt_offset,
            time_zone_autodetect: clock.time_zone_autodetect,
            dst_active: clock.dst_active,
            origin: Origin::REST,
        })
    }
}
