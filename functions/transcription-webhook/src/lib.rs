//! Brings a conversation home: reads the raw body that the door kept, and stores what was said.

use std::time::Duration;

use elevenwire::blobs::Blobs;
use elevenwire::config::{Env, Misconfigured, Secret};
use elevenwire::elevenlabs::client::{API_URL, Client};
use elevenwire::elevenlabs::conversation::Conversation;
use elevenwire::elevenlabs::events::{Kind, PostCall};
use elevenwire::opt_out::Rules;
use elevenwire::queue::{API_CONVERSATION, ConversationArrived};
use elevenwire::retry::Failure;
use elevenwire::store::Store;
use elevenwire::store::conversations::Arrival;
use elevenwire::store::deliveries::Delivery;
use jiff::Timestamp;

/// How long a conversation that the vendor has not finished is left alone.
const UNFINISHED: Duration = Duration::from_mins(1);

/// What the function needs.
#[derive(Debug)]
pub struct App {
    /// Conversations and calls.
    pub store: Store,
    /// Raw bodies.
    pub blobs: Blobs,
    /// The vendor, for conversations that came in a form without their text.
    pub elevenlabs: Client,
    /// What is taken for a wish not to be called any more.
    pub opt_out: Rules,
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
    /// `SCHEDULE_RULES`.
    pub schedule_rules: String,
    /// `TRANSCRIPTIONS_QUEUE_URL`.
    pub queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`.
    pub dead_letter_queue_url: String,
    /// `OPT_OUT_FIELD`, `OPT_OUT_CRITERION`, `OPT_OUT_PHRASES`.
    pub opt_out: Rules,
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
            schedule_rules: env.required("SCHEDULE_RULES"),
            queue_url: env.required("TRANSCRIPTIONS_QUEUE_URL"),
            dead_letter_queue_url: env.required("DEAD_LETTER_QUEUE_URL"),
            opt_out: opt_out(&env),
        };
        env.finish(Some(config))
    }
}

fn opt_out(env: &Env) -> Rules {
    let list = |name: &str| env.optional(name).unwrap_or_default();
    Rules::new(&list("OPT_OUT_FIELD"), &list("OPT_OUT_CRITERION"), &list("OPT_OUT_PHRASES"))
}

/// Stores one conversation.
///
/// # Errors
/// [`Failure`] says when to try again. What can never be read is noted in the ledger with its reason first.
pub async fn store(app: &App, arrived: &ConversationArrived, now: Timestamp) -> Result<(), Failure> {
    let body = app.blobs.get(&arrived.raw_key).await?;
    match read(app, arrived, &body).await {
        Ok(read) => bring_home(app, arrived, &read, now).await,
        Err(Unusable::Later(failure)) => Err(failure),
        Err(Unusable::Never(reason)) => {
            app.store.refuse_delivery(&delivery(arrived, None), &reason, now).await?;
            Err(Failure::never(reason))
        }
    }
}

struct Read {
    conversation: Conversation,
    flat: bool,
    event_timestamp: i64,
    source: &'static str,
}

enum Unusable {
    Later(Failure),
    Never(String),
}

async fn read(app: &App, arrived: &ConversationArrived, body: &[u8]) -> Result<Read, Unusable> {
    let never = |error: &dyn std::error::Error| Unusable::Never(error.to_string());
    if arrived.event_type == API_CONVERSATION {
        let conversation = Conversation::from_api(body).map_err(|error| never(&error))?;
        // The API's answer has no event; the end of the conversation is before that of any.
        let ended = conversation.started_at.map_or(0, Timestamp::as_second);
        let event_timestamp = ended.saturating_add(conversation.duration_secs.unwrap_or(0));
        return Ok(Read { conversation, flat: false, event_timestamp, source: "api" });
    }
    let event = PostCall::peek(body).map_err(|error| never(&error))?;
    let event_timestamp = event.event_timestamp.unwrap_or(0);
    let conversation = match event.kind {
        Kind::Flat => Conversation::from_flat(body).map_err(|error| never(&error))?,
        Kind::TranscriptionOtel => fetch(app, event.conversation_id.as_deref().unwrap_or_default()).await?,
        _ => Conversation::from_webhook(body).map_err(|error| never(&error))?,
    };
    Ok(Read { conversation, flat: event.kind == Kind::Flat, event_timestamp, source: "webhook" })
}

/// Traces hold no transcript that can be relied on: the JSON form is fetched.
async fn fetch(app: &App, conversation_id: &str) -> Result<Conversation, Unusable> {
    let fetched = app.elevenlabs.get_conversation(conversation_id).await.map_err(Unusable::Later)?;
    let body = fetched.ok_or_else(|| Unusable::Never("the vendor has no such conversation".to_owned()))?;
    // An answer of 200 that is none is an answer that was lost.
    let unread = |error| Unusable::Later(Failure::later(UNFINISHED, format!("the vendor's answer: {error}")));
    let conversation = Conversation::from_api(&body).map_err(unread)?;
    if conversation.status.is_final() {
        Ok(conversation)
    } else {
        Err(Unusable::Later(Failure::later(UNFINISHED, "the vendor has not finished the conversation")))
    }
}

async fn bring_home(app: &App, arrived: &ConversationArrived, read: &Read, now: Timestamp) -> Result<(), Failure> {
    let arrival = Arrival {
        conversation: &read.conversation,
        flat: read.flat,
        event_timestamp: read.event_timestamp,
        delivery: delivery(arrived, Some(&read.conversation.conversation_id)),
        source: read.source,
        opt_out: &app.opt_out,
    };
    let stored = app.store.bring_home(&arrival, now).await?;
    let call_id = stored.call_id.map(|id| id.to_string());
    tracing::info!(call.id = call_id, changed = stored.changed, turns = read.conversation.turns.len(), "stored");
    if let Some(heard) = stored.opt_out.filter(|heard| heard.fresh) {
        tracing::info!(call.id = call_id, opt_out.rule = heard.rule, opt_out.sure = heard.sure, "an opt-out was heard");
    }
    Ok(())
}

fn delivery<'d>(arrived: &'d ConversationArrived, conversation_id: Option<&'d str>) -> Delivery<'d> {
    Delivery {
        digest: &arrived.digest,
        event_type: &arrived.event_type,
        conversation_id,
        raw_key: &arrived.raw_key,
        received_at: arrived.received_at,
    }
}
