//! `elevenwire agents`: who talks.

use clap::Args;
use serde_json::Value;

use crate::client::{Client, segment};
use crate::output::{self, text};
use crate::{Failure, Global};

const EXAMPLES: &str = "\
Examples:
  elevenwire agents
  elevenwire agents reminder --json";

/// List the registered agents, or show one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Agents {
    /// Our name of one.
    name: Option<String>,
}

impl Agents {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        let agents = match &self.name {
            Some(name) => vec![client.get(&format!("/api/agents/{}", segment(name))).await?],
            None => output::entries(&client.get("/api/agents").await?, "agents").to_vec(),
        };
        if global.json {
            return output::lines(&agents);
        }
        let header = ["agent", "number", "calls from", "by", "at once", "machines", "ElevenLabs' id"];
        crate::write(&output::table(&header, agents.iter().map(row).collect()))
    }
}

fn row(agent: &Value) -> Vec<String> {
    ["name", "number", "caller_ids", "connect", "max_concurrent", "amd", "elevenlabs_agent_id"]
        .map(|name| text(&agent[name]))
        .to_vec()
}
