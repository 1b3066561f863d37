//! A call that ElevenLabs could not initiate.

use std::fmt;

use serde_json::Value;

use super::conversation::Unreadable;
use super::{loose, text};

/// What a `call_initiation_failure` event says.
#[derive(Clone, PartialEq, Eq)]
pub struct InitiationFailure {
    /// The vendor's id of the conversation that did not come about.
    pub conversation_id: Option<String>,
    /// The vendor's id of the agent.
    pub agent_id: Option<String>,
    /// Why, in short.
    pub failure_reason: FailureReason,
    /// How the call was made.
    pub transport: Transport,
    /// SIP code with which it ended.
    pub sip_status_code: Option<u16>,
    /// Why, in the vendor's words.
    pub error_reason: Option<String>,
    /// The carrier's id of the call.
    pub call_sid: Option<String>,
    /// Calling number, as the vendor writes it.
    pub from_number: Option<String>,
    /// Called number, as the vendor writes it.
    pub to_number: Option<String>,
    /// Whether text that PostgreSQL cannot hold was replaced.
    pub text_mended: bool,
}

/// Why a call could not be initiated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureReason {
    /// The line was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// `unknown`, or a word that the references do not list.
    Unknown(String),
}

/// How a call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Through a SIP trunk.
    Sip,
    /// Through Twilio.
    Twilio,
    /// Otherwise.
    Other,
}

impl InitiationFailure {
    /// Reads the event.
    ///
    /// # Errors
    /// When it is not JSON with a `data` object, or names neither a conversation nor a call.
    pub fn parse(body: &[u8]) -> Result<Self, Unreadable> {
        let (event, text_mended) = text::parse::<Value>(body).map_err(|_| Unreadable::NotAnObject)?;
        let data = &event["data"];
        if !data.is_object() {
            return Err(Unreadable::NotAnObject);
        }
        let metadata = &data["metadata"];
        let details = &metadata["body"];
        let find = |names: &[&str]| loose::first_text(details, names);
        let failure = Self {
            conversation_id: loose::text(&data["conversation_id"]),
            agent_id: loose::text(&data["agent_id"]),
            failure_reason: FailureReason::parse(data["failure_reason"].as_str().unwrap_or_default()),
            transport: Transport::parse(metadata["type"].as_str().unwrap_or_default()),
            sip_status_code: find(&["sip_status_code", "SipResponseCode"]).and_then(|code| code.parse().ok()),
            error_reason: find(&["error_reason", "sip_status", "ErrorMessage", "CallStatus"]),
            call_sid: find(&["call_sid", "CallSid"]),
            from_number: find(&["from_number", "From"]),
            to_number: find(&["to_number", "To"]),
            text_mended,
        };
        if failure.conversation_id.is_none() && failure.call_sid.is_none() {
            Err(Unreadable::NoId)
        } else {
            Ok(failure)
        }
    }
}

// Written out, because it holds phone numbers.
impl fmt::Debug for InitiationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitiationFailure")
            .field("conversation_id", &self.conversation_id)
            .field("failure_reason", &self.failure_reason)
            .field("sip_status_code", &self.sip_status_code)
            .field("call_sid", &self.call_sid)
            .finish_non_exhaustive()
    }
}

impl FailureReason {
    /// Reads the vendor's word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "busy" => Self::Busy,
            "no-answer" | "no_answer" => Self::NoAnswer,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The vendor's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Unknown(word) => word,
        }
    }
}

impl Transport {
    fn parse(word: &str) -> Self {
        match word {
            word if word.starts_with("sip") => Self::Sip,
            "twilio" => Self::Twilio,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sip_failure_is_read() {
        let failure = InitiationFailure::parse(include_bytes!("fixtures/call_initiation_failure_sip.json")).unwrap();
        assert_eq!(failure.conversation_id.as_deref(), Some("conv_01k2x9failsip"));
        assert_eq!(failure.agent_id.as_deref(), Some("agent_01jz8demo"));
        assert_eq!((failure.failure_reason, failure.transport), (FailureReason::Busy, Transport::Sip));
        assert_eq!(failure.sip_status_code, Some(486));
        assert_eq!(failure.error_reason.as_deref(), Some("INVITE failed: sip status: 486: Busy here"));
        assert_eq!(failure.call_sid.as_deref(), Some("SCL_h7Bq2Yc9"));
        assert_eq!(failure.from_number.as_deref(), Some("15551234567"));
        assert_eq!(failure.to_number.as_deref(), Some("+15559876543"));
        assert!(!failure.text_mended);
    }

    #[test]
    fn a_twilio_failure_is_read() {
        let failure = InitiationFailure::parse(include_bytes!("fixtures/call_initiation_failure_twilio.json")).unwrap();
        assert_eq!((failure.failure_reason, failure.transport), (FailureReason::NoAnswer, Transport::Twilio));
        assert_eq!(failure.call_sid.as_deref(), Some("CA1234567890abcdef1234567890abcdef"));
        assert_eq!(failure.sip_status_code, Some(487));
        assert_eq!(failure.to_number.as_deref(), Some("+15559876543"));
    }

    #[test]
    fn everything_but_one_id_may_be_missing() {
        let parse = |event: Value| InitiationFailure::parse(event.to_string().as_bytes());
        let failure = parse(json!({"data": {"conversation_id": "c", "failure_reason": 5, "metadata": null}})).unwrap();
        assert_eq!(
            (failure.failure_reason, failure.transport),
            (FailureReason::Unknown(String::new()), Transport::Other)
        );
        assert!(parse(json!({"data": {"metadata": {"type": "exotel", "body": {"CallSid": "x"}}}})).is_ok());
        assert!(matches!(parse(json!({"data": {"agent_id": "a"}})), Err(Unreadable::NoId)));
        assert!(matches!(parse(json!({"data": []})), Err(Unreadable::NotAnObject)));
        assert!(matches!(parse(json!([])), Err(Unreadable::NotAnObject)));
    }
}
