//! From what is there to what is to be done. Each step is one request; a step that needs an id of an earlier one has its
//! request once that was done, because the plan is made anew after every step.

use std::path::Path;

use elevenwire::config::Secret;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::failed;
use super::memory::{Memory, keep, secret_path};
use super::state::State;
use crate::here::Here;
use crate::vendors::{EVENTS, HEADER, INITIATION_PATH, OPT_OUT_PATH, SWITCH, Vendor, WEBHOOK_PATH, holds, secret_name};
use crate::{Client, Failure};

const DESCRIPTION: &str =
    "Use at once when the person does not want to be called any more, in whatever words. Do not ask why.";
const FIELD: &str = "true if the person asked not to be called any more, else false";

/// One change.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it is, the same in every plan.
    pub key: &'static str,
    /// What it changes, for a person: `+` is new, `~` is another value.
    pub line: String,
    method: Method,
    path: String,
    body: Value,
    after: After,
}

/// What is to be remembered of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum After {
    Nothing,
    KeepSecret,
    RetriesOn(String),
}

fn step(key: &'static str, line: String, method: Method, path: impl Into<String>, body: Value) -> Step {
    Step { key, line, method, path: path.into(), body, after: After::Nothing }
}

impl Step {
    /// Does it.
    pub(super) async fn act(&self, client: &Client, vendor: &Vendor, dir: &Path) -> Result<(), Failure> {
        if self.path.starts_with("/api/") {
            return client.send(self.method.clone(), &self.path, Some(&self.body), &[]).await.map(drop);
        }
        let answer = vendor.send(self.method.clone(), &self.path, Some(&self.body)).await;
        let answer = answer.map_err(|trouble| failed(self.key, &trouble))?;
        let mut memory = Memory::read(dir);
        match &self.after {
            After::Nothing => return Ok(()),
            After::RetriesOn(id) => memory.retries_on = Some(id.clone()),
            After::KeepSecret => {
                let text = |field: &str| answer[field].as_str().map(str::to_owned);
                let secret = text("webhook_secret")
                    .ok_or_else(|| Failure::Found("ElevenLabs showed no secret of its new webhook".to_owned()))?;
                keep(&secret_path(dir), &secret)?;
                memory.webhook_id = text("webhook_id");
            }
        }
        memory.write(dir)
    }
}

pub(super) fn make(state: &State, here: &Here, url: &str, memory: &Memory) -> Result<Vec<Step>, Failure> {
    let base = here.known.public_base_url.as_deref().unwrap_or(url);
    let secret = here.known.initiation_secret.as_ref().ok_or_else(|| {
        Failure::Usage(
            "ELEVENLABS_INITIATION_SECRET is not set: give the value of the parameter ElevenLabsInitiationSecret"
                .to_owned(),
        )
    })?;
    let known_secret = here.known.webhook_secret.is_some();
    let mut steps = Vec::new();
    let webhook = webhook(state, base, memory, known_secret, &mut steps);
    choose(state, webhook, &mut steps);
    initiation(state, base, secret, &mut steps);
    let number = number(state, &mut steps);
    agent(state, base, secret, &mut steps);
    register(state, &number, &mut steps);
    Ok(steps)
}

/// The webhook whose secret somebody has: of an earlier run, or of the deployment; its steps.
fn webhook<'s>(
    state: &'s State,
    base: &str,
    memory: &Memory,
    known_secret: bool,
    steps: &mut Vec<Step>,
) -> Option<&'s Value> {
    let wanted = format!("{base}{WEBHOOK_PATH}");
    let chosen = &state.settings["webhooks"]["post_call_webhook_id"];
    let ours = || state.webhooks.iter().filter(|webhook| webhook["webhook_url"] == wanted.as_str());
    let orphaned = ours().next().is_some();
    let remembered =
        ours().find(|w| w["webhook_id"].as_str().is_some_and(|id| memory.webhook_id.as_deref() == Some(id)));
    let deployed = || ours().find(|webhook| webhook["webhook_id"] == *chosen).or_else(|| ours().next());
    let Some(webhook) = remembered.or_else(|| deployed().filter(|_| known_secret)) else {
        let why = if orphaned { " (one points there, but nobody has its secret)" } else { "" };
        let body = json!({ "settings": { "auth_type": "hmac", "name": "11Wire", "webhook_url": wanted } });
        let line = format!("+ webhook 11Wire → {wanted}{why}");
        let made = step("webhook", line, Method::POST, "/v1/workspace/webhooks", body);
        steps.push(Step { after: After::KeepSecret, ..made });
        // Its retries need its id.
        steps.push(retries("", "11Wire"));
        return None;
    };
    let (id, name) = (webhook["webhook_id"].as_str().unwrap_or_default(), webhook["name"].as_str().unwrap_or("11Wire"));
    let path = format!("/v1/workspace/webhooks/{id}");
    if webhook["is_disabled"] == true || webhook["is_auto_disabled"] == true {
        let body = json!({ "is_disabled": false, "name": name });
        steps.push(step("webhook on", format!("~ webhook {name}: switched off → on"), Method::PATCH, path, body));
    }
    let on = webhook["retry_enabled"].as_bool().unwrap_or(memory.retries_on.as_deref() == Some(id));
    if !on {
        steps.push(retries(id, name));
    }
    Some(webhook)
}

fn retries(id: &str, name: &str) -> Step {
    let body = json!({ "is_disabled": false, "name": name, "retry_enabled": true });
    let line = format!("~ webhook {name}: retries → on (what they are now cannot be read)");
    let turned = step("retries", line, Method::PATCH, format!("/v1/workspace/webhooks/{id}"), body);
    Step { after: After::RetriesOn(id.to_owned()), ..turned }
}

/// The workspace's choice, and its events: the vendor replaces the whole set.
fn choose(state: &State, webhook: Option<&Value>, steps: &mut Vec<Step>) {
    let settings = &state.settings["webhooks"];
    let id = webhook.map_or(&Value::Null, |webhook| &webhook["webhook_id"]);
    let mut events: Vec<&str> = settings["events"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let before = events.join(", ");
    let lacking = EVENTS.into_iter().filter(|event| !events.contains(event)).collect::<Vec<_>>();
    let format = settings["transcript_format"].as_str().unwrap_or("json");
    let chosen = !id.is_null() && settings["post_call_webhook_id"] == *id;
    if chosen && lacking.is_empty() && format == "json" {
        return;
    }
    events.extend(lacking);
    let line = format!(
        "~ post-call webhook: {} → 11Wire's; events: {before} → {}; format: {format} → json",
        settings["post_call_webhook_id"],
        events.join(", ")
    );
    let body = json!({ "webhooks": { "post_call_webhook_id": id, "events": events, "transcript_format": "json" } });
    steps.push(step("post-call webhook", line, Method::PATCH, "/v1/convai/settings", body));
}

fn secret_id(state: &State, secret: &Secret) -> Value {
    let name = secret_name(secret);
    state
        .secrets
        .iter()
        .find(|kept| kept["name"] == name.as_str())
        .map_or(Value::Null, |kept| kept["secret_id"].clone())
}

/// The secret as one of the workspace, and the webhook that brings it.
fn initiation(state: &State, base: &str, secret: &Secret, steps: &mut Vec<Step>) {
    let webhook = &state.settings["conversation_initiation_client_data_webhook"];
    let wanted = format!("{base}{INITIATION_PATH}");
    let id = secret_id(state, secret);
    if id.is_null() {
        let name = secret_name(secret);
        let body = json!({ "type": "new", "name": name, "value": secret.expose_secret() });
        steps.push(step(
            "workspace secret",
            format!("+ workspace secret {name}"),
            Method::POST,
            "/v1/convai/secrets",
            body,
        ));
    }
    if webhook["url"] == wanted.as_str() && holds(&webhook["request_headers"], secret, &state.secrets) {
        return;
    }
    let mut headers = webhook["request_headers"].as_object().cloned().unwrap_or_default();
    headers.retain(|name, _| !name.eq_ignore_ascii_case(HEADER));
    headers.insert(HEADER.to_owned(), json!({ "secret_id": id }));
    let before = webhook["url"].as_str().unwrap_or("none");
    let line = format!("~ initiation webhook: {before} → {wanted}, with {HEADER}");
    let body = json!({ "conversation_initiation_client_data_webhook": { "url": wanted, "request_headers": headers } });
    steps.push(step("initiation webhook", line, Method::PATCH, "/v1/convai/settings", body));
}

/// Imports the number, or assigns it; answers it as it is written there.
fn number(state: &State, steps: &mut Vec<Step>) -> String {
    let digits = |number: &str| number.chars().filter(char::is_ascii_digit).collect::<String>();
    let written = |entry: &Value| entry["phone_number"].as_str().unwrap_or_default().to_owned();
    let same = state.numbers.iter().find(|entry| written(entry) == state.number);
    let by_digits = || state.numbers.iter().find(|entry| digits(&written(entry)) == digits(&state.number));
    let Some(found) = same.or_else(by_digits) else {
        let body = json!({ "provider": "sip_trunk", "phone_number": state.number, "label": format!("11Wire {}", state.name),
            "agent_id": state.agent_id, "inbound_trunk_config": { "media_encryption": "allowed" } });
        let line = format!("+ SIP number {} → {}", state.number, state.agent_id);
        steps.push(step("number", line, Method::POST, "/v1/convai/phone-numbers", body));
        return state.number.clone();
    };
    let assigned = &found["assigned_agent"]["agent_id"];
    if *assigned != state.agent_id.as_str() {
        let path = format!("/v1/convai/phone-numbers/{}", found["phone_number_id"].as_str().unwrap_or_default());
        let line = format!("~ SIP number {}: {assigned} → {}", written(found), state.agent_id);
        steps.push(step("number", line, Method::PATCH, path, json!({ "agent_id": state.agent_id })));
    }
    written(found)
}

/// The agent's switch, tool, field and the vendor's own tools.
fn agent(state: &State, base: &str, secret: &Secret, steps: &mut Vec<Step>) {
    let path = format!("/v1/convai/agents/{}", state.agent_id);
    let agent = &state.agent;
    let mut change = |key, line: &str, body| steps.push(step(key, line.to_owned(), Method::PATCH, path.clone(), body));
    if agent.pointer(SWITCH) != Some(&Value::Bool(true)) {
        let overrides = json!({ "enable_conversation_initiation_client_data_from_webhook": true });
        let body = json!({ "platform_settings": { "overrides": overrides } });
        change("agent asks", "~ agent: asks the initiation webhook → on", body);
    }
    let collected = agent["platform_settings"]["data_collection"].as_object().cloned().unwrap_or_default();
    if !["opt_out", "do_not_call"].iter().any(|field| collected.contains_key(*field)) {
        // All of them: whether a map is merged or replaced is not documented.
        let mut fields = collected;
        fields.insert("opt_out".to_owned(), json!({ "type": "boolean", "description": FIELD }));
        change(
            "agent collects",
            "+ agent: data collection field opt_out",
            json!({ "platform_settings": { "data_collection": fields } }),
        );
    }
    let prompt = &agent["conversation_config"]["agent"]["prompt"];
    for name in ["end_call", "voicemail_detection"] {
        if prompt["built_in_tools"][name].is_null() {
            let tool =
                json!({ "type": "system", "name": name, "description": "", "params": { "system_tool_type": name } });
            let body =
                json!({ "conversation_config": { "agent": { "prompt": { "built_in_tools": { name: tool } } } } });
            let key = if name == "end_call" { "agent hangs up" } else { "agent knows voicemail" };
            change(key, &format!("+ agent: tool {name}"), body);
        }
    }
    tool(state, base, secret, steps);
}

/// The workspace's tool `opt_out`, and that the agent has it.
fn tool(state: &State, base: &str, secret: &Secret, steps: &mut Vec<Step>) {
    let wanted = format!("{base}{OPT_OUT_PATH}");
    let calls_us = |tool: &&Value| tool["tool_config"]["api_schema"]["url"] == wanted.as_str();
    let there = state.tools.iter().find(calls_us);
    let variable = |name: &str| json!({ "type": "string", "description": "", "dynamic_variable": name });
    let config = json!({ "tool_config": { "type": "webhook", "name": "opt_out", "description": DESCRIPTION,
        "api_schema": { "url": wanted, "method": "POST",
            "request_headers": { HEADER: { "secret_id": secret_id(state, secret) } },
            "request_body_schema": { "type": "object", "required": [], "properties": {
                "conversation_id": variable("system__conversation_id"), "call_id": variable("call_id") } } } } });
    let id = match there {
        None => {
            steps.push(step("tool", format!("+ tool opt_out → {wanted}"), Method::POST, "/v1/convai/tools", config));
            Value::Null
        }
        Some(tool) => {
            if !holds(&tool["tool_config"]["api_schema"]["request_headers"], secret, &state.secrets) {
                let path = format!("/v1/convai/tools/{}", tool["id"].as_str().unwrap_or_default());
                steps.push(step(
                    "tool",
                    format!("~ tool opt_out: {HEADER} → the secret of now"),
                    Method::PATCH,
                    path,
                    config,
                ));
            }
            tool["id"].clone()
        }
    };
    let ids = state.agent.pointer("/conversation_config/agent/prompt/tool_ids").and_then(Value::as_array);
    let mut ids = ids.cloned().unwrap_or_default();
    if !ids.contains(&id) {
        ids.push(id);
        let body = json!({ "conversation_config": { "agent": { "prompt": { "tool_ids": ids } } } });
        let path = format!("/v1/convai/agents/{}", state.agent_id);
        steps.push(step("agent has the tool", "+ agent: tool opt_out".to_owned(), Method::PATCH, path, body));
    }
}

fn register(state: &State, number: &str, steps: &mut Vec<Step>) {
    let wanted = json!({ "elevenlabs_agent_id": state.agent_id, "number": number, "caller_ids": state.caller_ids,
        "max_concurrent": state.max_concurrent });
    let differs = |(field, value): (&String, &Value)| state.registered[field] != *value;
    if !wanted.as_object().is_some_and(|wanted| wanted.iter().any(differs)) {
        return;
    }
    let mut agent = state.registered.as_object().cloned().unwrap_or_default();
    agent.extend(wanted.as_object().cloned().unwrap_or_default());
    let sign = if state.registered.is_null() { '+' } else { '~' };
    let line = format!(
        "{sign} our agent {}: {} at {number}, from {}, {} calls at once",
        state.name,
        state.agent_id,
        json!(state.caller_ids),
        state.max_concurrent
    );
    steps.push(step("registered", line, Method::PUT, format!("/api/agents/{}", state.name), Value::Object(agent)));
}
