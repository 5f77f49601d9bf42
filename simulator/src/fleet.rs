//! A fleet of boxes in one process, and the handles to them.
//!
//! No thread and no key per box until someone connects: a thousand of them fit in a small machine.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::commands::watch_schedule;
use crate::faults::Injection;
use crate::journal::Entry;
use crate::profile::Profile;
use crate::router::Device;
use crate::vitals::{Vitals, has_thermometer};
use crate::{control, listen};

/// A router user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
    /// Policies of the group, e.g. `read`, `write`, `api`, `rest-api`, `test`.
    pub policies: Vec<String>,
}

impl User {
    /// A user with these policies.
    pub fn new(name: &str, password: &str, policies: &[&str]) -> Self {
        User {
            name: name.to_owned(),
            password: password.to_owned(),
            policies: policies.iter().map(|policy| (*policy).to_owned()).collect(),
        }
    }
}

/// What a box is to be.
#[derive(Clone, Debug)]
pub struct BoxSpec {
    /// Its name, unique in the fleet.
    pub name: String,
    /// What it pretends to be.
    pub profile: Profile,
    /// TLS, or plain HTTP.
    pub tls: bool,
    /// The port; 0 is any.
    pub port: u16,
    /// Its system identity.
    pub identity: String,
    /// CPU load 97: a degraded box.
    pub overloaded: bool,
    /// Its users.
    pub users: Vec<User>,
    /// What the caller files it under: `lab`, `staging`, `prod`.
    pub environment: String,
    /// The loopback address it listens on. Any but 127.0.0.1 also stands in its `/ip/address`, on ether1.
    pub listen: Ipv4Addr,
    /// Which row of `/ip/address` the managing client connects to; see `reach`.
    pub management: Option<Ipv4Addr>,
    /// The address that clients seem to come from, in the firewall, the log and `/user/active`.
    pub client: Option<Ipv4Addr>,
}

impl BoxSpec {
    /// A healthy lab box with TLS and the three usual users.
    pub fn new(name: impl Into<String>, profile: Profile) -> Self {
        const FULL: [&str; 17] = [
            "local",
            "telnet",
            "ssh",
            "ftp",
            "reboot",
            "read",
            "write",
            "policy",
            "test",
            "winbox",
            "password",
            "web",
            "sniff",
            "sensitive",
            "api",
            "romon",
            "rest-api",
        ];
        let name = name.into();
        BoxSpec {
            identity: name.clone(),
            name,
            profile,
            tls: true,
            port: 0,
            overloaded: false,
            users: vec![
                User::new("appliance-ro", "ro-secret", &["read", "api", "rest-api", "test"]),
                User::new("appliance-rw", "rw-secret", &["read", "write", "api", "rest-api", "test"]),
                User::new("admin", "admin-secret", &FULL),
            ],
            environment: "lab".to_owned(),
            listen: Ipv4Addr::LOCALHOST,
            management: None,
            client: None,
        }
    }

    /// Another loopback address than 127.0.0.1, which then is an address of the box and the one it is managed by.
    pub fn listen(mut self, address: Ipv4Addr) -> Self {
        self.listen = address;
        self
    }

    /// Managed by another of its addresses than the uplink's.
    pub fn management(mut self, address: Ipv4Addr) -> Self {
        self.management = Some(address);
        self
    }

    /// Clients seem to come from this address.
    pub fn client(mut self, address: Ipv4Addr) -> Self {
        self.client = Some(address);
        self
    }

    /// Plain HTTP instead of TLS.
    pub fn plain(mut self) -> Self {
        self.tls = false;
        self
    }

    /// Another system identity than the name.
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = identity.into();
        self
    }

    /// A fixed port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// CPU load 97.
    pub fn overloaded(mut self) -> Self {
        self.overloaded = true;
        self
    }

    /// One more user.
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Another environment than `lab`.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = environment.into();
        self
    }
}

/// How the fleet as a whole behaves. Durations are router time.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// How many router seconds pass in a real one.
    pub clock_scale: f64,
    /// How long answers are wrong after a boot.
    pub boot_race: Duration,
    /// How long a reboot by command takes.
    pub reboot_takes: Duration,
    /// One certificate for all boxes instead of one each.
    pub shared_certificate: bool,
}

impl Default for FleetOptions {
    fn default() -> Self {
        FleetOptions {
            clock_scale: 1.0,
            boot_race: Duration::from_secs(3),
            reboot_takes: Duration::from_secs(20),
            shared_certificate: false,
        }
    }
}

/// Running boxes.
#[derive(Debug)]
pub struct Fleet {
    routers: Arc<Vec<Router>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Fleet {
    /// Starts boxes with the usual options.
    pub async fn start(specs: Vec<BoxSpec>) -> io::Result<Fleet> {
        Fleet::start_with(specs, FleetOptions::default()).await
    }

    /// Starts boxes.
    pub async fn start_with(specs: Vec<BoxSpec>, options: FleetOptions) -> io::Result<Fleet> {
        let mut names = BTreeSet::new();
        if let Some(twin) = specs.iter().find(|spec| !names.insert(spec.name.as_str())) {
            let text = format!("two boxes are called {}", twin.name);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let clock = Arc::new(Clock::new(options.clock_scale));
        let shared = options.shared_certificate.then(|| Arc::new(OnceLock::new()));
        let mut routers = Vec::with_capacity(specs.len());
        let mut tasks = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let listener = listen::bind(SocketAddr::from((spec.listen, spec.port)))?;
            let address = listener.local_addr()?;
            let device = Device::new(spec, index, Arc::clone(&clock), options.clone(), shared.clone());
            if device.management().is_none() {
                let text = format!("{} has no such management address", spec.name);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            let router = Router { device: Arc::new(device), address };
            tasks.push(tokio::spawn(listen::serve(Arc::clone(&router.device), listener)));
            routers.push(router);
        }
        Ok(Fleet { routers: Arc::new(routers), tasks: Mutex::new(tasks) })
    }

    /// All boxes in the order of their specs.
    pub fn routers(&self) -> &[Router] {
        &self.routers
    }

    /// One box by name.
    pub fn router(&self, name: &str) -> Option<&Router> {
        self.routers.iter().find(|router| router.name() == name)
    }

    /// Opens the control API for tests in other processes.
    pub async fn serve_control(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = tokio::net::TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let task = tokio::spawn(control::serve(listener, Arc::clone(&self.routers)));
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Ok(bound)
    }

    /// Ends all boxes and closes their sockets.
    pub async fn stop(self) {
        self.end();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
            // Aborted or not, the socket is closed once this returns.
            drop(task.await);
        }
    }

    fn end(&self) {
        for router in self.routers.iter() {
            router.device.stopped.send_replace(true);
            router.device.cut_connections();
            for job in std::mem::take(&mut router.device.state().jobs).into_values() {
                if let Some(task) = job.task {
                    task.abort();
                }
            }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.end();
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

/// A handle to one box.
#[derive(Clone, Debug)]
pub struct Router {
    device: Arc<Device>,
    address: SocketAddr,
}

impl Router {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.device.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    pub fn tls(&self) -> bool {
        self.device.tls
    }

    /// What it pretends to be.
    pub fn profile(&self) -> Profile {
        self.device.profile
    }

    /// What the caller files it under.
    pub fn environment(&self) -> &str {
        &self.device.environment
    }

    /// SHA-256 of the certificate's SubjectPublicKeyInfo; nothing without TLS.
    pub fn spki_sha256(&self) -> Option<[u8; 32]> {
        let identity = self.device.tls.then(|| self.device.identity().ok())??;
        Some(identity.spki_sha256)
    }

    /// The certificate; nothing without TLS.
    pub fn certificate_der(&self) -> Option<Vec<u8>> {
        let identity = self.device.tls.then(|| self.device.identity().ok())??;
        Some(identity.certificate.clone())
    }

    /// The link to the box dies, for so much router time or until it is mended; its timers run on.
    pub fn cut_link(&self, heals_after: Option<Duration>) {
        self.device.cut_link(heals_after);
    }

    /// The link is there again.
    pub fn mend_link(&self) {
        self.device.mend_link();
    }

    /// Whether somebody cut the link.
    pub fn link_is_dead(&self) -> bool {
        self.device.link_is_dead()
    }

    /// Which gauges were tampered with.
    pub fn vitals(&self) -> Vitals {
        self.device.state().vitals.clone()
    }

    /// Makes gauges show something else, from now on.
    ///
    /// # Errors
    /// A temperature for a box that has no thermometer.
    pub fn set_vitals(&self, vitals: Vitals) -> Result<(), String> {
        let mut state = self.device.state();
        if vitals.temperature.is_some() && !has_thermometer(&mut state) {
            return Err("this box has no thermometer".to_owned());
        }
        state.vitals = vitals;
        Ok(())
    }

    /// Adds a fault to the schedule.
    pub fn inject(&self, fault: impl Into<Injection>) {
        self.device.faults.inject(fault.into());
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.device.faults.clear();
    }

    /// Lets go what [`Fault::Hold`](crate::faults::Fault::Hold) keeps waiting, and holds nothing more.
    pub fn release(&self) {
        self.device.faults.release();
    }

    /// Every write and the latest reads, in order.
    pub fn journal(&self) -> Vec<Entry> {
        self.device.journal.entries()
    }

    /// The writes after a place in the journal that changed the box, in order.
    pub fn changes_since(&self, order: u64) -> Vec<Entry> {
        self.device.journal.changes_since(order)
    }

    /// A menu as it really is, e.g. `/ip/dns`.
    pub fn read(&self, menu: &str) -> Vec<Map<String, Value>> {
        self.device.read(menu)
    }

    /// Changes a menu as if someone sat at the console. Without an id: the values of a menu without records,
    /// or a new record. What the box refuses changes nothing, and its text comes back.
    pub fn change_behind_back(
        &self,
        menu: &str,
        id_or_none: Option<&str>,
        props: &[(&str, &str)],
    ) -> Result<(), String> {
        let done = self.device.change_behind_back(menu, id_or_none, props);
        if menu == "/system/scheduler" {
            watch_schedule(&self.device);
        }
        done
    }

    /// Adds many rows at once from one pattern (`$(n)`, `$(ip BASE)`, `$(net BASE/LENGTH)`, `$(mac)`), past the
    /// history and without looking for twins; says how many rows there are then.
    pub fn seed(&self, menu: &str, count: usize, pattern: &[(String, String)]) -> Result<usize, String> {
        self.device.seed(menu, count, &pattern.to_vec())
    }

    /// Puts the whole configuration back to what it was when the box was unpacked.
    pub fn restore(&self) {
        self.device.restore();
    }

    /// The box's own address that the managing client connects to.
    pub fn management(&self) -> Ipv4Addr {
        // There is one, or the fleet would not have started.
        self.device.management().unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// Whether the managing client gets in: with a new connection, and with a standing one.
    pub fn reachable(&self) -> (bool, bool) {
        self.device.reachable()
    }

    /// Removes a record as if someone sat at the console; true if there was one that could go.
    pub fn remove_behind_back(&self, menu: &str, id: &str) -> bool {
        self.device.remove_behind_back(menu, id)
    }

    /// Puts records into a menu exactly as they are given: unchecked, without consequences and without a line in the
    /// history, since a network can hold what no console would take (a client's host name, a log line, a route that
    /// a peer announced). A record with an `.id` that exists is written over; how many were taken, or nothing when
    /// there is no such menu with records.
    pub fn plant(&self, menu: &str, rows: Vec<Vec<(String, String)>>) -> Option<usize> {
        self.device.plant(menu, rows)
    }

    /// Takes the power away; returns once the box is down. It comes back by itself after `down_for` of real time.
    pub async fn reboot(&self, down_for: Duration) {
        let mut up = self.device.up.subscribe();
        self.device.reboots.send_replace(Some(down_for));
        // Ends early only when the fleet does.
        drop(up.wait_for(|up| !up).await);
    }

    /// Returns once the box has power.
    pub async fn is_up(&self) {
        let mut up = self.device.up.subscribe();
        drop(up.wait_for(|up| *up).await);
    }

    /// Swaps the key and the certificate; open connections are cut.
    pub fn change_tls_key(&self) {
        self.device.change_key();
    }

    /// Router time since the fleet started; scaled.
    pub fn router_time(&self) -> Duration {
        self.device.clock.now()
    }
}
