//! What goes wrong: the simulator's fault rules, and the count of everything that was done to a run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// Callbacks and webhooks that may be lost for good: the vendors' APIs know the same.
const LOSABLE: [&str; 5] =
    ["status_callback", "amd", "post_call_transcription", "post_call_audio", "call_initiation_failure"];

/// Questions that are asked while somebody is on the line.
const ON_THE_LINE: [&str; 4] = ["voice", "action", "fallback", "initiation"];

/// Requests to the vendors that make a telephone ring.
const PLACING: [&str; 2] = ["calls_create", "outbound_call"];

/// Requests to the vendors that change nothing and may be repeated.
const READS: [&str; 7] =
    ["calls_list", "call_get", "call_update", "conversations_list", "conversation_get", "audio_get", "webhooks"];

/// The rules of a run.
pub(crate) fn rules(drop_all_webhooks: bool) -> Value {
    let mut rules = Vec::new();
    for place in LOSABLE {
        if drop_all_webhooks {
            rules.push(json!({ "where": place, "kind": "drop" }));
            continue;
        }
        rules.extend([
            json!({ "where": place, "kind": "drop", "probability": 0.1 }),
            json!({ "where": place, "kind": "double", "probability": 0.1 }),
            json!({ "where": place, "kind": "reorder", "probability": 0.1 }),
            json!({ "where": place, "kind": "delay_ms", "ms": 250, "probability": 0.1 }),
            json!({ "where": place, "kind": "delay_ms", "ms": 1500, "probability": 0.02 }),
            json!({ "where": place, "kind": "http_status", "status": 502, "probability": 0.03 }),
            json!({ "where": place, "kind": "refuse_connection", "probability": 0.02 }),
        ]);
    }
    for place in ON_THE_LINE {
        rules.extend([
            json!({ "where": place, "kind": "double", "probability": 0.1 }),
            json!({ "where": place, "kind": "drop", "probability": 0.05 }),
            json!({ "where": place, "kind": "taken_but_no_answer", "how": "cut", "probability": 0.05 }),
            json!({ "where": place, "kind": "delay_ms", "ms": 100, "probability": 0.1 }),
        ]);
    }
    rules.extend(PLACING.iter().flat_map(|place| on_placing(place)));
    for place in READS {
        rules.extend([
            json!({ "where": place, "kind": "http_status", "status": 500, "probability": 0.01 }),
            json!({ "where": place, "kind": "http_status", "status": 429, "retry_after": 1, "json": true, "probability": 0.02 }),
            json!({ "where": place, "kind": "http_status", "status": 503, "json": true, "probability": 0.01 }),
            json!({ "where": place, "kind": "taken_but_no_answer", "how": "garbled", "probability": 0.01 }),
            json!({ "where": place, "kind": "refuse_connection", "probability": 0.01 }),
        ]);
    }
    // The vendors' lists lag: by a minute and by five, of the run's own time.
    rules.push(json!({ "where": "calls_list", "kind": "lag_ms", "ms": 60_000 }));
    rules.push(json!({ "where": "conversations_list", "kind": "lag_ms", "ms": 300_000 }));
    Value::Array(rules)
}

/// One question in twenty to place a call ends badly: half of these were taken all the same.
fn on_placing(place: &str) -> Vec<Value> {
    let refused = |status: u16, json: bool, probability: f64| {
        json!({ "where": place, "kind": "http_status", "status": status, "json": json, "retry_after": 1,
            "probability": probability })
    };
    let mut rules = vec![
        refused(429, true, 0.008),
        refused(503, true, 0.008),
        refused(503, false, 0.003),
        refused(500, false, 0.003),
        refused(502, false, 0.003),
        refused(504, false, 0.003),
        json!({ "where": place, "kind": "refuse_connection", "probability": 0.003 }),
        json!({ "where": place, "kind": "delay_ms", "ms": 300, "probability": 0.03 }),
    ];
    for how in ["cut", "500", "502", "503", "504", "garbled"] {
        rules.push(json!({ "where": place, "kind": "taken_but_no_answer", "how": how, "probability": 0.004 }));
    }
    rules.push(json!({ "where": place, "kind": "taken_but_no_answer", "how": "stall", "probability": 0.002 }));
    rules
}

/// What our own side of the run did.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// PostgreSQL was stopped and started.
    pub(crate) restarts: AtomicU64,
    /// Of these, killed.
    pub(crate) crashes: AtomicU64,
    /// Messages that were delivered again after they had been handled.
    pub(crate) redelivered: AtomicU64,
    /// Handlers that were dropped in the middle of their work.
    pub(crate) dropped: AtomicU64,
    /// Of these, of place-call.
    pub(crate) dropped_placing: AtomicU64,
    /// Handlers that asked for another try.
    pub(crate) retried: AtomicU64,
    /// Wishes that were sent twice with one key.
    pub(crate) sent_twice: AtomicU64,
    /// Wishes that found their number busy.
    pub(crate) busy: AtomicU64,
    /// Wishes for a number whose owner wants no more calls.
    pub(crate) refused: AtomicU64,
    /// Campaigns that were paused by their owner, and let go on.
    pub(crate) paused: AtomicU64,
    /// Campaigns that were let go on after they had paused themselves.
    pub(crate) insisted: AtomicU64,
    /// Wishes that got no answer, or 503, and were sent again.
    pub(crate) sent_again: AtomicU64,
    /// Runs of a schedule that failed.
    pub(crate) schedule_failed: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// So many.
pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// What the simulator did, by class, from its rules with their counts.
#[derive(Debug, Default)]
pub(crate) struct Fired {
    /// How often, by kind of fault.
    pub(crate) by_kind: BTreeMap<String, u64>,
    /// Questions to place a call that ended without a clear answer although nothing was taken.
    pub(crate) never_taken: u64,
}

impl Fired {
    /// Reads the simulator's rules.
    pub(crate) fn read(rules: &Value) -> Self {
        let mut fired = Self::default();
        for rule in rules.as_array().into_iter().flatten() {
            let times = rule["fired"].as_u64().unwrap_or(0);
            let (place, kind) = (rule["where"].as_str().unwrap_or_default(), rule["kind"].as_str().unwrap_or_default());
            if kind == "lag_ms" {
                continue;
            }
            let what = match (place, kind) {
                (place, "taken_but_no_answer") if PLACING.contains(&place) => "call taken but no answer",
                (place, _) if PLACING.contains(&place) => "call refused or not taken",
                (place, _) if READS.contains(&place) => "vendor reads failed",
                (_, "drop") => "webhooks dropped",
                (_, "double") => "webhooks doubled",
                (_, "reorder") => "webhooks reordered",
                (_, "delay_ms") => "webhooks delayed",
                _ => "webhook answers lost",
            };
            *fired.by_kind.entry(what.to_owned()).or_default() += times;
            let clear = rule["json"] == true;
            if PLACING.contains(&place) && (kind == "refuse_connection" || kind == "http_status" && !clear) {
                fired.never_taken += times;
            }
        }
        fired
    }

    /// So many of a class.
    pub(crate) fn of(&self, what: &str) -> u64 {
        self.by_kind.get(what).copied().unwrap_or(0)
    }
}
