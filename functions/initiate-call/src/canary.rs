//! The canary: a schedule's wish to call a number of the owner's. It is written down as anybody's is; whatever holds other calls
//! back holds it back as well, and is its result.

use elevenwire::auth::{Caller, Caps, Scope};
use elevenwire::config::Env;
use elevenwire::problem::Problem;
use elevenwire::retry::Failure;
use elevenwire::store::canary::ASKER;
use elevenwire::store::intents::IdempotencyKey;
use elevenwire::telemetry::metrics;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{App, Asked, CallRequest, Written, write_down};

/// An event that comes later than this is not rung: it was meant for another hour.
const LATEST: SignedDuration = SignedDuration::from_hours(1);

/// Seconds that it may talk, so that a number that never hangs up costs two minutes.
const LONGEST_SECS: u32 = 120;

/// Whom the canary calls, and who speaks.
#[derive(Clone, PartialEq, Eq)]
pub struct Canary {
    /// `CANARY_NUMBER`.
    pub number: String,
    /// `CANARY_AGENT`.
    pub agent: String,
}

// Written out, because the number is somebody's.
impl std::fmt::Debug for Canary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canary").field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl Canary {
    /// None unless both are set. Neither is looked at here: what is wrong with the canary shall not keep others from calling.
    pub(crate) fn from_env(env: &Env) -> Option<Self> {
        Some(Self { number: env.optional("CANARY_NUMBER")?, agent: env.optional("CANARY_AGENT")? })
    }
}

/// What the schedule sends, or somebody by hand: `{"task": "canary", "at": "2026-11-24T17:00:00Z"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ring {
    /// What is wanted; there is one task.
    pub task: Task,
    /// When the schedule was due: delivered twice, it rings once. By hand it may be left out, and is now.
    pub at: Option<Timestamp>,
}

/// What a schedule wants of this function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The canary.
    Canary,
}

/// A canary that is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// Its call.
    pub call_id: Uuid,
    /// It was written down before.
    pub replayed: bool,
}

/// Writes the canary's call down and wakes whoever dials. The guard is asked by the claim alone, so that its no is a call with
/// an outcome.
///
/// # Errors
/// When it could not be written down: no canary is set, its agent is not registered, its number is busy, the database does not
/// answer. It is counted.
pub async fn ring(
    app: &App,
    canary: Option<&Canary>,
    wish: &Ring,
    now: Timestamp,
    draw: [u8; 10],
) -> Result<Rung, Failure> {
    let rung = try_ring(app, canary, wish.at.unwrap_or(now), now, draw).await;
    rung.map_err(|why| {
        metrics::count(metrics::CANARY_FAILED);
        tracing::error!(error = why, "the canary was not written down");
        Failure::never(format!("the canary was not written down: {why}"))
    })
}

async fn try_ring(
    app: &App,
    canary: Option<&Canary>,
    at: Timestamp,
    now: Timestamp,
    draw: [u8; 10],
) -> Result<Rung, String> {
    let canary = canary.ok_or("none is set. Deploy with CanaryNumber and CanaryAgent, both.")?;
    if now.duration_since(at) > LATEST {
        return Err(format!("it was due at {at}, more than an hour ago. The next one comes by its schedule."));
    }
    let body = json!({ "to": canary.number, "agent": canary.agent, "max_duration_secs": LONGEST_SECS,
        "metadata": { "canary": at } });
    let request_sha256 = hex::encode(Sha256::digest(body.to_string()));
    let wish = CallRequest::parse(&body).map_err(|problem| words(&problem))?;
    let caller = Caller { name: ASKER.to_owned(), scope: Scope::Call, caps: Caps::default() };
    let key = IdempotencyKey { token: caller.name.clone(), key: at.to_string(), request_sha256 };
    let asked = Asked { wish, caller, key, refusable: false };
    let Written { call_id, replayed, .. } =
        write_down(app, &asked, now, draw).await.map_err(|problem| words(&problem))?;
    Ok(Rung { call_id, replayed })
}

/// A problem in one line, its fields by the names of the template's parameters. No value is in it.
fn words(problem: &Problem) -> String {
    if problem.errors.is_empty() {
        let link = problem.link.as_ref().map(|link| format!(" {link}")).unwrap_or_default();
        return format!("{}{link}", problem.detail);
    }
    let named = |field: &str| match field {
        "to" => "CanaryNumber".to_owned(),
        "agent" => "CanaryAgent".to_owned(),
        other => other.to_owned(),
    };
    let each = problem.errors.iter().map(|error| format!("{} {}. {}", named(&error.field), error.problem, error.mend));
    each.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_says_when_it_was_due_and_a_person_need_not() {
        let ring: Ring = serde_json::from_value(json!({ "task": "canary", "at": "2026-11-24T17:00:00Z" })).unwrap();
        assert_eq!(ring.at, Some("2026-11-24T17:00:00Z".parse().unwrap()));
        assert_eq!(serde_json::from_value::<Ring>(json!({ "task": "canary" })).unwrap().at, None);
        for other in [json!({}), json!({ "task": "settle" }), json!({ "task": "canary", "at": "soon" })] {
            assert!(serde_json::from_value::<Ring>(other.clone()).is_err(), "{other}");
        }
    }

    #[test]
    fn a_canary_needs_both_its_number_and_its_agent_and_is_printed_without_the_number() {
        let of = |pairs: &'static [(&'static str, &'static str)]| {
            Canary::from_env(&Env::of(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            }))
        };
        assert_eq!(of(&[("CANARY_NUMBER", "+14155550101"), ("CANARY_AGENT", "")]), None);
        assert_eq!(of(&[("CANARY_AGENT", "demo")]), None);
        let canary = of(&[("CANARY_NUMBER", "+14155550101"), ("CANARY_AGENT", "demo")]).unwrap();
        assert_eq!(canary.number, "+14155550101");
        assert!(!format!("{canary:?}").contains("4155550101"));
    }

    #[test]
    fn what_is_wrong_is_named_as_the_template_names_it() {
        let problem = CallRequest::parse(&json!({ "to": "5550101", "agent": "no name" })).unwrap_err();
        let words = words(&problem);
        assert!(words.starts_with("CanaryNumber has no country code."), "{words}");
        assert!(words.contains("CanaryAgent is not a name.") && !words.contains("5550101"), "{words}");
    }
}
