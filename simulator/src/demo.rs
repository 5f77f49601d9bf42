//! The fleet that `appliance demo` and the tests like best.

use crate::fleet::BoxSpec;
use crate::profile::Profile;

const SITES: [&str; 24] = [
    "north-tower",
    "market-square",
    "old-mill",
    "harbour-office",
    "school-hill",
    "river-bridge",
    "fire-station",
    "library",
    "town-hall-staging",
    "waterworks",
    "sports-hall",
    "museum",
    "east-gate",
    "castle-lane",
    "bus-depot",
    "clinic",
    "south-tower",
    "allotments",
    "bakery-row",
    "observatory",
    "ferry-landing",
    "west-gate",
    "theatre",
    "cemetery-chapel",
];

/// The first `n` boxes: eight healthy lab boxes, then one staging, one prod, one overloaded and one 7.12 CHR; more
/// lab boxes of all profiles after that.
pub fn demo_fleet(n: usize) -> Vec<BoxSpec> {
    (0..n).map(demo_box).collect()
}

fn demo_box(at: usize) -> BoxSpec {
    // The first eight can do everything: no board in device-mode `home`, none of the old release.
    const LAB: [Profile; 2] = [Profile::Rb7_20_8, Profile::Ccr7_24];
    let name = match at / SITES.len() {
        0 => SITES[at].to_owned(),
        round => format!("{}-{}", SITES[at % SITES.len()], round + 1),
    };
    let profile = match at {
        0..8 => LAB[at % LAB.len()],
        8 => Profile::Hex7_16_2,
        9 => Profile::Ccr7_24,
        10 => Profile::Rb7_20_8,
        11 => Profile::Chr7_12_2,
        _ => Profile::ALL[at % Profile::ALL.len()],
    };
    let spec = BoxSpec::new(name, profile);
    match at {
        8 => spec.environment("staging"),
        9 => spec.environment("prod"),
        10 => spec.overloaded(),
        _ => spec,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn twelve_as_agreed_and_names_unique() {
        let fleet = demo_fleet(12);
        assert!(fleet[..8].iter().all(|spec| spec.environment == "lab" && !spec.overloaded));
        assert_eq!((fleet[8].environment.as_str(), fleet[9].environment.as_str()), ("staging", "prod"));
        assert!(fleet[10].overloaded);
        assert_eq!(fleet[11].profile, Profile::Chr7_12_2);
        let names: BTreeSet<String> = demo_fleet(1_000).into_iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), 1_000);
    }
}
