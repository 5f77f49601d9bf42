//! One error for all doors: a stable word, a sentence to show, a chain to log, and when to try again.
//!
//! Modules below the doors have small errors of their own; they become a [`Failure`] once, in `tools` and the doors.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $word:literal $status:literal $exit:literal;)+) => {
        /// What went wrong, in one stable word. Each has a page in `docs/errors`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $word)] $name,)+
        }
        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
            /// The stable word.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $word,)+ } }
            /// The HTTP status it travels with.
            #[must_use]
            pub const fn http_status(self) -> u16 { match self { $(Self::$name => $status,)+ } }
            /// The exit code of the command line (0 ok, 1 failed, 2 usage, 3 not found, 4 refused, 5 partial or halted,
            /// 6 verification failed, 7 unavailable: try again).
            #[must_use]
            pub const fn exit_code(self) -> u8 { match self { $(Self::$name => $exit,)+ } }
        }
    };
}

codes! {
    /// A parameter is missing, unknown, of the wrong type or out of range.
    InvalidParams "invalid_params" 400 2;
    /// The configuration is wrong.
    InvalidConfig "invalid_config" 400 2;
    /// There is no tool of that name for this caller.
    UnknownTool "unknown_tool" 404 3;
    /// There is no such device.
    UnknownDevice "unknown_device" 404 3;
    /// There is no such plan.
    UnknownPlan "unknown_plan" 404 3;
    /// There is no such job.
    UnknownJob "unknown_job" 404 3;
    /// There is no such record, path or resource.
    NotFound "not_found" 404 3;
    /// The id or name is taken.
    AlreadyExists "already_exists" 409 4;
    /// No valid token was shown.
    Unauthenticated "unauthenticated" 401 4;
    /// The caller's role does not allow this.
    RoleRequired "role_required" 403 4;
    /// The device does not allow tools of this tier.
    CapabilityMissing "capability_missing" 403 4;
    /// The change would cut our own way to the router, or touch what is protected.
    UnsafeOperation "unsafe_operation" 409 4;
    /// The caller may not touch devices of this environment.
    EnvironmentDenied "environment_denied" 403 4;
    /// The device is outside the caller's scopes.
    DeviceOutOfScope "device_out_of_scope" 403 4;
    /// Agents never do this; a person does it in the web page or on the command line.
    NotForAgents "not_for_agents" 403 4;
    /// The appliance runs with `read_only = true`.
    ReadOnly "read_only" 403 4;
    /// The requester cannot approve a plan of their own.
    SelfApproval "self_approval" 403 4;
    /// The plan waits for a person's approval.
    PlanNotApproved "plan_not_approved" 409 4;
    /// The plan was not approved or not started in time.
    PlanExpired "plan_expired" 409 4;
    /// The plan is approved already.
    PlanAlreadyApproved "plan_already_approved" 409 4;
    /// The plan was started already; the job is named.
    PlanAlreadyStarted "plan_already_started" 409 4;
    /// A person said no to the plan.
    PlanRejected "plan_rejected" 409 4;
    /// The plan is over.
    PlanClosed "plan_closed" 409 4;
    /// The device is not as it was when the plan was made.
    PlanStale "plan_stale" 409 4;
    /// The hash shown is not the plan's.
    PlanHashMismatch "plan_hash_mismatch" 409 4;
    /// The approval token is not the plan's.
    ApprovalTokenInvalid "approval_token_invalid" 403 4;
    /// Approval by trusted workflows is stopped.
    AutoApprovalStopped "auto_approval_stopped" 409 4;
    /// Another job holds the device.
    DeviceInJob "device_in_job" 409 4;
    /// The device showed another key than the confirmed one.
    DeviceQuarantined "device_quarantined" 409 4;
    /// Nobody has confirmed the device's key yet.
    TrustUnconfirmed "trust_unconfirmed" 409 4;
    /// No login is kept for the device.
    NoCredential "no_credential" 409 4;
    /// The state does not allow this now.
    Conflict "conflict" 409 4;
    /// The router has more records there than are read at once.
    TooManyRecords "too_many_records" 409 4;
    /// Too many calls.
    RateLimited "rate_limited" 429 7;
    /// The appliance is at a limit of its own.
    Overloaded "overloaded" 503 7;
    /// The caller took the call back.
    Cancelled "cancelled" 499 1;
    /// The call passed its own deadline.
    DeadlineExceeded "deadline_exceeded" 504 7;
    /// The device cannot be reached.
    DeviceUnreachable "device_unreachable" 502 7;
    /// The device did not answer in time.
    DeviceTimeout "device_timeout" 504 7;
    /// The device did not accept the login.
    DeviceAuthFailed "device_auth_failed" 502 4;
    /// The router's user lacks a policy.
    DeviceForbidden "device_forbidden" 502 4;
    /// The router refused the request; its words are in the details.
    DeviceRefused "device_refused" 502 4;
    /// The router does not have this menu, field or command.
    DeviceUnsupported "device_unsupported" 502 4;
    /// The router's answer cannot be read.
    DeviceGarbled "device_garbled" 502 7;
    /// The device's key or certificate is not the trusted one.
    TlsMismatch "tls_mismatch" 502 4;
    /// The answer to a write was lost and reading has not settled it yet.
    InDoubt "in_doubt" 502 5;
    /// The device is neither as before nor as wanted; a person must look.
    StepDiverged "step_diverged" 409 5;
    /// The job ended without doing all it should.
    JobFailed "job_failed" 409 5;
    /// The store cannot be written now; reads go on.
    StorageUnavailable "storage_unavailable" 503 7;
    /// Whether the store kept this is not known; look before repeating it.
    OutcomeUnknown "outcome_unknown" 503 7;
    /// The store or export does not verify.
    LogDamaged "log_damaged" 500 6;
    /// The store is missing, locked, of another version, or not accessible.
    StoreUnusable "store_unusable" 503 7;
    /// The address to listen on is taken, or not this machine's.
    CannotListen "cannot_listen" 503 7;
    /// Our mistake.
    Bug "bug" 500 1;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that did not work, ready for every door.
#[derive(Debug)]
pub struct Failure {
    /// The stable word.
    pub code: Code,
    /// One sentence for people. Never contains a secret nor text from a router.
    pub say: Cow<'static, str>,
    /// What to do next, if we know.
    pub hint: Option<Cow<'static, str>>,
    /// When a repetition makes sense.
    pub retry_after: Option<Duration>,
    /// The device it is about.
    pub device_id: Option<events::ids::DeviceId>,
    /// Facts for programs: the field, the limit, RouterOS's own words (untrusted, cleaned).
    pub details: Option<serde_json::Value>,
    /// The chain for our log; never sent out.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure with the sentence that people see.
    #[must_use]
    pub fn new(code: Code, say: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            say: say.into(),
            hint: None,
            retry_after: None,
            device_id: None,
            details: None,
            source: None,
        }
    }
    /// A parameter that is not right: which, and why.
    #[must_use]
    pub fn param(field: &str, why: impl fmt::Display) -> Self {
        Self::new(Code::InvalidParams, format!("`{field}`: {why}"))
            .details(serde_json::json!({ "field": field }))
    }
    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Adds when to try again.
    #[must_use]
    pub const fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
    /// Names the device.
    #[must_use]
    pub fn device(mut self, device_id: &events::ids::DeviceId) -> Self {
        self.device_id = Some(device_id.clone());
        self
    }
    /// Adds facts for programs.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(details);
        self
    }
    /// Keeps the cause for our log.
    #[must_use]
    pub fn log(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
    /// The form that every door sends: `{code, message, hint?, retry_after_s?, device_id?, details?, docs}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut out = serde_json::Map::new();
        out.insert("code".into(), self.code.as_str().into());
        out.insert("message".into(), self.say.as_ref().into());
        if let Some(hint) = &self.hint {
            out.insert("hint".into(), hint.as_ref().into());
        }
        if let Some(after) = self.retry_after {
            out.insert("retry_after_s".into(), after.as_secs_f64().ceil().into());
        }
        if let Some(device) = &self.device_id {
            out.insert("device_id".into(), device.as_str().into());
        }
        if let Some(details) = &self.details {
            out.insert("details".into(), details.clone());
        }
        out.into()
    }

    /// A failure from the form that doors send.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Self {
        let word = value["code"].as_str().unwrap_or_default();
        let code = Code::ALL.iter().copied().find(|code| code.as_str() == word).unwrap_or(Code::Bug);
        let text = |field: &str| value[field].as_str().map(str::to_owned);
        let say = text("message").unwrap_or_else(|| "the appliance answered without words".into());
        let mut failure = Self::new(code, say);
        failure.hint = text("hint").map(Into::into);
        failure.details = value.get("details").cloned();
        failure.retry_after =
            value["retry_after_s"].as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        failure.device_id = value["device_id"].as_str().and_then(|id| id.parse().ok());
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.say)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_its_way() {
        let sent = Failure::new(Code::DeviceInJob, "held")
            .hint("wait")
            .retry_after(Duration::from_secs(2))
            .details(serde_json::json!({ "job_id": "j" }));
        let got = Failure::from_json(&sent.to_json());
        assert_eq!(
            (got.code, got.say.as_ref(), got.hint.as_deref()),
            (Code::DeviceInJob, "held", Some("wait"))
        );
        assert_eq!((got.details, got.retry_after), (sent.details, sent.retry_after));
        assert_eq!(Failure::from_json(&serde_json::Value::Null).code, Code::Bug);
        let forged = serde_json::json!({ "retry_after_s": -1.0 });
        assert_eq!(Failure::from_json(&forged).retry_after, None, "never a panic");
    }
}
