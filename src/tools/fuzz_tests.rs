//! Whatever a caller sends, decoding it ends in parameters or in a refusal that names the field: never in a panic.

use serde_json::Value;

use crate::{
    failure::Code,
    routeros::fuzz_testing::{Dice, hunt},
    tools::{
        call::split_correlation,
        catalog,
        fuzz_testing::{anything, object},
        tool::ToolDef,
    },
};

/// Decodes as the corridor does.
fn decoded(def: &ToolDef, params: &Value) {
    let outcome = split_correlation(params.clone()).and_then(|(params, _)| (def.prepare)(params));
    let failure = match outcome {
        Ok(prepared) => {
            assert!(prepared.targets.iter().all(|target| !target.0.is_empty()));
            return;
        }
        Err(failure) => failure,
    };
    let at = || format!("{} {params}: {failure}", def.spec.name);
    assert_eq!(failure.code, Code::InvalidParams, "{}", at());
    assert!(failure.say.chars().count() < 500 && !failure.say.contains(char::is_control), "{}", at());
    let field = failure.details.as_ref().and_then(|details| details["field"].as_str());
    // A field may have no name at all.
    let nameless = params.to_string().contains("\"\":");
    let named = field.is_some_and(|field| !field.is_empty() || nameless);
    assert!(named || !params.is_object(), "no field: {}", at());
}

#[test]
fn fuzz_parameters() {
    let all: Vec<(&ToolDef, Value)> = catalog::all().map(|def| (def, (def.input_schema)())).collect();
    hunt("parameters", |dice| {
        let (def, schema) = &all[dice.below(all.len())];
        let params = if dice.once_in(16) { anything(dice, 4) } else { object(dice, schema, 5).into() };
        decoded(def, &params);
    });
}

/// The mutations reach what they are for: every tool takes some of them, and refuses some.
#[test]
fn fuzzed_parameters_are_taken_and_refused() {
    use proptest::{
        strategy::{Strategy as _, ValueTree as _},
        test_runner::TestRunner,
    };
    let mut runner = TestRunner::deterministic();
    let words = proptest::collection::vec(proptest::prelude::any::<u32>(), 160);
    for def in catalog::all() {
        let schema = (def.input_schema)();
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..400 {
            let words = words.new_tree(&mut runner).unwrap().current();
            let params = object(&mut Dice::of(&words), &schema, 5).into();
            match split_correlation(params).and_then(|(params, _)| (def.prepare)(params)) {
                Ok(_) => taken += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(taken > 0 && refused > 0, "{}: {taken} taken, {refused} refused", def.spec.name);
    }
}
