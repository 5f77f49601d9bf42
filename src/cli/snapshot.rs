//! `snapshot`: saved folds. They only make a start quicker; deleting them is always safe.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    appliance::config::Store,
    cli::{Common, out},
    domain::plan::hex,
    failure::Failure,
};

#[derive(Debug, Subcommand)]
pub(super) enum Snapshot {
    /// What is saved, newest first, and whether each is whole.
    List,
}

/// Every snapshot file, newest first. `seq` and `root` are there when it is whole.
pub(super) fn listed(store: &Store) -> Vec<Value> {
    let folder = store.snapshots();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".snapshot"))
        .collect();
    names.sort();
    names.reverse();
    let saved = snapshots::Store::new(&folder);
    names
        .into_iter()
        .map(|name| {
            let place: Option<u64> = name.strip_suffix(".snapshot").and_then(|place| place.parse().ok());
            let whole = place.and_then(|place| {
                saved.newest_up_to(events::ids::Seq(place)).filter(|found| found.seq.0 == place)
            });
            let path = folder.join(&name);
            let bytes = std::fs::metadata(&path).map_or(0, |found| found.len());
            json!({
                "seq": place, "whole": whole.is_some(), "bytes": bytes,
                "root": whole.map(|found| hex(&found.root)), "file": path,
            })
        })
        .collect()
}

pub(super) fn run(common: &Common, command: &Snapshot) -> Result<u8, Failure> {
    let Snapshot::List = command;
    common.start_log("error", false)?;
    let found = listed(&common.load()?.store);
    let value = json!({ "snapshots": found });
    out::show(common, &value, |value| {
        if found.is_empty() {
            return "no snapshot is saved; the next start reads the whole log".into();
        }
        out::table(
            &value["snapshots"],
            &[("seq", "seq"), ("whole", "whole"), ("bytes", "bytes"), ("root", "root")],
        )
    })?;
    Ok(0)
}
