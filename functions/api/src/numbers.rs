//! `GET /api/numbers/{e164}`: the dossier of a number. One that was never heard of has an empty one, because "we never
//! called it" is an answer.

mod text;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::http::Reply;
use elevenwire::phone::PhoneNumber;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::reading::shapes::Dossier;

use crate::openapi::pages;
use crate::query::{Asked, Pairs};
use crate::{Answered, App, authorize, unavailable, wrong};

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(dossier))]
pub(crate) struct Doc;

/// The routes.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/numbers/{number}", get(dossier))
}

/// Everything that is known of a number, over all campaigns.
#[utoipa::path(
    get, path = "/api/numbers/{number}", tag = "numbers", operation_id = "readNumber",
    params(("number" = String, Path, description = "With its country code.", max_length = 32, example = "+14155550123"), ("format" = inline(Option<pages::DossierFormat>), Query, description = "`text` prints it.")),
    responses((status = 200, description = "The answer.", content((Dossier = "application/json"), (String = "text/plain")))),
    security(("token" = ["read"]))
)]
async fn dossier(
    State(app): State<Arc<App>>,
    Path(number): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let mut asked = Asked::of(query, &["format"]);
    let format = asked.word("format", &["json", "text"]);
    let number = match PhoneNumber::parse(&number) {
        Ok(number) => Some(number),
        Err(problem) => {
            let mend = "Write it with its country code, such as /api/numbers/+14155550123.";
            asked.error(FieldError::new("number", problem.to_string(), mend));
            None
        }
    };
    let Some(number) = asked.done(number)? else { return Err(wrong(Problem::not_found("There is no such number."))) };
    let now = (app.now)();
    let mut dossier = app.store.dossier(number.as_str()).await.map_err(|error| unavailable(&error))?;
    dossier["as_of"] = now.to_string().into();
    if !printable(format.as_deref(), &headers) {
        return Ok(Reply::json(200, &dossier).into());
    }
    let body = text::print(&dossier);
    Ok(Reply { status: 200, content_type: "text/plain; charset=utf-8", headers: Vec::new(), body }.into())
}

/// The parameter decides, else the first thing that is accepted.
fn printable(format: Option<&str>, headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    format.map_or_else(|| accepted.trim_start().starts_with("text/plain"), |format| format == "text")
}
