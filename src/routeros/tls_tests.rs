//! No byte of HTTP, hence no login, goes to a box that is not the one we mean.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use events::device::Trust;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::routeros::{
    error::RouterError,
    port::Prober as _,
    testing::{Rig, json, request_from},
    tls::spki_sha256,
};

/// A certificate with its key, as a box shows them.
struct Shown {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Shown {
    fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), key: key.serialize_der().try_into().unwrap() }
    }

    fn pin(&self) -> Trust {
        Trust::SpkiPin { sha256: spki_sha256(&self.certificate).unwrap() }
    }
}

/// A TLS box that answers every request, and counts what it was told in the clear of TLS.
struct Box {
    port: u16,
    shown: Arc<Mutex<Arc<ServerConfig>>>,
    told: Arc<AtomicUsize>,
}

fn config(shown: Shown) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown.certificate], shown.key)
        .unwrap();
    Arc::new(config)
}

impl Box {
    async fn showing(shown: Shown) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shown = Arc::new(Mutex::new(config(shown)));
        let told = Arc::new(AtomicUsize::new(0));
        let (at, count) = (Arc::clone(&shown), Arc::clone(&told));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let config = Arc::clone(&at.lock().unwrap());
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let accepting = tokio_rustls::TlsAcceptor::from(config).accept(stream);
                    let Ok(mut stream) = accepting.await else { return };
                    if let Ok(request) = request_from(&mut stream).await {
                        count.fetch_add(request.len(), Ordering::SeqCst);
                        let answer = json("200 OK", "{\"name\":\"r\"}");
                        // One answer a connection, so that each request is a new handshake.
                        stream.write_all(&answer).await.unwrap();
                        let _ = stream.shutdown().await;
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                    }
                });
            }
        });
        Self { port, shown, told }
    }

    fn show(&self, shown: Shown) {
        *self.shown.lock().unwrap() = config(shown);
    }

    fn told(&self) -> usize {
        self.told.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn the_trusted_key_is_talked_to_and_another_is_told_nothing() {
    let shown = Shown::self_signed("router.example");
    let trust = shown.pin();
    let at = Box::showing(shown).await;
    let rig = Rig::with(at.port, trust, BTreeMap::new());
    rig.read().await.unwrap();
    let told = at.told();
    assert!(told > 0);

    let other = Shown::self_signed("router.example");
    let Trust::SpkiPin { sha256: seen } = other.pin() else { unreachable!() };
    at.show(other);
    let read = rig.read().await;
    assert!(matches!(&read, Err(RouterError::Mismatch { seen_sha256 }) if *seen_sha256 == seen), "{read:?}");
    assert_eq!(at.told(), told, "not one byte of HTTP");
    assert_eq!(rig.mismatches(), [seen], "the house hears of it, once");
}

#[tokio::test]
async fn a_wrong_pin_and_an_unconfirmed_key_are_told_nothing() {
    let at = Box::showing(Shown::self_signed("router.example")).await;
    let rig = Rig::with(at.port, Trust::SpkiPin { sha256: "0".repeat(64) }, BTreeMap::new());
    assert!(matches!(rig.read().await, Err(RouterError::Mismatch { .. })));
    rig.trust(Trust::Unconfirmed);
    assert!(matches!(rig.read().await, Err(RouterError::Unconfirmed)));
    assert_eq!(at.told(), 0);
}

#[tokio::test]
async fn an_authority_vouches_for_one_name_only() {
    let dir = tempfile::tempdir().unwrap();
    let authority_of = |file: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let path = dir.path().join(file);
        std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        (Issuer::new(params, key), path)
    };
    let (ours, ours_file) = authority_of("ours.pem");
    let (_, others_file) = authority_of("others.pem");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["tower.example".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    let shown =
        Shown { certificate: certificate.der().clone(), key: key.serialize_der().try_into().unwrap() };
    let at = Box::showing(shown).await;
    let files = BTreeMap::from([("ours".to_owned(), ours_file), ("others".to_owned(), others_file)]);
    let trust = |ca: &str, name: &str| Trust::NamedCa { ca: ca.into(), server_name: name.into() };
    let rig = Rig::with(at.port, trust("ours", "tower.example"), files);
    rig.read().await.unwrap();
    let told = at.told();
    for other in [trust("ours", "church.example"), trust("others", "tower.example")] {
        rig.trust(other.clone());
        let read = rig.read().await;
        assert!(matches!(read, Err(RouterError::Mismatch { .. })), "{other:?}: {read:?}");
    }
    rig.trust(trust("nobody", "tower.example"));
    assert!(matches!(rig.read().await, Err(RouterError::Handshake(_))));
    assert_eq!(at.told(), told, "not one byte of HTTP");
}

#[tokio::test]
async fn the_first_look_takes_the_key_and_sends_nothing() {
    let shown = Shown::self_signed("evil\u{1b}[2J");
    let Trust::SpkiPin { sha256 } = shown.pin() else { unreachable!() };
    let at = Box::showing(shown).await;
    let rig = Rig::at(at.port);
    let print = rig.lanes.fingerprint([127, 0, 0, 1].into(), at.port, true).await.unwrap();
    assert_eq!(print.spki_sha256, Some(sha256));
    assert!(print.self_signed && print.not_after.is_some());
    assert!(!format!("{:?}{:?}", print.subject, print.names).contains("\\u{1b}"), "{print:?}");
    assert_eq!(at.told(), 0);
    let link_local = rig.lanes.fingerprint([169, 254, 169, 254].into(), 80, false).await;
    assert!(matches!(link_local, Err(RouterError::AddressRefused { .. })), "{link_local:?}");
}

#[tokio::test]
async fn a_box_that_moved_is_recognised_again() {
    let (old, new) = (Shown::self_signed("a.example"), Shown::self_signed("b.example"));
    let trust = old.pin();
    let (first, second) = (Box::showing(old).await, Box::showing(new).await);
    let rig = Rig::with(first.port, trust, BTreeMap::new());
    rig.read().await.unwrap();
    rig.move_to(second.port);
    assert!(matches!(rig.read().await, Err(RouterError::Mismatch { .. })));
    assert_eq!(second.told(), 0);
}
