//! Logins and trust as operators give them.

use events::{
    device::{Purpose, Trust},
    ids::{CredentialId, DeviceId},
    log::{SideTable, SideWrite},
};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::{
    domain::Command,
    engine::mint,
    failure::{Code, Failure},
    tools::context::Cx,
};

/// Fields that are masked in records.
pub(super) const SECRETS: &[&str] = &["password", "write_password"];

/// A secret on its way in: never shown, wiped after use.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct Secret(#[schemars(with = "String")] pub SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.len() > 1024 {
            return Err(serde::de::Error::custom("needs 1–1024 bytes"));
        }
        Ok(Self(text.into()))
    }
}

/// How a device is recognised, as operators say it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustParams {
    /// SHA-256 of its public key (64 hex digits), compared with the router's own by an admin.
    pub spki_sha256: Option<String>,
    /// A certificate authority of the configuration.
    pub ca: Option<String>,
    /// The name its certificate must carry (with `ca`).
    pub server_name: Option<String>,
    /// No encryption at all.
    #[serde(default)]
    pub plain_http: bool,
}

impl TrustParams {
    /// The one rule that was given.
    pub(super) fn rule(self) -> Result<Trust, Failure> {
        match (self.spki_sha256, self.ca, self.server_name, self.plain_http) {
            (Some(sha256), None, None, false) => Ok(Trust::SpkiPin { sha256: sha256.to_ascii_lowercase() }),
            (None, Some(ca), Some(server_name), false) => Ok(Trust::NamedCa { ca, server_name }),
            (None, None, None, true) => Ok(Trust::PlainHttp),
            _ => Err(Failure::param(
                "trust",
                "exactly one of `spki_sha256`, `ca` with `server_name`, `plain_http: true`",
            )),
        }
    }
}

/// Seals a login and keeps it in the same transaction as its fact.
pub(super) async fn keep(
    cx: &Cx,
    device_id: &DeviceId,
    purpose: Purpose,
    username: String,
    password: &Secret,
) -> Result<(), Failure> {
    let credential_id = mint!(CredentialId);
    let sealed = cx
        .vault()
        .seal(device_id, credential_id, purpose, &password.0)
        .map_err(|error| Failure::new(Code::Bug, "the login could not be sealed").log(error))?;
    events::crash::point("vault.sealed");
    let old = cx.view(|views| {
        views
            .state
            .devices
            .get(device_id)
            .and_then(|device| device.credentials.get(&purpose))
            .map(|(id, _)| *id)
    });
    let key = |id: CredentialId| id.to_u128().to_be_bytes().to_vec();
    let mut side =
        vec![SideWrite::Put { table: SideTable::Credentials, key: key(credential_id), value: sealed }];
    side.extend(old.map(|id| SideWrite::Erase { table: SideTable::Credentials, key: key(id) }));
    let command = Command::SetCredential { device_id: device_id.clone(), credential_id, purpose, username };
    cx.submit_with(command, side).await.map(drop)
}

/// Keeps the logins of a call; a password needs its user and the other way round, unless the user is known already.
pub(super) async fn keep_all(
    cx: &Cx,
    device_id: &DeviceId,
    logins: [(Purpose, Option<String>, Option<Secret>, &'static str); 2],
) -> Result<(), Failure> {
    for (purpose, username, password, field) in logins {
        let known = cx.view(|views| {
            let device = views.state.devices.get(device_id)?;
            device.credentials.get(&purpose).map(|(_, user)| user.clone())
        });
        match (username.or(known), password) {
            (Some(username), Some(password)) => keep(cx, device_id, purpose, username, &password).await?,
            (None, Some(_)) => return Err(Failure::param(field, "a password needs its user name")),
            (_, None) => {}
        }
    }
    Ok(())
}
