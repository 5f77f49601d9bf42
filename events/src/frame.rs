//! The bytes of one event: a fixed header written by hand, the actor, and the body in the codec that the header names.
//!
//! Nothing here depends on a serialisation library, so the outside of every event stays readable for ever. All numbers
//! are little-endian. The layout, byte by byte, stands in `docs/log-format.md`.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | length of the whole frame, these four bytes included |
//! | 4 | 4 | CRC-32C of all other bytes of the frame (0–3, then 8–end) |
//! | 8 | 8 | Seq |
//! | 16 | 8 | leaf index in the Merkle tree; all ones for a sample |
//! | 24 | 8 | moment, microseconds since 1970, signed |
//! | 32 | 16 | command id |
//! | 48 | 2 | type id, from the registry |
//! | 50 | 1 | version of the body's shape |
//! | 51 | 1 | codec of the body: 1 = bincode 2.0.1 |
//! | 52 | 2 | flags, none defined |
//! | 54 | 1 | actor's role |
//! | 55 | 1 | actor's door |
//! | 56 | 2 | n = length of the actor's name |
//! | 58 | n | actor's name, UTF-8 |
//! | 58+n | 2 | m = length of the actor's label |
//! | 60+n | m | actor's label, UTF-8 |
//! | 60+n+m | rest | body |

use crate::{
    codec::{BODY_BYTES_MAX, BodyError},
    event::{Envelope, Event, NewEvent},
    ids::{CommandId, Moment, Seq},
    principal::{Actor, Door, Role},
    upcast::{self, UpcastError},
};

/// bincode 2.0.1 with the settings of [`crate::codec`].
pub const CODEC_BINCODE2: u8 = 1;
/// The leaf field of an event that has no leaf.
pub const NO_LEAF: u64 = u64::MAX;
/// The smallest frame: a header, an empty actor and an empty body.
pub const FRAME_BYTES_MIN: usize = 60;
/// The largest frame that is read or written.
pub const FRAME_BYTES_MAX: usize = FRAME_BYTES_MIN + 2 * ACTOR_TEXT_BYTES_MAX + BODY_BYTES_MAX;
/// The longest name or label of an actor: both are one line.
pub const ACTOR_TEXT_BYTES_MAX: usize = 1024;

/// A frame in place: its header's numbers, and slices of the bytes that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its place in the log.
    pub seq: Seq,
    /// Its leaf, unless it is a sample.
    pub leaf: Option<u64>,
    /// When it happened.
    pub at: Moment,
    /// The wish it came from.
    pub command_id: CommandId,
    /// Its kind's number.
    pub type_id: u16,
    /// The version of its body's shape.
    pub version: u8,
    /// The codec of its body.
    pub codec: u8,
    /// Flags; none is defined.
    pub flags: u16,
    /// The actor's role, as a number.
    pub role: u8,
    /// The actor's door, as a number.
    pub door: u8,
    /// The actor's name.
    pub name: &'a str,
    /// The actor's label.
    pub label: &'a str,
    /// The body, still encoded.
    pub body: &'a [u8],
    /// The whole frame.
    pub bytes: &'a [u8],
}

/// Why bytes are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than a frame, or than its length says.
    #[error("the frame is cut off")]
    Short,
    /// A length that no frame has.
    #[error("a frame cannot be {0} bytes long")]
    Length(u32),
    /// The checksum differs.
    #[error("the checksum does not match")]
    Checksum,
    /// The actor's text runs past the end or is not UTF-8.
    #[error("the actor is not readable")]
    Actor,
}

/// Why a whole frame cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A kind that this version does not know.
    #[error("event kind {0} is unknown to this version")]
    UnknownKind(u16),
    /// A newer wording of a known kind.
    #[error("event kind {type_id} has version {found}; this version knows up to {known}")]
    NewerVersion {
        /// The kind.
        type_id: u16,
        /// The version in the frame.
        found: u8,
        /// The newest version known here.
        known: u8,
    },
    /// A codec, flag, role or door that this version does not know.
    #[error("the frame uses {0}, which this version does not know")]
    UnknownFeature(&'static str),
    /// An older wording could not be brought to today's.
    #[error(transparent)]
    Upcast(UpcastError),
    /// The body is not what its kind says.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl DecodeError {
    /// True when the event is intact but from a newer version of the product.
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        matches!(self, Self::UnknownKind(_) | Self::NewerVersion { .. } | Self::UnknownFeature(_))
    }
}

/// Why an event cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The codec refused it.
    #[error("the event does not encode: {0}")]
    Codec(#[from] bincode::error::EncodeError),
    /// The body is too large.
    #[error("the event has {0} bytes; {BODY_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// The actor's name or label is too long.
    #[error("the actor's name and label may have {ACTOR_TEXT_BYTES_MAX} bytes each")]
    Actor,
}

/// The checksum that a frame must have, over all of its bytes but those that it stands in. Requires eight bytes or more.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..4]), &bytes[8..])
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the range has N bytes")
}

/// Appends the frame of `new` to `out` and gives its length.
///
/// # Errors
/// When the event is too large; `out` is then as before.
pub fn write(out: &mut Vec<u8>, seq: Seq, leaf: Option<u64>, new: &NewEvent) -> Result<usize, EncodeError> {
    let body = new.event.encode_body()?;
    if body.len() > BODY_BYTES_MAX {
        return Err(EncodeError::TooLarge(body.len()));
    }
    let (name, label) = (new.actor.name.as_bytes(), new.actor.label.as_bytes());
    if name.len() > ACTOR_TEXT_BYTES_MAX || label.len() > ACTOR_TEXT_BYTES_MAX {
        return Err(EncodeError::Actor);
    }
    let text_len = |text: &[u8]| u16::try_from(text.len()).expect("checked above").to_le_bytes();
    let start = out.len();
    let len = FRAME_BYTES_MIN + name.len() + label.len() + body.len();
    out.reserve(len);
    out.extend_from_slice(&u32::try_from(len).expect("far below 4 GiB").to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&seq.0.to_le_bytes());
    out.extend_from_slice(&leaf.unwrap_or(NO_LEAF).to_le_bytes());
    out.extend_from_slice(&new.at.as_micros().to_le_bytes());
    out.extend_from_slice(&new.command_id.to_u128().to_le_bytes());
    out.extend_from_slice(&new.event.type_id().to_le_bytes());
    out.push(new.event.version());
    out.push(CODEC_BINCODE2);
    out.extend_from_slice(&0u16.to_le_bytes());
    out.push(role_number(new.actor.role));
    out.push(door_number(new.actor.door));
    out.extend_from_slice(&text_len(name));
    out.extend_from_slice(name);
    out.extend_from_slice(&text_len(label));
    out.extend_from_slice(label);
    out.extend_from_slice(&body);
    let sum = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    Ok(len)
}

/// Reads the first frame of `bytes`; what follows it is the rest.
///
/// # Errors
/// When there is no whole, unharmed frame at the start.
pub fn read(bytes: &[u8]) -> Result<(Frame<'_>, &[u8]), FrameError> {
    let (frame, rest) = read_unchecked(bytes)?;
    if checksum(frame.bytes) != u32::from_le_bytes(array(frame.bytes, 4)) {
        return Err(FrameError::Checksum);
    }
    Ok((frame, rest))
}

/// As [`read`], for bytes whose checksum was already looked at.
pub(crate) fn read_unchecked(bytes: &[u8]) -> Result<(Frame<'_>, &[u8]), FrameError> {
    if bytes.len() < FRAME_BYTES_MIN {
        return Err(FrameError::Short);
    }
    let stated = u32::from_le_bytes(array(bytes, 0));
    let len = stated as usize;
    if !(FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&len) {
        return Err(FrameError::Length(stated));
    }
    if bytes.len() < len {
        return Err(FrameError::Short);
    }
    let (bytes, rest) = bytes.split_at(len);
    let (name, after_name) = text(bytes, 56)?;
    let (label, after_label) = text(bytes, after_name)?;
    let leaf = u64::from_le_bytes(array(bytes, 16));
    let frame = Frame {
        seq: Seq(u64::from_le_bytes(array(bytes, 8))),
        leaf: (leaf != NO_LEAF).then_some(leaf),
        at: Moment::from_micros(i64::from_le_bytes(array(bytes, 24))),
        command_id: CommandId::from_u128(u128::from_le_bytes(array(bytes, 32))),
        type_id: u16::from_le_bytes(array(bytes, 48)),
        version: bytes[50],
        codec: bytes[51],
        flags: u16::from_le_bytes(array(bytes, 52)),
        role: bytes[54],
        door: bytes[55],
        name,
        label,
        body: &bytes[after_label..],
        bytes,
    };
    Ok((frame, rest))
}

/// A text with its length before it; also gives the place after it.
fn text(bytes: &[u8], at: usize) -> Result<(&str, usize), FrameError> {
    let len_bytes = bytes.get(at..at + 2).ok_or(FrameError::Actor)?;
    let len = usize::from(u16::from_le_bytes(array(len_bytes, 0)));
    let end = at + 2 + len;
    let raw = bytes.get(at + 2..end).ok_or(FrameError::Actor)?;
    Ok((std::str::from_utf8(raw).map_err(|_| FrameError::Actor)?, end))
}

/// The Seq of the first frame of `bytes`, looked at without checking anything else.
pub(crate) fn peek_seq(bytes: &[u8]) -> Option<Seq> {
    (bytes.len() >= FRAME_BYTES_MIN).then(|| Seq(u64::from_le_bytes(array(bytes, 8))))
}

impl Frame<'_> {
    /// The event with its place: older wordings are brought to today's.
    ///
    /// # Errors
    /// When the frame is from a newer version, or its body is not what its kind says.
    pub fn envelope(&self) -> Result<Envelope, DecodeError> {
        Ok(Envelope {
            seq: self.seq,
            leaf: self.leaf,
            at: self.at,
            actor: self.actor()?,
            command_id: self.command_id,
            event: self.event()?,
        })
    }

    /// Who made it happen.
    ///
    /// # Errors
    /// When the role or door is from a newer version.
    pub fn actor(&self) -> Result<Actor, DecodeError> {
        Ok(Actor {
            name: self.name.to_owned(),
            label: self.label.to_owned(),
            role: role_of(self.role).ok_or(DecodeError::UnknownFeature("a role"))?,
            door: door_of(self.door).ok_or(DecodeError::UnknownFeature("a door"))?,
        })
    }

    fn event(&self) -> Result<Event, DecodeError> {
        if self.codec != CODEC_BINCODE2 {
            return Err(DecodeError::UnknownFeature("a codec"));
        }
        if self.flags != 0 {
            return Err(DecodeError::UnknownFeature("a flag"));
        }
        let known = Event::current_version(self.type_id).ok_or(DecodeError::UnknownKind(self.type_id))?;
        if self.version > known {
            return Err(DecodeError::NewerVersion { type_id: self.type_id, found: self.version, known });
        }
        let body = upcast::raise(upcast::STEPS, self.type_id, self.version, known, self.body)
            .map_err(DecodeError::Upcast)?;
        match Event::decode_body(self.type_id, &body) {
            Some(event) => Ok(event?),
            None => Err(DecodeError::UnknownKind(self.type_id)),
        }
    }
}

/// Numbers on disk; never changed, only added to.
const fn role_number(role: Role) -> u8 {
    match role {
        Role::ReadOnly => 1,
        Role::OpsRw => 2,
        Role::Admin => 3,
        Role::Approver => 4,
    }
}

const fn role_of(number: u8) -> Option<Role> {
    match number {
        1 => Some(Role::ReadOnly),
        2 => Some(Role::OpsRw),
        3 => Some(Role::Admin),
        4 => Some(Role::Approver),
        _ => None,
    }
}

/// Numbers on disk; never changed, only added to.
const fn door_number(door: Door) -> u8 {
    match door {
        Door::McpHttp => 1,
        Door::McpStdio => 2,
        Door::Api => 3,
        Door::Cli => 4,
        Door::System => 5,
    }
}

const fn door_of(number: u8) -> Option<Door> {
    match number {
        1 => Some(Door::McpHttp),
        2 => Some(Door::McpStdio),
        3 => Some(Door::Api),
        4 => Some(Door::Cli),
        5 => Some(Door::System),
        _ => None,
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
