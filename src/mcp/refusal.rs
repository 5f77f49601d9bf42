//! Failures of resources and prompts in the protocol's own numbers; our word stands in the data.

use rmcp::ErrorData;
use serde_json::Value;

use crate::failure::Failure;

/// How much of a URI is shown again, in characters; those that mean something are far shorter.
const URI_CHARS_MAX: usize = 512;

/// Why a resource is not read. A device outside the caller's scopes is not told from one that does not exist.
pub(super) fn of_resource(uri: &str, failure: &Failure) -> ErrorData {
    let mut data = failure.to_json();
    if let Value::Object(fields) = &mut data {
        fields.insert("uri".into(), uri.chars().take(URI_CHARS_MAX).collect::<String>().into());
    }
    let (say, data) = (failure.say.clone(), Some(data));
    match failure.code.http_status() {
        404 => ErrorData::resource_not_found(say, data),
        400 => ErrorData::invalid_params(say, data),
        401 | 403 | 409 | 429 => ErrorData::invalid_request(say, data),
        _ => ErrorData::internal_error(say, data),
    }
}

/// Why a prompt is not given, or nothing is offered for an argument.
pub(super) fn of_prompt(failure: &Failure) -> ErrorData {
    let (say, data) = (failure.say.clone(), Some(failure.to_json()));
    match failure.code.http_status() {
        400 | 404 => ErrorData::invalid_params(say, data),
        401 | 403 => ErrorData::invalid_request(say, data),
        _ => ErrorData::internal_error(say, data),
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::ErrorCode;

    use super::*;
    use crate::failure::Code;

    #[test]
    fn failures_travel_under_the_protocols_own_numbers() {
        for (code, number) in [
            (Code::UnknownDevice, ErrorCode::RESOURCE_NOT_FOUND),
            (Code::UnknownPlan, ErrorCode::RESOURCE_NOT_FOUND),
            (Code::NotFound, ErrorCode::RESOURCE_NOT_FOUND),
            (Code::InvalidParams, ErrorCode::INVALID_PARAMS),
            (Code::EnvironmentDenied, ErrorCode::INVALID_REQUEST),
            (Code::DeviceInJob, ErrorCode::INVALID_REQUEST),
            (Code::DeviceUnreachable, ErrorCode::INTERNAL_ERROR),
            (Code::Overloaded, ErrorCode::INTERNAL_ERROR),
        ] {
            let error = of_resource("device://r1/overview", &Failure::new(code, "no"));
            assert_eq!(error.code, number, "{code}");
            let data = error.data.unwrap();
            assert_eq!(
                (data["code"].as_str(), data["uri"].as_str()),
                (Some(code.as_str()), Some("device://r1/overview"))
            );
        }
        for (code, number) in [
            (Code::NotFound, ErrorCode::INVALID_PARAMS),
            (Code::InvalidParams, ErrorCode::INVALID_PARAMS),
            (Code::RoleRequired, ErrorCode::INVALID_REQUEST),
            (Code::Bug, ErrorCode::INTERNAL_ERROR),
        ] {
            assert_eq!(of_prompt(&Failure::new(code, "no")).code, number, "{code}");
        }
    }
}
