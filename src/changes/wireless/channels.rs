//! Wi-Fi channels, bands and what countries allow, as data.

/// Which frequencies a radio sends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ghz {
    /// 2.4 GHz.
    Two,
    /// 5 GHz.
    Five,
}

impl Ghz {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Two => "2.4 GHz",
            Self::Five => "5 GHz",
        }
    }

    /// Of a band in a router's word, such as `5ghz-a/n/ac`.
    #[must_use]
    pub fn of_band(word: &str) -> Option<Self> {
        match word.split_once("ghz")?.0 {
            "2" => Some(Self::Two),
            "5" => Some(Self::Five),
            _ => None,
        }
    }

    /// Of a router's frequencies: MHz, or several with commas, or ranges; by the first.
    #[must_use]
    pub fn of_frequency(text: &str) -> Option<Self> {
        let first = text.split([',', '-', ':']).next()?;
        match first.trim().parse().ok()? {
            2300..=2500u16 => Some(Self::Two),
            4900..=5925 => Some(Self::Five),
            _ => None,
        }
    }
}

/// A channel that may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// Its number.
    pub number: u16,
    /// Its middle, in MHz.
    pub mhz: u16,
    /// Where it is.
    pub ghz: Ghz,
}

/// 5 GHz channels on which no radar has to be looked for.
const FIVE: [u16; 9] = [36, 40, 44, 48, 149, 153, 157, 161, 165];

impl Channel {
    /// The channel of a number: 2.4 GHz 1–14 at 2412 + 5(n − 1) MHz with 14 at 2484, 5 GHz at 5000 + 5n
    /// (IEEE 802.11, annex E).
    ///
    /// # Errors
    /// Why there is no such channel, or why it is not set here.
    pub fn numbered(number: u16) -> Result<Self, String> {
        let two = |mhz| Ok(Self { number, mhz, ghz: Ghz::Two });
        match number {
            1..=13 => two(2412 + 5 * (number - 1)),
            14 => two(2484),
            _ if FIVE.contains(&number) => Ok(Self { number, mhz: 5000 + 5 * number, ghz: Ghz::Five }),
            52..=144 => Err(format!(
                "{number} is among 52–144: there a radio must look for radar first and leave when it hears one (DFS), so the network would be gone for minutes at any time"
            )),
            _ => Err(format!("there is no channel {number}; 1–14 are at 2.4 GHz, {FIVE:?} at 5 GHz")),
        }
    }
}

/// A band as callers say it and in the words of the stacks; `None` where a stack cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// As callers say it.
    pub said: &'static str,
    /// In `/interface/wireless`.
    pub wireless: Option<&'static str>,
    /// In `/interface/wifi` and `/interface/wifiwave2`.
    pub wifi: Option<&'static str>,
}

const fn band(said: &'static str, wireless: Option<&'static str>, wifi: Option<&'static str>) -> Band {
    Band { said, wireless, wifi }
}

/// The older stack names every standard that a band allows, the newer ones only the best.
const BANDS: [Band; 26] = [
    band("2ghz-b", Some("2ghz-b"), None),
    band("2ghz-g", Some("2ghz-b/g"), Some("2ghz-g")),
    band("2ghz-n", Some("2ghz-b/g/n"), Some("2ghz-n")),
    band("2ghz-ax", None, Some("2ghz-ax")),
    band("2ghz-be", None, Some("2ghz-be")),
    band("2ghz-b/g", Some("2ghz-b/g"), Some("2ghz-g")),
    band("2ghz-b/g/n", Some("2ghz-b/g/n"), Some("2ghz-n")),
    band("2ghz-b/g/n/ax", None, Some("2ghz-ax")),
    band("2ghz-g/n", Some("2ghz-g/n"), None),
    band("2ghz-onlyg", Some("2ghz-onlyg"), None),
    band("2ghz-onlyn", Some("2ghz-onlyn"), None),
    band("5ghz-a", Some("5ghz-a"), Some("5ghz-a")),
    band("5ghz-n", Some("5ghz-a/n"), Some("5ghz-n")),
    band("5ghz-ac", Some("5ghz-a/n/ac"), Some("5ghz-ac")),
    band("5ghz-ax", None, Some("5ghz-ax")),
    band("5ghz-be", None, Some("5ghz-be")),
    band("5ghz-a/n", Some("5ghz-a/n"), Some("5ghz-n")),
    band("5ghz-a/n/ac", Some("5ghz-a/n/ac"), Some("5ghz-ac")),
    band("5ghz-a/n/ac/ax", None, Some("5ghz-ax")),
    band("5ghz-n/ac", Some("5ghz-n/ac"), None),
    band("5ghz-onlyn", Some("5ghz-onlyn"), None),
    band("5ghz-onlyac", Some("5ghz-onlyac"), None),
    band("2.4ghz-b/g/n", Some("2ghz-b/g/n"), Some("2ghz-n")),
    band("2.4ghz-ax", None, Some("2ghz-ax")),
    band("5ghz-a/n/ac/ax/be", None, Some("5ghz-be")),
    band("2ghz-b/g/n/ax/be", None, Some("2ghz-be")),
];

impl Band {
    /// The band that a caller means.
    ///
    /// # Errors
    /// Names bands that there are.
    pub fn said(word: &str) -> Result<Self, String> {
        BANDS.into_iter().find(|band| band.said == word).ok_or_else(|| {
            let word: String = word.chars().take(32).collect();
            format!("there is no band `{word}`; such are 2ghz-b/g/n, 2ghz-ax, 5ghz-a/n/ac, 5ghz-ac, 5ghz-ax")
        })
    }

    /// Where it is.
    #[must_use]
    pub fn ghz(&self) -> Ghz {
        if self.said.starts_with('5') { Ghz::Five } else { Ghz::Two }
    }
}

/// 149–165 in a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upper {
    /// As any other channel.
    Open,
    /// For short-range devices: 25 mW, 14 dBm (ETSI EN 300 440, EU decision 2006/771/EC).
    ShortRange,
    /// Not at all.
    Closed,
}

/// What a country allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rules {
    /// Last channel at 2.4 GHz.
    last: u16,
    upper: Upper,
}

/// As the FCC has it.
const FCC: Rules = Rules { last: 11, upper: Upper::Open };
/// As CEPT has it.
const CEPT: Rules = Rules { last: 13, upper: Upper::ShortRange };
/// 1–13, and 149–165 freely.
const WIDE: Rules = Rules { last: 13, upper: Upper::Open };

/// Rules by country, in lower case and without RouterOS's numbered variants (`canada2`). Source: wireless-regdb. Only
/// countries of which we are sure: about others the router itself decides.
const COUNTRIES: &[(&str, Rules)] = &[
    // RouterOS: "an FCC compliant set of channels".
    ("no_country_set", FCC),
    ("united states", FCC),
    ("canada", FCC),
    ("puerto rico", FCC),
    ("japan", Rules { last: 14, upper: Upper::Closed }),
    ("etsi", CEPT),
    ("austria", CEPT),
    ("belgium", CEPT),
    ("bulgaria", CEPT),
    ("croatia", CEPT),
    ("cyprus", CEPT),
    ("czech republic", CEPT),
    ("czech", CEPT),
    ("denmark", CEPT),
    ("estonia", CEPT),
    ("finland", CEPT),
    ("france", CEPT),
    ("germany", CEPT),
    ("greece", CEPT),
    ("hungary", CEPT),
    ("iceland", CEPT),
    ("ireland", CEPT),
    ("italy", CEPT),
    ("latvia", CEPT),
    ("liechtenstein", CEPT),
    ("lithuania", CEPT),
    ("luxembourg", CEPT),
    ("malta", CEPT),
    ("netherlands", CEPT),
    ("norway", CEPT),
    ("poland", CEPT),
    ("portugal", CEPT),
    ("romania", CEPT),
    ("slovakia", CEPT),
    ("slovenia", CEPT),
    ("spain", CEPT),
    ("sweden", CEPT),
    ("switzerland", CEPT),
    ("argentina", WIDE),
    ("australia", WIDE),
    ("new zealand", WIDE),
];

/// Most that a short-range device may send with, in dBm.
const SHORT_RANGE_DBM: u8 = 14;

/// Whether a channel, with a power in dBm if one is set, fits the country that a router tells; what an approver should
/// know about it besides.
///
/// # Errors
/// What the country does not allow.
pub fn allowed(country: &str, channel: Channel, dbm: Option<u8>) -> Result<Option<String>, String> {
    let word = country.to_lowercase();
    let plain = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let Some((_, rules)) = COUNTRIES.iter().find(|(name, _)| *name == plain) else {
        let number = channel.number;
        return Ok(Some(format!("whether the radio's country allows channel {number} is not known here")));
    };
    let number = channel.number;
    match (channel.ghz, rules.upper) {
        (Ghz::Two, _) if number > rules.last => Err(format!(
            "the country that this radio is set to ends at channel {}, so {number} is not allowed",
            rules.last
        )),
        (Ghz::Five, Upper::Closed) if number > 144 => {
            Err(format!("the country that this radio is set to does not allow channel {number}"))
        }
        (Ghz::Five, Upper::ShortRange) if number > 144 => match dbm {
            Some(dbm) if dbm > SHORT_RANGE_DBM => Err(format!(
                "on channel {number} the country that this radio is set to allows {SHORT_RANGE_DBM} dBm, not {dbm}"
            )),
            _ => Ok(Some(format!("channel {number} is for {SHORT_RANGE_DBM} dBm at most in this country"))),
        },
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_frequency() {
        let mhz = |number| Channel::numbered(number).unwrap().mhz;
        let two: Vec<u16> = (1..=14).map(mhz).collect();
        let all = [2412, 2417, 2422, 2427, 2432, 2437, 2442, 2447, 2452, 2457, 2462, 2467, 2472, 2484];
        assert_eq!(two, all);
        assert_eq!(FIVE.map(mhz), [5180, 5200, 5220, 5240, 5745, 5765, 5785, 5805, 5825]);
        for number in 1..=200 {
            if let Ok(channel) = Channel::numbered(number) {
                assert_eq!(Ghz::of_frequency(&channel.mhz.to_string()), Some(channel.ghz), "{number}");
            }
        }
    }

    #[test]
    fn radar_channels_and_no_channels_say_why() {
        for number in [52, 56, 64, 100, 144] {
            assert!(Channel::numbered(number).unwrap_err().contains("radar"), "{number}");
        }
        for number in [0, 15, 34, 38, 46, 51, 145, 150, 166, 169, u16::MAX] {
            assert!(Channel::numbered(number).unwrap_err().contains("no channel"), "{number}");
        }
    }

    #[test]
    fn bands_have_their_words() {
        let words = |said| Band::said(said).map(|band| (band.wireless, band.wifi));
        assert_eq!(words("2ghz-b/g/n"), Ok((Some("2ghz-b/g/n"), Some("2ghz-n"))));
        assert_eq!(words("5ghz-ac"), Ok((Some("5ghz-a/n/ac"), Some("5ghz-ac"))));
        assert_eq!(words("5ghz-ax"), Ok((None, Some("5ghz-ax"))));
        assert!(Band::said("6ghz-ax").is_err() && Band::said("").is_err());
        for band in BANDS {
            let words = [band.wireless, band.wifi];
            assert!(words.iter().any(Option::is_some), "{}", band.said);
            for word in words.into_iter().flatten() {
                assert_eq!(Ghz::of_band(word), Some(band.ghz()), "{}", band.said);
            }
        }
    }

    #[test]
    fn frequencies_of_routers_tell_where_they_are() {
        assert_eq!(Ghz::of_frequency("5180,5260"), Some(Ghz::Five));
        assert_eq!(Ghz::of_frequency("2412-2462"), Some(Ghz::Two));
        for untold in ["auto", "", "60480", "ünï"] {
            assert_eq!(Ghz::of_frequency(untold), None, "{untold}");
        }
    }

    #[test]
    fn countries_have_their_channels() {
        let told = |country, number, dbm| allowed(country, Channel::numbered(number).unwrap(), dbm);
        assert!(told("united states3", 12, None).is_err() && told("Canada", 11, None) == Ok(None));
        assert!(told("Latvia", 14, None).is_err() && told("latvia", 13, None) == Ok(None));
        assert_eq!((told("japan", 14, None), told("Japan", 36, Some(30))), (Ok(None), Ok(None)));
        assert!(told("japan", 149, None).is_err());
        assert!(told("Latvia", 149, Some(14)).unwrap().is_some() && told("Latvia", 149, Some(20)).is_err());
        assert_eq!(told("Australia", 165, Some(30)), Ok(None));
        assert!(told("atlantis", 1, None).unwrap().is_some(), "not known here");
    }
}
