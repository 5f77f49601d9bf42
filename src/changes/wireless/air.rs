//! A router's Wi-Fi as it was read, without its secrets; and what an interface is where its profiles are counted in.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    changes::{
        Refused,
        record::{self, id_of, is_dynamic},
        wireless::{
            channels::{Band, Ghz},
            stacks::Stack,
        },
    },
    routeros::port::Row,
};

/// One stack of one router.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// Which.
    pub stack: &'static Stack,
    /// Its interfaces, without their secrets.
    pub interfaces: Vec<Row>,
    /// Profiles that interfaces name; none in the older stack.
    pub configurations: Vec<Row>,
    /// Profiles of channels; none in the older stack.
    pub channels: Vec<Row>,
    /// Security profiles.
    pub securities: Vec<Row>,
    /// How many clients each interface has.
    pub clients: BTreeMap<String, usize>,
    /// Interfaces that hold a secret of their own, by id.
    secret: BTreeSet<String>,
}

/// All that was read of a router's Wi-Fi.
#[derive(Debug, Clone, Default)]
pub struct Air {
    /// The stacks that it has.
    pub shelves: Vec<Shelf>,
    /// `/interface/bridge/port`.
    pub ports: Vec<Row>,
    /// `/interface/vlan`.
    pub vlans: Vec<Row>,
}

/// Whether a radio can send in a band.
type Fits = fn(&Shelf, &Row, &Band) -> bool;

fn named<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.get("name").is_some_and(|own| own == name))
}

fn set<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// The name of an interface.
#[must_use]
pub fn name_of(row: &Row) -> &str {
    set(row, "name").unwrap_or_default()
}

impl Shelf {
    /// A stack with its interfaces as the router shows them. Their secrets go no further.
    #[must_use]
    pub fn new(stack: &'static Stack, mut interfaces: Vec<Row>) -> Self {
        let mut secret = BTreeSet::new();
        for row in &mut interfaces {
            for name in stack.secrets {
                if row.remove(*name).is_some_and(|value| !value.is_empty()) {
                    secret.insert(id_of(row).to_owned());
                }
            }
        }
        Self {
            stack,
            interfaces,
            configurations: Vec::new(),
            channels: Vec::new(),
            securities: Vec::new(),
            clients: BTreeMap::new(),
            secret,
        }
    }

    /// True when an interface holds a secret that an undo could not put back; also where it asks for one without naming
    /// the profile that has it, since a login without policy `sensitive` is shown none.
    #[must_use]
    pub fn holds_secret(&self, row: &Row) -> bool {
        let asks = set(row, "security.authentication-types").is_some_and(|text| text != "owe")
            && self.profile(row).is_none();
        self.secret.contains(id_of(row)) || asks
    }

    /// The security profile that an interface uses.
    #[must_use]
    pub fn profile<'a>(&'a self, row: &'a Row) -> Option<&'a str> {
        self.told(row, self.stack.security)
    }

    /// What an interface says, or else the profiles that it names.
    #[must_use]
    pub fn told<'a>(&'a self, row: &'a Row, property: &str) -> Option<&'a str> {
        if let Some(own) = set(row, property) {
            return Some(own);
        }
        let profile = set(row, "configuration").and_then(|name| named(&self.configurations, name));
        let in_profile = property.strip_prefix("configuration.").unwrap_or(property);
        if let Some(value) = profile.and_then(|profile| set(profile, in_profile)) {
            return Some(value);
        }
        let in_channel = property.strip_prefix("channel.")?;
        let channel = set(row, "channel").or_else(|| set(profile?, "channel"))?;
        set(named(&self.channels, channel)?, in_channel)
    }

    /// Where an interface sends, as far as it tells.
    #[must_use]
    pub fn ghz(&self, row: &Row) -> Option<Ghz> {
        let band = self.told(row, self.stack.band).and_then(Ghz::of_band);
        band.or_else(|| self.told(row, self.stack.frequency).and_then(Ghz::of_frequency))
    }

    /// A radio and every access point on it, or an access point alone, by name.
    #[must_use]
    pub fn family<'a>(&'a self, row: &'a Row) -> Vec<&'a str> {
        let name = name_of(row);
        let on_it = self.interfaces.iter().filter(|other| set(other, "master-interface") == Some(name));
        std::iter::once(name).chain(on_it.map(name_of)).collect()
    }

    /// How many clients interfaces have.
    #[must_use]
    pub fn clients_of(&self, names: &[&str]) -> usize {
        names.iter().filter_map(|name| self.clients.get(*name)).sum()
    }

    /// What a security profile says about who may join; `None` when there is none of that name. An open one asks for
    /// nothing.
    #[must_use]
    pub fn is_open(&self, profile: &str) -> Option<bool> {
        let row = named(&self.securities, profile)?;
        Some(if self.stack.newer {
            set(row, "authentication-types").is_none()
        } else {
            set(row, "mode").is_none_or(|mode| mode == "none")
        })
    }

    /// Refuses what a CAPsMAN manages: what is set on such a radio has no effect.
    ///
    /// # Errors
    /// `unsafe_operation` for such a radio.
    pub fn unmanaged(&self, row: &Row) -> Result<(), Refused> {
        if self.stack.newer && self.told(row, "configuration.manager") == Some("capsman") {
            return Err(Refused::unsafe_operation(
                "a CAPsMAN manages this radio: what is set on the radio itself has no effect",
                "make the change on the router that is its CAPsMAN",
            ));
        }
        Ok(())
    }
}

impl Air {
    /// The interface with an id, of whichever stack.
    ///
    /// # Errors
    /// `not_found` for one that is not there, `unsafe_operation` for one that RouterOS made itself.
    pub fn by_id(&self, id: &str, field: &'static str) -> Result<(&Shelf, &Row), Refused> {
        let has = |shelf: &&Shelf| shelf.interfaces.iter().any(|row| id_of(row) == id);
        let shelf = self.shelves.iter().find(has).ok_or_else(|| {
            Refused::not_found(field, format!("there is no `{id}` among the Wi-Fi interfaces"))
                .hint("get_wireless_interfaces gives ids")
        })?;
        Ok((shelf, record::find(&shelf.stack.menu, &shelf.interfaces, id, field)?))
    }

    /// The radio with a name.
    ///
    /// # Errors
    /// `not_found` for one that is not there, `invalid_params` for an access point on another's radio,
    /// `unsafe_operation` for one that RouterOS made itself.
    pub fn radio(&self, name: &str) -> Result<(&Shelf, &Row), Refused> {
        let found = self.shelves.iter().find_map(|shelf| Some((shelf, named(&shelf.interfaces, name)?)));
        let (shelf, row) = found.ok_or_else(|| {
            Refused::not_found("interface", "there is no Wi-Fi interface of that name")
                .hint("get_wireless_interfaces lists them")
        })?;
        if Stack::is_virtual(row) {
            return Err(Refused::param("interface", "is an access point on another radio; name the radio"));
        }
        record::find(&shelf.stack.menu, &shelf.interfaces, id_of(row), "interface")?;
        Ok((shelf, row))
    }

    /// The one radio that a new access point can be on.
    ///
    /// # Errors
    /// `not_found` when there is none, `invalid_params` when there are several.
    pub fn only_radio(&self, band: Option<&Band>) -> Result<(&Shelf, &Row), Refused> {
        let is_radio = |shelf: &Shelf, row: &Row| {
            let mode = shelf.told(row, shelf.stack.mode);
            !Stack::is_virtual(row) && !is_dynamic(row) && mode.is_none_or(|mode| mode.starts_with("ap"))
        };
        let all: Vec<(&Shelf, &Row)> = self
            .shelves
            .iter()
            .flat_map(|shelf| shelf.interfaces.iter().map(move |row| (shelf, row)))
            .filter(|(shelf, row)| is_radio(shelf, row))
            .collect();
        // First those that say just that band, then those that send there, then those that do not tell.
        let fits: [Fits; 3] = [
            |shelf, row, band| shelf.told(row, shelf.stack.band) == shelf.stack.word(band),
            |shelf, row, band| shelf.ghz(row) == Some(band.ghz()),
            |shelf, row, _| shelf.ghz(row).is_none(),
        ];
        let chosen = match band {
            None => all,
            Some(band) => fits
                .iter()
                .map(|fit| {
                    let can = |shelf: &Shelf| shelf.stack.word(band).is_some();
                    let these = all.iter().copied();
                    these.filter(|(shelf, row)| can(shelf) && fit(shelf, row, band)).collect::<Vec<_>>()
                })
                .find(|chosen| !chosen.is_empty())
                .unwrap_or_default(),
        };
        match chosen.as_slice() {
            [one] => Ok(*one),
            [] => Err(Refused::not_found("band", "no radio of this router sends there as an access point")
                .hint("get_wireless_interfaces lists the radios")),
            several => Err(Refused::param(
                "interface",
                format!("{} radios fit; say which (get_wireless_interfaces lists them)", several.len()),
            )),
        }
    }
}
