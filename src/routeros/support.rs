//! What a router can do, by its release, packages and board: read from the declarations in [`crate::routeros::compat`].

use schemars::JsonSchema;
use serde::Serialize;

use crate::routeros::{
    compat::{Endpoint, Presence, Versions},
    resources::package::Package,
    value::Version,
};

/// What is known of a router. What is not known decides nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Its release.
    pub version: Option<Version>,
    /// Its packages.
    pub packages: Option<&'a [Package]>,
    /// A board of MikroTik's, rather than a virtual machine.
    pub hardware: Option<bool>,
}

/// Whether a router has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// It has all of it.
    Yes,
    /// It has what is needed; what it lacks is left out of the answer.
    Partly,
    /// It lacks what is needed.
    No,
    /// Too little is known of it.
    Unknown,
}

impl Support {
    const fn known(is: Option<bool>) -> Self {
        match is {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Unknown,
        }
    }
}

/// What a router lacks, or what it is not known to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Lack {
    /// The menu.
    pub menu: &'static str,
    /// The property, where the menu is there and only this is missing.
    pub property: Option<&'static str>,
    /// The releases that have it.
    pub releases: String,
    /// What it needs besides the release; empty: nothing.
    pub needs: &'static str,
    /// True: it is not there. False: not known.
    pub certain: bool,
}

impl Known<'_> {
    /// Whether the router has a menu.
    #[must_use]
    pub fn has(&self, presence: Presence) -> Support {
        let Some(told) = self.version else { return Support::Unknown };
        let release = Version::new(told.major, told.minor, told.patch);
        if !presence.versions.contains(release) {
            return Support::No;
        }
        if presence.hardware {
            return Support::known(self.hardware);
        }
        match presence.package {
            Some((name, since)) if release >= since => {
                Support::known(self.packages.map(|all| all.iter().any(|package| package.runs(name))))
            }
            _ => Support::Yes,
        }
    }

    /// Whether the router has all that a tool uses, and what it lacks of it. Of menus whose absence means none, one is
    /// enough for a tool that has no others.
    #[must_use]
    pub fn can(&self, uses: &[Endpoint]) -> (Support, Vec<Lack>) {
        let mut lacks: Vec<Lack> = Vec::new();
        let (mut needed, mut enough) = (Vec::new(), Vec::new());
        for endpoint in uses {
            let presence = endpoint.presence();
            let support = self.has(presence);
            if presence.absent_means_none {
                enough.push(support)
            } else {
                needed.push(support)
            }
            for lack in self.missing(endpoint, support) {
                if !lacks.contains(&lack) {
                    lacks.push(lack);
                }
            }
        }
        let first = |order: [Support; 2], among: &[Support]| order.into_iter().find(|it| among.contains(it));
        let decided = if needed.is_empty() {
            first([Support::Yes, Support::Unknown], &enough).unwrap_or(Support::No)
        } else {
            first([Support::No, Support::Unknown], &needed).unwrap_or(Support::Yes)
        };
        let partly = decided == Support::Yes && !lacks.is_empty();
        (if partly { Support::Partly } else { decided }, lacks)
    }

    /// The menu of an endpoint where it is not known to be there, else the properties that its release does not have.
    fn missing(&self, endpoint: &Endpoint, support: Support) -> Vec<Lack> {
        let presence = endpoint.presence();
        let lack = |property, releases: Versions| Lack {
            menu: endpoint.menu(),
            property,
            releases: releases.to_string(),
            needs: presence.note,
            certain: support != Support::Unknown,
        };
        if support != Support::Yes {
            return vec![lack(None, presence.versions)];
        }
        let there = |versions: Versions| self.version.is_none_or(|version| versions.contains(version));
        let missing = endpoint.response().iter().filter(|field| !there(field.versions));
        missing.map(|field| lack(Some(field.name), field.versions)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routeros::resources::{
        device_mode::DeviceMode,
        interface::Interface,
        routerboard::Routerboard,
        wifi::{Wave2, Wifi},
        wireless::Wireless,
    };

    fn package(name: &str, disabled: bool, version: &str) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            build_time: "".into(),
            size: None,
            disabled,
            available: version.is_empty(),
            scheduled: "".into(),
        }
    }

    fn known<'a>(version: &str, packages: Option<&'a [Package]>, hardware: Option<bool>) -> Known<'a> {
        Known { version: Version::parse(version), packages, hardware }
    }

    #[test]
    fn a_menu_depends_on_release_package_and_board() {
        use crate::routeros::resources::Reading as _;
        let on = [package("wireless", false, "7.20.8")];
        let off = [package("wireless", true, "7.20.8")];
        let offered = [package("wireless", false, "")];
        let wifi = |version| known(version, Some(&[]), None).has(Wifi::PRESENCE);
        assert_eq!(
            (wifi("7.12.2"), wifi("7.13"), wifi("nonsense")),
            (Support::No, Support::Yes, Support::Unknown)
        );
        let wireless = |version, packages| known(version, packages, None).has(Wireless::PRESENCE);
        for (version, packages, is) in [
            ("7.12.2", Some(&[][..]), Support::Yes),
            ("7.13", Some(&[][..]), Support::No),
            ("7.20.8", Some(&on[..]), Support::Yes),
            ("7.20.8", Some(&off[..]), Support::No),
            ("7.20.8", Some(&offered[..]), Support::No),
            ("7.20.8", None, Support::Unknown),
        ] {
            assert_eq!(wireless(version, packages), is, "{version} {packages:?}");
        }
        for (hardware, is) in
            [(Some(true), Support::Yes), (Some(false), Support::No), (None, Support::Unknown)]
        {
            assert_eq!(known("7.20.8", None, hardware).has(Routerboard::PRESENCE), is);
        }
    }

    #[test]
    fn a_tool_can_as_much_as_what_it_needs() {
        let menu = &[Endpoint::print::<Interface>()][..];
        let board = &[Endpoint::print::<Interface>(), Endpoint::print::<Routerboard>()][..];
        let radios = &[Endpoint::print::<Wave2>(), Endpoint::print::<Wifi>(), Endpoint::print::<Wifi>()][..];
        let old = &[Endpoint::print::<Wave2>()][..];
        let can = |uses, version, hardware| known(version, Some(&[]), hardware).can(uses);
        assert_eq!(can(menu, "7.24", None), (Support::Yes, vec![]));
        assert_eq!(can(menu, "6.49.18", None).0, Support::No);
        assert_eq!(can(menu, "", None).0, Support::Unknown);
        assert_eq!(can(board, "7.24", Some(true)).0, Support::Yes);
        assert_eq!(can(board, "7.24", Some(false)).0, Support::Partly);
        let (support, lacks) = can(board, "7.24", None);
        assert_eq!((support, lacks[0].certain, lacks[0].needs), (Support::Partly, false, "hardware only"));
        let (support, lacks) = can(radios, "7.24", None);
        assert_eq!((support, lacks.len()), (Support::Partly, 1));
        assert_eq!((lacks[0].menu, lacks[0].certain), ("/interface/wifiwave2", true));
        assert_eq!(lacks[0].releases, "RouterOS 7.1 to 7.12.2");
        assert_eq!(
            can(radios, "7.12.2", None).0,
            Support::No,
            "the package is missing, and the newer stack too"
        );
        assert_eq!(can(old, "7.24", None).0, Support::No);
        let (support, lacks) = can(&[Endpoint::print::<DeviceMode>()], "7.16.2", None);
        assert_eq!((support, lacks.len()), (Support::Partly, 3), "{lacks:?}");
        assert_eq!(
            (lacks[0].property, lacks[0].releases.as_str()),
            (Some("install-any-version"), "RouterOS 7.17 and newer")
        );
    }
}
