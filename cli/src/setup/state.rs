//! What is there now.

use futures_util::join;
use serde_json::Value;

use super::{Setup, failed};
use crate::vendors::Vendor;
use crate::{Client, Failure};

#[derive(Debug)]
pub(super) struct State {
    pub webhooks: Vec<Value>,
    pub settings: Value,
    pub numbers: Vec<Value>,
    pub tools: Vec<Value>,
    pub secrets: Vec<Value>,
    /// The agent at ElevenLabs.
    pub agent: Value,
    /// The agent as it is registered with us; null when it is not.
    pub registered: Value,
    /// Our name of it, its id, its number, its caller ids, as wanted.
    pub name: String,
    pub agent_id: String,
    pub number: String,
    pub caller_ids: Vec<Value>,
    pub max_concurrent: Value,
}

impl State {
    pub(super) async fn read(client: &Client, vendor: &Vendor, setup: &Setup) -> Result<Self, Failure> {
        let registered = match client.get(&format!("/api/agents/{}", setup.agent)).await {
            Ok(agent) => agent,
            Err(Failure::Refused(404, _)) => Value::Null,
            Err(other) => return Err(other),
        };
        let of = |given: &Option<String>, field: &str| {
            given.clone().or_else(|| registered[field].as_str().map(str::to_owned)).ok_or_else(|| {
                let flag = if field == "number" { "--number" } else { "--elevenlabs-agent" };
                Failure::Usage(format!("{} is not registered yet: give {flag}", setup.agent))
            })
        };
        let agent_id = of(&setup.elevenlabs_agent, "elevenlabs_agent_id")?;
        let number = of(&setup.number, "number")?;
        let caller_ids: Vec<Value> = if setup.caller_ids.is_empty() {
            registered["caller_ids"].as_array().cloned().unwrap_or_default()
        } else {
            setup.caller_ids.iter().map(|id| Value::from(id.as_str())).collect()
        };
        if caller_ids.is_empty() {
            return Err(Failure::Usage(format!("{} is not registered yet: give --caller-id", setup.agent)));
        }
        let path = format!("/v1/convai/agents/{agent_id}");
        let (webhooks, settings, numbers, tools, secrets, agent) = join!(
            vendor.all("/v1/workspace/webhooks?include_usages=true", "webhooks"),
            vendor.get("/v1/convai/settings"),
            vendor.get("/v1/convai/phone-numbers"),
            vendor.all("/v1/convai/tools?page_size=100", "tools"),
            vendor.all("/v1/convai/secrets?page_size=100", "secrets"),
            vendor.get(&path),
        );
        let refused = |what: &'static str| move |trouble| failed(what, &trouble);
        let agent = agent.map_err(refused("to show the agent: is --elevenlabs-agent its id?"))?;
        let max_concurrent = max_concurrent(setup, &registered, &agent)?;
        Ok(Self {
            webhooks: webhooks.map_err(refused("to list webhooks (an administrator's key is needed)"))?,
            settings: settings.map_err(refused("to show its settings"))?,
            numbers: numbers.map_err(refused("to list numbers"))?.as_array().cloned().unwrap_or_default(),
            tools: tools.map_err(refused("to list tools"))?,
            secrets: secrets.map_err(refused("to list secrets"))?,
            agent,
            registered,
            name: setup.agent.clone(),
            agent_id,
            number,
            caller_ids,
            max_concurrent,
        })
    }
}

/// As said, as registered, or as ElevenLabs limits the agent itself (-1 when it does not).
fn max_concurrent(setup: &Setup, registered: &Value, agent: &Value) -> Result<Value, Failure> {
    let limit = agent.pointer("/platform_settings/call_limits/agent_concurrency_limit").and_then(Value::as_u64);
    let known = setup.max_concurrent.map(u64::from).or_else(|| registered["max_concurrent"].as_u64());
    known.or(limit.filter(|limit| *limit > 0)).map(Value::from).ok_or_else(|| {
        let mend = "how many calls it may hold at once is not known: give --max-concurrent, at most what your plan at ElevenLabs allows";
        Failure::Usage(format!("{}: {mend}", setup.agent))
    })
}
