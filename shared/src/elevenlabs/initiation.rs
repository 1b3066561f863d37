//! The agent's question when a call comes in, "who is this?", and our answer.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::conversation::Unreadable;
use super::hints::CallHints;
use super::{loose, text};

/// The largest answer that the vendor takes, in bytes.
pub const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// The question.
#[derive(Clone, Default, PartialEq)]
pub struct Request {
    /// The caller's number, as the vendor writes it.
    pub caller_id: Option<String>,
    /// The called number, as the vendor writes it.
    pub called_number: Option<String>,
    /// The vendor's id of the agent.
    pub agent_id: Option<String>,
    /// Id of the call: the carrier's, ElevenLabs' own, or what was sent in `X-CALL-ID`.
    pub call_sid: Option<String>,
    /// The vendor's id of the conversation that begins.
    pub conversation_id: Option<String>,
    /// The same as `call_sid`, in SIP calls.
    pub call_id: Option<String>,
    hints: CallHints,
}

impl Request {
    /// Reads the question. Everything may be missing.
    ///
    /// # Errors
    /// When the body is not a JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, Unreadable> {
        let (question, _) = text::parse::<Value>(body).map_err(|_| Unreadable::NotAnObject)?;
        if !question.is_object() {
            return Err(Unreadable::NotAnObject);
        }
        let field = |name: &str| loose::text(&question[name]);
        let telephony = [field("call_sid"), field("call_id")];
        let headers = headers(&question["sip_headers"]);
        Ok(Self {
            caller_id: field("caller_id"),
            called_number: field("called_number"),
            agent_id: field("agent_id"),
            conversation_id: field("conversation_id"),
            hints: CallHints::read(&headers, &Map::new(), telephony.each_ref().map(Option::as_deref)),
            call_sid: field("call_sid"),
            call_id: field("call_id"),
        })
    }

    /// What may be the id of the call that it belongs to, best first: our own header, then the ids of the telephone call,
    /// which are ours where `X-CALL-ID` came through.
    #[must_use]
    pub fn call_hints(&self) -> Vec<&str> {
        self.hints.in_order()
    }

    /// The best of [`Request::call_hints`].
    #[must_use]
    pub fn call_hint(&self) -> Option<&str> {
        self.call_hints().first().copied()
    }
}

// Written out, because it holds phone numbers.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("agent_id", &self.agent_id)
            .field("conversation_id", &self.conversation_id)
            .field("call_sid", &self.call_sid)
            .finish_non_exhaustive()
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Response {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Every custom variable of the agent's prompt; the vendor refuses a conversation of which one is missing.
    pub dynamic_variables: Map<String, Value>,
    /// Comes back with the conversation, also where variables do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Overrides of the agent's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_config_override: Option<Value>,
}

impl Response {
    /// An answer with these variables.
    #[must_use]
    pub fn new(dynamic_variables: Map<String, Value>) -> Self {
        let kind = "conversation_initiation_client_data";
        Self { kind, dynamic_variables, user_id: None, conversation_config_override: None }
    }
}

/// Headers as a map, or as a list of `{name, value}`.
fn headers(value: &Value) -> Map<String, Value> {
    match value {
        Value::Object(headers) => headers.clone(),
        Value::Array(headers) => {
            headers.iter().filter_map(|header| Some((loose::text(&header["name"])?, header["value"].clone()))).collect()
        }
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_question_with_our_headers_names_our_call() {
        let request = Request::parse(include_bytes!("fixtures/initiation_request.json")).unwrap();
        assert_eq!(request.conversation_id.as_deref(), Some("conv_01k2x9demo"));
        assert_eq!(request.agent_id.as_deref(), Some("agent_01jz8demo"));
        assert_eq!(request.call_hint(), Some("01990c5e-7a3e-7c52-9f0e-1d2f3a4b5c6d"));
        assert!(!format!("{request:?}").contains("9876543"));
    }

    #[test]
    fn without_our_header_the_id_of_the_telephone_call_is_the_hint() {
        let parse = |question: Value| Request::parse(question.to_string().as_bytes()).unwrap();
        assert_eq!(parse(json!({"call_sid": "a", "call_id": "b"})).call_hint(), Some("a"));
        assert_eq!(parse(json!({"call_sid": null, "call_id": "b"})).call_hint(), Some("b"));
        assert_eq!(parse(json!({"sip_headers": {"X-CALL-ID": "c"}})).call_hint(), Some("c"));
        let listed =
            parse(json!({"call_sid": "a", "sip_headers": [{"name": "X-Elevenwire-Call", "value": "d"}, null]}));
        assert_eq!(listed.call_hint(), Some("d"));
        assert_eq!(parse(json!({"caller_id": 5, "sip_headers": "x"})).call_hint(), None);
        assert!(Request::parse(b"[]").is_err());
    }

    #[test]
    fn an_answer_is_what_the_vendor_documents() {
        let mut response = Response::new(json!({"name": "Ana", "count": 2}).as_object().unwrap().clone());
        let plain =
            json!({"type": "conversation_initiation_client_data", "dynamic_variables": {"name": "Ana", "count": 2}});
        assert_eq!(serde_json::to_value(&response).unwrap(), plain);
        response.user_id = Some("u".to_owned());
        assert_eq!(serde_json::to_value(&response).unwrap()["user_id"], "u");
    }
}
