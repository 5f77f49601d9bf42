//! The one clock and the one source of ids. Everything below takes both from its caller.

use events::ids::Moment;

/// Now, in UTC.
#[expect(clippy::disallowed_methods, reason = "the shell's one clock")]
#[must_use]
pub fn now() -> Moment {
    chrono::Utc::now().into()
}

/// 128 random bits from the operating system.
///
/// # Panics
/// When the operating system gives no randomness: nothing here is safe then.
#[must_use]
pub fn random() -> u128 {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    u128::from_le_bytes(bytes)
}

/// Mints an id of any kind.
macro_rules! mint {
    ($kind:ty) => {
        <$kind>::from_parts($crate::engine::clock::now(), $crate::engine::clock::random())
    };
}
pub(crate) use mint;
