//! Parameters of a list: each is known, said once, and of its kind; everything that is wrong is named at once.

use elevenwire::http::Reply;
use elevenwire::phone::PhoneNumber;
use elevenwire::problem::{FieldError, Problem};
use elevenwire::store::reading::{Entry, Slice, Span};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use crate::{Answer, wrong};

/// Entries of a page when nobody says otherwise, and at most.
const PAGE: i64 = 50;
const LONGEST_PAGE: i64 = 200;
/// Bytes of a text.
const LONGEST_TEXT: usize = 500;

/// A query as it came, each parameter as often as it was sent.
pub(crate) type Pairs = Vec<(String, String)>;

/// Which page of a list.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Asked` reads")]
pub(crate) struct Paging {
    /// The `next` of the page before.
    #[param(max_length = 500)]
    cursor: Option<String>,
    /// Entries of a page; 50 when it is not said.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// Where a page begins.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Asked` reads")]
pub(crate) struct Cursor {
    /// As the page before named it.
    #[param(max_length = 500)]
    cursor: Option<String>,
}

/// The query of a request, with what is wrong so far.
pub(crate) struct Asked {
    pairs: Pairs,
    errors: Vec<FieldError>,
}

impl Asked {
    /// Takes the query of a list that is filtered by `known` parameters.
    pub(crate) fn of_list(pairs: Pairs, known: &[&str]) -> Self {
        Self::of(pairs, &[known, &["cursor", "limit"]].concat())
    }

    /// Takes a query whose parameters may be `known` ones.
    pub(crate) fn of(pairs: Pairs, known: &[&str]) -> Self {
        let mut errors = Vec::new();
        for (at, (name, value)) in pairs.iter().enumerate() {
            let shown: String = name.chars().take(64).collect();
            if !known.contains(&name.as_str()) {
                let mend = format!("Leave it out, or use one of: {}.", known.join(", "));
                errors.push(FieldError::new(shown, "is not a parameter here", mend));
            } else if pairs[..at].iter().any(|(before, _)| before == name) {
                errors.push(FieldError::new(shown, "is given twice", "Send it once."));
            } else if value.len() > LONGEST_TEXT || value.contains('\0') {
                let mend = format!("Send at most {LONGEST_TEXT} bytes of text.");
                errors.push(FieldError::new(shown, "is too long or holds a NUL", mend));
            }
        }
        Self { pairs, errors }
    }

    /// A parameter that is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let found = self.pairs.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    }

    /// One that is read; what cannot be is reported.
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        problem: &str,
        mend: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text);
        if value.is_none() {
            self.errors.push(FieldError::new(name, problem, mend));
        }
        value
    }

    /// One of some words.
    pub(crate) fn word(&mut self, name: &str, words: &[&str]) -> Option<String> {
        let mend = format!("Use one of: {}.", words.join(", "));
        self.read(name, "is not one of the known words", &mend, |text| words.contains(&text).then(|| text.to_owned()))
    }

    /// A telephone number.
    pub(crate) fn number(&mut self, name: &str) -> Option<String> {
        let mend = "Write it with its country code, such as %2B14155550123.";
        self.read(name, "is not a telephone number", mend, |text| {
            PhoneNumber::parse(&plus(text)).ok().map(|number| number.as_str().to_owned())
        })
    }

    /// A moment.
    pub(crate) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let mend = "Use RFC 3339, such as 2026-11-24T17:00:00Z.";
        // In a query a plus is a blank.
        // Neither the database nor the calendar knows what was before the year 1.
        let known = |at: &Timestamp| at.to_zoned(TimeZone::UTC).year() >= 1;
        self.read(name, "is not a time", mend, |text| text.replace(' ', "+").parse().ok().filter(known))
    }

    /// `from` and `to`.
    pub(crate) fn span(&mut self) -> Span {
        let (from, to) = (self.time("from"), self.time("to"));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            let mend = "`from` is the first moment, `to` the first that is left out: send a later one.";
            self.errors.push(FieldError::new("to", "is not after `from`", mend));
        }
        Span { from, to }
    }

    /// Which page; `id` reads the cursor's second half.
    pub(crate) fn slice<I>(&mut self, id: impl FnOnce(&str) -> Option<I>) -> Slice<I> {
        let most = self.limit();
        let after = self.cursor(|text| {
            let (at, rest) = text.split_once('_').filter(|(_, rest)| !rest.is_empty())?;
            Some((at.parse().ok()?, id(rest)?))
        });
        Slice { after, most }
    }

    /// How many entries.
    pub(crate) fn limit(&mut self) -> i64 {
        let mend = format!("Send a whole number from 1 to {LONGEST_PAGE}.");
        let most = self.read("limit", "is out of bounds", &mend, |text| {
            text.parse().ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit))
        });
        most.unwrap_or(PAGE)
    }

    /// The last entry of the page before, where entries have no time; `read` knows its name.
    pub(crate) fn cursor<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.read("cursor", "is not one of ours", "Send the `next` of the page before, as it was answered.", read)
    }

    /// The same, where they are telephone numbers.
    pub(crate) fn behind_number(&mut self) -> Option<String> {
        self.cursor(number_in_cursor)
    }

    /// Reports something that only the caller can see.
    pub(crate) fn error(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    /// What was read, if nothing was wrong.
    pub(crate) fn done<T>(self, value: T) -> Result<T, Answer> {
        if self.errors.is_empty() { Ok(value) } else { Err(wrong(Problem::fields(self.errors))) }
    }
}

/// In a query a bare `+` is a blank: whoever forgot to write %2B means the plus.
pub(crate) fn plus(text: &str) -> String {
    text.strip_prefix(' ').map_or_else(|| text.to_owned(), |rest| format!("+{rest}"))
}

/// A number in a cursor.
pub(crate) fn number_in_cursor(text: &str) -> Option<String> {
    PhoneNumber::parse(&plus(text)).ok().map(|number| number.as_str().to_owned())
}

/// A page as JSON: the entries by their name, and where the next one begins.
pub(crate) fn page<I: std::fmt::Display>(name: &str, entries: Vec<Entry<I>>, most: i64) -> Answer {
    let next = |last: &Entry<I>| format!("{}_{}", last.at, last.id);
    let next = next_of(&entries, most, next);
    let views: Vec<_> = entries.into_iter().map(|entry| entry.view).collect();
    Reply::json(200, &json!({ name: views, "next": next })).into()
}

/// The same of entries that are shown as they are; `cursor` says where the page behind one begins.
pub(crate) fn listed<T: Serialize>(name: &str, entries: &[T], most: i64, cursor: impl FnOnce(&T) -> String) -> Answer {
    let next = next_of(entries, most, cursor);
    Reply::json(200, &json!({ name: entries, "next": next })).into()
}

/// Where the next page begins, unless this one is the last.
pub(crate) fn next_of<T>(entries: &[T], most: i64, cursor: impl FnOnce(&T) -> String) -> Option<String> {
    let full = i64::try_from(entries.len()).is_ok_and(|count| count >= most);
    entries.last().filter(|_| full).map(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &[(&str, &str)]) -> Asked {
        let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Asked::of(pairs, &["number", "state", "from", "to", "cursor", "limit"])
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let long = "x".repeat(LONGEST_TEXT + 1);
        let mut asked = asked(&[
            ("x", "1"),
            ("state", &long),
            ("from", "yesterday"),
            ("limit", "201"),
            ("cursor", "zz"),
            ("number", "415"),
            ("to", ""),
            ("to", ""),
        ]);
        let _ = (asked.number("number"), asked.span(), asked.slice(|id| id.parse::<i32>().ok()));
        let fields: Vec<&str> = asked.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["x", "state", "to", "number", "from", "limit", "cursor"]);
    }

    #[test]
    fn a_plus_that_became_a_blank_is_a_plus() {
        let mut asked = asked(&[("number", " 14155550101"), ("from", "2026-11-24T17:00:00 01:00")]);
        assert_eq!(asked.number("number").as_deref(), Some("+14155550101"));
        assert_eq!(asked.time("from").map(|at| at.to_string()).as_deref(), Some("2026-11-24T16:00:00Z"));
        assert!(asked.errors.is_empty());
    }

    #[test]
    fn a_span_ends_after_it_begins() {
        let mut asked = asked(&[("from", "2026-11-24T17:00:00Z"), ("to", "2026-11-24T17:00:00Z")]);
        asked.span();
        assert_eq!(asked.errors[0].field, "to");
    }
}
