//! Commands of a few lines each.

use std::sync::Arc;
use std::time::Duration;

use crate::answer::{Answer, Refusal};
use crate::commands::Done;
use crate::commands::traffic::{Span, endless, span};
use crate::router::Device;
use crate::spec::Menu;
use crate::state::{Actor, Note};
use crate::table::Record;
use crate::values::parse_time;
use crate::writes::{self, Args, take};

/// The rest of the table; `None` for generic words.
pub fn run(device: &Arc<Device>, path: &str, word: &str, mut args: Args, actor: &Actor) -> Option<Done> {
    let write =
        |work: &mut dyn FnMut() -> Done| if actor.may("write") { work() } else { Err(Refusal::denied()) };
    let now = device.now();
    let done = Ok((Answer::Done, true));
    Some(match (path, word) {
        ("/ip/dns/cache", "flush") => write(&mut || {
            let mut state = device.state();
            state.table_mut("/ip/dns/cache").rows.retain(|row| row.is("static"));
            state.log("system,info", "dns cache flushed", now);
            done.clone()
        }),
        ("/log", "info" | "warning" | "error" | "debug") => write(&mut || {
            let message = take(&mut args, "message").unwrap_or_default();
            device.state().log(topics(word), &message, now);
            done.clone()
        }),
        ("/", "undo") => write(&mut || device.state().undo().map(|()| (Answer::Done, true))),
        ("/", "redo") => write(&mut || device.state().redo().map(|()| (Answer::Done, true))),
        ("/safe-mode", "take") => {
            write(&mut || device.state().take_safe_mode(&actor.user).map(|()| (Answer::Done, true)))
        }
        ("/safe-mode", "release" | "unroll") => write(&mut || {
            device.state().leave_safe_mode(word == "release");
            done.clone()
        }),
        ("/ip/dhcp-server/lease", "make-static") => write(&mut || make_static(device, args.clone(), actor)),
        (_, "reset-counters" | "reset-counters-all") => {
            write(&mut || reset_counters(device, path, word, args.clone()))
        }
        ("/system/package", _) => write(&mut || schedule_package(device, word, args.clone(), actor)),
        (_, "release" | "renew" | "provision" | "upgrade" | "check-status" | "expire-password") => {
            write(&mut || done.clone())
        }
        ("/system/backup", "load") => reboot(device, actor),
        _ => return None,
    })
}

fn topics(word: &str) -> &'static str {
    match word {
        "warning" => "script,warning",
        "error" => "script,error",
        "debug" => "script,debug",
        _ => "script,info",
    }
}

fn chosen(args: &mut Args) -> Result<String, Refusal> {
    let by_id = take(args, ".id");
    by_id.or_else(|| take(args, "numbers")).ok_or_else(|| Refusal::bad("no such item"))
}

fn make_static(device: &Arc<Device>, mut args: Args, actor: &Actor) -> Done {
    let now = device.now();
    let mut state = device.state();
    let menu = state.catalogue.menu("/ip/dhcp-server/lease").ok_or_else(Refusal::missing)?;
    let who = chosen(&mut args)?;
    state.change(actor, now, |state| {
        for id in writes::targets(state, menu, &who)? {
            if let Some(row) = state.table_mut(menu.path).row_mut(id) {
                row.set("dynamic", "false");
            }
        }
        Ok(((), Note { action: "dhcp lease changed".to_owned(), ..Note::default() }))
    })?;
    Ok((Answer::Done, true))
}

fn reset_counters(device: &Arc<Device>, path: &str, word: &str, mut args: Args) -> Done {
    let mut state = device.state();
    let menu = state.catalogue.menu(path).ok_or_else(Refusal::missing)?;
    let ids = if word == "reset-counters-all" {
        state.table(menu.path).rows.iter().map(|row| row.id).collect()
    } else {
        let who = chosen(&mut args)?;
        writes::targets(&mut state, menu, &who)?
    };
    if menu.path.starts_with("/ip/firewall") {
        for id in ids {
            if let Some(row) = state.table_mut(menu.path).row_mut(id) {
                row.set("bytes", "0");
                row.set("packets", "0");
            }
        }
    }
    Ok((Answer::Done, true))
}

/// Package changes wait for a reboot (or, from 7.18, for apply-changes).
fn schedule_package(device: &Arc<Device>, word: &str, mut args: Args, actor: &Actor) -> Done {
    let now = device.now();
    let mut state = device.state();
    let menu = state.catalogue.menu("/system/package").ok_or_else(Refusal::missing)?;
    let plan = match word {
        "unschedule" => "",
        "disable" => "scheduled for disable",
        "enable" => "scheduled for enable",
        "uninstall" => "scheduled for uninstall",
        _ => return Ok((Answer::Done, true)),
    };
    let who = chosen(&mut args)?;
    state.change(actor, now, |state| {
        for id in writes::targets(state, menu, &who)? {
            if let Some(row) = state.table_mut(menu.path).row_mut(id) {
                row.set("scheduled", plan);
            }
        }
        Ok(((), Note { action: "package scheduled".to_owned(), ..Note::default() }))
    })?;
    Ok((Answer::Done, true))
}

/// Link details; `once` or a duration, as with all monitors.
pub async fn monitor(device: &Arc<Device>, menu: &'static Menu, mut args: Args) -> Done {
    let who = chosen(&mut args)?;
    let rows = {
        let mut state = device.state();
        let ids = writes::targets(&mut state, menu, &who)?;
        let table = state.table(menu.path).clone();
        ids.iter().filter_map(|id| table.row(*id).cloned()).collect::<Vec<_>>()
    };
    let look = |row: &Arc<Record>| {
        let up = row.is("running") || row.is("forwarding");
        let shown =
            Record::loose().with("name", row.get("name").or(row.get("interface")).unwrap_or("").to_owned());
        match menu.path {
            "/interface/ethernet" => shown
                .with("status", if up { "link-ok" } else { "no-link" })
                .with("rate", row.get("speed").unwrap_or("1Gbps").to_owned())
                .with("full-duplex", "true")
                .with("auto-negotiation", "done"),
            "/interface/bridge" => {
                shown.with("state", "enabled").with("root-bridge", "true").with("port-count", "4")
            }
            _ => {
                shown.with("status", row.text("status").to_owned()).with("role", row.text("role").to_owned())
            }
        }
    };
    match span(&mut args)? {
        Span::Endless => endless(device).await,
        Span::Once => Ok((Answer::Rows(rows.iter().map(|row| Arc::new(look(row))).collect()), false)),
        Span::Seconds(seconds) => {
            let mut all = Vec::new();
            for second in 0..seconds {
                device.clock.sleep(Duration::from_secs(1)).await;
                all.extend(rows.iter().map(|row| Arc::new(look(row).with(".section", second.to_string()))));
            }
            Ok((Answer::Rows(all), false))
        }
    }
}

/// Nothing is ever newer than what is installed.
pub async fn check_for_updates(device: &Arc<Device>, mut args: Args) -> Done {
    span(&mut args)?;
    let version = device.profile.version();
    let channel = {
        let mut state = device.state();
        let table = state.table("/system/package/update");
        table.rows.first().map_or("stable", |row| row.text("channel")).to_owned()
    };
    device.clock.sleep(Duration::from_secs(1)).await;
    let row = |section: &'static str, status: &'static str| {
        Record::loose()
            .with(".section", section)
            .with("channel", channel.clone())
            .with("installed-version", version)
            .with("status", status)
    };
    let rows = vec![
        Arc::new(row("0", "finding out latest version...")),
        Arc::new(row("1", "System is already up to date").with("latest-version", version)),
    ];
    Ok((Answer::Rows(rows), false))
}

/// Fetches nothing, politely.
pub async fn fetch(device: &Arc<Device>, mut args: Args) -> Done {
    if !device.state().mode_allows("fetch") {
        return Err(Refusal::device_mode());
    }
    if take(&mut args, "url").is_none() && take(&mut args, "address").is_none() {
        return Err(Refusal::bad("missing value(s) of argument(s) url"));
    }
    device.clock.sleep(Duration::from_secs(1)).await;
    let row = Record::loose().with(".section", "0").with("status", "finished").with("downloaded", "1");
    Ok((Answer::Rows(vec![Arc::new(row)]), false))
}

/// Answers first, then goes down.
pub fn reboot(device: &Arc<Device>, actor: &Actor) -> Done {
    if !actor.may("reboot") {
        return Err(Refusal::denied());
    }
    let device = Arc::clone(device);
    tokio::spawn(async move {
        device.clock.sleep(Duration::from_secs(1)).await;
        let down = device.options.reboot_takes.div_f64(device.options.clock_scale);
        device.reboots.send_replace(Some(down));
    });
    Ok((Answer::Done, true))
}

/// Waits for a finger on the button that never comes.
pub async fn device_mode(device: &Arc<Device>, mut args: Args) -> Done {
    let wait = take(&mut args, "activation-timeout").and_then(|text| parse_time(&text));
    device.clock.sleep(wait.unwrap_or(Duration::from_secs(300))).await;
    Err(Refusal::bad("failure: update canceled"))
}
