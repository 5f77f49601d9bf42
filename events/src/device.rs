//! Facts about devices and their logins. A secret never stands here: a fact names the credential's id only.

use std::{collections::BTreeMap, fmt::Write as _, net::IpAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::{CredentialId, DeviceId};

/// Which rules apply to a device.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Experiments.
    #[default]
    Lab,
    /// Rehearsal.
    Staging,
    /// People depend on it.
    Prod,
}

impl Environment {
    /// The word used everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

/// What an operator allows on a device beyond reading. All are off for a new device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// One-device changes of the advanced tier.
    AdvancedWrites,
    /// Plans of the professional tier.
    ProfessionalWorkflows,
    /// Firewall plans.
    FirewallWrites,
    /// Routing plans.
    RoutingWrites,
    /// Wireless plans.
    WirelessWrites,
    /// DHCP plans.
    DhcpWrites,
    /// Bridge plans.
    BridgeWrites,
    /// Being an end of a bandwidth test.
    BandwidthTest,
}

impl Capability {
    /// Every capability, in the order in which answers list them.
    pub const ALL: [Self; 8] = [
        Self::AdvancedWrites,
        Self::ProfessionalWorkflows,
        Self::FirewallWrites,
        Self::RoutingWrites,
        Self::WirelessWrites,
        Self::DhcpWrites,
        Self::BridgeWrites,
        Self::BandwidthTest,
    ];

    /// The word used on the command line and in answers, without the `allow_` in front.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AdvancedWrites => "advanced_writes",
            Self::ProfessionalWorkflows => "professional_workflows",
            Self::FirewallWrites => "firewall_writes",
            Self::RoutingWrites => "routing_writes",
            Self::WirelessWrites => "wireless_writes",
            Self::DhcpWrites => "dhcp_writes",
            Self::BridgeWrites => "bridge_writes",
            Self::BandwidthTest => "bandwidth_test",
        }
    }
}

/// How we know that the box at the other end is the one we mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Nobody has confirmed a key yet: no login is ever sent.
    Unconfirmed,
    /// The SHA-256 of its public key (SPKI), confirmed by an admin who was shown it.
    SpkiPin {
        /// 64 hex digits.
        sha256: String,
    },
    /// A certificate authority named in the configuration, and the name the certificate must carry.
    NamedCa {
        /// The authority's name in the configuration.
        ca: String,
        /// The name in the certificate.
        server_name: String,
    },
    /// No encryption, because the operator said so for this device.
    PlainHttp,
}

/// SHA-256 over what makes a device that very box: address, port and how it is recognised (64 hex digits).
#[must_use]
pub fn bound_sha256(management_ip: IpAddr, management_port: u16, trust: &Trust) -> String {
    let what = serde_json::to_vec(&(management_ip, management_port, trust));
    let digest = Sha256::digest(what.expect("plain data with text keys"));
    digest.iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Everything an operator says about a device. Times and health are not settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceSettings {
    /// Unique name for people.
    pub name: String,
    /// Address of its management service; resolved once, then pinned.
    pub management_ip: IpAddr,
    /// Port of REST (443, or 80 for plain http).
    pub management_port: u16,
    /// Which rules apply.
    pub environment: Environment,
    /// Free labels, for scopes and filters.
    pub tags: BTreeMap<String, String>,
    /// What is allowed beyond reading.
    pub capabilities: Vec<Capability>,
    /// Polled more often, and named first in reports.
    pub critical: bool,
}

/// What a login is used for. Reading and writing have router users of their own (least privilege).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Reads and diagnostics; also writes where no write login is given.
    Read,
    /// Writes.
    Write,
}

/// What a router said of itself on contact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Identification {
    /// Such as `7.20.8 (long-term)`.
    pub routeros_version: String,
    /// Such as `CCR2004-16G-2S+`.
    pub hardware_model: String,
    /// Such as `arm64`.
    pub architecture: String,
    /// The router's own name. Untrusted text.
    pub system_identity: String,
    /// Empty where there is none (CHR).
    pub serial_number: String,
}

/// What we think of a device's state.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStatus {
    /// Never reached yet.
    #[default]
    Pending,
    /// Answers, within thresholds.
    Healthy,
    /// Answers, over a threshold.
    Degraded,
    /// Does not answer.
    Unreachable,
    /// Shows another key than the confirmed one: no login is sent until an admin decides.
    Quarantined,
}

impl DeviceStatus {
    /// The word used everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unreachable => "unreachable",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A device was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAdded {
    /// Its id, for ever.
    pub device_id: DeviceId,
    /// What the operator said.
    pub settings: DeviceSettings,
}

/// An operator changed what is said about a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEdited {
    /// Which device.
    pub device_id: DeviceId,
    /// All settings, as they are from now on.
    pub settings: DeviceSettings,
}

/// A device was taken out. Its history stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRemoved {
    /// Which device.
    pub device_id: DeviceId,
    /// Why, in the operator's words.
    pub reason: String,
}

/// An admin confirmed how to recognise the device; this also ends a quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceTrusted {
    /// Which device.
    pub device_id: DeviceId,
    /// The new rule.
    pub trust: Trust,
}

/// A device showed another key than the confirmed one; nothing is sent to it until an admin decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceQuarantined {
    /// Which device.
    pub device_id: DeviceId,
    /// SHA-256 of the key it showed (64 hex digits), or empty if none was readable.
    pub seen_sha256: String,
}

/// A router told its version, board and name (on first contact, and when any of them changed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceIdentified {
    /// Which device.
    pub device_id: DeviceId,
    /// What it said.
    pub identification: Identification,
}

/// A device's state changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceStatusChanged {
    /// Which device.
    pub device_id: DeviceId,
    /// The state until now.
    pub from: DeviceStatus,
    /// The state from now on.
    pub to: DeviceStatus,
    /// Why, in a short stable word (`cpu`, `memory`, `timeout`, …).
    pub reason: String,
}

/// A login was sealed into the erasable table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialSet {
    /// Which device.
    pub device_id: DeviceId,
    /// The sealed record's name.
    pub credential_id: CredentialId,
    /// What it is used for.
    pub purpose: Purpose,
    /// The router user's name.
    pub username: String,
}

/// A login was erased from the table; the event stays, the secret is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialErased {
    /// Which device.
    pub device_id: DeviceId,
    /// The record that is gone.
    pub credential_id: CredentialId,
}
