//! Signed checkpoints: "the ledger had this many leaves and this root", in the form of C2SP `tlog-checkpoint`.
//!
//! A checkpoint proves something only where the one who could rewrite the store cannot rewrite the checkpoint: keep
//! copies elsewhere. The text form of a note:
//! ```text
//! appliance/store_01k…            origin: names the store
//! 4711                            leaves
//! nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=
//! time 2026-11-20T08:00:00.000000Z seq 5000
//!                                 an empty line
//! — appliance <base64 of key id and signature>
//! ```

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{
    ids::{Moment, Seq, StoreId},
    merkle::Hash,
};

/// The name of every signing key of this product; keys are told apart by their id.
pub const KEY_NAME: &str = "appliance";
/// The algorithm byte of Ed25519 in signed notes.
const ALGORITHM_ED25519: u8 = 1;
/// A note is five short lines; anything longer is not one of ours.
const NOTE_BYTES_MAX: usize = 4096;

/// The private half of the key that signs checkpoints. Erased from memory when dropped.
pub struct Signer(SigningKey);

impl Signer {
    /// A new key from the system's randomness.
    ///
    /// # Panics
    /// When the system has no randomness: nothing safe can be done then.
    #[must_use]
    pub fn generate() -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system gives randomness");
        Self::from_bytes(secret)
    }

    /// The key with these secret bytes.
    #[must_use]
    pub fn from_bytes(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&secret))
    }

    /// The secret bytes, for the file they are kept in. The caller erases them.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier(self.0.verifying_key())
    }

    /// The signed note of a checkpoint.
    #[must_use]
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.text();
        let mut signature = self.verifier().key_id().to_vec();
        signature.extend_from_slice(&self.0.sign(text.as_bytes()).to_bytes());
        format!("{text}\n— {KEY_NAME} {}\n", BASE64.encode(signature))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier())
    }
}

/// The public half of a signing key. Its text form is that of signed notes: `name+hash+base64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verifier(VerifyingKey);

impl Verifier {
    /// The first four bytes of SHA-256 over name, line feed, algorithm byte and public key.
    #[must_use]
    pub fn key_id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(KEY_NAME.as_bytes());
        hasher.update([b'\n', ALGORITHM_ED25519]);
        hasher.update(self.0.as_bytes());
        let hash: Hash = hasher.finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut public = vec![ALGORITHM_ED25519];
        public.extend_from_slice(self.0.as_bytes());
        write!(f, "{KEY_NAME}+{:08x}+{}", u32::from_be_bytes(self.key_id()), BASE64.encode(public))
    }
}

/// A text that is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a verifier key looks like `appliance+0123abcd+AQ…`, as `appliance init` prints it")]
pub struct VerifierError;

impl FromStr for Verifier {
    type Err = VerifierError;
    fn from_str(text: &str) -> Result<Self, VerifierError> {
        let mut parts = text.trim().splitn(3, '+');
        let (name, hash, public) = (parts.next(), parts.next(), parts.next());
        let public = BASE64.decode(public.ok_or(VerifierError)?).map_err(|_| VerifierError)?;
        let [ALGORITHM_ED25519, key @ ..] = &public[..] else { return Err(VerifierError) };
        let key: [u8; 32] = key.try_into().map_err(|_| VerifierError)?;
        let verifier = Self(VerifyingKey::from_bytes(&key).map_err(|_| VerifierError)?);
        let id = format!("{:08x}", u32::from_be_bytes(verifier.key_id()));
        if name == Some(KEY_NAME) && hash == Some(&id) { Ok(verifier) } else { Err(VerifierError) }
    }
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The store that it is about.
    pub store_id: StoreId,
    /// How many leaves the ledger had.
    pub leaves: u64,
    /// The root over them.
    pub root: Hash,
    /// When it was signed.
    pub at: Moment,
    /// The newest Seq of the log, samples included.
    pub seq: Seq,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "appliance/{}\n{}\n{}\ntime {} seq {}\n",
            self.store_id,
            self.leaves,
            BASE64.encode(self.root),
            self.at,
            self.seq
        )
    }
}

/// Why a text is no checkpoint of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not in the form of a signed checkpoint.
    #[error("not a signed checkpoint: {0}")]
    Form(&'static str),
    /// Signed, but not by this key.
    #[error("the checkpoint is not signed by this key")]
    OtherKey,
    /// This key's line is there, but the signature does not fit the text.
    #[error("the signature does not fit the checkpoint")]
    Signature,
}

/// A key's id and what it signed with.
type Signature = ([u8; 4], [u8; 64]);

/// A checkpoint with its signatures, as read from a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it says.
    pub checkpoint: Checkpoint,
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// Reads a note; signatures are not checked yet. The text must be exactly as it was written.
    ///
    /// # Errors
    /// When it is not in the form of a signed checkpoint.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        use NoteError::Form;
        if note.len() > NOTE_BYTES_MAX {
            return Err(Form("too long"));
        }
        let (body, signatures) = note.split_once("\n\n").ok_or(Form("no signature"))?;
        let text = format!("{body}\n");
        let lines: Vec<_> = body.split('\n').collect();
        let [origin, size, root, extension] = lines[..] else { return Err(Form("not four lines")) };
        let extension: Vec<_> = extension.split(' ').collect();
        let ["time", at, "seq", seq] = extension[..] else { return Err(Form("no time and place")) };
        let root = BASE64.decode(root).map_err(|_| Form("the root is not base64"))?;
        let checkpoint = Checkpoint {
            store_id: origin
                .strip_prefix("appliance/")
                .and_then(|id| id.parse().ok())
                .ok_or(Form("the first line names no store"))?,
            leaves: size.parse().map_err(|_| Form("the size is no number"))?,
            root: root.try_into().map_err(|_| Form("the root is not 32 bytes"))?,
            at: at.parse().map_err(|_| Form("the time is not readable"))?,
            seq: Seq(seq.parse().map_err(|_| Form("the place is no number"))?),
        };
        if checkpoint.text() != text {
            return Err(Form("numbers are written in another way"));
        }
        let signatures = signatures
            .strip_suffix('\n')
            .ok_or(Form("the last line does not end"))?
            .split('\n')
            .filter_map(|line| signature(line).transpose())
            .collect::<Result<_, _>>()?;
        Ok(Self { checkpoint, text, signatures })
    }

    /// Is it signed by this key?
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, verifier: &Verifier) -> Result<(), NoteError> {
        let id = verifier.key_id();
        let mut own = self.signatures.iter().filter(|(key_id, _)| *key_id == id).peekable();
        if own.peek().is_none() {
            return Err(NoteError::OtherKey);
        }
        let good = own.all(|(_, signature)| {
            let signature = ed25519_dalek::Signature::from_bytes(signature);
            verifier.0.verify_strict(self.text.as_bytes(), &signature).is_ok()
        });
        if good { Ok(()) } else { Err(NoteError::Signature) }
    }
}

/// One signature line; `None` for the line of another key name (a witness).
fn signature(line: &str) -> Result<Option<Signature>, NoteError> {
    use NoteError::Form;
    let line = line.strip_prefix("— ").ok_or(Form("a signature line begins otherwise"))?;
    let (name, blob) = line.split_once(' ').ok_or(Form("a signature line has no signature"))?;
    let blob = BASE64.decode(blob).map_err(|_| Form("a signature is not base64"))?;
    if name != KEY_NAME {
        return Ok(None);
    }
    let blob: [u8; 68] = blob.try_into().map_err(|_| Form("a signature has another length"))?;
    let (id, signature) = blob.split_at(4);
    Ok(Some((id.try_into().expect("4 bytes"), signature.try_into().expect("64 bytes"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            store_id: StoreId::from_u128(5),
            leaves: 4711,
            root: [7; 32],
            at: Moment::from_micros(1_790_000_000_000_000),
            seq: Seq(5000),
        }
    }

    #[test]
    fn a_note_has_the_lines_of_a_tlog_checkpoint() {
        let note = Signer::from_bytes([1; 32]).sign(&checkpoint());
        let lines: Vec<_> = note.split('\n').collect();
        assert_eq!(lines[0], "appliance/store_00000000000000000000000005");
        assert_eq!(lines[1], "4711");
        assert_eq!(lines[2], "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        assert_eq!(lines[3], "time 2026-09-21T14:13:20.000000Z seq 5000");
        assert_eq!(lines[4], "");
        assert!(lines[5].starts_with("— appliance "));
        assert_eq!(lines[6..], [""]);
    }

    #[test]
    fn a_signed_note_verifies_with_its_key_only() {
        let signer = Signer::from_bytes([1; 32]);
        let note = Note::parse(&signer.sign(&checkpoint())).unwrap();
        assert_eq!(note.checkpoint, checkpoint());
        assert_eq!(note.verify(&signer.verifier()), Ok(()));
        assert_eq!(note.verify(&Signer::from_bytes([2; 32]).verifier()), Err(NoteError::OtherKey));
    }

    #[test]
    fn any_changed_byte_of_a_note_is_noticed() {
        let signer = Signer::from_bytes([1; 32]);
        let good = signer.sign(&checkpoint());
        for at in 0..good.len() {
            for with in [1, 4, 32] {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= with;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                let verdict = Note::parse(&text).and_then(|note| note.verify(&signer.verifier()));
                assert!(verdict.is_err(), "byte {at} ^ {with}: {text}");
            }
        }
    }

    #[test]
    fn a_witness_may_add_its_line() {
        let signer = Signer::from_bytes([1; 32]);
        let note = signer.sign(&checkpoint()) + "— witness.example/w1 AAAAAAAA\n";
        assert_eq!(Note::parse(&note).unwrap().verify(&signer.verifier()), Ok(()));
    }

    #[test]
    fn a_verifier_survives_its_text_form() {
        let verifier = Signer::from_bytes([1; 32]).verifier();
        let text = verifier.to_string();
        assert_eq!(text.parse(), Ok(verifier));
        assert!(text.starts_with("appliance+"));
        for bad in ["", "appliance", "appliance+00000000+AQ==", &text.replace("appliance", "other")] {
            assert_eq!(bad.parse::<Verifier>(), Err(VerifierError), "{bad}");
        }
    }

    #[test]
    fn a_signer_survives_its_bytes_and_hides_them() {
        let signer = Signer::generate();
        assert_eq!(Signer::from_bytes(signer.to_bytes()).verifier(), signer.verifier());
        assert_eq!(format!("{signer:?}"), format!("Signer({})", signer.verifier()));
    }
}
