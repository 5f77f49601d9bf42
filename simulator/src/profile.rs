//! Which router a box pretends to be: release, board and what the board allows.
//!
//! Only the names live here; menus are in `data/menus.txt`, first contents in `data/seed.txt`.

use std::str::FromStr;

/// One of the simulated products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// Virtual router of 7.12.2: legacy wireless and wifiwave2, no routerboard, no health.
    Chr7_12_2,
    /// Small mmips board of 7.16.2 in device-mode `home`.
    Hex7_16_2,
    /// arm64 access point of 7.20.8 with two wireless stacks.
    Rb7_20_8,
    /// arm64 core router of 7.24.
    Ccr7_24,
}

impl Profile {
    /// Every profile, oldest release first.
    pub const ALL: [Profile; 4] =
        [Profile::Chr7_12_2, Profile::Hex7_16_2, Profile::Rb7_20_8, Profile::Ccr7_24];

    /// The release without its channel, e.g. `7.12.2`.
    pub fn version(&self) -> &'static str {
        match self {
            Profile::Chr7_12_2 => "7.12.2",
            Profile::Hex7_16_2 => "7.16.2",
            Profile::Rb7_20_8 => "7.20.8",
            Profile::Ccr7_24 => "7.24",
        }
    }

    /// The board's name as `/system/resource` says it.
    pub fn board(&self) -> &'static str {
        match self {
            Profile::Chr7_12_2 => "CHR",
            Profile::Hex7_16_2 => "hEX",
            Profile::Rb7_20_8 => "hAP ax^3",
            Profile::Ccr7_24 => "CCR2004-16G-2S+",
        }
    }

    /// The factory's device-mode.
    pub fn device_mode(&self) -> &'static str {
        match self {
            Profile::Hex7_16_2 => "home",
            _ => "advanced",
        }
    }

    /// Whether the board is real hardware (routerboard, health) rather than a virtual machine.
    pub fn is_hardware(&self) -> bool {
        !matches!(self, Profile::Chr7_12_2)
    }

    /// Extra packages that bring menus of their own.
    pub fn has_package(&self, name: &str) -> bool {
        match self {
            Profile::Chr7_12_2 => matches!(name, "wireless" | "wifiwave2"),
            Profile::Rb7_20_8 => name == "wireless",
            Profile::Hex7_16_2 | Profile::Ccr7_24 => false,
        }
    }

    /// The name used in `data/seed.txt`.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Profile::Chr7_12_2 => "chr",
            Profile::Hex7_16_2 => "hex",
            Profile::Rb7_20_8 => "rb",
            Profile::Ccr7_24 => "ccr",
        }
    }

    pub(crate) fn index(&self) -> usize {
        *self as usize
    }
}

/// `7.16.2` as numbers that compare.
pub(crate) fn release(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The text names no simulated release.
#[derive(Debug, thiserror::Error)]
#[error("no profile for version {0}; there are 7.12.2, 7.16.2, 7.20.8 and 7.24")]
pub struct UnknownProfile(String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Profile::ALL
            .into_iter()
            .find(|profile| profile.version() == text)
            .ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}
