//! Plans the removal of a port of a bridge.

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

pub struct PlanRemoveBridgePort;

impl Tool for PlanRemoveBridgePort {
    const SPEC: Spec = Spec::plan(
        "plan_remove_bridge_port",
        "Plan the removal of a bridge port",
        "Plans to take an interface out of its bridge on each device; the undo puts it back with every setting, at its place. A person approves; apply_bridge_plan starts it.",
        &Topic::BRIDGE,
    );
    type Params = Params;
    type Answer = PlanAnswer;
    const USES: &'static [Endpoint] = &reading::with::<2, 11>(change::REMOVE);

    async fn run(cx: &Cx, params: Params) -> Result<PlanAnswer, Failure> {
        let devices = params.device_ids.clone();
        propose(cx, &devices, "remove a bridge port", |cx, device| {
            let params = params.clone();
            async move {
                let lan = reading::lan(cx, &device).await?;
                Ok(change::remove(&lan, &params.bridge_name.0, &params.interface.0)?)
            }
        })
        .await
    }

    fn say(answer: &PlanAnswer) -> String {
        answer.say()
    }
}
