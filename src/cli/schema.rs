//! `appliance schema`: what the product is made of, as data.

use std::collections::BTreeMap;

use clap::Subcommand;

use crate::{
    cli::{Common, out},
    failure::{Code, Failure},
    routeros::compat::EndpointRow,
    tools::{catalog, tool::ToolDef},
};

#[derive(Debug, Subcommand)]
pub(super) enum Schema {
    /// Every RouterOS command that the product can send, as tab-separated values.
    Endpoints,
    /// Every tool with the whole schemas of its parameters and answers, and the older names, as JSON.
    Tools {
        /// Only this tool; older names are understood.
        name: Option<String>,
    },
}

pub(super) fn run(common: &Common, command: &Schema) -> Result<u8, Failure> {
    match command {
        Schema::Endpoints => {
            let mut rows: Vec<EndpointRow> = catalog::all()
                .flat_map(|def| catalog::endpoints(def).flat_map(|endpoint| endpoint.rows(def.spec.name)))
                .collect();
            // What two plans of a topic send is one command of the tool that starts them.
            let mut seen = std::collections::HashSet::new();
            rows.retain(|row| seen.insert(row.clone()));
            out::show(common, &serde_json::json!(rows), |_| table(&rows))?;
        }
        Schema::Tools { name: None } => {
            let tools: Vec<_> = catalog::all().map(ToolDef::described).collect();
            let aliases: BTreeMap<_, _> = catalog::aliases().collect();
            document(&serde_json::json!({ "tools": tools, "aliases": aliases }))?;
        }
        Schema::Tools { name: Some(name) } => {
            let def = catalog::find(&catalog::canonical(name));
            let unknown = || {
                Failure::new(Code::UnknownTool, format!("there is no tool `{name}`"))
                    .hint("`appliance schema tools` has all")
            };
            document(&def.ok_or_else(unknown)?.described())?;
        }
    }
    Ok(0)
}

/// Schemas are JSON, whoever reads them.
fn document(value: &serde_json::Value) -> Result<(), Failure> {
    out::data(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Columns in the order of the header; an empty list of properties is a dash.
fn table(rows: &[EndpointRow]) -> String {
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let lines = rows.iter().map(|row| {
        [
            row.tool.clone(),
            row.method.to_owned(),
            row.path.clone(),
            dash(&row.request),
            dash(&row.response),
            row.min_version.clone(),
            row.max_version.clone(),
            row.note.clone(),
        ]
        .join("\t")
    });
    let header = "tool\tmethod\tpath\trequest\tresponse\tmin_version\tmax_version\tnote".to_owned();
    std::iter::once(header).chain(lines).collect::<Vec<_>>().join("\n")
}
