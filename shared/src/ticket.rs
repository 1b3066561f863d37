//! What the answer document needs to know, carried in the query of the voice URL, so that nothing is looked up while
//! somebody is on the line. The carrier signs the URL, so the ticket needs no signature of its own. It is opaque, not
//! secret: it holds the owner's own agent number, never the callee's.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The values for one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The agent's number at ElevenLabs.
    #[serde(rename = "a")]
    pub agent_number: String,
    /// Seconds after which the call is ended.
    #[serde(rename = "t")]
    pub time_limit_secs: u32,
    /// Unix second after which the ticket is worth nothing: the signature itself has no time in it, so a request that was
    /// overheard could be sent again for ever.
    #[serde(rename = "u")]
    pub until: i64,
}

impl Ticket {
    /// As a value for a query.
    #[must_use]
    pub fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads it back; `None` when it is malformed or its time is over.
    #[must_use]
    pub fn decode(text: &str, now: Timestamp) -> Option<Self> {
        let ticket: Self = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (now.as_second() <= ticket.until).then_some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_until_its_time_is_over() {
        let ticket = Ticket { agent_number: "+15550001111".into(), time_limit_secs: 600, until: 100 };
        let text = ticket.encode();
        assert!(!text.contains("1555"), "{text}");
        assert_eq!(Ticket::decode(&text, Timestamp::from_second(100).unwrap()), Some(ticket));
        assert_eq!(Ticket::decode(&text, Timestamp::from_second(101).unwrap()), None);
        assert_eq!(Ticket::decode("nonsense", Timestamp::from_second(0).unwrap()), None);
    }
}
