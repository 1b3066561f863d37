//! Sending one signed webhook by hand: `POST /control/send`.

use std::sync::Arc;

use axum::{body::Bytes, extract::State, response::Response};
use serde_json::{Value, json};

use super::{bad, read};
use crate::{
    clock,
    dice::Dice,
    elevenlabs::{
        conversation::Conversation,
        payload::{self, Shown},
        webhook::{self, Content, Webhook},
    },
    line::fate::Fate,
    mp3::Recording,
    post::{self, NoAnswer},
    script::{self, Cast},
    signalwire::{call::Hook, errors::json_answer, request},
    world::World,
};

/// `{"type", "url"?, "secret"?, "times"?, "t_offset_secs"?, "forge"?, "conversation_id"?, "agent_id"?, "to"?,
/// "variables"?, "merge"?, "body"?, "params"?}`; answers with the status of each delivery.
pub async fn send(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let wanted = match read(&body) {
        Ok(wanted) => wanted,
        Err(error) => return bad(error),
    };
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(kind) = text("type") else { return bad("`type` is wanted") };
    let times = wanted.get("times").and_then(Value::as_u64).unwrap_or(1).min(1000);
    let mut answers = Vec::new();
    if kind == "signalwire" {
        let Some(url) = text("url") else { return bad("`url` is wanted") };
        for _ in 0..times {
            answers.push(signalwire(&world, &wanted, &url).await);
        }
        return json_answer(200, &json!({ "answers": answers }));
    }
    let config = world.config();
    let Some(url) = text("url").or_else(|| config.webhook_url.clone()) else { return bad("`url` is wanted") };
    let mut secret = text("secret").unwrap_or_else(|| config.webhook_secret.clone());
    if wanted["forge"] == true {
        secret.push_str("-forged");
    }
    let content = match content(&world, &kind, &wanted) {
        Ok(content) => content,
        Err(error) => return bad(error),
    };
    let webhook = Webhook { url, secret, ..Webhook::default() };
    let offset = wanted.get("t_offset_secs").and_then(Value::as_i64).unwrap_or(0);
    for _ in 0..times {
        let t = clock::now().as_second().saturating_add(offset);
        answers.push(told(webhook::send(&world, &webhook, &content, t).await));
    }
    json_answer(200, &json!({ "answers": answers, "body_bytes": content.pieces().map(|p| p.len()).sum::<usize>() }))
}

fn told(answer: Result<u16, NoAnswer>) -> Value {
    match answer {
        Ok(status) => json!({ "status": status }),
        Err(error) => json!({ "status": null, "error": format!("{error:?}") }),
    }
}

/// Any signed SignalWire request: `params` is an object of strings.
async fn signalwire(world: &World, wanted: &Value, url: &str) -> Value {
    let params = wanted.get("params").and_then(Value::as_object);
    let pair = |(name, value): (&String, &Value)| {
        (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let params: request::Params = params.map(|p| p.iter().map(pair).collect()).unwrap_or_default();
    let hook = Hook { url: url.to_owned(), get: wanted["get"] == true };
    let message = {
        let state = world.state();
        let mut key = state.config.signing_key.clone();
        if wanted["forge"] == true {
            key.push_str("-forged");
        }
        request::signed(&key, &state.switches, &hook, &params, wanted["callback"] == true)
    };
    match post::send(world, &message).await {
        Ok(answer) => json!({ "status": answer.status, "content_type": answer.content_type,
            "body": String::from_utf8_lossy(&answer.body) }),
        Err(error) => json!({ "status": null, "error": format!("{error:?}") }),
    }
}

fn content(world: &World, kind: &str, wanted: &Value) -> Result<Content, String> {
    if let Some(body) = wanted.get("body") {
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        return Ok(Content::Json(body.into()));
    }
    let known = wanted.get("conversation_id").and_then(Value::as_str);
    let known = known.filter(|id| world.state().conversations.contains_key(*id)).map(str::to_owned);
    if let Some(id) = known {
        let state = world.state();
        let content = match kind {
            "post_call_audio" => webhook::audio(&state, &id),
            _ => webhook::transcript(&state, &id).map(|(_, content)| content),
        };
        return content.ok_or_else(|| "that conversation has none".to_owned());
    }
    let conversation = made_up(world, wanted);
    let now = clock::now().as_second();
    let mut body = match kind {
        "post_call_transcription" => {
            let state = world.state();
            let data = payload::object(&conversation, &state.switches, state.config.time_scale, Shown::Webhook);
            json!({ "type": kind, "event_timestamp": now, "data": data })
        }
        "post_call_audio" => {
            let Some(recording) = conversation.recording else { return Err("no recording".into()) };
            let head = format!(
                r#"{{"type":"post_call_audio","event_timestamp":{now},"data":{{"agent_id":{},"conversation_id":{},"full_audio":""#,
                json!(conversation.agent_id),
                json!(conversation.id),
            );
            return Ok(Content::Audio { head, recording });
        }
        "call_initiation_failure" => crate::elevenlabs::outbound::failure(world, &conversation, "busy", 486),
        other => json!({ "type": other, "event_timestamp": now, "data": { "conversation_id": conversation.id,
            "agent_id": conversation.agent_id } }),
    };
    if let Some(merge) = wanted.get("merge") {
        merged(&mut body, merge);
    }
    Ok(Content::Json(body.to_string().into()))
}

/// JSON merge patch (RFC 7396), nulls kept as nulls.
fn merged(body: &mut Value, patch: &Value) {
    match (body, patch) {
        (Value::Object(body), Value::Object(patch)) => {
            for (name, value) in patch {
                merged(body.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (body, patch) => *body = patch.clone(),
    }
}

/// A finished conversation that nobody had.
fn made_up(world: &World, wanted: &Value) -> Conversation {
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).map(str::to_owned);
    let config = world.config();
    let number = config.numbers.first();
    let id = text("conversation_id").unwrap_or_else(|| format!("conv_{}", world.fresh().token(28)));
    let to = text("to").unwrap_or_else(|| "+14155550100".into());
    let variables = wanted.get("variables").and_then(Value::as_object).cloned().unwrap_or_default();
    let agent_name = number.map_or_else(|| "Agent".to_owned(), |n| n.name.clone());
    let cast = Cast { fate: Fate::of(&to), agent: &agent_name, variables: &variables };
    let plan = script::compose(&cast, Dice::new(config.seed, &["send", &id]), config.talk_secs);
    let secs = config.recording_secs.map_or(plan.secs.ceil(), f64::from);
    let recording = Recording::new(&id, secs, config.recording_kbps, plan.utterances());
    Conversation {
        agent_id: text("agent_id")
            .or_else(|| number.map(|n| n.agent_id.clone()))
            .unwrap_or_else(|| "agent_test".into()),
        agent_name,
        phone_number_id: number.map_or_else(|| "phnum_test".to_owned(), |n| n.phone_number_id.clone()),
        agent_number: number.map_or_else(|| "+15550000000".to_owned(), |n| n.number.clone()),
        external_number: to.clone(),
        direction: "inbound",
        call_sid: text("call_sid").unwrap_or_else(|| format!("SCL_{}", world.fresh().token(12))),
        call_id: text("call_id"),
        sip_variables: std::collections::BTreeMap::new(),
        given: variables,
        fetched: serde_json::Map::new(),
        user_id: text("user_id"),
        callee: to,
        dial_sid: None,
        started: clock::now(),
        status: "done",
        plan,
        recording: Some(recording),
        error: None,
        id,
    }
}
