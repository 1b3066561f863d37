//! Puts events on the owner's EventBridge bus.

use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::{Answer, Event};
use crate::crash::{Effect, around};

/// Entries that one request takes at most.
pub const MOST: usize = 10;

/// `source` of our events.
pub const SOURCE: &str = "elevenwire";

/// A bus.
#[derive(Debug, Clone)]
pub struct Bus {
    client: aws_sdk_eventbridge::Client,
    name: String,
}

impl Bus {
    /// A bus by its name.
    #[must_use]
    pub fn new(client: aws_sdk_eventbridge::Client, name: String) -> Self {
        Self { client, name }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts at most [`MOST`] events on it; answers what became of each, in their order.
    pub async fn put(&self, events: &[&Event]) -> Vec<Answer> {
        let entries = events.iter().map(|event| self.entry(event)).collect();
        let sent = self.client.put_events().set_entries(Some(entries)).send();
        let answer = match around(Effect::Publish, sent).await {
            Ok(answer) => answer,
            Err(error) => {
                use aws_sdk_eventbridge::error::ProvideErrorMetadata;
                let why = error.code().unwrap_or("no answer");
                return events.iter().map(|_| Answer::Refused(format!("the bus: {why}"), None)).collect();
            }
        };
        let results = answer.entries();
        let each = |at: usize| match results.get(at) {
            Some(result) if result.error_code().is_none() => Answer::Taken,
            Some(result) => Answer::Refused(format!("the bus: {}", result.error_code().unwrap_or_default()), None),
            None => Answer::Refused("the bus: no answer".to_owned(), None),
        };
        (0..events.len()).map(each).collect()
    }

    fn entry(&self, event: &Event) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(&event.kind)
            .time(DateTime::from_millis(event.timestamp.as_millisecond()))
            .detail(event.body())
            .build()
    }
}
