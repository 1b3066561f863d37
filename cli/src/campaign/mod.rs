//! `elevenwire campaign`: from its list of people to its end.

mod create;
mod import;
mod watch;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use crate::calls::{Page, list};
use crate::client::{Client, path, segment};
use crate::output::{self, count, facts, text, time};
use crate::{Failure, Global, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire campaign create recall.toml
  elevenwire campaign import 019f0b6e-… people.csv --dry-run      # what would happen
  elevenwire campaign import 019f0b6e-… people.csv
  elevenwire campaign start 019f0b6e-… && elevenwire campaign watch 019f0b6e-…
  elevenwire campaign pause 019f0b6e-… --reason 'complaints'";

/// Make a campaign, give it people, start, pause and watch it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Campaign {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Create(Box<create::Create>),
    Import(import::Import),
    List(List),
    Show(Show),
    /// Start it: the first calls go out within the minute.
    #[command(after_help = "Examples:\n  elevenwire campaign start 019f0b6e-…")]
    Start(Move),
    /// No new dial after it; whoever is on the line may finish.
    #[command(after_help = "Examples:\n  elevenwire campaign pause 019f0b6e-… --reason 'complaints'")]
    Pause(Move),
    /// Go on after a pause.
    #[command(after_help = "Examples:\n  elevenwire campaign resume 019f0b6e-…")]
    Resume(Move),
    /// End it, and take back what the carrier has queued.
    #[command(after_help = "Examples:\n  elevenwire campaign cancel 019f0b6e-… --reason 'wrong list'")]
    Cancel(Move),
    Watch(watch::Watch),
}

/// List campaigns, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  elevenwire campaign list --all")]
pub(crate) struct List {
    #[command(flatten)]
    page: Page,
}

/// Show one: how far it is, and why it stands still.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  elevenwire campaign show 019f0b6e-…\n  elevenwire campaign show 019f0b6e-… --contacts --status waiting"
)]
pub(crate) struct Show {
    /// Its id.
    id: String,
    /// List its people instead.
    #[arg(long)]
    contacts: bool,
    /// Only people who are waiting, calling or done.
    #[arg(long, requires = "contacts")]
    status: Option<String>,
    #[command(flatten)]
    page: Page,
}

/// A campaign, and why.
#[derive(Debug, Args)]
pub(crate) struct Move {
    /// Its id.
    id: String,
    /// Why: it stands in `because`.
    #[arg(long)]
    reason: Option<String>,
}

impl Campaign {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        match &self.what {
            What::Create(it) => it.run(&client, global).await,
            What::Import(it) => it.run(&client, global).await,
            What::List(it) => it.run(&client, global).await,
            What::Show(it) => it.run(&client, global).await,
            What::Start(it) => it.go("start", &client, global).await,
            What::Pause(it) => it.go("pause", &client, global).await,
            What::Resume(it) => it.go("resume", &client, global).await,
            What::Cancel(it) => it.go("cancel", &client, global).await,
            What::Watch(it) => it.run(&client, global).await,
        }
    }
}

fn address(id: &str) -> String {
    format!("/api/campaigns/{}", segment(id))
}

impl Move {
    async fn go(&self, verb: &str, client: &Client, global: &Global) -> Result<(), Failure> {
        let body = self.reason.as_ref().map(|reason| json!({ "reason": reason }));
        let campaign = client.send(Method::POST, &format!("{}/{verb}", address(&self.id)), body.as_ref(), &[]).await?;
        if global.json { output::line(&campaign) } else { write(&human(&campaign)) }
    }
}

impl List {
    async fn run(&self, client: &Client, global: &Global) -> Result<(), Failure> {
        let row = |campaign: &Value| {
            let it = |name: &str| text(&campaign[name]);
            vec![
                time(&campaign["created_at"]),
                it("id"),
                it("name"),
                it("agent"),
                it("purpose"),
                it("state"),
                it("because"),
            ]
        };
        let header = ["made", "campaign", "name", "agent", "purpose", "state", "because"];
        list(client, global, ("/api/campaigns", "campaigns"), &[], &self.page, (&header, row)).await
    }
}

impl Show {
    async fn run(&self, client: &Client, global: &Global) -> Result<(), Failure> {
        let address = address(&self.id);
        if !self.contacts {
            let campaign = client.get(&address).await?;
            return if global.json { output::line(&campaign) } else { write(&human(&campaign)) };
        }
        let row = |contact: &Value| {
            let it = |name: &str| text(&contact[name]);
            let due = time(&contact["due_at"]);
            vec![it("number"), it("status"), it("outcome"), it("attempts"), due, it("because"), it("last_call")]
        };
        let header = ["number", "status", "outcome", "attempts", "due", "because", "last call"];
        let query = [("status", self.status.as_deref())];
        list(client, global, (&format!("{address}/contacts"), "contacts"), &query, &self.page, (&header, row)).await
    }
}

/// A campaign for a person.
fn human(campaign: &Value) -> String {
    let it = |name: &str| text(&campaign[name]);
    let mut page = format!(
        "{}  {}\n",
        output::heading(&format!("campaign {} {}", it("id"), it("name"))),
        output::word(&it("state"))
    );
    let progress = &campaign["progress"];
    page.push_str(&facts(&[
        ("because", it("because")),
        ("decided by", it("decided_by")),
        ("agent", it("agent")),
        ("from", it("from")),
        ("purpose", it("purpose")),
        ("pace", format!("{} a second, {} at once, {} attempts", it("rate"), it("max_concurrent"), it("max_attempts"))),
        ("started", time(&campaign["started_at"])),
        ("ended", time(&campaign["ended_at"])),
        ("people", count(&progress["contacts"])),
        ("waiting", count(&progress["waiting"])),
        ("calling", count(&progress["calling"])),
        ("done", count(&progress["done"])),
        ("outcomes", outcomes(progress)),
        ("cost", output::cost(&campaign["cost"])),
        (
            "in the end",
            campaign["cost"]["forecast_usd"].as_f64().map_or_else(|| "-".to_owned(), |usd| format!("about ${usd:.2}")),
        ),
    ]));
    page
}

/// `3 answered, 1 busy`.
fn outcomes(progress: &Value) -> String {
    let all = progress["outcomes"].as_object().into_iter().flatten();
    let all: Vec<String> = all.map(|(outcome, calls)| format!("{} {outcome}", count(calls))).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

/// The path of one of its imports, or of all.
fn imports(campaign: &str, import: Option<&str>) -> String {
    match import {
        Some(import) => format!("{}/imports/{}", address(campaign), segment(import)),
        None => path(&format!("{}/imports", address(campaign)), &[]),
    }
}
