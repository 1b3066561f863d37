//! ElevenLabs' door: one address for all post-call events. Verified, kept raw, routed by type, answered: nothing is
//! understood here that could be misunderstood, because a body that was kept can be read again.

mod allow;
mod keys;

pub use allow::Allowed;
use bytes::Bytes;
use elevenwire::blobs::Blobs;
use elevenwire::call::InitiationFailure as Failed;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::elevenlabs::events::{self, Kind, NoAudio, PostCall};
use elevenwire::elevenlabs::failure::{FailureReason, InitiationFailure};
use elevenwire::elevenlabs::signature::Verifier;
use elevenwire::http::{Inbound, Reply};
use elevenwire::queue::{CallNews, ConversationArrived, Queue, RecordingArrived, RecordingTask};
use elevenwire::telemetry::metrics;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Lambda takes 6 MB for a whole event, so nothing larger arrives in AWS. Held here too, so that every stage agrees.
const LARGEST_BODY: usize = 6 * 1024 * 1024;

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Who may call.
    pub allowed: Allowed,
    /// Checks that a body is the vendor's.
    pub verifier: Verifier,
    /// Where bodies and recordings are kept.
    pub blobs: Blobs,
    /// transcription-webhook's queue.
    pub transcriptions: Queue,
    /// audio-webhook's queue.
    pub recordings: Queue,
    /// call-status's queue.
    pub call_events: Queue,
}

/// What the function reads from its environment.
#[derive(Debug)]
pub struct Config {
    /// `ELEVENLABS_WEBHOOK_ALLOWED_IPS`.
    pub allowed: Allowed,
    /// `ELEVENLABS_WEBHOOK_SECRET`.
    pub secrets: Vec<Secret>,
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `TRANSCRIPTIONS_QUEUE_URL`.
    pub transcriptions_queue_url: String,
    /// `RECORDINGS_QUEUE_URL`.
    pub recordings_queue_url: String,
    /// `CALL_EVENTS_QUEUE_URL`.
    pub call_events_queue_url: String,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or malformed.
    pub fn from_env(mut env: Env) -> Result<Self, Misconfigured> {
        env.required("ELEVENLABS_WEBHOOK_SECRET");
        let secrets = env.secrets("ELEVENLABS_WEBHOOK_SECRET");
        let bucket = env.required("S3_BUCKET");
        let transcriptions_queue_url = env.required("TRANSCRIPTIONS_QUEUE_URL");
        let recordings_queue_url = env.required("RECORDINGS_QUEUE_URL");
        let call_events_queue_url = env.required("CALL_EVENTS_QUEUE_URL");
        let allowed = env.with("ELEVENLABS_WEBHOOK_ALLOWED_IPS", Allowed::parse);
        env.finish(allowed.map(|allowed| Self {
            allowed,
            secrets,
            bucket,
            transcriptions_queue_url,
            recordings_queue_url,
            call_events_queue_url,
        }))
    }
}

/// Why a request was not taken; the status is the vendor's cue whether to send it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotTaken {
    Address,
    TooLarge,
    Signature,
    NotAnObject,
    NotKept,
}

impl NotTaken {
    fn status(self) -> u16 {
        match self {
            Self::Address => 403,
            Self::TooLarge => 413,
            Self::Signature => 401,
            Self::NotAnObject => 400,
            // The vendor sends a transcript again after a 5xx, if its webhook is set up so.
            Self::NotKept => 503,
        }
    }
}

/// What is described here.
#[derive(Debug, utoipa::OpenApi)]
#[openapi(paths(receive))]
pub struct Doc;

/// What the agents' vendor sends after a call. 200 only after the body lies in S3 and its pointer in a queue.
#[utoipa::path(
    post, path = "/api/webhooks/elevenlabs", tag = "vendors", operation_id = "receiveConversation",
    request_body(content = Object, description = "The vendor's event, with its signature."),
    responses((status = 200, description = "It is kept.", body = Object), (status = 400, description = "The body cannot be read."), (status = 401, description = "The secret is missing or wrong."), (status = 403, description = "The signature is missing or wrong."), (status = 413, description = "The body is too large."), (status = 503, description = "It could not be kept; send it again.")),
    security(("elevenlabs" = []))
)]
pub async fn receive(app: &App, request: &Inbound, now: Timestamp) -> Reply {
    match take(app, request, now).await {
        Ok(()) => Reply::json(200, &serde_json::json!({ "received": true })),
        Err(why) => {
            tracing::warn!(webhook = "elevenlabs", why = ?why, request.id = request.request_id, bytes = request.body.len(), "not taken");
            Reply::empty(why.status())
        }
    }
}

async fn take(app: &App, request: &Inbound, now: Timestamp) -> Result<(), NotTaken> {
    if !app.allowed.allows(request.source_ip) {
        return Err(NotTaken::Address);
    }
    if request.body.len() > LARGEST_BODY {
        return Err(NotTaken::TooLarge);
    }
    if let Err(refused) = app.verifier.verify(&request.headers, &request.body, now) {
        metrics::count(metrics::REFUSED_SIGNATURES);
        tracing::warn!(webhook = "elevenlabs", error = %refused, "the signature was refused");
        return Err(NotTaken::Signature);
    }
    let event = PostCall::peek(&request.body).map_err(|_| NotTaken::NotAnObject)?;
    if let Some(sent_at) = event.event_timestamp.and_then(|second| Timestamp::from_second(second).ok()) {
        metrics::add(metrics::RECEPTION_LATENCY, now.duration_since(sent_at).as_secs_f64().max(0.0));
    }
    tracing::info!(event.kind = event.kind.as_str(), bytes = request.body.len(), "received");
    match event.kind {
        Kind::Audio => audio(app, &event, request.body.clone(), now).await,
        Kind::Flat => flat(app, &event, request.body.clone(), now).await,
        Kind::Transcription | Kind::TranscriptionOtel => {
            let arrived = keep(app, &event, request.body.clone(), now).await?;
            queued(app.transcriptions.send(&arrived).await)
        }
        Kind::InitiationFailure => {
            keep(app, &event, request.body.clone(), now).await?;
            not_initiated(app, &request.body, now).await
        }
        Kind::Other(_) => keep(app, &event, request.body.clone(), now).await.map(|_| ()),
    }
}

/// Keeps a raw body at a key that follows from its bytes: the same delivery twice is one object.
async fn keep(app: &App, event: &PostCall, body: Bytes, now: Timestamp) -> Result<ConversationArrived, NotTaken> {
    let digest = hex::encode(Sha256::digest(&body));
    let raw_key = keys::raw(event, &digest, now);
    app.blobs.put(&raw_key, "application/json", body).await.map_err(|error| {
        tracing::error!(error = %error, "the body could not be kept");
        NotTaken::NotKept
    })?;
    Ok(ConversationArrived { raw_key, digest, event_type: event.kind.as_str().to_owned(), received_at: now })
}

/// A recording is decoded once and put to its final key; megabytes are not kept twice. One that cannot be decoded, or
/// whose id is no part of a path, is kept raw like everything that is not understood.
async fn audio(app: &App, event: &PostCall, body: Bytes, now: Timestamp) -> Result<(), NotTaken> {
    let decoded = events::audio(&body).ok();
    let usable = decoded.and_then(|push| {
        let id = push.conversation_id.filter(|id| events::safe_id(id).is_some())?;
        Some((id, push.agent_id, push.bytes))
    });
    let Some((conversation_id, agent_id, bytes)) = usable else {
        tracing::error!("a recording that can not be used was kept raw");
        return keep(app, event, body, now).await.map(|_| ());
    };
    drop(body);
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let arrived = RecordingArrived {
        key: keys::recording(&conversation_id, &sha256),
        conversation_id,
        agent_id,
        sha256,
        bytes: bytes.len() as u64,
        content_type: "audio/mpeg".to_owned(),
        received_at: now,
    };
    app.blobs.put(&arrived.key, &arrived.content_type, Bytes::from(bytes)).await.map_err(|error| {
        tracing::error!(error = %error, "the recording could not be kept");
        NotTaken::NotKept
    })?;
    queued(app.recordings.send(&RecordingTask::Arrived(arrived)).await)
}

/// The integration guide's flat shape may hold messages, a recording, or both.
async fn flat(app: &App, event: &PostCall, body: Bytes, now: Timestamp) -> Result<(), NotTaken> {
    let arrived = keep(app, event, body.clone(), now).await?;
    if event.has_conversation {
        queued(app.transcriptions.send(&arrived).await)?;
    }
    match events::audio(&body) {
        Err(NoAudio::Missing) => Ok(()),
        _ => audio(app, event, body, now).await,
    }
}

async fn not_initiated(app: &App, body: &[u8], now: Timestamp) -> Result<(), NotTaken> {
    let Some(news) = news(body, now) else {
        tracing::error!("an initiation failure that can not be read was kept raw");
        return Ok(());
    };
    queued(app.call_events.send(&news).await)
}

/// What an initiation failure tells call-status; `None` when it can not be read, or names no conversation.
/// `elevenwire replay` makes it anew of the raw body.
#[must_use]
pub fn news(body: &[u8], received_at: Timestamp) -> Option<CallNews> {
    let failure = InitiationFailure::parse(body).ok()?;
    Some(CallNews::NotInitiated {
        received_at,
        conversation_id: failure.conversation_id?,
        agent_id: failure.agent_id,
        call_sid: failure.call_sid,
        failure: match failure.failure_reason {
            FailureReason::Busy => Failed::Busy,
            FailureReason::NoAnswer => Failed::NoAnswer,
            FailureReason::Unknown(_) => Failed::Other,
        },
        sip_code: failure.sip_status_code,
    })
}

fn queued(sent: Result<(), elevenwire::queue::QueueDown>) -> Result<(), NotTaken> {
    sent.map_err(|error| {
        tracing::error!(error = %error, "the pointer could not be queued");
        NotTaken::NotKept
    })
}
