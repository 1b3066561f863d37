//! Phone numbers in E.164 form. Nothing is prefixed by guess: a number without its country code is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A phone number in E.164 form, such as `+14155550100`. `Debug` and [`PhoneNumber::masked`] hide all but the last two
/// digits, so that a number cannot reach a log by accident.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// Why a text is not a phone number that can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// The country code is missing.
    #[error("has no country code")]
    NoCountryCode,
    /// Not a phone number at all, or not a possible one in its country.
    #[error("is not a valid phone number")]
    Invalid,
}

impl PhoneNumber {
    /// Parses a number as people write it (`+1 (415) 555-0100`).
    ///
    /// # Errors
    /// When the country code is missing, or the number is not possible in its country.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let text = text.trim();
        if !text.starts_with('+') {
            return Err(NotANumber::NoCountryCode);
        }
        // Letters ("+1 415 CALL NOW") and extensions would be rewritten by the library: that is guessing.
        if text.len() > 32 || !text[1..].chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')'))
        {
            return Err(NotANumber::Invalid);
        }
        let number = phonenumber::parse(None, text).map_err(|_| NotANumber::Invalid)?;
        if !phonenumber::is_valid(&number) {
            return Err(NotANumber::Invalid);
        }
        Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
    }

    /// The number, such as `+14155550100`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number with all but its last two digits hidden, for logs and tables: `+*********00`.
    #[must_use]
    pub fn masked(&self) -> String {
        let hidden = self.0.len().saturating_sub(3);
        format!("+{}{}", "*".repeat(hidden), &self.0[self.0.len().saturating_sub(2)..])
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.masked())
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = NotANumber;

    fn try_from(text: String) -> Result<Self, NotANumber> {
        Self::parse(&text)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_parses_as_people_write_it() {
        for text in ["+14155550123", "+1 (415) 555-0123", " +1-415-555-0123 ", "+1.415.555.0123"] {
            assert_eq!(PhoneNumber::parse(text).unwrap().as_str(), "+14155550123", "{text}");
        }
        assert_eq!(PhoneNumber::parse("+44 20 7946 0018").unwrap().as_str(), "+442079460018");
    }

    #[test]
    fn nothing_is_prefixed_by_guess() {
        for text in ["4155550123", "14155550123", "0014155550123", "", "tel:+14155550123"] {
            assert_eq!(PhoneNumber::parse(text), Err(NotANumber::NoCountryCode), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_number_is_refused() {
        for text in
            ["+", "+1", "+1415555", "+1415555012345678", "+999123456789", "+1 415 CALL NOW", "+14155550123;ext=5"]
        {
            assert_eq!(PhoneNumber::parse(text), Err(NotANumber::Invalid), "{text}");
        }
    }

    #[test]
    fn debug_hides_the_number() {
        let number = PhoneNumber::parse("+14155550123").unwrap();
        assert_eq!(format!("{number:?}"), "PhoneNumber(+*********23)");
    }
}
