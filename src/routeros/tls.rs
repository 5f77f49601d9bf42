//! Makes sure that the box at the other end is the one we mean, before any login is sent.
//!
//! One client configuration serves all devices; its verifier finds the device by the invented host name (see
//! [`crate::routeros::hosts`]) and applies that device's own rule. There is no way to switch the check off. Sessions are
//! never resumed, because a resumed session shows no certificate.

use std::{
    collections::BTreeMap,
    error::Error,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use events::device::Trust;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::routeros::{
    error::RouterError,
    hosts::{Hosts, hex},
    port::Fingerprint,
    text::Untrusted,
};

/// The device showed another key than the trusted one.
#[derive(Debug, thiserror::Error)]
#[error("the device showed key {seen_sha256}")]
pub struct KeyMismatch {
    /// SHA-256 of the key it showed, or empty if none was readable.
    pub seen_sha256: String,
}

/// A certificate authority of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The file cannot be read as PEM.
    #[error("the certificates of authority `{name}` cannot be read from {path}")]
    Unreadable {
        /// The authority's name.
        name: String,
        /// Where its certificates should be.
        path: PathBuf,
        /// Why not.
        source: rustls_pki_types::pem::Error,
    },
    /// No usable certificate in the file.
    #[error("authority `{name}` has no usable certificate")]
    Empty {
        /// The authority's name.
        name: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// The one TLS configuration for all devices.
///
/// # Errors
/// [`AuthorityError`] when an authority's certificates cannot be used.
pub fn client_config(
    hosts: &Arc<Hosts>,
    authorities: &BTreeMap<String, PathBuf>,
) -> Result<ClientConfig, AuthorityError> {
    let provider = Arc::new(ring::default_provider());
    let authorities = authorities
        .iter()
        .map(|(name, path)| Ok((name.clone(), authority(name, path, &provider)?)))
        .collect::<Result<_, AuthorityError>>()?;
    let verifier = DeviceVerifier { hosts: Arc::clone(hosts), authorities, provider: Arc::clone(&provider) };
    Ok(configure(provider, Arc::new(verifier))?)
}

/// TLS 1.2 and 1.3, no resumption, and no invented name on the wire.
fn configure(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

/// A verifier for one authority of the configuration.
fn authority(
    name: &str,
    path: &PathBuf,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, AuthorityError> {
    let unreadable =
        |source| AuthorityError::Unreadable { name: name.to_owned(), path: path.clone(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?)?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|_| AuthorityError::Empty { name: name.to_owned() })
}

/// Applies the rule of the device that is being called.
#[derive(Debug)]
struct DeviceVerifier {
    hosts: Arc<Hosts>,
    authorities: BTreeMap<String, Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for DeviceVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let known =
            self.hosts.known(&server_name.to_str()).ok_or_else(|| refuse("the name is not in use"))?;
        match known.trust {
            Trust::SpkiPin { sha256 } => {
                // Read with the parser that also checks the handshake's signature, so that both see the same key.
                let seen = spki_sha256(end_entity).unwrap_or_default();
                let same = seen.as_bytes().ct_eq(sha256.to_ascii_lowercase().as_bytes());
                if !bool::from(same) {
                    return Err(mismatch(seen));
                }
                events::crash::point("lane.trusted");
                Ok(ServerCertVerified::assertion())
            }
            Trust::NamedCa { ca, server_name } => {
                let authority =
                    self.authorities.get(&ca).ok_or_else(|| refuse("the authority is not configured"))?;
                let name = ServerName::try_from(server_name.as_str())
                    .map_err(|_| refuse("the configured certificate name is not a name"))?;
                authority
                    .verify_server_cert(end_entity, intermediates, &name, ocsp_response, now)
                    .map_err(|error| stranger(error, end_entity))
            }
            Trust::Unconfirmed | Trust::PlainHttp => Err(refuse("the device's key is not confirmed")),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// SHA-256 of a certificate's public key (SubjectPublicKeyInfo), 64 hex digits.
#[must_use]
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Option<String> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(hex(&Sha256::digest(parsed.subject_public_key_info())))
}

fn refuse(why: &'static str) -> rustls::Error {
    rustls::Error::General(why.to_owned())
}

fn mismatch(seen_sha256: String) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(KeyMismatch { seen_sha256 }))).into()
}

/// A certificate that the authority did not make, or made for somebody else, is another key; an expired one is not.
fn stranger(error: rustls::Error, end_entity: &CertificateDer<'_>) -> rustls::Error {
    use CertificateError as E;
    match &error {
        rustls::Error::InvalidCertificate(
            E::UnknownIssuer | E::BadSignature | E::NotValidForName | E::NotValidForNameContext { .. },
        ) => mismatch(spki_sha256(end_entity).unwrap_or_default()),
        _ => error,
    }
}

/// What TLS said, somewhere in a chain of errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsTrouble {
    /// Another key than the trusted one.
    Mismatch {
        /// SHA-256 of the key it showed, or empty.
        seen_sha256: String,
    },
    /// The handshake failed for another reason.
    Handshake,
}

/// Looks for TLS trouble in a chain of errors. `io::Error` hides what it wraps from `source`, so it is opened.
#[must_use]
pub fn tls_trouble(error: &(dyn Error + 'static)) -> Option<TlsTrouble> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(KeyMismatch { seen_sha256 }) = error.downcast_ref() {
            return Some(TlsTrouble::Mismatch { seen_sha256: seen_sha256.clone() });
        }
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(match tls {
                rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                    tls_trouble(inner.as_ref()).unwrap_or(TlsTrouble::Handshake)
                }
                _ => TlsTrouble::Handshake,
            });
        }
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// Opens a connection, takes the certificate, and closes before a byte of HTTP is sent. Without TLS it tells only that
/// the port is open.
///
/// # Errors
/// `Unreachable` when nothing listens, `Handshake` when no certificate was shown.
pub async fn fingerprint(
    address: std::net::SocketAddr,
    tls: bool,
    patience: Duration,
) -> Result<Fingerprint, RouterError> {
    let slow = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let stream = tokio::time::timeout(patience, tokio::net::TcpStream::connect(address))
        .await
        .unwrap_or_else(|_| Err(slow()))
        .map_err(|e| RouterError::Unreachable(e.into()))?;
    if !tls {
        return Ok(Fingerprint {
            spki_sha256: None,
            subject: None,
            names: Vec::new(),
            not_after: None,
            self_signed: false,
        });
    }
    let provider = Arc::new(ring::default_provider());
    let witness = Arc::new(Witness { seen: Mutex::new(None), provider: Arc::clone(&provider) });
    let config =
        configure(provider, Arc::clone(&witness) as _).map_err(|e| RouterError::Handshake(Box::new(e)))?;
    let name = ServerName::from(address.ip());
    let connecting = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream);
    let ended = tokio::time::timeout(patience, connecting).await.unwrap_or_else(|_| Err(slow()));
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (seen, ended) {
        (Some(certificate), _) => Ok(describe(&certificate)),
        (None, Err(error)) => Err(RouterError::Handshake(error.into())),
        (None, Ok(_)) => Err(RouterError::Handshake("no certificate was shown".into())),
    }
}

/// What a certificate says of itself.
fn describe(certificate: &CertificateDer<'_>) -> Fingerprint {
    let mut print = Fingerprint {
        spki_sha256: spki_sha256(certificate),
        subject: None,
        names: Vec::new(),
        not_after: None,
        self_signed: false,
    };
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return print };
    print.subject = Some(Untrusted::new(&parsed.subject().to_string()));
    print.not_after = chrono::DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0)
        .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    print.self_signed = parsed.subject() == parsed.issuer() && parsed.verify_signature(None).is_ok();
    if let Ok(Some(names)) = parsed.subject_alternative_name() {
        print.names = names.value.general_names.iter().take(NAMES_MAX).filter_map(alternative).collect();
    }
    print
}

/// Names of a certificate that are shown.
const NAMES_MAX: usize = 32;

fn alternative(name: &GeneralName<'_>) -> Option<Untrusted> {
    match name {
        GeneralName::DNSName(name) => Some(Untrusted::new(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from);
            v4.or(v6).ok().map(|ip| Untrusted::new(&ip.to_string()))
        }
        _ => None,
    }
}

/// Takes the first certificate and refuses it, so that the connection ends there.
#[derive(Debug)]
struct Witness {
    seen: Mutex<Option<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        Err(refuse("only looked"))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refuse("only looked"))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refuse("only looked"))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
