//! What every vendor request passes: the faults of its endpoint, and the count in the book.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    clock,
    faults::{Kind, NoAnswer, Occasion},
    signalwire::create::Form,
    wire::Scissors,
    world::World,
};

/// How long a stalled answer is held.
const STALL: Duration = Duration::from_mins(2);

/// The middleware around both vendors.
pub async fn pass(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|p| p.as_str().to_owned()).unwrap_or_default();
    let place = place(request.method(), &path);
    let endpoint = format!("{} {path}", request.method());
    let scissors = request.extensions().get::<ConnectInfo<Scissors>>().map(|c| c.0.clone()).unwrap_or_default();
    let (request, body) = match buffer(request).await {
        Ok(pair) => pair,
        Err(response) => return response,
    };
    let (to, call) = (callee(&body), last_id(request.uri().path()));
    let faults = world.faults(place, Occasion { to: &to, call: &call, event: "", class: "" });
    let note = |status: u16| world.state().book.request(&endpoint, status);
    for kind in &faults {
        match kind {
            Kind::DelayMs { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Kind::RefuseConnection | Kind::Drop => {
                note(0);
                return cut(&scissors).await;
            }
            Kind::HttpStatus { status, retry_after, json } => {
                note(*status);
                return refused(*status, *retry_after, *json, path.starts_with("/v1/"));
            }
            _ => {}
        }
    }
    let response = next.run(request).await;
    let lost = faults.iter().find_map(|k| if let Kind::TakenButNoAnswer { how } = k { Some(*how) } else { None });
    let Some(how) = lost else {
        note(response.status().as_u16());
        return response;
    };
    note(0);
    match how {
        NoAnswer::Cut => cut(&scissors).await,
        NoAnswer::Stall => {
            tokio::time::sleep(STALL).await;
            cut(&scissors).await
        }
        NoAnswer::Internal => refused(500, None, false, false),
        NoAnswer::BadGateway => refused(502, None, false, false),
        NoAnswer::Unavailable => refused(503, None, false, false),
        NoAnswer::GatewayTimeout => refused(504, None, false, false),
        NoAnswer::Garbled => (StatusCode::OK, "<html><body>OK</body></html>").into_response(),
    }
}

/// Dates an answer by the simulator's clock.
pub async fn date(mut response: Response) -> Response {
    if let Ok(date) = clock::http_date(clock::now()).parse() {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// The name under which faults know an endpoint.
fn place(method: &Method, path: &str) -> &'static str {
    let read = method == Method::GET;
    match path.trim_end_matches(".json") {
        "/v1/convai/conversations" => "conversations_list",
        "/v1/convai/conversations/{id}" => "conversation_get",
        "/v1/convai/conversations/{id}/audio" => "audio_get",
        "/v1/convai/sip-trunk/outbound-call" => "outbound_call",
        other if other.starts_with("/v1/workspace/webhooks") => "webhooks",
        other if other.starts_with("/v1/") => "elevenlabs_other",
        other if other.starts_with("/api/relay/rest/") => "numbers_list",
        other if other.ends_with("/Calls") && read => "calls_list",
        other if other.ends_with("/Calls") => "calls_create",
        other if other.ends_with("/{sid}") && read => "call_get",
        other if other.ends_with("/{sid}") => "call_update",
        _ => "account_get",
    }
}

async fn buffer(request: Request) -> Result<(Request, Bytes), Response> {
    const LIMIT: usize = 2 * 1024 * 1024;
    let (parts, body) = request.into_parts();
    match to_bytes(body, LIMIT).await {
        Ok(body) => Ok((Request::from_parts(parts, Body::from(body.clone())), body)),
        Err(_) => Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
    }
}

/// The callee's number in a form or in JSON, else empty.
fn callee(body: &[u8]) -> String {
    if body.first() == Some(&b'{') {
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let to = json.as_ref().and_then(|j| j.get("to_number")).and_then(Value::as_str);
        return to.unwrap_or_default().to_owned();
    }
    Form::read(body).get("To").unwrap_or_default().to_owned()
}

/// The call sid or conversation id in a path.
fn last_id(path: &str) -> String {
    let path = path.trim_end_matches("/audio").trim_end_matches(".json");
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

async fn cut(scissors: &Scissors) -> Response {
    scissors.cut();
    // The future is dropped with its connection; this is for a server without scissors.
    tokio::time::sleep(STALL).await;
    StatusCode::BAD_GATEWAY.into_response()
}

/// An error instead of the effect: the vendor's own JSON, or a proxy's page.
fn refused(status: u16, retry_after: Option<u32>, own: bool, elevenlabs: bool) -> Response {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (kind, body) = if own && elevenlabs {
        let word = if status == 429 { "rate_limit_exceeded" } else { "system_busy" };
        let detail = json!({ "detail": { "type": if status == 429 { "rate_limit_error" } else { "service_unavailable" },
            "code": word, "message": "Please try again", "status": word, "request_id": "simulated", "param": null } });
        ("application/json", detail.to_string())
    } else if own {
        let code = if status == 429 { 20_429 } else { 20_001 };
        let body = json!({ "code": code, "message": "Service is unavailable, nothing was done", "more_info": "", "status": status });
        ("application/json", body.to_string())
    } else {
        ("text/html", format!("<html><body><h1>{status}</h1></body></html>"))
    };
    let mut response = (code, [(header::CONTENT_TYPE, kind)], body).into_response();
    if let Some(secs) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, secs.into());
    }
    response
}
