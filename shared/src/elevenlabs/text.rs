//! JSON whose text PostgreSQL can hold. A NUL or half a surrogate pair in one turn must not lose the whole transcript, so
//! that they are replaced by U+FFFD before the JSON is parsed; the raw body keeps them.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// JSON text that was mended, if it needed to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended<'a> {
    /// The JSON.
    pub json: Cow<'a, str>,
    /// Whether something was replaced.
    pub mended: bool,
}

/// Replaces what is not UTF-8, `\u0000`, and surrogates that have no partner.
#[must_use]
pub fn mend(body: &[u8]) -> Mended<'_> {
    let json = String::from_utf8_lossy(body);
    let lossy = matches!(json, Cow::Owned(_));
    match mend_escapes(&json) {
        Some(mended) => Mended { json: Cow::Owned(mended), mended: true },
        None => Mended { json, mended: lossy },
    }
}

/// Mends and parses.
///
/// # Errors
/// When it is not JSON of this shape.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<(T, bool), serde_json::Error> {
    let text = mend(body);
    Ok((serde_json::from_str(&text.json)?, text.mended))
}

/// In JSON a backslash stands in strings only, so that strings need not be told apart from the rest.
fn mend_escapes(json: &str) -> Option<String> {
    let bytes = json.as_bytes();
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(offset) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == b'\\')) {
        at += offset;
        match code_unit(bytes, at) {
            None => at += 2,
            Some(0xd800..0xdc00) if matches!(code_unit(bytes, at + 6), Some(0xdc00..0xe000)) => at += 12,
            Some(0 | 0xd800..0xe000) => {
                mended.get_or_insert_with(|| bytes.to_vec())[at + 2..at + 6].copy_from_slice(b"fffd");
                at += 6;
            }
            Some(_) => at += 6,
        }
    }
    mended.and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The code unit of the `\uXXXX` at this place.
fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    if !escape.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn lone_surrogates_and_nuls_are_replaced_and_pairs_are_kept() {
        for (given, expected, mended) in [
            (r#""plain""#, "plain", false),
            (r#""\ud83d\ude00""#, "😀", false),
            (r#""\uD83D\uDE00 \u00e9""#, "😀 é", false),
            (r#""a\ud83db""#, "a\u{fffd}b", true),
            (r#""a\ude00""#, "a\u{fffd}", true),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀", true),
            (r#""\u0000""#, "\u{fffd}", true),
            (r#""\\ud83d""#, r"\ud83d", false),
            (r#""\\\ud83d""#, "\\\u{fffd}", true),
            (r#""\\\\u0000""#, r"\\u0000", false),
        ] {
            let (value, was_mended) = parse::<Value>(given.as_bytes()).unwrap();
            assert_eq!((value.as_str().unwrap(), was_mended), (expected, mended), "{given}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let (value, mended) = parse::<Value>(b"\"a\xffb\"").unwrap();
        assert_eq!((value.as_str().unwrap(), mended), ("a\u{fffd}b", true));
    }

    #[test]
    fn escapes_that_break_off_are_left_to_the_parser() {
        for broken in [r#""\u12"#, r#""\"#, r#""\u+123""#, r#""\ud83d\u12""#] {
            assert!(parse::<Value>(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn any_string_of_code_units_parses(units in proptest::collection::vec(any::<u16>(), 0..20)) {
            let escaped: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let (value, mended) = parse::<Value>(format!("[\"{}\"]", escaped.concat()).as_bytes()).unwrap();
            prop_assert!(!value[0].as_str().unwrap().contains('\0'));
            let whole = String::from_utf16(&units).is_ok_and(|text| !text.contains('\0'));
            prop_assert_eq!(mended, !whole);
        }

        #[test]
        fn what_needs_no_mending_is_untouched(text in "[^\\x00]*") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(mend(json.as_bytes()), Mended { json: Cow::Borrowed(&json), mended: false });
        }

        #[test]
        fn hostile_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = mend(&bytes);
        }
    }
}
