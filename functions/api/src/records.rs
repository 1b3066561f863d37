//! `/api/conversations`, `/api/deliveries`, `/api/settlement`: what came home, and what did not.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::http::Reply;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::reading::shapes::{Conversation, Settlement};
use elevenwire::store::reading::{ConversationFilter, DeliveryFilter, Slice, Span};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::openapi::pages;
use crate::query::{Asked, Paging, Pairs, page};
use crate::{Answer, Answered, App, authorize, unavailable, wrong};

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(conversations, conversation, deliveries, settlement))]
pub(crate) struct Doc;

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/conversations", get(conversations))
        .route("/api/conversations/{id}", get(conversation))
        .route("/api/deliveries", get(deliveries))
        .route("/api/settlement", get(settlement))
}

/// The longest span that is counted in one answer.
const LONGEST_SPAN: SignedDuration = SignedDuration::from_hours(31 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Conversations, the newest first.
#[utoipa::path(
    get, path = "/api/conversations", tag = "conversations", operation_id = "listConversations",
    params(ConversationFilter, Span, Paging),
    responses((status = 200, description = "The answer.", body = pages::Conversations)),
    security(("token" = ["read"]))
)]
async fn conversations(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let (filter, slice) = conversations_wanted(query)?;
    let found = app.store.conversations(&filter, &slice).await.map_err(|error| unavailable(&error))?;
    Ok(page("conversations", found, slice.most))
}

/// What conversations are found by.
pub(crate) const CONVERSATIONS: [&str; 7] = ["call_id", "agent_id", "campaign", "status", "from", "to", "text"];

/// What deliveries are found by.
pub(crate) const DELIVERIES: [&str; 5] = ["conversation_id", "event_type", "result", "from", "to"];

pub(crate) fn conversation_filter(asked: &mut Asked) -> ConversationFilter {
    let mend = "Send the `id` of a call.";
    ConversationFilter {
        call_id: asked.read("call_id", "is not an id of ours", mend, |id| Uuid::parse_str(id).ok()),
        agent_id: asked.text("agent_id"),
        campaign: asked.text("campaign"),
        status: asked.text("status"),
        created: asked.span(),
        text: asked.text("text"),
    }
}

pub(crate) fn delivery_filter(asked: &mut Asked) -> DeliveryFilter {
    DeliveryFilter {
        conversation_id: asked.text("conversation_id"),
        event_type: asked.text("event_type"),
        result: asked.word("result", &["stored", "superseded", "refused"]),
        received: asked.span(),
    }
}

fn conversations_wanted(query: Pairs) -> Result<(ConversationFilter, Slice<i32>), Answer> {
    let mut asked = Asked::of_list(query, &CONVERSATIONS);
    let filter = conversation_filter(&mut asked);
    let slice = asked.slice(|id| id.parse().ok());
    asked.done((filter, slice))
}

/// One conversation with what was said, its analysis and latencies.
#[utoipa::path(
    get, path = "/api/conversations/{id}", tag = "conversations", operation_id = "readConversation",
    params(("id" = String, Path, description = "ElevenLabs' id.")),
    responses((status = 200, description = "The answer.", body = Conversation)),
    security(("token" = ["read"]))
)]
async fn conversation(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let missing =
        || wrong(Problem::not_found("There is no conversation with this id. GET /api/conversations lists them."));
    if id.contains('\0') {
        return Err(missing());
    }
    let found = app.store.conversation(&id).await.map_err(|error| unavailable(&error))?;
    Ok(Reply::json(200, &found.ok_or_else(missing)?).into())
}

/// What the agents' vendor sent, and what became of it; the newest first.
#[utoipa::path(
    get, path = "/api/deliveries", tag = "conversations", operation_id = "listDeliveries",
    params(DeliveryFilter, Span, Paging),
    responses((status = 200, description = "The answer.", body = pages::Deliveries)),
    security(("token" = ["read"]))
)]
async fn deliveries(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of_list(query, &DELIVERIES);
    let filter = delivery_filter(&mut asked);
    let slice = asked.slice(|digest| Some(digest.to_owned()));
    let (filter, slice) = asked.done((filter, slice))?;
    let found = app.store.deliveries(&filter, &slice).await.map_err(|error| unavailable(&error))?;
    Ok(page("deliveries", found, slice.most))
}

/// How the calls of a span of time ended: at most 31 days; a day when one end is said; today (UTC) when none is.
#[utoipa::path(
    get, path = "/api/settlement", tag = "conversations", operation_id = "readSettlement",
    params(Span),
    responses((status = 200, description = "The answer.", body = Settlement)),
    security(("token" = ["read"]))
)]
async fn settlement(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let (from, to) = span(query, (app.now)())?;
    let mut report = app.store.settlement(from, to).await.map_err(|error| unavailable(&error))?;
    report["from"] = from.to_string().into();
    report["to"] = to.to_string().into();
    Ok(Reply::json(200, &report).into())
}

/// Today (UTC), when nothing is said; a day, when only one end is.
fn span(query: Pairs, now: Timestamp) -> Result<(Timestamp, Timestamp), Answer> {
    let mut asked = Asked::of(query, &["from", "to"]);
    let span = asked.span();
    let today = now.to_zoned(TimeZone::UTC).date().to_zoned(TimeZone::UTC).map_or(now, |day| day.timestamp());
    let later = |at: Timestamp| at.checked_add(DAY).unwrap_or(at);
    let (from, to) = match (span.from, span.to) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, later(from)),
        (None, Some(to)) => (to.checked_sub(DAY).unwrap_or(to), to),
        (None, None) => (today, later(today)),
    };
    if to.duration_since(from) > LONGEST_SPAN {
        let mend = "Ask for at most 31 days at once.";
        asked.error(FieldError::new("to", "is too long after `from`", mend));
    }
    asked.done((from, to))
}
