//! Workspace webhooks, settings, phone numbers, agents.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};

use super::{errors::ApiError, webhook::Webhook};
use crate::{
    clock,
    config::{Config, ImportedNumber},
    signalwire::errors::json_answer,
    world::World,
};

type Shared = State<Arc<World>>;

fn read(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice::<Value>(body).ok().filter(Value::is_object).ok_or_else(|| ApiError::schema("body"))
}

fn text(value: &Value, path: &str) -> Result<String, ApiError> {
    let found = value.pointer(path).and_then(Value::as_str).filter(|t| !t.is_empty());
    found.map(str::to_owned).ok_or_else(|| ApiError::schema(path.rsplit('/').next().unwrap_or(path)))
}

fn answer(world: &World, result: Result<Value, ApiError>) -> Response {
    match result {
        Ok(value) => json_answer(200, &value),
        Err(error) => error.answer(world),
    }
}

/// `GET /v1/workspace/webhooks`; `retry_enabled` cannot be read back.
pub async fn list_webhooks(State(world): Shared) -> Response {
    let state = world.state();
    let used = state.workspace.post_call_webhook_id.clone();
    let view = |w: &Webhook| {
        let usage = if used.as_deref() == Some(w.id.as_str()) {
            json!([{ "usage_type": "ConvAI Settings" }])
        } else {
            json!([])
        };
        json!({
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
        })
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
            .map(|url| json!({ "url": url, "request_headers": state.config.initiation_headers })),
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
            set(&world, |config| {
                config.initiation_url = webhook.get("url").and_then(Value::as_str).map(str::to_owned);
                config.initiation_headers = headers(webhook.get("request_headers"));
            });
        }
        Ok(settings(&world))
    });
    answer(&world, done)
}

fn set(world: &World, change: impl FnOnce(&mut Config)) {
    let mut state = world.state();
    let mut config = Config::clone(&state.config);
    change(&mut config);
    config.complete();
    state.config = Arc::new(config);
}

fn number_view(number: &ImportedNumber) -> Value {
    json!({ "phone_number": number.number, "label": number.name, "phone_number_id": number.phone_number_id,
        "supports_inbound": true, "supports_outbound": true, "provider": "sip_trunk",
        "assigned_agent": { "agent_id": number.agent_id, "agent_name": number.name } })
}

/// `GET /v1/convai/phone-numbers`.
pub async fn list_numbers(State(world): Shared) -> Response {
    json_answer(200, &Value::Array(world.config().numbers.iter().map(number_view).collect()))
}

/// `POST /v1/convai/phone-numbers`: imports a SIP trunk number.
pub async fn import_number(State(world): Shared, body: Bytes) -> Response {
    let done = read(&body).and_then(|body| {
        if text(&body, "/provider")? != "sip_trunk" {
            return Err(ApiError::schema("provider"));
        }
        let optional = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = ImportedNumber {
            number: text(&body, "/phone_number")?,
            agent_id: optional("/agent_id"),
            name: text(&body, "/label")?,
            phone_number_id: format!("phnum_{}", world.fresh().token(24)),
            username: optional("/inbound_trunk_config/credentials/username"),
            password: optional("/inbound_trunk_config/credentials/password"),
        };
        let id = number.phone_number_id.clone();
        set(&world, |config| {
            config.numbers.retain(|n| n.number != number.number);
            config.numbers.push(number);
        });
        Ok(json!({ "phone_number_id": id }))
    });
    answer(&world, done)
}

/// `GET /v1/convai/agents`: one for each agent that has a number.
pub async fn list_agents(State(world): Shared) -> Response {
    let config = world.config();
    let mut agents: Vec<(&str, &str)> = config.numbers.iter().map(|n| (n.agent_id.as_str(), n.name.as_str())).collect();
    agents.sort_unstable();
    agents.dedup();
    let view = |(id, name): (&str, &str)| json!({ "agent_id": id, "name": name, "tags": [], "archived": false });
    let agents: Vec<Value> = agents.into_iter().map(view).collect();
    json_answer(200, &json!({ "agents": agents, "has_more": false, "next_cursor": null }))
}

/// `GET /v1/convai/agents/{id}`.
pub async fn get_agent(State(world): Shared, Path(id): Path<String>) -> Response {
    let config = world.config();
    let Some(number) = config.numbers.iter().find(|n| n.agent_id == id) else {
        return ApiError::not_found("agent_not_found").answer(&world);
    };
    let from_webhook = config.initiation_url.is_some();
    json_answer(
        200,
        &json!({ "agent_id": id, "name": number.name, "conversation_config": {}, "metadata": { "created_at_unix_secs": 0 },
            "platform_settings": { "overrides": { "enable_conversation_initiation_client_data_from_webhook": from_webhook },
                "call_limits": { "agent_concurrency_limit": config.agent_concurrency, "daily_limit": 100_000 } },
            "phone_numbers": [number_view(number)], "tags": [] }),
    )
}
