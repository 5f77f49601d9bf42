//! Bodies: bincode 2.0.1 behind one door. Nothing else in the workspace names the codec for events.

use serde::de::DeserializeOwned;

/// Little-endian, variable-length integers, 16 MiB at most a body. Part of the format: never changed, only replaced by
/// another codec byte.
pub(crate) const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<BODY_BYTES_MAX>,
> = bincode::config::standard().with_limit::<BODY_BYTES_MAX>();

/// The largest body: 16 MiB, far above a plan of 50 devices with 1,000 entries each.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The codec refused the bytes.
    #[error("the body does not decode: {0}")]
    Codec(#[from] bincode::error::DecodeError),
    /// There were bytes left over, so the shape is another one.
    #[error("{0} bytes are left after the body")]
    Trailing(usize),
}

/// Decodes and insists that every byte was used.
pub(crate) fn decode_whole<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    let (value, used) = bincode::serde::decode_from_slice(body, CONFIG)?;
    if used == body.len() { Ok(value) } else { Err(BodyError::Trailing(body.len() - used)) }
}
