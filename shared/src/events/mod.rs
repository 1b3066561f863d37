//! Events out: what is told to the owner's own systems, in which form, and when it is tried again. `docs/events.md` is the
//! contract. What happened is written down by the database itself (`shared/migrations/V7__events_out.sql`).

pub mod address;
pub mod bus;
pub mod endpoint;
pub mod signature;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// What can be subscribed to.
pub const TYPES: [&str; 4] = ["call.settled", "call.blocked", "number.suppressed", "campaign.paused"];

/// What is sent when the owner asks for it, to see whether it arrives.
pub const TEST: &str = "endpoint.test";

/// Before each new try: three days and some hours in all, near to what Standard Webhooks advises.
const DELAYS: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// Longer than this nobody is waited for who says when to come again.
const LONGEST_WISH: Duration = Duration::from_hours(1);

/// An event as it is sent, over both ways.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// `msg_…`: the same for every try, at every endpoint and on the bus.
    pub id: String,
    /// One of [`TYPES`], or [`TEST`].
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    pub data: Value,
}

impl Event {
    /// The bytes that are sent.
    #[must_use]
    pub fn body(&self) -> String {
        // Texts, times and JSON: nothing in it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was taken.
    Taken,
    /// It was not, and will be tried again: why, and how long to wait at least, if that was said.
    Refused(String, Option<Duration>),
    /// The endpoint wants nothing any more.
    Gone,
}

/// The pause after try number `tries` (from 1), with up to a tenth of jitter; `None` when that was the last one. `wish` is
/// how long the receiver asks to be left alone.
#[must_use]
pub fn pause(tries: u32, wish: Option<Duration>, jitter: f64) -> Option<Duration> {
    let at = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    let delay = DELAYS.get(at)?;
    let longer = wish.map_or(*delay, |wish| wish.min(LONGEST_WISH).max(*delay));
    Some(longer + longer.mul_f64(0.1 * jitter.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_tried_eleven_times_over_three_days_and_then_given_up() {
        let pauses: Vec<Duration> = (1..).map_while(|tries| pause(tries, None, 0.0)).collect();
        assert_eq!(pauses.len(), 10);
        assert!(pauses.is_sorted());
        let whole: Duration = pauses.iter().sum();
        assert!((72..80).contains(&(whole.as_secs() / 3600)), "{whole:?}");
        assert_eq!(pause(1, None, 1.0), Some(Duration::from_millis(5500)));
    }

    #[test]
    fn who_asks_to_be_left_alone_is_for_an_hour_at_most() {
        assert_eq!(pause(1, Some(Duration::from_secs(90)), 0.0), Some(Duration::from_secs(90)));
        assert_eq!(pause(1, Some(Duration::from_hours(100)), 0.0), Some(Duration::from_hours(1)));
        assert_eq!(pause(7, Some(Duration::from_secs(90)), 0.0), Some(Duration::from_hours(10)));
        assert_eq!(pause(11, Some(Duration::from_secs(90)), 0.0), None);
    }

    #[test]
    fn an_event_is_sent_as_the_page_about_it_says() {
        let event = Event {
            id: "msg_1".to_owned(),
            kind: "call.blocked".to_owned(),
            timestamp: Timestamp::from_second(1_800_000_000).unwrap(),
            data: json!({ "call_id": null }),
        };
        let body = r#"{"id":"msg_1","type":"call.blocked","timestamp":"2027-01-15T08:00:00Z","data":{"call_id":null}}"#;
        assert_eq!(event.body(), body);
    }
}
