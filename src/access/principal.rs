//! A caller with a role and scopes, and the one function that lets it through or not.

use std::collections::BTreeMap;

use events::{
    device::{Capability, Environment},
    event::Envelope,
    ids::DeviceId,
    principal::{Actor, Door, Role},
};

use crate::{
    domain::{State, device::Device, plan::PlanState},
    failure::{Code, Failure},
};

/// How far a tool reaches (TOOLS: tiers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Reading and diagnostics.
    Fundamental,
    /// One-device changes of low risk.
    Advanced,
    /// Plans.
    Professional,
}

impl Tier {
    /// The word used in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fundamental => "fundamental",
            Self::Advanced => "advanced",
            Self::Professional => "professional",
        }
    }
}

/// For whom a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Listed over MCP; people may use it too.
    Everyone,
    /// Admin API and command line only.
    Operator,
}

/// What a tool does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes nothing.
    Read,
    /// Changes a router or a record.
    Write,
}

/// The tag by which devices are grouped.
const GROUP: &str = "group";

/// Devices a principal may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every device.
    All,
    /// This device.
    Device(DeviceId),
    /// Devices with this tag.
    Tag(String, String),
}

impl Scope {
    /// `*`, `group:NAME` (the tag `group`), `tag:key=value`, or a device id.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::All);
        }
        if let Some(name) = text.strip_prefix("group:") {
            if name.is_empty() {
                return Err(format!("`{text}`: a group scope is group:NAME"));
            }
            return Ok(Self::Tag(GROUP.to_owned(), name.to_owned()));
        }
        if let Some(tag) = text.strip_prefix("tag:") {
            let (key, value) =
                tag.split_once('=').ok_or_else(|| format!("`{text}`: a tag scope is tag:key=value"))?;
            return Ok(Self::Tag(key.to_owned(), value.to_owned()));
        }
        text.parse().map(Self::Device).map_err(|error| format!("`{text}`: {error}"))
    }

    /// True when every device that `other` can ever mean is meant by this. A tag may come and go, so it covers no id.
    fn includes(&self, other: &Self) -> bool {
        matches!(self, Self::All) || self == other
    }

    fn covers(&self, device_id: &DeviceId, tags: &BTreeMap<String, String>) -> bool {
        match self {
            Self::All => true,
            Self::Device(id) => id == device_id,
            Self::Tag(key, value) => tags.get(key) == Some(value),
        }
    }
}

/// Who calls. Made by the doors only; never from a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Name, label, role and door, as recorded.
    pub actor: Actor,
    /// True when it stands for a named person.
    pub personal: bool,
    /// Environments it may touch; empty means none.
    pub environments: Vec<Environment>,
    /// Devices it may touch; empty means none.
    pub scopes: Vec<Scope>,
}

/// What the choke point needs to know about a tool.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    /// How far the tool reaches.
    pub tier: Tier,
    /// For whom it is.
    pub audience: Audience,
    /// What it does.
    pub kind: Kind,
    /// Roles that may use it, when the rule of its kind is not enough.
    pub roles: Option<&'static [Role]>,
    /// What each device must allow, all of it.
    pub needs: &'static [Capability],
    /// The topic of a plan tool: production devices are refused unless the configuration names it.
    pub topic: Option<&'static str>,
}

impl Principal {
    /// The local user behind standard input or the command line: a requester on all devices, never an approver.
    #[must_use]
    pub fn local(uid: u32, door: Door) -> Self {
        Self {
            actor: Actor {
                name: format!("local:{uid}"),
                label: format!("local user {uid}"),
                role: Role::OpsRw,
                door,
            },
            personal: false,
            environments: vec![Environment::Lab, Environment::Staging, Environment::Prod],
            scopes: vec![Scope::All],
        }
    }

    /// True when it comes by a door of agents.
    #[must_use]
    pub const fn is_agent(&self) -> bool {
        matches!(self.actor.door, Door::McpHttp | Door::McpStdio)
    }

    fn admit_role(&self, demand: &Demand) -> Result<(), Failure> {
        if demand.audience == Audience::Operator && self.is_agent() {
            return Err(Failure::new(
                Code::NotForAgents,
                "this is done by people, in the web page or on the command line",
            ));
        }
        let role = self.actor.role;
        let allowed = match (demand.roles, demand.kind) {
            (Some(roles), _) => roles.contains(&role),
            (None, Kind::Read) => true,
            (None, Kind::Write) => matches!(role, Role::OpsRw | Role::Admin),
        };
        if allowed {
            return Ok(());
        }
        Err(Failure::new(Code::RoleRequired, format!("the role {role} may not use this"))
            .details(serde_json::json!({ "role": role })))
    }

    /// The one choke point: role, then for each device scope, environment and capability.
    ///
    /// # Errors
    /// The first rule that says no, by its code.
    pub fn admit(&self, demand: &Demand, devices: &[&Device]) -> Result<(), Failure> {
        self.admit_role(demand)?;
        devices.iter().try_for_each(|device| self.admit_device(demand, device))
    }

    fn admit_device(&self, demand: &Demand, device: &Device) -> Result<(), Failure> {
        let id = &device.device_id;
        if !self.covers(device) {
            // A device outside the scopes is not confirmed to exist.
            return Err(
                Failure::new(Code::UnknownDevice, "there is no such device").hint("list_devices shows all")
            );
        }
        if !self.environments.contains(&device.settings.environment) {
            return Err(Failure::new(
                Code::EnvironmentDenied,
                format!("you may not touch devices of environment {}", device.settings.environment.as_str()),
            )
            .device(id));
        }
        allows(demand, device)
    }

    /// True when the device is inside the principal's scopes.
    #[must_use]
    pub fn covers(&self, device: &Device) -> bool {
        self.scopes.iter().any(|scope| scope.covers(&device.device_id, &device.settings.tags))
    }

    /// Nobody hands out more than they have: environments and scopes of a new token must be among one's own.
    ///
    /// # Errors
    /// `environment_denied`, `device_out_of_scope`.
    pub fn may_grant(&self, environments: &[Environment], scopes: &[Scope]) -> Result<(), Failure> {
        if let Some(wider) = environments.iter().find(|wanted| !self.environments.contains(wanted)) {
            return Err(Failure::new(
                Code::EnvironmentDenied,
                format!("you may not grant environment {}: your own token does not have it", wider.as_str()),
            ));
        }
        let covered = |wanted: &Scope| self.scopes.iter().any(|own| own.includes(wanted));
        if !scopes.iter().all(covered) {
            return Err(Failure::new(
                Code::DeviceOutOfScope,
                "`device_scopes`: reach further than your own token does",
            )
            .hint("grant scopes that your own token lists, or ask an admin whose token has `*`"));
        }
        Ok(())
    }

    /// A device that is registered or changed stays within the reach of who does it.
    ///
    /// # Errors
    /// `environment_denied`, `device_out_of_scope`.
    pub fn may_register(
        &self,
        device_id: &DeviceId,
        environment: Environment,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        if !self.environments.contains(&environment) {
            return Err(Failure::new(
                Code::EnvironmentDenied,
                format!("you may not put devices into environment {}", environment.as_str()),
            ));
        }
        if !self.scopes.iter().any(|scope| scope.covers(device_id, tags)) {
            return Err(Failure::new(
                Code::DeviceOutOfScope,
                "your token's device scopes would not reach this device",
            )
            .hint("give it a tag that your token covers, or ask an admin whose token has `*`"));
        }
        Ok(())
    }

    /// True when nothing is outside the principal's reach.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.scopes.contains(&Scope::All)
            && [Environment::Lab, Environment::Staging, Environment::Prod]
                .iter()
                .all(|environment| self.environments.contains(environment))
    }

    /// True when the principal may see the device: inside scopes and environments.
    #[must_use]
    pub fn sees(&self, device: &Device) -> bool {
        self.covers(device) && self.environments.contains(&device.settings.environment)
    }

    /// True when the principal sees every device of the plan. Devices that are gone are seen by admins only.
    #[must_use]
    pub fn sees_plan(&self, state: &State, plan: &PlanState) -> bool {
        let admin = self.actor.role == Role::Admin;
        let mut parts = plan.plan.waves.iter().flatten();
        parts.all(|part| state.devices.get(&part.device_id).map_or(admin, |device| self.sees(device)))
    }

    /// True when the principal may see an event: what they did themselves, and what is about devices they see. Admins of
    /// unlimited reach see everything; the parameters of a call may name any device, whatever the call is filed under.
    #[must_use]
    pub fn sees_event(&self, state: &State, envelope: &Envelope) -> bool {
        let all = self.actor.role == Role::Admin && self.is_unlimited();
        if all || envelope.actor.name == self.actor.name {
            return true;
        }
        let devices = envelope.event.subjects().devices;
        !devices.is_empty()
            && devices.iter().all(|id| state.devices.get(id).is_some_and(|device| self.sees(device)))
    }
}

/// The device allows what the tool does.
///
/// # Errors
/// `capability_missing`.
pub fn allows(demand: &Demand, device: &Device) -> Result<(), Failure> {
    let id = &device.device_id;
    let missing = demand.needs.iter().find(|needed| !device.settings.capabilities.contains(needed));
    let Some(capability) = missing else { return Ok(()) };
    Err(Failure::new(Code::CapabilityMissing, format!("this device does not allow {}", capability.as_str()))
        .hint(format!("an admin allows it with `appliance device edit {id} --allow {}`", capability.as_str()))
        .details(serde_json::json!({ "capability": format!("allow_{}", capability.as_str()) }))
        .device(id))
}
