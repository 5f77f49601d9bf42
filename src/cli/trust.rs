//! `device trust`: a person compares a router's key with what the router itself says, and confirms it.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Common, client::Client, out, usage},
    failure::{Code, Failure},
};

#[derive(Debug, Args)]
pub(super) struct Trust {
    /// Id or name.
    device_id: String,
    /// The SHA-256 of its public key, compared by you with the router's own: nobody is asked. Colons are fine.
    #[arg(long, value_name = "HEX", group = "rule")]
    fingerprint: Option<String>,
    /// A certificate authority of the configuration instead of one key.
    #[arg(long, group = "rule", requires = "server_name")]
    ca: Option<String>,
    /// The name its certificate must carry.
    #[arg(long, requires = "ca")]
    server_name: Option<String>,
    /// No encryption at all.
    #[arg(long, group = "rule")]
    plain_http: bool,
}

/// The key that a box shows. No login is sent.
pub(super) async fn look(client: &Client, address: &str, port: u16) -> Result<String, Failure> {
    let params = json!({ "address": address, "port": port, "tls": true });
    let seen = client.call("device_probe", params).await?;
    seen["spki_sha256"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(Code::DeviceGarbled, format!("the box at {address}:{port} shows no key")))
}

/// Shows a key and asks whether it is the router's.
pub(super) async fn confirm(address: &str, port: u16, key: &str) -> Result<(), Failure> {
    out::talk(&format!(
        "The box at {address}:{port} shows this key (SHA-256 of its public key):\n  {key}\nCompare it with the \
         router's own: /certificate print detail, or over a cable you trust."
    ));
    if !out::is_terminal() {
        return Err(usage("nobody can be asked here; nothing was trusted and no login was sent").hint(
            "when you have compared it, give it with `--fingerprint HEX` (`device add`: `--trust-spki HEX`)",
        ));
    }
    if out::ask("Is it the same? Type yes:").await? == "yes" {
        return Ok(());
    }
    Err(usage("nothing was trusted; no login was sent"))
}

/// 64 lower-case hex digits, whatever stood between them.
fn digits(text: &str) -> Result<String, Failure> {
    let bare: String =
        text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect::<String>().to_ascii_lowercase();
    let bare = bare.strip_prefix("sha256").unwrap_or(&bare).to_owned();
    if bare.len() == 64 && bare.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(bare);
    }
    Err(Failure::param("fingerprint", "64 hex digits: the SHA-256 of the router's public key"))
}

/// Why a router is in quarantine, and what that means.
fn explain(shown: &Value, seen: &str) {
    let id = out::cell(&shown["device_id"]);
    let old = out::cell(&shown["trust"]["spki_pin"]["sha256"]);
    out::talk(&format!(
        "{id} is in quarantine since {}: it showed another key than the confirmed one. No login is sent to it and \
         nothing is read or changed until a person confirms a key.\n  confirmed before  {old}\n  shown instead     {seen}\n\
         A new certificate or a replaced router is harmless; anybody in between shows another key too.",
        out::cell(&shown["status_since"]),
    ));
}

async fn rule(client: &Client, args: &Trust) -> Result<Value, Failure> {
    if args.plain_http {
        return Ok(json!({ "plain_http": true }));
    }
    if let (Some(ca), Some(name)) = (&args.ca, &args.server_name) {
        return Ok(json!({ "ca": ca, "server_name": name }));
    }
    let given = args.fingerprint.as_deref().map(digits).transpose()?;
    let shown = client.call("device_show", json!({ "device_id": args.device_id })).await?;
    let address = out::cell(&shown["management_ip"]);
    let port = shown["management_port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(443);
    if let Some(seen) = shown["quarantined"].as_str() {
        explain(&shown, seen);
    }
    let seen = look(client, &address, port).await;
    if let Some(given) = given {
        return match seen {
            Ok(key) if key != given => Err(Failure::new(
                Code::TlsMismatch,
                format!("the box at {address}:{port} shows another key than the given one: {key}"),
            )
            .hint("nothing was trusted; find out which box that is")),
            // Whatever answers there later gets a login only if it has this key.
            Err(failure) if failure.code == Code::DeviceUnreachable => {
                out::talk(&format!("{address}:{port} does not answer now; the key is kept for when it does"));
                Ok(json!({ "spki_sha256": given }))
            }
            Err(failure) => Err(failure),
            Ok(_) => Ok(json!({ "spki_sha256": given })),
        };
    }
    let key = seen?;
    confirm(&address, port, &key).await?;
    Ok(json!({ "spki_sha256": key }))
}

pub(super) async fn run(common: &Common, args: Trust) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    if let Some(text) = &args.fingerprint {
        digits(text)?;
    }
    let client = Client::open(common).await?;
    let outcome = async {
        let rule = rule(&client, &args).await?;
        client.call("device_trust", json!({ "device_id": args.device_id, "trust": rule })).await
    }
    .await;
    client.close().await?;
    out::show(common, &outcome?, |answer| format!("{} is trusted", out::cell(&answer["device_id"])))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_people_write_them() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        for text in [&plain, &colons, &format!("SHA256:{colons}"), &plain.to_uppercase()] {
            assert_eq!(digits(text).unwrap(), plain);
        }
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
            assert!(digits(text).is_err(), "{text}");
        }
    }
}
