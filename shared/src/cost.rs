//! What a call costs, US dollars: the carrier's part, the agent's, and AWS'. The vendors tell theirs when a call is over; until
//! then, and where they do not, it is estimated by the minute.

use serde::Serialize;

use crate::config::Env;

/// What is assumed where nobody has told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tariff {
    /// The carrier's price of a begun minute, both legs.
    pub carrier_minute: f64,
    /// The agent's price of a minute.
    pub agent_minute: f64,
    /// AWS' share of a call: docs/cost.md has the arithmetic. AWS tells nobody what one call cost.
    pub aws_call: f64,
}

impl Default for Tariff {
    fn default() -> Self {
        Self { carrier_minute: 0.012, agent_minute: 0.1, aws_call: 0.0001 }
    }
}

impl Tariff {
    /// What a person costs of whom nothing is known: a minute of talk.
    #[must_use]
    pub fn person(&self) -> f64 {
        self.carrier_minute + self.agent_minute + self.aws_call
    }

    /// Reads the environment: `CARRIER_USD_PER_MINUTE`, `AGENT_USD_PER_MINUTE`, `AWS_USD_PER_CALL`.
    pub fn from_env(env: &mut Env) -> Self {
        let mut tariff = Self::default();
        for (name, price) in [
            ("CARRIER_USD_PER_MINUTE", &mut tariff.carrier_minute),
            ("AGENT_USD_PER_MINUTE", &mut tariff.agent_minute),
            ("AWS_USD_PER_CALL", &mut tariff.aws_call),
        ] {
            if let Some(Some(said)) = env.with(name, usd) {
                *price = said;
            }
        }
        tariff
    }
}

fn usd(text: &str) -> Result<Option<f64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let price = text.parse::<f64>().ok().filter(|price| (0.0..=100.0).contains(price));
    price.map(Some).ok_or_else(|| "is not an amount of US dollars from 0 to 100, such as 0.012".to_owned())
}

/// What something cost, US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Cost {
    /// All together.
    pub usd: f64,
    /// The carrier's part.
    pub carrier_usd: f64,
    /// The agent's part.
    pub agent_usd: f64,
    /// AWS' part.
    pub aws_usd: f64,
    /// How much of it is an estimate, by the minute, because a vendor has not told its part.
    pub estimated_usd: f64,
}

/// What people yet to be called will cost is told by those before them: fewer than this tell nothing.
pub const ENOUGH_PEOPLE: i64 = 20;

/// What a campaign costs, US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Spend {
    /// So far, with calls that are on the line now.
    #[serde(flatten)]
    pub cost: Cost,
    /// What it will have cost when everybody is done, if the others cost as much as those who are; `null` until 20 people are.
    pub forecast_usd: Option<f64>,
}

impl Spend {
    /// `cost` so far, on `done` people; `left` are not done.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer people than 2^52")]
    pub fn of(cost: Cost, done: i64, left: i64) -> Self {
        let forecast = || cost.usd + cost.usd / done as f64 * left as f64;
        Self { cost, forecast_usd: (done >= ENOUGH_PEOPLE).then(forecast) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &'static [(&'static str, &'static str)]) -> Result<Tariff, String> {
        let mut env = Env::of(|name| settings.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned()));
        let tariff = Tariff::from_env(&mut env);
        env.finish(Some(tariff)).map_err(|error| error.to_string())
    }

    #[test]
    fn prices_are_read_and_what_is_not_said_is_assumed() {
        let usual = Tariff::default();
        assert_eq!(read(&[]).unwrap(), usual);
        assert_eq!(read(&[("CARRIER_USD_PER_MINUTE", "")]).unwrap(), usual);
        let said = read(&[("AGENT_USD_PER_MINUTE", "0.08"), ("AWS_USD_PER_CALL", "0")]).unwrap();
        assert_eq!(said, Tariff { agent_minute: 0.08, aws_call: 0.0, ..usual });
    }

    #[test]
    fn a_price_that_is_none_is_refused_by_its_name() {
        for wrong in ["-1", "NaN", "1e9", "12 cents"] {
            let settings: &'static [(&str, &str)] = Box::leak(Box::new([("CARRIER_USD_PER_MINUTE", wrong)]));
            let error = read(settings).unwrap_err();
            assert!(error.contains("CARRIER_USD_PER_MINUTE"), "{error}");
        }
    }

    #[test]
    fn those_who_are_left_cost_as_much_as_those_who_are_done() {
        let forecast = |done, left| Spend::of(Cost { usd: 5.0, ..Cost::default() }, done, left).forecast_usd;
        assert_eq!(forecast(19, 100), None);
        assert_eq!(forecast(20, 60), Some(20.0));
        assert_eq!(forecast(20, 0), Some(5.0));
    }
}
