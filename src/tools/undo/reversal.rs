//! What plans that reverse others have in common: computed from what those left, held against the routers as they are now.

use std::collections::BTreeMap;

use events::{
    device::Environment,
    ids::{DeviceId, PlanId},
    operation::Operation,
    plan::{DeadMan, DevicePart, Plan, Precheck, Rollout, Rung},
};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::{
    changes::{
        Refused,
        dead_man::{DeadManChoice, armed},
        invert, plan_risk,
    },
    domain::{
        device::Device,
        job::{bound_sha256, part_of},
        undo,
    },
    engine::clock,
    failure::{Code, Failure},
    tools::{catalog, context::Cx, dead_man, undo::guards},
};

/// Routers are read so many at a time.
const AT_ONCE: usize = 8;

/// What a look at a router showed.
enum Look {
    /// As the plans left it.
    AsLeft,
    /// Somebody changed the menu since.
    Changed(String),
    /// As the plans left it, and what reverses them would surely cut our own way now.
    Cuts(Refused),
    /// It cannot be read now.
    Unread(Failure),
}

/// The parts of a plan that reverses others (the newest first), wave by wave. A router that cannot be read stays among
/// them: the job goes on past it, and the plan is not wholly rolled back then.
///
/// # Errors
/// As [`undo::reversal`]; `plan_stale` with the list of routers that are not as the plans left them; `unsafe_operation` with
/// the list of those whose way back would surely cut our own way, and where it may and no timed undo can be armed;
/// `device_in_job`.
pub(super) async fn parts(
    cx: &Cx,
    undoes: &[PlanId],
    environment: Environment,
    rollout: &Rollout,
) -> Result<Vec<Vec<DevicePart>>, Failure> {
    let (waves, devices) = cx.view(|views| {
        let waves = undo::reversal(&views.state, undoes)?;
        let mut devices: BTreeMap<DeviceId, Device> = BTreeMap::new();
        for (device_id, _) in waves.iter().flatten() {
            let device = views.state.device(device_id)?;
            if let Some(holder) = views.state.leases.get(device_id) {
                return Err(Failure::new(
                    Code::DeviceInJob,
                    format!("device `{device_id}` is held by {holder}"),
                )
                .details(json!({ "job_id": holder }))
                .device(device_id));
            }
            devices.insert(device_id.clone(), device.clone());
        }
        Ok::<_, Failure>((waves, devices))
    })?;
    let wanted: Vec<(DeviceId, Vec<Operation>)> = waves.iter().flatten().cloned().collect();
    let risky = wanted.iter().flat_map(|(_, operations)| operations).any(|one| one.risky.is_some());
    let rollout = &undo::watched(rollout, risky);
    let busiest = wanted.iter().map(|(_, operations)| operations.len()).max().unwrap_or(1);
    let widest = waves.iter().map(Vec::len).max().unwrap_or(1);
    let seconds = dead_man::deadline(cx.policy().rollouts.dead_man_seconds, rollout, busiest, widest);
    let total = f64::from(u32::try_from(wanted.len()).unwrap_or(u32::MAX));
    let there = &devices;
    let looking = wanted.into_iter().map(|(id, operations)| async move {
        let look = match there.get(&id) {
            Some(device) => look(cx, device, &operations).await,
            None => Err(Failure::new(Code::UnknownDevice, format!("device `{id}` was removed"))),
        };
        (id, look)
    });
    let mut looking = futures_util::stream::iter(looking).buffered(AT_ONCE);
    let mut looks: BTreeMap<DeviceId, Look> = BTreeMap::new();
    while let Some((device_id, look)) = looking.next().await {
        looks.insert(device_id, look?);
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand devices")]
        cx.progress(looks.len() as f64, Some(total), "looked at the routers as they are now");
    }
    drop(looking);
    let changed: Vec<_> = looks
        .iter()
        .filter_map(|(id, look)| match look {
            Look::Changed(menu) => Some(json!({ "device_id": id, "menu": menu })),
            _ => None,
        })
        .collect();
    if let Some(first) = looks.iter().find_map(|(id, look)| matches!(look, Look::Changed(_)).then_some(id)) {
        return Err(Failure::new(
            Code::PlanStale,
            format!(
                "{} of {} devices are not as they were left, `{first}` for one: nothing is undone blindly",
                changed.len(),
                looks.len()
            ),
        )
        .hint("object_history tells who changed what; undo the newer change first, or plan the state that you want")
        .details(json!({ "devices": changed }))
        .device(first));
    }
    refuse_what_cuts(&looks)?;
    let mut timed: BTreeMap<DeviceId, (Option<DeadMan>, Option<String>)> = BTreeMap::new();
    for (device_id, operations) in waves.iter().flatten() {
        let Some(device) = devices.get(device_id) else { continue };
        let router = cx.router(device_id);
        let choice = match looks.get(device_id) {
            Some(Look::Unread(_)) => as_before(cx, undoes, device_id, operations, seconds),
            _ => dead_man::dead_man(&router, device, operations, seconds).await?,
        };
        timed.insert(device_id.clone(), dead_man::decide(choice, device, rollout.without_dead_man)?);
    }
    let mut parts = Vec::new();
    for wave in waves {
        let mut of_wave = Vec::new();
        for (device_id, operations) in wave {
            let Some(device) = devices.get(&device_id) else { continue };
            let check = match looks.get(&device_id) {
                Some(Look::Unread(failure)) => Precheck {
                    check: "reachable".to_owned(),
                    passed: false,
                    note: format!("could not be read when this was planned: {}", failure.code),
                },
                _ => Precheck {
                    check: "as_left".to_owned(),
                    passed: true,
                    note: "is as the plan left it".to_owned(),
                },
            };
            let (dead_man, without) = timed.remove(&device_id).unwrap_or_default();
            let mut high: Vec<String> = Vec::new();
            for why in operations.iter().filter_map(|operation| operation.risky.as_ref()).chain(&without) {
                if !high.contains(why) {
                    high.push(why.clone());
                }
            }
            let warnings: Vec<String> = Some(&check)
                .filter(|check| !check.passed)
                .map(|check| check.note.clone())
                .into_iter()
                .collect();
            of_wave.push(DevicePart {
                device_id,
                operations,
                risk: plan_risk(environment, &high, &warnings),
                bound_sha256: bound_sha256(device),
                checks: vec![check],
                dead_man,
            });
        }
        parts.push(of_wave);
    }
    Ok(parts)
}

/// No way back that surely cuts our own.
fn refuse_what_cuts(looks: &BTreeMap<DeviceId, Look>) -> Result<(), Failure> {
    let cuts: Vec<(&DeviceId, &Refused)> = looks
        .iter()
        .filter_map(|(id, look)| match look {
            Look::Cuts(refused) => Some((id, refused)),
            _ => None,
        })
        .collect();
    let Some((device_id, refused)) = cuts.first() else { return Ok(()) };
    let failure = Failure::from((*refused).clone());
    let devices: Vec<_> =
        cuts.iter().map(|(id, why)| json!({ "device_id": id, "reason": why.say })).collect();
    let say = format!("the way back would cut our own way to `{device_id}` as it is now: {}", failure.say);
    Err(Failure { say: say.into(), ..failure }
        .hint("give the router another way to let us in first, then roll back; object_history tells who changed what")
        .details(json!({ "devices": devices }))
        .device(device_id))
}

/// The timed undo of a router that cannot be read now: by the means that it allowed when the plans were made, else by the
/// one that needs least; the job arms it before it sends anything, or sends nothing.
fn as_before(
    cx: &Cx,
    undoes: &[PlanId],
    device_id: &DeviceId,
    operations: &[Operation],
    seconds: u32,
) -> DeadManChoice {
    if operations.iter().all(|operation| operation.risky.is_none()) {
        return DeadManChoice::NotNeeded;
    }
    let rung = cx.view(|views| {
        let plans = undoes.iter().filter_map(|id| views.state.plans.get(id));
        plans.filter_map(|plan| Some(part_of(&plan.plan, device_id)?.dead_man.as_ref()?.rung)).next()
    });
    let rung = rung.unwrap_or(Rung::TimerJob);
    let label = format!("{:08x}-{:.32}", clock::random() & 0xFFFF_FFFF, device_id.as_str());
    match armed(operations, rung, seconds, &label) {
        Ok(dead_man) => DeadManChoice::Armable(dead_man),
        Err(why) => DeadManChoice::None { why },
    }
}

/// Who undoes a change may make it, on devices that still allow it.
///
/// # Errors
/// The first rule that says no, by its code; `conflict` when the tool that made the plan is no more.
pub(in crate::tools) fn may_change(cx: &Cx, original: &Plan) -> Result<(), Failure> {
    let Some(def) = catalog::find(&original.tool) else {
        return Err(Failure::new(Code::Conflict, "the tool that made this plan is no more")
            .hint("plan the state that you want"));
    };
    let demand = &def.spec.demand;
    for part in original.waves.iter().flatten() {
        let device = cx.view(|views| views.state.device(&part.device_id).cloned())?;
        cx.principal().admit(demand, &[&device])?;
        cx.policy().admit_topic(demand, &device)?;
    }
    Ok(())
}

/// Holds operations against a router as it is now.
async fn look(cx: &Cx, device: &Device, operations: &[Operation]) -> Result<Look, Failure> {
    let unread = |failure: Failure| match failure.code {
        Code::Cancelled | Code::Bug | Code::StorageUnavailable => Err(failure),
        _ => Ok(Look::Unread(failure)),
    };
    let router = cx.router(&device.device_id);
    let mut read = BTreeMap::new();
    for (menu, filters) in invert::readings(operations) {
        match router.read_back(&menu, filters).await {
            Ok(rows) => {
                read.insert(menu, rows);
            }
            Err(failure) => return unread(failure),
        }
    }
    if let Some(operation) = invert::first_misfit(operations, &read) {
        return Ok(Look::Changed(operation.expect_before.menu.clone()));
    }
    match guards::refusal(cx, device, operations, &read).await {
        Ok(Some(refused)) => Ok(Look::Cuts(refused)),
        Ok(None) => Ok(Look::AsLeft),
        Err(failure) => unread(failure),
    }
}
