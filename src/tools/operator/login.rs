//! Logins and trust as operators give them.

use std::collections::BTreeMap;

use events::{
    device::{Purpose, Trust},
    ids::{CredentialId, DeviceId},
    log::{SideTable, SideWrite},
};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::{
    domain::Login,
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

/// Logins of a call, sealed: what goes into the command, and the rows that ride in its transaction.
pub(super) type Sealed = (Vec<Login>, Vec<SideWrite>);

/// What an operator gave for one purpose.
pub(super) struct Given {
    purpose: Purpose,
    username: Option<String>,
    password: Option<Secret>,
    /// The parameter to name when something is missing.
    field: &'static str,
}

/// The two logins that an operator may give: the user that reads, and the user that writes.
pub(super) fn given(
    username: Option<String>,
    password: Option<Secret>,
    write_username: Option<String>,
    write_password: Option<Secret>,
) -> [Given; 2] {
    [
        Given { purpose: Purpose::Read, username, password, field: "username" },
        Given {
            purpose: Purpose::Write,
            username: write_username,
            password: write_password,
            field: "write_username",
        },
    ]
}

/// Seals the logins of a call before anything is kept. A password may stand alone where its user is known already; a user
/// never does: a login is sealed whole, and nobody can read the old password back.
pub(super) fn seal_all(
    cx: &Cx,
    device_id: &DeviceId,
    known: &BTreeMap<Purpose, (CredentialId, String)>,
    given: [Given; 2],
) -> Result<Sealed, Failure> {
    let (mut logins, mut side) = (Vec::new(), Vec::new());
    for Given { purpose, username, password, field } in given {
        let known = known.get(&purpose).map(|(_, user)| user.clone());
        let (username, password) = match (username, password) {
            (None, None) => continue,
            (Some(username), None) if known.as_ref() == Some(&username) => continue,
            (Some(_), None) => {
                return Err(Failure::param(field, "needs its password as well: a login is sealed whole"));
            }
            (username, Some(password)) => {
                let user = username.or(known);
                (user.ok_or_else(|| Failure::param(field, "a password needs its user name"))?, password)
            }
        };
        let credential_id = mint!(CredentialId);
        let value = cx
            .vault()
            .seal(device_id, credential_id, purpose, &password.0)
            .map_err(|error| Failure::new(Code::Bug, "the login could not be sealed").log(error))?;
        events::crash::point("vault.sealed");
        let key = credential_id.to_u128().to_be_bytes().to_vec();
        side.push(SideWrite::Put { table: SideTable::Credentials, key, value });
        logins.push(Login { credential_id, purpose, username });
    }
    Ok((logins, side))
}
