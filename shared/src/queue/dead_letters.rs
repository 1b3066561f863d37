//! Dead letters: looked at without taking them, and sent back to be worked off again.
//!
//! Sending back is receive, send, delete, in this order: ended in between, a message is there twice, which is harmless.
//! SQS's own message move would not do: it goes on behind the page with no bound, moves again what came back meanwhile, and
//! the local AWS has none.

use std::time::Duration;

use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName as System, SendMessageBatchRequestEntry,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Attribute, Queue, QueueDown, Worker, describe};
use crate::crash::{Effect, around};

/// Messages of one request: the most that SQS hands over.
const BATCH: u64 = 10;
/// How long what is being sent back is hidden from others: longer than its two requests may take.
const HIDDEN: Duration = Duration::from_mins(1);

/// A message that was put aside, without its body: that may hold what people said, and their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = DeadLetter)]
pub struct Letter {
    /// SQS's id.
    pub message_id: String,
    /// When it was put aside.
    pub at: Timestamp,
    /// How often its function had tried it.
    pub tries: u32,
    /// Why it can never succeed; null when it was tried too often instead.
    pub reason: Option<String>,
    /// What it asks for.
    pub kind: String,
    /// The call, import or export that it names.
    pub id: Option<Uuid>,
    /// The agent's conversation that it names.
    pub conversation_id: Option<String>,
    /// SHA-256 of the delivery that it names, by which the ledger knows it.
    pub digest: Option<String>,
}

/// What became of messages that were put back; numbers are their places among them.
#[derive(Debug)]
pub struct PutBack {
    /// Their queue has them.
    pub gone: Vec<usize>,
    /// Their queue did not take them, with its code.
    pub refused: Vec<(usize, String)>,
    /// How many of the gone could not be deleted: they are there twice, which is harmless.
    pub still_here: Result<usize, QueueDown>,
}

impl Worker {
    /// A queue with its dead letters, by its own redrive policy. `None`: it has none.
    ///
    /// # Errors
    /// When the queue did not answer.
    pub async fn of(queue: Queue) -> Result<Option<Self>, QueueDown> {
        let asked = queue.client.get_queue_attributes().queue_url(&queue.url);
        let answer = asked.attribute_names(Attribute::RedrivePolicy).send().await;
        let answer = answer.map_err(|error| QueueDown(describe(&error)))?;
        let policy = answer.attributes().and_then(|all| all.get(&Attribute::RedrivePolicy));
        let url = policy.and_then(|policy| queue.sibling(policy));
        Ok(url.map(|url| Self { dead_letters: Queue::new(queue.client.clone(), url), queue }))
    }

    /// How many dead letters there are, as SQS counts: approximately.
    ///
    /// # Errors
    /// When the queue did not answer.
    pub async fn dead(&self) -> Result<u64, QueueDown> {
        Ok(self.dead_letters.load().await?.waiting)
    }

    /// Ten of the dead letters at most. They stay visible, so that nobody who looks hides them from whoever mends.
    ///
    /// # Errors
    /// When the queue did not answer.
    pub async fn look(&self) -> Result<Vec<Letter>, QueueDown> {
        let mut letters: Vec<Letter> = self.take(Duration::ZERO).await?.iter().map(letter).collect();
        letters.sort_by(|one, other| (one.at, &one.message_id).cmp(&(other.at, &other.message_id)));
        letters.dedup_by(|one, other| one.message_id == other.message_id);
        Ok(letters)
    }

    /// Sends dead letters back to be worked off: as many as there are now, `most` of them at most. So it ends, also when
    /// they come back at once. Answers how many went.
    ///
    /// # Errors
    /// When a queue did not answer before anything was sent; later it is logged, and what went is answered.
    pub async fn send_back(&self, most: u64) -> Result<u64, QueueDown> {
        let most = most.min(self.dead().await?);
        let mut sent = 0;
        while sent < most {
            match self.send_some_back().await {
                Ok(0) => break,
                Ok(more) => sent += more,
                Err(error) if sent == 0 => return Err(error),
                Err(error) => {
                    tracing::error!(error = %error, sent, "dead letters: not all went back");
                    break;
                }
            }
        }
        Ok(sent)
    }

    async fn send_some_back(&self) -> Result<u64, QueueDown> {
        let back = self.put_back(&self.take(HIDDEN).await?).await?;
        // What stays as well is sent once more by whoever sends back next: harmless.
        if let Err(error) = back.still_here {
            tracing::warn!(error = %error, "dead letters were sent back and are still here");
        }
        Ok(back.gone.len() as u64)
    }

    /// Sends messages that were received from the dead letters, ten at most, and deletes there what was taken.
    ///
    /// # Errors
    /// When the queue did not answer: none was deleted.
    pub async fn put_back(&self, messages: &[Message]) -> Result<PutBack, QueueDown> {
        if messages.is_empty() {
            return Ok(PutBack { gone: Vec::new(), refused: Vec::new(), still_here: Ok(0) });
        }
        let mut asked = self.queue.client.send_message_batch().queue_url(&self.queue.url);
        for (at, message) in messages.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder().id(at.to_string());
            let entry = entry.message_body(message.body().unwrap_or_default()).build();
            asked = asked.entries(entry.map_err(|error| QueueDown(describe(&error)))?);
        }
        let answer = around(Effect::Send, asked.send()).await.map_err(|error| QueueDown(describe(&error)))?;
        let at = |id: &str| id.parse::<usize>().ok().filter(|at| *at < messages.len());
        let gone: Vec<usize> = answer.successful().iter().filter_map(|done| at(done.id())).collect();
        let refused = answer.failed().iter().filter_map(|failed| Some((at(failed.id())?, failed.code().to_owned())));
        let still_here = self.forget(messages, &gone).await;
        Ok(PutBack { refused: refused.collect(), gone, still_here })
    }

    /// Deletes those of the messages that are gone; answers how many stay.
    async fn forget(&self, messages: &[Message], gone: &[usize]) -> Result<usize, QueueDown> {
        if gone.is_empty() {
            return Ok(0);
        }
        let mut asked = self.dead_letters.client.delete_message_batch().queue_url(&self.dead_letters.url);
        for (at, message) in gone.iter().filter_map(|at| Some((at, messages.get(*at)?))) {
            let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string());
            let entry = entry.receipt_handle(message.receipt_handle().unwrap_or_default()).build();
            asked = asked.entries(entry.map_err(|error| QueueDown(describe(&error)))?);
        }
        let answer = around(Effect::Delete, asked.send()).await.map_err(|error| QueueDown(describe(&error)))?;
        Ok(answer.failed().len())
    }

    /// A batch, hidden from others for so long. A long poll: a short one may overlook a queue of few messages.
    async fn take(&self, hidden: Duration) -> Result<Vec<Message>, QueueDown> {
        let seconds = i32::try_from(hidden.as_secs()).unwrap_or(0);
        let asked = self.queue.client.receive_message().queue_url(&self.dead_letters.url);
        let asked = asked.max_number_of_messages(i32::try_from(BATCH).unwrap_or(1)).wait_time_seconds(1);
        let asked =
            asked.visibility_timeout(seconds).message_attribute_names("reason").message_attribute_names("tries");
        let asked = asked.message_system_attribute_names(System::SentTimestamp);
        let asked = asked.message_system_attribute_names(System::ApproximateReceiveCount);
        let answer = asked.send().await.map_err(|error| QueueDown(describe(&error)))?;
        Ok(answer.messages.unwrap_or_default())
    }
}

fn letter(message: &Message) -> Letter {
    let attribute = |name: &str| message.message_attributes().and_then(|all| all.get(name)?.string_value());
    let system = |name: System| message.attributes().and_then(|all| all.get(&name)).map(String::as_str);
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let tries = number(attribute("tries")).or_else(|| number(system(System::ApproximateReceiveCount)));
    let body: Value = serde_json::from_str(message.body().unwrap_or_default()).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(|text| text.chars().take(200).collect::<String>());
    let id = ["call_id", "import_id", "export_id"].into_iter().find_map(|name| Some((name, text(name)?)));
    let kind =
        text("kind").or_else(|| text("event_type")).or_else(|| id.as_ref().map(|(name, _)| name.replace("_id", "")));
    let digest = text("digest");
    Letter {
        message_id: message.message_id().unwrap_or_default().to_owned(),
        at: number(system(System::SentTimestamp))
            .and_then(|at| Timestamp::from_millisecond(at).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
        tries: tries.and_then(|tries| u32::try_from(tries).ok()).unwrap_or(0),
        reason: attribute("reason").map(str::to_owned),
        kind: kind.unwrap_or_else(|| "unknown".to_owned()),
        id: id.and_then(|(_, id)| Uuid::parse_str(&id).ok()),
        conversation_id: text("conversation_id").or_else(|| of_key(&text("raw_key")?, digest.as_deref()?)),
        digest,
    }
}

/// The conversation in the key of a raw body: `raw/{type}/{yyyy}/{mm}/{dd}/{conversation_id}-{digest}.json`.
fn of_key(key: &str, digest: &str) -> Option<String> {
    let name = key.rsplit('/').next()?;
    Some(name.strip_suffix(&format!("-{digest}.json"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Letter {
        letter(&Message::builder().message_id("m").body(body).build())
    }

    #[test]
    fn ids_are_told_and_nothing_that_people_said_or_are() {
        let id = Uuid::from_u128(7);
        let told =
            of(&format!(r#"{{"kind":"carrier","call_id":"{id}","fields":{{"To":"+14155550101"}},"said":"hello"}}"#));
        assert_eq!((told.kind.as_str(), told.id), ("carrier", Some(id)));
        let shown = serde_json::to_string(&told).unwrap();
        assert!(!shown.contains("4155550101") && !shown.contains("hello"), "{shown}");
    }

    #[test]
    fn a_delivery_names_its_conversation_in_its_key() {
        let told = of(
            r#"{"raw_key":"raw/post_call_transcription/2026/01/02/conv_1-abc.json","digest":"abc","event_type":"post_call_transcription"}"#,
        );
        assert_eq!((told.conversation_id.as_deref(), told.kind.as_str()), (Some("conv_1"), "post_call_transcription"));
        assert_eq!(of(&format!(r#"{{"import_id":"{}"}}"#, Uuid::from_u128(9))).kind, "import");
        assert_eq!((of("not JSON").kind.as_str(), of("[]").id), ("unknown", None));
    }
}
