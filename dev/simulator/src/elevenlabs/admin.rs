//! Workspace webhooks and settings.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};

use super::{catalog, errors::ApiError, webhook::Webhook};
use crate::{clock, config::Config, signalwire::errors::json_answer, switches::RETRY_SHOWN, world::World};

type Shared = State<Arc<World>>;

pub(super) fn read(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice::<Value>(body).ok().filter(Value::is_object).ok_or_else(|| ApiError::schema("body"))
}

pub(super) fn text(value: &Value, path: &str) -> Result<String, ApiError> {
    let found = value.pointer(path).and_then(Value::as_str).filter(|t| !t.is_empty());
    found.map(str::to_owned).ok_or_else(|| ApiError::schema(path.rsplit('/').next().unwrap_or(path)))
}

pub(super) fn answer(world: &World, result: Result<Value, ApiError>) -> Response {
    match result {
        Ok(value) => json_answer(200, &value),
        Err(error) => error.answer(world),
    }
}

/// `GET /v1/workspace/webhooks`; `retry_enabled` cannot be read back, unless a switch says so.
pub async fn list_webhooks(State(world): Shared) -> Response {
    let state = world.state();
    let used = state.workspace.post_call_webhook_id.clone();
    let retry_shown = state.switches.is(RETRY_SHOWN, "yes");
    let view = |w: &Webhook| {
        let usage = if used.as_deref() == Some(w.id.as_str()) {
            json!([{ "usage_type": "ConvAI Settings" }])
        } else {
            json!([])
        };
        let mut shown = json!({
            "name": w.name,
            "webhook_id": w.id,
            "webhook_url": w.url,
            "is_disabled": w.is_disabled,
            "is_auto_disabled": w.is_auto_disabled,
            "created_at_unix": w.created,
            "auth_type": "hmac",
            "usage": usage,
            "most_recent_failure_error_code": w.last_failure.and_then(|(code, _)| code),
            "most_recent_failure_timestamp": w.last_failure.map(|(_, at)| at.as_second()),
        });
        if retry_shown {
            shown["retry_enabled"] = json!(w.retry_enabled);
        }
        shown
    };
    let webhooks: Vec<Value> = state.workspace.webhooks.iter().map(view).collect();
    json_answer(200, &json!({ "webhooks": webhooks }))
}

/// `POST /v1/workspace/webhooks`: the secret is shown here and never again.
pub async fn create_webhook(State(world): Shared, body: Bytes) -> Response {
    let made = read(&body).and_then(|body| {
        let auth = text(&body, "/settings/auth_type")?;
        if auth != "hmac" {
            return Err(ApiError::schema("auth_type"));
        }
        let mut ids = world.fresh();
        let webhook = Webhook {
            id: ids.token(32),
            name: text(&body, "/settings/name")?,
            url: text(&body, "/settings/webhook_url")?,
            secret: format!("wsec_{}", ids.token(64)),
            request_headers: headers(body.pointer("/settings/request_headers")),
            created: clock::now().as_second(),
            ..Webhook::default()
        };
        let shown = json!({ "webhook_id": webhook.id, "webhook_secret": webhook.secret });
        world.state().workspace.webhooks.push(webhook);
        Ok(shown)
    });
    answer(&world, made)
}

fn headers(value: Option<&Value>) -> std::collections::BTreeMap<String, String> {
    let map = value.and_then(Value::as_object);
    let pair = |(name, value): (&String, &Value)| value.as_str().map(|v| (name.to_lowercase(), v.to_owned()));
    map.map(|map| map.iter().filter_map(pair).collect()).unwrap_or_default()
}

/// `PATCH /v1/workspace/webhooks/{id}`: `is_disabled` and `name` are required.
pub async fn patch_webhook(State(world): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    let done = read(&body).and_then(|body| {
        let name = text(&body, "/name")?;
        let disabled =
            body.get("is_disabled").and_then(Value::as_bool).ok_or_else(|| ApiError::schema("is_disabled"))?;
        let mut state = world.state();
        let webhook = state.workspace.webhook(&id).ok_or_else(|| ApiError::not_found("webhook_not_found"))?;
        webhook.name = name;
        webhook.is_disabled = disabled;
        if !disabled && webhook.is_auto_disabled {
            webhook.is_auto_disabled = false;
            webhook.failures_in_a_row = 0;
        }
        if let Some(retry) = body.get("retry_enabled").and_then(Value::as_bool) {
            webhook.retry_enabled = retry;
        }
        if body.get("request_headers").is_some() {
            webhook.request_headers = headers(body.get("request_headers"));
        }
        Ok(json!({ "status": "ok" }))
    });
    answer(&world, done)
}

/// `DELETE /v1/workspace/webhooks/{id}`: not while it is in use.
pub async fn delete_webhook(State(world): Shared, Path(id): Path<String>) -> Response {
    let done = {
        let mut state = world.state();
        if state.workspace.post_call_webhook_id.as_ref() == Some(&id) {
            Err(ApiError {
                status: 409,
                kind: "conflict",
                code: "webhook_in_use",
                message: "The webhook is in use".into(),
            })
        } else {
            let before = state.workspace.webhooks.len();
            state.workspace.webhooks.retain(|w| w.id != id);
            let gone = state.workspace.webhooks.len() < before;
            if gone { Ok(json!({ "status": "ok" })) } else { Err(ApiError::not_found("webhook_not_found")) }
        }
    };
    answer(&world, done)
}

fn settings(world: &World) -> Value {
    let state = world.state();
    let workspace = &state.workspace;
    json!({ "conversation_initiation_client_data_webhook": state.config.initiation_url.as_ref()
            .map(|url| json!({ "url": url,
                "request_headers": catalog::shown_headers(&workspace.catalog, &state.config.initiation_headers) })),
        "webhooks": { "post_call_webhook_id": workspace.post_call_webhook_id, "events": workspace.events,
            "transcript_format": workspace.transcript_format, "send_audio": null } })
}

/// `GET /v1/convai/settings`.
pub async fn get_settings(State(world): Shared) -> Response {
    json_answer(200, &settings(&world))
}

/// `PATCH /v1/convai/settings`: `events` replaces the whole set.
pub async fn patch_settings(State(world): Shared, body: Bytes) -> Response {
    let done = read(&body).and_then(|body| {
        if let Some(id) = body.pointer("/webhooks/post_call_webhook_id") {
            let mut state = world.state();
            let id = id.as_str().map(str::to_owned);
            if id.as_ref().is_some_and(|id| state.workspace.webhook(id).is_none()) {
                return Err(ApiError::not_found("webhook_not_found"));
            }
            state.workspace.post_call_webhook_id = id;
        }
        if let Some(events) = body.pointer("/webhooks/events").and_then(Value::as_array) {
            world.state().workspace.events = events.iter().filter_map(|e| e.as_str().map(str::to_owned)).collect();
        }
        if let Some(format) = body.pointer("/webhooks/transcript_format").and_then(Value::as_str) {
            format.clone_into(&mut world.state().workspace.transcript_format);
        }
        if let Some(webhook) = body.get("conversation_initiation_client_data_webhook") {
            let headers = world.state().workspace.catalog.headers(webhook.get("request_headers"));
            set(&world, |config| {
                config.initiation_url = webhook.get("url").and_then(Value::as_str).map(str::to_owned);
                config.initiation_headers = headers;
            });
        }
        Ok(settings(&world))
    });
    answer(&world, done)
}

pub(super) fn set(world: &World, change: impl FnOnce(&mut Config)) {
    let mut state = world.state();
    let mut config = Config::clone(&state.config);
    change(&mut config);
    config.complete();
    state.config = Arc::new(config);
}
