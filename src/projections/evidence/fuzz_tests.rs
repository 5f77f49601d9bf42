//! Evidence falsified at random: nothing that says something else is taken.
//!
//! 300 falsifications, or as many as `APPLIANCE_MUTATIONS` says; `PROPTEST_RNG_SEED` says which.

use std::cell::Cell;

use events::{device::Environment, evidence::Item};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::{
    testing::{Tale, adding, as_told, refusing, rollout, signer},
    *,
};
use crate::domain::testing::{dns_plan, plan_id};

/// Good evidence, and true things of the same store that are no part of it.
struct Stock {
    /// Evidence of several plans, and of the first one as it was earlier.
    all: Vec<Value>,
}

fn stock() -> Stock {
    let mut tale = Tale::new(Environment::Prod);
    let job = tale.started(rollout(1, Environment::Prod));
    let earlier = tale.evidence(plan_id(1));
    tale.drive(job, &mut refusing("r3"));
    let job = tale.started(dns_plan(2, Environment::Prod, &["r1"]));
    tale.drive(job, &mut as_told);
    let older = tale.evidence(plan_id(2));
    let job = tale.started(adding(3, Environment::Prod));
    tale.drive(job, &mut as_told);
    let mut all: Vec<Value> = [1, 2, 3].map(|n| tale.evidence(plan_id(n))).to_vec();
    all.extend([earlier, older]);
    Stock { all }
}

/// One falsification; what it does not fit leaves the evidence as it is.
#[derive(Debug, Clone)]
enum Lie {
    /// A byte of the file becomes another.
    Byte(Index, u8),
    /// The file ends early.
    Cut(Index),
    /// A part of the file stands twice.
    Twice(Index, Index),
    /// A value somewhere becomes another of its kind.
    Value(Index, Index, u8),
    /// A field or an item is gone.
    Gone(Index),
    /// An object has one field more.
    More(Index),
    /// Two events change places, or only their frames, or only their proofs.
    Swap(Index, Index, u8),
    /// An event is left out, and not told.
    Omit(Index),
    /// An event of another plan comes in at its place.
    Foreign(Index, Index),
    /// A field of the whole comes from other evidence of the store.
    Borrowed(Index, u8),
    /// A byte of a frame becomes another, with its checksum made right.
    Frame(Index, Index, u8),
    /// A byte of a proof becomes another.
    Proof(Index, Index, u8),
    /// A name stands twice in an object, the first time with another value.
    Double(Index),
}

fn any_lie() -> impl Strategy<Value = Lie> {
    let index = any::<Index>;
    prop_oneof![
        4 => (index(), 1u8..).prop_map(|(at, with)| Lie::Byte(at, with)),
        1 => index().prop_map(Lie::Cut),
        1 => (index(), index()).prop_map(|(a, b)| Lie::Twice(a, b)),
        6 => (index(), index(), any::<u8>()).prop_map(|(a, b, with)| Lie::Value(a, b, with)),
        2 => index().prop_map(Lie::Gone),
        2 => index().prop_map(Lie::More),
        2 => (index(), index(), 0u8..3).prop_map(|(a, b, what)| Lie::Swap(a, b, what)),
        2 => index().prop_map(Lie::Omit),
        2 => (index(), index()).prop_map(|(a, b)| Lie::Foreign(a, b)),
        2 => (index(), 0u8..4).prop_map(|(from, what)| Lie::Borrowed(from, what)),
        4 => (index(), index(), 1u8..).prop_map(|(a, b, with)| Lie::Frame(a, b, with)),
        3 => (index(), index(), 1u8..).prop_map(|(a, b, with)| Lie::Proof(a, b, with)),
        1 => index().prop_map(Lie::Double),
    ]
}

/// The pointers to every value in a document.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                places(value, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (n, value) in items.iter().enumerate() {
                places(value, format!("{at}/{n}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

fn all_places(value: &Value, wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    places(value, String::new(), &mut found);
    found.retain(|at| value.pointer(at).is_some_and(&wanted));
    found
}

fn flip(text: &str, at: Index, with: u8) -> String {
    let Ok(mut bytes) = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text) else {
        return String::new();
    };
    if bytes.is_empty() {
        return text.to_owned();
    }
    let at = at.index(bytes.len());
    bytes[at] ^= with;
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

/// The text that a lie makes of the evidence.
fn told(stock: &Stock, which: usize, lie: &Lie) -> Vec<u8> {
    let good = &stock.all[which];
    let pretty = serde_json::to_string_pretty(good).unwrap().into_bytes();
    let mut value = good.clone();
    let events = good["events"].as_array().unwrap().len();
    let event = |at: &Index| at.index(events);
    match lie {
        Lie::Byte(at, with) => {
            let mut bytes = pretty;
            let at = at.index(bytes.len());
            bytes[at] ^= with;
            return bytes;
        }
        Lie::Cut(at) => return pretty[..at.index(pretty.len())].to_vec(),
        Lie::Twice(a, b) => {
            let (a, b) = (a.index(pretty.len()), b.index(pretty.len()));
            let (a, b) = (a.min(b), a.max(b));
            return [&pretty[..b], &pretty[a..]].concat();
        }
        Lie::Value(at, inner, with) => {
            let found = all_places(&value, |value| !value.is_object() && !value.is_array());
            let place = value.pointer_mut(at.get::<String>(&found)).unwrap();
            *place = match place {
                Value::String(text) => {
                    let mut letters: Vec<char> = text.chars().collect();
                    let letter = char::from(b' ' + with % 95);
                    match letters.len() {
                        0 => letters.push(letter),
                        len => letters[inner.index(len)] = letter,
                    }
                    Value::String(letters.into_iter().collect())
                }
                Value::Number(number) => json!(number.as_u64().unwrap() ^ (1 << (with % 20))),
                Value::Bool(yes) => json!(!*yes),
                _ => json!("something"),
            };
        }
        Lie::Gone(at) => {
            let found = all_places(&value, |_| true);
            let place = at.get(&found).clone();
            let Some((parent, name)) = place.rsplit_once('/') else { return Vec::new() };
            match value.pointer_mut(parent).unwrap() {
                Value::Object(fields) => drop(fields.remove(&name.replace("~1", "/").replace("~0", "~"))),
                Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                _ => {}
            }
        }
        Lie::More(at) => {
            let found = all_places(&value, Value::is_object);
            value.pointer_mut(at.get::<String>(&found)).unwrap()["more"] = json!("all went well");
        }
        Lie::Swap(a, b, what) => {
            let (a, b) = (event(a), event(b));
            let all = value["events"].as_array_mut().unwrap();
            match what {
                0 => all.swap(a, b),
                1 => (all[a]["frame"], all[b]["frame"]) = (all[b]["frame"].clone(), all[a]["frame"].clone()),
                _ => (all[a]["proof"], all[b]["proof"]) = (all[b]["proof"].clone(), all[a]["proof"].clone()),
            }
        }
        Lie::Omit(at) => drop(value["events"].as_array_mut().unwrap().remove(event(at))),
        Lie::Foreign(from, at) => {
            let others: Vec<&Value> =
                stock.all.iter().filter(|other| other["plan_id"] != good["plan_id"]).collect();
            let other = from.get(&others)["events"].as_array().unwrap();
            let stranger = at.get(&other[1..]).clone();
            let all = value["events"].as_array_mut().unwrap();
            let place = all.partition_point(|item| item["seq"].as_u64() < stranger["seq"].as_u64());
            all.insert(place, stranger);
        }
        Lie::Borrowed(from, what) => {
            let other = from.get(&stock.all);
            let field = ["readable", "checkpoint", "events", "plan_id"][usize::from(*what)];
            value[field] = other[field].clone();
        }
        Lie::Frame(at, byte, with) => {
            let place = &mut value["events"][event(at)]["frame"];
            let text = flip(place.as_str().unwrap(), *byte, *with);
            *place = json!(rechecked(&text));
        }
        Lie::Proof(at, byte, with) => {
            let place = &mut value["events"][event(at)]["proof"];
            *place = json!(flip(place.as_str().unwrap(), *byte, *with));
        }
        Lie::Double(at) => {
            let found = all_places(&value, |value| !value.is_object() && !value.is_array());
            let place = at.get(&found).clone();
            let (parent, name) = place.rsplit_once('/').unwrap();
            let Value::Object(fields) = value.pointer_mut(parent).unwrap() else { return Vec::new() };
            // Marked by a name that no document has, and made the same name in the text.
            fields.insert(format!("{name}\u{1}"), json!("a friendly lie"));
            let text = value.to_string().replace("\\u0001\"", "\"");
            return text.into_bytes();
        }
    }
    value.to_string().into_bytes()
}

/// The frame with the checksum that its bytes should have.
fn rechecked(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
    let Ok(mut bytes) = BASE64.decode(text) else { return text.to_owned() };
    if bytes.len() < 60 {
        return text.to_owned();
    }
    let sum = events::frame::checksum(&bytes);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    BASE64.encode(bytes)
}

fn mutations() -> u32 {
    std::env::var("APPLIANCE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

#[test]
fn nothing_that_says_something_else_is_taken() {
    let stock = stock();
    let key = signer().verifier();
    for good in &stock.all {
        assert!(verify(good.to_string().as_bytes(), Some(&key)).unwrap().good);
        let _: Vec<Item> = serde_json::from_value(good["events"].clone()).unwrap();
    }
    let config = Config { cases: mutations(), failure_persistence: None, ..Config::default() };
    let seed = config.rng_seed;
    let (refused, same) = (Cell::new(0u32), Cell::new(0u32));
    let strategy = (0..stock.all.len(), any_lie(), any::<bool>());
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&strategy, |(which, lie, keyed)| {
        let text = told(&stock, which, &lie);
        let parsed = serde_json::from_slice::<Value>(&text).ok();
        let verdict = verify(&text, keyed.then_some(&key));
        // Old evidence of a plan is true as well.
        let says_the_same = parsed.is_some_and(|value| stock.all.contains(&value));
        let good = verdict.as_ref().is_ok_and(|verdict| verdict.good);
        if !says_the_same {
            prop_assert!(!good, "{lie:?} is taken: {verdict:?}");
        }
        let count = if good { &same } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    let (refused, same) = (refused.get(), same.get());
    eprintln!("PROPTEST_RNG_SEED={seed}: {refused} falsifications refused, {same} that say the same taken");
    outcome.unwrap();
    assert!(refused >= 9 * same, "the lies are lies");
}
