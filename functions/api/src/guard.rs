//! `GET /api/guard`: what the guard would say about a number, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use elevenwire::auth::Scope;
use elevenwire::call::callee::{Callee, CalleeTexts};
use elevenwire::guard::{self, Decision};
use elevenwire::http::Reply;
use elevenwire::phone::PhoneNumber;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::situation::Situation;
use jiff::Timestamp;
use serde_json::json;

use crate::query::plus;
use crate::{Answered, App, authorize, unavailable, wrong};

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

struct Question {
    number: PhoneNumber,
    /// Missing: now.
    at: Option<Timestamp>,
    callee: Callee,
}

fn parse(query: &BTreeMap<String, String>) -> Result<Question, Problem> {
    let mut errors = Vec::new();
    for name in query.keys().filter(|name| !PARAMETERS.contains(&name.as_str())) {
        let shown: String = name.chars().take(64).collect();
        let mend = format!("Leave it out, or use one of: {}.", PARAMETERS.join(", "));
        errors.push(FieldError::new(shown, "is not a parameter of the guard", mend));
    }
    let text = |name: &str| query.get(name).filter(|text| !text.is_empty()).cloned();
    let number = text("phone_number").map(|number| plus(&number));
    let number = match number.as_deref().map(PhoneNumber::parse) {
        Some(Ok(number)) => Some(number),
        Some(Err(problem)) => {
            let mend = "Write it with its country code, such as %2B14155550123.";
            errors.push(FieldError::new("phone_number", problem.to_string(), mend));
            None
        }
        None => {
            errors.push(FieldError::new("phone_number", "is missing", "Send a number such as %2B14155550123."));
            None
        }
    };
    let at = text("at").and_then(|at| {
        let time = at.replace(' ', "+").parse::<Timestamp>().ok();
        if time.is_none() {
            let mend = "Use RFC 3339, such as 2026-11-24T17:00:00Z.";
            errors.push(FieldError::new("at", "is not a time", mend));
        }
        time
    });
    let texts = CalleeTexts {
        timezone: text("timezone"),
        state: text("state"),
        postal_code: text("postal_code"),
        consent_type: text("consent_type"),
        consent_at: text("consent_at"),
        consent_source: text("consent_source"),
        purpose: text("purpose"),
    };
    let (callee, wrong) = texts.parse();
    errors.extend(wrong);
    match number {
        Some(number) if errors.is_empty() => Ok(Question { number, at, callee }),
        _ => Err(Problem::fields(errors)),
    }
}

async fn ask(
    State(app): State<Arc<App>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Answered {
    authorize(&app, &headers, Scope::Read)?;
    let question = parse(&query).map_err(wrong)?;
    let now = (app.now)();
    let number = question.number.as_str();
    let history = app.store.history(number, question.at.unwrap_or(now)).await.map_err(|error| unavailable(&error))?;
    let ring = app.ring_timeout_secs;
    let mut situation = Situation::of(number, &question.callee, None, ring, history, &app.dialling);
    // What is not given is not assumed, and said so.
    situation.rules.check_consent = question.callee.consent_type.is_some();
    let decision = match question.at {
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
