//! What SignalWire tells us about a call: the voice request, status callbacks, the end of a `<Dial>`, and the answering
//! machine's result. A form, or flat JSON with the same names. Everything but `CallSid` is optional.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::fields;

/// One callback. Keeps every field that came.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    call_sid: String,
    fields: BTreeMap<String, String>,
    text_mended: bool,
}

/// Why a body is not a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// JSON that is broken, or not an object.
    #[error("the body is neither a form nor a JSON object")]
    Unreadable,
    /// No `CallSid`, or an empty or absurdly long one.
    #[error("the body names no call")]
    NoCallSid,
}

/// What the carrier says of a call or of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallStatus {
    /// Taken, not dialled yet.
    Queued,
    /// Dialling.
    Initiated,
    /// It rings.
    Ringing,
    /// Answered.
    Answered,
    /// Answered; the same moment as `answered`.
    InProgress,
    /// Ended after it was answered.
    Completed,
    /// Ended: busy.
    Busy,
    /// Ended: nobody answered in time.
    NoAnswer,
    /// Ended: failed.
    Failed,
    /// Ended: taken back before it was answered.
    Canceled,
    /// A word that the references do not list.
    Unknown(String),
}

/// Who answered, by the carrier's detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A person.
    Human,
    /// A machine, or a fax.
    Machine,
    /// The detection could not tell, or said something that the references do not list.
    Unknown,
}

impl Callback {
    /// Reads a body by its content type. Of a field that stands twice, the first counts.
    ///
    /// # Errors
    /// When it is no form and no JSON object, or names no call.
    pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, Malformed> {
        Self::from_fields(fields::read(content_type, body).ok_or(Malformed::Unreadable)?)
    }

    /// Takes fields that were read before.
    ///
    /// # Errors
    /// When they name no call.
    pub fn from_fields(read: impl IntoIterator<Item = (String, String)>) -> Result<Self, Malformed> {
        let mut fields = BTreeMap::new();
        let mut text_mended = false;
        for (name, value) in read {
            text_mended |= name.contains('\0') || value.contains('\0');
            fields.entry(mended(name)).or_insert_with(|| mended(value));
        }
        let call_sid = fields.get("CallSid").map(|sid| sid.trim().to_owned()).unwrap_or_default();
        if call_sid.is_empty() || call_sid.len() > 128 {
            return Err(Malformed::NoCallSid);
        }
        Ok(Self { call_sid, fields, text_mended })
    }

    /// A field, unless it is missing or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).map(str::trim).filter(|value| !value.is_empty())
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &BTreeMap<String, String> {
        &self.fields
    }

    /// All fields, for keeping.
    #[must_use]
    pub fn into_fields(self) -> BTreeMap<String, String> {
        self.fields
    }

    /// Whether a NUL, which PostgreSQL cannot hold, was replaced.
    #[must_use]
    pub fn text_mended(&self) -> bool {
        self.text_mended
    }

    /// The carrier's id of the call.
    #[must_use]
    pub fn call_sid(&self) -> &str {
        &self.call_sid
    }

    /// Status of the call.
    #[must_use]
    pub fn call_status(&self) -> Option<CallStatus> {
        self.get("CallStatus").map(CallStatus::parse)
    }

    /// Who answered, if detection was asked for.
    #[must_use]
    pub fn answered_by(&self) -> Option<AnsweredBy> {
        self.get("AnsweredBy").map(AnsweredBy::parse)
    }

    /// SIP code with which the call ended.
    #[must_use]
    pub fn sip_result_code(&self) -> Option<u16> {
        // `SipResponseCode` is what the compatible vendor calls it.
        self.number("SipResultCode").or_else(|| self.number("SipResponseCode"))
    }

    /// Number of the callback within its call, from 0.
    #[must_use]
    pub fn sequence_number(&self) -> Option<u32> {
        self.number("SequenceNumber")
    }

    /// Seconds from answer to end.
    #[must_use]
    pub fn call_duration(&self) -> Option<u32> {
        self.number("CallDuration")
    }

    /// What became of the dialled leg (the agent's).
    #[must_use]
    pub fn dial_call_status(&self) -> Option<CallStatus> {
        self.get("DialCallStatus").map(CallStatus::parse)
    }

    /// The carrier's id of the dialled leg.
    #[must_use]
    pub fn dial_call_sid(&self) -> Option<&str> {
        self.get("DialCallSid")
    }

    /// SIP code with which the dialled leg answered.
    #[must_use]
    pub fn dial_sip_response_code(&self) -> Option<u16> {
        self.number("DialSipResponseCode")
    }

    /// Seconds that the dialled leg lasted.
    #[must_use]
    pub fn dial_call_duration(&self) -> Option<u32> {
        self.number("DialCallDuration")
    }

    /// Called number, as the carrier writes it.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        self.get("To")
    }

    /// Calling number, as the carrier writes it.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        self.get("From")
    }

    /// `inbound`, `outbound-api` or `outbound-dial`.
    #[must_use]
    pub fn direction(&self) -> Option<&str> {
        self.get("Direction")
    }

    /// Who hung up, as a number or a SIP address.
    #[must_use]
    pub fn hangup_by(&self) -> Option<&str> {
        self.get("HangupBy")
    }

    /// Which side hung up: `inbound` (the callee) or `outbound` (ours).
    #[must_use]
    pub fn hangup_direction(&self) -> Option<&str> {
        self.get("HangupDirection")
    }

    /// When it happened, by the carrier's clock.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.get("Timestamp").and_then(moment)
    }

    fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.get(name)?.parse().ok()
    }
}

// Written out, because fields hold phone numbers.
impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("call_sid", &self.call_sid)
            .field("call_status", &self.call_status())
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

impl CallStatus {
    /// Reads the carrier's word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "queued" => Self::Queued,
            "initiated" => Self::Initiated,
            "ringing" => Self::Ringing,
            "answered" => Self::Answered,
            "in-progress" => Self::InProgress,
            "completed" => Self::Completed,
            "busy" => Self::Busy,
            "no-answer" => Self::NoAnswer,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The carrier's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Unknown(word) => word,
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Busy | Self::NoAnswer | Self::Failed | Self::Canceled)
    }
}

impl AnsweredBy {
    /// Reads the carrier's word: only what is certainly a machine is one.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let word = word.trim().to_ascii_lowercase();
        if word == "human" {
            Self::Human
        } else if word.starts_with("machine") || word.starts_with("fax") {
            Self::Machine
        } else {
            Self::Unknown
        }
    }
}

/// A moment as the carrier writes it: RFC 2822, in some callbacks RFC 3339.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok().or_else(|| text.parse().ok())
}

/// PostgreSQL cannot hold a NUL.
fn mended(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests;
