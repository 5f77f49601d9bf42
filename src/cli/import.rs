//! `device import`: many routers from a table, previewed by the very checks that adding makes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::{
    cli::{Common, client::Client, device, out, usage},
    failure::{Code, Failure},
};

const COLUMNS: [&str; 8] =
    ["device_id", "address", "name", "port", "environment", "tags", "allow", "spki_sha256"];

#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Columns: device_id, address, and optionally name, port, environment, tags (`a=b;c=d`), allow (`x;y`), spki_sha256.
    Csv(Csv),
}

#[derive(Debug, Args)]
pub(super) struct Csv {
    /// The file: comma-separated, UTF-8, with a first line that names the columns.
    file: PathBuf,
    /// Do it; without this only what would be done is shown.
    #[arg(long)]
    yes: bool,
    /// Add the rows that can be added although others are refused (then the exit code is 5).
    #[arg(long)]
    skip_refused: bool,
    /// Environment of rows that name none: lab, staging or prod.
    #[arg(long)]
    environment: Option<String>,
    /// The router user that reads, on all of them. Passwords never come from the table.
    #[arg(long)]
    username: Option<String>,
    /// File with that user's password (`-`: standard input); asked for on a terminal.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
}

/// A row of the table with the line it begins on.
struct Row {
    line: u64,
    fields: Result<BTreeMap<String, String>, String>,
}

/// The parameters that a row means.
fn params(row: &BTreeMap<String, String>, environment: Option<&str>) -> Result<Map<String, Value>, String> {
    let get = |key: &str| row.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let mut params = Map::new();
    params.insert("device_id".into(), get("device_id").ok_or("no device_id")?.into());
    params.insert("management_ip".into(), get("address").ok_or("no address")?.into());
    let environment = get("environment").or(environment);
    let environment =
        environment.ok_or("no environment: lab, staging or prod (or `--environment` for all)")?;
    params.insert("environment".into(), environment.into());
    if let Some(name) = get("name") {
        params.insert("name".into(), name.into());
    }
    if let Some(port) = get("port") {
        let port: u16 = port.parse().map_err(|_| format!("port `{port}`: needs 1–65535"))?;
        params.insert("management_port".into(), port.into());
    }
    if let Some(tags) = get("tags") {
        let pairs = tags.split(';').map(|tag| {
            tag.split_once('=')
                .map(|(k, v)| (k.trim().to_owned(), Value::from(v.trim())))
                .ok_or_else(|| format!("tag `{tag}`: needs key=value"))
        });
        params.insert("tags".into(), Value::Object(pairs.collect::<Result<_, _>>()?));
    }
    if let Some(allow) = get("allow") {
        params.insert("allow".into(), allow.split(';').map(str::trim).collect::<Vec<_>>().into());
    }
    if let Some(sha256) = get("spki_sha256") {
        params.insert("trust".into(), json!({ "spki_sha256": sha256 }));
    }
    Ok(params)
}

fn read(file: &Path) -> Result<Vec<Row>, Failure> {
    let bytes = std::fs::read(file).map_err(|error| {
        let code =
            if error.kind() == std::io::ErrorKind::NotFound { Code::NotFound } else { Code::InvalidParams };
        Failure::new(code, format!("{} cannot be read: {error}", file.display()))
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        usage(format!("{} is not UTF-8 from byte {} on", file.display(), error.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = |error: csv::Error| usage(format!("{}: {error}", file.display()));
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(wrong)?.clone();
    check_headers(&headers)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields = if record.len() == headers.len() {
            Ok(headers.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect())
        } else {
            Err(format!("has {} fields, the first line names {}", record.len(), headers.len()))
        };
        rows.push(Row { line, fields });
    }
    if rows.is_empty() {
        return Err(usage(format!("{} has no rows", file.display())));
    }
    Ok(rows)
}

fn check_headers(headers: &csv::StringRecord) -> Result<(), Failure> {
    if headers.is_empty() {
        return Err(usage("the table is empty: it has no rows and names no columns"));
    }
    if headers.len() == 1 && headers[0].contains(';') {
        return Err(usage("columns are separated by commas, not by semicolons"));
    }
    for (at, header) in headers.iter().enumerate() {
        if !COLUMNS.contains(&header) {
            return Err(usage(format!(
                "`{header}` is no column; columns are {}. Passwords never come from a table.",
                COLUMNS.join(", ")
            )));
        }
        if headers.iter().take(at).any(|earlier| earlier == header) {
            return Err(usage(format!("the column `{header}` is there twice")));
        }
    }
    for needed in ["device_id", "address"] {
        if !headers.iter().any(|header| header == needed) {
            return Err(usage(format!("the column `{needed}` is missing")));
        }
    }
    Ok(())
}

/// What rows before this one have taken: ids, names and addresses, with their lines.
#[derive(Default)]
struct Taken(BTreeMap<String, u64>);

impl Taken {
    /// Says which earlier row is in the way; the rules are those of the store (unique ids and names, one name space).
    fn take(&mut self, params: &Map<String, Value>, line: u64) -> Result<(), String> {
        let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
        let id = text("device_id");
        let name = params.get("name").and_then(Value::as_str).unwrap_or(id);
        let port = params.get("management_port").and_then(Value::as_u64).unwrap_or(443);
        let place = format!("{}:{port}", text("management_ip"));
        let mut keys = vec![format!("name {id}"), format!("place {place}")];
        if name != id {
            keys.push(format!("name {name}"));
        }
        for key in &keys {
            if let Some(earlier) = self.0.get(key) {
                let what = key.split_once(' ').map_or(key.as_str(), |(_, what)| what);
                return Err(format!("`{what}` is taken by line {earlier} of this table"));
            }
        }
        self.0.extend(keys.into_iter().map(|key| (key, line)));
        Ok(())
    }
}

/// What became of a row.
struct Outcome {
    line: u64,
    device_id: String,
    /// The parameters of a row that can be added, or why not.
    checked: Result<Map<String, Value>, String>,
}

async fn check(client: &Client, rows: &[Row], args: &Csv) -> Result<Vec<Outcome>, Failure> {
    let mut taken = Taken::default();
    let mut outcomes = Vec::new();
    for row in rows {
        let fields = row.fields.as_ref().map_err(Clone::clone);
        let device_id = fields.as_ref().ok().and_then(|f| f.get("device_id").cloned()).unwrap_or_default();
        let mut checked = fields.and_then(|fields| params(fields, args.environment.as_deref()));
        if let Ok(params) = &checked {
            let mut dry = params.clone();
            dry.insert("dry_run".into(), true.into());
            match client.call("device_add", Value::Object(dry)).await {
                Ok(_) => {
                    if let Err(why) = taken.take(params, row.line) {
                        checked = Err(why);
                    }
                }
                // What is wrong with a row is the row's; everything else ends the import.
                Err(failure)
                    if matches!(
                        failure.code,
                        Code::InvalidParams
                            | Code::AlreadyExists
                            | Code::EnvironmentDenied
                            | Code::DeviceOutOfScope
                    ) =>
                {
                    checked = Err(failure.say.into_owned());
                }
                Err(failure) => return Err(failure),
            }
        }
        outcomes.push(Outcome { line: row.line, device_id, checked });
    }
    Ok(outcomes)
}

pub(super) async fn run(common: &Common, Import::Csv(args): Import) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let rows = read(&args.file)?;
    let password = device::secret(args.password_file.as_ref(), args.username.as_ref())?;
    let client = Client::open(common).await?;
    let outcome = import(common, &client, &rows, &args, password).await;
    client.close().await?;
    let (value, code) = outcome?;
    out::show(common, &value, |value| {
        out::table(
            &value["rows"],
            &[("line", "line"), ("device", "device_id"), ("result", "result"), ("why", "why")],
        )
    })?;
    let refused = value["refused"].as_u64().unwrap_or(0);
    if refused > 0 && !(args.yes && args.skip_refused) {
        out::talk("nothing was added: mend the refused rows, or add the others with --yes --skip-refused");
    } else if !args.yes {
        out::talk("nothing was added yet: --yes does it");
    }
    Ok(code)
}

async fn import(
    common: &Common,
    client: &Client,
    rows: &[Row],
    args: &Csv,
    password: Option<String>,
) -> Result<(Value, u8), Failure> {
    let outcomes = check(client, rows, args).await?;
    let bad = outcomes.iter().filter(|outcome| outcome.checked.is_err()).count();
    let go = args.yes && (bad == 0 || args.skip_refused);
    let bar = out::bar(common, "importing");
    bar.set_length(rows.len() as u64);
    let (mut shown, mut added, mut refused) = (Vec::new(), 0usize, 0usize);
    for Outcome { line, device_id, checked } in outcomes {
        let result = match checked {
            Err(why) => Err(why),
            Ok(_) if !go => Ok("would be added"),
            Ok(mut params) => {
                if let (Some(user), Some(password)) = (&args.username, &password) {
                    params.insert("username".into(), user.as_str().into());
                    params.insert("password".into(), password.as_str().into());
                }
                match client.call("device_add", Value::Object(params)).await {
                    Ok(_) => Ok("added"),
                    // An interruption, or a store that went away: what was added stays, and is told.
                    Err(failure) => Err(failure.say.into_owned()),
                }
            }
        };
        match &result {
            Ok("added") => added += 1,
            Ok(_) => {}
            Err(_) => refused += 1,
        }
        let (result, why) = result.map_or_else(|why| ("refused", why), |done| (done, String::new()));
        shown.push(json!({ "line": line, "device_id": device_id, "result": result, "why": why }));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let code = match (refused, added) {
        (0, _) => 0,
        (_, 0) => Code::AlreadyExists.exit_code(),
        _ => 5,
    };
    Ok((json!({ "rows": shown, "added": added, "refused": refused, "done": go }), code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_row_is_a_device() {
        let row = row(&[
            ("device_id", "r1"),
            ("address", "192.0.2.1"),
            ("tags", "site=a;role=core"),
            ("allow", "advanced_writes"),
        ]);
        let params = params(&row, Some("lab")).unwrap();
        assert_eq!(params["tags"], json!({ "site": "a", "role": "core" }));
        assert_eq!((&params["environment"], &params["allow"]), (&json!("lab"), &json!(["advanced_writes"])));
    }

    #[test]
    fn rows_that_make_no_sense_say_why() {
        for (pairs, why) in [
            (vec![("address", "192.0.2.1")], "device_id"),
            (vec![("device_id", "r1")], "address"),
            (vec![("device_id", "r1"), ("address", "a"), ("port", "x")], "port"),
            (vec![("device_id", "r1"), ("address", "a"), ("tags", "x")], "tag"),
        ] {
            assert!(params(&row(&pairs), Some("lab")).unwrap_err().contains(why), "{why}");
        }
        let no_environment = row(&[("device_id", "r1"), ("address", "a")]);
        assert!(params(&no_environment, None).unwrap_err().contains("environment"), "never guessed");
    }
}
