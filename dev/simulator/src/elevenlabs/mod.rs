//! ElevenLabs' API (`/v1/…`) and its agent on the line.

pub mod admin;
pub mod agent;
pub mod catalog;
pub mod conversation;
pub mod errors;
pub mod initiation;
pub mod list;
pub mod numbers;
pub mod otel;
pub mod outbound;
pub mod payload;
pub mod tool;
pub mod webhook;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, Request, State},
    http::header,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use futures_util::stream;
use serde_json::json;

use self::{errors::ApiError, payload::Shown};
use crate::{signalwire::errors::json_answer, world::World};

type Shared = State<Arc<World>>;

/// The routes, behind the API key.
pub fn router(world: &Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/v1/convai/conversations", get(list_conversations))
        .route("/v1/convai/conversations/{id}", get(get_conversation).delete(delete_conversation))
        .route("/v1/convai/conversations/{id}/audio", get(get_audio))
        .route("/v1/convai/sip-trunk/outbound-call", post(outbound::call))
        .route("/v1/convai/settings", get(admin::get_settings).patch(admin::patch_settings))
        .route("/v1/convai/phone-numbers", get(numbers::list).post(numbers::import))
        .route("/v1/convai/phone-numbers/{id}", patch(numbers::patch))
        .route("/v1/convai/agents", get(catalog::list_agents))
        .route("/v1/convai/agents/{id}", get(catalog::get_agent).patch(catalog::patch_agent))
        .route("/v1/convai/tools", get(catalog::list_tools).post(catalog::create_tool))
        .route("/v1/convai/tools/{id}", patch(catalog::patch_tool))
        .route("/v1/convai/secrets", get(catalog::list_secrets).post(catalog::create_secret))
        .route("/v1/workspace/webhooks", get(admin::list_webhooks).post(admin::create_webhook))
        .route("/v1/workspace/webhooks/{id}", patch(admin::patch_webhook).delete(admin::delete_webhook))
        .layer(middleware::from_fn_with_state(Arc::clone(world), authenticate))
}

async fn authenticate(State(world): Shared, request: Request, next: Next) -> Response {
    let given = request.headers().get("xi-api-key").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if given.is_empty() || given != world.config().elevenlabs_api_key {
        return ApiError::unauthorized().answer(&world);
    }
    next.run(request).await
}

async fn list_conversations(State(world): Shared, RawQuery(query): RawQuery) -> Response {
    let page = list::page(&world.state(), query.as_deref().unwrap_or_default());
    match page {
        Ok(page) => json_answer(200, &page),
        Err(error) => error.answer(&world),
    }
}

async fn get_conversation(State(world): Shared, Path(id): Path<String>, RawQuery(query): RawQuery) -> Response {
    let otel = query.as_deref().unwrap_or_default().split('&').any(|p| p == "format=opentelemetry");
    let found = {
        let state = world.state();
        state.conversations.get(&id).map(|conversation| {
            let scale = state.config.time_scale;
            let mut object = payload::object(conversation, &state.switches, scale, Shown::Api);
            if otel && let Some(object) = object.as_object_mut() {
                object.insert("transcript".into(), json!([]));
                object.insert("otlp_traces".into(), otel::traces(conversation, &state.switches));
            }
            object
        })
    };
    match found {
        Some(object) => json_answer(200, &object),
        None => ApiError::no_conversation("Conversation not found").answer(&world),
    }
}

async fn delete_conversation(State(world): Shared, Path(id): Path<String>) -> Response {
    let gone = world.state().conversations.remove(&id).is_some();
    if gone { json_answer(200, &json!({})) } else { ApiError::no_conversation("Conversation not found").answer(&world) }
}

async fn get_audio(State(world): Shared, Path(id): Path<String>) -> Response {
    let response = audio(&world, &id);
    response.unwrap_or_else(|| ApiError::no_conversation("Conversation has no audio").answer(&world))
}

/// The recording as a chunked `audio/mpeg` stream.
#[must_use]
pub fn audio(world: &World, id: &str) -> Option<Response> {
    let recording = world.state().conversations.get(id)?.recording.clone()?;
    let body = Body::from_stream(stream::iter(recording.chunks().map(Ok::<_, Infallible>)));
    Some(([(header::CONTENT_TYPE, "audio/mpeg")], body).into_response())
}
