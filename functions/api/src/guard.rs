//! `GET /api/guard`: what the guard would say about a number, and why.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::call::callee::{Callee, CalleeTexts};
use elevenwire::guard::{self, ConsentKind, Decision, Purpose};
use elevenwire::http::Reply;
use elevenwire::problem::FieldError;
use elevenwire::store::situation::Situation;
use jiff::Timestamp;
use serde_json::json;

use crate::openapi::pages;
use crate::query::{Asked, Pairs};
use crate::{Answer, Answered, App, authorize, unavailable};

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(ask))]
pub(crate) struct Doc;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/guard", get(ask))
}

const PARAMETERS: [&str; 9] = [
    "phone_number",
    "at",
    "timezone",
    "state",
    "postal_code",
    "purpose",
    "consent_type",
    "consent_at",
    "consent_source",
];

/// What is asked; the rest of it as in a call.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `parse` reads")]
struct Question {
    /// Who would be called.
    #[param(max_length = 100, example = "+14155550123")]
    phone_number: String,
    /// When; now, when it is not said.
    at: Option<Timestamp>,
    /// IANA zone of the callee.
    #[param(max_length = 500, example = "America/Chicago")]
    timezone: Option<String>,
    /// State of the callee, two letters.
    #[param(max_length = 500, example = "TX")]
    state: Option<String>,
    /// ZIP code of the callee.
    #[param(max_length = 500, example = "78701")]
    postal_code: Option<String>,
    /// Why it would be called.
    #[param(inline)]
    purpose: Option<Purpose>,
    /// What the callee agreed to.
    #[param(inline)]
    consent_type: Option<ConsentKind>,
    /// When.
    consent_at: Option<Timestamp>,
    /// Where it is recorded.
    #[param(max_length = 500)]
    consent_source: Option<String>,
}

fn parse(query: Pairs) -> Result<(String, Option<Timestamp>, Callee), Answer> {
    let mut asked = Asked::of(query, &PARAMETERS);
    if asked.text("phone_number").is_none() {
        asked.error(FieldError::new("phone_number", "is missing", "Send a number such as %2B14155550123."));
    }
    let number = asked.number("phone_number").unwrap_or_default();
    let (at, consent_at) = (asked.time("at"), asked.time("consent_at"));
    let texts = CalleeTexts {
        timezone: asked.text("timezone"),
        state: asked.text("state"),
        postal_code: asked.text("postal_code"),
        consent_type: asked.text("consent_type"),
        consent_at: None,
        consent_source: asked.text("consent_source"),
        purpose: asked.text("purpose"),
    };
    let (callee, wrong) = texts.parse();
    for error in wrong {
        asked.error(error);
    }
    asked.done((number, at, Callee { consent_at, ..callee }))
}

/// What the guard would say about a number, and why. Nothing is written down.
#[utoipa::path(
    get, path = "/api/guard", tag = "numbers", operation_id = "askGuard",
    params(Question),
    responses((status = 200, description = "The answer.", body = pages::GuardAnswer)),
    security(("token" = ["read"]))
)]
async fn ask(State(app): State<Arc<App>>, Query(query): Query<Pairs>, headers: HeaderMap) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let (number, at, callee) = parse(query)?;
    let now = (app.now)();
    let number = number.as_str();
    let history = app.store.history(number, at.unwrap_or(now)).await.map_err(|error| unavailable(&error))?;
    let ring = app.ring_timeout_secs;
    let mut situation = Situation::of(number, &callee, None, ring, history, &app.dialling);
    // What is not given is not assumed, and said so.
    situation.rules.check_consent = callee.consent_type.is_some();
    let decision = match at {
        // A moment that is named is that moment, also where another hour is played.
        Some(at) => guard::decide(&situation.contact, &situation.rules, &situation.history, at),
        None => situation.decide(&app.dialling, now),
    };
    let (word, until, because) = match decision {
        Decision::Allow { until } => ("allow", Some(until), Vec::new()),
        Decision::Defer { until, because } => ("defer", Some(until), because),
        Decision::Block { because } => ("block", None, because),
    };
    let place = guard::place(&situation.contact);
    let stale = guard::stale_tables(now);
    let body = json!({
        "decision": word,
        "until": until,
        "because": because,
        "zones": place.zones,
        "place": place,
        "not_checked": guard::not_checked(&situation.contact, &situation.rules),
        "own_number": situation.contact.own,
        "rules_version": guard::RULES_VERSION,
        "stale_rules": stale,
    });
    Ok(Reply::json(200, &body).into())
}
