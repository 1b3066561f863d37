//! The simulator's own book: what was dialled, said, recorded and delivered. It judges the product's tables.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// One dial of the telephone network.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Dial {
    pub sid: String,
    pub to: String,
    pub from: String,
    /// `signalwire` or `elevenlabs`: whose API was asked.
    pub placed_by: &'static str,
    /// Name of the fate that the number decided.
    pub fate: &'static str,
    pub requested_at: Option<Timestamp>,
    pub initiated_at: Option<Timestamp>,
    pub rung_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Final status, or the present one.
    pub status: String,
    /// Nominal seconds since the answer.
    pub duration: u32,
    pub sip_code: Option<u16>,
    pub answered_by: Option<String>,
    /// The voice URL as it was given; it may carry the product's own id.
    pub url: Option<String>,
    pub deliveries: Vec<Delivery>,
    pub legs: Vec<Leg>,
}

/// One webhook or callback, with all its attempts.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    /// `initiated`, `ringing`, …, `voice`, `fallback`, `action`, `amd`, `initiation`, `post_call_transcription`, ….
    pub event: String,
    pub attempts: u32,
    /// An attempt was answered as the vendor wants it.
    pub delivered: bool,
    /// Status of the last answer, if there was one.
    pub last_status: Option<u16>,
    /// Why it will not be delivered: `fault`, `retries_exhausted`, `not_retryable`, `queue_full`, `disabled`.
    pub lost: Option<&'static str>,
}

/// The leg towards an agent.
#[derive(Debug, Clone, Serialize)]
pub struct Leg {
    pub sid: String,
    pub number: String,
    pub agent_id: Option<String>,
    /// `connected`, `refused`, `not_found`, `failed`, `canceled`.
    pub outcome: &'static str,
    pub sip_code: u16,
    pub conversation_id: Option<String>,
    pub headers: BTreeMap<String, String>,
}

/// A conversation as it really was.
#[derive(Debug, Clone, Serialize)]
pub struct ConversationEntry {
    pub conversation_id: String,
    pub agent_id: String,
    /// The dial that it belongs to; none for an inbound call.
    pub dial_sid: Option<String>,
    pub external_number: String,
    pub status: String,
    pub started_at: Timestamp,
    pub duration: u32,
    /// Variables that the agent spoke with.
    pub variables: Value,
    /// `[role, message or null]` a turn.
    pub turns: Vec<(String, Option<String>)>,
    pub termination_reason: String,
    pub recording: Option<RecordingEntry>,
    pub deliveries: Vec<Delivery>,
}

/// What the recording is.
#[derive(Debug, Clone, Serialize)]
pub struct RecordingEntry {
    pub sha256: String,
    pub bytes: u64,
    pub seconds: f64,
}

/// The whole book.
#[derive(Debug, Default, Serialize)]
pub struct Book {
    pub dials: BTreeMap<String, Dial>,
    pub conversations: BTreeMap<String, ConversationEntry>,
    /// Requests by vendor endpoint and by status (0: connection cut or answer lost).
    pub requests: BTreeMap<String, BTreeMap<u16, u32>>,
    pub max_queue_depth: usize,
    pub max_concurrent_legs: usize,
    pub refused_legs: u32,
    pub inbound_calls: u32,
}

impl Book {
    /// Notes one answer of a vendor endpoint.
    pub fn request(&mut self, endpoint: &str, status: u16) {
        *self.requests.entry(endpoint.to_owned()).or_default().entry(status).or_default() += 1;
    }

    /// Changes a dial, if it is known.
    pub fn dial(&mut self, sid: &str, change: impl FnOnce(&mut Dial)) {
        if let Some(dial) = self.dials.get_mut(sid) {
            change(dial);
        }
    }

    /// Changes a conversation, if it is known.
    pub fn conversation(&mut self, id: &str, change: impl FnOnce(&mut ConversationEntry)) {
        if let Some(entry) = self.conversations.get_mut(id) {
            change(entry);
        }
    }

    /// Counts, and the numbers that had two dials at the same time.
    #[must_use]
    pub fn summary(&self) -> Value {
        let mut statuses: BTreeMap<&str, u32> = BTreeMap::new();
        let mut dials_per_number: BTreeMap<&str, u32> = BTreeMap::new();
        for dial in self.dials.values() {
            *statuses.entry(&dial.status).or_default() += 1;
            *dials_per_number.entry(&dial.to).or_default() += 1;
        }
        let redialled = dials_per_number.values().filter(|count| **count > 1).count();
        json!({
            "dials": self.dials.len(),
            "statuses": statuses,
            "numbers": dials_per_number.len(),
            "numbers_dialled_more_than_once": redialled,
            "overlapping_dials": self.overlapping(),
            "conversations": self.conversations.len(),
            "recordings": self.conversations.values().filter(|c| c.recording.is_some()).count(),
            "inbound_calls": self.inbound_calls,
            "refused_legs": self.refused_legs,
            "max_queue_depth": self.max_queue_depth,
            "max_concurrent_legs": self.max_concurrent_legs,
            "requests": self.requests,
        })
    }

    /// Pairs of dials to one number of which the second was asked for before the first had ended.
    #[must_use]
    pub fn overlapping(&self) -> Vec<(String, String)> {
        let mut dials: Vec<&Dial> = self.dials.values().filter(|d| d.requested_at.is_some()).collect();
        dials.sort_by(|a, b| (&a.to, a.requested_at).cmp(&(&b.to, b.requested_at)));
        let mut pairs = Vec::new();
        for pair in dials.windows(2) {
            if let [first, second] = pair
                && first.to == second.to
                && first.ended_at.is_none_or(|end| second.requested_at.is_some_and(|at| at < end))
            {
                pairs.push((first.sid.clone(), second.sid.clone()));
            }
        }
        pairs
    }
}
