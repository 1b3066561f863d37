//! `elevenwire guard`: what would the guard say?

use std::fmt::Write as _;

use clap::Args;
use serde_json::Value;

use crate::call::Callee;
use crate::client::{Client, path};
use crate::output::{self, text, time};
use crate::{Failure, Global};

const EXAMPLES: &str = "\
Examples:
  elevenwire guard +14155550110 --purpose marketing --consent-type written --consent-at 2026-01-05
  elevenwire guard +14155550110 --at 2026-11-26T17:00:00Z     # on Thanksgiving
  elevenwire guard +14155550110 --json | jq -r .decision      # allow, defer or block

What is not given is not assumed; it is named as not checked. The exit code is 0 whatever the guard says.";

/// Ask the guard whether a number may be called, until when, and why not.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Guard {
    /// The number, such as +14155550123.
    number: String,
    /// At this time (RFC 3339) instead of now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    callee: Callee,
}

impl Guard {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        let mut query = vec![("phone_number", Some(self.number.as_str())), ("at", self.at.as_deref())];
        query.extend(self.callee.fields());
        let said = client.get(&path("/api/guard", &query)).await?;
        if global.json { output::line(&said) } else { crate::write(&human(&said)) }
    }
}

fn human(said: &Value) -> String {
    let decision = text(&said["decision"]);
    let until = time(&said["until"]);
    let mut page = match decision.as_str() {
        "allow" => format!("{} until {until}\n", output::word("allow")),
        "defer" => format!("{} until {until}\n", output::word("defer")),
        _ => format!("{}\n", output::word(&decision)),
    };
    for reason in output::entries(said, "because") {
        let _ = writeln!(page, "  {}: {}", text(&reason["rule"]), text(&reason["source"]));
    }
    page.push_str(&output::facts(&[
        ("states", text(&said["place"]["states"])),
        ("zones", text(&said["zones"])),
        ("not checked", text(&said["not_checked"])),
        (
            "own number",
            if said["own_number"] == true { "yes: hours and consent are passed over".into() } else { "-".into() },
        ),
        ("rules", text(&said["rules_version"])),
        ("stale tables", text(&said["stale_rules"])),
    ]));
    page
}
