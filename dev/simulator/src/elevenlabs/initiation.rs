//! The conversation-initiation webhook: the agent asks who is calling.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{catalog, conversation::Conversation};
use crate::{
    faults::{Kind, Occasion},
    post,
    switches::INIT_SIP_FIELDS,
    world::{Owner, World},
};

/// What the webhook gave.
#[derive(Debug, Default)]
pub struct ClientData {
    pub variables: Map<String, Value>,
    pub user_id: Option<String>,
}

/// Asks, if a URL is set and the agent is told to. `None` when the webhook failed, was slow or answered something else.
pub async fn ask(world: &World, conversation: &Conversation, headers: &[(String, String)]) -> Option<ClientData> {
    let config = world.config();
    let Some(url) = config.initiation_url.clone() else { return Some(ClientData::default()) };
    if !catalog::asks(world, &conversation.agent_id) {
        return Some(ClientData::default());
    }
    let owner = Owner::Conversation(conversation.id.clone());
    let index = world.book_delivery(&owner, "initiation");
    let occasion = Occasion { to: &conversation.callee, call: &conversation.id, event: "initiation", class: "" };
    let faults = world.faults("initiation", occasion);
    let body = request(world, conversation, headers);
    let build = || {
        let timeout = Duration::from_millis(config.initiation_timeout_ms);
        let request = world.http.post(&url).header("content-type", "application/json").timeout(timeout);
        config.initiation_headers.iter().fold(request, |r, (n, v)| r.header(n, v)).body(body.clone())
    };
    for kind in &faults {
        match kind {
            Kind::Drop | Kind::RefuseConnection => {
                world.delivery(&owner, index, |d| d.lost = Some("fault"));
                return None;
            }
            Kind::DelayMs { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Kind::Double => {
                world.delivery(&owner, index, |d| d.attempts += 1);
                let _ = post::finish(build()).await;
            }
            _ => {}
        }
    }
    world.delivery(&owner, index, |d| d.attempts += 1);
    let answer = post::finish(build()).await.ok();
    if faults.iter().any(|k| matches!(k, Kind::TakenButNoAnswer { .. } | Kind::HttpStatus { .. })) {
        world.delivery(&owner, index, |d| d.lost = Some("fault"));
        return None;
    }
    let data = answer.as_ref().filter(|a| a.ok() && a.body.len() <= 256 * 1024).and_then(|a| read(&a.body));
    world.delivery(&owner, index, |d| {
        d.last_status = answer.map(|a| a.status);
        d.delivered = data.is_some();
    });
    data
}

fn request(world: &World, conversation: &Conversation, headers: &[(String, String)]) -> String {
    let (from, to) = conversation.ends();
    let mut body = json!({
        "caller_id": from,
        "called_number": to,
        "agent_id": conversation.agent_id,
        "call_sid": conversation.call_sid,
        "conversation_id": conversation.id,
    });
    if world.is(INIT_SIP_FIELDS, "present")
        && let Some(body) = body.as_object_mut()
    {
        if let Some(call_id) = &conversation.call_id {
            body.insert("call_id".into(), json!(call_id));
        }
        let headers: Map<_, _> = headers.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
        body.insert("sip_headers".into(), Value::Object(headers));
    }
    body.to_string()
}

fn read(body: &[u8]) -> Option<ClientData> {
    let value: Value = serde_json::from_slice(body).ok()?;
    if value.get("type").and_then(Value::as_str) != Some("conversation_initiation_client_data") {
        return None;
    }
    let variables = match value.get("dynamic_variables") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(map)) if map.values().all(|v| !v.is_object() && !v.is_array()) => map.clone(),
        Some(_) => return None,
    };
    // A custom variable may not look like a system variable.
    if variables.keys().any(|name| name.starts_with("system__")) {
        return None;
    }
    let user_id = value.get("user_id").and_then(Value::as_str).map(str::to_owned);
    Some(ClientData { variables, user_id })
}
