//! `elevenwire stop`: nothing of its scope is dialled until it is lifted.

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, segment};
use crate::output::{self, text, time};
use crate::{Failure, Global};

const EXAMPLES: &str = "\
Examples:
  elevenwire stop all --reason 'wrong list' --hang-up
  elevenwire stop campaign 019f0b6e-… --reason 'complaints'
  elevenwire stop from +14155550199 --reason 'taken for spam'
  elevenwire stop list
  elevenwire stop lift 019f0b70-…";

/// Stop everything, a campaign, an agent or a caller id, until it is lifted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Stop {
    #[command(subcommand)]
    other: Option<Other>,
    /// What is stopped.
    #[arg(value_enum, required = true)]
    scope: Option<Scope>,
    /// The campaign's id, the agent's name or the caller id.
    value: Option<String>,
    /// Why: somebody will ask tomorrow.
    #[arg(long, required = true)]
    reason: Option<String>,
    /// End live calls as well.
    #[arg(long)]
    hang_up: bool,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// List the stops that hold.
    #[command(after_help = "Examples:\n  elevenwire stop list\n  elevenwire stop list --json")]
    List,
    /// Lift a stop.
    #[command(after_help = "Examples:\n  elevenwire stop lift 019f0b70-…")]
    Lift {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    All,
    Campaign,
    Agent,
    From,
}

impl Stop {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        match &self.other {
            None => self.stop(&client, global).await,
            Some(Other::List) => list(&client, global).await,
            Some(Other::Lift { id }) => {
                let lifted = client.send(Method::DELETE, &format!("/api/stops/{}", segment(id)), None, &[]).await?;
                if global.json { output::line(&lifted) } else { crate::write(&format!("lifted: {}\n", scope(&lifted))) }
            }
        }
    }

    async fn stop(&self, client: &Client, global: &Global) -> Result<(), Failure> {
        let word = self.scope.and_then(|scope| scope.to_possible_value());
        let mut body = json!({ "scope": word.as_ref().map(clap::builder::PossibleValue::get_name), "reason": self.reason, "hang_up": self.hang_up });
        if let Some(value) = &self.value {
            body["value"] = value.as_str().into();
        }
        let stopped = client.send(Method::POST, "/api/stop", Some(&body), &[]).await?;
        if global.json {
            return output::line(&stopped);
        }
        let (taken, hung) = (text(&stopped["taken_back"]), text(&stopped["hung_up"]));
        let id = text(&stopped["id"]);
        crate::write(&format!(
            "stopped: {}; {taken} taken back, {hung} hung up\nelevenwire stop lift {id}\n",
            scope(&stopped)
        ))
    }
}

async fn list(client: &Client, global: &Global) -> Result<(), Failure> {
    let answer = client.get("/api/stops").await?;
    let stops = output::entries(&answer, "stops");
    if global.json {
        return output::lines(stops);
    }
    if stops.is_empty() {
        crate::tell("no stops");
        return Ok(());
    }
    let row = |stop: &Value| {
        let lifted = time(&stop["lifted_at"]);
        vec![time(&stop["at"]), text(&stop["id"]), scope(stop), text(&stop["by"]), text(&stop["reason"]), lifted]
    };
    crate::write(&output::table(&["since", "stop", "what", "by", "why", "lifted"], stops.iter().map(row).collect()))
}

fn scope(stop: &Value) -> String {
    match stop["value"].as_str() {
        Some(value) => format!("{} {}", text(&stop["scope"]), output::shown(value)),
        None => "everything".to_owned(),
    }
}
