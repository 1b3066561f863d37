//! What a workspace keeps: its agents' settings, their tools, its secrets.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, State},
    response::Response,
};
use serde_json::{Map, Value, json};

use super::{
    admin::{answer, read, text},
    errors::ApiError,
    numbers,
};
use crate::{
    signalwire::errors::json_answer,
    world::{self, World},
};

type Shared = State<Arc<World>>;

/// Where an agent says that it asks the initiation webhook.
const SWITCH: &str = "/platform_settings/overrides/enable_conversation_initiation_client_data_from_webhook";

/// Kept through the API alone; settings and numbers are in the configuration.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// What was changed of an agent, by its id.
    agents: BTreeMap<String, Value>,
    /// Configurations of tools, by id.
    tools: BTreeMap<String, Value>,
    /// Name and value of secrets, by id.
    secrets: BTreeMap<String, (String, String)>,
}

/// The tool with which an agent notes that somebody wants no more calls.
#[derive(Debug)]
pub struct Tool {
    pub url: String,
    pub headers: BTreeMap<String, String>,
}

impl Catalog {
    /// The value of a header: a text, or the secret that it names.
    #[must_use]
    pub fn header_value(&self, value: &Value) -> Option<String> {
        let secret = |id: &str| self.secrets.get(id).map(|(_, value)| value.clone());
        value.as_str().map(str::to_owned).or_else(|| secret(value["secret_id"].as_str()?))
    }

    /// All headers as they are sent.
    #[must_use]
    pub fn headers(&self, value: Option<&Value>) -> BTreeMap<String, String> {
        let map = value.and_then(Value::as_object);
        let pair = |(name, value): (&String, &Value)| Some((name.to_lowercase(), self.header_value(value)?));
        map.map(|map| map.iter().filter_map(pair).collect()).unwrap_or_default()
    }

    fn tool_named(&self, agent: &Value, name: &str) -> Option<&Value> {
        let ids = agent.pointer("/conversation_config/agent/prompt/tool_ids")?.as_array()?;
        ids.iter().filter_map(|id| self.tools.get(id.as_str()?)).find(|tool| tool["name"] == name)
    }
}

/// An agent as the API shows it; `None` when there is none of this id.
#[must_use]
pub fn agent(state: &world::State, id: &str) -> Option<Value> {
    let config = &state.config;
    let number = config.numbers.iter().find(|number| number.agent_id == id);
    let known = config.agents.iter().find(|agent| agent.agent_id == id);
    let name = known.map(|agent| agent.name.as_str()).or(number.map(|number| number.name.as_str()))?;
    // An agent that the configuration gives a number is one that was set up; another is as new.
    let from_webhook = number.is_some() && known.is_none() && config.initiation_url.is_some();
    let numbers: Vec<Value> = config.numbers.iter().filter(|number| number.agent_id == id).map(numbers::view).collect();
    let mut agent = json!({ "agent_id": id, "name": name, "metadata": { "created_at_unix_secs": 0 },
        "conversation_config": { "agent": { "prompt": { "tool_ids": [], "built_in_tools": {} } } },
        "platform_settings": {
            "overrides": { "enable_conversation_initiation_client_data_from_webhook": from_webhook },
            "workspace_overrides": { "webhooks": null, "conversation_initiation_client_data_webhook": null },
            "data_collection": {},
            "call_limits": { "agent_concurrency_limit": config.agent_concurrency, "daily_limit": 100_000 } },
        "phone_numbers": numbers, "tags": [] });
    if let Some(changes) = state.workspace.catalog.agents.get(id) {
        merge(&mut agent, changes);
    }
    Some(agent)
}

/// Whether an agent asks the initiation webhook. A configured agent does unless it was told otherwise.
#[must_use]
pub fn asks(world: &World, agent_id: &str) -> bool {
    let state = world.state();
    let changed = state.workspace.catalog.agents.get(agent_id).and_then(|agent| agent.pointer(SWITCH)?.as_bool());
    changed.unwrap_or_else(|| !state.config.agents.iter().any(|agent| agent.agent_id == agent_id))
}

/// The agent's own tool `opt_out`, else the configured one.
#[must_use]
pub fn opt_out_tool(world: &World, agent_id: &str) -> Option<Tool> {
    let state = world.state();
    let catalog = &state.workspace.catalog;
    let own = catalog.agents.get(agent_id).and_then(|agent| catalog.tool_named(agent, "opt_out"));
    if let Some(schema) = own.map(|tool| &tool["api_schema"]) {
        let url = schema["url"].as_str()?.to_owned();
        return Some(Tool { url, headers: catalog.headers(schema.get("request_headers")) });
    }
    let url = state.config.opt_out_tool_url.clone()?;
    Some(Tool { url, headers: state.config.opt_out_tool_headers.clone() })
}

/// Objects are merged, everything else is replaced.
fn merge(into: &mut Value, changes: &Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, value) in changes {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, changes) => *into = changes.clone(),
    }
}

/// `GET /v1/convai/agents`: those that are configured, and one for each number.
pub async fn list_agents(State(world): Shared) -> Response {
    let config = world.config();
    let of_numbers = config.numbers.iter().map(|n| (n.agent_id.as_str(), n.name.as_str()));
    let mut agents: Vec<(&str, &str)> =
        config.agents.iter().map(|a| (a.agent_id.as_str(), a.name.as_str())).chain(of_numbers).collect();
    agents.retain(|(id, _)| !id.is_empty());
    agents.sort_unstable();
    agents.dedup_by_key(|(id, _)| *id);
    let view = |(id, name): (&str, &str)| json!({ "agent_id": id, "name": name, "tags": [], "archived": false });
    let agents: Vec<Value> = agents.into_iter().map(view).collect();
    json_answer(200, &json!({ "agents": agents, "has_more": false, "next_cursor": null }))
}

/// `GET /v1/convai/agents/{id}`.
pub async fn get_agent(State(world): Shared, Path(id): Path<String>) -> Response {
    let found = agent(&world.state(), &id);
    answer(&world, found.ok_or_else(|| ApiError::not_found("agent_not_found")))
}

/// `PATCH /v1/convai/agents/{id}`.
pub async fn patch_agent(State(world): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    let done = read(&body).and_then(|mut changes| {
        let mut state = world.state();
        if agent(&state, &id).is_none() {
            return Err(ApiError::not_found("agent_not_found"));
        }
        let ids = changes.pointer("/conversation_config/agent/prompt/tool_ids").and_then(Value::as_array);
        let known = |id: &Value| id.as_str().is_some_and(|id| state.workspace.catalog.tools.contains_key(id));
        if !ids.is_none_or(|ids| ids.iter().all(known)) {
            return Err(ApiError::not_found("tool_not_found"));
        }
        if let Some(changes) = changes.as_object_mut() {
            changes.retain(|name, _| {
                ["conversation_config", "platform_settings", "name", "tags"].contains(&name.as_str())
            });
        }
        merge(state.workspace.catalog.agents.entry(id.clone()).or_insert_with(|| json!({})), &changes);
        agent(&state, &id).ok_or_else(|| ApiError::not_found("agent_not_found"))
    });
    answer(&world, done)
}

fn tool_view(id: &str, config: &Value) -> Value {
    json!({ "id": id, "tool_config": config, "access_info": { "is_creator": true, "role": "admin" } })
}

/// What the vendor wants of a webhook tool.
fn tool_config(body: &Value) -> Result<Value, ApiError> {
    if text(body, "/tool_config/type")? != "webhook" {
        return Err(ApiError::schema("type"));
    }
    for path in ["/tool_config/name", "/tool_config/description", "/tool_config/api_schema/url"] {
        text(body, path)?;
    }
    Ok(body["tool_config"].clone())
}

/// `GET /v1/convai/tools`.
pub async fn list_tools(State(world): Shared) -> Response {
    let state = world.state();
    let tools: Vec<Value> = state.workspace.catalog.tools.iter().map(|(id, config)| tool_view(id, config)).collect();
    json_answer(200, &json!({ "tools": tools, "has_more": false, "next_cursor": null }))
}

/// `POST /v1/convai/tools`.
pub async fn create_tool(State(world): Shared, body: Bytes) -> Response {
    let done = read(&body).and_then(|body| {
        let config = tool_config(&body)?;
        let id = format!("tool_{}", world.fresh().token(24));
        world.state().workspace.catalog.tools.insert(id.clone(), config.clone());
        Ok(tool_view(&id, &config))
    });
    answer(&world, done)
}

/// `PATCH /v1/convai/tools/{id}`: the whole configuration.
pub async fn patch_tool(State(world): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    let done = read(&body).and_then(|body| {
        let config = tool_config(&body)?;
        let mut state = world.state();
        let tool = state.workspace.catalog.tools.get_mut(&id).ok_or_else(|| ApiError::not_found("tool_not_found"))?;
        tool.clone_from(&config);
        Ok(tool_view(&id, &config))
    });
    answer(&world, done)
}

/// `GET /v1/convai/secrets`: names, never values.
pub async fn list_secrets(State(world): Shared) -> Response {
    let state = world.state();
    let view = |(id, (name, _)): (&String, &(String, String))| {
        json!({ "type": "stored", "secret_id": id, "name": name,
            "used_by": { "tools": [], "agents": [], "others": [], "phone_numbers": [] } })
    };
    let secrets: Vec<Value> = state.workspace.catalog.secrets.iter().map(view).collect();
    json_answer(200, &json!({ "secrets": secrets, "has_more": false, "next_cursor": null }))
}

/// `POST /v1/convai/secrets`.
pub async fn create_secret(State(world): Shared, body: Bytes) -> Response {
    let done = read(&body).and_then(|body| {
        if text(&body, "/type")? != "new" {
            return Err(ApiError::schema("type"));
        }
        let (name, value) = (text(&body, "/name")?, text(&body, "/value")?);
        let id = world.fresh().token(20);
        world.state().workspace.catalog.secrets.insert(id.clone(), (name.clone(), value));
        Ok(json!({ "type": "stored", "secret_id": id, "name": name }))
    });
    answer(&world, done)
}

/// The headers of a webhook as they were given: a secret stays its id.
#[must_use]
pub fn shown_headers(catalog: &Catalog, sent: &BTreeMap<String, String>) -> Value {
    let shown = |value: &String| {
        let id = catalog.secrets.iter().find(|(_, (_, secret))| secret == value).map(|(id, _)| id);
        id.map_or_else(|| json!(value), |id| json!({ "secret_id": id }))
    };
    Value::Object(sent.iter().map(|(name, value)| (name.clone(), shown(value))).collect::<Map<_, _>>())
}
