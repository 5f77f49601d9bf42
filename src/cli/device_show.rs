//! `device show`: what is on record of a router, and what it can do.

use serde_json::{Value, json};

use crate::{
    cli::{Common, client::Client, out},
    failure::Failure,
};

pub(super) async fn run(common: &Common, device_id: &str) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let client = Client::open(common).await?;
    let params = json!({ "device_id": device_id });
    let outcome = async {
        let mut shown = client.call("device_show", params.clone()).await?;
        let waiting = out::bar(common, "asking the router");
        let abilities = client.call("device_abilities", params).await;
        waiting.finish_and_clear();
        shown["abilities"] = abilities?;
        Ok::<_, Failure>(shown)
    }
    .await;
    client.close().await?;
    out::show(common, &outcome?, people)?;
    Ok(0)
}

fn people(shown: &Value) -> String {
    let mut record = shown.clone();
    let abilities = record.as_object_mut().and_then(|fields| fields.remove("abilities")).unwrap_or_default();
    format!("{}\n\n{}", out::fields(&record), can(&abilities))
}

/// What it can do, and which releases have what it lacks.
fn can(abilities: &Value) -> String {
    let said =
        if abilities["answered"] == true { "told now" } else { "on record; the router was not reached" };
    let mut lines = vec![format!("What it can do ({said})")];
    let mut line = |name: &str, text: String| lines.push(format!("  {name:12}{text}"));
    if let Some(code) = abilities["failure"]["code"].as_str() {
        let hint = abilities["failure"]["hint"].as_str().map_or_else(String::new, |hint| format!("; {hint}"));
        line("not told", format!("{code}: {}{hint}", out::cell(&abilities["failure"]["message"])));
    }
    let or = |value: &Value, otherwise: &str| {
        let text = out::cell(value);
        if text.is_empty() { otherwise.to_owned() } else { text }
    };
    let old = if abilities["release_supported"] == false { " (older than any with REST)" } else { "" };
    line("release", format!("{}{old}", or(&abilities["routeros_version"], "not known yet")));
    line("board", or(&abilities["hardware_model"], "not known yet"));
    line("packages", packages(&abilities["packages"]));
    line("device-mode", device_mode(&abilities["device_mode"]));
    let tools = abilities["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let count = |word: &str| tools.iter().filter(|tool| tool["supported"] == word).count();
    let words = [("yes", "in full"), ("partly", "in part"), ("no", "not"), ("unknown", "not known")];
    let counts = words.map(|(word, says)| (count(word), says));
    let counts: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, says)| format!("{n} {says}")).collect();
    line("tools", counts.join(", "));
    for tool in tools.iter().filter(|tool| tool["supported"] != "yes") {
        let name = out::cell(&tool["tool"]);
        lines.push(format!("    {name} ({}): {}", out::cell(&tool["supported"]), lacks(&tool["lacks"])));
    }
    lines.join("\n")
}

fn packages(packages: &Value) -> String {
    let Some(packages) = packages.as_array() else { return "not known".into() };
    let shown = packages.iter().map(|package| {
        let off = if package["disabled"] == true { " (off)" } else { "" };
        format!("{}{off}", out::cell(&package["name"]))
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn device_mode(mode: &Value) -> String {
    if mode.is_null() {
        return "not known".into();
    }
    let flagged =
        if mode["flagged"] == true { ", flagged: more is blocked until confirmed at the box" } else { "" };
    let blocked = out::cell(&mode["blocked"]);
    let blocked = if blocked.is_empty() { "blocks nothing".to_owned() } else { format!("blocks {blocked}") };
    format!("{}{flagged}; {blocked}", out::cell(&mode["mode"]))
}

/// What is missing, with the menus that are missing for one reason together.
fn lacks(lacks: &Value) -> String {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for lack in lacks.as_array().into_iter().flatten() {
        let needs = match (lack["needs"].as_str().unwrap_or_default(), lack["certain"] == true) {
            ("", _) => String::new(),
            (needs, true) => format!(", {needs}"),
            (needs, false) => format!(", {needs}: not known"),
        };
        let reason = format!("{}{needs}", out::cell(&lack["releases"]));
        let what = match lack["property"].as_str() {
            Some(property) => format!("`{property}` of {}", out::cell(&lack["menu"])),
            None => out::cell(&lack["menu"]),
        };
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, all)) => all.push(what),
            None => reasons.push((reason, vec![what])),
        }
    }
    let shown = reasons.into_iter().map(|(reason, what)| format!("{} is in {reason}", what.join(", ")));
    shown.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_for_one_reason_stands_together() {
        let lack = |menu: &str, property: Option<&str>, releases: &str, needs: &str, certain: bool| {
            json!({
            "menu": menu, "property": property, "releases": releases, "needs": needs, "certain": certain })
        };
        let all = json!([
            lack("/a", None, "RouterOS 7.1 to 7.12.2", "package x", true),
            lack("/b", None, "RouterOS 7.1 to 7.12.2", "package x", true),
            lack("/c", None, "RouterOS 7.1 and newer", "hardware only", false),
            lack("/d", Some("e"), "RouterOS 7.17 and newer", "", true),
        ]);
        assert_eq!(
            lacks(&all),
            "/a, /b is in RouterOS 7.1 to 7.12.2, package x; /c is in RouterOS 7.1 and newer, hardware only: not known; \
             `e` of /d is in RouterOS 7.17 and newer"
        );
        assert_eq!(lacks(&json!([])), "");
    }
}
