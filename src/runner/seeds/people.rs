//! People around a job: a whim now and then, and somebody who brings it to an end.

use std::time::Duration;

use events::{
    device::Trust,
    ids::{DeviceId, JobId},
    job::{Direction, JobStatus},
    operation::Action,
    plan::{Origin, Plan},
};
use tokio::time::Instant;

use crate::{
    domain::{
        Command,
        job::JobState,
        testing::{agent, alice, job_id, plan_id, step_id},
    },
    failure::Code,
    runner::{
        Desk as _,
        seeds::{
            plans::Happening,
            router::{ONE, RULES},
            stage::Stage,
        },
    },
};

/// What happens by itself. Wishes may be refused: the rules say when.
pub(super) fn happen(stage: &Stage, happening: &Happening) {
    stage.tell(|| format!("it happens: {happening:?}"));
    let jobs: Vec<JobId> = stage.scene().state.jobs.keys().copied().collect();
    set_scene(stage, happening);
    match happening {
        Happening::Rekey(device_id) => {
            let trust = Trust::SpkiPin { sha256: "ab".repeat(32) };
            let _ = stage.submit_now(&alice(), Command::TrustDevice { device_id: device_id.clone(), trust });
        }
        Happening::Cancel => {
            for job_id in jobs {
                cancel(stage, job_id);
                // Twice is once.
                cancel(stage, job_id);
            }
        }
        Happening::Rival => rival(stage),
        _ => {}
    }
}

/// Somebody else wants a router that a job holds: it is refused, whatever the job does meanwhile.
fn rival(stage: &Stage) {
    let plan = {
        let scene = stage.scene();
        let plan = &scene.state.plans[&plan_id(1)].plan;
        let part = plan.waves.iter().flatten().next_back().expect("a plan has devices").clone();
        if scene.state.jobs.get(&job_id(1)).is_none_or(|job| job.status.is_over()) {
            return;
        }
        Plan { plan_id: plan_id(3), waves: vec![vec![part]], ..Plan::clone(plan) }
    };
    let step_ids = (0..plan.waves[0][0].operations.len()).map(|n| step_id(3000 + n as u128)).collect();
    let start =
        Command::StartJob { plan_id: plan.plan_id, job_id: job_id(3), step_ids, approval_token_sha256: None };
    let propose = Command::ProposePlan {
        plan: Box::new(plan),
        approval_token_sha256: String::new(),
        policy: Some("immediate_writes:lab".to_owned()),
        origin: Origin::default(),
    };
    if stage.submit_now(&agent(), propose).is_err() {
        return;
    }
    let code = stage.submit_now(&agent(), start).err().map(|failure| failure.code);
    let expected = [Code::DeviceInJob, Code::PlanStale, Code::StorageUnavailable, Code::OutcomeUnknown];
    if code.is_none_or(|code| !expected.contains(&code)) {
        stage.scene().checker.fault(format!("a start on a device that a job holds ended with {code:?}"));
    }
    stage.scene().checker.figures.count("starts on a device that a job holds");
}

/// What it means for routers, store and clock.
fn set_scene(stage: &Stage, happening: &Happening) {
    let now = Instant::now();
    let scene = &mut *stage.scene();
    let devices: Vec<DeviceId> = scene.routers.keys().cloned().collect();
    devices.iter().for_each(|device_id| scene.tick(stage.begun(), device_id));
    match happening {
        Happening::Silent(device_id, long) => {
            let long = long.map_or(Duration::from_secs(400 * 86_400), Duration::from_secs);
            let router = scene.routers.get_mut(device_id).unwrap();
            router.silent_until = router.silent_until.max(now + long);
        }
        Happening::Reboot(device_id) => {
            let takes = Duration::from_secs(scene.rng.between(5, 90));
            let scripts = u32::try_from(scene.rng.between(0, 5)).unwrap();
            scene.routers.get_mut(device_id).unwrap().reboot(now, takes, scripts);
        }
        Happening::Edit(device_id) => {
            let edit = match scene.rng.between(0, 2) {
                0 => Action::SetSingleton {
                    menu: ONE.to_owned(),
                    properties: vec![("a".to_owned(), "203.0.113.7".to_owned())],
                },
                _ => Action::Add {
                    menu: RULES.to_owned(),
                    properties: vec![("comment".to_owned(), "by somebody".to_owned())],
                },
            };
            let router = scene.routers.get_mut(device_id).unwrap();
            (router.touched, router.odd) = (true, true);
            let _ = router.write(&edit, now, Duration::ZERO);
        }
        Happening::StoreAway(long, kept) => {
            scene.store_away = Some((now + Duration::from_secs(*long), *kept));
        }
        Happening::Clock(by) => {
            scene.clock_off_s += by;
            scene.checker.clock_set = true;
        }
        Happening::Rekey(_) | Happening::Cancel | Happening::Rival => {}
    }
}

fn cancel(stage: &Stage, job_id: JobId) -> bool {
    stage.submit_now(&agent(), Command::CancelJob { job_id, reason: "enough".into() }).is_ok()
}

fn direct(stage: &Stage, job_id: JobId, direction: Direction) -> bool {
    let command = Command::DirectJob { job_id, direction, reason: "I have looked".into() };
    stage.submit_now(&alice(), command).is_ok()
}

/// One decision without thinking.
pub(super) fn whim(stage: &Stage, job: &JobState) {
    let devices: Vec<DeviceId> = job.steps.iter().map(|step| step.layout.device_id.clone()).collect();
    let (word, device_id) = {
        let mut scene = stage.scene();
        (scene.rng.between(0, 6), scene.rng.pick(&devices))
    };
    let job_id = job.job_id;
    let _ = match word {
        0 | 1 => direct(stage, job_id, Direction::Retry),
        2 => direct(stage, job_id, Direction::Skip(device_id)),
        3 => direct(stage, job_id, Direction::RollBack),
        4 => direct(stage, job_id, Direction::Resume),
        _ => cancel(stage, job_id),
    };
}

/// One step towards an end: cancel; where that is refused, leave a device alone that keeps it from ending.
pub(super) fn conclude(stage: &Stage, job_id: JobId) {
    let Some((job, _)) = stage.job(job_id) else { return };
    if !matches!(job.status, JobStatus::Halted | JobStatus::Stuck) {
        cancel(stage, job_id);
        return;
    }
    if !job.rolling_back && cancel(stage, job_id) {
        return;
    }
    let devices: Vec<DeviceId> = job.steps.iter().map(|step| step.layout.device_id.clone()).collect();
    let silent = |id: &DeviceId| !stage.scene().routers[id].answers(Instant::now());
    let open = |id: &DeviceId| job.steps_of(id).any(|step| step.is_unsettled() || step.is_on_router());
    let odd = |id: &DeviceId| job.steps_of(id).any(|step| step.status == events::job::StepStatus::Diverged);
    let wanted = devices.iter().filter(|id| !job.skipped.contains(*id));
    let mut wanted: Vec<&DeviceId> = wanted.collect();
    wanted.sort_by_key(|id| (!odd(id), !silent(id), !open(id)));
    for device_id in wanted {
        if direct(stage, job_id, Direction::Skip(device_id.clone())) {
            return;
        }
    }
    let _ = direct(stage, job_id, Direction::RollBack) || cancel(stage, job_id);
}
