//! Every tool that agents may use, on every simulated release, through the protocol: an answer that keeps the schema that
//! `tools/list` gives for it, and refusals with the code that fits, which keep it too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use appliance::{access::principal::Audience, tools::catalog};
use events::device::Capability;
use serde_json::{Value, json};

use crate::{
    catalogue::{
        rows::{AHEAD, ROWS, Row},
        stage::{RELEASES, Stage},
        wrong::{self, Wrong},
    },
    house::{As, House},
    protocol::{Called, Client},
    schema::{self, breaches},
};

/// What one tool did on one release.
#[derive(Default)]
struct Cell {
    refusals: BTreeMap<(&'static str, String), u32>,
    bytes: usize,
}

/// Everybody who calls.
struct Callers<'a> {
    agent: Client<'a>,
    /// May only read.
    reader: Client<'a>,
    /// May touch devices of `prod` only.
    elsewhere: Client<'a>,
}

/// A token for somebody.
fn token(house: &House, role: &str, environments: &[&str]) -> String {
    let params = json!({ "label": format!("{role} {environments:?}"), "role": role, "environments": environments,
        "device_scopes": ["*"] });
    house.call(As::Admin, "token_create", &params)["token"].as_str().unwrap().to_owned()
}

fn held(mistakes: &mut Vec<String>, schema: &Value, value: &Value, at: &str, how: schema::As) {
    mistakes.extend(breaches(schema, value, at, how));
}

/// Holds a refusal against what it should be.
fn refused(
    mistakes: &mut Vec<String>,
    cell: &mut Cell,
    listed: &Value,
    what: &'static str,
    at: &str,
    expected: &str,
    called: &Called,
) {
    held(mistakes, &listed["outputSchema"], &called.value, at, schema::As::Client);
    if !called.failed || called.code() != expected {
        mistakes.push(format!("{at}: {what} should be `{expected}`, is {}", called.value));
    }
    let message = called.value["message"].as_str().unwrap_or_default();
    if message.is_empty() || !called.said.contains(message) {
        mistakes.push(format!("{at}: {what}: the text for people is `{}`", called.said));
    }
    *cell.refusals.entry((what, called.code().to_owned())).or_default() += 1;
}

/// One tool on one release.
fn play(
    row: &Row,
    stage: &Stage,
    listed: &Value,
    at: usize,
    callers: &Callers,
    mistakes: &mut Vec<String>,
) -> (Cell, Value) {
    let (tool, release) = (row.tool, RELEASES[at].0);
    let place = format!("{tool} on {release}");
    let mut cell = Cell::default();
    let params = (row.params)(stage);
    let writes = stage.house.writes(stage.n);
    let called = callers.agent.call(tool, &params);
    if called.failed {
        mistakes.push(format!("{place}: {params} should succeed: {}", called.value));
    }
    cell.bytes = called.value.to_string().len();
    held(mistakes, &listed["outputSchema"], &called.value, &place, schema::As::Client);
    held(
        mistakes,
        &(catalog::find(tool).unwrap().output_schema)(),
        &called.value,
        &place,
        schema::As::Author,
    );
    if called.said.is_empty() || called.said.len() > 300 || called.said.contains(char::is_control) {
        mistakes.push(format!("{place}: the text for people is `{}`", called.said));
    }
    if let Some((list, rows)) = row.list {
        let found = called.value[list].as_array().map_or(0, Vec::len);
        let wanted = rows.map_or(found.max(1), |rows| rows[at]);
        if found != wanted || called.value["total_count"] != found {
            mistakes
                .push(format!("{place}: {found} rows of {wanted}, total {}", called.value["total_count"]));
        }
    }
    let reads = listed["annotations"]["readOnlyHint"] == true;
    if reads && stage.house.writes(stage.n) != writes {
        mistakes.push(format!("{place}: a read changed the router"));
    }

    let (writes, asked) = (stage.house.writes(stage.n), stage.asked());
    let device = wrong::of_device(&params);
    let names_device = device.is_some();
    for Wrong { what, field, params, code } in
        wrong::of_schema(&(catalog::find(tool).unwrap().input_schema)(), &params).into_iter().chain(device)
    {
        let called = callers.agent.call(tool, &params);
        refused(mistakes, &mut cell, listed, what, &format!("{place} {params}"), code, &called);
        let named = called.value["details"]["field"].as_str().unwrap_or_default();
        let item = named.strip_prefix(field.as_str()).is_some_and(|rest| rest.starts_with('['));
        if named != field && !item {
            mistakes.push(format!("{place} {params}: `{field}` is not named: {}", called.value));
        }
    }
    if names_device {
        let called = callers.elsewhere.call(tool, &params);
        refused(mistakes, &mut cell, listed, "environment", &place, "environment_denied", &called);
    }
    if !reads {
        let called = callers.reader.call(tool, &params);
        refused(mistakes, &mut cell, listed, "role", &place, "role_required", &called);
    }
    if stage.asked() != asked {
        mistakes.push(format!("{place}: a refusal that needs no router asked one"));
    }
    for (more, code) in (row.refused)(stage, &params) {
        let mut params = params.clone();
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let called = callers.agent.call(tool, &params);
        refused(mistakes, &mut cell, listed, "own", &format!("{place} {params}"), code, &called);
    }
    if stage.house.writes(stage.n) != writes {
        mistakes.push(format!("{place}: a refusal changed the router"));
    }
    (cell, params)
}

/// What a device that allows nothing refuses.
fn forbid(
    stage: &Stage,
    all: &BTreeMap<&str, Value>,
    asked: &BTreeMap<&'static str, Value>,
    at: usize,
    agent: &Client,
    cells: &mut Cells,
    mistakes: &mut Vec<String>,
) {
    stage.allow(&[]);
    for (tool, params) in asked {
        if all[tool]["annotations"]["readOnlyHint"] == true || wrong::of_device(params).is_none() {
            continue;
        }
        let called = agent.call(tool, params);
        let cell = cells.get_mut(tool).unwrap();
        let place = format!("{tool} on {}", RELEASES[at].0);
        refused(mistakes, &mut cell[at], &all[tool], "capability", &place, "capability_missing", &called);
    }
    let capabilities: Vec<&str> = Capability::ALL.iter().map(|capability| capability.as_str()).collect();
    stage.allow(&capabilities);
}

type Cells = BTreeMap<&'static str, [Cell; 4]>;

/// Tools by releases, for people.
fn shown(cells: &Cells) -> String {
    let mut text =
        format!("| tool | {} | refusals on each |\n", RELEASES.map(|(release, _)| release).join(" | "));
    text.push_str("|---|---|---|---|---|---|\n");
    let (mut calls, mut refusals) = (0, 0);
    for row in ROWS.iter().filter(|row| cells.contains_key(row.tool)) {
        let cells = &cells[row.tool];
        let sizes: Vec<String> = cells.iter().map(|cell| format!("ok, {} B", cell.bytes)).collect();
        let words = cells[0].refusals.iter().map(|((what, code), n)| format!("{what} {n}× `{code}`"));
        let words: Vec<String> = words.collect();
        writeln!(text, "| {} | {} | {} |", row.tool, sizes.join(" | "), words.join(", ")).unwrap();
        calls += cells.len();
        refusals += cells.iter().flat_map(|cell| cell.refusals.values()).sum::<u32>();
    }
    writeln!(text, "\n{} tools, {calls} answers, {refusals} refusals.", cells.len()).unwrap();
    text
}

#[test]
fn every_tool_for_agents_has_a_row_and_every_row_a_tool() {
    let rows: Vec<&str> = ROWS.iter().map(|row| row.tool).collect();
    let tools: Vec<&str> = catalog::all()
        .filter(|def| def.spec.demand.audience == Audience::Everyone)
        .map(|def| def.spec.name)
        .collect();
    let set = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(set(&rows).len(), rows.len(), "a tool has two rows");
    let without: Vec<_> = set(&tools).difference(&set(&rows)).copied().collect();
    assert!(without.is_empty(), "tools without a row in tests/it/catalogue/rows.rs: {without:?}");
    let ahead: Vec<_> = set(&rows).difference(&set(&tools)).copied().collect();
    assert_eq!(ahead, set(AHEAD).into_iter().collect::<Vec<_>>(), "rows without a tool are those of AHEAD");
}

#[test]
fn every_tool_answers_and_refuses_on_every_release_through_the_protocol() {
    let house = House::start(12);
    let reader = token(&house, "read_only", &["lab", "staging", "prod"]);
    let elsewhere = token(&house, "ops_rw", &["prod"]);
    let mut mistakes = Vec::new();
    let rows = || ROWS.iter().filter(|row| !AHEAD.contains(&row.tool));
    let mut cells: Cells = rows().map(|row| (row.tool, Default::default())).collect();
    let mut lists = Vec::new();
    for (at, (_, n)) in RELEASES.into_iter().enumerate() {
        // Both eras of the protocol, in turns.
        let agent = if at % 2 == 0 {
            Client::session(&house, As::Agent)
        } else {
            Client::stateless(&house, As::Agent)
        };
        let callers =
            Callers { agent, reader: Client::of(&house, &reader), elsewhere: Client::of(&house, &elsewhere) };
        let stage = Stage { house: &house, agent: &callers.agent, n, device: house.device(n) };
        let listed = callers.agent.tools();
        let all: BTreeMap<&str, Value> =
            listed.iter().map(|tool| (tool["name"].as_str().unwrap(), tool.clone())).collect();
        let capabilities: Vec<&str> = Capability::ALL.iter().map(|capability| capability.as_str()).collect();
        stage.allow(&capabilities);
        let readable: BTreeSet<String> =
            callers.reader.tools().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
        let mut asked = BTreeMap::new();
        for row in rows() {
            let Some(listed) = all.get(row.tool) else {
                mistakes.push(format!("{} is not listed", row.tool));
                continue;
            };
            if readable.contains(row.tool) != (listed["annotations"]["readOnlyHint"] == true) {
                mistakes.push(format!("{}: whoever only reads should see reads only", row.tool));
            }
            let (cell, params) = play(row, &stage, listed, at, &callers, &mut mistakes);
            cells.get_mut(row.tool).unwrap()[at] = cell;
            asked.insert(row.tool, params);
        }
        forbid(&stage, &all, &asked, at, &callers.agent, &mut cells, &mut mistakes);
        lists.push(listed);
    }
    assert!(lists.windows(2).all(|two| two[0] == two[1]), "both eras list the same tools");
    for (tool, cells) in &cells {
        for (cell, (release, _)) in cells.iter().zip(RELEASES) {
            let kinds = cell.refusals.len();
            assert!(!mistakes.is_empty() || kinds >= 2, "{tool} on {release} refuses in {kinds} ways only");
        }
    }
    let table = shown(&cells);
    println!("{table}");
    if let Some(file) = std::env::var_os("APPLIANCE_TABLE") {
        std::fs::write(file, &table).unwrap();
    }
    assert!(mistakes.is_empty(), "{} mistakes:\n{}", mistakes.len(), mistakes.join("\n"));
}
