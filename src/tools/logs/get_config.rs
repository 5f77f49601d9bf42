//! Which topics a router logs where.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    failure::Failure,
    routeros::{compat::Endpoint, resources::logging::LoggingRule, text::Untrusted},
    tools::{
        context::Cx,
        listing::{DeviceList, End},
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    id: Untrusted,
    /// `!` before a topic leaves it out.
    topics: Vec<Untrusted>,
    action: Untrusted,
    prefix: Untrusted,
    disabled: bool,
    invalid: bool,
}

impl From<LoggingRule> for Listed {
    fn from(it: LoggingRule) -> Self {
        Self {
            id: it.id,
            topics: it.topics,
            action: it.action,
            prefix: it.prefix,
            disabled: it.disabled,
            invalid: it.invalid,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    logging_actions: Vec<Listed>,
    #[serde(flatten)]
    end: End,
}

pub struct GetLoggingConfig;

impl Tool for GetLoggingConfig {
    const SPEC: Spec = Spec::read("get_logging_config", "Logging rules", "Which topics a router logs where.");
    type Params = DeviceList<50, 500>;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[Endpoint::print::<LoggingRule>()];

    async fn run(cx: &Cx, params: Self::Params) -> Result<Answer, Failure> {
        let window = params.window()?;
        let device = cx.device(&params.device_id)?;
        let all = cx.router(&device.device_id).records::<LoggingRule>(&[]).await?;
        let (logging_actions, end) = window.cut(all, Listed::from);
        Ok(Answer { logging_actions, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} rules", answer.logging_actions.len(), answer.end.total_count)
    }
}
