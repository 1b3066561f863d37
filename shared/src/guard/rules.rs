//! What the owner asks for, and what is known of the number: the guard's other inputs.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::windows::Windows;
use super::zone::TimeZoneName;

/// Why somebody is called. There is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Sells, advertises, or asks for money.
    Marketing,
    /// Tells the person something of their own business, and sells nothing.
    Informational,
    /// Health or safety (47 CFR 64.1200(f)(4)).
    Emergency,
}

/// The text names no purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is none of marketing, informational, emergency")]
pub struct NotAPurpose;

impl Purpose {
    /// Parses the word.
    ///
    /// # Errors
    /// When the text is none of the three words.
    pub fn parse(text: &str) -> Result<Self, NotAPurpose> {
        match text.trim().to_ascii_lowercase().as_str() {
            "marketing" => Ok(Self::Marketing),
            "informational" => Ok(Self::Informational),
            "emergency" => Ok(Self::Emergency),
            _ => Err(NotAPurpose),
        }
    }

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Informational => "informational",
            Self::Emergency => "emergency",
        }
    }
}

/// At most `attempts` within any `within`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// How many; 0 forbids all.
    pub attempts: u32,
    /// In how long, rolling. Seconds in JSON.
    #[serde(serialize_with = "seconds", deserialize_with = "from_seconds")]
    pub within: Duration,
}

/// What the owner asks for. It can only narrow what the law allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// Why the person is called. `None`, a single call without one: consent is not looked at, hours are marketing's.
    pub purpose: Option<Purpose>,
    /// Whether consent is looked at. `false` where it was not given and is not to be assumed: the answer says so.
    pub check_consent: bool,
    /// The owner's windows, in the callee's time. `None`: no others than the law's.
    pub windows: Option<Windows>,
    /// Days on which nobody is called.
    pub excluded_dates: Vec<Date>,
    /// Where `excluded_dates` are days; `None`: where the callee is, in each of the zones it may be.
    pub campaign_zone: Option<TimeZoneName>,
    /// The owner's caps, beside the law's.
    pub caps: Vec<Cap>,
    /// How long it may ring.
    #[serde(serialize_with = "seconds")]
    pub ring_timeout: Duration,
    /// How long the carrier may let it wait before it rings.
    #[serde(serialize_with = "seconds")]
    pub queue_allowance: Duration,
    /// For clocks that differ.
    #[serde(serialize_with = "seconds")]
    pub margin: Duration,
    /// How long a person who refused a call is left alone.
    #[serde(serialize_with = "seconds")]
    pub refusal_gap: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            purpose: None,
            check_consent: true,
            windows: None,
            excluded_dates: Vec::new(),
            campaign_zone: None,
            caps: Vec::new(),
            ring_timeout: Duration::from_secs(30),
            queue_allowance: Duration::from_mins(1),
            margin: Duration::from_secs(30),
            refusal_gap: Duration::from_hours(24),
        }
    }
}

/// What is known of the number, over all campaigns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct History {
    /// The person asked not to be called.
    pub suppressed: bool,
    /// An earlier attempt was never found again; until then it may still ring.
    pub hold_until: Option<Timestamp>,
    /// When it was dialled, in any order.
    pub attempts: Vec<Timestamp>,
    /// When the person last refused a call.
    pub last_refusal: Option<Timestamp>,
    /// The last answered call has no transcript yet: the person may have asked not to be called.
    pub transcript_awaited: bool,
}

fn from_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_written_in_seconds() {
        let cap: Cap = serde_json::from_str(r#"{"attempts":2,"within":3600}"#).unwrap();
        assert_eq!(cap, Cap { attempts: 2, within: Duration::from_hours(1) });
        assert_eq!(serde_json::to_string(&cap).unwrap(), r#"{"attempts":2,"within":3600}"#);
    }

    #[test]
    fn a_purpose_is_one_of_three_words() {
        for word in ["marketing", "informational", "emergency"] {
            assert_eq!(Purpose::parse(word).unwrap().as_str(), word);
        }
        assert_eq!(Purpose::parse(" Marketing "), Ok(Purpose::Marketing));
        assert_eq!(Purpose::parse("sales").unwrap_err().to_string(), "is none of marketing, informational, emergency");
    }
}
