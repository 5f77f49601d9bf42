//! Old wordings to today's: a chain of pure steps, each from one version of a kind's body to the next.
//!
//! History is never rewritten; a body is raised while it is read. A step decodes with the frozen struct of its version
//! and encodes with the frozen struct of the next, both in the log's codec.

use std::borrow::Cow;

use crate::codec::BodyError;

/// One step of the chain.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The kind.
    pub type_id: u16,
    /// The version that it reads; it writes the next one.
    pub from: u8,
    /// Body in, body out. Total apart from bodies that do not decode.
    pub raise: fn(&[u8]) -> Result<Vec<u8>, BodyError>,
}

/// Why a body could not be raised.
#[derive(Debug, thiserror::Error)]
pub enum UpcastError {
    /// No step begins at this version: the number was never written by a release.
    #[error("event kind {type_id} never had a version {version}")]
    NoStep {
        /// The kind.
        type_id: u16,
        /// The version without a step.
        version: u8,
    },
    /// The older body does not decode.
    #[error("the body of event kind {type_id}, version {version}, does not decode: {source}")]
    Body {
        /// The kind.
        type_id: u16,
        /// The version that it claims.
        version: u8,
        /// What the codec said.
        source: BodyError,
    },
}

/// Every step there ever was.
pub const STEPS: &[Step] = &[
    Step { type_id: 200, from: 1, raise: crate::plan_v1::raise },
    Step { type_id: 200, from: 2, raise: crate::plan_v2::raise },
];

/// Raises `body` from version `found` to version `wanted`; borrows it when there is nothing to do.
///
/// # Errors
/// When a step is missing or a body does not decode.
pub fn raise<'a>(
    steps: &[Step],
    type_id: u16,
    found: u8,
    wanted: u8,
    body: &'a [u8],
) -> Result<Cow<'a, [u8]>, UpcastError> {
    let mut body = Cow::Borrowed(body);
    for version in found..wanted {
        let step = steps
            .iter()
            .find(|step| step.type_id == type_id && step.from == version)
            .ok_or(UpcastError::NoStep { type_id, version })?;
        body = (step.raise)(&body).map_err(|source| UpcastError::Body { type_id, version, source })?.into();
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{
        codec::{CONFIG, decode_whole},
        event::Event,
    };

    #[derive(Serialize, Deserialize)]
    struct GreetingV1 {
        name: String,
    }
    #[derive(Serialize, Deserialize)]
    struct GreetingV2 {
        name: String,
        times: u32,
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct GreetingV3 {
        names: Vec<String>,
        times: u32,
    }

    fn encode<T: Serialize>(value: &T) -> Vec<u8> {
        bincode::serde::encode_to_vec(value, CONFIG).unwrap()
    }

    const CHAIN: &[Step] = &[
        Step {
            type_id: 7,
            from: 1,
            raise: |body| {
                let old: GreetingV1 = decode_whole(body)?;
                Ok(encode(&GreetingV2 { name: old.name, times: 1 }))
            },
        },
        Step {
            type_id: 7,
            from: 2,
            raise: |body| {
                let old: GreetingV2 = decode_whole(body)?;
                Ok(encode(&GreetingV3 { names: vec![old.name], times: old.times }))
            },
        },
    ];

    #[test]
    fn steps_chain_from_the_oldest_to_today() {
        let old = encode(&GreetingV1 { name: "ada".into() });
        let today = raise(CHAIN, 7, 1, 3, &old).unwrap();
        let greeting: GreetingV3 = decode_whole(&today).unwrap();
        assert_eq!(greeting, GreetingV3 { names: vec!["ada".into()], times: 1 });
    }

    #[test]
    fn todays_body_is_not_copied() {
        assert!(matches!(raise(CHAIN, 7, 3, 3, &[1, 2]), Ok(Cow::Borrowed([1, 2]))));
    }

    #[test]
    fn a_missing_step_and_a_broken_body_are_told_apart() {
        assert!(matches!(raise(CHAIN, 8, 1, 2, &[]), Err(UpcastError::NoStep { type_id: 8, version: 1 })));
        assert!(matches!(raise(CHAIN, 7, 2, 3, &[9]), Err(UpcastError::Body { version: 2, .. })));
    }

    #[test]
    fn every_older_version_in_the_registry_has_its_step() {
        for &(type_id, version, name) in Event::REGISTRY {
            for older in 1..version {
                assert!(
                    STEPS.iter().any(|step| step.type_id == type_id && step.from == older),
                    "{name} has no step from version {older}"
                );
            }
        }
    }
}
