//! Writes rows into a file in the bucket. They are streamed from the database and never held: what is held is one part of
//! the file. With each part it is written down how far the file has come, so that a run which dies, or whose time is over,
//! is gone on with; the object appears once, at the end.

mod writing;

use std::time::Duration;

use elevenwire::blobs::Blobs;
pub use elevenwire::clock::Clock;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::queue::ExportTask;
use elevenwire::retry::{Failure, Retry};
use elevenwire::store::Store;
use elevenwire::store::exports::{Job, Next};
use elevenwire::store::lease::Taken;
use writing::{Written, write};

/// How soon to look again at an export that somebody else works on.
const BUSY: Duration = Duration::from_mins(1);
/// How soon the next run goes on.
const SOON: Duration = Duration::from_secs(1);

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Exports and everything that is in them.
    pub store: Store,
    /// Files.
    pub blobs: Blobs,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `EXPORTS_QUEUE_URL`.
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
            bucket: env.required("S3_BUCKET"),
            queue_url: env.required("EXPORTS_QUEUE_URL"),
            dead_letter_queue_url: env.required("DEAD_LETTER_QUEUE_URL"),
        };
        env.finish(Some(config))
    }
}

/// Does one export, or as much of it as there is time for.
///
/// # Errors
/// [`Failure`] says when to try again, or to go on.
pub async fn export(app: &App, task: ExportTask, clock: Clock<'_>) -> Result<(), Failure> {
    let job = match app.store.take_export(task.export_id, clock.now()).await? {
        Taken::Mine(job) => job,
        Taken::Busy => return Err(Failure::later(BUSY, "somebody else works on this export")),
        Taken::Over => return Ok(()),
    };
    let gone_on = job.progress.as_ref().map_or(0, |progress| progress.rows);
    tracing::info!(export.id = %job.id, export.run = job.run, rows = gone_on, "begun");
    match Box::pin(write(app, &job, clock)).await {
        Ok(Written::All(made)) => {
            tracing::info!(export.id = %job.id, export.run = job.run, rows = made.rows, bytes = made.bytes, "exported");
            Ok(())
        }
        Ok(Written::Lost) => {
            tracing::warn!(export.id = %job.id, export.run = job.run, "taken over by another run");
            Ok(())
        }
        Ok(Written::OutOfTime) => hand_on(app, &job, Next::GoesOn, "the time of this run is over", clock).await,
        Ok(Written::UploadGone) => hand_on(app, &job, Next::BeginsAgain, "its upload is not there", clock).await,
        Err(failure) if failure.retry == Retry::Never => {
            let error = "Something of ours went wrong with this export. It is noted.";
            app.store.fail_export(&job, error, clock.now()).await?;
            Err(failure)
        }
        Err(failure) => {
            // If this fails as well, whoever comes waits until this run counts as silent.
            let _ = app.store.hand_export_on(&job, Next::GoesOnBlameless, clock.now()).await;
            Err(failure)
        }
    }
}

async fn hand_on(app: &App, job: &Job, next: Next, because: &str, clock: Clock<'_>) -> Result<(), Failure> {
    app.store.hand_export_on(job, next, clock.now()).await?;
    Err(Failure::later(SOON, because))
}
