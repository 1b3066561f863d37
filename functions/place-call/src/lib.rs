//! The one function that commands the carrier: it places claimed attempts, and hangs calls up. What ElevenLabs dials is
//! place-trunk-call's.
//!
//! No place-call API is idempotent. So an attempt is claimed in the database before the carrier is asked, a question
//! that got no clear answer is never asked again, and only the carrier's own word that nothing happened allows another.

use std::time::Duration;

use elevenwire::call::{Connect, Fact};
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::dialling::Dialling;
use elevenwire::phone::{NotANumber, PhoneNumber};
use elevenwire::queue::CallCommand;
use elevenwire::retry::{Failure, backoff};
use elevenwire::signalwire::client::{CallChange, ChangeAnswer, Client};
use elevenwire::signalwire::create::{CreateAnswer, CreateCall};
use elevenwire::signalwire::reason::Class;
use elevenwire::signalwire::space::SpaceUrl;
use elevenwire::store::Store;
use elevenwire::store::agents::Amd;
use elevenwire::store::claims::{LONGEST_DELAY, Order};
use elevenwire::ticket::Ticket;
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

/// The carrier may keep a call in its queue for hours; after this long the answer document connects nobody.
const TICKET_SECS: i64 = 4 * 3600;

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Attempts.
    pub store: Store,
    /// The carrier.
    pub carrier: Client,
    /// Our own address, as the carrier reaches it.
    pub public_base_url: String,
    /// How often the carrier may be asked again after it said that nothing happened.
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
    /// `SIGNALWIRE_SPACE_URL`.
    pub space: SpaceUrl,
    /// `SIGNALWIRE_PROJECT_ID`.
    pub project_id: String,
    /// `SIGNALWIRE_API_TOKEN`.
    pub token: Secret,
    /// `PUBLIC_BASE_URL`.
    pub public_base_url: String,
    /// `CALL_MAX_RETRIES`.
    pub max_retries: u32,
    /// `CALL_RETRY_DELAY_MS`.
    pub retry_delay: Duration,
    /// `CALLS_QUEUE_URL`.
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
        let database_url = env.secret("DATABASE_URL");
        let project_id = env.required("SIGNALWIRE_PROJECT_ID");
        let token = env.secret("SIGNALWIRE_API_TOKEN");
        let public_base_url = env.required("PUBLIC_BASE_URL").trim_end_matches('/').to_owned();
        let max_retries = env.parsed("CALL_MAX_RETRIES", 3);
        let retry_delay = Duration::from_millis(env.parsed("CALL_RETRY_DELAY_MS", 5000));
        let queue_url = env.required("CALLS_QUEUE_URL");
        let dead_letter_queue_url = env.required("DEAD_LETTER_QUEUE_URL");
        let space = env.with("SIGNALWIRE_SPACE_URL", |text| SpaceUrl::parse(text).map_err(|error| error.to_string()));
        let dialling = Dialling::from_env(&mut env);
        env.finish(space.map(|space| Self {
            database_url,
            space,
            project_id,
            token,
            public_base_url,
            max_retries,
            retry_delay,
            queue_url,
            dead_letter_queue_url,
            dialling,
        }))
    }
}

/// Carries a command out. `jitter` is a random number in 0..1.
///
/// # Errors
/// [`Failure`] says when to try the same command again.
pub async fn carry_out(app: &App, command: CallCommand, now: Timestamp, jitter: f64) -> Result<(), Failure> {
    match command {
        CallCommand::Place { call_id } => place(app, call_id, now, jitter).await,
        CallCommand::Cancel { call_id } => cancel(app, call_id).await,
        CallCommand::HangUp { call_id } => hang_up(app, call_id).await,
    }
}

async fn place(app: &App, call_id: Uuid, now: Timestamp, jitter: f64) -> Result<(), Failure> {
    match app.store.claim(call_id, Connect::Sip, &app.dialling, now).await?.order(call_id, now)? {
        Some(order) => ask(app, &order, now, jitter).await,
        None => Ok(()),
    }
}

async fn ask(app: &App, order: &Order, now: Timestamp, jitter: f64) -> Result<(), Failure> {
    let now = order.slot(now).await;
    let ask = order.ask;
    let question = match Question::about(app, order, now) {
        Ok(question) => question,
        Err(problem) => {
            let reason = format!("a stored number {problem}: it was changed by hand");
            let refused = Fact::Refused { ask, bad_number: false, reason };
            app.store.carrier_answered(order.call_id, refused, None, now).await?;
            return Ok(());
        }
    };
    let started = Instant::now();
    let answer = app.carrier.create_call(&question.form()).await;
    // The carrier may take its time: what is written down next happened later than `now`.
    let now = now.checked_add(started.elapsed()).unwrap_or(now);
    let (fact, again) = match answer {
        CreateAnswer::Placed { sid, .. } => (Fact::Placed { ask, sid }, None),
        CreateAnswer::Refused { reason, .. } => {
            let bad_number = reason.class == Class::BadNumber;
            (Fact::Refused { ask, bad_number, reason: reason.sentence }, None)
        }
        CreateAnswer::Unknown { reason } => (Fact::Unclear { ask, reason }, None),
        CreateAnswer::Again { reason, .. } if ask > app.max_retries => {
            let reason = format!("the carrier was asked {ask} times and took it no time: {reason}");
            (Fact::Refused { ask, bad_number: false, reason }, None)
        }
        CreateAnswer::Again { retry_after, reason } => {
            let delay = backoff(app.retry_delay, ask, LONGEST_DELAY, jitter);
            let delay = retry_after.map_or(delay, |told| told.clamp(delay, LONGEST_DELAY.max(delay)));
            (Fact::AskAgain { ask, reason }, Some(delay))
        }
    };
    tracing::info!(call.id = %order.call_id, campaign.id = order.campaign_id, call.ask = ask, answer = kind(&fact), "asked the carrier");
    let due_at = again.map(|delay| now.checked_add(delay).unwrap_or(now));
    let taken_back = app.store.carrier_answered(order.call_id, fact, due_at, now).await?;
    match again {
        // Its owner stopped it while the carrier was asked.
        None if taken_back => cancel(app, order.call_id).await,
        None => Ok(()),
        Some(delay) => Err(Failure::later(delay.max(Duration::from_secs(1)), "the carrier asks for patience")),
    }
}

fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Placed { .. } => "placed",
        Fact::Refused { .. } => "refused",
        Fact::AskAgain { .. } => "ask again",
        _ => "unclear",
    }
}

/// What the carrier is asked: our id stands in every address, the agent in the ticket, and no phone number in any URL.
struct Question {
    to: PhoneNumber,
    from: PhoneNumber,
    url: String,
    fallback_url: String,
    status_callback: String,
    amd_callback: Option<String>,
    timeout_secs: u32,
}

impl Question {
    fn about(app: &App, order: &Order, now: Timestamp) -> Result<Self, NotANumber> {
        let address =
            |route: &str| format!("{}/api/webhooks/signalwire/{route}/{}", app.public_base_url, order.call_id);
        let ticket = Ticket {
            agent_number: order.agent_number.clone(),
            time_limit_secs: order.max_duration_secs,
            until: now.as_second() + TICKET_SECS,
        };
        let ticket = ticket.encode();
        Ok(Self {
            to: PhoneNumber::parse(&order.to)?,
            from: PhoneNumber::parse(&order.from)?,
            url: format!("{}?v={ticket}", address("voice")),
            fallback_url: format!("{}?v={ticket}", address("fallback")),
            status_callback: address("status"),
            amd_callback: (order.amd == Amd::HangUp).then(|| format!("{}?kind=amd", address("status"))),
            timeout_secs: order.ring_timeout_secs,
        })
    }

    fn form(&self) -> CreateCall<'_> {
        CreateCall {
            to: &self.to,
            from: &self.from,
            url: &self.url,
            fallback_url: &self.fallback_url,
            status_callback: &self.status_callback,
            amd_callback: self.amd_callback.as_deref(),
            timeout_secs: self.timeout_secs,
        }
    }
}

/// Takes a call back that nobody has answered yet. One that was answered in between goes on.
async fn cancel(app: &App, call_id: Uuid) -> Result<(), Failure> {
    let Some(sid) = app.store.to_cancel(call_id).await? else { return Ok(()) };
    let changed = app.carrier.update_call(&sid, CallChange::Cancel).await?;
    tracing::info!(call.id = %call_id, answer = ?changed, "taken back");
    // It was answered in between: whoever asked for that too has it hung up.
    if changed == ChangeAnswer::WrongState { hang_up(app, call_id).await } else { Ok(()) }
}

/// Hangs a call up that shall be hung up and still lives. Doing it twice is doing it once.
async fn hang_up(app: &App, call_id: Uuid) -> Result<(), Failure> {
    let Some(sid) = app.store.to_hang_up(call_id).await? else { return Ok(()) };
    let changed = app.carrier.update_call(&sid, CallChange::HangUp).await?;
    if changed == ChangeAnswer::WrongState {
        // It ended by itself in between, or never was answered: either way its own callback tells.
        tracing::info!(call.id = %call_id, "there was nothing to hang up");
    }
    Ok(())
}
