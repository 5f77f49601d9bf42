//! Starts an approved rollout of DNS and NTP servers.

use crate::{
    failure::Failure,
    tools::{
        apply::ApplyParams,
        config::start::{StartAnswer, start},
        context::Cx,
        tool::{Spec, Tool, Topic},
    },
};

pub struct ConfigApplyDnsNtpRollout;

impl Tool for ConfigApplyDnsNtpRollout {
    const SPEC: Spec = Spec::apply(
        "config_apply_dns_ntp_rollout",
        "Start a DNS and NTP rollout",
        "Starts a DNS and NTP plan that a person approved, and answers with its job, which goes on batch after batch.",
        &Topic::DNS_NTP,
    )
    .timeout_s(60);
    type Params = ApplyParams;
    type Answer = StartAnswer;

    async fn run(cx: &Cx, params: ApplyParams) -> Result<StartAnswer, Failure> {
        start(cx, &Topic::DNS_NTP, &params).await
    }

    fn say(answer: &StartAnswer) -> String {
        answer.say()
    }
}
