//! `elevenwire first-call +1…`: runs doctor, rings a phone of yours, shows what happens as it happens, and writes down which
//! of the vendors' uncertain behaviours hold.

mod judge;
mod report;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
pub use judge::{SWITCHES, Sighting};
pub use report::Report;
use serde_json::{Value, json};

use crate::doctor::{self, Doctor};
use crate::here::Here;
use crate::{Client, Failure, Global, setup};

/// What `first-call` takes.
#[derive(Debug, Clone, Args)]
pub struct FirstCall {
    /// A phone of yours, in E.164 form.
    pub number: String,
    /// Our name of the agent; may be left out when there is only one.
    #[arg(long)]
    pub agent: Option<String>,
    /// Call a number that is not in `OWN_NUMBERS` without asking. The guard is asked in any case.
    #[arg(long)]
    pub yes: bool,
    /// Call although doctor found something.
    #[arg(long)]
    pub anyway: bool,
    /// Where the report is written.
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// How long to wait for transcript and recording.
    #[arg(long, default_value_t = 20, value_name = "MINUTES")]
    pub wait: u64,
    /// How often to look.
    #[arg(long, default_value_t = 1000, value_name = "MS", hide = true)]
    pub every: u64,
    #[command(flatten)]
    pub doctor: Doctor,
}

/// Calls, watches, and judges; `out` is told a line at a time.
///
/// # Errors
/// When doctor found something, the call is refused, or nobody answers.
pub async fn call(
    client: &Client,
    here: &Here,
    wish: &FirstCall,
    out: &mut dyn FnMut(&str),
) -> Result<Report, Failure> {
    let findings = doctor::examine(client, here, &wish.doctor).await?;
    out(doctor::table(&findings).trim_end());
    if doctor::ails(&findings) && !wish.anyway {
        return Err(Failure::Found("not called: mend first what fails, or give --anyway".to_owned()));
    }
    if !here.known.own_numbers.contains(&wish.number) && !wish.yes {
        let question = format!("{} is not in OWN_NUMBERS. Is it a phone of yours?", wish.number);
        if !setup::agreed(&question)? {
            return Err(Failure::Found("not called".to_owned()));
        }
    }
    let agent = agent(client, wish).await?;
    let began = (here.now)();
    let key = format!("first-call-{}", began.as_microsecond());
    let asked = json!({ "to": wish.number, "agent": agent, "metadata": { "first_call": true } });
    let call = client.send(reqwest::Method::POST, "/api/calls", Some(&asked), &[("Idempotency-Key", &key)]).await?;
    let id = call["id"].as_str().unwrap_or_default().to_owned();
    out(&format!("calling {} as {agent}: {id}", wish.number));
    let patience = (Duration::from_mins(wish.wait), Duration::from_millis(wish.every));
    let seen = watch::follow(client, here, &id, patience, out).await?;
    Ok(Report::new(&id, began, &seen, &findings))
}

async fn agent(client: &Client, wish: &FirstCall) -> Result<String, Failure> {
    if let Some(agent) = &wish.agent {
        return Ok(agent.clone());
    }
    let agents = client.get("/api/agents").await?;
    match agents["agents"].as_array().map(Vec::as_slice) {
        Some([one]) => Ok(one["name"].as_str().unwrap_or_default().to_owned()),
        Some(several) if !several.is_empty() => {
            let names: Vec<&str> = several.iter().filter_map(|agent| agent["name"].as_str()).collect();
            Err(Failure::Usage(format!("which agent? give --agent: {}", names.join(", "))))
        }
        _ => Err(Failure::Usage("no agent is registered: run `elevenwire setup`".to_owned())),
    }
}

pub(crate) async fn run(global: &Global, wish: &FirstCall, here: &Here) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let as_json = global.json;
    let mut out = |line: &str| {
        if !as_json {
            let _ = crate::write(&format!("{line}\n"));
        }
    };
    let report = Box::pin(call(&client, here, wish, &mut out)).await?;
    let path = report.keep(&wish.dir)?;
    if as_json {
        crate::write(&format!("{:#}\n", json!(report)))
    } else {
        crate::write(&format!("{}\nkept in {path}\n", report.text()))
    }
}

/// Everything that a call left behind.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// As the API shows it.
    pub call: Value,
    /// Its timeline.
    pub events: Vec<Value>,
    /// What ElevenLabs sent of it.
    pub deliveries: Vec<Value>,
    /// The conversation, as ElevenLabs' API shows it.
    pub conversation: Value,
    /// The call, as SignalWire's API shows it.
    pub carrier: Value,
    /// What each says when asked for something that does not exist.
    pub carriers_error: Option<String>,
    pub voices_error: Option<String>,
    /// A webhook of the workspace's list.
    pub webhook: Value,
}
