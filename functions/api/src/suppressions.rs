//! `/api/suppressions` and `/api/opt-out-reviews`: who is not called any more, and what of it a person decides.

mod export;
mod import;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::routing::{delete, get, post};
use elevenwire::auth::{Caller, Scope};
use elevenwire::http::{Reply, json_object};
use elevenwire::phone::PhoneNumber;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::suppressions::{After, Decision, Resolved, Source};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Answer, Answered, App, unavailable, wrong};

/// A list that is sent at once.
const LARGEST_LIST: usize = 1024 * 1024;
/// Entries of a page.
const PAGE: i64 = 100;
const LONGEST_PAGE: i64 = 1000;
/// Characters of a reason.
const LONGEST_REASON: usize = 200;

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/suppressions", get(list).post(add))
        .route("/api/suppressions/import", post(take_list).layer(DefaultBodyLimit::max(LARGEST_LIST)))
        .route("/api/suppressions/export", get(give_list))
        .route("/api/suppressions/{number}", delete(remove))
        .route("/api/opt-out-reviews", get(reviews))
        .route("/api/opt-out-reviews/{call_id}", post(decide))
}

fn caller(app: &App, headers: &HeaderMap, scope: Scope) -> Result<Caller, Answer> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    app.tokens.authorize(header, scope).map_err(wrong)
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    pub(crate) number: Option<String>,
    pub(crate) cursor: Option<String>,
    limit: Option<String>,
    /// Of reviews: `open` (default) or `all`.
    state: Option<String>,
}

impl Asked {
    fn limit(&self) -> Result<i64, Answer> {
        let Some(limit) = &self.limit else { return Ok(PAGE) };
        let mend = format!("Send a whole number from 1 to {LONGEST_PAGE}.");
        let limit = limit.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
        limit.ok_or_else(|| field("limit", "is out of bounds", &mend))
    }

    /// Where the page begins, and whatever the entry there is called.
    fn cursor(&self) -> Result<Option<(Timestamp, String)>, Answer> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let read = || {
            let text = String::from_utf8(hex::decode(cursor).ok()?).ok()?;
            let (at, name) = text.split_once('/')?;
            Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, name.to_owned()))
        };
        let mend = "Send `next` of the page before, as it is, or none for the first page.";
        read().map(Some).ok_or_else(|| field("cursor", "is none of ours", mend))
    }

    pub(crate) fn after(&self) -> Result<Option<After>, Answer> {
        Ok(self.cursor()?.map(|(at, number)| After { at, number }))
    }
}

pub(crate) fn cursor(at: Timestamp, name: &str) -> String {
    hex::encode(format!("{}/{name}", at.as_microsecond()))
}

fn field(name: &str, problem: &str, mend: &str) -> Answer {
    wrong(Problem::fields(vec![FieldError::new(name, problem, mend)]))
}

pub(crate) fn number_of(text: &str) -> Result<PhoneNumber, FieldError> {
    let mend = "Write it in E.164 form, such as +14155550123.";
    PhoneNumber::parse(text).map_err(|problem| FieldError::new("number", problem.to_string(), mend))
}

pub(crate) fn reason_of(body: &Value) -> Result<String, FieldError> {
    let reason = body["reason"].as_str().map(str::trim).filter(|reason| !reason.is_empty());
    let mend = format!("Say why, in 1 to {LONGEST_REASON} characters: it is kept.");
    let reason = reason.ok_or_else(|| FieldError::new("reason", "is missing", mend.as_str()))?;
    if reason.chars().count() > LONGEST_REASON || reason.contains('\0') {
        return Err(FieldError::new("reason", "is too long or holds characters that are none", mend));
    }
    Ok(reason.to_owned())
}

async fn list(State(app): State<Arc<App>>, headers: HeaderMap, Query(asked): Query<Asked>) -> Answered {
    caller(&app, &headers, Scope::Read)?;
    if let Some(number) = &asked.number {
        // In a query a plus is a space.
        let number = number_of(&number.replace(' ', "+")).map_err(|error| wrong(Problem::fields(vec![error])))?;
        let known = app.store.suppression(number.as_str()).await.map_err(|error| unavailable(&error))?;
        let body = json!({ "suppressions": Vec::from_iter(known.0), "history": known.1, "next": null });
        return Ok(Reply::json(200, &body).into());
    }
    let (after, limit) = (asked.after()?, asked.limit()?);
    let page = app.store.suppressions(after.as_ref(), limit).await.map_err(|error| unavailable(&error))?;
    let full = i64::try_from(page.len()) == Ok(limit);
    let next = page.last().filter(|_| full).map(|last| cursor(last.suppressed_at, &last.number));
    Ok(Reply::json(200, &json!({ "suppressions": page, "next": next })).into())
}

async fn add(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = caller(&app, &headers, Scope::Call)?;
    let body = json_object(&body).map_err(wrong)?;
    let (number, reason) = match (number_of(body["number"].as_str().unwrap_or_default()), reason_of(&body)) {
        (Ok(number), Ok(reason)) => (number, reason),
        (number, reason) => {
            return Err(wrong(Problem::fields([number.err(), reason.err()].into_iter().flatten().collect())));
        }
    };
    let added = app.store.suppress(number.as_str(), &reason, &caller.name, (app.now)()).await;
    let status = if added.map_err(|error| unavailable(&error))? { 201 } else { 200 };
    let known = app.store.suppression(number.as_str()).await.map_err(|error| unavailable(&error))?;
    tracing::info!(fresh = status == 201, by = caller.name, "suppressed");
    Ok(Reply::json(status, &known.0).into())
}

async fn remove(State(app): State<Arc<App>>, Path(number): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = caller(&app, &headers, Scope::Admin)?;
    // A body may be missing altogether: then what it lacks is its reason.
    let body = if body.is_empty() { json!({}) } else { json_object(&body).map_err(wrong)? };
    let number = number_of(&number).map_err(|error| wrong(Problem::fields(vec![error])))?;
    let reason = reason_of(&body).map_err(|error| wrong(Problem::fields(vec![error])))?;
    let removed = app.store.unsuppress(number.as_str(), &reason, &caller.name, (app.now)()).await;
    if !removed.map_err(|error| unavailable(&error))? {
        return Err(wrong(Problem::not_found("This number is not suppressed.")));
    }
    tracing::info!(by = caller.name, "may be called again");
    Ok(Reply::empty(204).into())
}

async fn take_list(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = caller(&app, &headers, Scope::Call)?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let list = import::read(content_type, &body).map_err(wrong)?;
    let added = app.store.suppress_all(&list.wanted, Source::Import, &caller.name, (app.now)()).await;
    let added = added.map_err(|error| unavailable(&error))?;
    tracing::info!(rows = list.wanted.len(), added, bad = list.bad, by = caller.name, "suppressions were imported");
    Ok(Reply::json(200, &list.report(added)).into())
}

async fn give_list(State(app): State<Arc<App>>, headers: HeaderMap, Query(asked): Query<Asked>) -> Answered {
    caller(&app, &headers, Scope::Read)?;
    let after = asked.after()?;
    let page = app.store.suppressions(after.as_ref(), export::MOST_ROWS).await.map_err(|error| unavailable(&error))?;
    Ok(export::csv(&page).into())
}

async fn reviews(State(app): State<Arc<App>>, headers: HeaderMap, Query(asked): Query<Asked>) -> Answered {
    caller(&app, &headers, Scope::Read)?;
    let open_only = match asked.state.as_deref() {
        None | Some("open") => true,
        Some("all") => false,
        Some(_) => return Err(field("state", "is not one of the known words", "Use `open` or `all`.")),
    };
    let limit = asked.limit()?;
    let after = asked.cursor()?.and_then(|(at, id)| Some((at, Uuid::parse_str(&id).ok()?)));
    let page = app.store.opt_out_reviews(open_only, after, limit).await.map_err(|error| unavailable(&error))?;
    let full = i64::try_from(page.len()) == Ok(limit);
    let next = page.last().filter(|_| full).map(|last| cursor(last.created_at, &last.call_id.to_string()));
    Ok(Reply::json(200, &json!({ "reviews": page, "next": next })).into())
}

async fn decide(State(app): State<Arc<App>>, Path(call_id): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = caller(&app, &headers, Scope::Call)?;
    let body = json_object(&body).map_err(wrong)?;
    let decision = match body["decision"].as_str() {
        Some("keep") => Decision::Keep,
        Some("remove") => Decision::Remove,
        _ => return Err(field("decision", "is not one of the known words", "Use `keep` or `remove`.")),
    };
    if decision == Decision::Remove {
        // To let somebody be called again needs the same scope wherever it is done.
        self::caller(&app, &headers, Scope::Admin)?;
    }
    let reason = reason_of(&body).map_err(|error| wrong(Problem::fields(vec![error])))?;
    let missing = || wrong(Problem::not_found("There is no review of this call. GET /api/opt-out-reviews lists them."));
    let call_id = Uuid::parse_str(&call_id).map_err(|_| missing())?;
    let resolved = app.store.resolve_opt_out(call_id, decision, &reason, &caller.name, (app.now)()).await;
    match resolved.map_err(|error| unavailable(&error))? {
        Resolved::Done { review, suppressed } => {
            tracing::info!(call.id = %call_id, decision = decision.as_str(), suppressed, by = caller.name, "reviewed");
            Ok(Reply::json(200, &json!({ "review": review, "suppressed": suppressed })).into())
        }
        Resolved::Otherwise(review) => {
            let before = review.resolution.unwrap_or_default();
            let detail = format!("It was decided before: {before}. Use POST or DELETE /api/suppressions to change it.");
            Err(wrong(Problem::new(409, "Conflict", detail)))
        }
        Resolved::Missing => Err(missing()),
    }
}
