//! Plans a new port of a bridge.

use crate::{
    changes::bridge_port as change,
    failure::Failure,
    routeros::compat::Endpoint,
    tools::{
        bridge::{port::Params, reading},
        context::Cx,
        tool::{Spec, Tool, Topic},
        topic::{PlanAnswer, propose},
    },
};

pub struct PlanAddBridgePort;

impl Tool for PlanAddBridgePort {
    const SPEC: Spec = Spec::plan(
        "plan_add_bridge_port",
        "Plan a new bridge port",
        "Plans an interface as a new port of a bridge on each device, with RouterOS's defaults. A person approves; apply_bridge_plan starts it.",
        &Topic::BRIDGE,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &reading::with::<2, 11>(change::ADD);

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let devices = params.device_ids.clone();
        propose(cx, &devices, "add a bridge port", |cx, device| {
            let params = params.clone();
            async move {
                let lan = reading::lan(cx, &device).await?;
                Ok(change::add(&lan, &params.bridge_name.0, &params.interface.0)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
