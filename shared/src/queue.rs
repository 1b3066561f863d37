//! Queues: the messages that pass between functions, and the loop that works a batch off.
//!
//! A message is a wake-up or a pointer; the truth is in PostgreSQL and S3. So a doubled message is harmless, and a lost
//! one is found by a sweep.

mod dead_letters;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName as Attribute};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::call;
use crate::config::Env;
use crate::crash::{Effect, around};
use crate::retry::{Failure, Retry};
use crate::telemetry::metrics;

pub use dead_letters::{Letter, PutBack};

/// Every queue of the template, and the setting that holds its address; each has dead letters.
pub const ALL: [(&str, &str); 7] = [
    ("calls", "CALLS_QUEUE_URL"),
    ("trunk-calls", "TRUNK_CALLS_QUEUE_URL"),
    ("call-events", "CALL_EVENTS_QUEUE_URL"),
    ("transcriptions", "TRANSCRIPTIONS_QUEUE_URL"),
    ("recordings", "RECORDINGS_QUEUE_URL"),
    ("imports", "IMPORTS_QUEUE_URL"),
    ("exports", "EXPORTS_QUEUE_URL"),
];

/// The addresses of all queues by their names, from the environment of whoever looks at all of them.
#[must_use]
pub fn all_of(env: &mut Env) -> [(&'static str, String); 7] {
    ALL.map(|(name, setting)| (name, env.required(setting)))
}

/// Event type of a conversation that reconcile fetched: its raw body is the API's answer.
pub const API_CONVERSATION: &str = "api_conversation";

/// For place-call, the one function that commands the carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallCommand {
    /// Place this attempt if it is due.
    Place {
        /// Id of the attempt.
        call_id: Uuid,
    },
    /// Take this call back, unless somebody has answered it.
    Cancel {
        /// Id of the attempt.
        call_id: Uuid,
    },
    /// Hang this call up.
    HangUp {
        /// Id of the attempt.
        call_id: Uuid,
    },
}

/// For call-status: something was heard about a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallNews {
    /// A request of the carrier's, its signature verified.
    Carrier {
        /// Id of the attempt, from the URL.
        call_id: Uuid,
        /// Which address was called.
        route: CarrierRoute,
        /// When.
        received_at: Timestamp,
        /// Every field of the form.
        fields: BTreeMap<String, String>,
    },
    /// The agent's side could not initiate a call.
    NotInitiated {
        /// When it was received.
        received_at: Timestamp,
        /// The agent's conversation.
        conversation_id: String,
        /// The vendor's agent id.
        agent_id: Option<String>,
        /// The ids that may name the call.
        call_sid: Option<String>,
        /// Why.
        failure: call::InitiationFailure,
        /// SIP status, where there was one.
        sip_code: Option<u16>,
    },
}

/// The carrier's four addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierRoute {
    /// Asks what to do with an answered call.
    Voice,
    /// The same, after the voice address failed.
    Fallback,
    /// The leg to the agent ended.
    Action,
    /// Progress, and answering machine detection.
    Status,
}

/// For transcription-webhook: a raw conversation lies in S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationArrived {
    /// Key of the raw body.
    pub raw_key: String,
    /// SHA-256 of the raw body, hex.
    pub digest: String,
    /// The vendor's event type, or `flat`.
    pub event_type: String,
    /// When it was received.
    pub received_at: Timestamp,
}

/// For audio-webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RecordingTask {
    /// A recording was pushed.
    Arrived(RecordingArrived),
    /// A recording was not pushed in time: ask the vendor for it.
    Wanted {
        /// The agent's conversation.
        conversation_id: String,
        /// The vendor's agent id, when it is known.
        agent_id: Option<String>,
    },
}

/// A recording that lies in S3 at its final key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordingArrived {
    /// The agent's conversation; in the guide's flat shape, the call id.
    pub conversation_id: String,
    /// The vendor's agent id, when it was told.
    pub agent_id: Option<String>,
    /// Key of the recording.
    pub key: String,
    /// SHA-256 of the recording, hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Its content type.
    pub content_type: String,
    /// When it was received.
    pub received_at: Timestamp,
}

/// For import-contacts: a file lies in S3, and its job waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportTask {
    /// Id of the job.
    pub import_id: Uuid,
}

/// For export-records: an export waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportTask {
    /// Id of the export.
    pub export_id: Uuid,
}

/// A queue to send to, or to work off.
#[derive(Debug, Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

/// What a queue holds, as SQS counts: approximately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were taken and are not done with, or wait for their next try.
    pub in_flight: u64,
    /// Messages in its dead-letter queue; `None` when it has none, or it may not be counted.
    pub dead: Option<u64>,
}

/// A queue did not take a message. Always worth another try.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not answer: {0}")]
pub struct QueueDown(String);

impl From<QueueDown> for Failure {
    fn from(error: QueueDown) -> Self {
        Self::later(Duration::from_secs(10), error.to_string())
    }
}

impl Queue {
    /// A queue by its address.
    #[must_use]
    pub fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the queue did not take it.
    pub async fn send(&self, message: &impl Serialize) -> Result<(), QueueDown> {
        self.send_after(message, Duration::ZERO).await
    }

    /// Sends a message that is to be seen after `delay`, in whole seconds, a minute at most.
    ///
    /// # Errors
    /// When the queue did not take it.
    pub async fn send_after(&self, message: &impl Serialize, delay: Duration) -> Result<(), QueueDown> {
        let body = serde_json::to_string(message).map_err(|error| QueueDown(error.to_string()))?;
        let seconds = i32::try_from(delay.as_secs().min(60)).unwrap_or(60);
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(seconds).send();
        around(Effect::Send, sent).await.map(|_| ()).map_err(|error| QueueDown(describe(&error)))
    }

    /// How many messages it and its dead-letter queue hold, for health.
    ///
    /// # Errors
    /// When the queue did not answer.
    pub async fn load(&self) -> Result<Load, QueueDown> {
        let asked = self.client.get_queue_attributes().queue_url(&self.url);
        let asked = asked.attribute_names(Attribute::ApproximateNumberOfMessages);
        let asked = asked.attribute_names(Attribute::ApproximateNumberOfMessagesNotVisible);
        let answer = asked.attribute_names(Attribute::RedrivePolicy).send().await;
        let answer = answer.map_err(|error| QueueDown(describe(&error)))?;
        let attribute = |name: Attribute| answer.attributes().and_then(|all| all.get(&name));
        let count = |name: Attribute| attribute(name).and_then(|count| count.parse().ok()).unwrap_or(0);
        let dead_letters = attribute(Attribute::RedrivePolicy).and_then(|policy| self.sibling(policy));
        Ok(Load {
            waiting: count(Attribute::ApproximateNumberOfMessages),
            in_flight: count(Attribute::ApproximateNumberOfMessagesNotVisible),
            dead: match dead_letters {
                Some(url) => self.waiting_in(&url).await,
                None => None,
            },
        })
    }

    /// The address of the dead-letter queue that a redrive policy names: in the same account and region, beside this one.
    fn sibling(&self, policy: &str) -> Option<String> {
        let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
        let name = policy["deadLetterTargetArn"].as_str()?.rsplit(':').next()?;
        let (account, _) = self.url.rsplit_once('/')?;
        Some(format!("{account}/{name}"))
    }

    async fn waiting_in(&self, url: &str) -> Option<u64> {
        let name = Attribute::ApproximateNumberOfMessages;
        let asked = self.client.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await;
        match asked {
            Ok(answer) => answer.attributes()?.get(&name)?.parse().ok(),
            Err(error) => {
                tracing::warn!(error = describe(&error), "a dead-letter queue could not be counted");
                None
            }
        }
    }

    /// Makes a received message visible again only after `delay`.
    async fn postpone(&self, receipt: &str, delay: Duration) -> Result<(), QueueDown> {
        // 12 hours is the most that a message may stay hidden.
        let seconds = i32::try_from(delay.as_secs().clamp(1, 43_200)).unwrap_or(43_200);
        let asked = self.client.change_message_visibility().queue_url(&self.url).receipt_handle(receipt);
        let asked = asked.visibility_timeout(seconds).send();
        around(Effect::Postpone, asked).await.map(|_| ()).map_err(|error| QueueDown(describe(&error)))
    }

    /// Puts a message aside with its reason.
    async fn bury(&self, message: &SqsMessage, reason: &str) -> Result<(), QueueDown> {
        let text = |text: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(text)
                .build()
                .map_err(|e| QueueDown(e.to_string()))
        };
        let body = message.body.clone().filter(|body| !body.is_empty()).unwrap_or_else(|| "{}".to_owned());
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(1000).collect();
        let tries = message.attributes.get("ApproximateReceiveCount").map_or("1", String::as_str);
        let sent = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_attributes("reason", text(&reason)?)
            .message_attributes("tries", text(tries)?)
            .message_attributes("message_id", text(message.message_id.as_deref().unwrap_or("unknown"))?)
            .send();
        around(Effect::Send, sent).await.map(|_| ()).map_err(|error| QueueDown(describe(&error)))
    }
}

/// The SDK's errors print only their outermost layer; the reason is in the chain.
fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// The queue of a worker, and where it puts what can never succeed.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The queue that is worked off.
    pub queue: Queue,
    /// Its dead-letter queue.
    pub dead_letters: Queue,
}

impl Worker {
    /// A worker by the addresses of its two queues.
    #[must_use]
    pub fn new(client: &aws_sdk_sqs::Client, url: String, dead_letter_url: String) -> Self {
        Self { queue: Queue::new(client.clone(), url), dead_letters: Queue::new(client.clone(), dead_letter_url) }
    }

    /// Works a batch off, one message after the other. What passes is tried again after its own delay, as a partial
    /// failure of the batch; what can never succeed goes to the dead-letter queue with its reason. A message that is not
    /// one of ours is put aside alone: it never fails its neighbours.
    pub async fn each<M, F, Fut>(&self, batch: SqsEvent, handle: F) -> SqsBatchResponse
    where
        M: DeserializeOwned,
        F: Fn(M) -> Fut,
        Fut: Future<Output = Result<(), Failure>>,
    {
        let mut response = SqsBatchResponse::default();
        for message in batch.records {
            metrics::count(metrics::MESSAGES);
            let parsed = serde_json::from_str::<M>(message.body.as_deref().unwrap_or_default());
            let done = match parsed {
                // Boxed, because a future of futures grows deeper than the compiler looks.
                Ok(work) => Box::pin(handle(work)).await,
                Err(error) => Err(Failure::never(format!("the message is not one of ours: {error}"))),
            };
            let Err(failure) = done else { continue };
            if !self.settle(&message, &failure).await {
                let mut again = BatchItemFailure::default();
                again.item_identifier = message.message_id.unwrap_or_default();
                response.batch_item_failures.push(again);
            }
        }
        response
    }

    /// Whether the message is done with (put aside), so that it is not delivered again.
    async fn settle(&self, message: &SqsMessage, failure: &Failure) -> bool {
        let id = message.message_id.as_deref().unwrap_or_default();
        match failure.retry {
            Retry::Later(delay) => {
                metrics::count(metrics::MESSAGES_RETRIED);
                tracing::warn!(
                    message.id = id,
                    retry.after_ms = delay.as_millis(),
                    error = failure.reason,
                    "will be tried again"
                );
                let receipt = message.receipt_handle.as_deref().unwrap_or_default();
                if let Err(error) = self.queue.postpone(receipt, delay).await {
                    // It then comes back after the queue's own visibility timeout.
                    tracing::warn!(message.id = id, error = %error, "could not set the time of the next try");
                }
                false
            }
            Retry::Never => {
                metrics::count(metrics::MESSAGES_PUT_ASIDE);
                tracing::error!(message.id = id, error = failure.reason, "put aside");
                match self.dead_letters.bury(message, &failure.reason).await {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::error!(message.id = id, error = %error, "could not be put aside");
                        false
                    }
                }
            }
        }
    }
}
