//! Fixtures that ask back: a call ends with questions, and is repeated with the answers and a sealed state.

use std::sync::LazyLock;

use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, GetPromptRequestParams,
        GetPromptResponse, GetPromptResult, InputRequest, InputRequests, InputRequiredResult, InputResponses,
        PromptMessage, RequestStateCodec, Role, Tool,
    },
};
use serde_json::{Value, json};

use crate::{
    engine::clock,
    mcp::{conformance::tools::tool, handler::Context},
};

/// The prompt that asks back.
pub(super) const PROMPT: &str = "test_input_required_result_prompt";
const CAPABILITIES: &str = "test_input_required_result_capabilities";
const PREFIX: &str = "test_input_required_result_";

/// Seals what a repetition must bring back unchanged. The key lives as long as the process.
static SEAL: LazyLock<RequestStateCodec> = LazyLock::new(|| {
    let key = [clock::random().to_le_bytes(), clock::random().to_le_bytes()].concat();
    RequestStateCodec::try_new(key).expect("the key has 32 bytes")
});

/// One round: what is asked, by key.
type Round = &'static [(&'static str, Ask)];

#[derive(Debug, Clone, Copy)]
enum Ask {
    /// A form with one field: message, field, type.
    Form(&'static str, &'static str, &'static str),
    /// A model's answer: prompt, longest answer.
    Sample(&'static str, u32),
    /// The client's roots.
    Roots,
}

/// A fixture: its name, its rounds, and whether it sends a sealed state.
struct Fixture {
    name: &'static str,
    about: &'static str,
    rounds: &'static [Round],
    sealed: bool,
}

const NAME: Ask = Ask::Form("What is your name?", "name", "string");
const CONFIRM: Ask = Ask::Form("Please confirm", "ok", "boolean");

const FIXTURES: &[Fixture] = &[
    Fixture {
        name: "test_input_required_result_elicitation",
        about: "Asks for a name",
        rounds: &[&[("user_name", NAME)]],
        sealed: false,
    },
    Fixture {
        name: "test_input_required_result_sampling",
        about: "Asks a model",
        rounds: &[&[("capital_question", Ask::Sample("What is the capital of France?", 100))]],
        sealed: false,
    },
    Fixture {
        name: "test_input_required_result_list_roots",
        about: "Asks for roots",
        rounds: &[&[("client_roots", Ask::Roots)]],
        sealed: false,
    },
    Fixture {
        name: "test_input_required_result_request_state",
        about: "Asks for confirmation and checks the state that comes back",
        rounds: &[&[("confirm", CONFIRM)]],
        sealed: true,
    },
    Fixture {
        name: "test_input_required_result_tampered_state",
        about: "Refuses a state that was changed",
        rounds: &[&[("confirm", CONFIRM)]],
        sealed: true,
    },
    Fixture {
        name: "test_input_required_result_multiple_inputs",
        about: "Asks three things at once",
        rounds: &[&[
            ("user_name", NAME),
            ("greeting", Ask::Sample("Generate a greeting", 50)),
            ("client_roots", Ask::Roots),
        ]],
        sealed: true,
    },
    Fixture {
        name: "test_input_required_result_multi_round",
        about: "Asks twice",
        rounds: &[
            &[("step1", Ask::Form("Step 1: What is your name?", "name", "string"))],
            &[("step2", Ask::Form("Step 2: What is your favorite color?", "color", "string"))],
        ],
        sealed: true,
    },
    Fixture {
        name: "test_streaming_elicitation",
        about: "Asks for a name over a stream",
        rounds: &[&[("user_name", NAME)]],
        sealed: false,
    },
];

impl Ask {
    fn request(self) -> Value {
        match self {
            Self::Form(message, field, kind) => json!({
                "method": "elicitation/create",
                "params": {
                    "message": message,
                    "requestedSchema": {
                        "type": "object", "properties": { field: { "type": kind } }, "required": [field]
                    }
                }
            }),
            Self::Sample(text, longest) => json!({
                "method": "sampling/createMessage",
                "params": {
                    "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
                    "maxTokens": longest
                }
            }),
            Self::Roots => json!({ "method": "roots/list", "params": {} }),
        }
    }

    /// What the answer says, or `None` when it is no answer to this.
    fn answer(self, given: &Value) -> Option<String> {
        match self {
            Self::Form(_, field, _) if given["action"] == "accept" => match &given["content"][field] {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
            Self::Form(..) => None,
            Self::Sample(..) => given["content"]["text"].as_str().map(str::to_owned),
            Self::Roots => given["roots"].is_array().then(|| given["roots"].to_string()),
        }
    }
}

fn asked(round: &[(&str, Ask)], state: Option<String>) -> Result<InputRequiredResult, ErrorData> {
    let mut requests = InputRequests::new();
    for (key, ask) in round {
        let request: InputRequest = serde_json::from_value(ask.request())
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        requests.insert((*key).to_owned(), request);
    }
    Ok(InputRequiredResult::new(Some(requests), state))
}

/// Every answer of a round, in order; `None` while one is missing.
fn answers(round: Round, given: Option<&InputResponses>) -> Option<Vec<String>> {
    round.iter().map(|(key, ask)| ask.answer(given?.get(*key)?)).collect()
}

fn is_one(name: &str) -> Option<&'static Fixture> {
    FIXTURES.iter().find(|fixture| fixture.name == name)
}

pub(super) fn list() -> Vec<Tool> {
    let plain = FIXTURES.iter().map(|fixture| tool(fixture.name, fixture.about, json!({})));
    plain.chain([tool(CAPABILITIES, "Asks only what the client can answer", json!({}))]).collect()
}

/// Calls a fixture of this kind; `None` when the name is another's.
pub(super) fn call(
    request: &CallToolRequestParams,
    cx: &Context,
) -> Option<Result<CallToolResponse, ErrorData>> {
    if request.name == CAPABILITIES {
        return Some(only_what_the_client_can(cx));
    }
    is_one(&request.name).map(|fixture| go_on(fixture, request))
}

fn go_on(fixture: &Fixture, request: &CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
    let now = match request.request_state.as_deref().filter(|_| fixture.sealed) {
        None => 0,
        Some(state) => SEAL
            .open_json_with::<usize>(state, fixture.name.as_bytes())
            .map_err(|_| ErrorData::invalid_params("the request state does not verify", None))?,
    };
    let seal = |round: usize| {
        let options = rmcp::model::SealOptions::new().associated_data(fixture.name.as_bytes());
        fixture
            .sealed
            .then(|| SEAL.seal_json_with(&round, &options))
            .transpose()
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    };
    let round = fixture
        .rounds
        .get(now)
        .ok_or_else(|| ErrorData::invalid_params("the request state names no round", None))?;
    // What is stated without a state was never asked by a sealed fixture.
    let stated = !fixture.sealed || request.request_state.is_some();
    let given = request.input_responses.as_ref().filter(|_| stated);
    let Some(answers) = answers(round, given) else {
        return Ok(asked(round, seal(now)?)?.into());
    };
    if let Some(next) = fixture.rounds.get(now + 1) {
        return Ok(asked(next, seal(now + 1)?)?.into());
    }
    let said = answers.join(", ");
    let text = match fixture.name.strip_prefix(PREFIX) {
        Some("elicitation") => format!("Hello, {said}!"),
        Some("request_state" | "tampered_state") => format!("state-ok: {said}"),
        _ => said,
    };
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
}

fn only_what_the_client_can(cx: &Context) -> Result<CallToolResponse, ErrorData> {
    let can = cx.client_capabilities().unwrap_or_default();
    let mut round = Vec::new();
    if can.elicitation.is_some() {
        round.push(("user_name", NAME));
    }
    if can.sampling.is_some() {
        round.push(("greeting", Ask::Sample("Generate a greeting", 50)));
    }
    if can.roots.is_some() {
        round.push(("client_roots", Ask::Roots));
    }
    if round.is_empty() {
        let text = ContentBlock::text("The client can answer nothing, so nothing is asked.");
        return Ok(CallToolResult::success(vec![text]).into());
    }
    Ok(asked(&round, None)?.into())
}

pub(super) fn prompt(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    const ROUND: Round =
        &[("user_context", Ask::Form("What context should the prompt use?", "context", "string"))];
    let Some(answers) = answers(ROUND, request.input_responses.as_ref()) else {
        return Ok(asked(ROUND, None)?.into());
    };
    let text = format!("Use this context: {}", answers.join(", "));
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).into())
}

/// The name that a call brings, or the question for it: what a task asks before it exists.
pub(super) fn name_or_question(
    request: &CallToolRequestParams,
) -> Result<Result<String, CallToolResponse>, ErrorData> {
    const ROUND: Round = &[("user_name", NAME)];
    match answers(ROUND, request.input_responses.as_ref()) {
        Some(answers) => Ok(Ok(answers.join(", "))),
        None => Ok(Err(asked(ROUND, None)?.into())),
    }
}

/// A form as the tasks' fixtures ask it.
pub(super) fn form(
    message: &'static str,
    field: &'static str,
    kind: &'static str,
) -> Result<InputRequest, ErrorData> {
    serde_json::from_value(Ask::Form(message, field, kind).request())
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::conformance::tools::object;

    fn request(name: &'static str) -> CallToolRequestParams {
        CallToolRequestParams::new(name).with_arguments(object(json!({})))
    }

    fn state_of(response: CallToolResponse) -> String {
        match response {
            CallToolResponse::InputRequired(asked) => asked.request_state.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_state_opens_only_where_it_was_sealed_and_as_it_was() {
        let multi = is_one("test_input_required_result_multi_round").unwrap();
        let state = state_of(go_on(multi, &request(multi.name)).unwrap());
        let confirm = json!({ "action": "accept", "content": { "name": "Ada" } });
        let answered: InputResponses = [("step1".to_owned(), confirm)].into();
        let again = |name, state: &str| {
            request(name).with_input_responses(answered.clone()).with_request_state(state.to_owned())
        };
        assert!(go_on(multi, &again(multi.name, &state)).is_ok());
        assert!(go_on(multi, &again(multi.name, &format!("{state}-TAMPERED"))).is_err());
        let other = is_one("test_input_required_result_request_state").unwrap();
        assert!(go_on(other, &again(other.name, &state)).is_err());
    }
}
