//! SignalWire's compatibility API: `/api/laml/2010-04-01/Accounts/{A}/…`.

pub mod call;
pub mod callbacks;
pub mod create;
pub mod cxml;
pub mod errors;
pub mod list;
pub mod numbers;
pub mod request;
pub mod voice;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, header},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use self::{
    call::{Order, Status},
    create::Form,
    errors::{ApiError, json_answer},
};
use crate::{
    line::dialler,
    switches::{BACKLOG_FULL, CALL_OBJECT, CALL_PRICE, CREATE_STATUS},
    world::World,
};

type Shared = State<Arc<World>>;

/// The routes, behind Basic auth.
pub fn router(world: &Arc<World>) -> Router<Arc<World>> {
    const ACCOUNT: &str = "/api/laml/2010-04-01/Accounts/{account}";
    Router::new()
        .route(ACCOUNT, get(account))
        .route(&format!("{ACCOUNT}/Calls"), get(list_calls).post(create_call))
        .route(&format!("{ACCOUNT}/Calls.json"), get(list_calls).post(create_call))
        .route(&format!("{ACCOUNT}/Calls/{{sid}}"), get(fetch_call).post(update_call).delete(delete_call))
        .layer(middleware::from_fn_with_state(Arc::clone(world), authenticate))
}

async fn authenticate(State(world): Shared, request: Request, next: Next) -> Response {
    let account = request.uri().path().split('/').nth(5).unwrap_or_default().trim_end_matches(".json").to_owned();
    let config = world.config();
    if !allowed(request.headers(), &config.project_id, &config.api_token) {
        return ApiError { status: 401, code: 20_003, message: "Authentication failed".into() }.answer(&world, false);
    }
    if account != config.project_id {
        return ApiError::not_found().answer(&world, false);
    }
    next.run(request).await
}

fn allowed(headers: &HeaderMap, project: &str, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let given = given.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text.trim()).ok());
    given.is_some_and(|given| given == format!("{project}:{token}").into_bytes())
}

async fn account(State(world): Shared) -> Response {
    let id = world.config().project_id.clone();
    let uri = format!("/api/laml/2010-04-01/Accounts/{id}");
    json_answer(
        200,
        &json!({ "sid": id, "friendly_name": "Simulated project", "status": "active", "auth_token": "redacted",
            "type": "Full", "owner_account_sid": null, "region_preference": null, "subproject": false,
            "signing_key": null, "uri": uri, "subresource_uris": { "calls": format!("{uri}/Calls.json") } }),
    )
}

async fn create_call(State(world): Shared, body: Bytes) -> Response {
    let form = Form::read(&body);
    let spec = match create::spec(&form, &world.config()) {
        Ok(spec) => spec,
        Err(error) => return error.answer(&world, true),
    };
    match dialler::accept(&world, spec) {
        Some(call) => {
            let status = if world.is(CREATE_STATUS, "201") { 201 } else { 200 };
            json_answer(status, &call.view(&world.config().project_id, world.at(CALL_OBJECT), world.at(CALL_PRICE)))
        }
        None => backlog_full(&world),
    }
}

fn backlog_full(world: &World) -> Response {
    let (status, code, message) = match world.at(BACKLOG_FULL) {
        "429_20429" => (429, 20_429, "Too many requests or throughput was exceeded"),
        "400_21611" => (400, 21_611, "This 'From' number has exceeded the maximum number of queued calls"),
        _ => (429, 21_611, "This 'From' number has exceeded the maximum number of queued calls"),
    };
    ApiError { status, code, message: message.into() }.answer(world, true)
}

async fn list_calls(State(world): Shared, RawQuery(query): RawQuery) -> Response {
    let page = list::page(&world.state(), query.as_deref().unwrap_or_default());
    match page {
        Ok(page) => json_answer(200, &page),
        Err(error) => error.answer(&world, false),
    }
}

fn bare(sid: &str) -> &str {
    sid.strip_suffix(".json").unwrap_or(sid)
}

fn view(world: &World, sid: &str) -> Option<Response> {
    let state = world.state();
    let (shape, pricing) = (state.switches.get(CALL_OBJECT), state.switches.get(CALL_PRICE));
    state.calls.get(sid).map(|call| json_answer(200, &call.view(&state.config.project_id, shape, pricing)))
}

async fn fetch_call(State(world): Shared, Path((_, sid)): Path<(String, String)>) -> Response {
    view(&world, bare(&sid)).unwrap_or_else(|| ApiError::not_found().answer(&world, false))
}

async fn delete_call(State(world): Shared, Path((_, sid)): Path<(String, String)>) -> Response {
    let status = world.state().calls.get(bare(&sid)).map(|call| call.status);
    match status {
        None => ApiError::not_found().answer(&world, false),
        Some(status) if !status.terminal() => ApiError::bad(20_009, "The call has not finished").answer(&world, false),
        Some(_) => {
            let mut state = world.state();
            state.calls.remove(bare(&sid));
            json_answer(204, &json!(null))
        }
    }
}

async fn update_call(State(world): Shared, Path((_, sid)): Path<(String, String)>, body: Bytes) -> Response {
    let (form, sid) = (Form::read(&body), bare(&sid));
    match update(&world, sid, &form) {
        Ok(()) => view(&world, sid).unwrap_or_else(|| ApiError::not_found().answer(&world, false)),
        Err(error) => error.answer(&world, false),
    }
}

fn update(world: &Arc<World>, sid: &str, form: &Form) -> Result<(), ApiError> {
    let redirect = form.hook("Url", "Method")?;
    let callback = form.hook("StatusCallback", "StatusCallbackMethod")?;
    let fallback = form.hook("FallbackUrl", "FallbackMethod")?;
    let (status, orders) = {
        let mut state = world.state();
        let call = state.calls.get_mut(sid).ok_or_else(ApiError::not_found)?;
        if !call.status.terminal() {
            call.spec.status_callback = callback.or(call.spec.status_callback.take());
            call.spec.fallback = fallback.or(call.spec.fallback.take());
        }
        (call.status, call.orders.clone())
    };
    let finished = || ApiError::bad(10_000, "The call is not in a state that allows this update");
    match (form.get("Status"), redirect) {
        (Some("canceled"), _) if status >= Status::InProgress => Err(finished()),
        (Some("completed"), _) if status.terminal() => Err(finished()),
        (Some("canceled"), _) => {
            dialler::cancel(world, sid);
            Ok(())
        }
        // Hanging up what has not been answered is a cancellation.
        (Some("completed"), _) if status < Status::InProgress => {
            dialler::cancel(world, sid);
            Ok(())
        }
        (Some("completed"), _) => {
            orders.send_replace(Order::Complete);
            Ok(())
        }
        (Some(other), _) => Err(ApiError::bad(10_000, format!("Status cannot be set to {other}"))),
        (None, Some(hook)) if status == Status::InProgress => {
            orders.send_replace(Order::Redirect { url: hook.url, get: hook.get });
            Ok(())
        }
        (None, Some(_)) => Err(ApiError::bad(21_220, "Call is not in-progress. Cannot redirect.")),
        (None, None) => Ok(()),
    }
}
