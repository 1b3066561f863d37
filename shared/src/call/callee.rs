//! Who is called, as its owner describes the person; kept with the attempt, and told to the guard.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::guard::{Consent, ConsentKind, Contact, Purpose, StateCode, TimeZoneName};

/// What is known of a callee besides the number. Every text was checked when it came in; one that the guard does not
/// understand any more counts as missing consent, and as no zone given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Callee {
    /// IANA zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// State, two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// ZIP code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Kind of consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_type: Option<String>,
    /// When it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_at: Option<Timestamp>,
    /// Where it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_source: Option<String>,
    /// Why the person is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
}

impl Callee {
    /// As the guard wants it.
    #[must_use]
    pub fn contact(&self, number: &str, own: bool) -> Contact {
        let kind = self.consent_type.as_deref().and_then(|kind| ConsentKind::parse(kind).ok());
        let consent = kind.map(|kind| Consent { kind, at: self.consent_at, source: self.consent_source.clone() });
        Contact {
            number: number.to_owned(),
            timezone: self.timezone.as_deref().and_then(|zone| TimeZoneName::parse(zone).ok()),
            state: self.state.as_deref().and_then(|state| StateCode::parse(state).ok()),
            postal_code: self.postal_code.clone(),
            consent,
            own,
        }
    }
}
