//! Rules about devices: unique names, confirmed keys, status from looks.

use std::collections::BTreeMap;

use events::{
    device::{
        CredentialErased, CredentialSet, DeviceAdded, DeviceEdited, DeviceIdentified, DeviceQuarantined,
        DeviceRemoved, DeviceSettings, DeviceStatus, DeviceStatusChanged, DeviceTrusted, Identification,
        Purpose, Trust,
    },
    event::Event,
    ids::{CredentialId, DeviceId, Moment},
};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Login, Refusal, Seen, State},
    failure::Code,
};

/// Longest name of a device, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Most tags on a device.
pub const TAGS_MAX: usize = 32;
/// Longest key or value of a tag, in characters.
pub const TAG_CHARS_MAX: usize = 64;

/// A device as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub device_id: DeviceId,
    /// What the operator says.
    pub settings: DeviceSettings,
    /// How it is recognised.
    pub trust: Trust,
    /// What it showed instead, while in quarantine.
    pub quarantined: Option<String>,
    /// Sealed logins by purpose: record and router user.
    pub credentials: BTreeMap<Purpose, (CredentialId, String)>,
    /// State by the last look that changed it.
    pub status: DeviceStatus,
    /// Why, in a stable word.
    pub status_reason: String,
    /// Since when.
    pub status_since: Moment,
    /// What it told of itself.
    pub identification: Identification,
    /// When it was registered.
    pub added_at: Moment,
}

fn check(state: &State, device_id: &DeviceId, settings: &DeviceSettings) -> Result<(), Refusal> {
    let bad = |say: String| Err(Refusal::new(Code::InvalidParams, say));
    let name = &settings.name;
    let name_chars = name.chars().count();
    if name_chars == 0 || name_chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return bad(format!("`name`: 1–{NAME_CHARS_MAX} printable characters, got {name_chars}"));
    }
    if settings.management_port == 0 {
        return bad("`management_port`: 1–65535".into());
    }
    if settings.tags.len() > TAGS_MAX {
        return bad(format!("`tags`: at most {TAGS_MAX}, got {}", settings.tags.len()));
    }
    for (key, value) in &settings.tags {
        let fits = |text: &str| text.chars().count() <= TAG_CHARS_MAX && !text.chars().any(char::is_control);
        if key.is_empty() || !fits(key) || !fits(value) {
            return bad(format!("`tags`: keys and values have at most {TAG_CHARS_MAX} printable characters"));
        }
    }
    for other in state.devices.values().filter(|other| &other.device_id != device_id) {
        // A name that is another device's id would make `device_id` ambiguous, so both count.
        if other.settings.name == *name
            || other.device_id.as_str() == name
            || other.settings.name == device_id.as_str()
        {
            return Err(Refusal::new(
                Code::AlreadyExists,
                format!("`name`: `{}` is device `{}` already", name, other.device_id),
            ));
        }
        let same_address = other.settings.management_ip == settings.management_ip
            && other.settings.management_port == settings.management_port;
        if same_address {
            return Err(Refusal::new(
                Code::AlreadyExists,
                format!(
                    "`management_ip`: {}:{} is device `{}` already",
                    settings.management_ip, settings.management_port, other.device_id
                ),
            ));
        }
    }
    Ok(())
}

pub(super) fn add(
    state: &State,
    device_id: DeviceId,
    settings: DeviceSettings,
    trust: Option<Trust>,
    logins: Vec<Login>,
) -> Result<Vec<Event>, Refusal> {
    if state.devices.contains_key(&device_id) {
        return Err(Refusal::new(Code::AlreadyExists, format!("there is a device `{device_id}` already")));
    }
    if state.retired_devices.contains(&device_id) {
        return Err(Refusal::new(
            Code::AlreadyExists,
            format!("`{device_id}` named a device before; its history keeps the id, so choose another"),
        ));
    }
    check(state, &device_id, &settings)?;
    let mut events: Vec<Event> = vec![DeviceAdded { device_id: device_id.clone(), settings }.into()];
    if let Some(trust) = trust {
        check_trust(&trust)?;
        events.push(DeviceTrusted { device_id: device_id.clone(), trust }.into());
    }
    for login in logins {
        events.push(login_set(&device_id, login)?);
    }
    Ok(events)
}

pub(super) fn edit(
    state: &State,
    device_id: DeviceId,
    seen: &Seen,
    settings: DeviceSettings,
    trust: Option<Trust>,
    logins: Vec<Login>,
) -> Result<Vec<Event>, Refusal> {
    let device = state.device(&device_id)?;
    // All settings are replaced, so what another person changed meanwhile would be undone without a word.
    if device.settings != seen.settings || (!logins.is_empty() && device.credentials != seen.logins) {
        return Err(Refusal::new(
            Code::Conflict,
            format!("device `{device_id}` was changed by somebody else meanwhile; look at it and repeat"),
        ));
    }
    let mut events: Vec<Event> = Vec::new();
    if device.settings != settings {
        check(state, &device_id, &settings)?;
        not_in_job(state, &device_id)?;
        let moved = device.settings.management_ip != settings.management_ip
            || device.settings.management_port != settings.management_port;
        events.push(DeviceEdited { device_id: device_id.clone(), settings }.into());
        // A quarantine is ended by new trust only.
        if moved && !matches!(device.status, DeviceStatus::Pending | DeviceStatus::Quarantined) {
            events.push(status_change(device, DeviceStatus::Pending, "moved"));
        }
    }
    if let Some(trust) = trust {
        events.extend(self::trust(state, device_id.clone(), trust)?);
    }
    for login in logins {
        if let Some((old, _)) = device.credentials.get(&login.purpose) {
            events.push(CredentialErased { device_id: device_id.clone(), credential_id: *old }.into());
        }
        events.push(login_set(&device_id, login)?);
    }
    Ok(events)
}

fn login_set(device_id: &DeviceId, login: Login) -> Result<Event, Refusal> {
    let Login { credential_id, purpose, username } = login;
    if username.is_empty() || username.len() > 128 || username.chars().any(char::is_control) {
        return Err(Refusal::new(Code::InvalidParams, "`username`: 1–128 printable characters"));
    }
    Ok(CredentialSet { device_id: device_id.clone(), credential_id, purpose, username }.into())
}

fn not_in_job(state: &State, device_id: &DeviceId) -> Result<(), Refusal> {
    state.leases.get(device_id).map_or(Ok(()), |job_id| {
        Err(Refusal {
            job_id: Some(*job_id),
            ..Refusal::new(Code::DeviceInJob, format!("device `{device_id}` is held by {job_id}"))
        })
    })
}

pub(super) fn remove(state: &State, device_id: DeviceId, reason: String) -> Result<Vec<Event>, Refusal> {
    let device = state.device(&device_id)?;
    not_in_job(state, &device_id)?;
    let mut events: Vec<Event> = device
        .credentials
        .values()
        .map(|(credential_id, _)| {
            CredentialErased { device_id: device_id.clone(), credential_id: *credential_id }.into()
        })
        .collect();
    events.push(DeviceRemoved { device_id, reason }.into());
    Ok(events)
}

fn check_trust(trust: &Trust) -> Result<(), Refusal> {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    match trust {
        Trust::SpkiPin { sha256 } if sha256.len() != 64 || !sha256.chars().all(hex) => {
            Err(Refusal::new(Code::InvalidParams, "`spki_sha256`: 64 lower-case hex digits"))
        }
        _ => Ok(()),
    }
}

pub(super) fn trust(state: &State, device_id: DeviceId, trust: Trust) -> Result<Vec<Event>, Refusal> {
    let device = state.device(&device_id)?;
    check_trust(&trust)?;
    if device.trust == trust && device.quarantined.is_none() {
        return Ok(Vec::new());
    }
    let mut events: Vec<Event> = vec![DeviceTrusted { device_id: device_id.clone(), trust }.into()];
    if device.status == DeviceStatus::Quarantined {
        events.push(status_change(device, DeviceStatus::Pending, "trusted"));
    }
    Ok(events)
}

pub(super) fn quarantine(
    state: &State,
    device_id: DeviceId,
    seen_sha256: String,
) -> Result<Vec<Event>, Refusal> {
    let device = state.device(&device_id)?;
    if device.quarantined.is_some() {
        return Ok(Vec::new());
    }
    let changed = status_change(device, DeviceStatus::Quarantined, "key_changed");
    Ok(vec![DeviceQuarantined { device_id, seen_sha256 }.into(), changed])
}

pub(super) fn identify(
    state: &State,
    device_id: DeviceId,
    identification: Identification,
) -> Result<Vec<Event>, Refusal> {
    let device = state.device(&device_id)?;
    if device.identification == identification {
        return Ok(Vec::new());
    }
    Ok(vec![DeviceIdentified { device_id, identification }.into()])
}

pub(super) fn observe(
    state: &State,
    device_id: DeviceId,
    status: DeviceStatus,
    reason: String,
) -> Result<Vec<Event>, Refusal> {
    let device = state.device(&device_id)?;
    // Only an admin's confirmation ends a quarantine.
    if device.status == status || device.quarantined.is_some() {
        return Ok(Vec::new());
    }
    Ok(vec![status_change(device, status, &reason)])
}

fn status_change(device: &Device, to: DeviceStatus, reason: &str) -> Event {
    DeviceStatusChanged {
        device_id: device.device_id.clone(),
        from: device.status,
        to,
        reason: reason.to_owned(),
    }
    .into()
}

pub(super) fn apply(state: &mut State, event: &Event, at: Moment) {
    match event {
        Event::DeviceAdded(e) => {
            state.devices.insert(
                e.device_id.clone(),
                Device {
                    device_id: e.device_id.clone(),
                    settings: e.settings.clone(),
                    trust: Trust::Unconfirmed,
                    quarantined: None,
                    credentials: BTreeMap::new(),
                    status: DeviceStatus::Pending,
                    status_reason: String::new(),
                    status_since: at,
                    identification: Identification::default(),
                    added_at: at,
                },
            );
        }
        Event::DeviceRemoved(e) => {
            state.devices.remove(&e.device_id);
            state.retired_devices.insert(e.device_id.clone());
        }
        Event::DeviceEdited(e) => change(state, &e.device_id, |d| d.settings = e.settings.clone()),
        Event::DeviceTrusted(e) => change(state, &e.device_id, |d| {
            d.trust = e.trust.clone();
            d.quarantined = None;
        }),
        Event::DeviceQuarantined(e) => {
            change(state, &e.device_id, |d| d.quarantined = Some(e.seen_sha256.clone()));
        }
        Event::DeviceIdentified(e) => {
            change(state, &e.device_id, |d| d.identification = e.identification.clone());
        }
        Event::DeviceStatusChanged(e) => change(state, &e.device_id, |d| {
            d.status = e.to;
            d.status_reason.clone_from(&e.reason);
            d.status_since = at;
        }),
        Event::CredentialSet(e) => change(state, &e.device_id, |d| {
            d.credentials.insert(e.purpose, (e.credential_id, e.username.clone()));
        }),
        Event::CredentialErased(e) => change(state, &e.device_id, |d| {
            d.credentials.retain(|_, (id, _)| *id != e.credential_id);
        }),
        _ => {}
    }
}

fn change(state: &mut State, device_id: &DeviceId, with: impl FnOnce(&mut Device)) {
    if let Some(device) = state.devices.get_mut(device_id) {
        with(device);
    }
}
