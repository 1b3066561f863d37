//! The turns of a conversation, and what is worked out from them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::loose;

/// One turn.
#[derive(Clone, PartialEq)]
pub struct Turn {
    /// `user`, `agent`, or whatever else the vendor says; `unknown` when it says nothing.
    pub role: String,
    /// What was said; none in turns that only use tools.
    pub message: Option<String>,
    /// Seconds since the start of the call.
    pub time_in_call_secs: Option<i64>,
    /// Whether the other side interrupted it.
    pub interrupted: bool,
    /// The turn as it came.
    pub raw: Value,
}

/// How long one step of the agent took, over a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// How often it was measured.
    pub count: usize,
    /// Median, in seconds.
    pub median_secs: f64,
    /// Longest, in seconds.
    pub max_secs: f64,
}

impl Turn {
    /// Reads a turn of the vendor's, or a message of the guide's flat shape (`content` or `text` for `message`).
    pub(super) fn read(raw: Value) -> Self {
        let said = match &raw {
            Value::String(text) => Some(text.clone()),
            raw => ["message", "content", "text"].iter().find_map(|name| raw[*name].as_str()).map(str::to_owned),
        };
        Self {
            role: loose::first_text(&raw, &["role", "speaker"]).unwrap_or_else(|| "unknown".to_owned()),
            message: said,
            time_in_call_secs: ["time_in_call_secs", "timestamp", "time"]
                .iter()
                .find_map(|name| loose::int(&raw[*name])),
            interrupted: loose::flag(&raw["interrupted"]).unwrap_or_default(),
            raw,
        }
    }

    /// The turn as it is stored. Tools keep their names, arguments and results; the details of their requests stay in the
    /// raw body, because they can hold secrets.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut turn = Map::new();
        turn.insert("role".to_owned(), json!(self.role));
        turn.insert("message".to_owned(), json!(self.message));
        turn.insert("time_in_call_secs".to_owned(), json!(self.time_in_call_secs));
        if self.interrupted {
            turn.insert("interrupted".to_owned(), json!(true));
            if let Some(original) = self.raw["original_message"].as_str() {
                turn.insert("original_message".to_owned(), json!(original));
            }
        }
        let tools = [
            ("tool_calls", ["tool_name", "request_id", "type", "params_as_json"].as_slice()),
            ("tool_results", ["tool_name", "request_id", "type", "result_value", "is_error", "result"].as_slice()),
        ];
        for (name, kept) in tools {
            let items: Vec<Value> = self.tools(name).map(|tool| Value::Object(pick(tool, kept))).collect();
            if !items.is_empty() {
                turn.insert(name.to_owned(), Value::Array(items));
            }
        }
        Value::Object(turn)
    }

    /// Whether the agent found in this turn that it was talking to a voicemail box.
    pub(super) fn found_voicemail(&self) -> bool {
        self.tools("tool_results").any(|tool| {
            let result = match &tool["result"] {
                Value::String(text) => text.as_str(),
                result => result["result_type"].as_str().unwrap_or_default(),
            };
            result == "voicemail_detection_success"
        })
    }

    fn tools(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.raw[name].as_array().into_iter().flatten().filter(|tool| tool.is_object())
    }

    /// Names and seconds of the turn's metrics. The schema nests them under `metrics`, the vendor's example does not.
    fn metrics(&self) -> impl Iterator<Item = (&String, f64)> {
        let metrics = &self.raw["conversation_turn_metrics"];
        let nested = metrics["metrics"].as_object();
        nested.or_else(|| metrics.as_object()).into_iter().flatten().filter_map(|(name, metric)| {
            let seconds = loose::float(&metric["elapsed_time"]).filter(|seconds| *seconds >= 0.0)?;
            Some((name, seconds))
        })
    }
}

// Written out, because it is what people said.
impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn")
            .field("role", &self.role)
            .field("time_in_call_secs", &self.time_in_call_secs)
            .finish_non_exhaustive()
    }
}

/// Latencies by the vendor's name of the step.
pub(super) fn latencies(turns: &[Turn]) -> BTreeMap<String, Latency> {
    let mut samples: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, seconds) in turns.iter().flat_map(Turn::metrics) {
        samples.entry(name.clone()).or_default().push(seconds);
    }
    samples
        .into_iter()
        .map(|(name, mut samples)| {
            samples.sort_by(f64::total_cmp);
            let (count, max_secs) = (samples.len(), samples.last().copied().unwrap_or_default());
            (name, Latency { count, median_secs: samples[count / 2], max_secs })
        })
        .collect()
}

fn pick(object: &Value, names: &[&str]) -> Map<String, Value> {
    names
        .iter()
        .filter(|name| !object[**name].is_null())
        .map(|name| ((*name).to_owned(), object[*name].clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_stored_without_the_details_of_its_tools_requests() {
        let turn = Turn::read(json!({
            "role": "agent", "message": null, "time_in_call_secs": 7, "interrupted": true, "original_message": "all of it",
            "tool_calls": [{"request_id": "r", "tool_name": "book", "params_as_json": "{}", "type": "webhook",
                "tool_details": {"type": "webhook", "headers": {"authorization": "Bearer secret"}}}, null],
            "tool_results": [{"request_id": "r", "tool_name": "book", "result_value": "ok", "is_error": false, "result": null}],
        }));
        let stored = json!({
            "role": "agent", "message": null, "time_in_call_secs": 7, "interrupted": true, "original_message": "all of it",
            "tool_calls": [{"request_id": "r", "tool_name": "book", "params_as_json": "{}", "type": "webhook"}],
            "tool_results": [{"request_id": "r", "tool_name": "book", "result_value": "ok", "is_error": false}],
        });
        assert_eq!(turn.to_json(), stored);
        assert!(!format!("{turn:?}").contains("all of it"));
    }

    #[test]
    fn turns_of_other_shapes_are_kept_as_far_as_they_go() {
        for (raw, role, message, time) in [
            (
                json!({"role": "user", "message": "hi", "time_in_call_secs": "3", "tool_calls": null}),
                "user",
                Some("hi"),
                Some(3),
            ),
            (json!({"role": "user", "content": "hi", "timestamp": 3.7}), "user", Some("hi"), Some(3)),
            (json!({"speaker": "agent", "text": "hi"}), "agent", Some("hi"), None),
            (json!("hi"), "unknown", Some("hi"), None),
            (json!(null), "unknown", None, None),
            (json!({"role": 7, "message": {"a": 1}, "tool_results": {}}), "7", None, None),
        ] {
            let turn = Turn::read(raw.clone());
            assert_eq!(
                (turn.role.as_str(), turn.message.as_deref(), turn.time_in_call_secs),
                (role, message, time),
                "{raw}"
            );
            let _ = turn.to_json();
        }
    }

    #[test]
    fn latencies_are_read_in_both_nestings() {
        let turns = [
            json!({"conversation_turn_metrics": {"metrics": {"convai_llm_service_ttfb": {"elapsed_time": 0.3}}}}),
            json!({"conversation_turn_metrics": {"convai_llm_service_ttfb": {"elapsed_time": 0.1}}}),
            json!({"conversation_turn_metrics": {"metrics": {"convai_llm_service_ttfb": {"elapsed_time": 0.2}, "odd": 5, "negative": {"elapsed_time": -1}}}}),
            json!({"conversation_turn_metrics": null}),
        ];
        let turns: Vec<Turn> = turns.into_iter().map(Turn::read).collect();
        let expected = BTreeMap::from([(
            "convai_llm_service_ttfb".to_owned(),
            Latency { count: 3, median_secs: 0.2, max_secs: 0.3 },
        )]);
        assert_eq!(latencies(&turns), expected);
    }

    #[test]
    fn voicemail_is_a_result_not_a_call_of_the_tool() {
        let result = |result: Value| {
            Turn::read(json!({"tool_results": [{"tool_name": "voicemail_detection", "result": result}]}))
        };
        assert!(result(json!({"result_type": "voicemail_detection_success", "reason": null})).found_voicemail());
        assert!(!result(json!({"result_type": "end_call_success"})).found_voicemail());
        assert!(!result(json!(null)).found_voicemail());
        assert!(!Turn::read(json!({"tool_calls": [{"tool_name": "voicemail_detection"}]})).found_voicemail());
    }
}
