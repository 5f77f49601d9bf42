//! Chooses the timed undo of a device's part: what its router allows is read while the plan is made.

use events::{
    device::Purpose,
    operation::Operation,
    plan::{DeadMan, GatePolicy, Rollout},
};

use crate::{
    changes::dead_man::{DeadManChoice, armed, inverse, rung, seconds},
    domain::device::Device,
    engine::clock,
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        resources::{
            Reading, device_mode::DeviceMode, scheduler::Scheduler, script_job::ScriptJob, user::RouterUser,
            user_group::UserGroup,
        },
    },
    tools::context::Router,
};

/// A clock may take so long to be synchronised with new servers (the gate waits for it), in seconds.
const NTP_PATIENCE_S: u32 = 600;

/// What choosing, arming and disarming a timed undo sends, by whatever tool the risky operations come from.
pub(super) const USES: [Endpoint; 9] = [
    Endpoint::print::<DeviceMode>(),
    Endpoint::print::<RouterUser>(),
    Endpoint::print::<UserGroup>(),
    Endpoint::act("/execute", &["script"]),
    Endpoint::print::<ScriptJob>(),
    Endpoint::remove(<ScriptJob as Reading>::MENU),
    Endpoint::add(<Scheduler as Reading>::MENU, &["name", "interval", "on-event", "policy"]),
    Endpoint::print::<Scheduler>(),
    Endpoint::remove(<Scheduler as Reading>::MENU),
];

/// The timed undo that a device's operations need, as its router allows it.
///
/// # Errors
/// When the router cannot be read. What it does not let us read counts as not allowed.
pub(super) async fn dead_man(
    router: &Router<'_>,
    device: &Device,
    operations: &[Operation],
    seconds: u32,
) -> Result<DeadManChoice, Failure> {
    if operations.iter().all(|operation| operation.risky.is_none()) {
        return Ok(DeadManChoice::NotNeeded);
    }
    // What has no script needs no reading.
    if let Err(why) = inverse(operations) {
        return Ok(DeadManChoice::None { why });
    }
    let mode = if_any(router.read::<DeviceMode>().await)?;
    let policies = own_policies(router, device).await?;
    let rung = rung(mode.as_ref(), policies.as_deref());
    // The plan's own id is not known yet; what counts is that no two entries are of one name.
    let label = format!("{:08x}-{:.32}", clock::random() & 0xFFFF_FFFF, device.device_id.as_str());
    Ok(match armed(operations, rung, seconds, &label) {
        Ok(dead_man) => DeadManChoice::Armable(dead_man),
        Err(why) => DeadManChoice::None { why },
    })
}

/// When the timed undos of a wave are due: its operations are those of its busiest device.
pub(super) fn deadline(floor: u32, rollout: &Rollout, operations: usize, devices_in_wave: usize) -> u32 {
    let ntp = rollout.gate.as_ref().is_some_and(|gate| gate.ntp);
    let soak = rollout.soak_seconds + if ntp { NTP_PATIENCE_S } else { 0 };
    seconds(floor, soak, operations, devices_in_wave)
}

/// What a choice means for a plan: the undo to arm, or a reason of high risk when the caller does without.
///
/// # Errors
/// `unsafe_operation` when an operation is risky, nothing can be armed, and the caller did not say to do without.
pub(super) fn decide(
    choice: DeadManChoice,
    device: &Device,
    without_dead_man: bool,
) -> Result<(Option<DeadMan>, Option<String>), Failure> {
    match choice {
        DeadManChoice::NotNeeded => Ok((None, None)),
        DeadManChoice::Armable(dead_man) => Ok((Some(dead_man), None)),
        DeadManChoice::None { why } if without_dead_man => {
            Ok((None, Some(format!("nothing on the router undoes it if it cuts us off: {why}"))))
        }
        DeadManChoice::None { why } => Err(Failure::new(
            Code::UnsafeOperation,
            format!("it may cut our own way, and no timed undo can be armed on the router: {why}"),
        )
        .hint("`without_dead_man=true` asks the approver to do without one; docs/dead-man.md has the exceptions")
        .details(serde_json::json!({ "field": "without_dead_man" }))
        .device(&device.device_id)),
    }
}

/// A change of one device that is risky is looked at three times, over connections of their own, before its undo is disarmed.
pub(super) fn watched(dead_man: Option<&DeadMan>) -> Rollout {
    Rollout { gate: dead_man.map(|_| GatePolicy::default()), ..Rollout::default() }
}

/// The policies of the user that writes, as the router tells them to the one that reads.
async fn own_policies(router: &Router<'_>, device: &Device) -> Result<Option<String>, Failure> {
    let login = device.credentials.get(&Purpose::Write).or_else(|| device.credentials.get(&Purpose::Read));
    let Some((_, name)) = login else { return Ok(None) };
    let users = if_any(router.records::<RouterUser>(&[("name", name)]).await)?.unwrap_or_default();
    let Some(user) = users.into_iter().find(|user| user.name.expose() == name) else { return Ok(None) };
    let group = user.group.expose();
    let groups = if_any(router.records::<UserGroup>(&[("name", group)]).await)?.unwrap_or_default();
    let group = groups.into_iter().find(|found| found.name.expose() == group);
    Ok(group.map(|group| group.policy.expose().to_owned()))
}

/// What a router refuses to tell, or does not have, is none; that it does not answer is a failure.
pub(super) fn if_any<T>(read: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(failure)
            if matches!(
                failure.code,
                Code::DeviceUnsupported | Code::DeviceForbidden | Code::DeviceRefused
            ) =>
        {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}
