//! `/api/exports`: rows as a file, by the filters of the lists. export-records writes it; the answer leads to the bucket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::export::Format;
use elevenwire::http::Reply;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::queue::ExportTask;
use elevenwire::store::exports::{self, Export, NewExport};
use elevenwire::store::intents::new_id;
use elevenwire::store::reading::{ContactFilter, Exported, ExportedContacts, WHATS, contact_outcomes};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::calls::no_bucket;
use crate::openapi::pages;
use crate::query::{Asked, Paging, Pairs, page};
use crate::{Answer, Answered, App, authorize, calls, json_of, records, unavailable, wrong};

/// How long a link to a file can be used.
const LINK_VALID: Duration = Duration::from_mins(15);

/// What says how, not which.
const HOW: [&str; 3] = ["what", "format", "bom"];
const CONTACTS: [&str; 4] = ["campaign", "status", "outcome", "number"];
const SUPPRESSIONS: [&str; 2] = ["from", "to"];

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(list, create, read))]
pub(crate) struct Doc;

/// What may be sent; which filters, depends on `what`.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what `Wish::parse` reads")]
struct ExportWish {
    /// Rows of what.
    what: What,
    /// CSV when it is not said.
    format: Option<FileFormat>,
    /// Whether a CSV begins with a byte order mark, as Excel wants it.
    bom: Option<bool>,
    /// Of calls, contacts: the number, E.164.
    #[schema(max_length = 100, example = "+14155550123")]
    number: Option<String>,
    /// Of calls: a carrier's id.
    #[schema(max_length = 500)]
    carrier_sid: Option<String>,
    /// Of calls, deliveries: the agents' conversation.
    #[schema(max_length = 500)]
    conversation_id: Option<String>,
    /// Of calls, conversations: the id of a campaign, or a label; of contacts: the id.
    #[schema(max_length = 500)]
    campaign: Option<String>,
    /// Of calls: our name of the agent.
    #[schema(max_length = 500)]
    agent: Option<String>,
    /// Of calls, contacts: what became of it.
    #[schema(max_length = 500)]
    outcome: Option<String>,
    /// Of calls: where it stands.
    #[schema(max_length = 500)]
    state: Option<String>,
    /// Of conversations, contacts: where it stands.
    #[schema(max_length = 500)]
    status: Option<String>,
    /// Of conversations: our id of the call.
    call_id: Option<Uuid>,
    /// Of conversations: the vendor's id of the agent.
    #[schema(max_length = 500)]
    agent_id: Option<String>,
    /// Of deliveries: the vendor's event type.
    #[schema(max_length = 500)]
    event_type: Option<String>,
    /// Of deliveries: what became of it.
    #[schema(max_length = 500)]
    result: Option<String>,
    /// The first moment; not of contacts.
    #[schema(format = DateTime, value_type = Option<String>)]
    from: Option<String>,
    /// The first moment that is left out; not of contacts.
    #[schema(format = DateTime, value_type = Option<String>)]
    to: Option<String>,
    /// Of calls, conversations: words that were said.
    #[schema(max_length = 500)]
    text: Option<String>,
}

/// What can be exported.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    Calls,
    Conversations,
    Contacts,
    Suppressions,
    Deliveries,
}

/// How it is written.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum FileFormat {
    Csv,
    Jsonl,
}

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/exports", get(list).post(create)).route("/api/exports/{id}", get(read))
}

fn missing() -> Answer {
    wrong(Problem::not_found("There is no export with this id. GET /api/exports lists them."))
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    exported: Exported,
    format: Format,
    bom: bool,
}

impl Wish {
    /// The rules of a query hold for the fields of the body as well.
    fn parse(body: &Value) -> Result<Self, Answer> {
        let mut errors = Vec::new();
        let mut pairs = Vec::new();
        for (name, value) in body.as_object().into_iter().flatten() {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((name.clone(), text.clone())),
                Value::Bool(flag) if name == "bom" => pairs.push((name.clone(), flag.to_string())),
                _ => {
                    let shown: String = name.chars().take(64).collect();
                    errors.push(FieldError::new(shown, "is not a text", "Send it as a JSON string."));
                }
            }
        }
        let what = body["what"].as_str().unwrap_or_default();
        let filters: &[&str] = match what {
            "calls" => &calls::FILTERS,
            "conversations" => &records::CONVERSATIONS,
            "contacts" => &CONTACTS,
            "suppressions" => &SUPPRESSIONS,
            "deliveries" => &records::DELIVERIES,
            _ => {
                let mend = format!("Use one of: {}.", WHATS.join(", "));
                return Err(wrong(Problem::fields(vec![FieldError::new("what", "is not something to export", mend)])));
            }
        };
        let mut asked = Asked::of(pairs, &[&HOW, filters].concat());
        for error in errors {
            asked.error(error);
        }
        let mend = "Use csv or jsonl, or leave it out for csv.";
        let format = asked.read("format", "is not a format", mend, Format::parse).unwrap_or(Format::Csv);
        let bom = asked.read("bom", "is neither true nor false", "Send true or false.", |bom| bom.parse().ok());
        let wish = Self { exported: exported(what, &mut asked), format, bom: bom.unwrap_or(false) };
        if wish.bom && format == Format::Jsonl {
            let mend = "Leave it out: only a spreadsheet wants one.";
            asked.error(FieldError::new("bom", "is for CSV alone", mend));
        }
        asked.done(wish)
    }
}

fn exported(what: &str, asked: &mut Asked) -> Exported {
    match what {
        "conversations" => Exported::Conversations(records::conversation_filter(asked)),
        "contacts" => {
            let mend = "Send the `id` of a campaign.";
            let campaign = asked.read("campaign", "is not an id of ours", mend, |id| Uuid::parse_str(id).ok());
            let status = asked.word("status", &["waiting", "calling", "done"]);
            let outcome = asked.word("outcome", &contact_outcomes());
            let filter = ContactFilter { status, outcome, number: asked.number("number") };
            Exported::Contacts(ExportedContacts { campaign, filter })
        }
        "suppressions" => Exported::Suppressions(asked.span()),
        "deliveries" => Exported::Deliveries(records::delivery_filter(asked)),
        _ => Exported::Calls(calls::filter(asked)),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Answer> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().unwrap_or_default().trim().trim_matches('"');
    if key.is_empty() || key.len() > 255 || !key.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        let detail = "An `Idempotency-Key` has 1 to 255 characters; leave it out, or send a UUID.";
        return Err(wrong(Problem::new(400, "Bad Request", detail)));
    }
    Ok(Some(key.to_owned()))
}

/// Asks for a file of rows.
#[utoipa::path(
    post, path = "/api/exports", tag = "exports", operation_id = "createExport",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body, the same export.",
        min_length = 1, max_length = 255, pattern = "^[!#-~]+$")),
    request_body(content = ExportWish),
    responses((status = 202, description = "It is being written.", body = Export, headers(("Location" = String, description = "Its address."))),
        (status = 429, description = "This token has too many exports that are not done.")),
    security(("token" = ["read"]))
)]
async fn create(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answered {
    let caller = authorize(&app, &headers, Scope::Read)?;
    let key = idempotency_key(&headers)?;
    let Wish { exported, format, bom } = Wish::parse(&json_of(&headers, &body)?)?;
    let now = (app.now)();
    let id = new_id(now, (app.draw)());
    let new = NewExport { id, exported, format, bom, requested_by: caller.name, idempotency_key: key };
    let (export, replayed) = match app.store.ask_export(&new, now).await.map_err(|error| unavailable(&error))? {
        exports::Asked::Fresh(export) => (export, false),
        exports::Asked::Known(export) => (export, true),
        exports::Asked::KeyReused => {
            let mend = "Send a new key for a new export; send the same body to ask for the same export.";
            let error = FieldError::new("Idempotency-Key", "was used for another request before", mend);
            return Err(wrong(Problem::fields(vec![error])));
        }
        exports::Asked::TooMany(most) => {
            let detail = format!("This token has {most} exports that are not done. Wait until one of them is.");
            return Err(wrong(Problem::new(429, "Too Many Requests", detail)));
        }
    };
    // Its first wake-up may be what was lost.
    if export.state == "queued" {
        app.exports.send(&ExportTask { export_id: export.id }).await.map_err(|error| {
            tracing::error!(error = %error, "the queue was asked in vain");
            wrong(Problem::unavailable("The queue"))
        })?;
    }
    tracing::info!(export.id = %export.id, export.what = export.what, replayed, by = export.requested_by, "asked for");
    let reply = Reply::json(202, &*export).with("Location", format!("/api/exports/{}", export.id));
    Ok(if replayed { reply.with("Idempotency-Replayed", "true") } else { reply }.into())
}

/// Exports, the newest first.
#[utoipa::path(
    get, path = "/api/exports", tag = "exports", operation_id = "listExports",
    params(Paging),
    responses((status = 200, description = "The answer.", body = pages::Exports)),
    security(("token" = ["read"]))
)]
async fn list(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of_list(query, &[]);
    let slice = asked.slice(|id| Uuid::parse_str(id).ok());
    let slice = asked.done(slice)?;
    let exports = app.store.exports(&slice).await.map_err(|error| unavailable(&error))?;
    Ok(page("exports", exports, slice.most))
}

/// One export. With a link once it is done; no link when the file was deleted, or its days of keeping are over.
#[utoipa::path(
    get, path = "/api/exports/{id}", tag = "exports", operation_id = "readExport",
    params(("id" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = pages::ExportWithLink)),
    security(("token" = ["read"]))
)]
async fn read(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let id = Uuid::parse_str(&id).map_err(|_| missing())?;
    let export = app.store.export(id).await.map_err(|error| unavailable(&error))?.ok_or_else(missing)?;
    let mut view = json!(export);
    view["url"] = Value::Null;
    let key = export.key();
    if export.state == "done" && app.blobs.size(&key).await.map_err(|error| no_bucket(&error))?.is_some() {
        let url = app.blobs.link_to_get(&key, LINK_VALID, &filename(&export)).await;
        view["url"] = url.map_err(|error| no_bucket(&error))?.into();
        view["valid_until"] = (app.now)().checked_add(LINK_VALID).unwrap_or((app.now)()).to_string().into();
    }
    Ok(Reply::json(200, &view).into())
}

fn filename(export: &Export) -> String {
    format!("{}-{}.{}", export.what, export.created_at.strftime("%Y-%m-%dT%H%MZ"), export.format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &Value) -> Vec<String> {
        let answer = Wish::parse(body).err().unwrap();
        let problem: Value = serde_json::from_str(&answer.0.body).unwrap();
        problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        assert_eq!(fields(&json!({})), ["what"]);
        assert_eq!(fields(&json!({ "what": "people", "x": 1 })), ["what"]);
        let body =
            json!({ "what": "calls", "format": "xlsx", "bom": "perhaps", "status": "done", "from": "now", "to": 7 });
        let mut found = fields(&body);
        found.sort();
        assert_eq!(found, ["bom", "format", "from", "status", "to"]);
        assert_eq!(fields(&json!({ "what": "calls", "format": "jsonl", "bom": true })), ["bom"]);
        assert_eq!(fields(&json!({ "what": "contacts", "campaign": "autumn", "cursor": "x" })), ["cursor", "campaign"]);
    }

    #[test]
    fn filters_are_kept_by_the_names_of_the_lists_and_read_back() {
        let body = json!({ "what": "calls", "bom": true, "number": "+1 (415) 555-0101", "outcome": "busy", "agent": null,
            "from": "2026-11-24T17:00:00+01:00" });
        let wish = Wish::parse(&body).ok().unwrap();
        let filters = wish.exported.filters();
        let expected = json!({ "number": "+14155550101", "outcome": "busy", "from": "2026-11-24T16:00:00Z" });
        assert_eq!((&filters, wish.format, wish.bom), (&expected, Format::Csv, true));
        assert_eq!(Exported::of("calls", &filters), Some(wish.exported));
        for what in WHATS {
            let wish = Wish::parse(&json!({ "what": what, "format": "jsonl" })).ok().unwrap();
            assert_eq!((wish.exported.what(), wish.exported.filters()), (what, json!({})));
            assert_eq!(Exported::of(what, &json!({})), Some(wish.exported));
        }
    }
}
