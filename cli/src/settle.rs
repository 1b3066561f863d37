//! `elevenwire settle`: how the calls of a span of time ended, and what is missing.

use std::fmt::Write as _;

use clap::Args;
use jiff::civil::Date;
use serde_json::Value;

use crate::client::{Client, path};
use crate::output::{self, count, text, time};
use crate::{Failure, Global};

const EXAMPLES: &str = "\
Examples:
  elevenwire settle                          # today (UTC) so far
  elevenwire settle --day 2026-11-23         # exit code 1 when a call of that day is not settled
  elevenwire settle --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --json";

/// Count how the calls of a day ended; exit code 1 when something is not settled.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Settle {
    /// A day in UTC, such as 2026-11-23.
    #[arg(long, value_name = "DATE", conflicts_with_all = ["from", "to"])]
    day: Option<Date>,
    /// The first moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The first moment that is left out (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Settle {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        let from = self.day.map(|day| format!("{day}T00:00:00Z")).or_else(|| self.from.clone());
        let query = [("from", from.as_deref()), ("to", self.to.as_deref())];
        let report = client.get(&path("/api/settlement", &query)).await?;
        if global.json {
            output::line(&report)?;
        } else {
            crate::write(&human(&report))?;
        }
        match output::entries(&report, "unsettled").len() {
            0 => Ok(()),
            1 => Err(Failure::Found("1 call is not settled".to_owned())),
            many => Err(Failure::Found(format!("{many} calls are not settled"))),
        }
    }
}

fn human(report: &Value) -> String {
    let mut page = format!("{} to {}\n", time(&report["from"]), time(&report["to"]));
    let figures = ["placed", "settled", "healed", "live", "unknown", "given_up", "double_dials"];
    let figures: Vec<(&str, String)> = figures.into_iter().map(|name| (name, count(&report[name]))).collect();
    page.push_str(&output::facts(&figures));
    let outcomes = report["outcomes"].as_object().into_iter().flatten();
    let rows: Vec<Vec<String>> = outcomes.map(|(outcome, calls)| vec![outcome.clone(), count(calls)]).collect();
    if !rows.is_empty() {
        let _ = write!(page, "\n{}", output::table(&["outcome", "calls"], rows));
    }
    let row = |absent: &Value| vec![text(&absent["piece"]), text(&absent["reason"]), count(&absent["calls"])];
    let rows: Vec<_> = output::entries(report, "absent").iter().map(row).collect();
    if !rows.is_empty() {
        let _ = write!(page, "\n{}", output::table(&["absent", "why", "calls"], rows));
    }
    let row = |call: &Value| vec![text(&call["id"]), text(&call["missing"]), time(&call["since"])];
    let rows: Vec<_> = output::entries(report, "unsettled").iter().map(row).collect();
    if !rows.is_empty() {
        let _ = write!(page, "\n{}", output::table(&["not settled", "missing", "since"], rows));
    }
    page
}
