//! Laws that hold for any sequence of wishes.

use std::collections::BTreeMap;

use events::{
    device::Environment,
    event::Event,
    ids::{DeviceId, StepId},
    job::{JobStatus, StepSettled, StepStatus},
};
use proptest::prelude::*;

use crate::domain::{
    Command,
    testing::{Given, added, agent, device_id, dns_plan, given, job_id, plan_id, step_id},
};

/// Any wish about one job on two routers, sensible or not.
fn any_wish() -> impl Strategy<Value = Command> {
    let step = 1u128..=2;
    let step_status = prop::sample::select(vec![
        StepStatus::Applied,
        StepStatus::NotApplied,
        StepStatus::Refused,
        StepStatus::InDoubt,
        StepStatus::Diverged,
        StepStatus::Undone,
        StepStatus::Waiting,
        StepStatus::Started,
    ]);
    let job_status = prop::sample::select(vec![
        JobStatus::Running,
        JobStatus::Completed,
        JobStatus::Failed,
        JobStatus::Cancelled,
        JobStatus::RollingBack,
        JobStatus::RolledBack,
        JobStatus::Stuck,
        JobStatus::Halted,
    ]);
    prop_oneof![
        4 => (step.clone(), any::<bool>()).prop_map(|(n, undo)| Command::BeginStep {
            job_id: job_id(1), step_id: step_id(n), undo, operation_sha256: "h".into(),
        }),
        4 => (step, step_status).prop_map(|(n, status)| Command::SettleStep(StepSettled {
            job_id: job_id(1),
            step_id: step_id(n),
            device_id: device_id(if n == 1 { "r1" } else { "r2" }),
            status,
            code: None,
            detail: String::new(),
            observed: vec![],
        })),
        2 => job_status.prop_map(|status| Command::SetJobStatus {
            job_id: job_id(1), status, reason: String::new(),
        }),
        1 => Just(Command::StalePlan { job_id: job_id(1), device_id: device_id("r1") }),
    ]
}

fn started() -> Given {
    let mut given = given([added("r1", 1, Environment::Lab), added("r2", 2, Environment::Lab)]);
    given.when(
        &agent(),
        Command::ProposePlan {
            plan: Box::new(dns_plan(1, Environment::Lab, &["r1", "r2"])),
            approval_token_sha256: String::new(),
            policy: Some("p".into()),
            origin: events::plan::Origin::default(),
        },
    );
    given.when(
        &agent(),
        Command::StartJob {
            plan_id: plan_id(1),
            job_id: job_id(1),
            step_ids: vec![step_id(1), step_id(2)],
            approval_token_sha256: None,
        },
    );
    given
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_wished_writes_are_separated_by_settlements(wishes in prop::collection::vec(any_wish(), 1..60)) {
        let mut given = started();
        let mut open: BTreeMap<DeviceId, StepId> = BTreeMap::new();
        for wish in wishes {
            let Ok(events) = given.decide(&agent(), wish) else { continue };
            for event in events {
                match &event {
                    Event::StepStarted(e) => {
                        let earlier = open.insert(e.device_id.clone(), e.step_id);
                        prop_assert_eq!(earlier, None, "a second write to a device while one is not settled");
                    }
                    Event::StepSettled(e) if e.status != StepStatus::InDoubt => {
                        let of = open.remove(&e.device_id);
                        // What could not be begun is settled without a write.
                        prop_assert!(of == Some(e.step_id) || e.status == StepStatus::NotApplied);
                    }
                    Event::JobStatusChanged(e) if e.status.is_over() => prop_assert!(open.is_empty()),
                    _ => {}
                }
                given.take(event);
            }
            let job = &given.state.jobs[&job_id(1)];
            prop_assert_eq!(job.status.is_over(), given.state.leases.is_empty(), "a lease lives as long as its job");
        }
    }

    #[test]
    fn the_state_is_the_fold_of_its_facts(wishes in prop::collection::vec(any_wish(), 1..40)) {
        let mut live = started();
        let mut facts = Vec::new();
        for wish in wishes {
            if let Ok(events) = live.decide(&agent(), wish) {
                for event in events {
                    facts.push(event.clone());
                    live.take(event);
                }
            }
        }
        let mut replayed = started();
        for fact in facts {
            replayed.take(fact);
        }
        prop_assert_eq!(live.state, replayed.state);
    }
}
