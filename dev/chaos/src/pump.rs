//! Works the queues off, as event source mappings do, and does to the messages what SQS may do: delivers some again after
//! they were handled, and some because their handler died in the middle of its work.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, builders};
use futures_util::future::join_all;
use rand::Rng;
use rand::rngs::StdRng;
use testkit::lines::{Line, record};
use tokio::task::JoinSet;

use crate::injected::count;
use crate::run::Run;

/// Workers a queue, each with up to ten messages at once.
const LANES: u64 = 2;

/// One handled message in ten comes again.
const AGAIN: f64 = 0.1;

/// One handler in thirty dies.
const DIES: f64 = 0.033;

/// What may come again comes after this long: the run's own time is much faster than the queue's.
const SOON_SECS: i32 = 1;

/// Starts the workers. They end when the run is over.
pub(crate) fn start(run: &Arc<Run>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for (part, line) in (0_u64..).zip(Line::ALL) {
        for lane in 0..LANES {
            let dice = run.dice(1000 + part * 100 + lane);
            workers.spawn(lane_of(Arc::clone(run), line, dice));
        }
    }
    workers
}

async fn lane_of(run: Arc<Run>, line: Line, mut dice: StdRng) {
    let pair = run.world.pair(line).clone();
    while !run.over.load(Ordering::Relaxed) {
        let asked = pair.sqs().receive_message().queue_url(&pair.url).max_number_of_messages(10);
        let received = asked.wait_time_seconds(1).visibility_timeout(60).send().await.unwrap();
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            continue;
        }
        let fates: Vec<Fate> = messages.iter().map(|_| Fate::draw(&mut dice)).collect();
        run.at_work.fetch_add(messages.len(), Ordering::Relaxed);
        let work = messages.iter().zip(fates).map(|(message, fate)| deliver(&run, line, message, fate));
        let done = join_all(work).await;
        let (gone, again): (Vec<_>, Vec<_>) = messages.iter().zip(done).partition(|(_, done)| *done);
        delete(&pair, gone.into_iter().map(|(message, _)| message)).await;
        come_again(&pair, again.into_iter().map(|(message, _)| message)).await;
        run.at_work.fetch_sub(messages.len(), Ordering::Relaxed);
    }
}

/// What is done to one delivery.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Plain,
    Again,
    /// The handler dies after so long.
    Dies(Duration),
}

impl Fate {
    fn draw(dice: &mut StdRng) -> Self {
        if dice.random_bool(DIES) {
            return Self::Dies(Duration::from_micros(dice.random_range(0..40_000)));
        }
        if dice.random_bool(AGAIN) { Self::Again } else { Self::Plain }
    }
}

/// Whether the message is done with.
async fn deliver(run: &Run, line: Line, message: &Message, fate: Fate) -> bool {
    let mut batch = SqsEvent::default();
    batch.records.push(record(message));
    let work = run.world.work(line, batch);
    let answer = match fate {
        Fate::Plain | Fate::Again => work.await,
        Fate::Dies(after) => {
            let Ok(answer) = tokio::time::timeout(after, work).await else {
                count(&run.counters.dropped);
                if matches!(line, Line::Calls | Line::TrunkCalls) {
                    count(&run.counters.dropped_placing);
                }
                return false;
            };
            answer
        }
    };
    if !answer.batch_item_failures.is_empty() {
        count(&run.counters.retried);
        return false;
    }
    if matches!(fate, Fate::Again) {
        count(&run.counters.redelivered);
        return false;
    }
    true
}

async fn delete(pair: &testkit::cloud::Pair, messages: impl Iterator<Item = &Message>) {
    let entries: Vec<_> = messages
        .zip(0..)
        .map(|(message, nth)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(nth.to_string());
            entry.set_receipt_handle(message.receipt_handle.clone()).build().unwrap()
        })
        .collect();
    if !entries.is_empty() {
        pair.sqs().delete_message_batch().queue_url(&pair.url).set_entries(Some(entries)).send().await.unwrap();
    }
}

async fn come_again(pair: &testkit::cloud::Pair, messages: impl Iterator<Item = &Message>) {
    let entry = |(message, nth): (&Message, i32)| {
        let entry: builders::ChangeMessageVisibilityBatchRequestEntryBuilder =
            ChangeMessageVisibilityBatchRequestEntry::builder().id(nth.to_string()).visibility_timeout(SOON_SECS);
        entry.set_receipt_handle(message.receipt_handle.clone()).build().unwrap()
    };
    let entries: Vec<_> = messages.zip(0..).map(entry).collect();
    if !entries.is_empty() {
        let asked = pair.sqs().change_message_visibility_batch().queue_url(&pair.url);
        asked.set_entries(Some(entries)).send().await.unwrap();
    }
}
