//! `/api/stop`, `/api/stops` and the end of one call: what its owner stops, stops.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::{delete, get, post};
use elevenwire::auth::Scope as May;
use elevenwire::http::Reply;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::queue::CallCommand;
use elevenwire::store::intents::new_id;
use elevenwire::store::reading::shapes::Call;
use elevenwire::store::stops::{Reached, Scope, Stop};
use serde_json::Value;
use uuid::Uuid;

use crate::openapi::pages;
use crate::query::{Asked, Paging, Pairs, listed};
use crate::{Answer, Answered, App, authorize, json_of, unavailable, wrong};

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(stop, list, lift, cancel_call, hang_up_call))]
pub(crate) struct Doc;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/stop", post(stop))
        .route("/api/stops", get(list))
        .route("/api/stops/{id}", delete(lift))
        .route("/api/calls/{id}/cancel", post(cancel_call))
        .route("/api/calls/{id}/hangup", post(hang_up_call))
}

/// Tells place-call. A command that the queue does not take is not lost: the trigger's sweep sends it again.
pub(crate) async fn command(app: &App, reached: &Reached) {
    let cancel = reached.to_cancel.iter().map(|id| CallCommand::Cancel { call_id: *id });
    let hang_up = reached.to_hang_up.iter().map(|id| CallCommand::HangUp { call_id: *id });
    for command in cancel.chain(hang_up) {
        if let Err(error) = app.calls.send(&command).await {
            tracing::warn!(error = %error, "could not command place-call; the trigger will");
            return;
        }
    }
}

/// Stops calls: from now on none is placed that the stop covers.
#[utoipa::path(
    post, path = "/api/stop", tag = "stops", operation_id = "stop",
    request_body(content = StopWish),
    responses((status = 201, description = "It holds.", body = pages::Stopped, headers(("Location" = String, description = "Its address.")))),
    security(("token" = ["call"]))
)]
async fn stop(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = authorize(&app, &headers, May::Call)?;
    let (stop, reached) = carry_out(&app, caller.name, &json_of(&headers, &body)?).await?;
    let mut view = serde_json::to_value(&stop).unwrap_or_default();
    view["taken_back"] = reached.to_cancel.len().into();
    view["hung_up"] = reached.to_hang_up.len().into();
    Ok(Reply::json(201, &view).with("Location", format!("/api/stops/{}", stop.id)).into())
}

/// Stops what `wish` says, for whoever may.
pub(crate) async fn carry_out(app: &App, by: String, wish: &Value) -> Result<(Stop, Reached), Answer> {
    let now = (app.now)();
    let (scope, reason, hang_up) = parse(wish).map_err(wrong)?;
    let id = new_id(now, (app.draw)());
    let stop = Stop { id, scope, reason, hang_up, by, at: now, lifted_at: None, lifted_by: None };
    app.store.stop(&stop).await.map_err(|error| unavailable(&error))?;
    let reached = app.store.end_live(&stop.scope, hang_up, now).await.map_err(|error| unavailable(&error))?;
    command(app, &reached).await;
    let (scope, _) = stop.scope.parts();
    tracing::warn!(stop.id = %id, stop.scope = scope, stop.hang_up = hang_up, "stopped by its owner");
    Ok((stop, reached))
}

/// What may be sent.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what `parse` reads")]
struct StopWish {
    /// What it covers.
    scope: StopWord,
    /// The campaign's id, the agent's name or the caller id.
    #[schema(max_length = 64)]
    value: Option<String>,
    /// The same as `value`, for `campaign`.
    #[schema(max_length = 64)]
    campaign: Option<String>,
    /// The same as `value`, for `agent`.
    #[schema(max_length = 64)]
    agent: Option<String>,
    /// The same as `value`, for `from`.
    #[schema(max_length = 64)]
    from: Option<String>,
    /// Ends live calls as well.
    hang_up: Option<bool>,
    /// Why.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S", example = "wrong list")]
    reason: String,
}

/// What a stop covers.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum StopWord {
    All,
    Campaign,
    Agent,
    From,
}

/// Reads `{"scope": "all" | "campaign" | "agent" | "from", "value"?, "hang_up"?, "reason"}`.
fn parse(body: &Value) -> Result<(Scope, String, bool), Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, problem: &str, mend: &str| errors.push(FieldError::new(field, problem, mend));
    let known = ["scope", "value", "campaign", "agent", "from", "hang_up", "reason"];
    for key in body.as_object().into_iter().flat_map(|body| body.keys()).filter(|key| !known.contains(&key.as_str())) {
        let shown: String = key.chars().take(64).collect();
        wrong(&shown, "is not a field of a stop", "Use `scope`, `value`, `hang_up`, `reason`.");
    }
    for field in ["value", "campaign", "agent", "from"] {
        let fits = |value: &Value| value.as_str().is_some_and(|text| text.chars().count() <= 64);
        if body.get(field).is_some_and(|value| !value.is_null() && !fits(value)) {
            wrong(field, "is not a text, or too long", "Send it as a JSON string of at most 64 characters.");
        }
    }
    let word = body.get("scope").and_then(Value::as_str).unwrap_or_default();
    let value = body.get("value").or_else(|| body.get(word)).and_then(Value::as_str).unwrap_or_default();
    let fits = !value.is_empty() && value.len() <= 64 && !value.contains('\0');
    let scope = match word {
        "all" => Some(Scope::All),
        "campaign" if Uuid::parse_str(value).is_ok() => {
            Uuid::parse_str(value).ok().map(|id| Scope::Campaign(id.to_string()))
        }
        "agent" if fits => Some(Scope::Agent(value.to_owned())),
        "from" if fits => Some(Scope::From(value.to_owned())),
        "campaign" | "agent" | "from" => {
            wrong("value", "is missing or malformed", "Give the campaign's id, the agent's name or the caller id.");
            None
        }
        _ => {
            wrong("scope", "is missing or not one of the known words", "Use `all`, `campaign`, `agent` or `from`.");
            None
        }
    };
    let hang_up = match body.get("hang_up") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(hang_up)) => *hang_up,
        Some(_) => {
            wrong("hang_up", "is not true or false", "Send true to end live calls as well.");
            false
        }
    };
    let reason = body.get("reason").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    if reason.is_empty() || reason.len() > 500 || reason.contains('\0') {
        wrong("reason", "is missing or too long", "Say why, in at most 500 bytes: somebody will ask tomorrow.");
    }
    match scope {
        Some(scope) if errors.is_empty() => Ok((scope, reason, hang_up)),
        _ => Err(Problem::fields(errors)),
    }
}

/// Stops: those that hold, then those that were lifted.
#[utoipa::path(
    get, path = "/api/stops", tag = "stops", operation_id = "listStops",
    params(Paging),
    responses((status = 200, description = "The answer.", body = pages::Stops)),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, May::Read)?;
    let mut asked = Asked::of(query, &["cursor", "limit"]);
    let slice = asked.slice(|place| {
        let (word, id) = place.split_once('.')?;
        let lifted = ["holds", "lifted"].iter().position(|known| *known == word)? == 1;
        Some((lifted, Uuid::parse_str(id).ok()?))
    });
    let slice = asked.done(slice)?;
    let stops = app.store.stops(&slice).await.map_err(|error| unavailable(&error))?;
    Ok(listed("stops", &stops, slice.most, |last| {
        let word = if last.lifted_at.is_some() { "lifted" } else { "holds" };
        format!("{}_{word}.{}", last.at, last.id)
    }))
}

/// Lifts a stop.
#[utoipa::path(
    delete, path = "/api/stops/{id}", tag = "stops", operation_id = "liftStop",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = Stop)),
    security(("token" = ["call"]))
)]
async fn lift(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    let caller = authorize(&app, &headers, May::Call)?;
    let missing = || wrong(Problem::not_found("There is no stop with this id. GET /api/stops lists them."));
    let id = Uuid::parse_str(&id).map_err(|_| missing())?;
    let lifted = app.store.lift(id, &caller.name, (app.now)()).await.map_err(|error| unavailable(&error))?;
    let stop = lifted.ok_or_else(missing)?;
    tracing::warn!(stop.id = %id, "lifted by its owner");
    Ok(Reply::json(200, &stop).into())
}

/// Takes a call back that nobody has answered.
#[utoipa::path(
    post, path = "/api/calls/{id}/cancel", tag = "calls", operation_id = "cancelCall",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "It is taken back.", body = Call),
            (status = 202, description = "Whoever dials is told.", body = Call),
            (status = 409, description = "It is over, or cannot be ended so.")),
    security(("token" = ["call"]))
)]
async fn cancel_call(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    end_call(&app, &id, &headers, false).await
}

/// Ends a call, also while somebody is on the line.
#[utoipa::path(
    post, path = "/api/calls/{id}/hangup", tag = "calls", operation_id = "hangupCall",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "It is taken back.", body = Call),
            (status = 202, description = "Whoever dials is told.", body = Call),
            (status = 409, description = "It is over, or cannot be ended so.")),
    security(("token" = ["call"]))
)]
async fn hang_up_call(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    end_call(&app, &id, &headers, true).await
}

async fn end_call(app: &App, id: &str, headers: &HeaderMap, hang_up: bool) -> Answered {
    authorize(app, headers, May::Call)?;
    end(app, id, hang_up).await
}

/// Ends one call, for whoever may.
pub(crate) async fn end(app: &App, id: &str, hang_up: bool) -> Answered {
    let missing =
        || wrong(Problem::not_found("There is no call with this id. Its id is in the answer of POST /api/calls."));
    let id = Uuid::parse_str(id).map_err(|_| missing())?;
    let now = (app.now)();
    let taken_back = app.store.take_back_intent(id, "its owner took it back", now).await;
    let reached = if taken_back.map_err(|error| unavailable(&error))? {
        Reached::default()
    } else {
        app.store.end_call(id, hang_up, now).await.map_err(|error| unavailable(&error))?
    };
    command(app, &reached).await;
    let view = app.store.call_view(id).await.map_err(|error| unavailable(&error))?.ok_or_else(missing)?;
    let ended_now = view["outcome"] == "canceled";
    if reached == Reached::default() && !ended_now {
        let detail = match (view["state"].as_str(), view["connect"].as_str()) {
            (Some("ended"), _) => "The call is over.",
            (_, Some("trunk")) => "ElevenLabs dials this call, and has no way to end it.",
            _ => "Somebody is on the line: send it to …/hangup to end it all the same.",
        };
        return Err(wrong(Problem::new(409, "Conflict", detail)));
    }
    Ok(Reply::json(if ended_now { 200 } else { 202 }, &view).into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(body: &Value) -> Vec<String> {
        parse(body).unwrap_err().errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn a_stop_says_what_and_why() {
        let (scope, reason, hang_up) = parse(&json!({"scope": "all", "reason": "wrong list"})).unwrap();
        assert_eq!((scope, reason.as_str(), hang_up), (Scope::All, "wrong list", false));
        let (scope, ..) = parse(&json!({"scope": "agent", "agent": "demo", "reason": "r", "hang_up": true})).unwrap();
        assert_eq!(scope, Scope::Agent("demo".into()));
    }

    #[test]
    fn a_stop_without_scope_value_or_reason_names_the_field() {
        assert_eq!(fields(&json!({})), ["scope", "reason"]);
        assert_eq!(fields(&json!({"scope": "campaign", "value": "x", "reason": "r"})), ["value"]);
        assert_eq!(
            fields(&json!({"scope": "from", "reason": "r", "hang_up": "yes", "why": 1})),
            ["why", "value", "hang_up"]
        );
    }
}
