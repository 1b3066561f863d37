//! The integration guide's flat shape of a conversation, turned into the vendor's nested one.

use serde_json::{Map, Value, json};

use super::loose;

/// `{call_id, conversation: {messages}, metadata: {…}}` becomes `{conversation_id, transcript, metadata, …}`. What is not
/// there stays missing.
pub(super) fn into_nested(mut body: Value) -> Value {
    let mut conversation = loose::take(&mut body, "conversation");
    let transcript = match loose::take(&mut conversation, "messages") {
        Value::Null => loose::take(&mut body, "messages"),
        messages => messages,
    };
    let places = [&body, &body["metadata"], &conversation];
    let find = |names: &[&str]| places.iter().find_map(|place| loose::first_text(place, names));
    let call_id = find(&["call_id"]);
    let conversation_id =
        find(&["conversation_id"]).or_else(|| loose::text(&conversation["id"])).or_else(|| call_id.clone());
    let mut variables: Map<String, Value> = [&body["dynamic_variables"], &body["metadata"]["dynamic_variables"]]
        .into_iter()
        .find_map(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for (name, value) in [("call_id", call_id), ("campaign_id", find(&["campaign_id"]))] {
        if let Some(value) = value {
            variables.insert(name.to_owned(), Value::String(value));
        }
    }
    let mut metadata = body["metadata"].as_object().cloned().unwrap_or_default();
    let renamed: [(&str, &[&str]); 3] = [
        ("call_duration_secs", &["call_duration_secs", "duration_seconds", "duration_secs", "duration"]),
        ("start_time_unix_secs", &["start_time_unix_secs", "start_time", "timestamp"]),
        ("termination_reason", &["termination_reason", "end_reason"]),
    ];
    for (name, names) in renamed {
        if let Some(value) = find(names) {
            metadata.insert(name.to_owned(), Value::String(value));
        }
    }
    json!({
        "conversation_id": conversation_id,
        "agent_id": find(&["agent_id"]),
        "status": find(&["status"]).unwrap_or_else(|| "done".to_owned()),
        "transcript": transcript,
        "metadata": metadata,
        "analysis": {
            "transcript_summary": find(&["transcript_summary", "summary"]),
            "call_successful": find(&["call_successful"]),
        },
        "has_audio": body["has_audio"],
        "user_id": find(&["user_id"]),
        "conversation_initiation_client_data": { "dynamic_variables": variables },
    })
}
