//! The description of the API. It is written beside the handlers; here is what holds for all of them. `docs/openapi.json` is
//! made of it (`make openapi`), is served as it lies there, and a test compares the two.

pub mod pages;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use elevenwire::http::Reply;
use elevenwire::problem::Problem;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::{
    Answer, App, calls, campaigns, contacts, dead_letters, endpoints, exports, guard, imports, numbers, records, stops,
    suppressions,
};

/// What is served.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Addresses of other functions, with what they take: whatever else is sent to them arrives here.
pub const ELSEWHERE: [(&str, &str); 9] = [
    ("/api/health", "GET"),
    ("/api/tools/opt-out", "POST"),
    ("/api/webhooks/elevenlabs", "POST"),
    ("/api/webhooks/elevenlabs/initiation", "POST"),
    ("/api/webhooks/signalwire/voice/{call_id}", "POST"),
    ("/api/webhooks/signalwire/fallback/{call_id}", "POST"),
    ("/api/webhooks/signalwire/action/{call_id}", "POST"),
    ("/api/webhooks/signalwire/status/{call_id}", "POST"),
    // Its other methods are ours.
    ("/api/calls", "POST"),
];

/// What is described here.
#[derive(Debug, OpenApi)]
#[openapi(
    paths(document),
    components(schemas(Problem, pages::RecordingFormat, pages::DossierFormat, pages::ReviewState))
)]
struct Doc;

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    let router = Router::new().route("/api/openapi.json", get(document));
    ELSEWHERE.iter().filter(|(path, _)| *path != "/api/calls").fold(router, |router, (path, method)| {
        router.route(path, any(async || Answer(Reply::from(refused_method()).with("Allow", *method))))
    })
}

fn refused_method() -> Problem {
    Problem::new(405, "Method Not Allowed", "This address does not take this method: see `Allow`.")
}

/// This document. No token is needed.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "about", operation_id = "readDescription",
    responses((status = 200, description = "The document.", body = Object))
)]
async fn document() -> Answer {
    Answer(Reply { content_type: "application/json", body: DOCUMENT.to_owned(), ..Reply::empty(200) })
}

/// What the router or an extractor refuses by itself is a problem document as well; and who may place calls at an address
/// is told so where reading does not help.
pub(crate) async fn as_problem(request: axum::http::Uri, response: Response) -> Response {
    let status = response.status();
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let mut response = match status.as_u16() {
        405 if !is_problem || response.headers().contains_key(header::ALLOW) => response,
        400.. if !is_problem => {
            let title = status.canonical_reason().unwrap_or("Error");
            let detail = match status.as_u16() {
                413 => "The body is too large.",
                _ => "The request cannot be read: its address or its body is malformed.",
            };
            Answer(Problem::new(status.as_u16(), title, detail).into()).into_response()
        }
        _ => response,
    };
    if status.as_u16() == 405 && request.path() == "/api/calls" {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    response
}

/// The part of the document that this function answers.
#[must_use]
pub fn document_of_api() -> utoipa::openapi::OpenApi {
    let mut document = Doc::openapi();
    for part in [
        crate::Doc::openapi(),
        calls::Doc::openapi(),
        campaigns::Doc::openapi(),
        contacts::Doc::openapi(),
        dead_letters::Doc::openapi(),
        endpoints::Doc::openapi(),
        exports::Doc::openapi(),
        guard::Doc::openapi(),
        imports::Doc::openapi(),
        numbers::Doc::openapi(),
        records::Doc::openapi(),
        stops::Doc::openapi(),
        suppressions::Doc::openapi(),
    ] {
        document.merge(part);
    }
    document
}

const ABOUT: &str = "AI phone calls: place them, run campaigns, read what was said and why it went so. Errors are problem \
    documents (RFC 9457) that name the field and its mend. In a query write the plus of a number as %2B.";

/// Adds what holds for every operation: who may ask, and the errors that any request of its kind can meet.
#[must_use]
pub fn finished(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["openapi"] = "3.1.0".into();
    document["info"] = json!({ "title": "11Wire", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
        "license": { "name": "MIT", "identifier": "MIT" } });
    document["tags"] = TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about })).collect();
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "description": "A token of ours. Its scope is read, call or admin; \
            each includes the ones before it." },
        "agent": { "type": "apiKey", "in": "header", "name": "X-Elevenwire-Secret", "description":
            "The secret that the agents' vendor was given." },
        "elevenlabs": { "type": "apiKey", "in": "header", "name": "ElevenLabs-Signature", "description":
            "`t=…,v0=…`, an HMAC over time and body." },
        "signalwire": { "type": "apiKey", "in": "header", "name": "X-SignalWire-Signature", "description":
            "An HMAC over address and form." },
    });
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.flat_map(|path| path.as_object_mut().into_iter().flat_map(|path| path.values_mut())) {
        complete(operation);
    }
    document
}

const TAGS: [(&str, &str); 12] = [
    ("calls", "Single calls, and every attempt of a campaign."),
    ("campaigns", "Many calls with one agent."),
    ("imports", "People for a campaign."),
    ("agents", "Who speaks, from which numbers, under which limits."),
    ("stops", "What its owner stops, stops."),
    ("suppressions", "Who is not called any more."),
    ("numbers", "What is known of a number, and whether it may be called."),
    ("conversations", "What was said, and whether everything came home."),
    ("exports", "Rows as files."),
    ("events", "What happened, told to your own systems."),
    ("vendors", "Addresses for the vendors."),
    ("about", "The system itself."),
];

fn complete(operation: &mut Value) {
    let scope = operation.pointer("/security/0/token/0").and_then(Value::as_str).map(str::to_owned);
    if let Some(scope) = &scope {
        let said = operation["description"].as_str().unwrap_or_default();
        operation["description"] = format!("{said} Needs a token with the scope `{scope}`.").trim().into();
    }
    let has = |place: &str| {
        let parameters = operation["parameters"].as_array();
        parameters.into_iter().flatten().any(|parameter| parameter["in"] == place)
    };
    let (in_path, in_query) = (has("path"), has("query"));
    let body = !operation["requestBody"].is_null();
    if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
        parameters.iter_mut().for_each(without_null);
    }
    // One that may be left out is not therefore null.
    if let Some(schema) = operation.pointer_mut("/requestBody/content/application~1json/schema") {
        without_null_choice(schema);
    }
    // Any bytes are a text: what is wrong with its rows is told in the answer.
    if let Some(csv) = operation.pointer_mut("/requestBody/content/text~1csv") {
        *csv = json!({ "schema": {} });
    }
    let mut add = |status: &str, wanted: bool, description: &str| {
        if wanted && operation["responses"][status].is_null() {
            operation["responses"][status] = json!({ "description": description });
        }
    };
    if scope.is_some() {
        add("400", in_path || body, "The request is malformed.");
        add("401", true, "There is no token, or one that nobody issued.");
        add("403", true, "The token has not this scope.");
        add("404", in_path, "There is no such thing.");
        add("413", body, "The body is too large.");
        add("415", body, "The body is of another type.");
        add("422", body || in_query, "Something is out of bounds: see `errors`.");
        add("503", true, "A part of the system does not answer. Nothing was changed.");
        problems(operation);
    }
}

/// Errors without a body of their own are problem documents.
fn problems(operation: &mut Value) {
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if status.starts_with(['4', '5']) && response["content"].is_null() {
            response["content"] =
                json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
        }
    }
}

/// A parameter that is not sent is missing: none is null.
fn without_null(parameter: &mut Value) {
    let in_query = parameter["in"] == "query";
    // Not by index: that would write what is not there.
    let Some(schema) = parameter.get_mut("schema") else { return };
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
        if let [kind] = types.as_slice() {
            schema["type"] = kind.clone();
        }
    }
    without_null_choice(schema);
    // One that is empty counts as not sent.
    if let Some(words) = schema.get_mut("enum").filter(|_| in_query).and_then(Value::as_array_mut) {
        words.push("".into());
    }
    let format = schema.get("format").cloned().unwrap_or_default();
    if in_query && (format == "date-time" || format == "uuid") {
        *schema = json!({ "anyOf": [{ "type": "string", "format": format }, { "const": "" }] });
    }
}

fn without_null_choice(schema: &mut Value) {
    let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else { return };
    choices.retain(|choice| choice["type"] != "null");
    if let [choice] = choices.as_slice() {
        *schema = choice.clone();
    }
}
