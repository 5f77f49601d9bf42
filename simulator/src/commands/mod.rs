//! Commands that are more than a change of rows: probes, files, scripts, reboots.
//!
//! The table of them; each family has its own file.

mod check;
mod console;
mod export;
mod expression;
mod files;
mod jobs;
mod menus;
mod pattern;
mod probes;
mod schedule;
mod script;
mod small;
mod traffic;
mod value;

use std::sync::Arc;

use crate::answer::{Answer, Refusal};
use crate::body::Body;
use crate::router::Device;
use crate::spec::Menu;
use crate::state::Actor;
use crate::writes::Args;

pub use jobs::end as end_job;
pub use probes::answers;
pub use schedule::{plan as plan_schedule, resume as resume_schedule, watch as watch_schedule};

/// The answer and whether anything changed.
pub type Done = Result<(Answer, bool), Refusal>;

/// Words that any command takes besides its own.
const COMMON: [&str; 9] = [
    ".id",
    "numbers",
    ".tag",
    "as-value",
    "without-paging",
    "once",
    "interval",
    "duration",
    "freeze-frame-interval",
];

/// Runs a special command; `None` if the word is one of the generic ones.
pub async fn run(
    device: &Arc<Device>,
    menu: &'static Menu,
    word: &str,
    body: &Body,
    actor: &Actor,
) -> Option<Done> {
    let known = menu.command(word).unwrap_or_default();
    let stray = |args: &Args| {
        args.iter()
            .find(|(key, _)| !known.contains(&key.as_str()) && !COMMON.contains(&key.as_str()))
            .cloned()
    };
    let args = body.args.clone();
    let special =
        !matches!(word, "add" | "set" | "remove" | "enable" | "disable" | "comment" | "move" | "unset");
    if special && let Some((name, _)) = stray(&args) {
        return Some(Err(Refusal::bad(format!("unknown parameter {name}"))));
    }
    Some(match (menu.path, word) {
        ("/" | "/tool", "ping") => test(actor, probes::ping(device, args)).await,
        ("/tool", "traceroute") => test(actor, probes::traceroute(device, args)).await,
        ("/tool", "bandwidth-test") => test(actor, traffic::bandwidth_test(device, args)).await,
        ("/tool", "fetch") => test(actor, small::fetch(device, args)).await,
        ("/interface", "monitor-traffic") => traffic::monitor(device, args).await,
        ("/interface/ethernet" | "/interface/bridge" | "/interface/bridge/port", "monitor") => {
            small::monitor(device, menu, args).await
        }
        ("/system/package/update", "check-for-updates") => small::check_for_updates(device, args).await,
        ("/", "execute") => jobs::execute(device, args, actor).await,
        ("/system/script", "run") => jobs::run_script(device, args, actor).await,
        ("/", "export") => files::export(device, args, actor),
        ("/system/backup", "save") => files::backup(device, args, actor),
        ("/file", "read") => files::read(device, args, actor),
        ("/user/ssh-keys", "import") => files::import_key(device, menu, args, actor),
        ("/system", "reboot" | "shutdown") => small::reboot(device, actor),
        ("/system/device-mode", "update") => small::device_mode(device, args).await,
        (path, word) => return small::run(device, path, word, args, actor),
    })
}

/// Probes need the policy `test`.
async fn test(actor: &Actor, work: impl Future<Output = Done>) -> Done {
    if !actor.may("test") {
        return Err(Refusal::denied());
    }
    work.await
}
