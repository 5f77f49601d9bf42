//! execute: scripts that are waited for, and jobs that outlive the request.
//!
//! A job's statements apply one by one under the box's lock, so ending a job never leaves half a statement.

use std::sync::Arc;

use crate::answer::{Answer, Refusal};
use crate::commands::Done;
use crate::commands::console::Console;
use crate::router::Device;
use crate::state::{Actor, Job, State};
use crate::table::parse_id;
use crate::values::show_date_time;
use crate::writes::{Args, take};

/// Runs a script. With `as-string` the output comes back, and so does a refusal — with status 200.
pub async fn execute(device: &Arc<Device>, mut args: Args, actor: &Actor) -> Done {
    if !actor.may("write") {
        return Err(Refusal::denied());
    }
    let script =
        take(&mut args, "script").ok_or_else(|| Refusal::bad("missing value(s) of argument(s) script"))?;
    // Counts whatever its value.
    if take(&mut args, "as-string").is_some() {
        let before = device.state().generation();
        let mut console = Console::new(Arc::clone(device), actor.clone());
        let ret = match console.run(&script).await {
            Ok(()) => console.output.trim_end().to_owned(),
            Err(fault) => format!("{}{fault}", console.output),
        };
        let changed = device.state().generation() != before;
        return Ok((Answer::Ret(ret), changed));
    }
    let id = start(device, script, actor, Origin::default());
    Ok((Answer::Ret(format!("*{id:X}")), true))
}

/// Runs a stored script and waits for it.
pub async fn run_script(device: &Arc<Device>, mut args: Args, actor: &Actor) -> Done {
    let who =
        take(&mut args, "number").or_else(|| take(&mut args, "numbers")).or_else(|| take(&mut args, ".id"));
    let who = who.ok_or_else(|| Refusal::bad("no such item"))?;
    let found = {
        let mut state = device.state();
        let table = state.table("/system/script");
        table.named(&who).or_else(|| parse_id(&who).and_then(|id| table.row(id))).cloned()
    };
    let script = found.ok_or_else(Refusal::missing)?;
    let mut console = Console::new(Arc::clone(device), actor.clone());
    console.run(script.text("source")).await.map_err(Refusal::bad)?;
    Ok((Answer::Done, true))
}

/// Where a job comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The stored script that it runs, by name.
    pub script: Option<String>,
    /// The job that started it.
    pub parent: Option<u64>,
}

/// Starts a job and lists it. It lives as long as its script and the power: no connection and no login is asked.
pub fn start(device: &Arc<Device>, script: String, actor: &Actor, origin: Origin) -> u64 {
    let now = device.now();
    let console = Console::new(Arc::clone(device), actor.clone());
    let mut state = device.state();
    state.last_job += 1;
    state.jobs_begun += 1;
    let (id, serial) = (state.last_job, state.jobs_begun);
    // What a power cut interrupts begins nothing any more.
    if !*device.up.borrow() {
        return id;
    }
    let job = Job {
        serial,
        owner: actor.user.clone(),
        policies: actor.policies.clone(),
        started: show_date_time(now.unix_s),
        script: origin.script,
        parent: origin.parent,
        task: None,
    };
    state.jobs.insert(id, job);
    let mut console = console.of_job(id);
    let box_ = Arc::clone(device);
    // The task cannot finish before it is listed: it needs the lock we hold.
    let task = tokio::spawn(async move {
        let outcome = console.run(&script).await;
        let now = box_.now();
        let mut state = box_.state();
        let listed = state.jobs.get(&id).is_some_and(|job| job.serial == serial);
        if listed {
            state.jobs.remove(&id);
        }
        if let Err(fault) = outcome
            && listed
        {
            state.log("script,error", &format!("executing script failed: {fault}"), now);
        }
    });
    if let Some(job) = state.jobs.get_mut(&id) {
        job.task = Some(task.abort_handle());
    }
    id
}

/// Ends a job by its id; a second time there is nothing to end.
pub fn end(state: &mut State, who: &str) -> Result<(), Refusal> {
    for part in who.split(',') {
        let id = parse_id(part).ok_or_else(Refusal::missing)?;
        let job = state.jobs.remove(&id).ok_or_else(Refusal::missing)?;
        if let Some(task) = job.task {
            task.abort();
        }
    }
    Ok(())
}
