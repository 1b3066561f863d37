//! A row of a file becomes a contact, or is bad: with everything that is wrong in it.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::csv::{Flaw, Record};
use super::header::{Column, Field, Role};
use super::{BadRow, Contact, Fault, Row, Wishes, states};
use crate::guard::{self, Consent, ConsentKind, StateCode, TimeZoneName};
use crate::phone::PhoneNumber;
use crate::variables as variable;

/// Bytes of a consent's source.
const LONGEST_SOURCE: usize = 500;

const NO_CODE: &str = "has no country code: write it with + and its code, such as +14155550123, or import the file with \
                       default_country=US";
const EXCEL: &str = "was turned into a rounded number by Excel, and digits are lost: format the column as text, fill it \
                     again and export it again";
const NOT_A_NUMBER: &str = "is not a phone number: check its digits";
const NOT_UTF8: &str = "is not UTF-8: save the file as \"CSV UTF-8\"";

/// What `record` says.
pub(super) fn read(record: Record<'_>, columns: &[Column], wishes: &Wishes) -> Row {
    let line = record.line;
    if let Some(reason) = whole(record, columns) {
        return Row::Bad(BadRow { line, faults: vec![Fault { column: String::new(), reason, rule: None }] });
    }
    let mut reading = Reading::of(wishes);
    let mut faults = Vec::new();
    for (bytes, column) in record.fields().zip(columns) {
        if let Err(Wrong { reason, rule }) = reading.take(bytes, &column.role) {
            faults.push(Fault { column: column.name.clone(), reason: reason.into_owned(), rule });
        }
    }
    if !faults.is_empty() {
        return Row::Bad(BadRow { line, faults });
    }
    Row::Good(reading.contact(line))
}

fn whole(record: Record<'_>, columns: &[Column]) -> Option<String> {
    let reason = match record.flaw {
        Some(Flaw::TooLong) => "is longer than 64 kB".to_owned(),
        Some(Flaw::StrayQuote) => {
            "holds a quote within a quoted text: double it (\"\"), or leave the quotes away".to_owned()
        }
        Some(Flaw::TooManyColumns) => "has far more fields than the header".to_owned(),
        None if record.len() != columns.len() => {
            format!(
                "has {} fields where the header has {}: is a separator missing or a text not quoted?",
                record.len(),
                columns.len()
            )
        }
        None => return None,
    };
    Some(reason)
}

struct Wrong {
    reason: Cow<'static, str>,
    /// The guard's, where it is the guard that refuses.
    rule: Option<&'static str>,
}

impl From<String> for Wrong {
    fn from(reason: String) -> Self {
        Self { reason: Cow::Owned(reason), rule: None }
    }
}

impl From<&guard::Reason> for Wrong {
    fn from(reason: &guard::Reason) -> Self {
        let text = format!("can never be called ({}): {}", reason.rule, reason.source);
        Self { reason: Cow::Owned(text), rule: Some(reason.rule) }
    }
}

fn bad<T>(reason: &'static str) -> Result<T, Wrong> {
    Err(Wrong { reason: Cow::Borrowed(reason), rule: None })
}

struct Reading<'w> {
    wishes: &'w Wishes,
    callee: guard::Contact,
    consent: (Option<ConsentKind>, Option<Timestamp>, Option<String>),
    variables: Map<String, Value>,
}

impl<'w> Reading<'w> {
    fn of(wishes: &'w Wishes) -> Self {
        Self { wishes, callee: guard::Contact::default(), consent: (None, None, None), variables: Map::new() }
    }

    fn take(&mut self, bytes: &[u8], role: &Role) -> Result<(), Wrong> {
        let Ok(text) = std::str::from_utf8(bytes) else { return bad(NOT_UTF8) };
        let text = text.trim();
        if text.contains('\0') {
            return bad("holds a NUL character, which cannot be stored");
        }
        match role {
            Role::Field(Field::PhoneNumber) => self.callee.number = number(text, self.wishes.us_numbers)?,
            _ if text.is_empty() => {}
            Role::Field(field) => self.field(*field, text)?,
            Role::Variable(_) if text.len() > variable::LONGEST_VALUE => return bad("is longer than 4,096 bytes"),
            Role::Variable(name) => {
                self.variables.insert(name.clone(), Value::from(text));
            }
        }
        Ok(())
    }

    fn field(&mut self, field: Field, text: &str) -> Result<(), Wrong> {
        match field {
            Field::PhoneNumber => {}
            Field::Timezone => match TimeZoneName::parse(text) {
                Ok(zone) => self.callee.timezone = Some(zone),
                Err(problem) => return Err(problem.to_string().into()),
            },
            Field::State => match StateCode::parse(states::letters(text)) {
                Ok(state) => self.callee.state = Some(state),
                Err(_) => return bad("is no state of the US: use its two letters or its name"),
            },
            Field::PostalCode => self.callee.postal_code = Some(postal_code(text)?),
            Field::ConsentType => match ConsentKind::parse(text) {
                Ok(kind) => self.consent.0 = Some(kind),
                Err(problem) => return Err(problem.to_string().into()),
            },
            Field::ConsentAt => self.consent.1 = Some(moment(text, self.wishes.now)?),
            Field::ConsentSource if text.len() > LONGEST_SOURCE => return bad("is longer than 500 bytes"),
            Field::ConsentSource => self.consent.2 = Some(text.to_owned()),
        }
        Ok(())
    }

    fn contact(mut self, line: u32) -> Contact {
        let (kind, at, source) = self.consent;
        // A date or a source alone says nothing about what was agreed to.
        self.callee.consent = kind.map(|kind| Consent { kind, at, source });
        Contact { line, callee: self.callee, variables: self.variables }
    }
}

/// A number that the guard knows a place of, in E.164 form. Nothing is prefixed by guess.
fn number(text: &str, us_numbers: bool) -> Result<String, Wrong> {
    if text.is_empty() {
        return bad("is empty");
    }
    if is_rounded(text) {
        return bad(EXCEL);
    }
    if text.len() > 32 {
        return bad(NOT_A_NUMBER);
    }
    let international = text.starts_with('+');
    let mut digits = String::with_capacity(16);
    for c in text.strip_prefix('+').unwrap_or(text).chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '-' | '.' | '(' | ')' | '\u{a0}' => {}
            _ => return bad(NOT_A_NUMBER),
        }
    }
    let number = match (international, us_numbers, digits.len()) {
        (true, ..) => format!("+{digits}"),
        (false, true, 10) => format!("+1{digits}"),
        (false, true, 11) if digits.starts_with('1') => format!("+{digits}"),
        (false, true, _) => return bad("is not a US number: ten digits, or eleven that begin with 1"),
        (false, false, _) => return bad(NO_CODE),
    };
    if number.len() == 12 && number.starts_with("+1") {
        // The guard's table knows every code of North America, and is much quicker than the library.
        return match guard::check_number(&number) {
            Ok(()) => Ok(number),
            Err(reason) => Err((&reason).into()),
        };
    }
    let Ok(number) = PhoneNumber::parse(&number) else { return bad(NOT_A_NUMBER) };
    match guard::check_number(number.as_str()) {
        Ok(()) => Ok(number.as_str().to_owned()),
        Err(reason) => Err((&reason).into()),
    }
}

/// `4.15551E+11`, as Excel shows a number of many digits.
fn is_rounded(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
    digits(exponent.strip_prefix('+').unwrap_or(exponent)) && digits(&mantissa.replacen(['.', ','], "", 1))
}

fn postal_code(text: &str) -> Result<String, Wrong> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let only = text.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b' ');
    if only && matches!(digits, 3 | 4 | 7 | 8) {
        return bad(
            "has lost its leading zero, as Excel does to numbers: format the column as text, fill it again and \
                    export it again",
        );
    }
    if guard::known_postal_code(text) {
        Ok(text.to_owned())
    } else {
        bad("is no US ZIP code such as 02139 or 02139-4307")
    }
}

/// RFC 3339, or a date, which is its first moment in UTC.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Wrong> {
    let date = || text.parse::<Date>().ok().filter(|_| text.len() == 10);
    let day = || date()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let Some(at) = day().or_else(|| text.parse::<Timestamp>().ok()) else {
        return bad("is no date: write 2026-11-24, or 2026-11-24T15:30:00Z");
    };
    if at > now { bad("lies in the future") } else { Ok(at) }
}
