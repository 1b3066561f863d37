//! What the agent's vendor sends: any bytes are read or refused, what is kept can be held by PostgreSQL and stand in a
//! path, and no secret variable is kept.
#![no_main]

use elevenwire::elevenlabs::conversation::Conversation;
use elevenwire::elevenlabs::events::{PostCall, audio, safe_id};
use elevenwire::elevenlabs::failure::InitiationFailure;
use elevenwire::elevenlabs::initiation::Request;
use elevenwire::elevenlabs::text::mend;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|body: &[u8]| {
    let mended = mend(body);
    let twice = mend(mended.json.as_bytes());
    assert!(!twice.mended && twice.json == mended.json, "mending is done once and for all");
    if let Ok(event) = PostCall::peek(body) {
        assert!(safe_id(event.kind.as_str()).is_some(), "the kind becomes part of a path");
        assert!(holdable(&json!([event.conversation_id, event.agent_id, event.call_id])));
    }
    for read in [Conversation::from_webhook(body), Conversation::from_api(body), Conversation::from_flat(body)] {
        let Ok(conversation) = read else { continue };
        check(&conversation);
    }
    if let Ok(failure) = InitiationFailure::parse(body) {
        assert!(failure.conversation_id.is_some() || failure.call_sid.is_some());
        assert!(holdable(&json!([failure.conversation_id, failure.agent_id, failure.call_sid, failure.error_reason])));
        let _ = format!("{failure:?}");
    }
    if let Ok(push) = audio(body) {
        assert!(!push.bytes.is_empty() && push.bytes.len() <= body.len());
    }
    if let Ok(question) = Request::parse(body) {
        assert!(question.call_hints().iter().all(|hint| !hint.contains('\0')));
    }
});

fn check(conversation: &Conversation) {
    assert!(!conversation.conversation_id.is_empty());
    assert!(holdable(&json!(conversation.messages())));
    assert!(holdable(&json!(conversation.dynamic_variables)));
    assert!(holdable(&json!([
        conversation.conversation_id,
        conversation.agent_id,
        conversation.summary,
        conversation.analysis,
        conversation.call_successful,
        conversation.termination_reason,
        conversation.user_id,
        conversation.campaign_id,
        conversation.status.as_str(),
        serde_json::to_value(&conversation.latencies).unwrap(),
    ])));
    assert!(conversation.dynamic_variables.keys().all(|name| !name.starts_with("secret__")));
    let _ = (conversation.call_hints(), format!("{conversation:?}"));
}

/// Whether PostgreSQL's `text` and `jsonb` can hold it.
fn holdable(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(holdable),
        Value::Object(fields) => fields.iter().all(|(name, value)| !name.contains('\0') && holdable(value)),
        _ => true,
    }
}
