//! What is looked at on each device before a plan is made. What must hold refuses the plan; the rest are warnings, which
//! the approver sees and which make it riskier.

use events::{
    device::{DeviceStatus, Environment},
    ids::DeviceId,
    plan::{Precheck, RiskLevel},
};

use crate::{
    access::principal::Demand,
    domain::device::Device,
    failure::{Code, Failure},
    routeros::{
        compat::{Endpoint, OLDEST},
        resources::{device_mode::DeviceMode, system_resource::SystemResource},
        value::Version,
    },
    tools::context::{Cx, Router},
};

/// What these looks send, whatever the plan is about.
pub(super) const LOOKS: [Endpoint; 2] =
    [Endpoint::print::<SystemResource>(), Endpoint::print::<DeviceMode>()];

/// The newest release that this product was tried with (docs/compatibility.md).
const NEWEST_TRIED: Version = Version::new(7, 24, u16::MAX);

fn check(check: &str, passed: bool, note: impl Into<String>) -> Precheck {
    Precheck { check: check.to_owned(), passed, note: note.into() }
}

/// What can be said before the change is known: the router answers to our login, its release, its mode, and what we know
/// of the device.
///
/// # Errors
/// As the router's error says; `device_unsupported` for a release without REST.
pub(super) async fn before(
    router: &Router<'_>,
    device: &Device,
    demand: &Demand,
) -> Result<Vec<Precheck>, Failure> {
    let resource = router.read::<SystemResource>().await?;
    let mut checks = vec![
        check("reachable", true, "answers to our login"),
        release(resource.release(), &device.device_id)?,
        mode(router).await?,
    ];
    let allowed: Vec<&str> = demand.needs.iter().map(|capability| capability.as_str()).collect();
    checks.push(check("capability", true, format!("allows {}", allowed.join(", "))));
    let degraded = device.status == DeviceStatus::Degraded;
    let health =
        if degraded { "the device was degraded when last seen" } else { "not degraded when last seen" };
    checks.push(check("health", !degraded, health));
    Ok(checks)
}

/// The release: one without REST is refused, one that nobody tried is a warning.
fn release(told: Option<Version>, device_id: &DeviceId) -> Result<Precheck, Failure> {
    // A test build counts as the release that it leads to.
    let release = |version: Version| Version::new(version.major, version.minor, version.patch);
    Ok(match told.map(release) {
        None => check("version", false, "the release that the router tells is not understood"),
        Some(version) if version < OLDEST => {
            return Err(Failure::new(
                Code::DeviceUnsupported,
                format!("RouterOS {version} is older than {OLDEST}, the first release with REST"),
            )
            .device(device_id));
        }
        Some(version) if version > NEWEST_TRIED => check(
            "version",
            false,
            format!("RouterOS {version} is newer than what this product was tried with"),
        ),
        Some(version) => check("version", true, format!("RouterOS {version}")),
    })
}

/// The factory's mode. Nothing that tools plan is blocked by it, but a router that flagged itself blocks more and more.
async fn mode(router: &Router<'_>) -> Result<Precheck, Failure> {
    match router.read::<DeviceMode>().await {
        Ok(mode) if mode.flagged => Ok(check(
            "device_mode",
            false,
            "the router flagged itself as suspicious; it may refuse the change",
        )),
        Ok(mode) => Ok(check(
            "device_mode",
            true,
            match mode.blocked.len() {
                0 => "not flagged; nothing is blocked".to_owned(),
                _ => format!("not flagged; blocked: {}", mode.blocked.join(", ")),
            },
        )),
        Err(failure) if failure.code == Code::DeviceUnsupported => {
            Ok(check("device_mode", true, "this release has none"))
        }
        Err(failure) if matches!(failure.code, Code::DeviceForbidden | Code::DeviceRefused) => {
            Ok(check("device_mode", false, "our router user may not read it"))
        }
        Err(failure) => Err(failure),
    }
}

/// What can be said once the change is known: whether our own way was looked at, and whether a job holds the device.
pub(super) fn after(cx: &Cx, device: &Device, level: RiskLevel) -> Vec<Precheck> {
    let mut checks = vec![match cx.way_seen(&device.device_id) {
        None => check("management_path", true, "not touched by a change of this kind"),
        Some(way) if way.from.is_empty() => check(
            "management_path",
            false,
            "the router does not tell where we come from, so every source was taken for ours",
        ),
        Some(way) => {
            let from: Vec<String> = way.from.iter().map(ToString::to_string).collect();
            check(
                "management_path",
                true,
                format!("from {} to {} port {}: kept", from.join(", "), way.to, way.port),
            )
        }
    }];
    if let Some(job_id) = cx.view(|views| views.state.leases.get(&device.device_id).copied()) {
        checks.push(check("open_job", false, format!("{job_id} holds the device now")));
    }
    if level == RiskLevel::High && device.settings.environment == Environment::Prod {
        checks.push(check("production", false, "a change of high risk in production"));
    }
    checks
}

/// The notes of those that are warnings.
pub(super) fn warnings(checks: &[Precheck]) -> impl Iterator<Item = String> {
    checks.iter().filter(|check| !check.passed).map(|check| check.note.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::device_id;

    #[test]
    fn releases_are_refused_warned_of_or_fine() {
        let told = |text: &str| {
            release(Version::parse(text), &device_id("r1")).map(|check| check.passed).map_err(|f| f.code)
        };
        assert_eq!(told("7.20.8 (long-term)"), Ok(true));
        assert_eq!(told("7.24.3 (stable)"), Ok(true));
        assert_eq!(told("7.25 (stable)"), Ok(false));
        assert_eq!(told("8.1 (stable)"), Ok(false));
        assert_eq!(told("seven"), Ok(false));
        assert_eq!(told("6.49.10 (long-term)"), Err(Code::DeviceUnsupported));
    }
}
