//! Metrics: for each invocation one document of CloudWatch's embedded metric format, as a line of its own on standard
//! output, beside the log. Nobody is asked over a network, and a number can be looked up in the log that it came from.
//!
//! Whatever runs within an invocation adds what it knows by [`add`], however deep it is; outside of one that does nothing.
//! What each metric means stands in `docs/metrics.md`. No dimension names a call, a number or a person.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::config::Env;

/// CloudWatch's namespace of all of them.
pub const NAMESPACE: &str = "ElevenWire";

/// Most values of one metric that one document may hold.
const MOST_VALUES: usize = 100;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things; those of an invocation are added up.
    Count,
    /// Seconds; each value is kept.
    Seconds,
    /// Milliseconds; each value is kept.
    Milliseconds,
    /// Of a hundred; each value is kept.
    Percent,
}

impl Unit {
    /// As CloudWatch writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::Milliseconds => "Milliseconds",
            Self::Percent => "Percent",
        }
    }
}

/// Whose number it is. Each combination of a metric and its dimensions costs by the month, so each has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Stack,
    Function,
}

/// A metric: its name, its unit, whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// As CloudWatch and `docs/metrics.md` know it.
    pub name: &'static str,
    /// What its numbers count.
    pub unit: Unit,
    of: Of,
}

const fn stack(name: &'static str, unit: Unit) -> Metric {
    Metric { name, unit, of: Of::Stack }
}

const fn function(name: &'static str, unit: Unit) -> Metric {
    Metric { name, unit, of: Of::Function }
}

/// From the event to our work on it being done, in every function.
pub const PROCESSING_TIME: Metric = function("ProcessingTime", Unit::Milliseconds);
/// Requests at a door.
pub const REQUESTS: Metric = function("Requests", Unit::Count);
/// Requests answered 4xx.
pub const CLIENT_ERRORS: Metric = function("ClientErrors", Unit::Count);
/// Requests answered 5xx. By the stack, because an alarm holds ten metrics at most and there are six doors.
pub const SERVER_ERRORS: Metric = stack("ServerErrors", Unit::Count);
/// From the vendor's own time of an event to its arrival.
pub const RECEPTION_LATENCY: Metric = function("ReceptionLatency", Unit::Seconds);
/// Requests whose signature or secret was wrong.
pub const REFUSED_SIGNATURES: Metric = stack("RefusedSignatures", Unit::Count);
/// Messages that a worker took.
pub const MESSAGES: Metric = function("Messages", Unit::Count);
/// Messages that will be tried again.
pub const MESSAGES_RETRIED: Metric = function("MessagesRetried", Unit::Count);
/// Messages that were put aside for ever.
pub const MESSAGES_PUT_ASIDE: Metric = function("MessagesPutAside", Unit::Count);
/// Calls that a vendor took.
pub const CALLS_PLACED: Metric = stack("CallsPlaced", Unit::Count);
/// Calls that a vendor refused.
pub const CALLS_REFUSED: Metric = stack("CallsRefused", Unit::Count);
/// Questions without a clear answer.
pub const CALLS_UNCLEAR: Metric = stack("CallsUnclear", Unit::Count);
/// Questions that may be asked again.
pub const CALLS_ASKED_AGAIN: Metric = stack("CallsAskedAgain", Unit::Count);
/// How much later than its place in the timetable a call was asked for.
pub const PACING_ERROR: Metric = stack("PacingError", Unit::Milliseconds);
/// Calls of which reconcile learnt something that no webhook had told.
pub const CALLS_HEALED: Metric = stack("CallsHealed", Unit::Count);
/// Calls that were never found again.
pub const CALLS_GIVEN_UP: Metric = stack("CallsGivenUp", Unit::Count);
/// Signs that a person was dialled twice.
pub const DOUBLE_DIALS: Metric = stack("DoubleDials", Unit::Count);
/// Calls that were asked for and are not settled.
pub const UNSETTLED_CALLS: Metric = stack("UnsettledCalls", Unit::Count);
/// How long ago the oldest of these ended, or had to.
pub const OLDEST_UNSETTLED: Metric = stack("OldestUnsettled", Unit::Seconds);
/// Calls under way.
pub const LIVE_CALLS: Metric = stack("LiveCalls", Unit::Count);
/// Calls of which nobody knows whether they were placed.
pub const UNKNOWN_CALLS: Metric = stack("UnknownCalls", Unit::Count);
/// Calls that wait at the carrier.
pub const CARRIER_QUEUE: Metric = stack("CarrierQueue", Unit::Count);
/// Events that wait for an endpoint.
pub const EVENTS_WAITING: Metric = stack("EventsWaiting", Unit::Count);
/// How long the oldest of these has waited.
pub const OLDEST_EVENT: Metric = stack("OldestEvent", Unit::Seconds);
/// Events that an endpoint or the bus took.
pub const EVENTS_PUBLISHED: Metric = stack("EventsPublished", Unit::Count);
/// Tries that it did not take.
pub const EVENTS_REFUSED: Metric = stack("EventsRefused", Unit::Count);
/// Events that were given up at it.
pub const EVENTS_GIVEN_UP: Metric = stack("EventsGivenUp", Unit::Count);
/// Calls that ended lately, when the carrier told of none of them.
pub const SILENT_CALLS: Metric = stack("SilentCalls", Unit::Count);
/// Conversations that ended lately, when the agents' vendor told of none of them.
pub const SILENT_CONVERSATIONS: Metric = stack("SilentConversations", Unit::Count);
/// Calls that were settled in the last full minute.
pub const CALLS_SETTLED: Metric = stack("CallsSettled", Unit::Count);
/// Of these, those that a person and the agent talked in.
pub const CALLS_ANSWERED: Metric = stack("CallsAnswered", Unit::Count);
/// Of these, those in which a person heard no agent.
pub const CALLS_ABANDONED: Metric = stack("CallsAbandoned", Unit::Count);
/// Of these, those that a machine took.
pub const CALLS_MACHINE: Metric = stack("CallsMachine", Unit::Count);
/// Of these, those that nobody took.
pub const CALLS_NOT_REACHED: Metric = stack("CallsNotReached", Unit::Count);
/// Of these, the rest.
pub const CALLS_FAILED: Metric = stack("CallsFailed", Unit::Count);
/// How long the carrier says that they took.
pub const CALL_DURATION: Metric = stack("CallDuration", Unit::Seconds);
/// From the pick-up to the start of the conversation.
pub const ANSWER_TO_AGENT: Metric = stack("AnswerToAgent", Unit::Seconds);
/// From the pick-up to the agent's first word.
pub const ANSWER_TO_FIRST_WORD: Metric = stack("AnswerToFirstWord", Unit::Seconds);
/// From the end of the person's words to the agent's first sound, the usual one of a conversation.
pub const AGENT_RESPONSE_TIME: Metric = stack("AgentResponseTime", Unit::Seconds);
/// Conversations that the agent's analysis calls positive.
pub const SENTIMENT_POSITIVE: Metric = stack("SentimentPositive", Unit::Count);
/// Those that it calls neutral.
pub const SENTIMENT_NEUTRAL: Metric = stack("SentimentNeutral", Unit::Count);
/// Those that it calls negative.
pub const SENTIMENT_NEGATIVE: Metric = stack("SentimentNegative", Unit::Count);
/// How long the conversations took.
pub const CONVERSATION_LENGTH: Metric = stack("ConversationLength", Unit::Seconds);
/// Of a hundred people who answered, those who heard no agent: the campaign with the most.
pub const ABANDONMENT_RATE: Metric = stack("AbandonmentRate", Unit::Percent);
/// How long a canary took from being written down to being settled, when it came home.
pub const CANARY_END_TO_END: Metric = stack("CanaryEndToEnd", Unit::Seconds);
/// That the last canary did not come home, or that one could not be written down.
pub const CANARY_FAILED: Metric = stack("CanaryFailed", Unit::Count);
/// Whether there was work and a schedule was off, as the hour's net found: 1 or 0.
pub const WORK_WHILE_ASLEEP: Metric = stack("WorkWhileAsleep", Unit::Count);
/// Health checks of the vendors that failed.
pub const VENDOR_CHECKS_FAILED: Metric = stack("VendorChecksFailed", Unit::Count);
/// Health checks of what is ours that failed.
pub const OWN_CHECKS_FAILED: Metric = stack("OwnChecksFailed", Unit::Count);

tokio::task_local! {
    static SHEET: RefCell<Sheet>;
}

/// Adds a value to the metrics of this invocation. Outside of one it does nothing.
pub fn add(metric: Metric, value: impl Into<f64>) {
    let value = value.into();
    // JSON has no other numbers.
    if value.is_finite() {
        // An error says that nobody measures here.
        let _ = SHEET.try_with(|sheet| sheet.borrow_mut().add(metric, value));
    }
}

/// Counts one more.
pub fn count(metric: Metric) {
    add(metric, 1);
}

/// Counts a request by its answer.
pub fn answered(status: u16) {
    count(REQUESTS);
    match status {
        400..500 => count(CLIENT_ERRORS),
        500.. => count(SERVER_ERRORS),
        _ => {}
    }
}

#[derive(Debug, Default)]
struct Sheet(BTreeMap<&'static str, (Metric, Vec<f64>)>);

impl Sheet {
    fn add(&mut self, metric: Metric, value: f64) {
        let (_, values) = self.0.entry(metric.name).or_insert_with(|| (metric, Vec::new()));
        if let (Unit::Count, Some(sum)) = (metric.unit, values.first_mut()) {
            *sum += value;
        } else if values.len() < MOST_VALUES {
            values.push(value);
        }
    }
}

/// Whose metrics they are, and the clock.
#[derive(Debug, Clone)]
pub struct Watch {
    function: &'static str,
    stack: String,
    now: fn() -> Timestamp,
}

impl Watch {
    /// That of the Lambda function `function`, whose name is the stack's, a dash, and its own.
    #[must_use]
    pub fn of_process(function: &'static str, now: fn() -> Timestamp) -> Self {
        let name = Env::of_process().optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        Self::new(&name, function, now)
    }

    /// The same by the full name.
    #[must_use]
    pub fn new(full_name: &str, function: &'static str, now: fn() -> Timestamp) -> Self {
        let stack = full_name.strip_suffix(function).unwrap_or(full_name).trim_end_matches('-');
        // CloudWatch takes no empty dimension.
        let stack = if stack.is_empty() { "none" } else { stack };
        Self { function, stack: stack.to_owned(), now }
    }

    /// Does an invocation's work, and writes its metrics out.
    pub async fn invocation<T>(&self, work: impl Future<Output = T>) -> T {
        let (done, document) = self.measured(work).await;
        // One call, so that no line of the log comes between. Metrics are not worth an invocation.
        let _ = std::io::stdout().lock().write_all(format!("{document}\n").as_bytes());
        done
    }

    /// The same, with the document instead of the line.
    pub async fn measured<T>(&self, work: impl Future<Output = T>) -> (T, Value) {
        // Boxed, because a future of futures takes its whole size of the stack wherever it is handed on.
        let work = Box::pin(work);
        let at = (self.now)();
        let began = Instant::now();
        let watched = async {
            let done = work.await;
            add(PROCESSING_TIME, began.elapsed().as_secs_f64() * 1000.0);
            (done, SHEET.with(RefCell::take))
        };
        let (done, sheet) = SHEET.scope(RefCell::default(), watched).await;
        (done, self.document(&sheet, at))
    }

    fn document(&self, sheet: &Sheet, at: Timestamp) -> Value {
        let directive = |of: Of, dimensions: Value| {
            let of_them = sheet.0.values().filter(|(metric, _)| metric.of == of);
            let metrics: Vec<Value> =
                of_them.map(|(metric, _)| json!({ "Name": metric.name, "Unit": metric.unit.as_str() })).collect();
            let said = json!({ "Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics });
            (!metrics.is_empty()).then_some(said)
        };
        let directives: Vec<Value> =
            [directive(Of::Stack, json!(["Stack"])), directive(Of::Function, json!(["Stack", "Function"]))]
                .into_iter()
                .flatten()
                .collect();
        let mut document = Map::new();
        let about = json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": directives });
        document.insert("_aws".to_owned(), about);
        document.insert("Stack".to_owned(), json!(self.stack));
        document.insert("Function".to_owned(), json!(self.function));
        for (name, (_, values)) in &sheet.0 {
            let value = if let [one] = values.as_slice() { json!(one) } else { json!(values) };
            document.insert((*name).to_owned(), value);
        }
        Value::Object(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch::new("wire-place-call", "place-call", || Timestamp::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn an_invocation_makes_one_document_of_everything_that_was_added_in_it() {
        let work = async {
            count(CALLS_PLACED);
            count(CALLS_PLACED);
            add(PACING_ERROR, 3.5);
            add(PACING_ERROR, 4);
            add(PACING_ERROR, f64::NAN);
            7
        };
        let (done, document) = watch().measured(work).await;
        assert_eq!(done, 7);
        assert_eq!(document["CallsPlaced"], 2.0);
        assert_eq!(document["PacingError"], json!([3.5, 4.0]));
        assert_eq!((&document["Stack"], &document["Function"]), (&json!("wire"), &json!("place-call")));
        let told = &document["_aws"]["CloudWatchMetrics"];
        assert_eq!(told[0]["Dimensions"], json!([["Stack"]]));
        assert_eq!(told[0]["Metrics"][0], json!({ "Name": "CallsPlaced", "Unit": "Count" }));
        assert_eq!(told[1]["Dimensions"], json!([["Stack", "Function"]]));
        assert_eq!(told[1]["Metrics"], json!([{ "Name": "ProcessingTime", "Unit": "Milliseconds" }]));
        assert!(!document.to_string().contains('\n'), "it is one line");
    }

    #[tokio::test]
    async fn what_is_added_outside_of_an_invocation_or_in_another_one_is_not_told() {
        count(CALLS_PLACED);
        let (((), inner), outer) = watch().measured(watch().measured(async { count(CALLS_PLACED) })).await;
        assert_eq!(inner["CallsPlaced"], 1.0);
        assert_eq!(outer.get("CallsPlaced"), None);
    }

    #[tokio::test]
    async fn a_document_holds_no_more_values_than_cloudwatch_takes() {
        let ((), document) = watch().measured(async { (0..200).for_each(|ms| add(PACING_ERROR, ms)) }).await;
        assert_eq!(document["PacingError"].as_array().unwrap().len(), 100);
    }

    #[test]
    fn a_program_that_is_not_in_lambda_has_a_stack_too() {
        assert_eq!(Watch::new("", "api", || Timestamp::UNIX_EPOCH).stack, "none");
        assert_eq!(Watch::new("eleven-wire-api", "api", || Timestamp::UNIX_EPOCH).stack, "eleven-wire");
    }
}
