//! Folds what is heard about a call into its row, and decides what is next.

use elevenwire::call::fold::Folded;
use elevenwire::call::{AnsweredBy, CarrierStatus, Event, Fact, Outcome, State};
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::queue::{CallCommand, CallNews, CarrierRoute, Queue};
use elevenwire::retry::Failure;
use elevenwire::signalwire::callback::{self, Callback};
use elevenwire::store::Store;
use elevenwire::store::calls::News;
use elevenwire::telemetry::metrics;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Calls.
    pub store: Store,
    /// place-call's queue, for commands to the carrier.
    pub calls: Queue,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `CALLS_QUEUE_URL`.
    pub calls_queue_url: String,
    /// `SCHEDULE_RULES`.
    pub schedule_rules: String,
    /// `CALL_EVENTS_QUEUE_URL`.
    pub queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`.
    pub dead_letter_queue_url: String,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let config = Self {
            database_url: env.secret("DATABASE_URL"),
            calls_queue_url: env.required("CALLS_QUEUE_URL"),
            schedule_rules: env.required("SCHEDULE_RULES"),
            queue_url: env.required("CALL_EVENTS_QUEUE_URL"),
            dead_letter_queue_url: env.required("DEAD_LETTER_QUEUE_URL"),
        };
        env.finish(Some(config))
    }
}

/// Takes one piece of news in.
///
/// # Errors
/// [`Failure`] says when to try again.
pub async fn take_in(app: &App, news: CallNews, now: Timestamp) -> Result<(), Failure> {
    match news {
        CallNews::Carrier { call_id, route, received_at, fields } => {
            let callback = Callback::from_fields(fields).map_err(|error| Failure::never(error.to_string()))?;
            let fact = fact(route, &callback).unwrap_or_else(|| {
                tracing::warn!(call.id = %call_id, route = ?route, "a word of the carrier's that is not known");
                not_understood(&callback)
            });
            let at = callback.timestamp().filter(|at| *at <= received_at).unwrap_or(received_at);
            let news = News { event: Event::new(fact, at), raw: Some(json!(callback.fields())) };
            learn(app, call_id, news, now).await
        }
        CallNews::NotInitiated { received_at, conversation_id, agent_id: _, call_sid, failure, sip_code } => {
            let fact = Fact::NotInitiated { conversation_id: conversation_id.clone(), failure, sip_code };
            let event = Event::new(fact, received_at);
            let learnt = app.store.not_initiated(&conversation_id, call_sid.as_deref(), event, now).await?;
            let Some((call_id, call)) = learnt else {
                // Of a dial whose answer is still awaited, or of a call that is none of ours.
                tracing::info!("an initiation failure of no call that is known yet");
                return Ok(());
            };
            follow(app, call_id, &call).await
        }
    }
}

async fn learn(app: &App, call_id: Uuid, news: News, now: Timestamp) -> Result<(), Failure> {
    let machine = matches!(news.event.fact, Fact::Detected { answered_by: AnsweredBy::Machine, .. });
    let call = app.store.learn(call_id, &[news], now).await?;
    follow(app, call_id, &call).await?;
    // Detection is asked for only by agents that hang up on machines.
    if machine && call.state != State::Ended && app.store.want_hang_up(call_id, now).await? {
        app.calls.send(&CallCommand::HangUp { call_id }).await?;
    }
    Ok(())
}

/// What follows from how the call stands now.
async fn follow(app: &App, call_id: Uuid, call: &Folded) -> Result<(), Failure> {
    tracing::info!(call.id = %call_id, call.state = call.state.as_str(), call.outcome = call.outcome.map(Outcome::as_str), "learnt");
    if call.double_dial {
        metrics::count(metrics::DOUBLE_DIALS);
        tracing::error!(call.id = %call_id, alarm = "double_dial", "the carrier made two calls of one");
    }
    // It was given up, and its number may have been promised to another attempt: it must not ring any more.
    if call.given_up && matches!(call.state, State::Queued | State::Ringing) {
        app.calls.send(&CallCommand::Cancel { call_id }).await?;
    }
    Ok(())
}

/// What a request of the carrier's says; `None` when it says nothing that is known.
#[must_use]
pub fn fact(route: CarrierRoute, callback: &Callback) -> Option<Fact> {
    let sid = callback.call_sid().to_owned();
    match route {
        CarrierRoute::Voice | CarrierRoute::Fallback => {
            Some(Fact::Fetched { sid, answered_by: callback.answered_by().map(who) })
        }
        CarrierRoute::Action => Some(Fact::AgentLeg {
            sid,
            status: CarrierStatus::parse(callback.dial_call_status()?.as_str())?,
            sip_code: callback.dial_sip_response_code(),
            duration_secs: callback.dial_call_duration(),
        }),
        CarrierRoute::Status => match (callback.call_status(), callback.answered_by()) {
            // A result of answering machine detection carries the status as well in some forms; progress never carries
            // who answered.
            (_, Some(answered_by)) => Some(Fact::Detected { sid, answered_by: who(answered_by) }),
            (Some(status), None) => Some(Fact::Carrier {
                sid,
                status: CarrierStatus::parse(status.as_str())?,
                sip_code: callback.sip_result_code(),
                duration_secs: callback.call_duration(),
            }),
            (None, None) => None,
        },
    }
}

/// Every event is kept, also one that says nothing yet: a later version may understand it.
fn not_understood(callback: &Callback) -> Fact {
    let mut digest = Sha256::new();
    for (name, value) in callback.fields() {
        digest.update(name.as_bytes());
        digest.update([0]);
        digest.update(value.as_bytes());
        digest.update([0]);
    }
    Fact::NotUnderstood { digest: hex::encode(digest.finalize()) }
}

fn who(answered_by: callback::AnsweredBy) -> AnsweredBy {
    match answered_by {
        callback::AnsweredBy::Machine => AnsweredBy::Machine,
        _ => AnsweredBy::Person,
    }
}
