//! `/api/campaigns/{id}/imports`: a file of people, in the request when it is small, else uploaded to the bucket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use elevenwire::auth::Scope;
use elevenwire::blobs::BlobError;
use elevenwire::contact::{LARGEST_FILE, SMALL_FILE};
use elevenwire::http::Reply;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::queue::ImportTask;
use elevenwire::store::imports::{Created, Import, NewImport};
use elevenwire::store::intents::new_id;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::openapi::pages;
use crate::query::{Asked, Paging, Pairs, listed};
use crate::{Answer, Answered, App, authorize, json_of, unavailable, wrong};

/// How long an upload may wait before it begins.
const UPLOAD_VALID: Duration = Duration::from_hours(1);
/// How long the link to the bad rows works.
pub(crate) const REPORT_VALID: Duration = Duration::from_mins(15);

const FIELDS: [&str; 4] = ["filename", "dry_run", "default_country", "bytes"];

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(create, list, read, start))]
pub(crate) struct Doc;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    // A little more, so that a file that is too large is told where it can go.
    let small = DefaultBodyLimit::max(SMALL_FILE + 1024);
    Router::new()
        .route("/api/campaigns/{id}/imports", get(list).post(create).layer(small))
        .route("/api/campaigns/{id}/imports/{import}", get(read))
        .route("/api/campaigns/{id}/imports/{import}/start", post(start))
}

fn no_campaign() -> Answer {
    wrong(Problem::not_found("There is no campaign with this id. GET /api/campaigns lists them."))
}

fn no_import() -> Answer {
    wrong(Problem::not_found("This campaign has no import with this id. GET …/imports lists them."))
}

pub(crate) fn no_bucket(error: &BlobError) -> Answer {
    tracing::error!(error = %error, "the bucket was asked in vain");
    wrong(Problem::unavailable("The bucket"))
}

fn conflict(detail: impl Into<String>) -> Answer {
    wrong(Problem::new(409, "Conflict", detail))
}

/// What is said of a file, in the query of a CSV or as JSON.
#[derive(Debug, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportWish)]
pub(crate) struct Wish {
    /// The owner's name of the file.
    #[schema(min_length = 1, max_length = 200, pattern = "^[ -~]*$")]
    pub(crate) filename: Option<String>,
    /// Only say what would become of it.
    #[schema(value_type = Option<bool>)]
    pub(crate) dry_run: bool,
    /// What numbers without a country code are.
    #[schema(pattern = "^US$")]
    pub(crate) default_country: Option<String>,
    /// Size of the file that will be uploaded.
    #[schema(minimum = 1, maximum = 524_288_000)]
    pub(crate) bytes: Option<u64>,
}

/// The same of a CSV, in the query.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Wish::of_query` reads")]
struct WishQuery {
    /// The owner's name of the file.
    #[param(max_length = 200, pattern = "^[ -~]*$")]
    filename: Option<String>,
    /// Only say what would become of it.
    dry_run: Option<bool>,
    /// What numbers without a country code are.
    #[param(pattern = "^(US)?$")]
    default_country: Option<String>,
}

impl Wish {
    /// What stands in the query of a CSV; of a JSON body nothing does.
    fn of_query(pairs: Pairs) -> Result<Self, Answer> {
        let mut asked = Asked::of(pairs, &["filename", "dry_run", "default_country"]);
        let dry_run = asked.word("dry_run", &["true", "false"]).as_deref() == Some("true");
        let (filename, default_country) = (asked.text("filename"), asked.text("default_country"));
        let wish = asked.done(Self { filename, dry_run, default_country, bytes: None })?;
        wish.check().map_err(wrong)?;
        Ok(wish)
    }

    fn parse(body: &Value) -> Result<Self, Problem> {
        let unknown = body.as_object().into_iter().flatten().map(|(name, _)| name);
        let unknown = unknown.filter(|name| !FIELDS.contains(&name.as_str()));
        let mend = format!("Leave it out, or use one of: {}.", FIELDS.join(", "));
        let shown = |name: &String| name.chars().take(64).collect::<String>();
        let mut errors: Vec<FieldError> =
            unknown.map(|name| FieldError::new(shown(name), "is not a field of an import", mend.as_str())).collect();
        let mut wrong = |field: &str, mend: &str| errors.push(FieldError::new(field, "is malformed", mend));
        let given = |field: &str| body.get(field).filter(|value| !value.is_null());
        if given("filename").is_some_and(|name| !name.is_string()) {
            wrong("filename", "Send it as a JSON string.");
        }
        if given("dry_run").is_some_and(|dry_run| !dry_run.is_boolean()) {
            wrong("dry_run", "Send true or false.");
        }
        if given("default_country").is_some_and(|country| !country.is_string()) {
            wrong("default_country", "Send \"US\", or leave it out.");
        }
        if given("bytes").is_some_and(|bytes| !bytes.is_u64()) {
            wrong("bytes", "Send the size of the file in bytes.");
        }
        if !errors.is_empty() {
            return Err(Problem::fields(errors));
        }
        let wish = Self {
            filename: given("filename").and_then(Value::as_str).map(str::to_owned),
            dry_run: given("dry_run").and_then(Value::as_bool).unwrap_or(false),
            default_country: given("default_country").and_then(Value::as_str).map(str::to_owned),
            bytes: given("bytes").and_then(Value::as_u64),
        };
        wish.check()?;
        Ok(wish)
    }

    pub(crate) fn check(&self) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if self.default_country.as_deref().is_some_and(|country| country != "US") {
            let mend = "Use US, or leave it out: numbers of other countries are written with + and their code.";
            errors.push(FieldError::new("default_country", "is not US", mend));
        }
        let fits = |name: &str| (1..=200).contains(&name.len()) && !name.chars().any(char::is_control);
        if self.filename.as_deref().is_some_and(|name| !fits(name)) {
            errors.push(FieldError::new("filename", "is not a name of a file", "Use 1 to 200 bytes of plain text."));
        }
        if self.bytes.is_some_and(|bytes| bytes == 0 || bytes > LARGEST_FILE) {
            errors.push(FieldError::new("bytes", "is out of bounds", "Send a file of at most 500 MB, or several."));
        }
        if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
    }
}

/// Brings people into a campaign: a small CSV at once, or (as JSON) the address to which a large one is put.
#[utoipa::path(
    post, path = "/api/campaigns/{id}/imports", tag = "imports", operation_id = "createImport",
    params(("id" = Uuid, Path, description = "Its id."), WishQuery),
    request_body(content((Wish = "application/json"), (String = "text/csv"))),
    responses((status = 201, description = "It is queued, or waits for its file.", body = pages::ImportMade, headers(("Location" = String, description = "Its address."))),
            (status = 409, description = "The campaign takes no more people.")),
    security(("token" = ["call"]))
)]
async fn create(
    State(app): State<Arc<App>>,
    Path(campaign): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answered {
    let caller = authorize(&app, &headers, Scope::Call)?;
    let campaign_id = Uuid::parse_str(&campaign).map_err(|_| no_campaign())?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_csv = kind.trim_start().to_ascii_lowercase().starts_with("text/csv");
    let body = body.map_err(|_| too_large())?;
    if body.len() > SMALL_FILE {
        return Err(too_large());
    }
    let of_query = Wish::of_query(query)?;
    let wish = if is_csv { of_query } else { Wish::parse(&json_of(&headers, &body)?).map_err(wrong)? };
    let now = (app.now)();
    let import = made(&app, campaign_id, &wish, caller.name).await?;
    if is_csv { take(&app, &import, body, now).await } else { offer(&app, &import, &wish, now).await }
}

/// An import that waits for its file, for whoever may.
pub(crate) async fn made(
    app: &App,
    campaign_id: Uuid,
    wish: &Wish,
    requested_by: String,
) -> Result<Box<Import>, Answer> {
    let now = (app.now)();
    let id = new_id(now, (app.draw)());
    let new = NewImport {
        id,
        campaign_id,
        dry_run: wish.dry_run,
        us_numbers: wish.default_country.is_some(),
        filename: wish.filename.clone(),
        source_key: format!("imports/{id}/source.csv"),
        requested_by,
    };
    let import = match app.store.create_import(&new, now).await.map_err(|error| unavailable(&error))? {
        Created::Waits(import) => import,
        Created::NoCampaign => return Err(no_campaign()),
        Created::Over(state) => return Err(conflict(format!("The campaign is {state}: it takes no more people."))),
    };
    tracing::info!(campaign.id = %campaign_id, import.id = %id, import.dry_run = new.dry_run, "import made");
    Ok(import)
}

pub(crate) fn too_large() -> Answer {
    let detail = "A file of more than 1 MB is uploaded: send {\"filename\": …} as application/json, and put the file to \
                  the address that the answer names.";
    wrong(Problem::new(413, "Content Too Large", detail))
}

fn location(import: &Import) -> String {
    format!("/api/campaigns/{}/imports/{}", import.campaign_id, import.id)
}

/// A small file is put where an upload would lie.
pub(crate) async fn take(app: &App, import: &Import, body: Bytes, now: Timestamp) -> Answered {
    let bytes = body.len() as u64;
    app.blobs.put(&import.source_key, "text/csv", body).await.map_err(|error| no_bucket(&error))?;
    let import = wake(app, import.id, bytes, now).await?;
    Ok(Reply::json(201, &import).with("Location", location(&import)).into())
}

/// The address to which a file is put.
async fn offer(app: &App, import: &Import, wish: &Wish, now: Timestamp) -> Answered {
    let bytes = wish.bytes.and_then(|bytes| i64::try_from(bytes).ok());
    let url = app.blobs.link_to_put(&import.source_key, UPLOAD_VALID, bytes).await;
    let url = url.map_err(|error| no_bucket(&error))?;
    let mut view = json!(import);
    view["upload"] = json!({
        "method": "PUT",
        "url": url,
        "expires_at": now.checked_add(UPLOAD_VALID).unwrap_or(now),
        "then": format!("POST {}/start", location(import)),
    });
    Ok(Reply::json(201, &view).with("Location", location(import)).into())
}

async fn wake(app: &App, id: Uuid, bytes: u64, now: Timestamp) -> Result<Import, Answer> {
    let queued = app.store.queue_import(id, bytes, now).await.map_err(|error| unavailable(&error))?;
    let import = queued.ok_or_else(|| conflict("The import does not wait any more, or its campaign has ended."))?;
    app.imports.send(&ImportTask { import_id: id }).await.map_err(|error| {
        tracing::error!(error = %error, "the queue was asked in vain");
        wrong(Problem::unavailable("The queue"))
    })?;
    Ok(import)
}

pub(crate) async fn known(app: &App, campaign: &str, import: &str) -> Result<Import, Answer> {
    let campaign = Uuid::parse_str(campaign).map_err(|_| no_import())?;
    let import = Uuid::parse_str(import).map_err(|_| no_import())?;
    let known = app.store.import(campaign, import).await.map_err(|error| unavailable(&error))?;
    known.ok_or_else(no_import)
}

/// Says that the file was uploaded.
#[utoipa::path(
    post, path = "/api/campaigns/{id}/imports/{import}/start", tag = "imports", operation_id = "startImport",
    params(("id" = Uuid, Path, description = "Its id."), ("import" = Uuid, Path, description = "Its id.")),
    responses((status = 202, description = "It is queued.", body = Import),
            (status = 409, description = "The file is not there, or the import is under way."), (status = 413, description = "The file is too large.")),
    security(("token" = ["call"]))
)]
async fn start(
    State(app): State<Arc<App>>,
    Path((campaign, import)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    authorize(&app, &headers, Scope::Call)?;
    let import = known(&app, &campaign, &import).await?;
    if !matches!(import.state.as_str(), "awaiting_upload" | "queued") {
        return Err(conflict(format!("The import is {} already.", import.state)));
    }
    let size = app.blobs.size(&import.source_key).await.map_err(|error| no_bucket(&error))?;
    let Some(bytes) = size else {
        return Err(conflict("The file was not uploaded yet: put it to the address that POST …/imports answered."));
    };
    if bytes > LARGEST_FILE {
        let detail = "The file is larger than 500 MB: make a new import for each of several smaller ones.";
        return Err(wrong(Problem::new(413, "Content Too Large", detail)));
    }
    let import = wake(&app, import.id, bytes, (app.now)()).await?;
    Ok(Reply::json(202, &import).into())
}

/// Imports of a campaign, the newest first.
#[utoipa::path(
    get, path = "/api/campaigns/{id}/imports", tag = "imports", operation_id = "listImports",
    params(("id" = Uuid, Path, description = "Its id."), Paging),
    responses((status = 200, description = "The answer.", body = pages::Imports)),
    security(("token" = ["read"]))
)]
async fn list(
    State(app): State<Arc<App>>,
    Path(campaign): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of(query, &["cursor", "limit"]);
    let slice = asked.slice(|id| Uuid::parse_str(id).ok());
    let slice = asked.done(slice)?;
    let campaign = Uuid::parse_str(&campaign).map_err(|_| no_campaign())?;
    let imports = app.store.imports(campaign, &slice).await.map_err(|error| unavailable(&error))?;
    let imports = imports.ok_or_else(no_campaign)?;
    Ok(listed("imports", &imports, slice.most, |last| format!("{}_{}", last.created_at, last.id)))
}

/// One import, and a link to its bad rows.
#[utoipa::path(
    get, path = "/api/campaigns/{id}/imports/{import}", tag = "imports", operation_id = "readImport",
    params(("id" = Uuid, Path, description = "Its id."), ("import" = Uuid, Path, description = "Its id.")),
    responses((status = 200, description = "The answer.", body = pages::ImportView)),
    security(("token" = ["read"]))
)]
async fn read(
    State(app): State<Arc<App>>,
    Path((campaign, import)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let import = known(&app, &campaign, &import).await?;
    let mut view = json!(import);
    view["bad_rows_url"] = match &import.report_key {
        Some(key) => {
            let name = format!("bad-rows-{}.csv", import.id);
            app.blobs.link_to_get(key, REPORT_VALID, &name).await.map_err(|error| no_bucket(&error))?.into()
        }
        None => Value::Null,
    };
    Ok(Reply::json(200, &view).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_named_at_once() {
        let body = json!({ "filename": 7, "dry_run": "yes", "default_country": true, "bytes": -1, "x": 1 });
        let fields: Vec<String> = Wish::parse(&body).unwrap_err().errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["x", "filename", "dry_run", "default_country", "bytes"]);
        let body = json!({ "filename": "", "default_country": "DE", "bytes": LARGEST_FILE + 1 });
        let fields: Vec<String> = Wish::parse(&body).unwrap_err().errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["default_country", "filename", "bytes"]);
    }

    #[test]
    fn nothing_has_to_be_said() {
        assert_eq!(Wish::parse(&json!({ "dry_run": null })).unwrap(), Wish::default());
    }
}
