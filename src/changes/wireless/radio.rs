//! Changes where a radio sends, and how loud.

use events::operation::{Action, Property};

use crate::changes::{
    Proposal, Refused,
    guard::Way,
    record,
    wireless::{Tune, air::Air, proposal, retuned},
};

/// Changes a radio's band, channel and power.
///
/// # Errors
/// What makes no sense on this radio or in its country, what would cut our own way, what could not be undone.
pub fn tune(air: &Air, interface: &str, tune: &Tune, way: &Way) -> Result<Proposal, Refused> {
    if tune.is_nothing() {
        return Err(Refused::param("channel", "give channel, band or tx_power"));
    }
    let (shelf, row) = air.radio(interface)?;
    shelf.unmanaged(row)?;
    let stack = shelf.stack;
    let (mut wanted, warnings) = retuned(shelf, row, tune)?;
    if let Some(dbm) = tune.dbm {
        wanted.extend(power(row.get("tx-power-mode").map(String::as_str), stack.newer, dbm)?);
        wanted.push((stack.tx_power.to_owned(), dbm.to_string()));
    }
    // What a profile says already needs no word of the interface's own.
    wanted.retain(|(name, value)| shelf.told(row, name) != Some(value));
    let mut operations = record::set(&stack.menu, row, &wanted)?;
    for operation in &mut operations {
        // RouterOS shows no power while its mode is `default`, and takes no empty one: the mode alone brings it back.
        if let Some(Action::Set { properties, .. }) = operation.undo.first_mut() {
            properties.retain(|(name, value)| !(name == "tx-power" && value.is_empty()));
        }
    }
    proposal(air, shelf, row, operations, way, warnings)
}

/// The older stack takes a power only in a mode that asks for one.
fn power(mode: Option<&str>, newer: bool, dbm: u8) -> Result<Option<Property>, Refused> {
    match mode {
        _ if newer => Ok(None),
        Some("all-rates-fixed" | "card-rates") => Ok(None),
        Some(_) => Ok(Some(("tx-power-mode".to_owned(), "all-rates-fixed".to_owned()))),
        None => Err(Refused::unsafe_operation(
            format!(
                "the router does not show how it sets this radio's power, so an undo could not take {dbm} dBm back"
            ),
            "set tx-power-mode once by hand",
        )),
    }
}
