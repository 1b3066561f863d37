//! Reading fields whose type may have changed: what does not fit is missing.

use jiff::Timestamp;
use serde_json::Value;

/// A text, unless it is empty; a number becomes a text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number, also one that is written as a text.
pub(super) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// A whole number; what stands behind the point is dropped.
pub(super) fn int(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "that is what is wanted, and the range is checked")]
    let whole = |number: f64| (number.abs() < 9e15).then_some(number as i64);
    value.as_i64().or_else(|| float(value).and_then(whole))
}

/// Yes or no.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A moment as Unix seconds (or milliseconds, which no year before 5000 can be taken for).
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    let number = int(value)?;
    if number.abs() < 100_000_000_000 { Timestamp::from_second(number) } else { Timestamp::from_millisecond(number) }
        .ok()
}

/// Takes a field out; null when there is none, or nothing that has fields. (`value[name].take()` would panic there.)
pub(super) fn take(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

/// The first of some fields that is a text.
pub(super) fn first_text(object: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(&object[*name]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_missing() {
        assert_eq!(text(&json!("a")), Some("a".to_owned()));
        assert_eq!(text(&json!(5)), Some("5".to_owned()));
        for none in [json!(null), json!(" "), json!([]), json!({}), json!(true)] {
            assert_eq!(text(&none), None, "{none}");
        }
        for (value, expected) in [
            (json!(7), Some(7)),
            (json!(7.0), Some(7)),
            (json!("7"), Some(7)),
            (json!("x"), None),
            (json!(1e300), None),
            (json!(null), None),
        ] {
            assert_eq!(int(&value), expected, "{value}");
        }
        assert_eq!((float(&json!("0.5")), float(&json!("NaN")), float(&json!([]))), (Some(0.5), None, None));
        assert_eq!(
            (flag(&json!(true)), flag(&json!("false")), flag(&json!(1)), flag(&json!(null))),
            (Some(true), Some(false), None, None)
        );
    }

    #[test]
    fn moments_are_seconds_or_milliseconds() {
        let expected = Timestamp::from_second(1_739_537_297).ok();
        for value in [json!(1_739_537_297), json!("1739537297"), json!(1_739_537_297_000_i64)] {
            assert_eq!(moment(&value), expected, "{value}");
        }
        assert_eq!(moment(&json!("yesterday")), None);
        assert_eq!(moment(&json!(i64::MAX)), None);
    }
}
