//! `elevenwire campaign watch`: how far it is, until its end.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{address, outcomes};
use crate::client::Client;
use crate::output::{self, count, text};
use crate::progress::Progress;
use crate::{Failure, Global, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire campaign watch 019f0b6e-…
  elevenwire campaign watch 019f0b6e-… --json     # the campaign, a line whenever it changed

It ends with the campaign. Ctrl-C leaves the campaign alone. When the breaker pauses the campaign, it ends with exit code 1
and says why; a pause of its owner is waited for.";

/// Watch a campaign until its end.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Watch {
    /// Its id.
    id: String,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    every: f64,
}

impl Watch {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<(), Failure> {
        let every = Duration::try_from_secs_f64(self.every.max(0.1)).unwrap_or(Duration::from_secs(2));
        let mut progress = Progress::bar();
        let (mut state, mut told) = (String::new(), Value::Null);
        loop {
            let campaign = client.look(&address(&self.id)).await?;
            if global.json && campaign != told {
                progress.around(|| output::line(&campaign))?;
            }
            let now = standing(&campaign);
            if !global.json && state != now {
                progress.line(&now);
                state = now;
            }
            let far = &campaign["progress"];
            let whole = far["contacts"].as_u64().unwrap_or(0);
            progress.show(far["done"].as_u64().unwrap_or(0), whole, &line(far));
            match (campaign["state"].as_str(), campaign["decided_by"].as_str()) {
                (Some("finished" | "canceled"), _) => {
                    drop(progress);
                    return if global.json { Ok(()) } else { write(&super::human(&campaign)) };
                }
                (Some("paused"), Some("breaker")) => {
                    return Err(Failure::Found(format!("the breaker paused it: {}", text(&campaign["because"]))));
                }
                _ => {}
            }
            told = campaign;
            tokio::time::sleep(every).await;
        }
    }
}

fn standing(campaign: &Value) -> String {
    match campaign["because"].as_str() {
        Some(because) => format!("{}: {}", text(&campaign["state"]), output::shown(because)),
        None => text(&campaign["state"]),
    }
}

fn line(far: &Value) -> String {
    let it = |name: &str| count(&far[name]);
    format!("{} done, {} calling, {} waiting  ({})", it("done"), it("calling"), it("waiting"), outcomes(far))
}
