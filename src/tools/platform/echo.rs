//! Answers with what it was told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    tools::{
        context::Cx,
        params::{DeviceRef, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// What to answer.
    message: Text<1, 4096>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        Vec::new()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    original_message: String,
    /// The only environment served, or `all`.
    environment: &'static str,
}

pub struct Echo;

impl Tool for Echo {
    const SPEC: Spec =
        Spec::read("echo", "Echo", "Answers with the message it was given; shows that the way works.")
            .local();
    type Params = Params;
    type Answer = Answer;

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let environment = cx.policy().environment.map_or("all", events::device::Environment::as_str);
        Ok(Answer { original_message: params.message.0, environment })
    }
}
