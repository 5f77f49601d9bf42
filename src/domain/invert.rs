//! What reverses an operation that stands on a router. The way back is another operation, so it can be planned, looked at,
//! carried out and reversed like every other.

use events::operation::{Action, Expectation, FOUND, Operation, Property, Wanted, Which};

/// What the approver and the router's timed undo go by: the guards of our own way judged the change, not its undo, and the
/// router may be another by then.
pub const UNJUDGED: &str =
    "whether undoing this keeps our own way to the router was not judged when the change was planned";

/// Menus, with all below them, in which a change can cut our own way to a router: those that the guards of the changes
/// watch, and their neighbours.
const WATCHED: [&str; 10] = [
    "/interface",
    "/ip/address",
    "/ip/route",
    "/ip/firewall",
    "/ip/dhcp-client",
    "/ip/dhcp-server",
    "/ip/pool",
    "/ipv6",
    "/routing",
    "/caps-man",
];

/// What reverses an operation that stands on a router; nothing when it has no undo. `added` is the id that the router
/// gave to the record that the operation added: no other record is meant, however much it looks like it.
#[must_use]
pub fn invert(operation: &Operation, added: Option<&str>) -> Option<Operation> {
    let [undo] = operation.undo.as_slice() else { return None };
    let (before, after) = (&operation.expect_before, &operation.expect_after);
    let added = added.filter(|_| matches!(operation.action, Action::Add { .. }));
    let both = before.present && after.present;
    let mut again = operation.action.clone();
    // What is known by what it says may have another id when it is there again.
    if matches!(after.which, Which::Find { .. }) {
        name_found(&mut again, None);
    }
    Some(Operation {
        action: added.map_or_else(|| undo.clone(), |id| undo.on_found(id)),
        undo: vec![again],
        expect_before: Expectation {
            // What somebody set besides since is seen before the write, not only after it.
            others: after.others.clone().or_else(|| may_stand_besides(before, after).filter(|_| both)),
            // Records that came since may stand around one that is taken away.
            place: after.place.clone().filter(|_| added.is_none()),
            ..after.clone()
        },
        // How many others there are by then is not what this is about.
        expect_after: Expectation { count: None, ..before.clone() },
        risky: operation
            .risky
            .clone()
            .or_else(|| may_reach_our_way(&operation.action).then(|| UNJUDGED.to_owned())),
    })
}

/// True when an action is about a menu that our own way can depend on, and about more than a comment.
fn may_reach_our_way(action: &Action) -> bool {
    let menu = action.menu();
    let below = |watched: &&str| {
        menu.strip_prefix(*watched).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let comment = |properties: &[Property]| properties.iter().all(|(name, _)| name == "comment");
    let told_only = match action {
        Action::Set { properties, .. } | Action::SetSingleton { properties, .. } => comment(properties),
        Action::Command { command, properties, .. } if command == "unset" => {
            properties.iter().any(|(name, value)| name == "value-name" && value == "comment")
        }
        _ => false,
    };
    WATCHED.iter().any(below) && !told_only
}

/// What reverses operations that stand on one router, last first; nothing when one of them has no undo. They come in the
/// order in which they were made, each with the id of the record that it added. A record that was removed comes back under
/// another id: what was done to it before is then undone on the record that is found by what it says.
#[must_use]
pub fn reversed<'a>(
    standing: impl DoubleEndedIterator<Item = (&'a Operation, Option<&'a str>)>,
) -> Option<Vec<Operation>> {
    let mut put_back: Vec<(&str, &str)> = Vec::new();
    let mut inverses = Vec::new();
    for (operation, added) in standing.rev() {
        let mut inverse = invert(operation, added)?;
        for (_, id) in put_back.iter().filter(|(menu, _)| *menu == operation.action.menu()) {
            on_the_one_put_back(&mut inverse, id);
        }
        if let Action::Remove { menu, id } = &operation.action
            && id != FOUND
        {
            put_back.push((menu, id));
        }
        inverses.push(inverse);
    }
    Some(inverses)
}

/// What may be set besides what was written: what might before, and what was told of before only.
fn may_stand_besides(before: &Expectation, after: &Expectation) -> Option<Vec<String>> {
    let told = |name: &String| after.properties.iter().any(|(told, _)| told == name);
    let untold = before.properties.iter().map(|(name, _)| name).filter(|name| !told(name)).cloned();
    before.others.clone().map(|others| others.into_iter().chain(untold).collect())
}

/// An operation on the record that once had this id.
fn on_the_one_put_back(operation: &mut Operation, id: &str) {
    name_found(&mut operation.action, Some(id));
    operation.undo.iter_mut().for_each(|action| name_found(action, Some(id)));
    if operation.expect_before.which != Which::Id(id.to_owned()) {
        return;
    }
    let (before, after) = (&operation.expect_before, &operation.expect_after);
    let said: Vec<Wanted> = match (before.present, after.present) {
        (true, true) => {
            before.properties.iter().filter(|told| after.properties.contains(told)).cloned().collect()
        }
        (true, false) => before.properties.clone(),
        (false, _) => after.properties.clone(),
    };
    let by = said.into_iter().filter(|(_, value)| value.is_some());
    let which = Which::Find {
        by: by.chain(std::iter::once(("dynamic".to_owned(), None))).collect(),
        narrow: Vec::new(),
        except: Vec::new(),
    };
    operation.expect_before.which = which.clone();
    operation.expect_after.which = which;
}

/// Names the record that a reading finds instead of the one with this id (of any id).
fn name_found(action: &mut Action, instead_of: Option<&str>) {
    let meant = |id: &str| instead_of.is_none_or(|old| old == id);
    match action {
        Action::Set { id, .. } | Action::Remove { id, .. } if meant(id) => FOUND.clone_into(id),
        Action::Command { properties, .. } => {
            let named = properties.iter_mut().filter(|(name, value)| name == "numbers" && meant(value));
            named.for_each(|(_, value)| FOUND.clone_into(value));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(action: Action, undo: Action) -> Operation {
        let which = Which::Id("*1".to_owned());
        Operation {
            expect_before: Expectation::gone(action.menu(), which.clone()),
            expect_after: Expectation::of(action.menu(), which, Vec::new()),
            action,
            undo: vec![undo],
            risky: None,
        }
    }

    fn pair(name: &str, value: &str) -> Vec<Property> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn what_can_reach_our_own_way_is_undone_as_risky_whatever_the_change_was() {
        let menus = [
            "/ip/firewall/filter",
            "/ip/firewall/address-list",
            "/ip/address",
            "/ip/route",
            "/interface/bridge/port",
            "/interface/vlan",
            "/ip/dhcp-client",
            "/ip/dhcp-server",
        ];
        for menu in menus {
            let menu = menu.to_owned();
            let add = Action::Add { menu: menu.clone(), properties: pair("address", "192.0.2.1/24") };
            let remove = Action::Remove { menu: menu.clone(), id: FOUND.to_owned() };
            let set = |name: &str| Action::Set {
                menu: menu.clone(),
                id: "*1".to_owned(),
                properties: pair(name, "x"),
            };
            let risk = |action: &Action, undo: &Action| {
                invert(&operation(action.clone(), undo.clone()), None).unwrap().risky
            };
            assert_eq!(risk(&add, &remove).as_deref(), Some(UNJUDGED), "{menu}");
            assert_eq!(risk(&remove, &add).as_deref(), Some(UNJUDGED), "{menu}");
            assert_eq!(risk(&set("disabled"), &set("disabled")).as_deref(), Some(UNJUDGED), "{menu}");
            assert_eq!(risk(&set("comment"), &set("comment")), None, "{menu}: a comment leads nowhere");
            let told = Operation { risky: Some("told".to_owned()), ..operation(add, remove) };
            assert_eq!(invert(&told, None).unwrap().risky.as_deref(), Some("told"), "{menu}");
        }
        for menu in ["/ip/dns", "/system/ntp/client", "/system/identity", "/ip/addresses"] {
            let set = Action::SetSingleton { menu: menu.to_owned(), properties: pair("name", "x") };
            assert_eq!(invert(&operation(set.clone(), set), None).unwrap().risky, None, "{menu}");
        }
    }
}
