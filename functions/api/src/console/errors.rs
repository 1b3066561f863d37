//! What went wrong, as a page; and the headers that every answer of the console has.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use elevenwire::problem::Problem;
use elevenwire::store::StoreError;
use maud::html;
use serde_json::Value;

use super::layout;
use super::visit::Place;
use crate::{Answer, unavailable, wrong};

/// Nothing from elsewhere, nothing written into a page. A page with a recording says more.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer, where it has no other value.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Why a page is not shown.
#[derive(Debug)]
pub(super) enum Refused {
    /// A problem, as the API has it.
    Problem(Box<Told>),
    /// To the sign-in page, and back to here.
    SignIn(String),
}

/// A problem document as it is read back.
#[derive(Debug, Clone)]
pub(super) struct Told {
    status: u16,
    title: String,
    detail: String,
    errors: Vec<[String; 3]>,
}

pub(super) type Shown = Result<Response, Refused>;

impl Refused {
    /// What is wrong with the fields of a form: field, problem, mend. `None`: something else is.
    pub(super) fn errors(&self) -> Option<&[[String; 3]]> {
        match self {
            Self::Problem(told) if !told.errors.is_empty() => Some(&told.errors),
            _ => None,
        }
    }
}

impl From<Answer> for Refused {
    fn from(answer: Answer) -> Self {
        let body: Value = serde_json::from_str(&answer.0.body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self::Problem(Box::new(Told {
            status: answer.0.status,
            title: text(&body["title"]),
            detail: text(&body["detail"]),
            errors: errors.iter().map(|error| ["field", "problem", "mend"].map(|name| text(&error[name]))).collect(),
        }))
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        wrong(problem).into()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        unavailable(&error).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(address) => see_other(&address),
            Self::Problem(told) => {
                let mut response = StatusCode::from_u16(told.status).unwrap_or_default().into_response();
                response.extensions_mut().insert(*told);
                response
            }
        }
    }
}

/// To another page, after something was done.
pub(super) fn see_other(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(address) = HeaderValue::from_str(address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

/// An address that no page has.
pub(super) async fn nothing_here() -> Refused {
    Problem::not_found("There is no such page.").into()
}

/// Makes a page of a problem, and adds the headers.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let place = Place::of(request.uri().path());
    let mut response = next.run(request).await;
    if let Some(told) = response.extensions_mut().remove::<Told>() {
        let status = response.status();
        response = (status, Html(page(place, &told))).into_response();
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn page(place: Place, told: &Told) -> String {
    let main = html! {
        h1 { (told.title) }
        p class="lead" { (told.detail) }
        @if !told.errors.is_empty() {
            ul { @for [field, problem, mend] in &told.errors { li { b { (field) } " " (problem) ". " (mend) } } }
        }
        p { "Go back with your browser: what you had typed is still there. Or go to " a href=(place.home()) { "the overview" } "." }
    };
    layout::bare(place, &told.title, &main).into_string()
}
