//! Why a change is not planned.

use crate::{
    changes::Nonsense,
    failure::{Code, Failure},
};

/// Why a change is not planned: the rule, and the way forward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{say}")]
pub struct Refused {
    /// Our word for it.
    pub code: Code,
    /// The rule, in one sentence. Never quotes a router.
    pub say: String,
    /// The parameter that it is about.
    pub field: Option<&'static str>,
    /// What can be done instead.
    pub hint: Option<String>,
}

impl Refused {
    /// A parameter that makes no sense for this router.
    #[must_use]
    pub fn param(field: &'static str, why: impl std::fmt::Display) -> Self {
        Self { code: Code::InvalidParams, say: format!("`{field}`: {why}"), field: Some(field), hint: None }
    }

    /// A parameter that names something that is not there.
    #[must_use]
    pub fn not_found(field: &'static str, why: impl std::fmt::Display) -> Self {
        Self { code: Code::NotFound, say: format!("`{field}`: {why}"), field: Some(field), hint: None }
    }

    /// A change that would cut our own way, or touch what is protected.
    #[must_use]
    pub fn unsafe_operation(say: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: Code::UnsafeOperation, say: say.into(), field: None, hint: Some(hint.into()) }
    }

    /// With what can be done instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Nonsense> for Refused {
    fn from(nonsense: Nonsense) -> Self {
        Self::param(nonsense.field, nonsense.why)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let failure = Self::new(refused.code, refused.say);
        let failure = match refused.field {
            Some(field) => failure.details(serde_json::json!({ "field": field })),
            None => failure,
        };
        match refused.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
