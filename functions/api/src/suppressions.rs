//! `/api/suppressions` and `/api/opt-out-reviews`: who is not called any more, and what of it a person decides.

mod export;
mod import;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{delete, get, post};
use elevenwire::auth::Scope;
use elevenwire::http::Reply;
use elevenwire::phone::PhoneNumber;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::reading::Slice;
use elevenwire::store::suppressions::{Decision, Resolved, Source, Suppressed};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::openapi::pages;
use crate::query::{Asked, Cursor, Paging, Pairs, listed, number_in_cursor};
use crate::{Answer, Answered, App, authorize, json_of, only, unavailable, wrong};

/// A list that is sent at once.
const LARGEST_LIST: usize = 1024 * 1024;
/// Characters of a reason.
const LONGEST_REASON: usize = 200;

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(list, add, remove, take_list, give_list, reviews, decide))]
pub(crate) struct Doc;

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

/// A wish to suppress a number.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what is read by hand")]
struct NumberWish {
    /// With its country code.
    #[schema(max_length = 32, example = "+14155550123")]
    number: String,
    /// Why: it is kept.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
        example = "asked by mail"
    )]
    reason: String,
}

/// Why a number may be called again.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what is read by hand")]
struct LiftWish {
    /// Why: it is kept.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
        example = "asked to be called"
    )]
    reason: String,
}

/// What somebody decides about a doubtful opt-out.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what is read by hand")]
struct ReviewWish {
    /// `keep` it suppressed, or `remove` the suppression.
    #[schema(pattern = "^(keep|remove)$")]
    decision: String,
    /// Why: it is kept.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
        example = "it was a joke"
    )]
    reason: String,
}

pub(crate) fn slice_of(asked: &mut Asked) -> Slice<String> {
    asked.slice(number_in_cursor)
}

/// Where the page behind an entry begins.
pub(crate) fn cursor(last: &Suppressed) -> String {
    format!("{}_{}", last.suppressed_at, last.number)
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

/// Numbers that are not called, the newest first; with `number` that one and its history.
#[utoipa::path(
    get, path = "/api/suppressions", tag = "suppressions", operation_id = "listSuppressions",
    params(("number" = Option<String>, Query, description = "One number.", max_length = 100, example = "+14155550123"), Paging),
    responses((status = 200, description = "The answer.", body = pages::Suppressions)),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<Arc<App>>, headers: HeaderMap, Query(query): Query<Pairs>) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of(query, &["number", "cursor", "limit"]);
    let (number, slice) = (asked.number("number"), slice_of(&mut asked));
    let (number, slice) = asked.done((number, slice))?;
    if let Some(number) = number {
        let known = app.store.suppression(&number).await.map_err(|error| unavailable(&error))?;
        let body = json!({ "suppressions": Vec::from_iter(known.0), "history": known.1, "next": null });
        return Ok(Reply::json(200, &body).into());
    }
    let page = app.store.suppressions(&slice).await.map_err(|error| unavailable(&error))?;
    Ok(listed("suppressions", &page, slice.most, cursor))
}

/// Suppresses a number.
#[utoipa::path(
    post, path = "/api/suppressions", tag = "suppressions", operation_id = "suppress",
    request_body(content = NumberWish),
    responses((status = 201, description = "It is suppressed.", body = Suppressed), (status = 200, description = "It was before.", body = Suppressed)),
    security(("token" = ["call"]))
)]
async fn add(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = authorize(&app, &headers, Scope::Call)?;
    let body = json_of(&headers, &body)?;
    only(&body, &["number", "reason"])?;
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

/// Lets a number be called again.
#[utoipa::path(
    delete, path = "/api/suppressions/{number}", tag = "suppressions", operation_id = "unsuppress",
    params(("number" = String, Path, description = "With its country code.", max_length = 32, example = "+14155550123")),
    request_body(content = LiftWish),
    responses((status = 204, description = "It may be called.")),
    security(("token" = ["admin"]))
)]
async fn remove(State(app): State<Arc<App>>, Path(number): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = authorize(&app, &headers, Scope::Admin)?;
    // A body may be missing altogether: then what it lacks is its reason.
    let body = if body.is_empty() { json!({}) } else { json_of(&headers, &body)? };
    only(&body, &["reason"])?;
    let number = number_of(&number).map_err(|error| wrong(Problem::fields(vec![error])))?;
    let reason = reason_of(&body).map_err(|error| wrong(Problem::fields(vec![error])))?;
    let removed = app.store.unsuppress(number.as_str(), &reason, &caller.name, (app.now)()).await;
    if !removed.map_err(|error| unavailable(&error))? {
        return Err(wrong(Problem::not_found("This number is not suppressed.")));
    }
    tracing::info!(by = caller.name, "may be called again");
    Ok(Reply::empty(204).into())
}

/// Suppresses a list of numbers: CSV with or without a header, or JSON. Good rows are taken, bad ones are told.
#[utoipa::path(
    post, path = "/api/suppressions/import", tag = "suppressions", operation_id = "importSuppressions",
    request_body(content((Vec<pages::ListEntry> = "application/json"), (String = "text/csv"))),
    responses((status = 200, description = "The answer.", body = pages::ListReport)),
    security(("token" = ["call"]))
)]
async fn take_list(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = authorize(&app, &headers, Scope::Call)?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !["", "application/json", "text/csv", "text/plain", "application/x-www-form-urlencoded"].contains(&kind.as_str())
    {
        let detail = "Send the list as `text/csv` or `application/json`.";
        return Err(wrong(Problem::new(415, "Unsupported Media Type", detail)));
    }
    let list = import::read(content_type, &body).map_err(wrong)?;
    let added = app.store.suppress_all(&list.wanted, Source::Import, &caller.name, (app.now)()).await;
    let added = added.map_err(|error| unavailable(&error))?;
    tracing::info!(rows = list.wanted.len(), added, bad = list.bad, by = caller.name, "suppressions were imported");
    Ok(Reply::json(200, &list.report(added)).into())
}

/// All numbers that are not called, as CSV; a `Link` header names the next page.
#[utoipa::path(
    get, path = "/api/suppressions/export", tag = "suppressions", operation_id = "exportSuppressions",
    params(Cursor),
    responses((status = 200, description = "A page.", content_type = "text/csv", body = String, headers(("Link" = Option<String>, description = "The next page.")))),
    security(("token" = ["read"]))
)]
async fn give_list(State(app): State<Arc<App>>, headers: HeaderMap, Query(query): Query<Pairs>) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of(query, &["cursor"]);
    let slice = slice_of(&mut asked);
    let slice = Slice { most: export::MOST_ROWS, ..asked.done(slice)? };
    let page = app.store.suppressions(&slice).await.map_err(|error| unavailable(&error))?;
    Ok(export::csv(&page).into())
}

/// Doubtful opt-outs, the oldest first.
#[utoipa::path(
    get, path = "/api/opt-out-reviews", tag = "suppressions", operation_id = "listReviews",
    params(("state" = Option<pages::ReviewState>, Query, description = "Which; `open` when it is not said."), Paging),
    responses((status = 200, description = "The answer.", body = pages::Reviews)),
    security(("token" = ["read"]))
)]
async fn reviews(State(app): State<Arc<App>>, headers: HeaderMap, Query(query): Query<Pairs>) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of(query, &["state", "cursor", "limit"]);
    let open_only = asked.word("state", &["open", "all"]).is_none_or(|state| state == "open");
    let slice = asked.slice(|id| Uuid::parse_str(id).ok());
    let slice = asked.done(slice)?;
    let page = app.store.opt_out_reviews(open_only, &slice).await.map_err(|error| unavailable(&error))?;
    Ok(listed("reviews", &page, slice.most, |last| format!("{}_{}", last.created_at, last.call_id)))
}

/// Decides about a doubtful opt-out. To let the number be called needs the scope `admin`.
#[utoipa::path(
    post, path = "/api/opt-out-reviews/{call_id}", tag = "suppressions", operation_id = "decideReview",
    params(("call_id" = Uuid, Path, description = "The call in which it was heard.")),
    request_body(content = ReviewWish),
    responses((status = 200, description = "The answer.", body = pages::Decided), (status = 409, description = "Somebody decided otherwise before.")),
    security(("token" = ["call"]))
)]
async fn decide(State(app): State<Arc<App>>, Path(call_id): Path<String>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = authorize(&app, &headers, Scope::Call)?;
    let body = json_of(&headers, &body)?;
    only(&body, &["decision", "reason"])?;
    let decision = match body["decision"].as_str() {
        Some("keep") => Decision::Keep,
        Some("remove") => Decision::Remove,
        _ => return Err(field("decision", "is not one of the known words", "Use `keep` or `remove`.")),
    };
    if decision == Decision::Remove {
        // To let somebody be called again needs the same scope wherever it is done.
        authorize(&app, &headers, Scope::Admin)?;
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
