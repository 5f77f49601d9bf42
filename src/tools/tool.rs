//! What a tool is: a name with a contract, typed parameters, a typed answer, and one function.

use std::{future::Future, sync::Arc, time::Duration};

use events::{
    device::Capability,
    ids::{JobId, PlanId},
    principal::Role,
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    access::principal::{Audience, Demand, Kind, Tier},
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        port::Promise,
        text::{clean_answer, escaped},
    },
    tools::{context::Cx, params::DeviceRef, rollout::Shape},
};

/// A tool's contract. Compile-time text only: no word from a router ever gets in here.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// `^[a-z0-9_]{1,64}$`.
    pub name: &'static str,
    /// A few words for people.
    pub title: &'static str,
    /// What it does, what it needs, what it answers: for agents choosing a tool.
    pub description: &'static str,
    /// Who may use it, on what.
    pub demand: Demand,
    /// Doing it twice is doing it once.
    pub idempotent: bool,
    /// It can take something away.
    pub destructive: bool,
    /// It changes routers, or leads to a change: what `read_only` hides and refuses.
    pub changes_routers: bool,
    /// It talks to routers.
    pub open_world: bool,
    /// The call ends after this long.
    pub timeout: Duration,
    /// Parameters that are masked in records.
    pub secrets: &'static [&'static str],
    /// It plans for several devices: it takes the parameters of a [`Shape`] besides its own.
    pub shaped: bool,
}

impl Spec {
    const fn new(name: &'static str, title: &'static str, description: &'static str, kind: Kind) -> Self {
        Self {
            name,
            title,
            description,
            demand: Demand {
                tier: Tier::Fundamental,
                audience: Audience::Everyone,
                kind,
                roles: None,
                needs: &[],
                topic: None,
            },
            idempotent: matches!(kind, Kind::Read),
            destructive: false,
            changes_routers: matches!(kind, Kind::Write),
            open_world: true,
            timeout: Duration::from_secs(30),
            secrets: &[],
            shaped: false,
        }
    }

    /// A tool that changes nothing: fundamental tier, all roles, 30 s.
    #[must_use]
    pub const fn read(name: &'static str, title: &'static str, description: &'static str) -> Self {
        Self::new(name, title, description, Kind::Read)
    }

    /// A one-device change: advanced tier, requesters and admins, needs `allow_advanced_writes`, 60 s.
    #[must_use]
    pub const fn write(name: &'static str, title: &'static str, description: &'static str) -> Self {
        let mut spec = Self::new(name, title, description, Kind::Write);
        spec.demand.tier = Tier::Advanced;
        spec.demand.needs = &[Capability::AdvancedWrites];
        spec.timeout = Duration::from_secs(60);
        spec
    }

    /// A plan of a topic: professional tier, requesters and admins, needs what the topic needs, 120 s.
    #[must_use]
    pub const fn plan(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        topic: &Topic,
    ) -> Self {
        let mut spec = Self::apply(name, title, description, topic);
        spec.timeout = Duration::from_secs(120);
        spec.shaped = true;
        spec
    }

    /// The start of a topic's plan: likewise, 300 s.
    #[must_use]
    pub const fn apply(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        topic: &Topic,
    ) -> Self {
        let mut spec = Self::new(name, title, description, Kind::Write);
        spec.demand.tier = Tier::Professional;
        spec.demand.needs = topic.needs;
        spec.demand.topic = Some(topic.name);
        spec.timeout = Duration::from_secs(300);
        spec
    }

    /// A chore of people: admin API and command line only, for these roles. It keeps our own records.
    #[must_use]
    pub const fn operator(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        kind: Kind,
        roles: &'static [Role],
    ) -> Self {
        let mut spec = Self::new(name, title, description, kind);
        spec.demand.audience = Audience::Operator;
        spec.demand.roles = Some(roles);
        spec.changes_routers = false;
        spec.open_world = false;
        spec
    }

    /// Doing it twice is doing it once.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }
    /// It can take something away.
    #[must_use]
    pub const fn destructive(mut self) -> Self {
        self.destructive = true;
        self
    }
    /// A chore of people that agents may do as well.
    #[must_use]
    pub const fn for_everyone(mut self) -> Self {
        self.demand.audience = Audience::Everyone;
        self
    }
    /// A chore that lets routers be changed.
    #[must_use]
    pub const fn changes_routers(mut self) -> Self {
        self.changes_routers = true;
        self
    }
    /// A chore that talks to routers.
    #[must_use]
    pub const fn open_world(mut self) -> Self {
        self.open_world = true;
        self
    }
    /// It answers from our own records.
    #[must_use]
    pub const fn local(mut self) -> Self {
        self.open_world = false;
        self
    }
    /// What each device must allow.
    #[must_use]
    pub const fn needs(mut self, capabilities: &'static [Capability]) -> Self {
        self.demand.needs = capabilities;
        self
    }
    /// How far it reaches.
    #[must_use]
    pub const fn tier(mut self, tier: Tier) -> Self {
        self.demand.tier = tier;
        self
    }
    /// The call ends after this many seconds.
    #[must_use]
    pub const fn timeout_s(mut self, secs: u64) -> Self {
        self.timeout = Duration::from_secs(secs);
        self
    }
    /// Parameters that are masked in records.
    #[must_use]
    pub const fn secrets(mut self, fields: &'static [&'static str]) -> Self {
        self.secrets = fields;
        self
    }
}

/// What plans may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// The word that the configuration knows it by (`allow_prod_topics`).
    pub name: &'static str,
    /// What each device must allow.
    pub needs: &'static [Capability],
    /// Its plans may be about production whatever the configuration says; they are of high risk there.
    pub in_prod: bool,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 7] = [
        Self::FIREWALL,
        Self::ROUTING,
        Self::DHCP,
        Self::BRIDGE,
        Self::WIRELESS,
        Self::DNS_NTP,
        Self::ADDRESS_LIST,
    ];
    /// Name servers and time servers.
    pub const DNS_NTP: Self =
        Self { name: "dns_ntp", needs: &[Capability::ProfessionalWorkflows], in_prod: true };
    /// Address lists of ours.
    pub const ADDRESS_LIST: Self =
        Self { name: "address_list", needs: &[Capability::ProfessionalWorkflows], in_prod: true };
    /// Filter rules.
    pub const FIREWALL: Self = Self {
        name: "firewall",
        needs: &[Capability::ProfessionalWorkflows, Capability::FirewallWrites],
        in_prod: false,
    };
    /// Static routes.
    pub const ROUTING: Self = Self {
        name: "routing",
        needs: &[Capability::ProfessionalWorkflows, Capability::RoutingWrites],
        in_prod: false,
    };
    /// Pools, networks and servers.
    pub const DHCP: Self = Self {
        name: "dhcp",
        needs: &[Capability::ProfessionalWorkflows, Capability::DhcpWrites],
        in_prod: false,
    };
    /// Ports and settings.
    pub const BRIDGE: Self = Self {
        name: "bridge",
        needs: &[Capability::ProfessionalWorkflows, Capability::BridgeWrites],
        in_prod: false,
    };
    /// SSIDs and radios.
    pub const WIRELESS: Self = Self {
        name: "wireless",
        needs: &[Capability::ProfessionalWorkflows, Capability::WirelessWrites],
        in_prod: false,
    };
}

/// Which devices a call names; the corridor authorises each before the tool runs.
pub trait Targets {
    /// The references, as given.
    fn targets(&self) -> Vec<DeviceRef>;
    /// The plan whose devices the call is about.
    fn plan(&self) -> Option<PlanId> {
        None
    }
    /// The job whose plan's devices the call is about.
    fn job(&self) -> Option<JobId> {
        None
    }
}

/// A tool. Files write `async fn run`.
pub trait Tool: Send + Sync + 'static {
    /// Its contract.
    const SPEC: Spec;
    /// What it takes.
    type Params: DeserializeOwned + JsonSchema + Targets + Send + 'static;
    /// What it answers. The first line of text for people comes from [`Tool::say`].
    type Answer: Serialize + JsonSchema + Send + 'static;
    /// Every RouterOS command that it can send: the list of commands is made of these, and builds for tests refuse others.
    const USES: &'static [Endpoint] = &[];
    /// Does it.
    fn run(cx: &Cx, params: Self::Params) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
    /// One short line for people. Never quotes a router.
    fn say(answer: &Self::Answer) -> String {
        let _ = answer;
        format!("{}: done", Self::SPEC.title)
    }
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// For programs.
    pub value: Value,
    /// One short line for people.
    pub text: String,
}

/// A tool with its parameters inside, ready to run.
pub type Body = Box<dyn FnOnce(Arc<Cx>) -> Promise<'static, Result<Answered, Failure>> + Send>;

/// A decoded call: which devices it names, and the rest of the way.
pub struct Prepared {
    /// As given by the caller.
    pub targets: Vec<DeviceRef>,
    /// The plan whose devices the call is about.
    pub plan: Option<PlanId>,
    /// The job whose plan's devices the call is about.
    pub job: Option<JobId>,
    /// How a plan is to go through its devices, for tools that make one.
    pub shape: Shape,
    /// Runs the tool.
    pub run: Body,
}

/// A tool without its types: one row of the catalogue.
#[derive(Clone, Copy)]
pub struct ToolDef {
    /// Its contract.
    pub spec: Spec,
    /// Every RouterOS command that it can send.
    pub uses: &'static [Endpoint],
    /// JSON Schema of its parameters.
    pub input_schema: fn() -> Value,
    /// JSON Schema of its answer.
    pub output_schema: fn() -> Value,
    /// Decodes parameters.
    pub prepare: fn(Value) -> Result<Prepared, Failure>,
}

impl ToolDef {
    /// The row of a tool.
    #[must_use]
    pub const fn of<T: Tool>() -> Self {
        Self {
            spec: T::SPEC,
            uses: T::USES,
            input_schema: || {
                let mut schema = schema_of::<T::Params>();
                if let Some(properties) = schema.as_object_mut().and_then(|schema| {
                    schema.entry("properties").or_insert_with(|| serde_json::json!({})).as_object_mut()
                }) {
                    if T::SPEC.shaped {
                        properties.extend(Shape::properties());
                    }
                    properties.insert(
                        "correlation_id".into(),
                        serde_json::json!({ "type": "string", "maxLength": 64 }),
                    );
                }
                schema
            },
            output_schema: schema_of::<T::Answer>,
            prepare: prepare::<T>,
        }
    }

    /// Its contract as data, with whole schemas.
    #[must_use]
    pub fn described(&self) -> Value {
        let spec = &self.spec;
        let read = spec.demand.kind == Kind::Read;
        serde_json::json!({
            "name": spec.name,
            "title": spec.title,
            "description": spec.description,
            "tier": spec.demand.tier.as_str(),
            "kind": if read { "read" } else { "write" },
            "audience": if spec.demand.audience == Audience::Operator { "operator" } else { "everyone" },
            "timeout_s": spec.timeout.as_secs(),
            "annotations": {
                "readOnlyHint": read,
                "destructiveHint": spec.destructive,
                "idempotentHint": spec.idempotent,
            },
            "input_schema": (self.input_schema)(),
            "output_schema": (self.output_schema)(),
        })
    }
}

fn prepare<T: Tool>(params: Value) -> Result<Prepared, Failure> {
    let (params, shape) = if T::SPEC.shaped { Shape::split(params)? } else { (params, Shape::default()) };
    let params: T::Params = decode(params)?;
    let (targets, plan, job) = (params.targets(), params.plan(), params.job());
    Ok(Prepared {
        targets,
        plan,
        job,
        shape,
        run: Box::new(move |cx| {
            Box::pin(async move {
                let answer = T::run(&cx, params).await?;
                let text = T::say(&answer);
                let mut value = serde_json::to_value(&answer)
                    .map_err(|error| Failure::new(Code::Bug, "the answer could not be written").log(error))?;
                clean_answer(&mut value);
                Ok(Answered { value, text })
            })
        }),
    })
}

/// Decodes parameters; what is wrong is said with the field's path.
///
/// # Errors
/// `invalid_params`.
pub fn decode<P: DeserializeOwned>(params: Value) -> Result<P, Failure> {
    serde_path_to_error::deserialize(params).map_err(|error| {
        let path = error.path().to_string();
        let why = error.inner().to_string();
        let named = |start: &str| why.strip_prefix(start).and_then(|rest| rest.split('`').next());
        // What is missing has no path yet; what is unknown stands at its end already.
        let field = match named("missing field `") {
            Some(name) if path == "." => name.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None => path,
        };
        // Both may quote the caller: names of fields are free text.
        let shown: String = escaped(&why).chars().take(300).collect();
        let field: String = escaped(&field).chars().take(100).collect();
        Failure::param(&field, shown)
    })
}

/// A schema small enough for `tools/list`: definitions inlined, nothing that clients ignore.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    slim(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
        object.entry("type").or_insert_with(|| "object".into());
    }
    schema
}

/// Takes out number formats that clients print warnings about.
fn slim(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let numeric = object.get("format").and_then(Value::as_str).is_some_and(|format| {
                format.starts_with("uint")
                    || format.starts_with("int")
                    || matches!(format, "float" | "double")
            });
            if numeric {
                object.remove("format");
            }
            object.values_mut().for_each(slim);
        }
        Value::Array(items) => items.iter_mut().for_each(slim),
        _ => {}
    }
}
