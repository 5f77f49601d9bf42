//! The invented host names under which routers are called: one name stands for one address, one key, one epoch.
//!
//! A request goes to `<device in hex>.t<tag>.invalid`, so that name look-up, connection pool and certificate check all
//! know the device and not only an address. The tag covers address, port, trust and epoch: when any of them changes the
//! name changes, and no connection made under the old terms can be used again. Never asks a real name server.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};

use events::device::Trust;
use sha2::{Digest, Sha256};

use crate::routeros::port::Target;

/// A label of a host name holds 63 characters; 30 bytes in hex stay below.
const LABEL_BYTES: usize = 30;

/// What is known about a name while somebody calls it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The pinned address.
    pub ip: IpAddr,
    /// How the device is recognised.
    pub trust: Trust,
}

/// The names in use now.
#[derive(Debug, Default)]
pub struct Hosts(RwLock<BTreeMap<String, (Known, usize)>>);

impl Hosts {
    /// Makes a device's name known for as long as the answer lives.
    #[must_use]
    pub fn enter(self: &Arc<Self>, target: &Target, epoch: u32) -> Presence {
        let host = host_name(target, epoch);
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = || Known { ip: target.ip, trust: target.trust.clone() };
        names.entry(host.clone()).or_insert_with(|| (known(), 0)).1 += 1;
        drop(names);
        Presence { hosts: Arc::clone(self), host, ip: target.ip, port: target.port }
    }

    /// What is known about a name.
    #[must_use]
    pub fn known(&self, host: &str) -> Option<Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(host).map(|(known, _)| known.clone())
    }
}

/// One visit's right to a name.
#[derive(Debug)]
pub struct Presence {
    hosts: Arc<Hosts>,
    host: String,
    ip: IpAddr,
    port: u16,
}

impl Presence {
    /// The invented name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
    /// Port of REST.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
    /// The address and port as the `Host` header shows them: the router never sees the invented name.
    #[must_use]
    pub fn authority(&self) -> String {
        SocketAddr::new(self.ip, self.port).to_string()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut names = self.hosts.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, users)) = names.get_mut(&self.host) {
            *users -= 1;
            if *users == 0 {
                names.remove(&self.host);
            }
        }
    }
}

/// The name under which a device is called.
fn host_name(target: &Target, epoch: u32) -> String {
    let mut name = String::with_capacity(160);
    for label in target.device_id.as_str().as_bytes().chunks(LABEL_BYTES) {
        for byte in label {
            let _ = write!(name, "{byte:02x}");
        }
        name.push('.');
    }
    let terms = format!("{}|{}|{:?}|{epoch}", target.ip, target.port, target.trust);
    let _ = write!(name, "t{}.invalid", &hex(&Sha256::digest(terms))[..16]);
    name
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Answers invented names with their pinned address, and nothing else with anything.
#[derive(Debug)]
pub struct PinnedResolver(pub Arc<Hosts>);

impl reqwest::dns::Resolve for PinnedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let known = self.0.known(name.as_str());
        Box::pin(async move {
            let known = known.ok_or("the name is not in use")?;
            events::crash::point("lane.resolved");
            let addresses: reqwest::dns::Addrs = Box::new(std::iter::once(SocketAddr::new(known.ip, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(id: &str) -> Target {
        Target {
            device_id: id.parse().unwrap(),
            ip: [10, 0, 0, 1].into(),
            port: 443,
            trust: Trust::SpkiPin { sha256: "00".repeat(32) },
            credentials: BTreeMap::new(),
            quarantined: false,
        }
    }

    #[test]
    fn every_device_id_becomes_a_host_name() {
        let long = format!("a{}", "_".repeat(62));
        for id in ["r1", "10.0.0.1", "a_b", "a..", "7-", long.as_str()] {
            let name = host_name(&target(id), 0);
            assert!(name.len() < 254 && name.split('.').all(|l| (1..64).contains(&l.len())), "{name}");
            let url = reqwest::Url::parse(&format!("https://{name}:8443/rest/x")).unwrap();
            assert_eq!(url.host_str(), Some(name.as_str()));
            assert!(rustls_pki_types::ServerName::try_from(name.clone()).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_changes_with_its_terms() {
        let one = target("r1");
        let mut other = target("r1");
        other.trust = Trust::Unconfirmed;
        assert_ne!(host_name(&one, 0), host_name(&other, 0));
        assert_ne!(host_name(&one, 0), host_name(&one, 1));
        assert_ne!(host_name(&one, 0), host_name(&target("r2"), 0));
        assert_eq!(host_name(&one, 0), host_name(&target("r1"), 0));
    }

    #[test]
    fn a_name_is_known_while_somebody_calls_it() {
        let hosts = Arc::new(Hosts::default());
        let first = hosts.enter(&target("r1"), 0);
        let second = hosts.enter(&target("r1"), 0);
        let name = first.host().to_owned();
        drop(first);
        assert!(hosts.known(&name).is_some());
        drop(second);
        assert!(hosts.known(&name).is_none());
    }
}
