//! The OpenTelemetry form of a conversation, as far as one parser of a real payload describes it.

use serde_json::{Value, json};

use super::conversation::Conversation;
use crate::{script::Role, switches::Switches};

/// `{"resourceSpans": […]}`.
#[must_use]
pub fn traces(conversation: &Conversation, switches: &Switches) -> Value {
    let start = conversation.started.as_nanosecond();
    let at = |secs: f64| {
        (start + std::time::Duration::try_from_secs_f64(secs).map_or(0, |d| d.as_nanos().cast_signed())).to_string()
    };
    let mut attributes = vec![
        text("elevenlabs.telephony.external_number", &conversation.external_number),
        text("elevenlabs.termination_reason", &conversation.plan.termination_reason),
        text("elevenlabs.analysis.transcript_summary", &conversation.plan.summary),
        json!({ "key": "elevenlabs.session.duration_ms", "value": { "intValue": (u64::from(conversation.duration()) * 1000).to_string() } }),
    ];
    if let Some(user) = &conversation.user_id {
        attributes.push(text("elevenlabs.user_id", user));
    }
    for (name, value) in conversation.shown_variables(switches) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        attributes.push(text(&format!("elevenlabs.dynamic_variable.{name}"), &value));
    }
    let mut spans = vec![json!({ "name": "elevenlabs.conversation", "startTimeUnixNano": at(0.0),
        "endTimeUnixNano": at(conversation.plan.secs), "attributes": attributes })];
    for (index, turn) in conversation.plan.turns.iter().enumerate() {
        let Some(message) = &turn.message else { continue };
        let (name, key) = match turn.role {
            Role::Agent => ("elevenlabs.recv.agent_response", "elevenlabs.agent.text"),
            Role::User => ("elevenlabs.recv.user_transcript", "elevenlabs.user.text"),
        };
        spans.push(json!({ "name": name, "startTimeUnixNano": at(turn.at), "endTimeUnixNano": at(turn.at + turn.secs),
            "attributes": [text(key, message),
                { "key": "elevenlabs.turn.index", "value": { "intValue": index.to_string() } }] }));
    }
    json!({ "resourceSpans": [{ "resource": { "attributes": [text("service.name", "elevenlabs-convai")] },
        "scopeSpans": [{ "scope": { "name": "elevenlabs" }, "spans": spans }] }] })
}

fn text(key: &str, value: &str) -> Value {
    let end = value.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 4096).last().unwrap_or(0);
    json!({ "key": key, "value": { "stringValue": value.get(..end).unwrap_or_default() } })
}
