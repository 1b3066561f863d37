//! Places the calls that ElevenLabs dials through SignalWire as its SIP trunk (`connect: trunk`).
//!
//! ElevenLabs answers when the callee does, so this runs beside place-call, with a queue and a timeout of its own. The rules
//! are the same: an attempt is claimed before the question is put, a question that got no clear answer is never put again,
//! and only the vendor's own word that nothing happened allows another.

use std::time::Duration;

use elevenwire::call::{Connect, Fact};
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::dialling::Dialling;
use elevenwire::elevenlabs::client::API_URL;
use elevenwire::elevenlabs::outbound::{OutboundAnswer, OutboundCall, Trunk};
use elevenwire::phone::PhoneNumber;
use elevenwire::queue::CallCommand;
use elevenwire::retry::{Failure, backoff};
use elevenwire::store::Store;
use elevenwire::store::claims::{LONGEST_DELAY, Order};
use jiff::Timestamp;
use tokio::time::Instant;

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Attempts.
    pub store: Store,
    /// Who dials.
    pub trunk: Trunk,
    /// How long past the time that it may ring an answer is waited for.
    pub answer_takes: Duration,
    /// How often the vendor may be asked again after it said that nothing happened.
    pub max_retries: u32,
    /// Delay before the first of these.
    pub retry_delay: Duration,
    /// The carrier's rate, the limits, the guard's settings.
    pub dialling: Dialling,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `ELEVENLABS_API_URL`.
    pub elevenlabs_url: String,
    /// `ELEVENLABS_API_KEY`.
    pub elevenlabs_key: Secret,
    /// `CALL_MAX_RETRIES`.
    pub max_retries: u32,
    /// `CALL_RETRY_DELAY_MS`.
    pub retry_delay: Duration,
    /// `TRUNK_CALLS_QUEUE_URL`.
    pub queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`.
    pub dead_letter_queue_url: String,
    /// See [`Dialling::from_env`].
    pub dialling: Dialling,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let dialling = Dialling::from_env(&mut env);
        let config = Self {
            dialling,
            database_url: env.secret("DATABASE_URL"),
            elevenlabs_url: env.optional("ELEVENLABS_API_URL").unwrap_or_else(|| API_URL.to_owned()),
            elevenlabs_key: env.secret("ELEVENLABS_API_KEY"),
            max_retries: env.parsed("CALL_MAX_RETRIES", 3),
            retry_delay: Duration::from_millis(env.parsed("CALL_RETRY_DELAY_MS", 5000)),
            queue_url: env.required("TRUNK_CALLS_QUEUE_URL"),
            dead_letter_queue_url: env.required("DEAD_LETTER_QUEUE_URL"),
        };
        env.finish(Some(config))
    }
}

/// Carries a command out. `jitter` is a random number in 0..1.
///
/// # Errors
/// [`Failure`] says when to try the same command again.
pub async fn carry_out(app: &App, command: CallCommand, now: Timestamp, jitter: f64) -> Result<(), Failure> {
    let CallCommand::Place { call_id } = command else {
        return Err(Failure::never("ElevenLabs has no way to take back or to end a call that it dialled"));
    };
    match app.store.claim(call_id, Connect::Trunk, &app.dialling, now).await?.order(call_id, now)? {
        Some(order) => ask(app, &order, now, jitter).await,
        None => Ok(()),
    }
}

async fn ask(app: &App, order: &Order, now: Timestamp, jitter: f64) -> Result<(), Failure> {
    let now = order.slot(now).await;
    let started = Instant::now();
    let answer = put(app, order).await;
    // It blocks while it rings: what is written down next happened later than `now`.
    let now = now.checked_add(started.elapsed()).unwrap_or(now);
    let (fact, again) = meaning(app, order.ask, answer, jitter);
    tracing::info!(call.id = %order.call_id, campaign.id = order.campaign_id, call.ask = order.ask, answer = kind(&fact), "asked the agents' vendor");
    let due_at = again.map(|delay| now.checked_add(delay).unwrap_or(now));
    app.store.carrier_answered(order.call_id, fact, due_at, now).await?;
    match again {
        None => Ok(()),
        Some(delay) => Err(Failure::later(delay.max(Duration::from_secs(1)), "the agents' vendor asks for patience")),
    }
}

async fn put(app: &App, order: &Order) -> OutboundAnswer {
    let refused = |reason: String| OutboundAnswer::Refused { bad_number: false, reason };
    let Some(phone_number_id) = &order.phone_number_id else {
        return refused("the call has no number to be dialled from: it was changed by hand".to_owned());
    };
    let to = match PhoneNumber::parse(&order.to) {
        Ok(to) => to,
        Err(problem) => return refused(format!("a stored number {problem}: it was changed by hand")),
    };
    let call = OutboundCall {
        agent_id: &order.elevenlabs_agent_id,
        phone_number_id,
        to: &to,
        call_id: &order.call_id.to_string(),
        campaign_id: order.campaign_id.as_deref(),
        variables: &order.variables,
        ring_timeout_secs: order.ring_timeout_secs,
    };
    let rings = Duration::from_secs(u64::from(order.ring_timeout_secs));
    app.trunk.call(&call, rings + app.answer_takes).await
}

/// What an answer says about the attempt, and after which delay the question may be put again, if it may.
fn meaning(app: &App, ask: u32, answer: OutboundAnswer, jitter: f64) -> (Fact, Option<Duration>) {
    match answer {
        OutboundAnswer::Answered { conversation_id, sip_call_id } => {
            (Fact::Originated { conversation_id, sip_call_id }, None)
        }
        OutboundAnswer::CameToNothing { conversation_id, sip_call_id, failure, sip_code, reason } => {
            (Fact::NotOriginated { conversation_id, sip_call_id, failure, sip_code, reason }, None)
        }
        OutboundAnswer::Refused { bad_number, reason } => (Fact::Refused { ask, bad_number, reason }, None),
        OutboundAnswer::Unknown { reason } => (Fact::Unclear { ask, reason }, None),
        OutboundAnswer::Again { reason, .. } if ask > app.max_retries => {
            let reason = format!("ElevenLabs was asked {ask} times and took it no time: {reason}");
            (Fact::Refused { ask, bad_number: false, reason }, None)
        }
        OutboundAnswer::Again { retry_after, reason } => {
            let delay = backoff(app.retry_delay, ask, LONGEST_DELAY, jitter);
            let delay = retry_after.map_or(delay, |told| told.clamp(delay, LONGEST_DELAY.max(delay)));
            (Fact::AskAgain { ask, reason }, Some(delay))
        }
    }
}

fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Originated { .. } => "answered",
        Fact::NotOriginated { .. } => "came to nothing",
        Fact::Refused { .. } => "refused",
        Fact::AskAgain { .. } => "ask again",
        _ => "unclear",
    }
}
