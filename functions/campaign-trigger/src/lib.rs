//! Every minute: what is due becomes a wake-up. The row knows its time, so a lost message only waits for the next minute.

use elevenwire::call::Connect;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::queue::{CallCommand, Queue};
use elevenwire::retry::Failure;
use elevenwire::store::Store;
use elevenwire::store::calls::Overdue;
use jiff::Timestamp;

/// A wake-up is given this long to arrive by itself.
const GRACE_SECS: i64 = 20;

/// Most wake-ups in one run; the rest is found a minute later.
const MOST: i64 = 500;

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Attempts.
    pub store: Store,
    /// place-call's queue.
    pub calls: Queue,
    /// place-trunk-call's queue.
    pub trunk_calls: Queue,
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
            trunk_calls_queue_url: env.required("TRUNK_CALLS_QUEUE_URL"),
        };
        env.finish(Some(config))
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
        let queue = match connect {
            Connect::Sip => &app.calls,
            Connect::Trunk => &app.trunk_calls,
        };
        queue.send(&CallCommand::Place { call_id: *call_id }).await?;
    }
    for call_id in app.store.not_hung_up(now, GRACE_SECS).await? {
        tracing::info!(call.id = %call_id, "not hung up yet");
        app.calls.send(&CallCommand::HangUp { call_id }).await?;
    }
    for call_id in app.store.not_taken_back(now, GRACE_SECS).await? {
        tracing::info!(call.id = %call_id, "not taken back yet");
        app.calls.send(&CallCommand::Cancel { call_id }).await?;
    }
    Ok(overdue.len())
}
