//! Brings a recording home. A pushed one lies at its final key already: it is checked, measured, and gets its row. One that
//! was not pushed (a push over the gateway's limit fails and is never repeated) is asked for and streamed to the bucket, so
//! that a recording of any length needs the same little memory.

use std::time::Duration;

use elevenwire::blobs::Blobs;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::elevenlabs::client::{API_URL, Audio, Client};
use elevenwire::elevenlabs::events::safe_id;
use elevenwire::mp3::DurationMeter;
use elevenwire::queue::{RecordingArrived, RecordingTask};
use elevenwire::retry::Failure;
use elevenwire::store::Store;
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

/// A recording that the vendor still does not have this long after its transcript came does not exist.
const ABSENT_AFTER_HOURS: i64 = 1;

/// The vendor's recordings are MP3.
const MP3: &str = "audio/mpeg";

/// How soon to ask again for a recording that was answered with something else.
const NO_SOUND: Duration = Duration::from_mins(1);

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Recordings and calls.
    pub store: Store,
    /// The recordings themselves.
    pub blobs: Blobs,
    /// The vendor, for recordings that were not pushed.
    pub elevenlabs: Client,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `DATABASE_URL`.
    pub database_url: Secret,
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `ELEVENLABS_API_KEY`.
    pub api_key: Secret,
    /// `ELEVENLABS_API_URL`.
    pub api_url: String,
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
            api_key: env.secret("ELEVENLABS_API_KEY"),
            api_url: env.optional("ELEVENLABS_API_URL").unwrap_or_else(|| API_URL.to_owned()),
            queue_url: env.required("RECORDINGS_QUEUE_URL"),
            dead_letter_queue_url: env.required("DEAD_LETTER_QUEUE_URL"),
        };
        env.finish(Some(config))
    }
}

/// Does one task.
///
/// # Errors
/// [`Failure`] says when to try again.
pub async fn bring_home(app: &App, task: RecordingTask, now: Timestamp) -> Result<(), Failure> {
    match task {
        RecordingTask::Arrived(arrived) => check(app, &arrived, now).await,
        RecordingTask::Wanted { conversation_id, agent_id } => ask(app, conversation_id, agent_id, now).await,
    }
}

/// The object is read back first: row and object must agree on the digest. Piece by piece, because a replay also announces
/// the long ones that were fetched.
async fn check(app: &App, arrived: &RecordingArrived, now: Timestamp) -> Result<(), Failure> {
    let mut object = app.blobs.open(&arrived.key).await?;
    let (mut digest, mut meter) = (Sha256::new(), DurationMeter::new());
    while let Some(chunk) = object.chunk().await? {
        digest.update(&chunk);
        meter.feed(&chunk);
    }
    if hex::encode(digest.finalize()) != arrived.sha256 {
        return Err(Failure::never("the object is not the one that was announced"));
    }
    let call_id = app.store.put_recording(arrived, meter.finish(), "webhook", now).await?;
    tracing::info!(call.id = call_id.map(|id| id.to_string()), bytes = arrived.bytes, "stored");
    Ok(())
}

async fn ask(app: &App, conversation_id: String, agent_id: Option<String>, now: Timestamp) -> Result<(), Failure> {
    // It may have come by another way since.
    let Some(since) = app.store.audio_wanted_since(&conversation_id).await? else { return Ok(()) };
    if safe_id(&conversation_id).is_none() {
        return Ok(app
            .store
            .recording_absent(&conversation_id, "the conversation's id is none of the vendor's", now)
            .await?);
    }
    match app.elevenlabs.audio(&conversation_id).await? {
        // An answer of 200 that is no recording is an answer that was lost.
        Some(audio) if !audio.may_be_sound() => Err(Failure::later(NO_SOUND, "the vendor's answer is no recording")),
        Some(audio) => {
            let (arrived, duration_secs) = fetch(app, conversation_id, agent_id, audio, now).await?;
            let call_id = app.store.put_recording(&arrived, duration_secs, "api", now).await?;
            tracing::info!(call.id = call_id.map(|id| id.to_string()), bytes = arrived.bytes, "fetched");
            Ok(())
        }
        None if now >= since.checked_add(ABSENT_AFTER_HOURS.hours()).unwrap_or(now) => {
            tracing::warn!(alarm = "absent", "the vendor has no recording of a conversation");
            Ok(app.store.recording_absent(&conversation_id, "the agent's vendor has no recording", now).await?)
        }
        // reconcile asks again.
        None => Ok(()),
    }
}

/// Streams a recording to the bucket. Its key holds its digest, which is known only at the end: it waits under another key
/// until then. A run that dies in between leaves something there that the next run overwrites.
async fn fetch(
    app: &App,
    conversation_id: String,
    agent_id: Option<String>,
    mut audio: Audio,
    now: Timestamp,
) -> Result<(RecordingArrived, Option<f64>), Failure> {
    let waiting = format!("incoming/{conversation_id}.mp3");
    let mut upload = app.blobs.begin(&waiting, MP3);
    let (mut digest, mut meter, mut bytes) = (Sha256::new(), DurationMeter::new(), 0_u64);
    let announced = audio.length;
    while let Some(chunk) = audio.chunk().await? {
        digest.update(&chunk);
        meter.feed(&chunk);
        bytes += chunk.len() as u64;
        upload.push(&chunk).await?;
    }
    if bytes == 0 || announced.is_some_and(|announced| announced != bytes) {
        return Err(Failure::later(Duration::from_mins(1), "the recording broke off"));
    }
    upload.finish().await?;
    let sha256 = hex::encode(digest.finalize());
    let key = format!("recordings/{conversation_id}/{sha256}.mp3");
    app.blobs.rename(&waiting, &key).await?;
    let content_type = MP3.to_owned();
    let arrived = RecordingArrived { conversation_id, agent_id, key, sha256, bytes, content_type, received_at: now };
    Ok((arrived, meter.finish()))
}
