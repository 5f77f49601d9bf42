//! Makes, changes and removes SSIDs: access points on a radio that is there.

use events::operation::{Action, Expectation, FOUND, Operation, Property, Which};

use crate::{
    changes::{
        Proposal, Refused, bridge_port,
        guard::Way,
        play::play,
        record::{self, Menu, id_of, is_dynamic},
        wanted,
        wireless::{
            Tune,
            air::{Air, Shelf, name_of},
            proposal, retuned,
            stacks::Stack,
            way, word,
        },
    },
    routeros::port::Row,
};

/// Longest SSID, in bytes (IEEE 802.11).
const SSID_BYTES_MAX: usize = 32;
/// The profile that means whatever the stack does by itself.
const DEFAULT: &str = "default";

/// A new SSID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct New {
    /// What clients see.
    pub ssid: String,
    /// Who may join.
    pub security_profile: String,
    /// Which radio; without it the only one that fits.
    pub interface: Option<String>,
    /// The new interface's name; without it the next free one.
    pub name: Option<String>,
    /// The bridge that its clients come into.
    pub bridge: Option<String>,
    /// Where the radio must send.
    pub tune: Tune,
}

/// What an SSID shall be; nothing given leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// What clients see.
    pub ssid: Option<String>,
    /// Who may join.
    pub security_profile: Option<String>,
    /// Where its radio sends.
    pub tune: Tune,
}

fn checked(ssid: &str) -> Result<&str, Refused> {
    if ssid.is_empty() || ssid.len() > SSID_BYTES_MAX {
        return Err(Refused::param("ssid", format!("has 1–{SSID_BYTES_MAX} bytes, not {}", ssid.len())));
    }
    Ok(ssid)
}

/// The property that names a security profile, and whether it asks for nothing.
fn security(shelf: &Shelf, profile: &str) -> Result<(Option<Property>, bool), Refused> {
    match shelf.is_open(profile) {
        Some(open) => Ok((Some((shelf.stack.security.to_owned(), profile.to_owned())), open)),
        // The newer stacks have no default profile: without one a network is open.
        None if profile == DEFAULT && shelf.stack.newer => Ok((None, true)),
        None => Err(Refused::not_found(
            "security_profile",
            format!("{} has no security profile of that name", shelf.stack.menu.path),
        )
        .hint("make it on the router first: passphrases never pass through here")),
    }
}

/// No SSID twice on one radio.
fn refuse_twice(shelf: &Shelf, radio: &Row, but: Option<&Row>, ssid: &str) -> Result<(), Refused> {
    let family = shelf.family(radio);
    let others = shelf.interfaces.iter().filter(|row| but.is_none_or(|but| id_of(but) != id_of(row)));
    let same = others
        .filter(|row| family.contains(&name_of(row)))
        .find(|row| shelf.told(row, shelf.stack.ssid) == Some(ssid));
    match same {
        None => Ok(()),
        Some(row) => Err(Refused::param("ssid", format!("`{}` on that radio has it already", id_of(row)))
            .hint("to change it use plan_modify_wireless_ssid")),
    }
}

/// Makes an SSID on a radio. `interfaces` are the names that are taken, `bridges` those that there are.
///
/// # Errors
/// What makes no sense on this router.
pub fn create(
    air: &Air,
    new: &New,
    interfaces: &[String],
    bridges: &[String],
    our_way: &Way,
) -> Result<Proposal, Refused> {
    let ssid = checked(&new.ssid)?;
    let (shelf, radio) = match &new.interface {
        Some(name) => air.radio(name)?,
        None => air.only_radio(new.tune.band.as_ref())?,
    };
    shelf.unmanaged(radio)?;
    let stack = shelf.stack;
    let mut warnings = sends_there(shelf, radio, &new.tune)?;
    refuse_twice(shelf, radio, None, ssid)?;
    let (profile, open) = security(shelf, &new.security_profile)?;
    if open {
        warnings.push("the network is open: whoever is near may join, and nothing is encrypted".to_owned());
    }
    let name = free_name(stack, interfaces, new.name.as_deref())?;
    let clients = shelf.clients_of(&shelf.family(radio));
    if clients > 0 {
        let s = if clients == 1 { "" } else { "s" };
        warnings.push(format!("the radio's {clients} client{s} may lose their connection for a moment"));
    }
    let told = |property: &str, value: &str| (property.to_owned(), value.to_owned());
    let mut properties = vec![
        told("name", &name),
        told("master-interface", name_of(radio)),
        told(stack.mode, stack.ap),
        told(stack.ssid, ssid),
        told("disabled", "false"),
    ];
    properties.extend(profile);
    let mut operations = vec![record::add(&stack.menu, &shelf.interfaces, properties, None)];
    match &new.bridge {
        Some(bridge) if !bridges.contains(bridge) => {
            return Err(
                Refused::not_found("bridge", "there is no bridge of that name").hint("see list_bridges")
            );
        }
        Some(bridge) => {
            let port = vec![told("bridge", bridge), told("interface", &name)];
            operations.push(record::add(&bridge_port::MENU, &air.ports, port, None));
        }
        None => {
            warnings.push("its clients reach nothing until it is in a bridge or has an address".to_owned())
        }
    }
    let mut planned = Proposal { operations, high: Vec::new(), warnings };
    // Nothing of the radio itself is changed, so our own way over it pauses at most.
    let names = shelf.family(radio);
    if way::over_the_air(our_way, &names, false, &air.ports, &air.vlans).is_err() {
        let why = "our own way to this router goes over that radio, which may pause for a moment".to_owned();
        planned.operations[0].risky = Some(why.clone());
        planned.high.push(why);
    }
    Ok(planned)
}

/// Every SSID of a radio is sent where the radio sends: a new one cannot choose.
fn sends_there(shelf: &Shelf, radio: &Row, tune: &Tune) -> Result<Vec<String>, Refused> {
    let elsewhere = |field| {
        Refused::param(field, "the radio sends elsewhere, and all its SSIDs share that")
            .hint("leave it out, or change the radio first with plan_wireless_rf_settings")
    };
    let mut warnings = Vec::new();
    if let Some(band) = &tune.band {
        let wanted = word(shelf, band)?;
        match shelf.told(radio, shelf.stack.band) {
            Some(told) if told == wanted => {}
            None if shelf.ghz(radio).is_none_or(|ghz| ghz == band.ghz()) => {
                warnings.push("the radio does not tell its band; it may be another one".to_owned());
            }
            _ => return Err(elsewhere("band")),
        }
    }
    if let Some(channel) = tune.channel
        && shelf.told(radio, shelf.stack.frequency) != Some(channel.mhz.to_string().as_str())
    {
        return Err(elsewhere("channel"));
    }
    Ok(warnings)
}

fn free_name(stack: &Stack, taken: &[String], wanted: Option<&str>) -> Result<String, Refused> {
    let free = |name: &str| !taken.iter().any(|other| other == name);
    match wanted {
        Some(name) if free(name) => Ok(name.to_owned()),
        Some(_) => Err(Refused::param("name", "there is an interface of that name already")),
        None => Ok((1u32..)
            .map(|n| format!("{}{n}", stack.prefix))
            .find(|name| free(name))
            .unwrap_or_else(|| stack.prefix.to_owned())),
    }
}

/// Changes an SSID; where it is sent only where it is the radio's own.
///
/// # Errors
/// What makes no sense, what would have no effect, what would cut our own way, what could not be undone.
pub fn modify(air: &Air, id: &str, changed: &Changed, way: &Way) -> Result<Proposal, Refused> {
    let (shelf, row) = air.by_id(id, "ssid_id")?;
    shelf.unmanaged(row)?;
    let stack = shelf.stack;
    let moves = !changed.tune.is_nothing();
    if changed.ssid.is_none() && changed.security_profile.is_none() && !moves {
        return Err(Refused::param("ssid", "give ssid, security_profile, band or channel"));
    }
    if moves && Stack::is_virtual(row) {
        return Err(Refused::param(
            "channel",
            "this SSID is on another interface's radio and is sent where that sends",
        )
        .hint("change the radio with plan_wireless_rf_settings"));
    }
    let (mut properties, mut warnings) = retuned(shelf, row, &changed.tune)?;
    if let Some(profile) = &changed.security_profile {
        properties.push(other_profile(shelf, row, profile, &mut warnings)?);
    }
    if let Some(ssid) = &changed.ssid {
        let master = row.get("master-interface").filter(|name| !name.is_empty());
        let radio = master.and_then(|name| shelf.interfaces.iter().find(|row| name_of(row) == name));
        refuse_twice(shelf, radio.unwrap_or(row), Some(row), checked(ssid)?)?;
        properties.push((stack.ssid.to_owned(), ssid.clone()));
    }
    // What a profile says already needs no word of the interface's own; what it says otherwise is said over it, and the
    // undo unsets that again. Profiles are left alone: others may use them.
    properties.retain(|(name, value)| shelf.told(row, name) != Some(value));
    let operations = record::set(&stack.menu, row, &properties)?;
    proposal(air, shelf, row, operations, way, warnings)
}

fn other_profile(
    shelf: &Shelf,
    row: &Row,
    profile: &str,
    warnings: &mut Vec<String>,
) -> Result<Property, Refused> {
    let (property, open) = security(shelf, profile)?;
    let property = property.ok_or_else(|| {
        Refused::param(
            "security_profile",
            "this stack has no default profile, and without one the network would be open",
        )
        .hint("name a security profile of the router")
    })?;
    let own = row.keys().any(|name| name.starts_with("security."));
    if shelf.stack.newer && (own || shelf.holds_secret(row)) {
        return Err(Refused::unsafe_operation(
            "this interface has security settings of its own, which win over any profile",
            "move them into a security profile on the router, then name that profile here",
        ));
    }
    if open && shelf.profile(row).and_then(|now| shelf.is_open(now)) != Some(true) {
        warnings
            .push("the network becomes open: whoever is near may join, and nothing is encrypted".to_owned());
    }
    Ok(property)
}

/// Removes an SSID: takes it out of its bridge, switches it off, removes it. `used` are the other menus that name its
/// interface.
///
/// # Errors
/// A radio itself, what is used elsewhere, what holds a secret, what would cut our own way.
pub fn remove(air: &Air, id: &str, used: &[&str], way: &Way) -> Result<Proposal, Refused> {
    let (shelf, row) = air.by_id(id, "ssid_id")?;
    if !Stack::is_virtual(row) {
        return Err(Refused::unsafe_operation(
            format!("`{id}` is a radio itself; only SSIDs on another interface's radio are removed"),
            "change its SSID with plan_modify_wireless_ssid, or switch it off by hand",
        ));
    }
    if shelf.holds_secret(row) {
        return Err(Refused::unsafe_operation(
            "this SSID has a passphrase of its own, which an undo could not put back",
            "move it into a security profile on the router, then plan again",
        ));
    }
    if !used.is_empty() {
        return Err(Refused::unsafe_operation(
            format!("its interface is named in {}; an undo would not put that back", used.join(", ")),
            "take it out there first",
        ));
    }
    let menu = &shelf.stack.menu;
    let mut rows = shelf.interfaces.clone();
    let name = row.get("name");
    let ports = air.ports.iter().filter(|port| port.get("interface") == name && !is_dynamic(port));
    let mut operations = ports
        .map(|port| record::remove(&bridge_port::MENU, &air.ports, port))
        .collect::<Result<Vec<_>, _>>()?;
    let off = switched_off(menu, row)?;
    for operation in &off {
        rows = play(&rows, &operation.action, FOUND);
    }
    operations.extend(off);
    let off = record::find(menu, &rows, id, "ssid_id")?;
    operations.push(record::remove(menu, &rows, off)?);
    proposal(air, shelf, row, operations, way, Vec::new())
}

/// Switches an interface off. Its undo finds it by its name: put back, it has another id.
fn switched_off(menu: &Menu, row: &Row) -> Result<Vec<Operation>, Refused> {
    let mut operations = record::set(menu, row, &[("disabled".to_owned(), "true".to_owned())])?;
    let name = vec![("name".to_owned(), name_of(row).to_owned())];
    let by_name = |expectation: &Expectation| Expectation {
        which: Which::Find { by: wanted(&name), narrow: name.clone(), except: Vec::new() },
        ..expectation.clone()
    };
    for operation in &mut operations {
        operation.expect_before = by_name(&operation.expect_before);
        operation.expect_after = by_name(&operation.expect_after);
        if let Some(Action::Set { id, .. }) = operation.undo.first_mut() {
            FOUND.clone_into(id);
        }
    }
    Ok(operations)
}
