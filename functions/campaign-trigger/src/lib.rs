//! Every minute, while there is work: what is due becomes a wake-up. Contacts become attempts, overdue attempts are woken
//! again. The row knows its time, so a lost message only waits for the next minute. Without work it switches the schedules
//! off, and every hour it looks whether one is off that should be on.

mod pick;
mod watch;

use elevenwire::call::Connect;
use elevenwire::campaign::State;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::cost::Tariff;
use elevenwire::dialling::Dialling;
use elevenwire::queue::{CallCommand, Queue};
use elevenwire::retry::Failure;
use elevenwire::schedules::{Mended, Schedules};
use elevenwire::store::Store;
use elevenwire::store::calls::Overdue;
use elevenwire::store::campaigns::Moved;
use jiff::Timestamp;
pub use pick::{Tick, tick};
use serde::Deserialize;
use uuid::Uuid;
pub use watch::{finish, measure, watch};

/// A wake-up is given this long to arrive by itself.
const GRACE_SECS: i64 = 20;

/// The same for a command that ends a call: it must be off the line within 15 s.
const CANCEL_GRACE_SECS: i32 = 5;

/// Most wake-ups in one run; the rest is found a minute later.
const MOST: i64 = 500;

/// What the function needs.
pub struct App {
    /// Attempts.
    pub store: Store,
    /// place-call's queue.
    pub calls: Queue,
    /// place-trunk-call's queue.
    pub trunk_calls: Queue,
    /// The carrier's rate, the limits, the guard's settings.
    pub dialling: Dialling,
    /// The schedules, this function's own among them.
    pub schedules: Schedules,
    /// Seconds to let ring when nobody says otherwise.
    pub ring_timeout_secs: u32,
    /// Random bits for new ids.
    pub draw: Box<dyn Fn() -> [u8; 10] + Send + Sync>,
}

impl App {
    /// The queue of whoever dials so.
    fn queue(&self, connect: Connect) -> &Queue {
        match connect {
            Connect::Sip => &self.calls,
            Connect::Trunk => &self.trunk_calls,
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// A schedule of the owner's: `{"campaign_id": "…", "action": "pause"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Wanted {
    /// The campaign.
    pub campaign_id: Uuid,
    /// What is wanted of it.
    pub action: Action,
}

/// What an owner's schedule may want of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Start it.
    Start,
    /// Pause it.
    Pause,
    /// Let it go on.
    Resume,
    /// End it.
    Cancel,
}

/// Does what an owner's schedule wants.
///
/// # Errors
/// When the campaign cannot do that, or the database does not answer.
pub async fn obey(app: &App, wanted: &Wanted, now: Timestamp) -> Result<(), Failure> {
    let to = match wanted.action {
        Action::Start | Action::Resume => State::Running,
        Action::Pause => State::Paused,
        Action::Cancel => State::Canceled,
    };
    let known =
        app.store.campaign(wanted.campaign_id).await?.ok_or_else(|| Failure::never("there is no such campaign"))?;
    let missing = known.missing();
    if to == State::Running && !missing.is_empty() {
        return Err(Failure::never(format!("the campaign cannot start: it has no {}", missing.join(", "))));
    }
    match app.store.move_campaign(wanted.campaign_id, to, Some("a schedule of its owner's"), "owner", now).await? {
        Moved::Done(campaign) => {
            tracing::info!(campaign.id = %campaign.id, campaign.state = campaign.state.as_str(), "moved by a schedule");
            Ok(())
        }
        Moved::Missing => Err(Failure::never("there is no such campaign")),
        Moved::Importing => Err(Failure::never("contacts are being imported")),
        Moved::Held(why) => Err(Failure::never(format!("the breaker would pause it again: {why}"))),
        Moved::Not(state) => Err(Failure::never(format!("the campaign is {}", state.as_str()))),
    }
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `CALLS_QUEUE_URL`.
    pub calls_queue_url: String,
    /// `TRUNK_CALLS_QUEUE_URL`.
    pub trunk_calls_queue_url: String,
    /// `SCHEDULE_RULES`.
    pub schedule_rules: String,
    /// See [`Dialling::from_env`].
    pub dialling: Dialling,
    /// See [`Tariff::from_env`].
    pub tariff: Tariff,
    /// `CALL_TIMEOUT_SECS`.
    pub ring_timeout_secs: u32,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let config = Self {
            dialling: Dialling::from_env(&mut env),
            tariff: Tariff::from_env(&mut env),
            ring_timeout_secs: env.parsed("CALL_TIMEOUT_SECS", 60),
            schedule_rules: env.required("SCHEDULE_RULES"),
            database_url: env.secret("DATABASE_URL"),
            calls_queue_url: env.required("CALLS_QUEUE_URL"),
            trunk_calls_queue_url: env.required("TRUNK_CALLS_QUEUE_URL"),
        };
        env.finish(Some(config))
    }
}

/// The hour's net: what should be on and is not. See [`Schedules::mend`].
///
/// # Errors
/// When the database or EventBridge does not answer; the next hour does it again.
pub async fn mend(app: &App, now: Timestamp) -> Result<Mended, Failure> {
    app.schedules.mend(&app.store, now).await
}

/// The minute's end: without work for a while, the schedules are switched off. What this run did stays done when that fails.
pub async fn rest(app: &App, now: Timestamp) {
    if let Err(failure) = app.schedules.rest(&app.store, now).await {
        tracing::warn!(error = failure.reason, "the schedules stay on until the next minute");
    }
}

/// Wakes whoever dials for every attempt that is overdue, and for every claim whose asker died. Safe to run twice at once: a
/// doubled wake-up finds the attempt claimed.
///
/// # Errors
/// When the database or the queue does not answer; the next run does it all again.
pub async fn sweep(app: &App, now: Timestamp) -> Result<usize, Failure> {
    let overdue = app.store.overdue(now, GRACE_SECS, MOST).await?;
    for Overdue { call_id, state, connect } in &overdue {
        tracing::info!(call.id = %call_id, call.state = state.as_str(), "overdue");
        app.queue(*connect).send(&CallCommand::Place { call_id: *call_id }).await?;
    }
    for call_id in app.store.not_hung_up(now, i64::from(CANCEL_GRACE_SECS)).await? {
        tracing::info!(call.id = %call_id, "not hung up yet");
        app.calls.send(&CallCommand::HangUp { call_id }).await?;
    }
    for call_id in app.store.not_taken_back(now, GRACE_SECS).await? {
        tracing::info!(call.id = %call_id, "not taken back yet");
        app.calls.send(&CallCommand::Cancel { call_id }).await?;
    }
    for call_id in app.store.to_take_back(now, CANCEL_GRACE_SECS).await? {
        tracing::info!(call.id = %call_id, "to be taken back");
        app.calls.send(&CallCommand::Cancel { call_id }).await?;
    }
    Ok(overdue.len())
}
