//! Settles what is unknown or missing by asking both vendors. Webhooks are an optimisation; this is what keeps the
//! promise: with every webhook lost, each placed call still ends with its outcome, its transcript and its recording.
//!
//! It writes nothing of its own: what it finds goes through the same fold, queues and writers as a webhook.

mod calls;
mod conversations;
mod prices;
mod report;
mod selfcare;
mod trunk;

use std::time::Duration;

use elevenwire::blobs::Blobs;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::elevenlabs::{self, client::API_URL};
use elevenwire::queue::{ExportTask, ImportTask, Queue, RecordingTask};
use elevenwire::retry::Failure;
use elevenwire::signalwire::{self, space::SpaceUrl};
use elevenwire::store::Store;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
pub use report::report;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Most calls, and most recordings, that one run looks at.
const MOST: i64 = 500;

/// A recording that was asked for in vain is asked for again after this long.
const AUDIO_AGAIN_MINUTES: i64 = 10;

/// What a run is to do: `{}` settles, `{"task": "report"}` writes the settlement report of yesterday, or of `day`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Look at everything whose time has come.
    #[default]
    Settle,
    /// Write the settlement report of a day (UTC).
    Report {
        /// The day; yesterday when not given.
        day: Option<Date>,
    },
}

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Everything that is known.
    pub store: Store,
    /// Raw bodies and reports.
    pub blobs: Blobs,
    /// The carrier.
    pub carrier: signalwire::client::Client,
    /// The agents' vendor.
    pub elevenlabs: elevenlabs::client::Client,
    /// place-call's queue, for commands to the carrier.
    pub calls: Queue,
    /// transcription-webhook's queue.
    pub transcriptions: Queue,
    /// audio-webhook's queue.
    pub recordings: Queue,
    /// import-contacts' queue.
    pub imports: Queue,
    /// export-records' queue.
    pub exports: Queue,
    /// Our own address: the vendor's webhook must point there.
    pub public_base_url: String,
    /// Whether the vendor's webhook may be mended (its retries turned on).
    pub may_mend_webhook: bool,
}

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Calls that were looked at.
    pub looked_at: usize,
    /// Conversations that were fetched.
    pub fetched: usize,
    /// Recordings that were asked for.
    pub audio_wanted: usize,
    /// Calls whose price was found.
    pub priced: usize,
    /// Things that could not be done now; the next run tries them again.
    pub failed: usize,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `SIGNALWIRE_SPACE_URL`.
    pub space: SpaceUrl,
    /// `SIGNALWIRE_PROJECT_ID`.
    pub project_id: String,
    /// `SIGNALWIRE_API_TOKEN`.
    pub carrier_token: Secret,
    /// `ELEVENLABS_API_URL`.
    pub elevenlabs_url: String,
    /// `ELEVENLABS_API_KEY`.
    pub elevenlabs_key: Secret,
    /// `CALLS_QUEUE_URL`.
    pub calls_queue_url: String,
    /// `TRANSCRIPTIONS_QUEUE_URL`.
    pub transcriptions_queue_url: String,
    /// `RECORDINGS_QUEUE_URL`.
    pub recordings_queue_url: String,
    /// `IMPORTS_QUEUE_URL`.
    pub imports_queue_url: String,
    /// `EXPORTS_QUEUE_URL`.
    pub exports_queue_url: String,
    /// `PUBLIC_BASE_URL`.
    pub public_base_url: String,
    /// `ELEVENLABS_WEBHOOK_MEND`.
    pub may_mend_webhook: bool,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        let database_url = env.secret("DATABASE_URL");
        let bucket = env.required("S3_BUCKET");
        let project_id = env.required("SIGNALWIRE_PROJECT_ID");
        let carrier_token = env.secret("SIGNALWIRE_API_TOKEN");
        let elevenlabs_key = env.secret("ELEVENLABS_API_KEY");
        let elevenlabs_url = env.optional("ELEVENLABS_API_URL").unwrap_or_else(|| API_URL.to_owned());
        let calls_queue_url = env.required("CALLS_QUEUE_URL");
        let transcriptions_queue_url = env.required("TRANSCRIPTIONS_QUEUE_URL");
        let recordings_queue_url = env.required("RECORDINGS_QUEUE_URL");
        let imports_queue_url = env.required("IMPORTS_QUEUE_URL");
        let exports_queue_url = env.required("EXPORTS_QUEUE_URL");
        let public_base_url = env.required("PUBLIC_BASE_URL").trim_end_matches('/').to_owned();
        let may_mend_webhook = env.parsed("ELEVENLABS_WEBHOOK_MEND", false);
        let space = env.with("SIGNALWIRE_SPACE_URL", |text| SpaceUrl::parse(text).map_err(|error| error.to_string()));
        env.finish(space.map(|space| Self {
            database_url,
            bucket,
            space,
            project_id,
            carrier_token,
            elevenlabs_url,
            elevenlabs_key,
            calls_queue_url,
            transcriptions_queue_url,
            recordings_queue_url,
            imports_queue_url,
            exports_queue_url,
            public_base_url,
            may_mend_webhook,
        }))
    }
}

/// How long a run may still take.
#[derive(Debug, Clone, Copy)]
pub struct Budget(Instant);

impl Budget {
    /// From now on.
    #[must_use]
    pub fn of(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Whether it is used up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.0
    }
}

/// Looks at everything whose time has come, oldest first, until the budget is used up. One thing that fails does not stop
/// the others.
///
/// # Errors
/// When the database does not answer: then nothing can be settled.
pub async fn settle(app: &App, now: Timestamp, budget: Budget) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    for call in app.store.to_settle(now, MOST).await? {
        if budget.is_over() {
            break;
        }
        summary.looked_at += 1;
        count(&mut summary.failed, &call.call_id.to_string(), calls::look_at(app, &call, now).await);
    }
    for (agent_id, read_until) in app.store.watermarks().await? {
        match conversations::read_list(app, &agent_id, read_until, now, budget).await {
            Ok(reading) => {
                summary.fetched += reading.fetched;
                summary.failed += reading.failed;
            }
            Err(failure) => count(&mut summary.failed, &agent_id, Err(failure)),
        }
    }
    for (conversation_id, agent_id) in app.store.audio_wanted(now, MOST).await? {
        let next = now.checked_add(AUDIO_AGAIN_MINUTES.minutes()).unwrap_or(now);
        app.recordings.send(&RecordingTask::Wanted { conversation_id: conversation_id.clone(), agent_id }).await?;
        app.store.audio_asked(&conversation_id, next).await?;
        summary.audio_wanted += 1;
    }
    for import_id in app.store.imports_overdue(now, MOST).await? {
        tracing::info!(import.id = %import_id, "overdue");
        app.imports.send(&ImportTask { import_id }).await?;
    }
    for export_id in app.store.exports_overdue(now, MOST).await? {
        tracing::info!(export.id = %export_id, "overdue");
        app.exports.send(&ExportTask { export_id }).await?;
    }
    match prices::look(app, now, budget).await {
        Ok(priced) => summary.priced = priced,
        Err(failure) => count(&mut summary.failed, "prices", Err(failure)),
    }
    count(&mut summary.failed, "webhook", selfcare::look(app).await);
    app.store.take_abandonment(now).await?;
    tracing::info!(?summary, "settled");
    Ok(summary)
}

fn count(failed: &mut usize, what: &str, done: Result<(), Failure>) {
    if let Err(failure) = done {
        tracing::warn!(what, error = failure.reason, "not now");
        *failed += 1;
    }
}
