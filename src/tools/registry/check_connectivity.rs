//! Tries to reach a router, and says what to do when it cannot be reached.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    domain::Command,
    failure::{Code, Failure},
    routeros::{
        compat::Endpoint,
        error::RouterError,
        port::Ask,
        resources::{
            Reading as _, identity::Identity, routerboard::Routerboard, system_resource::SystemResource,
        },
        text::Untrusted,
    },
    tools::{
        context::Cx,
        params::OneDevice,
        tool::{Spec, Tool},
    },
};

#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer {
    reachable: bool,
    /// `timeout`, `network_error`, `auth_failed`, `authz_failed`, `not_found`, `client_error`, `server_error`, `unknown`.
    failure_reason: Option<&'static str>,
    /// How often it was tried; none when nothing may be sent.
    attempts: u32,
    timeout_seconds: u64,
    transport: &'static str,
    fallback_used: bool,
    attempted_transports: Vec<&'static str>,
    rest_time_ms: Option<f64>,
    /// Null: no SSH was tried.
    ssh_time_ms: Option<f64>,
    response_time_ms: Option<f64>,
    routeros_version: Option<Untrusted>,
    /// What to try next.
    suggestions: Vec<String>,
}

pub struct CheckConnectivity;

const TIMEOUT_S: u64 = 20;

impl Tool for CheckConnectivity {
    const SPEC: Spec = Spec::read(
        "check_connectivity",
        "Check connectivity",
        "Tries to reach a router and log in. An unreachable router is an answer with a reason and suggestions, not an error.",
    )
    .timeout_s(TIMEOUT_S);
    type Params = OneDevice;
    type Answer = Answer;
    const USES: &'static [Endpoint] = &[
        Endpoint::print::<SystemResource>(),
        Endpoint::print::<Identity>(),
        Endpoint::print::<Routerboard>(),
    ];

    async fn run(cx: &Cx, params: OneDevice) -> Result<Answer, Failure> {
        let device = cx.device(&params.device_id)?;
        let started = std::time::Instant::now();
        let reply = cx.router(&device.device_id).ask(Ask::print(SystemResource::MENU)).await;
        let attempts = reply.as_ref().map_or_else(tries, |reply| reply.tries);
        let read = reply.and_then(|reply| {
            SystemResource::one(&reply).map_err(|error| error.into_failure(&device.device_id))
        });
        let response_time_ms = Some(started.elapsed().as_secs_f64() * 1000.0);
        let base = Answer {
            reachable: true,
            failure_reason: None,
            attempts,
            timeout_seconds: TIMEOUT_S,
            transport: "rest",
            fallback_used: false,
            attempted_transports: vec!["rest"],
            rest_time_ms: response_time_ms,
            ssh_time_ms: None,
            response_time_ms,
            routeros_version: None,
            suggestions: Vec::new(),
        };
        match read {
            Ok(resource) => {
                identify(cx, &device.device_id, &resource).await;
                Ok(Answer { routeros_version: Some(resource.version), ..base })
            }
            // Not asked is not unreachable.
            Err(failure)
                if matches!(failure.code, Code::Cancelled | Code::Overloaded | Code::DeviceInJob) =>
            {
                Err(failure)
            }
            Err(failure) => {
                let suggestions =
                    failure.hint.iter().map(ToString::to_string).chain(advice(failure.code)).collect();
                let failure_reason = Some(reason(failure.code));
                Ok(Answer {
                    reachable: false,
                    failure_reason,
                    rest_time_ms: None,
                    response_time_ms: None,
                    suggestions,
                    ..base
                })
            }
        }
    }

    fn say(answer: &Answer) -> String {
        match answer.failure_reason {
            None => format!("reachable in {:.0} ms", answer.response_time_ms.unwrap_or_default()),
            Some(reason) => format!("not reachable: {reason}"),
        }
    }
}

/// Keeps what the router says of itself, and returns it. What cannot be read is left for the next contact.
pub(in crate::tools) async fn identify(
    cx: &Cx,
    device_id: &events::ids::DeviceId,
    resource: &SystemResource,
) -> Option<events::device::Identification> {
    let router = cx.router(device_id);
    let identity = router.read::<Identity>().await.ok()?;
    let board = router.read_all_if_any::<Routerboard>().await.unwrap_or_default().into_iter().next();
    let kept = |text: &Untrusted| text.expose().to_owned();
    let identification = events::device::Identification {
        routeros_version: kept(&resource.version),
        hardware_model: board
            .as_ref()
            .map(|board| kept(&board.model))
            .filter(|model| !model.is_empty())
            .unwrap_or_else(|| kept(&resource.board_name)),
        architecture: kept(&resource.architecture),
        system_identity: kept(&identity.name),
        serial_number: board.map(|board| kept(&board.serial_number)).unwrap_or_default(),
    };
    let differs = cx.view(|views| {
        views.state.devices.get(device_id).is_some_and(|device| device.identification != identification)
    });
    if differs {
        let command =
            Command::IdentifyDevice { device_id: device_id.clone(), identification: identification.clone() };
        cx.engine().record(events::principal::Actor::system(), command);
    }
    Some(identification)
}

/// How often a failed question was sent.
fn tries(failure: &Failure) -> u32 {
    let router = failure.source.as_ref().and_then(|source| source.downcast_ref::<RouterError>());
    router.map_or(0, RouterError::tries)
}

const fn reason(code: Code) -> &'static str {
    match code {
        Code::DeviceTimeout | Code::DeadlineExceeded => "timeout",
        Code::DeviceUnreachable | Code::TlsMismatch | Code::DeviceQuarantined | Code::TrustUnconfirmed => {
            "network_error"
        }
        Code::DeviceAuthFailed | Code::NoCredential => "auth_failed",
        Code::DeviceForbidden => "authz_failed",
        Code::DeviceUnsupported => "not_found",
        Code::DeviceRefused => "client_error",
        Code::DeviceGarbled => "server_error",
        _ => "unknown",
    }
}

fn advice(code: Code) -> Vec<String> {
    let lines: &[&str] = match code {
        Code::DeviceUnreachable | Code::DeviceTimeout => &[
            "check the management address and port with `appliance device show`",
            "check that `/ip/service` has www-ssl enabled with a certificate, and its `address` limit",
        ],
        Code::DeviceAuthFailed => &["check that the user exists and its group has `read,api,rest-api,test`"],
        Code::DeviceForbidden => &["give the user's group both `api` and `rest-api`"],
        Code::DeviceGarbled => &[
            "a router that has just booted may need a minute",
            "check that REST is on: `/ip/service/webserver`",
        ],
        _ => &["look at `appliance device show` and at the appliance's log"],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}
