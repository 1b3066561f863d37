//! The fields of a callback's body. The signature and the parser read them through the same function, so that what was
//! verified is what is used.

use serde_json::Value;

/// Names and values in the order in which they stand in the body; `None` for JSON that is not an object.
///
/// The content type decides between form and JSON; without a telling one, the first byte does.
pub(super) fn read(content_type: Option<&str>, body: &[u8]) -> Option<Vec<(String, String)>> {
    if is_json(content_type, body) {
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => {
                Some(object.into_iter().flat_map(|(name, value)| flatten(&name, value)).collect())
            }
            _ => None,
        }
    } else {
        Some(read_form(body))
    }
}

pub(super) fn read_form(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn is_json(content_type: Option<&str>, body: &[u8]) -> bool {
    let mime = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match mime.as_str() {
        "application/x-www-form-urlencoded" => false,
        "application/json" => true,
        other if other.ends_with("+json") => true,
        _ => body.trim_ascii_start().first() == Some(&b'{'),
    }
}

/// A list is its items under one name, as in the vendor's own libraries; what is nested deeper stays JSON text.
fn flatten(name: &str, value: Value) -> Vec<(String, String)> {
    match value {
        Value::Array(items) => items.into_iter().map(|item| (name.to_owned(), text(item))).collect(),
        value => vec![(name.to_owned(), text(value))],
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_content_type_decides_and_without_one_the_first_byte_does() {
        let expected = Some(pairs(&[("CallDuration", "94"), ("CallSid", "a b")]));
        let json = br#"  {"CallSid":"a b","CallDuration":94}"#;
        let sorted = |read: Option<Vec<(String, String)>>| {
            read.map(|mut fields| {
                fields.sort();
                fields
            })
        };
        for content_type in
            [Some("application/json; charset=utf-8"), Some("application/vnd.api+json"), Some("text/plain"), None]
        {
            assert_eq!(sorted(read(content_type, json)), expected, "{content_type:?}");
        }
        let form = b"CallSid=a+b&CallDuration=94";
        for content_type in [Some("application/x-www-form-urlencoded; charset=UTF-8"), Some(""), None] {
            assert_eq!(sorted(read(content_type, form)), expected, "{content_type:?}");
        }
    }

    #[test]
    fn json_values_of_every_type_become_texts() {
        let body = br#"{"a":null,"b":true,"c":1.5,"d":["x",2],"e":{"f":1}}"#;
        let expected = pairs(&[("a", ""), ("b", "true"), ("c", "1.5"), ("d", "x"), ("d", "2"), ("e", r#"{"f":1}"#)]);
        assert_eq!(read(None, body), Some(expected));
    }

    #[test]
    fn json_that_is_not_an_object_has_no_fields() {
        assert_eq!(read(Some("application/json"), b"[1]"), None);
        assert_eq!(read(Some("application/json"), b"CallSid=1"), None);
        assert_eq!(read(None, b"{broken"), None);
    }
}
