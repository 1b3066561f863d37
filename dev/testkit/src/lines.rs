//! The queues of a [`World`], and the workers behind them.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use elevenwire::queue::{CallCommand, CallNews, ConversationArrived, ExportTask, ImportTask, RecordingTask};

use crate::World;
use crate::cloud::Pair;

/// As long as a Lambda function may at most.
const LAMBDA_LIVES: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// The queues, by what lies in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Line {
    /// For place-call.
    Calls,
    /// For call-status.
    CallEvents,
    /// For transcription-webhook.
    Transcriptions,
    /// For audio-webhook.
    Recordings,
    /// For place-trunk-call.
    TrunkCalls,
    /// For import-contacts.
    Imports,
    /// For export-records.
    Exports,
}

impl Line {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Calls,
        Self::CallEvents,
        Self::Transcriptions,
        Self::Recordings,
        Self::TrunkCalls,
        Self::Imports,
        Self::Exports,
    ];

    /// Its worker.
    fn function(self) -> &'static str {
        match self {
            Self::Calls => "place-call",
            Self::CallEvents => "call-status",
            Self::Transcriptions => "transcription-webhook",
            Self::Recordings => "audio-webhook",
            Self::TrunkCalls => "place-trunk-call",
            Self::Imports => "import-contacts",
            Self::Exports => "export-records",
        }
    }
}

impl World {
    /// Works off what lies in the queues now, once.
    pub async fn pump(&self) {
        for line in Line::ALL {
            drain(self.pair(line), |batch| self.work(line, batch)).await;
        }
    }

    /// A queue.
    #[must_use]
    pub fn pair(&self, line: Line) -> &Pair {
        match line {
            Line::Calls => &self.cloud.calls,
            Line::CallEvents => &self.cloud.call_events,
            Line::Transcriptions => &self.cloud.transcriptions,
            Line::Recordings => &self.cloud.recordings,
            Line::TrunkCalls => &self.cloud.trunk_calls,
            Line::Imports => &self.cloud.imports,
            Line::Exports => &self.cloud.exports,
        }
    }

    /// Hands a batch to the worker of its queue.
    pub async fn work(&self, line: Line, batch: SqsEvent) -> SqsBatchResponse {
        self.apps.invocation(line.function(), self.work_off(line, batch)).await
    }

    async fn work_off(&self, line: Line, batch: SqsEvent) -> SqsBatchResponse {
        let apps = &self.apps;
        let now = || apps.clock.now();
        let worker = self.pair(line).worker();
        match line {
            Line::Calls => {
                worker.each(batch, |command: CallCommand| place_call::carry_out(&apps.place, command, now(), 0.5)).await
            }
            Line::CallEvents => {
                worker.each(batch, |news: CallNews| call_status::take_in(&apps.status, news, now())).await
            }
            Line::Transcriptions => {
                let store = |arrived: ConversationArrived| async move {
                    transcription_webhook::store(&apps.transcription, &arrived, now()).await
                };
                worker.each(batch, store).await
            }
            Line::Recordings => {
                worker.each(batch, |task: RecordingTask| audio_webhook::bring_home(&apps.audio, task, now())).await
            }
            Line::TrunkCalls => {
                let place = |command: CallCommand| place_trunk_call::carry_out(&apps.place_trunk, command, now(), 0.5);
                worker.each(batch, place).await
            }
            Line::Imports => {
                let clock = import_contacts::Clock { now: &now, ends_at: now() + LAMBDA_LIVES };
                let import = |task: ImportTask| Box::pin(import_contacts::import(&apps.import, task, clock));
                worker.each(batch, import).await
            }
            Line::Exports => {
                let clock = export_records::Clock { now: &now, ends_at: now() + LAMBDA_LIVES };
                let export = |task: ExportTask| Box::pin(export_records::export(&apps.export, task, clock));
                worker.each(batch, export).await
            }
        }
    }
}

/// Receives once and hands the batch to its worker, as the event source mapping does; what did not fail is deleted.
async fn drain<Fut: Future<Output = SqsBatchResponse>>(pair: &Pair, work: impl FnOnce(SqsEvent) -> Fut) {
    let sqs = pair.sqs();
    let received = sqs.receive_message().queue_url(&pair.url).max_number_of_messages(10).visibility_timeout(30);
    let messages = received.send().await.unwrap().messages.unwrap_or_default();
    if messages.is_empty() {
        return;
    }
    let mut batch = SqsEvent::default();
    for message in &messages {
        batch.records.push(record(message));
    }
    let answer = work(batch).await;
    let failed: Vec<&str> = answer.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    for message in messages.iter().filter(|message| !failed.contains(&message.message_id().unwrap_or_default())) {
        let handle = message.receipt_handle().unwrap();
        sqs.delete_message().queue_url(&pair.url).receipt_handle(handle).send().await.unwrap();
    }
}

/// A received message as a function sees it.
#[must_use]
pub fn record(message: &aws_sdk_sqs::types::Message) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id.clone_from(&message.message_id);
    record.receipt_handle.clone_from(&message.receipt_handle);
    record.body.clone_from(&message.body);
    record
}
