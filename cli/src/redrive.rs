//! `elevenwire redrive`: dead letters go back to their queue.
//!
//! What comes back while this runs stays where it is, so that it ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_sqs::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sqs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sqs::error::BoxError;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName};
use clap::Args;
use elevenwire::queue::{ALL, Worker};
use serde_json::{Value, json};

use crate::aws::{Where, down};
use crate::progress::Progress;
use crate::{Failure, Global, interrupt, output, tell, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire redrive transcriptions --dry-run      # age, ids and reason of each
  elevenwire redrive transcriptions                # when the cause is mended
  elevenwire redrive calls --aws-stack elevenwire
  elevenwire redrive --queue-url https://sqs… --dead-letter-url https://sqs…    # without a stack

Bodies are not shown: they may hold what people said. Doing it again does no harm. docs/operations.md says what the role needs.";

/// How long a message stays hidden after it was received.
const HIDDEN_SECS: i32 = 300;
const NO_REASON: &str = "received too often (the queue's own limit)";
/// What may be shown of a message: ids and keys, never words or numbers of people.
const SHOWN: [&str; 6] = ["kind", "call_id", "conversation_id", "event_type", "raw_key", "import_id"];

/// Send dead letters back to their queue.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Redrive {
    /// Whose dead letters.
    #[arg(value_parser = ALL.map(|(name, _)| name), required_unless_present = "queue_url", conflicts_with = "queue_url")]
    queue: Option<String>,
    /// Its address, with that of its dead letters: instead of a name, with your AWS credentials.
    #[arg(long, value_name = "URL", requires = "dead_letter_url")]
    queue_url: Option<String>,
    /// Address of the dead letters.
    #[arg(long, value_name = "URL", requires = "queue_url")]
    dead_letter_url: Option<String>,
    /// Only show them.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Where,
}

/// From where to where.
struct Way {
    place: String,
    sqs: aws_sdk_sqs::Client,
    queue: String,
    dead: String,
}

impl Redrive {
    async fn way(&self, global: &Global) -> Result<Way, Failure> {
        if let (Some(queue), Some(dead)) = (&self.queue_url, &self.dead_letter_url) {
            let sqs = aws_sdk_sqs::Client::new(&elevenwire::aws::config().await);
            return Ok(Way { place: "AWS".to_owned(), sqs, queue: queue.clone(), dead: dead.clone() });
        }
        let place = self.place.open(global).await?;
        let name = self.queue.as_deref().unwrap_or_default();
        Ok(Way { queue: place.queue(name)?, dead: place.dead_letters(name)?, sqs: place.sqs, place: place.name })
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let way = self.way(global).await?;
        let dry = if self.dry_run { " (dry run)" } else { "" };
        tell(&format!("{}: {} -> {}{dry}", way.place, last(&way.dead), last(&way.queue)));
        let mut work = Work::new(way, self.dry_run, global.json);
        let done = work.run().await;
        // Whatever happened: what stays shall be seen by others at once.
        let freed = work.let_go().await;
        work.summary(global.json)?;
        done.and(freed)?;
        if interrupt::is_asked().await { Err(Failure::Interrupted) } else { Ok(()) }
    }
}

struct Work {
    sqs: aws_sdk_sqs::Client,
    worker: Worker,
    dead: String,
    dry_run: bool,
    json: bool,
    reasons: BTreeMap<String, u64>,
    came_back: u64,
    sent: u64,
    /// Received and still in the dead-letter queue, by message id.
    held: HashMap<String, String>,
}

impl Work {
    fn new(way: Way, dry_run: bool, json: bool) -> Self {
        let Way { sqs, queue, dead, .. } = way;
        let worker = Worker::new(&sqs, queue, dead.clone());
        let (reasons, held) = (BTreeMap::new(), HashMap::new());
        Self { sqs, worker, dead, dry_run, json, reasons, came_back: 0, sent: 0, held }
    }

    /// What lay there when it began, each message once. What is younger came back, or came just now.
    async fn run(&mut self) -> Result<(), Failure> {
        let mut progress = Progress::spinner();
        let (mut begun, mut in_vain) = (None, 0);
        while in_vain < 2 && !interrupt::is_asked().await {
            let (clock, messages) = self.receive().await?;
            let begun = *begun.get_or_insert(clock);
            let mut batch = Vec::new();
            for message in messages {
                let (id, receipt) =
                    (message.message_id().unwrap_or_default(), message.receipt_handle().unwrap_or_default());
                let known = self.held.insert(id.to_owned(), receipt.to_owned()).is_some();
                if sent_at(&message) > begun {
                    self.came_back += u64::from(!known);
                } else if !known {
                    progress.around(|| self.show(&message))?;
                    batch.push(message);
                }
            }
            in_vain = if batch.is_empty() { in_vain + 1 } else { 0 };
            if !batch.is_empty() && !self.dry_run {
                self.send_back(&batch).await?;
            }
            progress.show(0, 0, &format!("{} found, {} sent back", self.reasons.values().sum::<u64>(), self.sent));
        }
        Ok(())
    }

    /// A batch, and the time by the queue's own clock.
    async fn receive(&self) -> Result<(i64, Vec<Message>), Failure> {
        let clock = QueueClock::default();
        let asked = self.sqs.receive_message().queue_url(&self.dead).max_number_of_messages(10);
        let asked = asked.visibility_timeout(HIDDEN_SECS).wait_time_seconds(1).message_attribute_names("reason");
        let asked = asked
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = asked.customize().interceptor(clock.clone()).send().await.map_err(|error| down(&error))?;
        let told = clock.0.load(Ordering::Relaxed);
        let at = if told == 0 { crate::now().as_millisecond() } else { told };
        Ok((at, answer.messages.unwrap_or_default()))
    }

    async fn send_back(&mut self, batch: &[Message]) -> Result<(), Failure> {
        let id = |at: &usize| batch.get(*at).and_then(Message::message_id).unwrap_or_default();
        let back = self.worker.put_back(batch).await.map_err(|error| down(&error))?;
        for (at, code) in &back.refused {
            tell(&format!("not taken: {} ({code})", id(at)));
        }
        let twice = back.still_here.map_err(|error| down(&error))?;
        if twice > 0 {
            tell(&format!("{twice} sent back, but still here as well: harmless"));
        }
        for at in &back.gone {
            self.held.remove(id(at));
        }
        self.sent += back.gone.len() as u64;
        Ok(())
    }

    async fn let_go(&mut self) -> Result<(), Failure> {
        let receipts: Vec<String> = self.held.drain().map(|(_, receipt)| receipt).collect();
        for ten in receipts.chunks(10) {
            let mut asked = self.sqs.change_message_visibility_batch().queue_url(&self.dead);
            for (at, receipt) in ten.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string());
                let entry = entry.receipt_handle(receipt).visibility_timeout(0).build();
                asked = asked.entries(entry.map_err(|error| down(&error))?);
            }
            asked.send().await.map_err(|error| down(&error))?;
        }
        Ok(())
    }

    fn show(&mut self, message: &Message) -> Result<(), Failure> {
        let attribute = message.message_attributes().and_then(|all| all.get("reason")?.string_value());
        let reason = attribute.unwrap_or(NO_REASON).to_owned();
        let received = system(message, &MessageSystemAttributeName::ApproximateReceiveCount);
        let at = jiff::Timestamp::from_millisecond(sent_at(message)).unwrap_or_default();
        let id = message.message_id().unwrap_or_default();
        *self.reasons.entry(reason.clone()).or_default() += 1;
        let gist = gist(message.body().unwrap_or_default());
        if self.json {
            return output::line(
                &json!({ "message_id": id, "sent_at": at, "received": received, "gist": gist, "reason": reason }),
            );
        }
        let at = at.strftime("%Y-%m-%d %H:%M:%SZ");
        write(&format!("{id}  {at}  received {received}x  {gist}  {}\n", output::shown(&reason)))
    }

    fn summary(&self, as_json: bool) -> Result<(), Failure> {
        if !as_json {
            for (reason, count) in &self.reasons {
                write(&format!("{count:6}  {}\n", output::shown(reason)))?;
            }
        }
        let found: u64 = self.reasons.values().sum();
        let became = if self.dry_run { "left there".to_owned() } else { format!("{} sent back", self.sent) };
        let back = if self.came_back > 0 { format!(", {} came back meanwhile", self.came_back) } else { String::new() };
        tell(&format!("{found} found, {became}{back}"));
        Ok(())
    }
}

/// Messages are stamped by the queue's own clock, and so is its answer: in whole seconds, cut.
#[derive(Debug, Clone, Default)]
struct QueueClock(Arc<AtomicI64>);

impl Intercept for QueueClock {
    fn name(&self) -> &'static str {
        "QueueClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let at = date.and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
        if let Some(at) = at {
            self.0.store(at.as_millisecond(), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The name of a queue in its address.
fn last(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

fn system<'a>(message: &'a Message, name: &MessageSystemAttributeName) -> &'a str {
    message.attributes().and_then(|all| all.get(name)).map_or("0", String::as_str)
}

/// Unix milliseconds.
fn sent_at(message: &Message) -> i64 {
    system(message, &MessageSystemAttributeName::SentTimestamp).parse().unwrap_or(0)
}

fn gist(body: &str) -> String {
    let Ok(content) = serde_json::from_str::<Value>(body) else { return "(not JSON)".to_owned() };
    let shown: Vec<String> =
        SHOWN.iter().filter_map(|name| Some(format!("{name}={}", output::shown(content[name].as_str()?)))).collect();
    if shown.is_empty() { "(unknown)".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_of_the_template_is_known() {
        let template = include_str!("../../template.yaml");
        let output = |line: &str| Some(line.strip_prefix("  ")?.strip_suffix("DeadLetterQueueUrl:")?.to_owned());
        let mut outputs: Vec<String> = template.lines().filter_map(output).collect();
        let mut known = ALL.map(|(name, _)| crate::aws::camel(name)).to_vec();
        outputs.sort();
        known.sort();
        assert_eq!(known, outputs);
    }

    #[test]
    fn no_words_and_no_numbers_of_people_are_shown() {
        assert_eq!(gist(r#"{"kind": "place", "call_id": "7", "to": "+1415"}"#), "kind=place call_id=7");
        assert_eq!((gist("x").as_str(), gist("[]").as_str()), ("(not JSON)", "(unknown)"));
    }
}
