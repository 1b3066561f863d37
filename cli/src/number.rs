//! `elevenwire number`: the dossier of a number.

use clap::Args;

use crate::client::{Client, segment};
use crate::{Failure, Global, output};

const EXAMPLES: &str = "\
Examples:
  elevenwire number +14155550110              # why was this number called, or not called?
  elevenwire number +14155550110 | lpr
  elevenwire number +14155550110 --json | jq .suppression";

/// Show everything that is known of a number: attempts, what the guard said, consent, suppression.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Number {
    /// The number, such as +14155550123.
    number: String,
}

impl Number {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(global)?;
        let path = format!("/api/numbers/{}", segment(&self.number));
        if global.json {
            return output::line(&client.get(&path).await?);
        }
        let plain = client.plain(&format!("{path}?format=text")).await?;
        let page = String::from_utf8_lossy(&plain.body).into_owned();
        crate::write(&page.chars().filter(|c| !c.is_control() || *c == '\n').collect::<String>())
    }
}
