//! A call and an error as SignalWire's API answers them. Read leniently: of a call only `sid` is required, and of an error
//! nothing.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use super::callback::{AnsweredBy, CallStatus, moment};

/// A call as the carrier keeps it.
#[derive(Clone, PartialEq)]
pub struct CallRecord {
    /// The carrier's id.
    pub sid: String,
    /// Status.
    pub status: CallStatus,
    /// Called number, as the carrier writes it.
    pub to: Option<String>,
    /// Calling number, as the carrier writes it.
    pub from: Option<String>,
    /// `outbound`, `outbound-api`, `outbound-dial` or `inbound`.
    pub direction: Option<String>,
    /// When the carrier took it.
    pub date_created: Option<Timestamp>,
    /// When it was dialled; none while it is queued.
    pub start_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Seconds.
    pub duration_secs: Option<u32>,
    /// Who answered, if detection was asked for.
    pub answered_by: Option<AnsweredBy>,
    /// SIP code with which it ended.
    pub sip_result_code: Option<u16>,
    /// The call of which this is a leg.
    pub parent_call_sid: Option<String>,
    /// What it cost, in the account's currency, as the carrier writes it.
    pub price: Option<String>,
    /// That currency.
    pub price_unit: Option<String>,
}

impl CallRecord {
    /// Reads a call; `None` without an id.
    #[must_use]
    pub fn from_json(call: &Value) -> Option<Self> {
        let text = |name: &str| text(&call[name]);
        let time = |name: &str| text(name).as_deref().and_then(moment);
        Some(Self {
            sid: text("sid")?,
            status: CallStatus::parse(&text("status").unwrap_or_default()),
            to: text("to"),
            from: text("from"),
            direction: text("direction"),
            date_created: time("date_created"),
            start_time: time("start_time"),
            end_time: time("end_time"),
            duration_secs: text("duration").and_then(|secs| secs.parse().ok()),
            answered_by: text("answered_by").as_deref().map(AnsweredBy::parse),
            sip_result_code: text("sip_result_code").and_then(|code| code.parse().ok()),
            parent_call_sid: text("parent_call_sid"),
            price: text("price"),
            price_unit: text("price_unit"),
        })
    }

    /// What it cost, US dollars; the carrier writes it with and without a minus. `None`: not told, or in another currency.
    #[must_use]
    pub fn usd(&self) -> Option<f64> {
        let dollars = self.price_unit.as_deref().is_none_or(|unit| unit.eq_ignore_ascii_case("USD"));
        let price = self.price.as_deref().filter(|_| dollars)?.parse::<f64>().ok()?;
        price.is_finite().then(|| price.abs())
    }
}

// Written out, because `to` and `from` are phone numbers.
impl fmt::Debug for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRecord").field("sid", &self.sid).field("status", &self.status).finish_non_exhaustive()
    }
}

/// An error as the carrier writes it, in any of its shapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CarrierError {
    pub code: Option<i64>,
    pub message: Option<String>,
}

impl CarrierError {
    /// Never fails: a body that is not an error has no code and no message.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let error = match &body["errors"] {
            Value::Array(errors) if !errors.is_empty() => &errors[0],
            Value::Object(_) => &body["errors"],
            _ => &body,
        };
        let message = match error {
            Value::String(message) => Some(message.clone()),
            error => ["message", "detail", "error", "title"].iter().find_map(|name| text(&error[*name])),
        };
        let code = text(&error["code"]).or_else(|| leading_code(message.as_deref()?));
        Self { code: code.and_then(|code| code.parse().ok()), message }
    }

    /// Whether it has a code of the carrier's own numbering. Proxies answer with JSON too, but with HTTP or gRPC codes.
    pub(super) fn is_the_carriers_own(&self) -> bool {
        self.code.is_some_and(|code| code >= 1000)
    }
}

/// The code in `21217: Phone number does not appear to be valid`: one of the shapes is a plain text.
fn leading_code(message: &str) -> Option<String> {
    let (code, _) = message.split_once(':')?;
    ((4..=5).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())).then(|| code.to_owned())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queued_call_is_read() {
        let call: Value = serde_json::from_str(include_str!("fixtures/call.json")).unwrap();
        let call = CallRecord::from_json(&call).unwrap();
        assert_eq!(call.sid, "b3877c40-da60-4998-90ad-b792e98472ca");
        assert_eq!(call.status, CallStatus::Queued);
        assert_eq!(call.date_created.unwrap().to_string(), "2018-09-19T20:00:00Z");
        assert_eq!((call.start_time, call.end_time, call.answered_by, call.price), (None, None, None, None));
        assert_eq!(call.duration_secs, Some(0));
    }

    #[test]
    fn numbers_may_be_texts_and_the_rest_may_be_missing() {
        let call = serde_json::json!({"sid": "x", "duration": "12", "price": -0.005, "sip_result_code": 486, "answered_by": "machine_start", "to": []});
        let call = CallRecord::from_json(&call).unwrap();
        assert_eq!(
            (call.duration_secs, call.price.as_deref(), call.sip_result_code),
            (Some(12), Some("-0.005"), Some(486))
        );
        assert_eq!((call.answered_by, call.to), (Some(AnsweredBy::Machine), None));
        assert_eq!(call.status, CallStatus::Unknown(String::new()));
        assert_eq!(CallRecord::from_json(&serde_json::json!({"sid": ""})), None);
        assert_eq!(CallRecord::from_json(&serde_json::json!([])), None);
    }

    #[test]
    fn debug_hides_the_numbers() {
        let call = CallRecord::from_json(&serde_json::json!({"sid": "x", "to": "+14155550123"})).unwrap();
        assert!(!format!("{call:?}").contains("4155550123"));
    }

    #[test]
    fn errors_are_read_in_every_shape() {
        for (body, code, message) in [
            (
                r#"{"code":20003,"message":"Authentication failed","more_info":"x","status":401}"#,
                Some(20003),
                Some("Authentication failed"),
            ),
            (r#"{"code":"21217","message":"no"}"#, Some(21217), Some("no")),
            (r#"{"errors":[{"code":"30010","message":"Max price"}]}"#, Some(30010), Some("Max price")),
            (r#"{"errors":[{"detail":"d","status":"422","title":"t","code":"12"}]}"#, Some(12), Some("d")),
            (r#"{"errors":["text"]}"#, None, Some("text")),
            (r#"{"errors":["21217: not valid"]}"#, Some(21217), Some("21217: not valid")),
            (r#"{"errors":["5: not valid"]}"#, None, Some("5: not valid")),
            (r#"{"error":"Unauthorized"}"#, None, Some("Unauthorized")),
            (r#"{"errors":[{"type":"validation_error","code":"not_routable","message":"m"}]}"#, None, Some("m")),
            (r#"{"errors":[]}"#, None, None),
            (r"[1]", None, None),
            ("<html>Bad gateway</html>", None, None),
            ("", None, None),
        ] {
            let expected = CarrierError { code, message: message.map(str::to_owned) };
            assert_eq!(CarrierError::read(body.as_bytes()), expected, "{body}");
        }
    }
}
