//! `elevenwire calls`: lists of calls.

use clap::Args;
use serde_json::Value;

use crate::client::{Client, path};
use crate::{Failure, Global, output, tell, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire calls --number +14155550110                   # every call to a number
  elevenwire calls --outcome failed --from 2026-11-24T00:00:00Z
  elevenwire calls --text '\"wrong number\"' --all            # what was said
  elevenwire calls --campaign 019f0b6e-… --all --json | jq -r .outcome | sort | uniq -c";

/// List calls, the newest first.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Calls {
    /// Who was called.
    #[arg(long)]
    number: Option<String>,
    /// The carrier's id.
    #[arg(long, value_name = "SID")]
    carrier_sid: Option<String>,
    /// The agent's conversation.
    #[arg(long, value_name = "ID")]
    conversation_id: Option<String>,
    /// Id of a campaign, or the label of single calls.
    #[arg(long)]
    campaign: Option<String>,
    /// Our name of the agent.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// What became of them: answered, `no_answer`, …
    #[arg(long)]
    outcome: Option<String>,
    /// Where they stand: intent, ringing, ended, …
    #[arg(long)]
    state: Option<String>,
    /// Written down at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Written down before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Words that were said: all of them, "a phrase", or, -not.
    #[arg(long, allow_hyphen_values = true)]
    text: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// Which page of a list.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// All of them, page by page.
    #[arg(long)]
    pub(crate) all: bool,
    /// Entries of a page.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u32>,
    /// Where to go on.
    #[arg(long, conflicts_with = "all")]
    pub(crate) cursor: Option<String>,
}

/// Prints a list: as JSON an entry a line, else a table a page. `row` makes the row of an entry.
pub(crate) async fn list(
    client: &Client,
    global: &Global,
    list: (&str, &str),
    query: &[(&str, Option<&str>)],
    page: &Page,
    table: (&[&str], impl Fn(&Value) -> Vec<String>),
) -> Result<(), Failure> {
    let ((base, name), (header, row)) = (list, table);
    let limit = page.limit.map(|limit| limit.to_string());
    let mut cursor = page.cursor.clone();
    let mut first = true;
    loop {
        let mut asked = query.to_vec();
        asked.extend([("limit", limit.as_deref()), ("cursor", cursor.as_deref())]);
        let answer = client.get(&path(base, &asked)).await?;
        let entries = output::entries(&answer, name);
        if global.json {
            output::lines(entries)?;
        } else if entries.is_empty() && first {
            tell(&format!("no {name}"));
        } else if !entries.is_empty() {
            write(&output::table(if first { header } else { &[] }, entries.iter().map(&row).collect()))?;
        }
        first = false;
        cursor = answer["next"].as_str().map(str::to_owned);
        match &cursor {
            Some(next) if !page.all => {
                tell(&format!("there are more: --all, or --cursor {next}"));
                return Ok(());
            }
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

impl Calls {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        let query = [
            ("number", self.number.as_deref()),
            ("carrier_sid", self.carrier_sid.as_deref()),
            ("conversation_id", self.conversation_id.as_deref()),
            ("campaign", self.campaign.as_deref()),
            ("agent", self.agent.as_deref()),
            ("outcome", self.outcome.as_deref()),
            ("state", self.state.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("text", self.text.as_deref()),
        ];
        let header = ["written down", "call", "to", "agent", "outcome", "secs", "what happened"];
        list(&client, global, ("/api/calls", "calls"), &query, &self.page, (&header, row)).await
    }
}

fn row(call: &Value) -> Vec<String> {
    let text = |name: &str| output::text(&call[name]);
    let word = if call["outcome"].is_null() { text("state") } else { text("outcome") };
    vec![
        output::time(&call["created_at"]),
        text("id"),
        text("to"),
        text("agent"),
        word,
        text("duration_secs"),
        output::text(&call["explanation"]["what"]),
    ]
}
