//! Starts an approved sync of an address list.

use crate::{
    failure::Failure,
    tools::{
        apply::ApplyParams,
        config::start::{StartAnswer, start},
        context::Cx,
        tool::{Spec, Tool, Topic},
    },
};

pub struct ConfigApplyAddressListSync;

impl Tool for ConfigApplyAddressListSync {
    const SPEC: Spec = Spec::apply(
        "config_apply_address_list_sync",
        "Start an address list sync",
        "Starts an address list plan that a person approved, and answers with its job, which goes on batch after batch.",
        &Topic::ADDRESS_LIST,
    )
    .timeout_s(60);
    type Params = ApplyParams;
    type Answer = StartAnswer;

    async fn run(cx: &Cx, params: ApplyParams) -> Result<StartAnswer, Failure> {
        start(cx, &Topic::ADDRESS_LIST, &params).await
    }

    fn say(answer: &StartAnswer) -> String {
        answer.say()
    }
}
