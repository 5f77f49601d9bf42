//! SSIDs and radios, of all three Wi-Fi stacks.

pub mod air;
pub mod channels;
mod properties;
pub mod radio;
pub mod ssid;
pub mod stacks;
pub mod way;

use events::operation::{Operation, Property};

use crate::{
    changes::{
        Proposal, Refused,
        guard::Way,
        wireless::{
            air::{Air, Shelf},
            channels::{Band, Channel},
        },
    },
    routeros::port::Row,
};

/// A new band and channel for a radio, where it shall send elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tune {
    /// Band.
    pub band: Option<Band>,
    /// Channel.
    pub channel: Option<Channel>,
    /// Power in dBm.
    pub dbm: Option<u8>,
}

impl Tune {
    /// From a band's word and a channel's number; empty and 0 leave them.
    ///
    /// # Errors
    /// No such band or channel, or a channel that is not of the band.
    pub fn of(band: &str, channel: u16, dbm: u8) -> Result<Self, Refused> {
        let band = Some(band).filter(|word| !word.is_empty()).map(Band::said).transpose();
        let band = band.map_err(|why| Refused::param("band", why))?;
        let channel = Some(channel).filter(|number| *number > 0).map(Channel::numbered).transpose();
        let channel = channel.map_err(|why| Refused::param("channel", why))?;
        if dbm > DBM_MAX {
            return Err(Refused::param("tx_power", format!("is 0–{DBM_MAX} dBm")));
        }
        match (band, channel) {
            (Some(band), Some(channel)) if band.ghz() != channel.ghz => Err(Refused::param(
                "channel",
                format!(
                    "channel {} is at {}, not in band {}",
                    channel.number,
                    channel.ghz.as_str(),
                    band.said
                ),
            )),
            _ => Ok(Self { band, channel, dbm: Some(dbm).filter(|dbm| *dbm > 0) }),
        }
    }

    /// True when nothing shall change.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.band.is_none() && self.channel.is_none() && self.dbm.is_none()
    }
}

/// Most that may be asked for, in dBm.
const DBM_MAX: u8 = 30;

/// A band in a stack's word.
fn word(shelf: &Shelf, band: &Band) -> Result<&'static str, Refused> {
    shelf.stack.word(band).ok_or_else(|| {
        Refused::param("band", format!("{} does not have band {}", shelf.stack.menu.path, band.said))
    })
}

/// The properties that make a radio send elsewhere, and what an approver should know about it.
fn retuned(shelf: &Shelf, row: &Row, tune: &Tune) -> Result<(Vec<Property>, Vec<String>), Refused> {
    let stack = shelf.stack;
    let (mut properties, mut warnings) = (Vec::new(), Vec::new());
    let now = shelf.ghz(row);
    if let Some(band) = &tune.band {
        properties.push((stack.band.to_owned(), word(shelf, band)?.to_owned()));
        if let Some(now) = now.filter(|now| *now != band.ghz()) {
            if tune.channel.is_none() {
                return Err(Refused::param(
                    "channel",
                    format!("is needed: the radio sends at {} now", now.as_str()),
                ));
            }
            let to = band.ghz().as_str();
            warnings.push(format!("the radio goes to {to}; if its hardware cannot, it stops sending"));
        }
    }
    if let Some(channel) = tune.channel {
        match (tune.band, now) {
            (None, None) => {
                return Err(Refused::param("band", "this radio does not tell where it sends; say its band"));
            }
            (None, Some(now)) if now != channel.ghz => {
                return Err(Refused::param(
                    "channel",
                    format!(
                        "is at {}, and the radio sends at {}; give `band` as well",
                        channel.ghz.as_str(),
                        now.as_str()
                    ),
                ));
            }
            _ => {}
        }
        properties.push((stack.frequency.to_owned(), channel.mhz.to_string()));
    }
    warnings.extend(in_the_country(shelf, row, tune)?);
    if !stack.newer && properties.iter().any(|(name, _)| !row.contains_key(name)) {
        return Err(Refused::unsafe_operation(
            "the router does not show where this radio sends, so an undo could not put it back",
            "set its band and frequency once by hand",
        ));
    }
    Ok((properties, warnings))
}

/// Holds a channel, the new or the present one, against the country that the radio is set to.
fn in_the_country(shelf: &Shelf, row: &Row, tune: &Tune) -> Result<Option<String>, Refused> {
    let Some(channel) = tune.channel else { return Ok(None) };
    let Some(country) = shelf.told(row, shelf.stack.country) else {
        return Ok(Some(
            "the radio is not set to a country, so nothing tells what is allowed there".to_owned(),
        ));
    };
    channels::allowed(country, channel, tune.dbm).map_err(|why| Refused::param("channel", why))
}

/// What a change of interfaces that are there means for those who use them.
fn proposal(
    air: &Air,
    shelf: &Shelf,
    row: &Row,
    mut operations: Vec<Operation>,
    way: &Way,
    mut warnings: Vec<String>,
) -> Result<Proposal, Refused> {
    if operations.is_empty() {
        return Ok(Proposal { operations, high: Vec::new(), warnings: Vec::new() });
    }
    let names = shelf.family(row);
    let station = shelf.told(row, shelf.stack.mode).is_some_and(|mode| mode.starts_with("station"));
    let risky = way::over_the_air(way, &names, station, &air.ports, &air.vlans)?;
    let mut high: Vec<String> = risky.iter().cloned().collect();
    for operation in &mut operations {
        operation.risky.clone_from(&risky);
    }
    let clients = shelf.clients_of(&names);
    if clients > 0 {
        high.push("clients are connected".to_owned());
        let s = if clients == 1 { " loses its" } else { "s lose their" };
        warnings.insert(0, format!("{clients} client{s} connection, at least for a moment"));
    }
    Ok(Proposal { operations, high, warnings })
}

#[cfg(test)]
mod tests;
