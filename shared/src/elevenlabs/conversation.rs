//! A conversation, from a webhook or from the API, which are of one shape. Only its id is required.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::hints::CallHints;
use super::screening::screened;
use super::turn::{Latency, Turn, latencies};
use super::{flat, loose, text};

/// A conversation of an agent with whoever was on the line.
#[derive(Clone, PartialEq)]
pub struct Conversation {
    /// The vendor's id.
    pub conversation_id: String,
    /// The vendor's id of the agent.
    pub agent_id: Option<String>,
    /// Name of the agent.
    pub agent_name: Option<String>,
    /// How far it is.
    pub status: Status,
    /// What was said and done.
    pub turns: Vec<Turn>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// Seconds.
    pub duration_secs: Option<i64>,
    /// What it cost, in the vendor's credits.
    pub cost_credits: Option<i64>,
    /// What it cost, in US dollars.
    pub cost_fiat: Option<f64>,
    /// Why it ended, in the vendor's free text.
    pub termination_reason: Option<String>,
    /// What failed.
    pub error: Option<CallError>,
    /// Whether there is a recording; old payloads do not say.
    pub has_audio: Option<bool>,
    /// Summary of the transcript.
    pub summary: Option<String>,
    /// Title of the summary.
    pub title: Option<String>,
    /// `success`, `failure` or `unknown`.
    pub call_successful: Option<String>,
    /// The whole analysis.
    pub analysis: Option<Value>,
    /// The user id that was given when the conversation began.
    pub user_id: Option<String>,
    /// The telephone call.
    pub phone_call: Option<PhoneCall>,
    /// Variables of the conversation, ours and the vendor's (`system__*`); without the secret ones.
    pub dynamic_variables: Map<String, Value>,
    /// Our campaign's id, from the variable `campaign_id` (or the guide's metadata).
    pub campaign_id: Option<String>,
    /// Whether the agent found that it was talking to a voicemail box.
    pub voicemail: bool,
    /// Whether an assistant that screens calls answered, and nobody came after it.
    pub screened: bool,
    /// Latencies by the vendor's name of the step.
    pub latencies: BTreeMap<String, Latency>,
    /// Whether text that PostgreSQL cannot hold was replaced.
    pub text_mended: bool,
}

/// How far a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It has begun.
    Initiated,
    /// Somebody is talking.
    InProgress,
    /// It is over and being analysed.
    Processing,
    /// Final.
    Done,
    /// Final: it failed.
    Failed,
    /// Any other word; empty when there is none.
    Other(String),
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The vendor's code.
    pub code: Option<i64>,
    /// Why.
    pub reason: Option<String>,
}

/// The telephone call of a conversation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PhoneCall {
    /// `sip_trunking`, `twilio`, …
    pub kind: Option<String>,
    /// `inbound` or `outbound`, as ElevenLabs sees it: a call that we bridge to it is inbound.
    pub direction: Option<String>,
    /// The agent's number, not always in E.164 form.
    pub agent_number: Option<String>,
    /// The other side's number, not always in E.164 form.
    pub external_number: Option<String>,
    /// Id of the call: the carrier's, ElevenLabs' own, or what was sent in `X-CALL-ID`.
    pub call_sid: Option<String>,
    /// The same; which of the two holds `X-CALL-ID` is not documented.
    pub call_id: Option<String>,
    /// Headers of the INVITE, as variables (`X-Foo-Bar` is `sip_foo_bar`).
    pub sip_headers: Map<String, Value>,
}

/// The body is not a conversation.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or no object where there must be one.
    #[error("the body is not the JSON object that was expected")]
    NotAnObject,
    /// It does not say which conversation it is.
    #[error("the body names no conversation")]
    NoId,
}

impl Conversation {
    /// Reads a webhook: the conversation is its `data`.
    ///
    /// # Errors
    /// When it is not JSON, or names no conversation.
    pub fn from_webhook(body: &[u8]) -> Result<Self, Unreadable> {
        let (mut envelope, mended) = object(body)?;
        Self::read(loose::take(&mut envelope, "data"), mended)
    }

    /// Reads the API's answer.
    ///
    /// # Errors
    /// When it is not JSON, or names no conversation.
    pub fn from_api(body: &[u8]) -> Result<Self, Unreadable> {
        let (data, mended) = object(body)?;
        Self::read(data, mended)
    }

    /// Reads the integration guide's flat shape: `call_id`, `conversation.messages`, `metadata.*`. Without an id of its own,
    /// such a conversation goes by its `call_id`.
    ///
    /// # Errors
    /// When it is not JSON, or names neither a conversation nor a call.
    pub fn from_flat(body: &[u8]) -> Result<Self, Unreadable> {
        let (body, mended) = object(body)?;
        Self::read(flat::into_nested(body), mended)
    }

    fn read(mut data: Value, text_mended: bool) -> Result<Self, Unreadable> {
        if !data.is_object() {
            return Err(Unreadable::NotAnObject);
        }
        let conversation_id = loose::text(&data["conversation_id"]).ok_or(Unreadable::NoId)?;
        let turns: Vec<Turn> = match loose::take(&mut data, "transcript") {
            Value::Array(turns) => turns.into_iter().map(Turn::read).collect(),
            _ => Vec::new(),
        };
        let metadata = &data["metadata"];
        let analysis = &data["analysis"];
        let client = &data["conversation_initiation_client_data"];
        let termination_reason = loose::text(&metadata["termination_reason"]);
        let dynamic_variables = variables(&client["dynamic_variables"]);
        let said_voicemail =
            termination_reason.as_ref().is_some_and(|reason| reason.to_lowercase().contains("voicemail"));
        Ok(Self {
            agent_id: loose::text(&data["agent_id"]),
            agent_name: loose::text(&data["agent_name"]),
            status: Status::parse(data["status"].as_str().unwrap_or_default()),
            started_at: loose::moment(&metadata["start_time_unix_secs"]),
            duration_secs: loose::int(&metadata["call_duration_secs"]).filter(|secs| *secs >= 0),
            cost_credits: loose::int(&metadata["cost"]),
            cost_fiat: loose::float(&metadata["cost_fiat"]),
            error: CallError::read(&metadata["error"]),
            has_audio: loose::flag(&data["has_audio"]),
            summary: loose::text(&analysis["transcript_summary"]),
            title: loose::text(&analysis["call_summary_title"]),
            call_successful: loose::text(&analysis["call_successful"]),
            analysis: Some(analysis).filter(|analysis| analysis.is_object()).cloned(),
            user_id: loose::text(&data["user_id"]).or_else(|| loose::text(&client["user_id"])),
            phone_call: PhoneCall::read(&metadata["phone_call"]),
            campaign_id: dynamic_variables.get("campaign_id").and_then(loose::text),
            voicemail: said_voicemail || turns.iter().any(Turn::found_voicemail),
            screened: screened(
                turns.iter().filter(|turn| turn.role == "user").filter_map(|turn| turn.message.as_deref()),
            ),
            latencies: latencies(&turns),
            conversation_id,
            turns,
            termination_reason,
            dynamic_variables,
            text_mended,
        })
    }

    /// The turns as they are stored: `[{role, message, time_in_call_secs, …}]`.
    #[must_use]
    pub fn messages(&self) -> Value {
        Value::Array(self.turns.iter().map(Turn::to_json).collect())
    }

    /// What it says about the call that it belongs to.
    #[must_use]
    pub fn call_hints(&self) -> CallHints {
        let none = PhoneCall::default();
        let phone = self.phone_call.as_ref().unwrap_or(&none);
        CallHints::read(
            &phone.sip_headers,
            &self.dynamic_variables,
            [phone.call_sid.as_deref(), phone.call_id.as_deref()],
        )
    }
}

// Written out, because it is what people said.
impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("conversation_id", &self.conversation_id)
            .field("agent_id", &self.agent_id)
            .field("status", &self.status)
            .field("turns", &self.turns.len())
            .field("duration_secs", &self.duration_secs)
            .finish_non_exhaustive()
    }
}

impl Status {
    /// Reads the vendor's word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "initiated" => Self::Initiated,
            "in-progress" => Self::InProgress,
            "processing" => Self::Processing,
            "done" => Self::Done,
            "failed" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The vendor's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Initiated => "initiated",
            Self::InProgress => "in-progress",
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Other(word) => word,
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl CallError {
    fn read(error: &Value) -> Option<Self> {
        let read = match error {
            Value::String(_) => Self { code: None, reason: loose::text(error) },
            error => {
                Self { code: loose::int(&error["code"]), reason: loose::first_text(error, &["reason", "message"]) }
            }
        };
        (read.code.is_some() || read.reason.is_some()).then_some(read)
    }
}

impl PhoneCall {
    fn read(call: &Value) -> Option<Self> {
        call.is_object().then(|| Self {
            kind: loose::text(&call["type"]),
            direction: loose::text(&call["direction"]),
            agent_number: loose::text(&call["agent_number"]),
            external_number: loose::text(&call["external_number"]),
            call_sid: loose::text(&call["call_sid"]),
            call_id: loose::text(&call["call_id"]),
            sip_headers: variables(&call["sip_header_dynamic_variables"]),
        })
    }
}

// Written out, because it holds phone numbers.
impl fmt::Debug for PhoneCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneCall")
            .field("kind", &self.kind)
            .field("call_sid", &self.call_sid)
            .field("call_id", &self.call_id)
            .finish_non_exhaustive()
    }
}

fn object(body: &[u8]) -> Result<(Value, bool), Unreadable> {
    let (value, mended) = text::parse::<Value>(body).map_err(|_| Unreadable::NotAnObject)?;
    if value.is_object() { Ok((value, mended)) } else { Err(Unreadable::NotAnObject) }
}

fn variables(value: &Value) -> Map<String, Value> {
    let all = value.as_object().cloned().unwrap_or_default();
    all.into_iter().filter(|(name, _)| !name.starts_with("secret__")).collect()
}

#[cfg(test)]
mod tests;
