//! The newest lines of a router's log, chosen before they are counted.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        resources::{clock::Clock, log::LogLine},
        text::Untrusted,
        value::date_only,
    },
    tools::{
        context::Cx,
        listing::{End, Limit, window},
        params::{DeviceRef, List, Text},
        tool::{Spec, Targets, Tool},
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Its id or name.
    device_id: DeviceRef,
    #[serde(default)]
    limit: Limit<100, 1000>,
    /// From `next_cursor`.
    cursor: Option<String>,
    /// Lines with any of these.
    topics: Option<List<Text<1, 64>, 1, 20>>,
    /// ISO 8601; without offset in the router's own time.
    start_time: Option<Text<1, 40>>,
    /// As start_time; included.
    end_time: Option<Text<1, 40>>,
    /// Text in the message; case does not matter.
    message: Option<Text<1, 200>>,
}

impl Targets for Params {
    fn targets(&self) -> Vec<DeviceRef> {
        vec![self.device_id.clone()]
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Line {
    id: Untrusted,
    /// In the router's own time and form.
    time: Untrusted,
    topics: Vec<Untrusted>,
    message: Untrusted,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// Newest first.
    log_entries: Vec<Line>,
    #[serde(flatten)]
    end: End,
}

pub struct GetRecentLogs;

impl Tool for GetRecentLogs {
    const SPEC: Spec = Spec::read(
        "get_recent_logs",
        "Recent log lines",
        "A router's log, newest first. Filters apply before the limit; with a time filter, undated lines are left out.",
    );
    type Params = Params;
    type Answer = Answer;
    const USES: &'static [Endpoint] =
        &[Endpoint::count::<LogLine>(), Endpoint::print::<LogLine>(), Endpoint::print::<Clock>()];

    async fn run(cx: &Cx, params: Params) -> Result<Answer, Failure> {
        let window = window(params.limit.0, params.cursor.as_deref())?;
        let start = params.start_time.as_ref().map(|text| Instant::parse("start_time", text)).transpose()?;
        let end = params.end_time.as_ref().map(|text| Instant::parse("end_time", text)).transpose()?;
        let device = cx.device(&params.device_id)?;
        let router = cx.router(&device.device_id);
        let between = if start.is_some() || end.is_some() {
            // Lines carry the router's own time, and older releases leave the date out.
            let clock = router.read::<Clock>().await?;
            let today = date_only(clock.date.expose()).ok_or_else(|| {
                Failure::new(Code::DeviceGarbled, "this router's date cannot be read")
                    .device(&device.device_id)
            })?;
            let offset = offset(clock.gmt_offset.expose());
            let local = |instant: Instant| instant.local(offset);
            Some(Between { start: start.map(local), end: end.map(local), today })
        } else {
            None
        };
        let mut lines = router
            .counted::<LogLine>(
                None,
                "lower memory-lines of the router's logging action, or read the log there",
            )
            .await?;
        let topics: Vec<String> =
            params.topics.into_iter().flat_map(|List(topics)| topics).map(|Text(topic)| topic).collect();
        let message = params.message.map(|Text(text)| text.to_lowercase());
        lines.retain(|line| {
            (topics.is_empty() || line.topics.iter().any(|topic| topics.iter().any(|t| t == topic.expose())))
                && message.as_ref().is_none_or(|text| line.message.expose().to_lowercase().contains(text))
                && between.as_ref().is_none_or(|between| between.holds(line))
        });
        // RouterOS tells the oldest first.
        lines.reverse();
        let (log_entries, end) = window.cut(lines, |line| Line {
            id: line.id,
            time: line.time,
            topics: line.topics,
            message: line.message,
        });
        Ok(Answer { log_entries, end })
    }

    fn say(answer: &Answer) -> String {
        format!("{} of {} lines, newest first", answer.log_entries.len(), answer.end.total_count)
    }
}

/// A time as callers give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instant {
    /// With an offset.
    Absolute(DateTime<FixedOffset>),
    /// In the router's own time.
    Local(NaiveDateTime),
}

impl Instant {
    fn parse(field: &str, Text(text): &Text<1, 40>) -> Result<Self, Failure> {
        if let Ok(absolute) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Absolute(absolute));
        }
        ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M"]
            .into_iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .or_else(|| {
                NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0))
            })
            .map(Self::Local)
            .ok_or_else(|| {
                Failure::param(
                    field,
                    "an ISO 8601 time such as `2026-09-28T16:48:57Z` or `2026-09-28T16:48:57`",
                )
            })
    }

    fn local(self, offset: FixedOffset) -> NaiveDateTime {
        match self {
            Self::Absolute(time) => time.with_timezone(&offset).naive_local(),
            Self::Local(time) => time,
        }
    }
}

/// `+02:00`, as the router's clock tells it; without one its time is taken for UTC.
fn offset(text: &str) -> FixedOffset {
    let utc = FixedOffset::east_opt(0).expect("zero is an offset");
    text.parse().unwrap_or(utc)
}

struct Between {
    start: Option<NaiveDateTime>,
    end: Option<NaiveDateTime>,
    today: NaiveDate,
}

impl Between {
    fn holds(&self, line: &LogLine) -> bool {
        let Some(at) = line.at(self.today) else { return false };
        self.start.is_none_or(|start| at >= start) && self.end.is_none_or(|end| at <= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str, gmt_offset: &str) -> Option<String> {
        let instant = Instant::parse("start_time", &Text(text.to_owned())).ok()?;
        Some(instant.local(offset(gmt_offset)).to_string())
    }

    #[test]
    fn times_mean_the_routers_own_unless_they_carry_an_offset() {
        assert_eq!(local("2026-09-28T16:48:57", "+02:00").as_deref(), Some("2026-09-28 16:48:57"));
        assert_eq!(local("2026-09-28", "+02:00").as_deref(), Some("2026-09-28 00:00:00"));
        assert_eq!(local("2026-09-28T16:48:57Z", "+02:00").as_deref(), Some("2026-09-28 18:48:57"));
        assert_eq!(local("2026-09-28T16:48:57+02:00", "-05:30").as_deref(), Some("2026-09-28 09:18:57"));
        assert_eq!(local("2026-09-28T16:48:57Z", "").as_deref(), Some("2026-09-28 16:48:57"));
        assert_eq!((local("yesterday", ""), local("2026-13-01", ""), local("16:48", "")), (None, None, None));
    }
}
