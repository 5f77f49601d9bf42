//! A box's certificate: self-signed, made when first needed.
//!
//! TLS 1.2 only, as RouterOS names nothing newer.

use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::version::TLS12;

/// A key, its certificate and a server that uses them.
pub struct Identity {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// SHA-256 over the SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Ready to greet clients.
    pub acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("spki_sha256", &self.spki_sha256).finish_non_exhaustive()
    }
}

/// Makes a fresh key and certificate.
pub fn make(name: &str) -> io::Result<Identity> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut params = CertificateParams::new(vec![format!("{name}.invalid"), "localhost".to_owned()])
        .map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    let spki_sha256 = Sha256::digest(key.subject_public_key_info()).into();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .map_err(io::Error::other)?;
    // A thousand session caches would cost more than the boxes themselves.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Identity {
        certificate: certificate.der().to_vec(),
        spki_sha256,
        acceptor: TlsAcceptor::from(Arc::new(config)),
    })
}
