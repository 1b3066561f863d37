//! Who is called, as its owner describes the person; kept with the attempt, and told to the guard.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::guard::{Consent, ConsentKind, Contact, Purpose, StateCode, TimeZoneName, known_postal_code};
use crate::problem::FieldError;

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

/// The same as texts, as people send them.
#[derive(Debug, Clone, Default)]
pub struct CalleeTexts {
    /// IANA zone.
    pub timezone: Option<String>,
    /// State.
    pub state: Option<String>,
    /// ZIP code.
    pub postal_code: Option<String>,
    /// Kind of consent.
    pub consent_type: Option<String>,
    /// When it was given, RFC 3339.
    pub consent_at: Option<String>,
    /// Where it is recorded.
    pub consent_source: Option<String>,
    /// Why the person is called.
    pub purpose: Option<String>,
}

impl CalleeTexts {
    /// Reads them; what is wrong is left out of the callee and reported.
    #[must_use]
    pub fn parse(self) -> (Callee, Vec<FieldError>) {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, problem: String, mend: &str| errors.push(FieldError::new(field, problem, mend));
        let timezone = self.timezone.filter(|zone| match TimeZoneName::parse(zone) {
            Ok(_) => true,
            Err(problem) => {
                wrong("timezone", problem.to_string(), "Use an IANA name such as America/Chicago.");
                false
            }
        });
        let state = self.state.and_then(|state| match StateCode::parse(&state) {
            Ok(state) => Some(state.as_str().to_owned()),
            Err(problem) => {
                wrong("state", problem.to_string(), "Use two letters such as TX.");
                None
            }
        });
        let postal_code = self.postal_code.filter(|code| {
            let known = known_postal_code(code);
            if !known {
                wrong("postal_code", "is not a ZIP code".to_owned(), "Use five digits such as 78701, or nine.");
            }
            known
        });
        let consent_type = self.consent_type.filter(|kind| match ConsentKind::parse(kind) {
            Ok(_) => true,
            Err(problem) => {
                wrong("consent_type", problem.to_string(), "Use one of these words.");
                false
            }
        });
        let consent_at = self.consent_at.and_then(|at| {
            let time = at.parse::<Timestamp>().ok();
            if time.is_none() {
                wrong("consent_at", "is not a time".to_owned(), "Use RFC 3339, such as 2026-03-01T12:00:00Z.");
            }
            time
        });
        let consent_source = self.consent_source.filter(|source| {
            let good = source.len() <= 500 && !source.contains('\0');
            if !good {
                wrong("consent_source", "is too long or holds a NUL".to_owned(), "Keep it under 500 bytes.");
            }
            good
        });
        let purpose = self.purpose.and_then(|purpose| match Purpose::parse(&purpose) {
            Ok(purpose) => Some(purpose),
            Err(problem) => {
                wrong("purpose", problem.to_string(), "Use one of these words.");
                None
            }
        });
        let callee = Callee { timezone, state, postal_code, consent_type, consent_at, consent_source, purpose };
        (callee, errors)
    }
}
