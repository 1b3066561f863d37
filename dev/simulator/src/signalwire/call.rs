//! The Call resource: what SignalWire knows of a call, and how it shows it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::{clock, config::digits};

/// Where a call stands. `Initiated` exists in callbacks only; the REST resource still says `queued`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Queued,
    Initiated,
    Ringing,
    InProgress,
    Completed,
    Busy,
    NoAnswer,
    Failed,
    Canceled,
}

impl Status {
    /// The word in callbacks.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// The word in the REST resource, whose enumeration has no `initiated`.
    #[must_use]
    pub fn rest_word(self) -> &'static str {
        if self == Self::Initiated { "queued" } else { self.word() }
    }

    /// Nothing happens to the call any more.
    #[must_use]
    pub fn terminal(self) -> bool {
        self >= Self::Completed
    }
}

/// What happens to a call from outside its own course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    Go,
    Cancel,
    Complete,
    CalleeHangsUp,
    Redirect { url: String, get: bool },
}

/// An address with its method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hook {
    pub url: String,
    pub get: bool,
}

/// Answering machine detection, as asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detection {
    #[default]
    Off,
    /// Result as soon as known.
    Enable,
    /// Result at the end of the greeting.
    MessageEnd,
}

/// What the creator of a call asked for.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    pub to: String,
    pub from: String,
    pub voice: Hook,
    /// Inline document instead of a voice URL.
    pub laml: Option<String>,
    pub fallback: Option<Hook>,
    pub status_callback: Option<Hook>,
    pub events: Vec<String>,
    /// Seconds of ringing.
    pub timeout: u32,
    pub detection: Detection,
    /// Where an asynchronous result goes; `None` detects before the voice request.
    pub async_amd: Option<Hook>,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    pub sid: String,
    pub spec: Spec,
    /// `outbound-api` or `outbound-dial`.
    pub direction: &'static str,
    pub parent: Option<String>,
    pub status: Status,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// Nominal seconds since the answer.
    pub duration: u32,
    pub answered_by: Option<String>,
    pub sip_code: Option<u16>,
    /// `SequenceNumber` of the next callback.
    pub sequence: u32,
    pub orders: watch::Sender<Order>,
}

/// How long the carrier takes to rate a call, where it does so late.
const RATED_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

impl Call {
    /// A call that was just accepted.
    #[must_use]
    pub fn new(sid: String, spec: Spec, now: Timestamp) -> Self {
        Self {
            sid,
            spec,
            direction: "outbound-api",
            parent: None,
            status: Status::Queued,
            created: now,
            updated: now,
            started: None,
            ended: None,
            duration: 0,
            answered_by: None,
            sip_code: None,
            sequence: 0,
            orders: watch::Sender::new(Order::Go),
        }
    }

    /// The resource as JSON, in one of the shapes of switch `call_object`, with its price as switch `call_price` says.
    #[must_use]
    pub fn view(&self, account: &str, shape: &str, pricing: &str) -> Value {
        if shape == "minimal" {
            return json!({ "sid": self.sid, "status": self.status.rest_word() });
        }
        let texts = shape == "strings";
        let uri = format!("/api/laml/2010-04-01/Accounts/{account}/Calls/{}", self.sid);
        let date = |at: Option<Timestamp>| at.map(clock::rfc2822);
        let rest_direction = if texts { self.direction } else { "outbound" };
        let mut all = Map::new();
        let mut set = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
        set("sid", json!(self.sid));
        set("account_sid", json!(account));
        set("date_created", json!(clock::rfc2822(self.created)));
        set("date_updated", json!(clock::rfc2822(self.updated)));
        set("parent_call_sid", json!(self.parent));
        set("to", json!(self.spec.to));
        set("formatted_to", json!(formatted(&self.spec.to)));
        set("to_formatted", json!(formatted(&self.spec.to)));
        set("from", json!(self.spec.from));
        set("formatted_from", json!(formatted(&self.spec.from)));
        set("from_formatted", json!(formatted(&self.spec.from)));
        set("phone_number_sid", Value::Null);
        set("status", json!(self.status.rest_word()));
        set("start_time", json!(date(self.started)));
        set("end_time", json!(date(self.ended)));
        set("duration", if texts { json!(self.duration.to_string()) } else { json!(self.duration) });
        set("price", self.price(texts, pricing));
        set("price_unit", json!("USD"));
        set("direction", json!(rest_direction));
        set("answered_by", json!(self.answered_by));
        set("api_version", json!("2010-04-01"));
        for name in ["forwarded_from", "caller_name", "annotation", "group_sid"] {
            set(name, Value::Null);
        }
        set("uri", json!(format!("{uri}.json")));
        set("subresource_uris", json!({ "notifications": null, "recordings": format!("{uri}/Recordings.json") }));
        set("sip_result_code", json!(self.sip_code.map(|c| c.to_string())));
        let measures = "audio_in_mos audio_rtt_avg audio_rtt_min audio_rtt_max audio_out_jitter_min \
                        audio_out_jitter_max audio_out_jitter_avg audio_out_lost";
        for name in measures.split_whitespace() {
            set(name, Value::Null);
        }
        Value::Object(all)
    }

    fn price(&self, texts: bool, pricing: &str) -> Value {
        let Some(ended) = self.ended else { return Value::Null };
        let late = clock::now().duration_since(ended) < RATED_AFTER;
        if pricing == "never" || (pricing == "late" && late) {
            return Value::Null;
        }
        let price = 0.008 * f64::from(self.duration.div_ceil(60));
        if texts { json!(format!("-{price:.4}")) } else { json!(price) }
    }
}

/// `(310) 567-8901` for North American numbers, anything else as it is.
fn formatted(number: &str) -> String {
    let digits = digits(number);
    match (number.starts_with("+1"), digits.get(1..4), digits.get(4..7), digits.get(7..11)) {
        (true, Some(area), Some(middle), Some(last)) => format!("({area}) {middle}-{last}"),
        _ => number.to_owned(),
    }
}
