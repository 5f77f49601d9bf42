//! What can go wrong between us and a router, told apart by what it means for the caller.

use std::time::Duration;

use crate::{
    failure::{Code, Failure},
    routeros::{json::JsonError, text::Untrusted},
};

/// What is wrong with an answer, in words of ours only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Garble {
    /// It is not JSON, or too much of it.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A record lacks what every record of its menu has.
    #[error("{menu} without `{property}`")]
    Without {
        /// The menu that was asked.
        menu: &'static str,
        /// What is missing.
        property: &'static str,
    },
    /// A menu without records answered with none.
    #[error("a menu without records answered with none")]
    Empty,
    /// The record belongs to another menu.
    #[error("the answer belongs to another menu")]
    OtherMenu,
    /// An error status without RouterOS's words.
    #[error("status {0} without RouterOS's words")]
    Wordless(u16),
    /// The request could not be built.
    #[error("the request could not be built")]
    Unsendable,
}

/// What broke the way, after so many tries.
#[derive(Debug, thiserror::Error)]
#[error("after {tries} tries")]
pub struct Tried {
    /// How often it was sent, or tried to be.
    pub tries: u32,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Why a router did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// No such device in the register.
    #[error("no such device")]
    Unknown,
    /// Nobody has confirmed the device's key.
    #[error("the device's key is not confirmed")]
    Unconfirmed,
    /// The device is in quarantine.
    #[error("the device is in quarantine")]
    Quarantined,
    /// Routers may not live at this address.
    #[error("the address may not be called: {why}")]
    AddressRefused {
        /// Why.
        why: &'static str,
    },
    /// A write whose ticket is for something else: our mistake. Nothing was sent.
    #[error("the ticket is for another operation")]
    NotTicketed,
    /// Address or key of the device changed since the write was planned. Nothing was sent.
    #[error("the device may be another box now")]
    OtherBox,
    /// The device showed a key that is not the trusted one. No login was sent.
    #[error("the device showed key {seen_sha256}")]
    Mismatch {
        /// SHA-256 of the key it showed (64 hex digits), or empty.
        seen_sha256: String,
    },
    /// No login for this purpose, or it cannot be unsealed.
    #[error("no usable login")]
    NoCredential,
    /// The store cannot be read now, so the login is not known. Nothing was sent.
    #[error("the store cannot be read now")]
    StoreAway,
    /// No connection: refused, no route, name. Nothing was sent.
    #[error("no connection")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The TLS handshake failed for another reason than the key.
    #[error("no TLS session")]
    Handshake(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The lane was full or its turn did not come inside the deadline. Nothing was sent.
    #[error("the device's lane is busy")]
    Busy,
    /// The lane is resting after repeated failures. Nothing was sent.
    #[error("resting after repeated failures")]
    Resting {
        /// When the next try is allowed.
        retry_after: Duration,
    },
    /// Sent, and no answer came in time.
    #[error("no answer in time")]
    Timeout,
    /// Sent, and the connection broke before the answer was whole.
    #[error("the connection broke")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The login was not accepted.
    #[error("the login was not accepted")]
    Auth,
    /// The router's user lacks a policy.
    #[error("the router's user may not do this")]
    Forbidden {
        /// HTTP status.
        status: u16,
        /// RouterOS's words.
        words: Untrusted,
    },
    /// REST is switched off, or something else answered with a page.
    #[error("the answer is not from REST")]
    NotRest {
        /// HTTP status.
        status: u16,
    },
    /// There is no such menu, record or command on this router.
    #[error("the router does not have this")]
    Absent {
        /// HTTP status.
        status: u16,
        /// RouterOS's words.
        words: Untrusted,
    },
    /// The router refused.
    #[error("the router refused")]
    Refused {
        /// HTTP status.
        status: u16,
        /// RouterOS's words.
        words: Untrusted,
    },
    /// The router ended the request at its 60 s wall.
    #[error("the router closed the session after 60 s")]
    Wall,
    /// The answer cannot be read, or lacks the keys it must have.
    #[error("the answer cannot be read: {0}")]
    Garbled(#[from] Garble),
}

impl RouterError {
    /// True when a write may have taken effect in spite of the error: only reading the device can tell. RouterOS's
    /// error statuses are not atomic either, so they count as well.
    #[must_use]
    pub const fn may_have_applied(&self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::Lost(_)
                | Self::Wall
                | Self::Garbled(_)
                | Self::NotRest { .. }
                | Self::Refused { .. }
                | Self::Absent { .. }
                | Self::Forbidden { .. }
        )
    }

    /// Keeps how often a broken way was tried.
    #[must_use]
    pub(super) fn tried(self, tries: u32) -> Self {
        let kept = |source| Box::new(Tried { tries, source });
        match self {
            Self::Unreachable(source) => Self::Unreachable(kept(source)),
            Self::Lost(source) => Self::Lost(kept(source)),
            other => other,
        }
    }

    /// How often the question was sent, or tried to be; none when it was not even tried.
    #[must_use]
    pub fn tries(&self) -> u32 {
        match self {
            Self::Unreachable(source) | Self::Lost(source) => {
                source.downcast_ref().map_or(1, |Tried { tries, .. }| *tries)
            }
            Self::Unknown
            | Self::Unconfirmed
            | Self::Quarantined
            | Self::AddressRefused { .. }
            | Self::NotTicketed
            | Self::OtherBox
            | Self::NoCredential
            | Self::StoreAway
            | Self::Busy
            | Self::Resting { .. } => 0,
            _ => 1,
        }
    }

    /// RouterOS's own words, where it said any.
    #[must_use]
    pub const fn words(&self) -> Option<&Untrusted> {
        match self {
            Self::Forbidden { words, .. } | Self::Absent { words, .. } | Self::Refused { words, .. } => {
                Some(words)
            }
            _ => None,
        }
    }

    /// The failure that callers see for a device.
    #[must_use]
    pub fn into_failure(self, device: &events::ids::DeviceId) -> Failure {
        let words = self.words().map(|words| serde_json::json!({ "routeros": words }));
        let failure = match &self {
            Self::Unknown => Failure::new(Code::UnknownDevice, "there is no such device").hint("list_devices shows all"),
            Self::Unconfirmed => Failure::new(Code::TrustUnconfirmed, "nobody has confirmed this router's key yet")
                .hint("an admin compares the key on the router and runs `appliance device edit DEVICE --trust-spki HEX`"),
            Self::Quarantined => Failure::new(Code::DeviceQuarantined, "this router showed another key than the confirmed one; nothing is sent to it")
                .hint("an admin compares the key on the router and confirms it with `appliance device edit DEVICE --trust-spki HEX`"),
            Self::Mismatch { .. } => Failure::new(Code::TlsMismatch, "this router showed another key than the confirmed one; no login was sent")
                .hint("an admin compares the key on the router and confirms it with `appliance device edit DEVICE --trust-spki HEX`"),
            Self::AddressRefused { why } => Failure::new(Code::DeviceUnreachable, format!("this router's address may not be called: {why}"))
                .hint("see `routers.allow_networks` and `routers.allow_loopback` in the configuration"),
            Self::NotTicketed => Failure::new(Code::Bug, "a write without its ticket was stopped"),
            Self::OtherBox => Failure::new(Code::PlanStale, "address or key of this router changed since the write was planned"),
            Self::NoCredential => Failure::new(Code::NoCredential, "no usable login is kept for this router")
                .hint("set one with `appliance device edit --username … --password-file …`"),
            Self::StoreAway => Failure::new(Code::StorageUnavailable, "the store cannot be read now, so this router's login is not known").retry_after(Duration::from_secs(5)),
            Self::Unreachable(_) => Failure::new(Code::DeviceUnreachable, "this router cannot be reached"),
            Self::Handshake(_) => Failure::new(Code::DeviceUnreachable, "this router offers no usable TLS session")
                .hint("give `www-ssl` a certificate: without one RouterOS offers anonymous ciphers only"),
            Self::Busy => Failure::new(Code::Overloaded, "this router is busy with earlier requests").retry_after(Duration::from_secs(2)),
            Self::Resting { retry_after } => Failure::new(Code::DeviceUnreachable, "this router failed repeatedly and is left alone for a moment").retry_after(*retry_after),
            Self::Timeout => Failure::new(Code::DeviceTimeout, "this router did not answer in time"),
            Self::Lost(_) => Failure::new(Code::DeviceUnreachable, "the connection to this router broke"),
            Self::Auth => Failure::new(Code::DeviceAuthFailed, "this router did not accept the login")
                .hint("check user, password and the user's `address` limit"),
            Self::Forbidden { .. } => Failure::new(Code::DeviceForbidden, "the router's user lacks a policy for this")
                .hint("reading needs `read,api,rest-api,test`, writing `write` as well"),
            Self::NotRest { .. } => Failure::new(Code::DeviceGarbled, "something other than RouterOS's REST answered")
                .hint("check the port, and `/ip/service/webserver` on RouterOS 7.21 and newer"),
            Self::Absent { .. } => Failure::new(Code::DeviceUnsupported, "this router does not have the menu, record or command"),
            Self::Refused { .. } => Failure::new(Code::DeviceRefused, "this router refused the request"),
            Self::Wall => Failure::new(Code::DeviceTimeout, "this router ended the request at its 60 s limit"),
            Self::Garbled(_) => Failure::new(Code::DeviceGarbled, "this router's answer cannot be read")
                .hint("shortly after a reboot this passes by itself"),
        };
        let failure = failure.device(device);
        let failure = if let Some(words) = words { failure.details(words) } else { failure };
        failure.log(self)
    }
}
