//! Sets a router's own name.

use events::operation::Operation;

use crate::{
    changes::set_singleton,
    routeros::{compat::Endpoint, resources::identity::Identity},
};

/// The command that this change sends.
pub const ENDPOINT: Endpoint = Endpoint::set_singleton("/system/identity", &["name"]);

/// What has to be done so that this is the name, or nothing when it is.
#[must_use]
pub fn set_name(now: &Identity, wanted: &str) -> Option<Operation> {
    let name = |value: &str| vec![("name".to_owned(), value.to_owned())];
    let now = now.raw.as_sent();
    (now != wanted).then(|| set_singleton("/system/identity", name(now), name(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routeros::text::Untrusted;

    #[test]
    fn the_same_name_is_no_change() {
        let now = Identity { raw: "tower".into(), name: Untrusted::new("tower") };
        assert!(set_name(&now, "tower").is_none());
        assert!(set_name(&now, "Tower").is_some());
    }
}
