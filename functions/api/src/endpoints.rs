//! `/api/event-endpoints`: where events are sent to. Its secret is shown once, when it is made.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::events::{TYPES, address, signature};
use elevenwire::http::Reply;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::endpoints::{Endpoint, MOST, NewEndpoint};
use elevenwire::store::intents::new_id;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::openapi::pages;
use crate::{Answer, Answered, App, authorize, json_of, unavailable, wrong};

/// How long the secret before the new one signs as well.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// Events that are shown of those that an endpoint does not have.
const SHOWN: i64 = 200;

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(list, add, show, remove, rotate, enable, redeliver, test, undelivered))]
pub(crate) struct Doc;

/// What may be sent.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what `parse` reads")]
struct EndpointWish {
    /// A public https address.
    #[schema(max_length = 2000, example = "https://example.com/hooks/11wire")]
    url: String,
    /// Types that it gets; all when none is named.
    types: Option<Vec<EventType>>,
    /// Your own words.
    #[schema(max_length = 500)]
    description: Option<String>,
}

/// What is told.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
enum EventType {
    #[serde(rename = "call.settled")]
    CallSettled,
    #[serde(rename = "call.blocked")]
    CallBlocked,
    #[serde(rename = "number.suppressed")]
    NumberSuppressed,
    #[serde(rename = "campaign.paused")]
    CampaignPaused,
}

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/event-endpoints", get(list).post(add))
        .route("/api/event-endpoints/{id}", get(show).delete(remove))
        .route("/api/event-endpoints/{id}/rotate", post(rotate))
        .route("/api/event-endpoints/{id}/enable", post(enable))
        .route("/api/event-endpoints/{id}/redeliver", post(redeliver))
        .route("/api/event-endpoints/{id}/test", post(test))
        .route("/api/event-endpoints/{id}/undelivered", get(undelivered))
}

/// Where events are sent to.
#[utoipa::path(
    get, path = "/api/event-endpoints", tag = "events", operation_id = "listEventEndpoints",
    responses((status = 200, description = "The answer.", body = pages::EventEndpoints)),
    security(("token" = ["admin"]))
)]
async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Admin)?;
    let endpoints = app.store.endpoints().await.map_err(|error| unavailable(&error))?;
    Ok(Reply::json(200, &json!({ "endpoints": endpoints })).into())
}

/// Adds an endpoint; its secret is shown this once.
#[utoipa::path(
    post, path = "/api/event-endpoints", tag = "events", operation_id = "addEventEndpoint",
    request_body(content = EndpointWish),
    responses((status = 201, description = "It is added.", body = pages::EndpointWithSecret, headers(("Location" = String, description = "Its address."))), (status = 409, description = "There are too many.")),
    security(("token" = ["admin"]))
)]
async fn add(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = authorize(&app, &headers, Scope::Admin)?;
    let now = (app.now)();
    let body = json_of(&headers, &body)?;
    let new = parse(&body, new_id(now, (app.draw)()), app.dialling.played).map_err(wrong)?;
    let secret = new_secret(&app);
    let added = app.store.add_endpoint(&new, &secret, &caller.name, now).await;
    if !added.map_err(|error| unavailable(&error))? {
        let detail = format!("There are {MOST} endpoints, the most there may be. Delete one that is not used.");
        return Err(wrong(Problem::new(409, "Conflict", detail)));
    }
    tracing::info!(endpoint.id = %new.id, "an endpoint was added");
    let endpoint = app.store.endpoint(new.id).await.map_err(|error| unavailable(&error))?.ok_or_else(missing)?;
    let location = format!("/api/event-endpoints/{}", new.id);
    Ok(Reply::json(201, &with_secret(&endpoint, &secret)).with("Location", location).into())
}

/// One endpoint.
#[utoipa::path(
    get, path = "/api/event-endpoints/{id}", tag = "events", operation_id = "readEventEndpoint",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = Endpoint)),
    security(("token" = ["admin"]))
)]
async fn show(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Admin)?;
    Ok(Reply::json(200, &find(&app, &id).await?).into())
}

/// Forgets an endpoint, with what waits for it.
#[utoipa::path(
    delete, path = "/api/event-endpoints/{id}", tag = "events", operation_id = "deleteEventEndpoint",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 204, description = "It is forgotten."), (status = 409, description = "Its state does not allow it.")),
    security(("token" = ["admin"]))
)]
async fn remove(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    let id = owned(&app, &id, &headers).await?;
    let removed = app.store.remove_endpoint(id).await.map_err(|error| unavailable(&error))?;
    tracing::info!(endpoint.id = %id, removed, "an endpoint was removed");
    Ok(Reply::empty(204).into())
}

/// A new secret, shown this once; for 24 hours both sign.
#[utoipa::path(
    post, path = "/api/event-endpoints/{id}/rotate", tag = "events", operation_id = "rotateEventEndpoint",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = pages::EndpointWithSecret), (status = 409, description = "Its state does not allow it.")),
    security(("token" = ["admin"]))
)]
async fn rotate(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    let id = owned(&app, &id, &headers).await?;
    let now = (app.now)();
    let secret = new_secret(&app);
    let overlap = now.saturating_add(OVERLAP).unwrap_or(now);
    let known = app.store.rotate_secret(id, &secret, overlap, now).await.map_err(|error| unavailable(&error))?;
    let endpoint = app.store.endpoint(id).await.map_err(|error| unavailable(&error))?;
    let endpoint = endpoint.filter(|_| known).ok_or_else(missing)?;
    tracing::info!(endpoint.id = %id, "an endpoint got a new secret");
    Ok(Reply::json(200, &with_secret(&endpoint, &secret)).into())
}

/// Lets it get events again.
#[utoipa::path(
    post, path = "/api/event-endpoints/{id}/enable", tag = "events", operation_id = "enableEventEndpoint",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = Endpoint), (status = 409, description = "Its state does not allow it.")),
    security(("token" = ["admin"]))
)]
async fn enable(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    let id = owned(&app, &id, &headers).await?;
    app.store.enable_endpoint(id, (app.now)()).await.map_err(|error| unavailable(&error))?;
    let endpoint = app.store.endpoint(id).await.map_err(|error| unavailable(&error))?.ok_or_else(missing)?;
    Ok(Reply::json(200, &endpoint).into())
}

/// What it does not have is due now.
#[utoipa::path(
    post, path = "/api/event-endpoints/{id}/redeliver", tag = "events", operation_id = "redeliverEvents",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 202, description = "It is due.", body = pages::Redelivered)),
    security(("token" = ["admin"]))
)]
async fn redeliver(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Admin)?;
    let id = find(&app, &id).await?.id;
    let due = app.store.deliver_again(id, (app.now)()).await.map_err(|error| unavailable(&error))?;
    Ok(Reply::json(202, &json!({ "due": due })).into())
}

/// Sends it an event of the type `endpoint.test`.
#[utoipa::path(
    post, path = "/api/event-endpoints/{id}/test", tag = "events", operation_id = "testEventEndpoint",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 202, description = "It is due.", body = pages::TestEvent), (status = 409, description = "Its state does not allow it.")),
    security(("token" = ["admin"]))
)]
async fn test(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Admin)?;
    let endpoint = find(&app, &id).await?;
    if endpoint.state != "active" {
        let detail = "The endpoint is disabled. Enable it first: POST …/enable.";
        return Err(wrong(Problem::new(409, "Conflict", detail)));
    }
    let now = (app.now)();
    let test = new_id(now, (app.draw)());
    let event_id = app.store.test_endpoint(endpoint.id, test, now).await.map_err(|error| unavailable(&error))?;
    Ok(Reply::json(202, &json!({ "event_id": event_id })).into())
}

/// Events that it does not have.
#[utoipa::path(
    get, path = "/api/event-endpoints/{id}/undelivered", tag = "events", operation_id = "listUndeliveredEvents",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = pages::Undelivereds)),
    security(("token" = ["admin"]))
)]
async fn undelivered(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Admin)?;
    let endpoint = find(&app, &id).await?;
    let events = app.store.undelivered(endpoint.id, SHOWN).await.map_err(|error| unavailable(&error))?;
    Ok(Reply::json(200, &json!({ "events": events })).into())
}

fn missing() -> Answer {
    wrong(Problem::not_found("There is no endpoint with this id. GET /api/event-endpoints lists them."))
}

async fn find(app: &App, id: &str) -> Result<Endpoint, Answer> {
    let id = Uuid::parse_str(id).map_err(|_| missing())?;
    app.store.endpoint(id).await.map_err(|error| unavailable(&error))?.ok_or_else(missing)
}

/// An endpoint that an administrator may change: not the bus, which is the deployment's.
async fn owned(app: &App, id: &str, headers: &HeaderMap) -> Result<Uuid, Answer> {
    authorize(app, headers, Scope::Admin)?;
    let endpoint = find(app, id).await?;
    if endpoint.kind == "bus" {
        let detail = "The bus is the deployment's: change the parameter EventBusName.";
        return Err(wrong(Problem::new(409, "Conflict", detail)));
    }
    Ok(endpoint.id)
}

fn new_secret(app: &App) -> SecretString {
    let mut random = [0; 32];
    for part in random.chunks_mut(10) {
        let drawn = (app.draw)();
        part.copy_from_slice(&drawn[..part.len()]);
    }
    signature::secret(random)
}

fn with_secret(endpoint: &Endpoint, secret: &SecretString) -> Value {
    let mut view = serde_json::to_value(endpoint).unwrap_or_default();
    view["secret"] = secret.expose_secret().into();
    view
}

/// Reads `{"url", "types"?, "description"?}`.
fn parse(body: &Value, id: Uuid, played: bool) -> Result<NewEndpoint, Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, problem: &str, mend: &str| errors.push(FieldError::new(field, problem, mend));
    let known = ["url", "types", "description"];
    for key in body.as_object().into_iter().flat_map(|body| body.keys()).filter(|key| !known.contains(&key.as_str())) {
        let shown: String = key.chars().take(64).collect();
        wrong(&shown, "is not a field of an endpoint", "Use `url`, `types`, `description`.");
    }
    let url = body.get("url").and_then(Value::as_str).unwrap_or_default().trim();
    let url = match address::parse(url, played) {
        Ok(url) => url.to_string(),
        Err((problem, mend)) => {
            wrong("url", problem, mend);
            String::new()
        }
    };
    let mut types = Vec::new();
    match body.get("types") {
        None | Some(Value::Null) => {}
        Some(Value::Array(named)) if named.iter().all(|one| one.as_str().is_some_and(|one| TYPES.contains(&one))) => {
            types = named.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
            types.sort_unstable();
            types.dedup();
        }
        Some(_) => {
            wrong("types", "is not a list of known types", &format!("Use some of: {}. None is all.", TYPES.join(", ")));
        }
    }
    let description = match body.get("description") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.len() <= 500 && !text.contains('\0') => Some(text.clone()),
        Some(_) => {
            wrong("description", "is not a text, or is too long", "Send at most 500 bytes.");
            None
        }
    };
    if errors.is_empty() { Ok(NewEndpoint { id, url, description, types }) } else { Err(Problem::fields(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_cannot_be_names_the_fields() {
        let body = json!({ "url": "http://example.com", "types": ["call.settled", "call.ended"], "description": 7, "secret": "mine" });
        let problem = parse(&body, Uuid::nil(), false).unwrap_err();
        let fields: Vec<&str> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["secret", "url", "types", "description"]);
    }

    #[test]
    fn an_endpoint_is_an_address_and_perhaps_a_choice() {
        let body = json!({ "url": "https://example.com/hook", "types": ["number.suppressed", "call.settled", "call.settled"] });
        let endpoint = parse(&body, Uuid::nil(), false).unwrap();
        assert_eq!(endpoint.url, "https://example.com/hook");
        assert_eq!(endpoint.types, ["call.settled", "number.suppressed"]);
    }
}
