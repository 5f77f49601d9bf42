//! Router logins at rest: sealed under a key that only this process holds, opened for one use at a time.
//!
//! A sealed record opens only for the device, record and purpose it was sealed for. Never writes a secret anywhere, and
//! never keeps one: who unseals owns the secret, and secrets wipe themselves when dropped.

use std::{fs, path::Path, sync::Arc};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use events::{
    device::Purpose,
    ids::{CredentialId, DeviceId},
};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::routeros::hosts::hex;

/// First byte of a sealed record.
const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Why a login cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No such record: never sealed, or erased.
    #[error("there is no such record")]
    Missing,
    /// The store cannot be read now.
    #[error(transparent)]
    Away(#[from] StoreAway),
    /// Sealed under another master key.
    #[error("the record was sealed under another master key")]
    OtherKey,
    /// Not a record of ours, changed, or sealed for something else.
    #[error("the record does not open for this device and purpose")]
    Damaged,
    /// The system gives no randomness.
    #[error("no randomness")]
    Randomness,
    /// The master key's file cannot be read.
    #[error("the master key cannot be read")]
    KeyFile(#[source] std::io::Error),
    /// The master key's file has a wrong length, or others may read it.
    #[error("the master key's file {0}")]
    KeyShape(&'static str),
}

/// The master key: 32 bytes, wiped when dropped.
pub struct SecretKeyBytes(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for SecretKeyBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKeyBytes")
    }
}

impl SecretKeyBytes {
    /// Takes a key.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new random key.
    ///
    /// # Errors
    /// [`VaultError::Randomness`].
    pub fn generate() -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| VaultError::Randomness)?;
        Ok(Self(key))
    }

    /// Reads a key file: exactly 32 bytes, readable by its owner only.
    ///
    /// # Errors
    /// [`VaultError::KeyFile`] or [`VaultError::KeyShape`].
    pub fn read(path: &Path) -> Result<Self, VaultError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            if fs::metadata(path).map_err(VaultError::KeyFile)?.mode() & 0o077 != 0 {
                return Err(VaultError::KeyShape("is readable by others; its mode must be 0600 or 0400"));
            }
        }
        let mut bytes = Zeroizing::new(fs::read(path).map_err(VaultError::KeyFile)?);
        let key = <[u8; 32]>::try_from(bytes.as_slice());
        bytes.zeroize();
        key.map(Self::new).map_err(|_| VaultError::KeyShape("must hold exactly 32 bytes"))
    }

    /// The bytes, for writing a new key's file.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The store of sealed records cannot be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot be read now")]
pub struct StoreAway;

/// Where sealed records lie. The composition root gives the log's side table.
pub trait SealedStore: Send + Sync {
    /// The sealed record, or `None` when it never was or was erased.
    ///
    /// # Errors
    /// [`StoreAway`] when the store cannot be read now: nothing is known then.
    fn sealed(&self, id: CredentialId) -> Result<Option<Vec<u8>>, StoreAway>;
}

/// Seals and opens router logins.
pub struct Vault {
    master: Hkdf<Sha256>,
    cipher: XChaCha20Poly1305,
    key_id: [u8; KEY_ID_BYTES],
    store: Arc<dyn SealedStore>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key_id", &hex(&self.key_id)).finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault over a store of sealed records.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the key is used up: it is wiped on return")]
    pub fn new(master: SecretKeyBytes, store: Arc<dyn SealedStore>) -> Self {
        let master = Hkdf::<Sha256>::new(Some(b"appliance"), master.expose());
        let key = expand::<32>(&master, "credentials");
        let key_id = *expand::<KEY_ID_BYTES>(&master, "key-id");
        Self { cipher: XChaCha20Poly1305::new((&*key).into()), master, key_id, store }
    }

    /// A key for another purpose of the house (approval tokens, cursors); equal labels give equal keys.
    #[must_use]
    pub fn derive(&self, label: &'static str) -> Zeroizing<[u8; 32]> {
        debug_assert!(!matches!(label, "credentials" | "key-id"), "this label is the vault's own");
        expand::<32>(&self.master, label)
    }

    /// Seals a secret for one device, record and purpose.
    ///
    /// # Errors
    /// [`VaultError::Randomness`].
    pub fn seal(
        &self,
        device: &DeviceId,
        id: CredentialId,
        purpose: Purpose,
        secret: &SecretString,
    ) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::Randomness)?;
        let aad = binding(device, id, purpose, &self.key_id);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: aad.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::Damaged)?;
        let mut record = Vec::with_capacity(HEAD_BYTES + sealed.len());
        record.push(FORMAT);
        record.extend_from_slice(&self.key_id);
        record.extend_from_slice(&nonce);
        record.extend_from_slice(&sealed);
        Ok(record)
    }

    /// Fetches and opens a sealed secret.
    ///
    /// # Errors
    /// [`VaultError`] when there is none or it was sealed for something else.
    pub fn unseal(
        &self,
        device: &DeviceId,
        id: CredentialId,
        purpose: Purpose,
    ) -> Result<SecretString, VaultError> {
        let record = self.store.sealed(id)?.ok_or(VaultError::Missing)?;
        self.open(&record, device, id, purpose)
    }

    /// Opens a sealed record.
    fn open(
        &self,
        record: &[u8],
        device: &DeviceId,
        id: CredentialId,
        purpose: Purpose,
    ) -> Result<SecretString, VaultError> {
        let Some((head, sealed)) = record.split_at_checked(HEAD_BYTES) else {
            return Err(VaultError::Damaged);
        };
        if head[0] != FORMAT {
            return Err(VaultError::Damaged);
        }
        let (key_id, nonce) = head[1..].split_at(KEY_ID_BYTES);
        if key_id != self.key_id {
            return Err(VaultError::OtherKey);
        }
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| VaultError::Damaged)?;
        let aad = binding(device, id, purpose, &self.key_id);
        let opened = self
            .cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: aad.as_bytes() })
            .map_err(|_| VaultError::Damaged)?;
        match String::from_utf8(opened) {
            Ok(secret) => Ok(SecretString::from(secret)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(VaultError::Damaged)
            }
        }
    }
}

/// What a record is bound to: `v1|device|record|purpose|key`.
fn binding(device: &DeviceId, id: CredentialId, purpose: Purpose, key_id: &[u8]) -> String {
    let purpose = match purpose {
        Purpose::Read => "read",
        Purpose::Write => "write",
    };
    format!("v1|{device}|{id}|{purpose}|{}", hex(key_id))
}

fn expand<const N: usize>(master: &Hkdf<Sha256>, label: &str) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    master.expand(label.as_bytes(), &mut *key).expect("HKDF-SHA256 gives up to 8160 bytes");
    key
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Mutex};

    use events::ids::Moment;

    use super::*;

    #[derive(Default)]
    struct Table(Mutex<BTreeMap<CredentialId, Vec<u8>>>);
    impl SealedStore for Table {
        fn sealed(&self, id: CredentialId) -> Result<Option<Vec<u8>>, StoreAway> {
            Ok(self.0.lock().unwrap().get(&id).cloned())
        }
    }

    fn id(n: u128) -> CredentialId {
        CredentialId::from_parts(Moment::from_micros(1_000_000), n)
    }

    fn device(name: &str) -> DeviceId {
        name.parse().unwrap()
    }

    fn sealed_for_r1() -> (Vault, Arc<Table>, Vec<u8>) {
        let table = Arc::new(Table::default());
        let vault = Vault::new(SecretKeyBytes::new([7; 32]), Arc::clone(&table) as _);
        let record = vault.seal(&device("r1"), id(1), Purpose::Read, &"pässword".into()).unwrap();
        table.0.lock().unwrap().insert(id(1), record.clone());
        (vault, table, record)
    }

    #[test]
    fn what_was_sealed_opens() {
        let (vault, ..) = sealed_for_r1();
        let secret = vault.unseal(&device("r1"), id(1), Purpose::Read).unwrap();
        assert_eq!(secret.expose_secret(), "pässword");
        assert!(matches!(vault.unseal(&device("r1"), id(9), Purpose::Read), Err(VaultError::Missing)));
    }

    #[test]
    fn it_opens_for_nothing_else() {
        let (vault, table, record) = sealed_for_r1();
        table.0.lock().unwrap().insert(id(2), record);
        for (name, id, purpose) in
            [("r2", id(1), Purpose::Read), ("r1", id(2), Purpose::Read), ("r1", id(1), Purpose::Write)]
        {
            assert!(matches!(vault.unseal(&device(name), id, purpose), Err(VaultError::Damaged)));
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (vault, table, record) = sealed_for_r1();
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 1;
            table.0.lock().unwrap().insert(id(1), changed);
            assert!(vault.unseal(&device("r1"), id(1), Purpose::Read).is_err(), "byte {at}");
        }
        table.0.lock().unwrap().insert(id(1), record[..10].to_vec());
        assert!(matches!(vault.unseal(&device("r1"), id(1), Purpose::Read), Err(VaultError::Damaged)));
    }

    #[test]
    fn another_master_key_is_told_apart() {
        let (_, table, _) = sealed_for_r1();
        let other = Vault::new(SecretKeyBytes::new([8; 32]), table);
        assert!(matches!(other.unseal(&device("r1"), id(1), Purpose::Read), Err(VaultError::OtherKey)));
        assert_ne!(*other.derive("cursor"), *other.derive("approval"));
    }

    #[test]
    fn two_sealings_never_look_alike_and_show_nothing() {
        let (vault, _, record) = sealed_for_r1();
        let again = vault.seal(&device("r1"), id(1), Purpose::Read, &"pässword".into()).unwrap();
        assert_ne!(record, again);
        assert!(!record.windows(4).any(|w| w == b"word"));
        let shown = format!("{vault:?} {:?}", SecretKeyBytes::new([7; 32]));
        assert!(!shown.contains("7, 7") && !shown.contains(&"07".repeat(4)), "{shown}");
    }

    #[test]
    #[cfg(unix)]
    fn a_key_file_is_short_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let write = |bytes: &[u8], mode| {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        write(&[1; 32], 0o600);
        assert_eq!(SecretKeyBytes::read(&path).unwrap().expose(), &[1; 32]);
        write(&[1; 31], 0o600);
        assert!(matches!(SecretKeyBytes::read(&path), Err(VaultError::KeyShape(_))));
        write(&[1; 32], 0o644);
        assert!(matches!(SecretKeyBytes::read(&path), Err(VaultError::KeyShape(_))));
        assert_ne!(SecretKeyBytes::generate().unwrap().expose(), &[0; 32]);
    }
}
