//! `token`.

use clap::Subcommand;
use serde_json::json;

use crate::{
    cli::{Common, client::Client, out},
    failure::Failure,
};

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token; it is shown once.
    Create {
        /// read_only, ops_rw, admin or approver.
        #[arg(long)]
        role: String,
        /// The person or program it is for.
        #[arg(long)]
        label: String,
        /// It stands for a named person (needed for approvers).
        #[arg(long)]
        personal: bool,
        /// Environments it may touch.
        #[arg(long, value_delimiter = ',', default_value = "lab,staging,prod")]
        environments: Vec<String>,
        /// Devices it may touch: ids, `group:NAME` (the tag `group`), `tag:key=value`, or `*`.
        #[arg(long, value_delimiter = ',', default_value = "*")]
        devices: Vec<String>,
        /// Days until it ends (1–366).
        #[arg(long, default_value_t = 90)]
        expires_days: u32,
    },
    /// List tokens, never their secrets.
    List,
    /// End a token at once.
    Revoke {
        /// `tok_…`
        token_id: String,
    },
}

pub(super) async fn run(common: &Common, command: Token) -> Result<u8, Failure> {
    match command {
        Token::Create { role, label, personal, environments, devices, expires_days } => {
            let personal = personal || role == "approver";
            let params = json!({
                "role": role, "label": label, "personal": personal, "environments": environments,
                "device_scopes": devices, "expires_days": expires_days,
            });
            let made = Client::once(common, "token_create", params).await?;
            out::show(common, &made, |made| {
                format!(
                    "{}\n\n{} ({}) until {}\nThe token is shown once.",
                    out::cell(&made["token"]),
                    out::cell(&made["label"]),
                    out::cell(&made["role"]),
                    out::cell(&made["expires_at"])
                )
            })?;
        }
        Token::List => {
            let answer = Client::list(common, "token_list", json!({}), "tokens", None).await?;
            out::show(common, &answer, |answer| {
                out::table(
                    &answer["tokens"],
                    &[
                        ("id", "token_id"),
                        ("label", "label"),
                        ("role", "role"),
                        ("status", "status"),
                        ("expires", "expires_at"),
                        ("environments", "environments"),
                        ("devices", "device_scopes"),
                    ],
                )
            })?;
        }
        Token::Revoke { token_id } => {
            let answer = Client::once(common, "token_revoke", json!({ "token_id": token_id })).await?;
            out::show(common, &answer, |_| format!("{token_id} is revoked"))?;
        }
    }
    Ok(0)
}
