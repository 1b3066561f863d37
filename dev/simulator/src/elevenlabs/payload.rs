//! A conversation in the vendor's JSON: the same object for `GET conversation` and for the post-call webhook.

use serde_json::{Map, Value, json};

use super::conversation::Conversation;
use crate::{
    clock,
    dice::Dice,
    script::{Role, Tool, Turn},
    switches::{ANALYSIS, EMPTY_TOOLS, HAS_AUDIO_FIELDS, METRICS_NESTING, OVERRIDE_OBJECT, Switches, UNKNOWN_FIELDS},
};

/// Where the object is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// By the API, with its additional fields.
    Api,
    /// In a webhook.
    Webhook,
}

/// The object, with every field of the reference, nulls included.
#[must_use]
pub fn object(conversation: &Conversation, switches: &Switches, scale: f64, shown: Shown) -> Value {
    let elapsed = conversation.elapsed(scale);
    let turns = conversation.turns_until(elapsed);
    let transcript: Vec<Value> =
        turns.iter().enumerate().map(|(n, t)| turn(conversation, switches, n, t, shown)).collect();
    let has_audio = conversation.recording.is_some();
    let mut all = json!({
        "agent_id": conversation.agent_id,
        "agent_name": conversation.agent_name,
        "status": conversation.status,
        "user_id": conversation.user_id,
        "branch_id": null,
        "version_id": null,
        "environment": "production",
        "conversation_id": conversation.id,
        "transcript": transcript,
        "metadata": metadata(conversation, switches, elapsed),
        "analysis": analysis(conversation, switches),
        "conversation_initiation_client_data": client_data(conversation, switches),
    });
    if let Some(all) = all.as_object_mut() {
        if shown == Shown::Api || switches.is(HAS_AUDIO_FIELDS, "present") {
            all.insert("has_audio".into(), json!(has_audio));
            all.insert("has_user_audio".into(), json!(has_audio));
            all.insert("has_response_audio".into(), json!(has_audio && turns.iter().any(|t| t.role == Role::Agent)));
        }
        if shown == Shown::Api {
            all.insert("conversation_product".into(), json!("agent"));
            all.insert("has_auxiliary_audio".into(), json!(false));
            all.insert("visited_agents".into(), json!([{ "agent_id": conversation.agent_id, "branch_id": null }]));
            all.insert("tag_ids".into(), json!([]));
        }
        if switches.is(UNKNOWN_FIELDS, "some") {
            all.insert("a_field_of_next_year".into(), json!({ "nested": [1, null, "two"] }));
        }
    }
    all
}

fn turn(conversation: &Conversation, switches: &Switches, nth: usize, turn: &Turn, shown: Shown) -> Value {
    let none = if switches.is(EMPTY_TOOLS, "null") { Value::Null } else { json!([]) };
    let request_id = format!("{}_{nth}", conversation.id);
    let (calls, results) = match &turn.tool {
        Some(tool) => (json!([tool_call(tool, &request_id)]), json!([tool_result(tool, &request_id)])),
        None => (none.clone(), none),
    };
    let agent = turn.role == Role::Agent;
    let mut all = json!({
        "role": turn.role.word(),
        "agent_metadata": agent.then(|| json!({ "agent_id": conversation.agent_id, "branch_id": null,
            "workflow_node_id": null, "version_id": null })),
        "message": turn.message,
        "multivoice_message": null,
        "tool_calls": calls,
        "tool_results": results,
        "feedback": null,
        "llm_override": null,
        "producing_llm": agent.then_some("gemini-2.5-flash"),
        "time_in_call_secs": whole(turn.at),
        "conversation_turn_metrics": metrics(conversation, switches, nth, turn),
        "rag_retrieval_info": null,
        "llm_usage": agent.then(|| llm_usage(turn)),
        "interrupted": turn.original.is_some(),
        "ignored_as_backchannel": false,
        "original_message": turn.original,
        "reasoning": [],
        "source_medium": turn.message.as_ref().map(|_| "audio"),
        "source_event_id": nth,
        "used_static_kb_document_ids": [],
        "user_identifier": null,
        "id": format!("turn_{}", Dice::new(0, &["turn", &request_id]).token(20)),
        "triggered_guardrails": [],
    });
    if shown == Shown::Api
        && let Some(all) = all.as_object_mut()
    {
        all.insert("file_input".into(), Value::Null);
        all.insert("contextual_update_info".into(), Value::Null);
        all.insert("reasoned".into(), json!(false));
    }
    all
}

/// Whole seconds, rounded down.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32")]
fn whole(secs: f64) -> u32 {
    secs.floor().clamp(0.0, f64::from(u32::MAX)) as u32
}

fn tool_call(tool: &Tool, request_id: &str) -> Value {
    json!({ "type": "system", "request_id": request_id, "tool_name": tool.name,
        "params_as_json": tool.params.to_string(), "tool_has_been_called": true, "tool_details": null })
}

fn tool_result(tool: &Tool, request_id: &str) -> Value {
    json!({ "type": "system", "request_id": request_id, "tool_name": tool.name,
        "result_value": json!({ "status": "success" }).to_string(), "is_error": false, "tool_has_been_called": true,
        "is_blocked": false, "tool_latency_secs": 0.0, "error_type": "", "raw_error_message": null,
        "dynamic_variable_updates": [], "result": tool.result })
}

fn metrics(conversation: &Conversation, switches: &Switches, nth: usize, turn: &Turn) -> Value {
    let mut dice = Dice::new(0, &["metrics", &conversation.id, &nth.to_string()]);
    let mut all = Map::new();
    let mut add = |name: &str, low: f64, high: f64| {
        let secs = (dice.between(low, high) * 1e6).round() / 1e6;
        all.insert(name.to_owned(), json!({ "elapsed_time": secs }));
    };
    if turn.role == Role::Agent {
        add("convai_llm_service_ttfb", 0.25, 0.9);
        add("convai_llm_service_ttf_sentence", 0.3, 1.1);
        if turn.message.is_some() {
            add("convai_tts_service_ttfb", 0.08, 0.25);
        }
    } else {
        add("convai_asr_trailing_service_latency", 0.05, 0.3);
    }
    if switches.is(METRICS_NESTING, "flat") {
        return Value::Object(all);
    }
    let agent = turn.role == Role::Agent;
    json!({ "metrics": all, "convai_asr_provider": (!agent).then_some("elevenlabs"),
        "convai_tts_model": agent.then_some("eleven_flash_v2_5"), "convai_tts_cascade": null })
}

fn llm_usage(turn: &Turn) -> Value {
    let words = turn.message.as_deref().unwrap_or_default().split_whitespace().count();
    let tokens = |n: usize| json!({ "tokens": n, "price": f64::from(u32::try_from(n).unwrap_or(0)) * 3e-7 });
    json!({ "model_usage": { "gemini-2.5-flash": { "input": tokens(900 + words), "input_cache_read": tokens(0),
        "input_cache_write": tokens(0), "output_total": tokens(words * 4 / 3 + 2) } } })
}

fn metadata(conversation: &Conversation, switches: &Switches, elapsed: f64) -> Value {
    let duration = clock::whole_secs(elapsed).min(1_000_000);
    let start = conversation.started.as_second();
    let done = conversation.is_final();
    let voicemail = conversation.plan.termination_reason.starts_with("voicemail");
    let off = json!({ "enabled": false, "used": false });
    let mut all = json!({
        "start_time_unix_secs": start,
        "accepted_time_unix_secs": start,
        "call_duration_secs": duration,
        "cost": done.then_some(duration * 8),
        "cost_fiat": done.then(|| f64::from(duration) * 0.0013),
        "deletion_settings": { "deletion_time_unix_secs": start + 63_072_000, "deleted_logs_at_time_unix_secs": null,
            "deleted_audio_at_time_unix_secs": null, "deleted_transcript_at_time_unix_secs": null,
            "delete_transcript_and_pii": true, "delete_audio": true },
        "feedback": { "type": null, "overall_score": null, "likes": 0, "dislikes": 0, "rating": null, "comment": null },
        "authorization_method": "authorization_header",
        "charging": charging(duration),
        "phone_call": conversation.phone_call(switches),
        "batch_call": null,
        "termination_reason": conversation.plan.termination_reason,
        "error": conversation.error.as_ref().map(|reason| json!({ "code": 1011, "reason": reason })),
        "warnings": [],
        "main_language": "en",
        "rag_usage": null,
        "text_only": false,
    });
    let rest = json!({
        "features_usage": { "language_detection": off, "transfer_to_agent": off, "transfer_to_number": off,
            "multivoice": off, "dtmf_tones": off, "dtmf_input": off, "external_mcp_servers": off,
            "tool_dynamic_variable_updates": off, "versioning": off, "file_input": off,
            "voicemail_detection": { "enabled": true, "used": voicemail }, "pii_zrm_workspace": false,
            "pii_zrm_agent": false, "is_livekit": true,
            "workflow": { "enabled": false, "tool_node": off }, "agent_testing": { "enabled": false, "tests_ran": false } },
        "eleven_assistant": { "is_eleven_assistant": false },
        "initiator_id": null,
        "conversation_initiation_source": "sip_trunk",
        "conversation_initiation_source_version": null,
        "timezone": null,
        "async_metadata": null,
        "whatsapp": null,
        "sms": null,
        "agent_created_from": "ui",
        "agent_last_updated_from": "ui",
        "voice_rewards": [],
        "queue_wait_secs": null,
    });
    if let (Some(all), Value::Object(rest)) = (all.as_object_mut(), rest) {
        all.extend(rest);
        if switches.is(UNKNOWN_FIELDS, "some") {
            all.insert("initiation_trigger".into(), json!({ "trigger_type": "default" }));
        }
    }
    all
}

fn charging(duration: u32) -> Value {
    json!({ "dev_discount": false, "is_burst": false, "tier": "creator",
            "llm_usage": { "irreversible_generation": { "model_usage": {} },
                "initiated_generation": { "model_usage": {} } },
            "llm_price": 0.0021, "llm_charge": duration / 6, "call_charge": duration * 7, "platform_charge": null,
            "platform_usage": { "category_usage": {} }, "platform_price": null, "free_minutes_consumed": 0.0,
            "free_llm_dollars_consumed": 0.0, "tts_usage": null, "asr_usage": null, "analysis": null })
}

fn analysis(conversation: &Conversation, switches: &Switches) -> Value {
    if !conversation.is_final() || conversation.error.is_some() || switches.is(ANALYSIS, "null") {
        return Value::Null;
    }
    let plan = &conversation.plan;
    let score = match plan.verdict {
        "success" => json!(1.0),
        "failure" => json!(0.0),
        _ => Value::Null,
    };
    let criterion = json!({ "criteria_id": "goal_reached", "result": plan.verdict, "rationale": plan.summary,
        "scoring_mode": "binary", "score": score, "max_score": 1.0 });
    let collected = json!({ "data_collection_id": "topic", "value": plan.title, "json_schema": { "type": "string" },
        "rationale": "Named in the conversation." });
    json!({
        "call_successful": plan.verdict,
        "transcript_summary": plan.summary,
        "evaluation_criteria_results": { "goal_reached": criterion },
        "data_collection_results": { "topic": collected },
        "evaluation_criteria_results_list": [criterion],
        "data_collection_results_list": [collected],
        "call_success_score": score,
        "call_summary_title": plan.title,
        "scoped": [],
    })
}

fn client_data(conversation: &Conversation, switches: &Switches) -> Value {
    let overrides = if switches.is(OVERRIDE_OBJECT, "null") {
        Value::Null
    } else {
        json!({ "asr": null, "turn": null, "tts": null, "conversation": null, "agent": null })
    };
    json!({
        "conversation_config_override": overrides,
        "custom_llm_extra_body": {},
        "user_id": conversation.user_id,
        "source_info": { "source": "sip_trunk", "version": null },
        "branch_id": null,
        "environment": null,
        "starting_workflow_node_id": null,
        "dynamic_variables": conversation.shown_variables(switches),
    })
}
