//! Brings a recording home: checks the object that the door put to its final key, measures it, and stores its row.

use elevenwire::blobs::Blobs;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::mp3::DurationMeter;
use elevenwire::queue::RecordingArrived;
use elevenwire::retry::Failure;
use elevenwire::store::Store;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Recordings and calls.
    pub store: Store,
    /// The recordings themselves.
    pub blobs: Blobs,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `RECORDINGS_QUEUE_URL`.
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
            queue_url: env.required("RECORDINGS_QUEUE_URL"),
            dead_letter_queue_url: env.required("DEAD_LETTER_QUEUE_URL"),
        };
        env.finish(Some(config))
    }
}

/// Stores one recording's row. The object is read back first: row and object must agree on the digest.
///
/// # Errors
/// [`Failure`] says when to try again.
pub async fn store(app: &App, arrived: &RecordingArrived, now: Timestamp) -> Result<(), Failure> {
    let object = app.blobs.get(&arrived.key).await?;
    if hex::encode(Sha256::digest(&object)) != arrived.sha256 {
        return Err(Failure::never("the object is not the one that was announced"));
    }
    let mut meter = DurationMeter::new();
    meter.feed(&object);
    let call_id = app.store.put_recording(arrived, meter.finish(), "webhook", now).await?;
    tracing::info!(call.id = call_id.map(|id| id.to_string()), bytes = arrived.bytes, "stored");
    Ok(())
}
