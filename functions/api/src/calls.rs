//! `/api/calls`: one, a list, the timeline of one, its recording. Placing one is initiate-call's.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::blobs::BlobError;
use elevenwire::call::{self, Outcome};
use elevenwire::http::Reply;
use elevenwire::problem::Problem;
use elevenwire::store::reading::shapes::{Call, Timeline};
use elevenwire::store::reading::{CallFilter, Recording, Slice, Span};
use uuid::Uuid;

use crate::openapi::pages;
use crate::query::{Asked, Paging, Pairs, page};
use crate::{Answer, Answered, App, authorize, unavailable, wrong};

/// How long a link to a recording can be used.
pub(crate) const LINK_VALID: Duration = Duration::from_mins(15);

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(list, read, events, recording))]
pub(crate) struct Doc;

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/calls", get(list))
        .route("/api/calls/{id}", get(read))
        .route("/api/calls/{id}/events", get(events))
        .route("/api/calls/{id}/recording", get(recording))
}

/// What calls are found by.
pub(crate) const FILTERS: [&str; 10] =
    ["number", "carrier_sid", "conversation_id", "campaign", "agent", "outcome", "state", "from", "to", "text"];

pub(crate) const STATES: [call::State; 7] = [
    call::State::Intent,
    call::State::Placing,
    call::State::Unknown,
    call::State::Queued,
    call::State::Ringing,
    call::State::InProgress,
    call::State::Ended,
];

pub(crate) fn missing() -> Answer {
    wrong(Problem::not_found("There is no call with this id. Its id is in the answer of POST /api/calls."))
}

pub(crate) fn id(text: &str) -> Result<Uuid, Answer> {
    Uuid::parse_str(text).map_err(|_| missing())
}

pub(crate) fn filter(asked: &mut Asked) -> CallFilter {
    CallFilter {
        number: asked.number("number"),
        carrier_sid: asked.text("carrier_sid"),
        conversation_id: asked.text("conversation_id"),
        campaign: asked.text("campaign"),
        agent: asked.text("agent"),
        outcome: asked.word("outcome", &Outcome::ALL.map(Outcome::as_str)),
        state: asked.word("state", &STATES.map(call::State::as_str)),
        created: asked.span(),
        text: asked.text("text"),
    }
}

pub(crate) fn wanted(pairs: Pairs) -> Result<(CallFilter, Slice<Uuid>), Answer> {
    let mut asked = Asked::of_list(pairs, &FILTERS);
    let filter = filter(&mut asked);
    let slice = asked.slice(|id| Uuid::parse_str(id).ok());
    asked.done((filter, slice))
}

/// Calls, the newest first.
#[utoipa::path(
    get, path = "/api/calls", tag = "calls", operation_id = "listCalls",
    params(CallFilter, Span, Paging),
    responses((status = 200, description = "The answer.", body = pages::Calls)),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let (filter, slice) = wanted(query)?;
    let calls = app.store.calls(&filter, &slice).await.map_err(|error| unavailable(&error))?;
    Ok(page("calls", calls, slice.most))
}

/// One call with what was said.
#[utoipa::path(
    get, path = "/api/calls/{id}", tag = "calls", operation_id = "readCall",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = Call)),
    security(("token" = ["read"]))
)]
async fn read(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let view = app.store.call_view(self::id(&id)?).await.map_err(|error| unavailable(&error))?;
    Ok(Reply::json(200, &view.ok_or_else(missing)?).into())
}

/// The timeline of a call: every fact, and what the guard said.
#[utoipa::path(
    get, path = "/api/calls/{id}/events", tag = "calls", operation_id = "readTimeline",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = Timeline)),
    security(("token" = ["read"]))
)]
async fn events(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let timeline = app.store.timeline(self::id(&id)?).await.map_err(|error| unavailable(&error))?;
    Ok(Reply::json(200, &timeline.ok_or_else(missing)?).into())
}

/// A redirect to the bucket, which also answers for parts of the object; or the address as JSON, for whoever must not send
/// our token there.
#[utoipa::path(
    get, path = "/api/calls/{id}/recording", tag = "calls", operation_id = "readRecording",
    params(("id" = Uuid, Path, description = "Its id."), ("format" = Option<pages::RecordingFormat>, Query, description = "What to answer.")),
    responses((status = 302, description = "To the recording; the link is good for 15 minutes.", headers(("Location" = String, description = "Where it is."))),
            (status = 200, description = "With `format=json`.", body = pages::RecordingLink),
            (status = 410, description = "It was there, and its days of keeping are over.")),
    security(("token" = ["read"]))
)]
async fn recording(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of(query, &["format"]);
    let format = asked.word("format", &["redirect", "json"]);
    let format = asked.done(format)?;
    let (url, found) = link(&app, self::id(&id)?).await?;
    if format.as_deref() != Some("json") {
        return Ok(Reply::empty(302).with("Location", url).into());
    }
    let mut view = found.view;
    view["url"] = url.into();
    view["valid_until"] = (app.now)().checked_add(LINK_VALID).unwrap_or((app.now)()).to_string().into();
    Ok(Reply::json(200, &view).into())
}

/// An address of the bucket at which a call's recording can be got, for whoever may.
pub(crate) async fn link(app: &App, id: Uuid) -> Result<(String, Recording), Answer> {
    let found = app.store.recording_of(id).await.map_err(|error| unavailable(&error))?.ok_or_else(missing)?;
    let Some(key) = found.key.clone() else { return Err(not_there(&found)) };
    if app.blobs.size(&key).await.map_err(|error| no_bucket(&error))?.is_none() {
        let detail = "The recording is not in the bucket any more: it was deleted, or its days of keeping are over.";
        return Err(wrong(Problem::new(410, "Gone", detail)));
    }
    let extension =
        key.rsplit_once('.').map(|(_, end)| end).filter(|end| end.chars().all(|c| c.is_ascii_alphanumeric()));
    let name = format!("{id}.{}", extension.unwrap_or("bin"));
    let url = app.blobs.link_to_get(&key, LINK_VALID, &name).await.map_err(|error| no_bucket(&error))?;
    Ok((url, found))
}

fn not_there(recording: &Recording) -> Answer {
    let detail = match &recording.absent_because {
        Some(because) => format!("There is no recording of this call: {because}."),
        None => "There is no recording of this call, or not yet: see `missing` of the call.".to_owned(),
    };
    wrong(Problem::not_found(detail))
}

pub(crate) fn no_bucket(error: &BlobError) -> Answer {
    tracing::error!(error = %error, "the bucket was asked in vain");
    wrong(Problem::unavailable("The bucket"))
}
