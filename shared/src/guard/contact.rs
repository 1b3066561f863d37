//! Who is to be called, as far as the guard asks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::place::StateCode;
use super::zone::TimeZoneName;

/// Who is to be called. What is not given is not assumed; [`not_checked`](super::not_checked) lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// E.164.
    pub number: String,
    /// Zone that the owner knows of: can only narrow what the place allows.
    pub timezone: Option<TimeZoneName>,
    /// State that the owner knows of: its zones replace the area code's; the rules of both states apply.
    pub state: Option<StateCode>,
    /// ZIP code, five or nine digits: as `state`.
    pub postal_code: Option<String>,
    /// What the person agreed to.
    pub consent: Option<Consent>,
    /// The number is the owner's own (`OWN_NUMBERS`): hours, the law's attempts and consent are not looked at. Suppression
    /// and hold are.
    pub own: bool,
}

/// What the person agreed to, when, and how the owner knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consent {
    /// What kind of consent.
    pub kind: ConsentKind,
    /// When it was given.
    pub at: Option<Timestamp>,
    /// Where it is recorded, in the owner's words.
    pub source: Option<String>,
}

/// Kinds of consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentKind {
    /// Prior express written consent: signed, names the seller and the number, says that calls may be automated
    /// (47 CFR 64.1200(f)(9)).
    Written,
    /// Prior express consent, by word or by giving the number for that purpose.
    Express,
    /// The person asked about something.
    Inquiry,
    /// The person is or was a customer.
    ExistingBusiness,
    /// None.
    None,
}

/// The text names no kind of consent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is none of written, express, inquiry, existing_business, none")]
pub struct NotAConsent;

impl ConsentKind {
    /// Parses the word, in any case, with spaces or hyphens for the underscore.
    ///
    /// # Errors
    /// When the text is none of the words.
    pub fn parse(text: &str) -> Result<Self, NotAConsent> {
        match text.trim().to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
            "written" => Ok(Self::Written),
            "express" => Ok(Self::Express),
            "inquiry" => Ok(Self::Inquiry),
            "existing_business" => Ok(Self::ExistingBusiness),
            "none" => Ok(Self::None),
            _ => Err(NotAConsent),
        }
    }

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Express => "express",
            Self::Inquiry => "inquiry",
            Self::ExistingBusiness => "existing_business",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_consent_are_read_as_people_write_them() {
        for text in ["existing_business", "Existing business", " EXISTING-BUSINESS "] {
            assert_eq!(ConsentKind::parse(text), Ok(ConsentKind::ExistingBusiness), "{text}");
        }
        for word in ["written", "express", "inquiry", "existing_business", "none"] {
            assert_eq!(ConsentKind::parse(word).unwrap().as_str(), word);
        }
        let error = ConsentKind::parse("yes").unwrap_err().to_string();
        assert_eq!(error, "is none of written, express, inquiry, existing_business, none");
    }
}
