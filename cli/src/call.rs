//! `elevenwire call`: place one call, and follow it.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::client::{Client, segment};
use crate::progress::Progress;
use crate::{Failure, Global, output, show, tell};

const EXAMPLES: &str = "\
Examples:
  elevenwire call --to +14155550110 --agent reminder --variable first_name=Ada
  elevenwire call --to +14155550110 --agent reminder --wait
  elevenwire call --to +14155550110 --agent reminder --when next-window
  elevenwire call --to +14155550110 --agent reminder --key 019f0b6e-…   # the same call, however often

The key is printed before the request is sent. If the answer is lost, say the same command with --key: it answers the call
that was made, or makes it. With --wait the exit code is 0 whatever the outcome; it stands in `outcome` (--json).";

/// Between two looks at a call that is followed.
const LOOK: std::time::Duration = std::time::Duration::from_millis(700);

/// Place one call.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Call {
    /// Who is called, such as +14155550123.
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// Our name of the agent that talks.
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// Caller id: one of the agent's; else its first.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// A variable for the agent; say it again for more.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// A label to find it by.
    #[arg(long, value_name = "LABEL")]
    campaign: Option<String>,
    #[command(flatten)]
    callee: Callee,
    /// Seconds to let it ring.
    #[arg(long, value_name = "SECONDS")]
    timeout_secs: Option<u32>,
    /// Seconds after which it is ended.
    #[arg(long, value_name = "SECONDS")]
    max_duration_secs: Option<u32>,
    /// If the guard forbids it now: refuse, or wait for the next lawful window.
    #[arg(long, value_enum)]
    when: Option<When>,
    /// Follow it until it is settled, then show it.
    #[arg(long)]
    wait: bool,
    /// Idempotency key of an earlier try.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    Now,
    NextWindow,
}

/// What the guard may be told of who is called.
#[derive(Debug, Args)]
pub(crate) struct Callee {
    /// Why: marketing, informational or emergency.
    #[arg(long, value_name = "WORD", help_heading = "What the guard is told")]
    purpose: Option<String>,
    /// The callee's zone, such as America/Chicago.
    #[arg(long, value_name = "ZONE", help_heading = "What the guard is told")]
    timezone: Option<String>,
    /// The callee's state, two letters.
    #[arg(long, value_name = "STATE", help_heading = "What the guard is told")]
    state: Option<String>,
    /// The callee's ZIP code.
    #[arg(long, value_name = "CODE", help_heading = "What the guard is told")]
    postal_code: Option<String>,
    /// written, express, inquiry, `existing_business` or none.
    #[arg(long, value_name = "TYPE", help_heading = "What the guard is told")]
    consent_type: Option<String>,
    /// When consent was given: a date, or RFC 3339.
    #[arg(long, value_name = "TIME", help_heading = "What the guard is told")]
    consent_at: Option<String>,
    /// Where consent is recorded.
    #[arg(long, value_name = "TEXT", help_heading = "What the guard is told")]
    consent_source: Option<String>,
}

impl Callee {
    /// The API's names, and what was given.
    pub(crate) fn fields(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("purpose", self.purpose.as_deref()),
            ("timezone", self.timezone.as_deref()),
            ("state", self.state.as_deref()),
            ("postal_code", self.postal_code.as_deref()),
            ("consent_type", self.consent_type.as_deref()),
            ("consent_at", self.consent_at.as_deref()),
            ("consent_source", self.consent_source.as_deref()),
        ]
    }
}

/// Reads `name=value`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Call {
    fn body(&self) -> Value {
        let mut body = Map::new();
        let texts = [("from", self.from.as_deref()), ("campaign", self.campaign.as_deref())];
        for (name, value) in texts.into_iter().chain(self.callee.fields()) {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.into());
            }
        }
        for (name, value) in [("timeout_secs", self.timeout_secs), ("max_duration_secs", self.max_duration_secs)] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.into());
            }
        }
        if matches!(self.when, Some(When::NextWindow)) {
            body.insert("when".to_owned(), "next_window".into());
        }
        let variables: Map<String, Value> =
            self.variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        body.extend([
            ("to".to_owned(), self.to.as_str().into()),
            ("agent".to_owned(), self.agent.as_str().into()),
            ("variables".to_owned(), variables.into()),
        ]);
        body.into()
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        let key = self.key.clone().unwrap_or_else(|| new_key(crate::now()));
        // Before it is sent: whoever loses the answer still has it.
        tell(&format!("key {key}"));
        let headers = [("Idempotency-Key", key.as_str())];
        let made = client.send(Method::POST, "/api/calls", Some(&self.body()), &headers).await?;
        let id = made["id"].as_str().unwrap_or_default().to_owned();
        match (self.wait, global.json) {
            (false, true) => output::line(&made),
            (false, false) => crate::write(&accepted(&made)),
            (true, json) => {
                if !json {
                    tell(&format!("call {id} (Ctrl-C leaves it alone)"));
                }
                let call = follow(&client, &id, json).await?;
                if json { Ok(()) } else { crate::write(&show::human(&call, None)) }
            }
        }
    }
}

/// A key of the time and chance, as ids are made.
fn new_key(now: Timestamp) -> String {
    elevenwire::store::intents::new_id(now, rand::random()).to_string()
}

fn accepted(made: &Value) -> String {
    let text = |name: &str| output::text(&made[name]);
    let due = if made["due_at"] == made["created_at"] || made["due_at"].is_null() {
        String::new()
    } else {
        format!(", due at {}", output::time(&made["due_at"]))
    };
    let id = text("id");
    format!("call {id}\n{} by {} from {}{due}\nelevenwire show {id}\n", text("to"), text("agent"), text("from"))
}

/// Tells each step of a call until it is settled; answers it then. As JSON each step is the call, a line.
async fn follow(client: &Client, id: &str, as_json: bool) -> Result<Value, Failure> {
    let path = format!("/api/calls/{}", segment(id));
    let mut progress = Progress::spinner();
    let mut told = String::new();
    loop {
        let call = client.look(&path).await?;
        let step = step(&call);
        if step != told {
            let at = crate::now().strftime("%H:%M:%SZ").to_string();
            if as_json {
                progress.around(|| output::line(&call))?;
            } else {
                progress.line(&format!("{at}  {step}"));
            }
            told.clone_from(&step);
        }
        if !call["settled_at"].is_null() {
            return Ok(call);
        }
        progress.show(0, 0, &step);
        tokio::time::sleep(LOOK).await;
    }
}

/// Where a call stands, in a few words.
fn step(call: &Value) -> String {
    let word = if call["outcome"].is_null() { &call["state"] } else { &call["outcome"] };
    let mut step = output::text(word).replace('_', " ");
    let missing = &call["missing"];
    if call["state"] == "ended" && *missing != json!([]) {
        step = format!("{step}, awaited: {}", output::text(missing));
    } else if call["state"] == "intent" && !call["due_at"].is_null() {
        step = format!("waits, due at {}", output::time(&call["due_at"]));
    }
    if !call["settled_at"].is_null() {
        step = format!("{step}, settled");
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_over_says_what_is_awaited() {
        let call = json!({ "state": "ended", "outcome": "no_answer", "missing": ["recording"], "settled_at": null });
        assert_eq!(step(&call), "no answer, awaited: recording");
        let call = json!({ "state": "in_progress", "outcome": null, "missing": ["outcome"], "settled_at": null });
        assert_eq!(step(&call), "in progress");
    }
}
