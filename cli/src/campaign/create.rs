//! `elevenwire campaign create`: from a file, from flags, or from both.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value};

use crate::client::Client;
use crate::{Failure, Global, output, write};

const EXAMPLES: &str = "\
Examples:
  elevenwire campaign create --name recall --agent reminder --purpose informational
  elevenwire campaign create recall.toml
  elevenwire campaign create recall.json --name 'recall, again' --rate 2

recall.toml:
  name = \"recall\"
  agent = \"reminder\"
  purpose = \"informational\"
  max_concurrent = 10
  [windows]
  monday = [{ from = \"09:00\", to = \"17:30\" }]
  [budget]
  max_calls = 500

All settings are in docs/campaigns.md. What is said by flags comes before what the file says.";

/// Make a campaign, from a JSON or TOML file or from flags.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Create {
    /// A file with the fields of a campaign, .json or .toml.
    file: Option<PathBuf>,
    /// Its name.
    #[arg(long)]
    name: Option<String>,
    /// Our name of its agent.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// marketing, informational or emergency.
    #[arg(long)]
    purpose: Option<String>,
    /// Caller id: one of the agent's; else they take turns.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// Calls on the line at once.
    #[arg(long, value_name = "CALLS")]
    max_concurrent: Option<u32>,
    /// Calls a second, at most.
    #[arg(long, value_name = "CALLS")]
    rate: Option<f64>,
    /// Attempts that a person gets, over all outcomes.
    #[arg(long, value_name = "COUNT")]
    max_attempts: Option<u32>,
    /// Not before (RFC 3339).
    #[arg(long, value_name = "TIME")]
    start_at: Option<String>,
    /// Nobody after (RFC 3339).
    #[arg(long, value_name = "TIME")]
    end_at: Option<String>,
    /// It pauses after so many calls.
    #[arg(long, value_name = "CALLS")]
    max_calls: Option<u64>,
    /// It pauses when so much is spent.
    #[arg(long, value_name = "AMOUNT")]
    max_spend: Option<f64>,
}

impl Create {
    pub(super) async fn run(&self, client: &Client, global: &Global) -> Result<(), Failure> {
        let campaign = client.send(Method::POST, "/api/campaigns", Some(&self.body()?), &[]).await?;
        if global.json {
            return output::line(&campaign);
        }
        let id = output::text(&campaign["id"]);
        write(&format!("campaign {id}\nelevenwire campaign import {id} people.csv\n"))
    }

    fn body(&self) -> Result<Value, Failure> {
        let mut body = match &self.file {
            Some(file) => read(file)?,
            None => Map::new(),
        };
        let said: [(&str, Value); 7] = [
            ("name", self.name.clone().into()),
            ("agent", self.agent.clone().into()),
            ("purpose", self.purpose.clone().into()),
            ("from", self.from.clone().into()),
            ("max_concurrent", self.max_concurrent.into()),
            ("rate", self.rate.into()),
            ("max_attempts", self.max_attempts.into()),
        ];
        let inner: [(&str, &str, Value); 4] = [
            ("schedule", "start_at", self.start_at.clone().into()),
            ("schedule", "end_at", self.end_at.clone().into()),
            ("budget", "max_calls", self.max_calls.into()),
            ("budget", "max_spend", self.max_spend.into()),
        ];
        body.extend(
            said.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)),
        );
        for (outer, name, value) in inner.into_iter().filter(|(_, _, value)| !value.is_null()) {
            let outer = body.entry(outer).or_insert_with(|| Map::new().into());
            if let Value::Object(outer) = outer {
                outer.insert(name.to_owned(), value);
            }
        }
        Ok(body.into())
    }
}

/// Reads a file of fields, by its ending.
fn read(file: &Path) -> Result<Map<String, Value>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
    let wrong = |error: String| Failure::Usage(format!("{}: {error}", file.display()));
    let is_toml = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let value = if is_toml {
        from_toml(toml::from_str(&text).map_err(|error| wrong(error.to_string()))?)
    } else {
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?
    };
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(wrong("it holds no object with the fields of a campaign".to_owned())),
    }
}

/// TOML's times become texts, as the API reads them.
fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(name, value)| (name, from_toml(value))).collect::<Map<_, _>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_and_tables_of_toml_become_what_the_api_reads() {
        let text = "rate = 1.5\nexcluded_dates = [2026-12-24]\n[schedule]\nstart_at = 2026-11-24T17:00:00Z";
        let read = from_toml(toml::from_str(text).unwrap());
        let expected = json!({ "rate": 1.5, "excluded_dates": ["2026-12-24"], "schedule": { "start_at": "2026-11-24T17:00:00Z" } });
        assert_eq!(read, expected);
    }
}
