//! What the house may ask of a router: to read, to be probed, and, against a ticket, to change.

use std::{collections::BTreeMap, future::Future, net::IpAddr, pin::Pin, time::Duration};

use events::{
    device::{Purpose, Trust},
    ids::{CredentialId, DeviceId},
    operation::Action,
    ticket::Ticket,
};

use crate::routeros::{error::RouterError, text::Untrusted};

/// A future that a trait object can return.
pub type Promise<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One record of a menu: RouterOS sends every value as text, and leaves keys out when they are unset.
pub type Row = BTreeMap<String, String>;

/// A question that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// `GET menu` with the properties wanted (all when empty) and exact-match filters.
    Print {
        /// Menu, such as `/ip/dns`.
        menu: String,
        /// `.proplist`; empty asks for everything.
        properties: Vec<String>,
        /// `?key=value` filters, joined by AND.
        filters: Vec<(String, String)>,
    },
    /// `GET menu/*id`.
    Record {
        /// Menu.
        menu: String,
        /// RouterOS's id, with its star.
        id: String,
    },
    /// `POST menu/command` for commands that only look (`monitor-traffic` with `once`, `print` with `count-only`, …).
    Command {
        /// Menu.
        menu: String,
        /// The command's word.
        command: String,
        /// Its arguments.
        arguments: Vec<(String, String)>,
    },
}

impl Ask {
    /// Everything in a menu.
    #[must_use]
    pub fn print(menu: &str) -> Self {
        Self::Print { menu: menu.to_owned(), properties: Vec::new(), filters: Vec::new() }
    }
}

/// What a router answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Records; a singleton menu gives one.
    pub rows: Vec<Row>,
    /// The value of `ret`, for commands that answer with one.
    pub ret: Option<String>,
    /// Time from sending to the last byte.
    pub took: Duration,
    /// How often it was asked for: a broken way is tried again.
    pub tries: u32,
}

/// Who goes first in a device's lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A job's step.
    Job,
    /// Somebody waits for the answer.
    Tool,
    /// The regular look.
    Poll,
}

/// Where a device is and how it is recognised; made fresh from the device's record for each visit.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which device.
    pub device_id: DeviceId,
    /// Pinned address.
    pub ip: IpAddr,
    /// Port of REST.
    pub port: u16,
    /// How it is recognised.
    pub trust: Trust,
    /// The sealed logins by purpose: record and router user.
    pub credentials: BTreeMap<Purpose, (CredentialId, String)>,
    /// True while its key is not the confirmed one.
    pub quarantined: bool,
}

impl Target {
    /// What makes it that very box.
    #[must_use]
    pub fn bound_sha256(&self) -> String {
        events::device::bound_sha256(self.ip, self.port, &self.trust)
    }
}

/// Looks up where a device is now. Given to the lanes by the composition root.
pub trait Directory: Send + Sync {
    /// The device's target, or `None` when there is no such device.
    fn target(&self, device: &DeviceId) -> Option<Target>;
}

/// Reads routers.
pub trait Reader: Send + Sync {
    /// Asks one question. Reads are idempotent and may be repeated inside the deadline.
    fn read<'a>(
        &'a self,
        device: &'a DeviceId,
        ask: Ask,
        priority: Priority,
        deadline: Duration,
    ) -> Promise<'a, Result<Reply, RouterError>>;

    /// What is asked from now on goes over a new connection: one that stands may still be let through where a new one
    /// would not be. A reader without connections has nothing to do.
    fn renew(&self, _device: &DeviceId) {}
}

/// What a box shows before any login is sent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fingerprint {
    /// SHA-256 of its public key (64 hex digits); `None` over plain http.
    pub spki_sha256: Option<String>,
    /// Subject of its certificate.
    pub subject: Option<Untrusted>,
    /// Names in its certificate.
    pub names: Vec<Untrusted>,
    /// RFC 3339 end of its certificate.
    pub not_after: Option<String>,
    /// True when the box signed the certificate itself.
    pub self_signed: bool,
}

/// Looks at boxes that may not be registered yet.
pub trait Prober: Send + Sync {
    /// Opens a connection without sending a login, and tells what the box shows.
    fn fingerprint(&self, ip: IpAddr, port: u16, tls: bool) -> Promise<'_, Result<Fingerprint, RouterError>>;
    /// Whether the configuration lets a router live at an address; if not, why.
    fn may_live_at(&self, ip: IpAddr) -> Result<(), crate::routeros::address::AddressRefused>;
}

/// What a router said to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The id of a record that was added.
    pub added_id: Option<String>,
    /// Time from sending to the last byte.
    pub took: Duration,
}

/// Changes routers. Given to the runner alone.
pub trait Writer: Send + Sync {
    /// Sends one write. The ticket proves that the intent is durable, and is used up. Never repeated here: an error for
    /// which [`RouterError::may_have_applied`] is true must be settled by reading. `bound` is what makes the device the box
    /// that is meant ([`events::device::bound_sha256`]; empty: not known): another one is sent nothing.
    fn write<'a>(
        &'a self,
        ticket: Ticket,
        bound: &'a str,
        action: &'a Action,
        deadline: Duration,
    ) -> Promise<'a, Result<Receipt, RouterError>>;
}

/// SHA-256 of what will be sent (64 hex digits): a ticket is good for this action only.
#[must_use]
pub fn action_digest(action: &Action) -> String {
    use sha2::{Digest as _, Sha256};
    let bytes = serde_json::to_vec(action).expect("an action is plain data with text keys");
    crate::routeros::hosts::hex(&Sha256::digest(&bytes))
}
