//! Configuration: every component's options, from defaults, one TOML file, the environment, and flags.
//!
//! Unknown keys are errors. Secrets are never values here, only paths.

use std::path::{Path, PathBuf};

use events::device::Environment;
use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    appliance::{
        origin::{Origins, Override},
        workflows,
    },
    domain::{Rules, workflow::Workflow},
    failure::{Code, Failure},
    http,
    routeros::lanes,
    tools::{context::Policy, rollout::Rollouts, tool::Topic},
};

/// Everything that can be set.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where facts are kept.
    pub store: Store,
    /// The HTTP doors.
    pub server: http::Options,
    /// How routers are talked to.
    pub routers: lanes::Options,
    /// Who approves what, and for how long.
    pub approval: Approval,
    /// Trusted workflows: plans that one of these describes are approved without a person. Default none.
    pub workflows: Vec<Workflow>,
    /// What tools may do.
    pub tools: Tools,
    /// How plans go through their devices, where a call does not say.
    pub rollouts: Rollouts,
    /// What is written to standard error.
    pub log: Log,
}

/// Where facts are kept.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// State directory: the store, snapshots, keys and sockets. Default `/var/lib/appliance`.
    pub dir: PathBuf,
    /// File with the 32-byte key that seals logins. Default: `keys/master.key` in the state directory.
    pub master_key_file: Option<PathBuf>,
    /// File with the 32-byte key that signs checkpoints. Default: `keys/checkpoint.key` in the state directory.
    pub checkpoint_key_file: Option<PathBuf>,
    /// File to which checkpoints are appended; better on another machine. Default: `checkpoints.log` in the state directory.
    pub checkpoint_file: Option<PathBuf>,
    /// Memory for the store's pages, in MiB (8–1024). Default 48.
    pub cache_mib: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/lib/appliance"),
            master_key_file: None,
            checkpoint_key_file: None,
            checkpoint_file: None,
            cache_mib: 48,
        }
    }
}

impl Store {
    /// The store's file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.join("events").join("appliance.redb")
    }
    /// Where snapshots are kept.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.dir.join("snapshots")
    }
    /// The key that seals logins.
    #[must_use]
    pub fn master_key(&self) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| self.dir.join("keys").join("master.key"))
    }
    /// The key that signs checkpoints.
    #[must_use]
    pub fn checkpoint_key(&self) -> PathBuf {
        self.checkpoint_key_file.clone().unwrap_or_else(|| self.dir.join("keys").join("checkpoint.key"))
    }
    /// Where checkpoints are appended.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.checkpoint_file.clone().unwrap_or_else(|| self.dir.join("checkpoints.log"))
    }
    /// The admin API for local programs.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }
    /// MCP for local programs.
    #[must_use]
    pub fn mcp_socket(&self) -> PathBuf {
        self.dir.join("mcp.sock")
    }
}

/// Who approves what, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Approval {
    /// A plan waits this long for a person, in hours (1–168). Default 24.
    pub wait_hours: u32,
    /// An approved plan must start within this many minutes (1–1440). Default 15.
    pub start_within_minutes: u32,
    /// Who approves plans of `lab` devices. Default `person`.
    pub lab: LabApproval,
    /// Plans of high risk need two named approvers. Default false.
    pub two_approvers_for_high_risk: bool,
    /// The approval of a plan is good for its rollback too, for so many hours after its end (1–168). Default 24.
    pub rollback_within_hours: u32,
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            wait_hours: 24,
            start_within_minutes: 15,
            lab: LabApproval::Person,
            two_approvers_for_high_risk: false,
            rollback_within_hours: 24,
        }
    }
}

/// Who approves plans of `lab` devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabApproval {
    /// A named person other than the requester, as everywhere.
    Person,
    /// The requester too (still never over MCP).
    #[serde(rename = "self")]
    Requester,
}

/// What tools may do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tools {
    /// Environments in which one-device changes run without a person. Default lab and staging.
    pub immediate_writes: Vec<Environment>,
    /// Hide and refuse everything that changes a router; devices and tokens can still be kept. Default false.
    pub read_only: bool,
    /// Serve devices of this environment only. Default: all.
    pub environment: Option<Environment>,
    /// Send output schemas in `tools/list`. Default true.
    pub list_output_schemas: bool,
    /// Topics whose plans may be about `prod` devices: `firewall`, `routing`, `dhcp`, `bridge`, `wireless`. Default none.
    pub allow_prod_topics: Vec<PlanTopic>,
}

/// A topic of plan tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanTopic {
    /// Filter rules.
    Firewall,
    /// Static routes.
    Routing,
    /// Pools, networks and servers.
    Dhcp,
    /// Ports and settings.
    Bridge,
    /// SSIDs and radios.
    Wireless,
}

impl PlanTopic {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Firewall => Topic::FIREWALL.name,
            Self::Routing => Topic::ROUTING.name,
            Self::Dhcp => Topic::DHCP.name,
            Self::Bridge => Topic::BRIDGE.name,
            Self::Wireless => Topic::WIRELESS.name,
        }
    }
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            immediate_writes: vec![Environment::Lab, Environment::Staging],
            read_only: false,
            environment: None,
            list_output_schemas: true,
            allow_prod_topics: Vec::new(),
        }
    }
}

/// What is written to standard error.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a tracing filter. Default `info`.
    pub level: String,
    /// `text` or `json`. Default `text`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// One value and where it came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// Dotted name.
    pub key: String,
    /// The value in force.
    pub value: serde_json::Value,
    /// `default`, `file PATH:LINE`, `env NAME`, or `flag --NAME`.
    pub origin: String,
}

fn figment(origins: &Origins<'_>, overrides: &[Override]) -> Figment {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    figment = figment.merge(Toml::string(origins.text()));
    figment = figment.merge(Env::prefixed("APPLIANCE__").split("__"));
    for Override { key, value, .. } in overrides {
        figment = figment.merge(Serialized::default(key, value));
    }
    figment
}

impl Config {
    /// Defaults, then the file, then `APPLIANCE__SECTION__KEY`, then flags.
    ///
    /// # Errors
    /// `invalid_config` that names the key, where it was set, and what is wrong.
    pub fn load(file: Option<&Path>, overrides: &[Override]) -> Result<Self, Failure> {
        let origins = Origins::read(file, overrides)?;
        let config: Self = figment(&origins, overrides).extract().map_err(|error| origins.failure(error))?;
        config.check(&origins)?;
        Ok(config)
    }

    fn check(&self, origins: &Origins<'_>) -> Result<(), Failure> {
        let own = [
            ("approval.wait_hours", self.approval.wait_hours, 1, 168),
            ("approval.start_within_minutes", self.approval.start_within_minutes, 1, 1440),
            ("approval.rollback_within_hours", self.approval.rollback_within_hours, 1, 168),
            ("store.cache_mib", self.store.cache_mib, 8, 1024),
            ("routers.connect_timeout_ms", self.routers.connect_timeout_ms, 100, 60_000),
        ];
        let bounds = own.into_iter().chain(self.rollouts.bounds()).chain(self.server.bounds());
        for (key, value, low, high) in bounds {
            if !(low..=high).contains(&value) {
                return Err(origins.wrong(key, format!("{value} is outside {low}–{high}")));
            }
        }
        let port = self.server.listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            return Err(origins.wrong("server.listen", "needs an address and a port, such as 127.0.0.1:8080"));
        }
        if !self.server.public_url_fits() {
            return Err(origins
                .wrong("server.public_url", "needs `https://NAME` or `https://NAME:PORT`, without a path"));
        }
        workflows::resolve(&self.workflows).map_err(|(key, why)| origins.wrong(&key, why))?;
        crate::telemetry::check(&self.log.level).map_err(|why| origins.wrong("log.level", why))
    }

    /// Looks at the files that the configuration names: keys, authorities, folders. Files at their default place are
    /// looked at only where there is a store, since `init` makes them.
    ///
    /// # Errors
    /// `invalid_config` that names the key, its place, and what is wrong with the file.
    pub fn check_files(&self, file: Option<&Path>, overrides: &[Override]) -> Result<(), Failure> {
        let origins = Origins::read(file, overrides)?;
        let made = self.store.file().exists();
        for (key, set, path, what) in [
            (
                "store.master_key_file",
                self.store.master_key_file.is_some(),
                self.store.master_key(),
                "master key",
            ),
            (
                "store.checkpoint_key_file",
                self.store.checkpoint_key_file.is_some(),
                self.store.checkpoint_key(),
                "checkpoint key",
            ),
        ] {
            if set || made {
                let read = super::keys::read(&path, what);
                read.map_err(|failure| {
                    origins.wrong(key, failure.say).hint("`appliance init` makes missing keys")
                })?;
            }
        }
        if let Some(path) = &self.store.checkpoint_file
            && !path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir())
        {
            return Err(origins
                .wrong("store.checkpoint_file", format!("the folder of {} does not exist", path.display())));
        }
        for (name, path) in &self.routers.authorities {
            if let Err(error) = std::fs::File::open(path) {
                let key = format!("routers.authorities.{name}");
                return Err(origins.wrong(&key, format!("{} cannot be read: {error}", path.display())));
            }
        }
        Ok(())
    }

    /// Every value with its origin, in the order of the structs.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn show(file: Option<&Path>, overrides: &[Override]) -> Result<Vec<Shown>, Failure> {
        let config = Self::load(file, overrides)?;
        let origins = Origins::read(file, overrides)?;
        let tree = serde_json::to_value(&config)
            .map_err(|error| Failure::new(Code::Bug, "the configuration cannot be shown").log(error))?;
        let mut shown = Vec::new();
        flatten("", &tree, &mut |key, value| {
            let origin = origins.of(key).to_string();
            shown.push(Shown { key: key.to_owned(), value: value.clone(), origin });
        });
        Ok(shown)
    }

    /// A commented file with every key at its default.
    #[must_use]
    pub fn default_toml() -> String {
        let schema = crate::tools::tool::schema_of::<Self>();
        let defaults = serde_json::to_value(Self::default()).unwrap_or_default();
        let mut out = String::from("# Every key with its default. Environment: APPLIANCE__SECTION__KEY.\n");
        let empty = serde_json::Map::new();
        for (section, values) in defaults.as_object().unwrap_or(&empty) {
            if values.is_array() {
                // A list of tables has no default to print.
                out.push_str(workflows::EXAMPLE);
                continue;
            }
            let about = &schema["properties"][section];
            out.push_str(&format!("\n# {}\n[{section}]\n", describe(about)));
            for (key, value) in values.as_object().unwrap_or(&empty) {
                out.push_str(&format!("# {}\n", describe(&about["properties"][key])));
                match toml_value(value) {
                    Some(text) => out.push_str(&format!("{key} = {text}\n")),
                    None => out.push_str(&format!("# {key} =\n")),
                }
            }
        }
        out
    }

    /// What the rules need of it.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            approval_wait_s: i64::from(self.approval.wait_hours) * 3600,
            start_within_s: i64::from(self.approval.start_within_minutes) * 60,
            lab_self_approval: self.approval.lab == LabApproval::Requester,
            two_approvers_for_high_risk: self.approval.two_approvers_for_high_risk,
            // Looked at when the configuration was read: what is wrong never gets here.
            workflows: workflows::resolve(&self.workflows).unwrap_or_default(),
            rollback_within_s: i64::from(self.approval.rollback_within_hours) * 3600,
        }
    }

    /// What tools need of it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            immediate_writes: self.tools.immediate_writes.clone(),
            read_only: self.tools.read_only,
            environment: self.tools.environment,
            list_output_schemas: self.tools.list_output_schemas,
            allow_prod_topics: self.tools.allow_prod_topics.iter().map(|topic| topic.as_str()).collect(),
            rollouts: self.rollouts,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn describe(schema: &serde_json::Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ")
}

fn toml_value(value: &serde_json::Value) -> Option<String> {
    toml::Value::try_from(value).ok().filter(|_| !value.is_null()).map(|value| value.to_string())
}

fn flatten(prefix: &str, value: &serde_json::Value, each: &mut dyn FnMut(&str, &serde_json::Value)) {
    match value {
        serde_json::Value::Object(object) if !object.is_empty() => {
            for (key, value) in object {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, each);
            }
        }
        _ => each(prefix, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("appliance.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), &[])
    }

    #[test]
    fn the_printed_default_loads_and_changes_nothing() {
        let config = load(&Config::default_toml()).unwrap();
        assert_eq!(serde_json::to_value(config).unwrap(), serde_json::to_value(Config::default()).unwrap());
    }

    #[test]
    fn unknown_keys_wrong_types_and_ranges_are_named() {
        for (text, named) in [
            ("[store]\ndri = \"/x\"", "dri"),
            ("[nonsense]\na = 1", "nonsense"),
            ("[approval]\nwait_hours = \"1 day\"", "wait_hours"),
            ("[approval]\nwait_hours = 999", "wait_hours"),
            ("[approval]\nlab = \"anybody\"", "lab"),
            ("[[workflows]]\nname = \"w\"\nenvironment = \"lab\"\nkinds = []\nvaluse = {}", "valuse"),
            ("[[workflows]]\nname = \"w\"\nkinds = []", "environment"),
            (
                "[[workflows]]\nname = \"w\"\nenvironment = \"lab\"\ndevices = [\"*\"]\nkinds = [\"x\"]",
                "workflows.0.kinds",
            ),
            ("[workflows]\nname = \"w\"", "workflows"),
            ("[rollouts]\ndead_man_seconds = 2", "dead_man_seconds"),
        ] {
            let failure = load(text).unwrap_err();
            assert_eq!(failure.code, Code::InvalidConfig);
            assert!(failure.say.contains(named), "{text}: {}", failure.say);
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("appliance.toml");
        std::fs::write(&file, "[approval]\nwait_hours = 2\nlab = \"self\"").unwrap();
        let flag = Override { key: "log.level", value: "debug".into(), flag: "--log-level" };
        let config = Config::load(Some(&file), &[flag]).unwrap();
        assert_eq!((config.log.level.as_str(), config.approval.lab), ("debug", LabApproval::Requester));
    }
}
