//! Every tool through its door with parameters that are nearly right, at a router whose records are nearly right: an answer
//! that keeps its schema, or a failure that is not our mistake.

use std::cell::RefCell;

use appliance::{
    access::principal::Audience,
    routeros::resources::ALL,
    tools::{catalog, tool::ToolDef},
};
use serde_json::{Map, Value, json};

use crate::{
    dice::{Dice, hunt, text},
    house::{As, House},
    nearly_right::{anything, object},
    protocol::Client,
    schema::{self, breaches},
    untrusted::harmless,
};

/// Puts a record with odd values into one of the menus that readings know.
fn upset(house: &House, name: &str, dice: &mut Dice<'_>) {
    let kind = &ALL[dice.below(ALL.len())];
    let mut row = Map::new();
    for field in kind.fields.iter().filter(|field| field.name != ".id") {
        if !dice.once_in(4) {
            row.insert(field.name.to_owned(), text(dice).into());
        }
    }
    let menu = house.control("GET", &format!("/boxes/{name}/menu?path={}", kind.menu), None);
    let rows = menu.as_array().unwrap();
    let single = rows.first().is_some_and(|row| row[".id"].is_null());
    // Menus without records take what a console would take; others take anything. Some menus this box does not have.
    if single {
        let body = json!({ "menu": kind.menu, "props": row });
        house.control("POST", &format!("/boxes/{name}/behind-back"), Some(&body));
    } else if !rows.is_empty() {
        if rows.len() > 20 || dice.once_in(2) {
            row.insert(".id".into(), rows[dice.below(rows.len())][".id"].clone());
        }
        let body = json!({ "menu": kind.menu, "rows": [row] });
        house.control("POST", &format!("/boxes/{name}/plant"), Some(&body));
    }
}

#[test]
fn fuzz_doors() {
    let house = House::start(1);
    let agent = Client::stateless(&house, As::Agent);
    let name = house.box_of(0);
    let all: Vec<(&ToolDef, Value)> = catalog::all()
        .filter(|def| def.spec.demand.audience == Audience::Everyone)
        .map(|def| (def, (def.input_schema)()))
        .collect();
    let (answered, refused) = (RefCell::new(0), RefCell::new(0));
    hunt("doors", |dice| {
        if dice.once_in(4) {
            upset(&house, &name, dice);
        }
        let (def, schema) = &all[dice.below(all.len())];
        let mut params = object(dice, schema, 4);
        for (field, device) in
            [("device_id", json!(house.device(0))), ("device_ids", json!([house.device(0)]))]
        {
            if params.contains_key(field) && !dice.once_in(8) {
                params.insert(field.into(), device);
            }
        }
        if dice.once_in(32) {
            params.insert("more".into(), anything(dice, 3));
        }
        let params = Value::Object(params);
        let called = agent.call(def.spec.name, &params);
        let at = format!("{} {params}", def.spec.name);
        harmless(&at, &called.value);
        assert!(!called.said.is_empty() && !called.said.contains(char::is_control), "{at}: {}", called.said);
        if called.failed {
            *refused.borrow_mut() += 1;
            let ours = ["bug", "deadline_exceeded", "outcome_unknown", "storage_unavailable"];
            assert!(!ours.contains(&called.code()), "{at}: {}", called.value);
        } else {
            *answered.borrow_mut() += 1;
            let mistakes = breaches(&(def.output_schema)(), &called.value, def.spec.name, schema::As::Author);
            assert!(mistakes.is_empty(), "{at}: {mistakes:#?}");
        }
    });
    let (answered, refused) = (answered.take(), refused.take());
    println!("{answered} answers, {refused} refusals");
    assert!(answered > 20 && refused > 20, "{answered} answers, {refused} refusals");
}
