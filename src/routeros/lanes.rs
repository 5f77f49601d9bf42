//! One lane a device and router user: order, deadlines, rest after failures, logins. The only way to a router.
//!
//! Reads may be repeated inside their deadline; writes never are. A request that was sent keeps its lane until it has
//! really ended, even when nobody waits for it any more.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use events::{
    device::{Purpose, Trust},
    ids::{CredentialId, DeviceId},
    operation::Action,
    ticket::Ticket,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::routeros::{
    address::{AddressRefused, Network, address_allowed, is_own},
    error::RouterError,
    hosts::Hosts,
    json::Body,
    port::{
        Ask, Directory, Fingerprint, Priority, Prober, Promise, Reader, Receipt, Reply, Target, Writer,
        action_digest,
    },
    rest::{Login, Request, RestClient, request_of_action, request_of_ask},
    tls::{self, AuthorityError},
    turn::Queue,
    vault::{Vault, VaultError},
};

/// Tries of one read, the first included.
const READ_TRIES_MAX: u32 = 3;
/// Connection failures in a row after which a device is left alone for a moment.
const FAILURES_BEFORE_REST: u32 = 3;
/// First rest; doubles up to [`REST_MAX`].
const REST_FIRST: Duration = Duration::from_secs(5);
/// Longest rest.
const REST_MAX: Duration = Duration::from_secs(60);
/// Lanes kept before idle ones are dropped.
const LANES_IDLE_MAX: usize = 4096;

/// How routers are talked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Routers may live on this machine: on 127.0.0.0/8, ::1 and its own addresses (simulated ones do). Default false.
    pub allow_loopback: bool,
    /// Networks in which routers may live; empty means any host address. Default empty.
    pub allow_networks: Vec<Network>,
    /// Certificate authorities by name, each a PEM file. Default none.
    pub authorities: BTreeMap<String, PathBuf>,
    /// Time for connecting, TLS included, in milliseconds (100–60000). Default 5000.
    pub connect_timeout_ms: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_loopback: false,
            allow_networks: Vec::new(),
            authorities: BTreeMap::new(),
            connect_timeout_ms: 5000,
        }
    }
}

/// Hears that a device showed another key.
pub trait Observer: Send + Sync {
    /// No login was sent.
    fn mismatch(&self, device_id: &DeviceId, seen_sha256: &str);
}

/// Why lanes cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An authority of the configuration.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The client library.
    #[error("the HTTP client cannot be set up")]
    Client(#[from] reqwest::Error),
}

#[derive(Debug, Default)]
struct Lane {
    queue: Arc<Queue>,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
    /// Raised when connections made so far must not be used again.
    epoch: u32,
}

/// Opened logins of a device: used again while the record is the same.
type Opened = BTreeMap<Purpose, (CredentialId, Arc<Login>)>;

/// All lanes.
pub struct Lanes {
    options: Options,
    directory: Arc<dyn Directory>,
    vault: Arc<Vault>,
    observer: Option<Arc<dyn Observer>>,
    rest: RestClient,
    hosts: Arc<Hosts>,
    lanes: Mutex<BTreeMap<(DeviceId, String), Arc<Lane>>>,
    logins: Mutex<BTreeMap<DeviceId, Opened>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lanes {
    /// Lanes over a register of devices and a vault of logins.
    ///
    /// # Errors
    /// [`SetupError`] when an authority's file cannot be used.
    pub fn new(
        options: Options,
        directory: Arc<dyn Directory>,
        vault: Arc<Vault>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Arc<Self>, SetupError> {
        let hosts = Arc::new(Hosts::default());
        let tls = tls::client_config(&hosts, &options.authorities)?;
        let rest = RestClient::new(&hosts, tls, Duration::from_millis(options.connect_timeout_ms.into()))?;
        let (lanes, logins) = (Mutex::default(), Mutex::default());
        Ok(Arc::new(Self { options, directory, vault, observer, rest, hosts, lanes, logins }))
    }

    fn target(&self, device: &DeviceId) -> Result<Target, RouterError> {
        let target = self.directory.target(device).ok_or(RouterError::Unknown)?;
        if target.quarantined {
            return Err(RouterError::Quarantined);
        }
        if target.trust == Trust::Unconfirmed {
            return Err(RouterError::Unconfirmed);
        }
        self.allowed(target.ip)?;
        Ok(target)
    }

    /// Routers live elsewhere: never at an address of this machine, whose own doors listen there.
    fn judged(&self, ip: IpAddr) -> Result<(), AddressRefused> {
        let Options { allow_networks, allow_loopback, .. } = &self.options;
        address_allowed(ip, allow_networks, *allow_loopback)?;
        if !allow_loopback && is_own(ip) {
            return Err(AddressRefused { ip, why: "it is this machine" });
        }
        Ok(())
    }

    fn allowed(&self, ip: IpAddr) -> Result<(), RouterError> {
        self.judged(ip).map_err(|refused| RouterError::AddressRefused { why: refused.why })
    }

    /// The login for a purpose. Where no write login is kept, the read login writes; jobs read with the user that
    /// writes, so that what they read comes after what was sent.
    fn login(&self, target: &Target, purpose: Purpose) -> Result<Arc<Login>, RouterError> {
        let kept = |purpose| target.credentials.get(&purpose).map(|(id, user)| (purpose, *id, user.clone()));
        let other = match purpose {
            Purpose::Read => Purpose::Write,
            Purpose::Write => Purpose::Read,
        };
        let (purpose, id, user) = kept(purpose).or_else(|| kept(other)).ok_or(RouterError::NoCredential)?;
        let cached =
            lock(&self.logins).get(&target.device_id).and_then(|logins| logins.get(&purpose).cloned());
        if let Some((cached, login)) = cached
            && cached == id
        {
            return Ok(login);
        }
        // Outside the lock: the store may be slow.
        let password = self.vault.unseal(&target.device_id, id, purpose).map_err(|error| {
            tracing::warn!(device = %target.device_id, %error, "a login could not be opened");
            match error {
                VaultError::Away(_) => RouterError::StoreAway,
                _ => RouterError::NoCredential,
            }
        })?;
        let login = Arc::new(Login { user, password });
        let mut logins = lock(&self.logins);
        logins.entry(target.device_id.clone()).or_default().insert(purpose, (id, Arc::clone(&login)));
        Ok(login)
    }

    fn lane(&self, device: &DeviceId, user: &str) -> Arc<Lane> {
        let mut lanes = lock(&self.lanes);
        if lanes.len() > LANES_IDLE_MAX {
            // A lane that was just handed out has another holder.
            lanes.retain(|_, lane| {
                Arc::strong_count(lane) > 1 || lane.queue.in_use() || lock(&lane.health).rests_until.is_some()
            });
        }
        Arc::clone(lanes.entry((device.clone(), user.to_owned())).or_default())
    }

    /// One exchange on its lane. The caller waits at most until `until`; the exchange itself runs to its end.
    async fn exchange(
        self: &Arc<Self>,
        target: &Target,
        purpose: Purpose,
        priority: Priority,
        request: Request,
        until: Instant,
        write: bool,
    ) -> Result<Body, RouterError> {
        let login = self.login(target, purpose)?;
        if write {
            events::crash::point("lane.write.login_opened");
        }
        let lane = self.lane(&target.device_id, &login.user);
        if priority != Priority::Job {
            lane.awake()?;
        }
        if write {
            events::crash::point("lane.write.before_turn");
        }
        let turn = lane.queue.turn(priority, until.saturating_duration_since(Instant::now())).await?;
        if write {
            events::crash::point("lane.write.after_turn");
        }
        let presence = self.hosts.enter(target, lock(&lane.health).epoch);
        let tls = target.trust != Trust::PlainHttp;
        let (house, at) = (Arc::clone(self), Arc::clone(&lane));
        let device = target.device_id.clone();
        if write {
            events::crash::point("lane.write.before_send");
        }
        let running = tokio::spawn(async move {
            let note = move |point| {
                if write {
                    events::crash::point(point);
                }
            };
            let outcome = house.rest.send(&presence, tls, &login, request, note).await;
            if write {
                events::crash::point("lane.write.after_answer");
            }
            at.note(&outcome);
            if let (Err(RouterError::Mismatch { seen_sha256 }), Some(observer)) = (&outcome, &house.observer)
            {
                observer.mismatch(&device, seen_sha256);
            }
            drop((turn, presence));
            outcome
        });
        match tokio::time::timeout_at(until, running).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(RouterError::Lost(panic.into())),
            Err(_) => {
                // Never on a connection whose answer is still to come.
                lock(&lane.health).epoch += 1;
                Err(RouterError::Timeout)
            }
        }
    }

    async fn read_now(
        self: &Arc<Self>,
        device: &DeviceId,
        ask: Ask,
        priority: Priority,
        within: Duration,
    ) -> Result<Reply, RouterError> {
        let started = Instant::now();
        let until = started + within;
        let purpose = if priority == Priority::Job { Purpose::Write } else { Purpose::Read };
        let request = request_of_ask(&ask);
        let mut tries = 0;
        loop {
            tries += 1;
            let target = self.target(device)?;
            match self.exchange(&target, purpose, priority, request.clone(), until, false).await {
                Ok(Body { rows, ret }) => return Ok(Reply { rows, ret, took: started.elapsed(), tries }),
                Err(RouterError::Unreachable(_) | RouterError::Lost(_))
                    if tries < READ_TRIES_MAX && Instant::now() + backoff(tries) < until =>
                {
                    tokio::time::sleep(backoff(tries)).await;
                }
                Err(error) => return Err(error.tried(tries)),
            }
        }
    }
}

/// 100 ms, 300 ms.
const fn backoff(tries: u32) -> Duration {
    Duration::from_millis(if tries <= 1 { 100 } else { 300 })
}

impl Lane {
    /// Refuses while the device rests.
    fn awake(&self) -> Result<(), RouterError> {
        let health = lock(&self.health);
        match health.rests_until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(retry_after) if !retry_after.is_zero() => Err(RouterError::Resting { retry_after }),
            _ => Ok(()),
        }
    }

    /// Counts failures of the way; any answer of the router itself ends the count.
    fn note<T>(&self, outcome: &Result<T, RouterError>) {
        let mut health = lock(&self.health);
        let failed = matches!(
            outcome,
            Err(RouterError::Unreachable(_)
                | RouterError::Handshake(_)
                | RouterError::Timeout
                | RouterError::Lost(_))
        );
        if matches!(outcome, Err(RouterError::Timeout | RouterError::Wall)) {
            health.epoch += 1;
        }
        if !failed {
            health.failures = 0;
            health.rests_until = None;
            return;
        }
        health.failures += 1;
        if health.failures >= FAILURES_BEFORE_REST {
            let doubled = REST_FIRST * 2u32.saturating_pow((health.failures - FAILURES_BEFORE_REST).min(8));
            health.rests_until = Some(Instant::now() + doubled.min(REST_MAX));
        }
    }
}

impl Reader for Arc<Lanes> {
    fn read<'a>(
        &'a self,
        device: &'a DeviceId,
        ask: Ask,
        priority: Priority,
        deadline: Duration,
    ) -> Promise<'a, Result<Reply, RouterError>> {
        Box::pin(self.read_now(device, ask, priority, deadline))
    }

    fn renew(&self, device: &DeviceId) {
        for ((of, _), lane) in lock(&self.lanes).iter() {
            if of == device {
                lock(&lane.health).epoch += 1;
            }
        }
    }
}

impl Writer for Arc<Lanes> {
    fn write<'a>(
        &'a self,
        ticket: Ticket,
        bound: &'a str,
        action: &'a Action,
        deadline: Duration,
    ) -> Promise<'a, Result<Receipt, RouterError>> {
        Box::pin(async move {
            if ticket.operation_sha256() != action_digest(action) {
                return Err(RouterError::NotTicketed);
            }
            events::crash::point("lane.write.ticket_checked");
            let started = Instant::now();
            let target = self.target(ticket.device_id())?;
            if !bound.is_empty() && target.bound_sha256() != bound {
                return Err(RouterError::OtherBox);
            }
            let request = request_of_action(action);
            let (purpose, priority) = (Purpose::Write, Priority::Job);
            let body = self.exchange(&target, purpose, priority, request, started + deadline, true).await?;
            let id_of = |row: &crate::routeros::port::Row| row.get(".id").cloned();
            let added_id = body.ret.or_else(|| body.rows.first().and_then(id_of));
            Ok(Receipt { added_id, took: started.elapsed() })
        })
    }
}

impl Prober for Arc<Lanes> {
    fn fingerprint(&self, ip: IpAddr, port: u16, tls: bool) -> Promise<'_, Result<Fingerprint, RouterError>> {
        Box::pin(async move {
            self.allowed(ip)?;
            let patience = Duration::from_millis(self.options.connect_timeout_ms.into());
            tls::fingerprint((ip, port).into(), tls, patience).await
        })
    }

    fn may_live_at(&self, ip: IpAddr) -> Result<(), AddressRefused> {
        self.judged(ip)
    }
}
