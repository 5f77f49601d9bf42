//! What a router can do: which tools its release, packages and board support, and what its device-mode blocks.

use std::collections::BTreeMap;

use events::{device::Identification, ids::DeviceId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    access::principal::{Audience, Kind},
    domain::device::Device,
    failure::Failure,
    routeros::{
        compat::{Endpoint, OLDEST, Presence},
        resources::{
            device_mode::DeviceMode, identity::Identity, package::Package, routerboard::Routerboard,
            system_resource::SystemResource,
        },
        support::{Known, Lack, Support},
        text::Untrusted,
        value::Version,
    },
    tools::{
        catalog,
        context::Cx,
        operator::EVERYBODY,
        params::OneDevice,
        registry::check_connectivity::identify,
        tool::{Spec, Tool},
    },
};

/// A router that was not asked, or not for everything.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Unanswered {
    /// Our word for why.
    code: &'static str,
    message: String,
    hint: Option<String>,
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code.as_str(),
            message: failure.say.into_owned(),
            hint: failure.hint.map(Into::into),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Installed {
    name: Untrusted,
    version: Untrusted,
    disabled: bool,
}

/// What the factory's mode lets the board do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Limits {
    mode: Untrusted,
    /// Suspicious configuration was seen: more is blocked until a person confirms at the box.
    flagged: bool,
    /// Features that are off, in RouterOS's words.
    blocked: Vec<&'static str>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Menu {
    menu: &'static str,
    supported: Support,
    /// The releases that have it.
    releases: String,
    /// What it needs besides the release; empty: nothing.
    needs: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Ability {
    tool: &'static str,
    supported: Support,
    /// What the router lacks of what the tool uses.
    lacks: Vec<Lack>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    device_id: DeviceId,
    /// False: the router was not reached, and what is said here goes by what is on record.
    answered: bool,
    /// Why not, or what it did not answer.
    failure: Option<Unanswered>,
    /// Empty until first contact.
    routeros_version: Untrusted,
    hardware_model: Untrusted,
    architecture: Untrusted,
    /// False: older than any release with REST. Null: no release is known.
    release_supported: Option<bool>,
    /// Null: not known.
    packages: Option<Vec<Installed>>,
    /// Null: not known.
    device_mode: Option<Limits>,
    /// Every menu that a tool uses.
    menus: Vec<Menu>,
    /// Every tool that talks to routers.
    tools: Vec<Ability>,
}

/// What the router says of itself now, as far as it says anything.
struct Told {
    answered: bool,
    identification: Option<Identification>,
    packages: Option<Vec<Package>>,
    mode: Option<DeviceMode>,
    failure: Option<Failure>,
}

async fn ask(cx: &Cx, device_id: &DeviceId) -> Told {
    let router = cx.router(device_id);
    let resource = match router.read::<SystemResource>().await {
        Ok(resource) => resource,
        Err(failure) => {
            let failure = Some(failure);
            return Told { answered: false, identification: None, packages: None, mode: None, failure };
        }
    };
    let identification = identify(cx, device_id, &resource).await;
    let (packages, mode) = (router.read_all::<Package>().await, router.read::<DeviceMode>().await);
    let (packages, first) = packages.map_or_else(|failure| (None, Some(failure)), |all| (Some(all), None));
    let (mode, second) = mode.map_or_else(|failure| (None, Some(failure)), |mode| (Some(mode), None));
    Told { answered: true, identification, packages, mode, failure: first.or(second) }
}

/// A board has a serial number, a virtual router is called `CHR`; of other computers nothing is known.
fn is_hardware(identification: &Identification) -> Option<bool> {
    match (identification.hardware_model.starts_with("CHR"), identification.serial_number.is_empty()) {
        (true, _) => Some(false),
        (false, false) => Some(true),
        (false, true) => None,
    }
}

fn judged(device: Device, told: Told) -> Answer {
    let identification = told.identification.unwrap_or(device.identification);
    let version = Version::parse(&identification.routeros_version);
    let known = Known { version, packages: told.packages.as_deref(), hardware: is_hardware(&identification) };
    let routed = || {
        let everyones = catalog::all().filter(|def| def.spec.demand.audience == Audience::Everyone);
        everyones.map(|def| (def.spec.name, catalog::endpoints(def).collect::<Vec<_>>()))
    };
    let mut menus: BTreeMap<&str, Presence> = BTreeMap::new();
    for endpoint in routed().flat_map(|(_, uses)| uses) {
        // A write says nothing of where its menu is found; the reading of the same menu does.
        let known = menus.entry(endpoint.menu()).or_insert(Presence::ALWAYS);
        if *known == Presence::ALWAYS {
            *known = endpoint.presence();
        }
    }
    let menus = menus.into_iter().map(|(menu, presence)| Menu {
        menu,
        supported: known.has(presence),
        releases: presence.versions.to_string(),
        needs: presence.note,
    });
    let tools = routed().filter(|(_, uses)| !uses.is_empty()).map(|(tool, uses)| {
        let (supported, lacks) = known.can(&uses);
        Ability { tool, supported, lacks }
    });
    Answer {
        answered: told.answered,
        failure: told.failure.map(Unanswered::from),
        routeros_version: Untrusted::new(&identification.routeros_version),
        hardware_model: Untrusted::new(&identification.hardware_model),
        architecture: Untrusted::new(&identification.architecture),
        release_supported: version.map(|version| version >= OLDEST),
        menus: menus.collect(),
        tools: tools.collect(),
        device_id: device.device_id,
        packages: told.packages.map(|all| {
            let installed = all.into_iter().filter(Package::is_installed);
            installed
                .map(|it| Installed { name: it.name, version: it.version, disabled: it.disabled })
                .collect()
        }),
        device_mode: told.mode.map(|mode| Limits {
            mode: mode.mode,
            flagged: mode.flagged,
            blocked: mode.blocked,
        }),
    }
}

pub struct DeviceAbilities;

impl Tool for DeviceAbilities {
    const SPEC: Spec = Spec::operator(
        "device_abilities",
        "What a device can do",
        "Which tools a router's release, packages and board support, and what its device-mode blocks. An unreachable router is an answer.",
        Kind::Read,
        EVERYBODY,
    )
    .timeout_s(15);
    type Params = OneDevice;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<SystemResource>(),
        Endpoint::print::<Identity>(),
        Endpoint::print::<Routerboard>(),
        Endpoint::print::<Package>(),
        Endpoint::print::<DeviceMode>(),
    ];

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let told = ask(cx, &device.device_id).await;
        Ok(judged(device, told))
    }

    fn say(answer: &Answer) -> String {
        let able =
            answer.tools.iter().filter(|tool| matches!(tool.supported, Support::Yes | Support::Partly));
        let (able, all) = (able.count(), answer.tools.len());
        let how = if answer.answered { "as told now" } else { "by what is on record" };
        format!("{able} of {all} tools, {how}")
    }
}
