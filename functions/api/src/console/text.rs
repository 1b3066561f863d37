//! Words and figures as people read them. What came from outside is made harmless here; markup is escaped where it is
//! written.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde_json::Value;

/// Characters that turn the direction of what follows, or that cannot be seen: somebody's name must not turn a page around.
fn unseen(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{061C}' | '\u{FEFF}')
        || (c.is_control() && !matches!(c, '\n' | '\t'))
}

/// A text from outside, with a mark in place of every character that cannot be seen.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(unseen) { text.replace(unseen, "\u{FFFD}").into() } else { text.into() }
}

/// A text of a document; empty when it is none.
pub(super) fn word(value: &Value) -> Cow<'_, str> {
    plain(value.as_str().unwrap_or_default())
}

/// At most so many characters, with a mark where it was cut.
pub(super) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text.into(),
    }
}

/// A word of ours without its underscores.
pub(super) fn spoken(word: &str) -> String {
    plain(word).replace('_', " ")
}

/// The class that colours an outcome or a state.
pub(super) fn tone(word: &str) -> &'static str {
    match word {
        "answered" | "running" | "done" | "allow" | "ok" | "success" | "stored" => "good",
        "voicemail" | "screened" | "queued" | "ringing" | "in_progress" | "placing" | "intent" | "calling"
        | "superseded" => "soft",
        "abandoned" | "failed" | "network_blocked" | "unreachable" | "unknown" | "refused" | "block" | "failure"
        | "failing" => "bad",
        "paused" | "defer" | "exhausted" => "warn",
        _ => "calm",
    }
}

/// An outcome or a state.
pub(super) fn pill(word: &str) -> Markup {
    html! { span class={ "pill " (tone(word)) } { (spoken(word)) } }
}

/// What became of a call, or where it stands.
pub(super) fn standing(view: &Value) -> Markup {
    pill(&view["outcome"].as_str().map_or_else(|| word(&view["state"]), Cow::from))
}

/// A moment of a document.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// A moment: in UTC as it is sent, in the reader's zone where JavaScript runs.
pub(super) fn when(at: Timestamp) -> Markup {
    let shown = at.strftime("%b %-d, %H:%M:%S UTC").to_string();
    html! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (shown) } }
}

/// The same, of a document; a dash when there is none.
pub(super) fn when_of(value: &Value) -> Markup {
    moment(value).map_or_else(|| html! { "–" }, when)
}

/// The clock at the callee's place.
pub(super) fn clock_at(at: Timestamp, zone: &str) -> Option<String> {
    let zone = TimeZone::get(zone).ok()?;
    Some(at.to_zoned(zone).strftime("%a %H:%M %Z").to_string())
}

/// A number as people write it: `+1 415 555 0101`.
pub(super) fn number(e164: &str) -> String {
    match e164.strip_prefix("+1") {
        Some(rest) if rest.len() == 10 && rest.is_ascii() => {
            format!("+1 {} {} {}", &rest[..3], &rest[3..6], &rest[6..])
        }
        _ => plain(e164).into_owned(),
    }
}

/// Seconds as minutes and seconds.
pub(super) fn duration(seconds: i64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// How long ago, roughly.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.duration_since(at).as_secs() {
        ..60 => "less than a minute".to_owned(),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A count with thousands apart.
pub(super) fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::from(if n < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share of a whole, in percent; a dash when there is no whole.
pub(super) fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 { "–".to_owned() } else { format!("{}%", (part * 200 + whole) / (2 * whole)) }
}

/// `$12.30`; what is less than a dollar to a hundredth of a cent.
pub(super) fn dollars(usd: f64) -> String {
    if usd == 0.0 || usd.abs() >= 1.0 { format!("${usd:.2}") } else { format!("${usd:.4}") }
}

/// Pairs of a query.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A query of pairs, without the empty ones.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
}

/// A value in a query or a path.
pub(super) fn escaped(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A cell of a table, with its column's name for a narrow screen.
pub(super) fn cell(column: &str, content: &Markup) -> Markup {
    html! { td data-l=(column) { (content) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_a_text_around_is_marked() {
        assert_eq!(plain("abc\u{202E}def\u{2066}\u{0}\n"), "abc\u{FFFD}def\u{FFFD}\u{FFFD}\n");
        assert!(matches!(plain("Llámame"), Cow::Borrowed(_)));
    }

    #[test]
    fn figures_are_as_people_write_them() {
        assert_eq!([0, 999, 1000, -1_234_567].map(count), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!((percent(1, 3), percent(2, 3), percent(0, 0)), ("33%".into(), "67%".into(), "–".into()));
        assert_eq!((number("+14155550101"), number("+4930123456")), ("+1 415 555 0101".into(), "+4930123456".into()));
        assert_eq!((duration(73), cut("abcd", 3), cut("abc", 3)), ("1:13".into(), "abc…".into(), "abc".into()));
    }

    #[test]
    fn a_query_has_what_was_given() {
        assert_eq!(query(&[("number", "+1415"), ("text", ""), ("state", "a b")]), "number=%2B1415&state=a+b");
        assert_eq!(escaped("+1 &"), "%2B1%20%26");
    }
}
