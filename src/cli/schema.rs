//! `appliance schema`: what the product is made of, as data.

use clap::Subcommand;

use crate::{
    cli::{Common, out},
    failure::Failure,
    routeros::compat::EndpointRow,
    tools::catalog,
};

#[derive(Debug, Subcommand)]
pub(super) enum Schema {
    /// Every RouterOS command that the product can send, as tab-separated values.
    Endpoints,
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
    }
    Ok(0)
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
