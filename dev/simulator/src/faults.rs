//! Faults: rules that say where something goes wrong, how, and how often; drawn from the seed.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// One rule. Without `times`, `probability` and filters it always fires.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// The place, for example `status_callback` or `calls_create` (list in `docs/simulator.md`); `*` is everywhere.
    #[serde(rename = "where")]
    pub place: String,
    /// What happens there.
    #[serde(flatten)]
    pub kind: Kind,
    /// Chance of each occasion, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// How many times it may fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Only when the callee's number ends so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only for this call sid or conversation id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Only for this event: a `CallStatus` or a `StatusCallbackEvent` for status callbacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// How often it has fired.
    #[serde(default)]
    pub fired: u32,
}

fn always() -> f64 {
    1.0
}

/// What goes wrong. `Drop`, `Double`, `Reorder` are for what the simulator sends, `LagMs` for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// The event is never sent.
    Drop,
    /// The event is sent twice.
    Double,
    /// It happens this much later, in real milliseconds.
    DelayMs { ms: u64 },
    /// The event is held back until the next one of the same call went out, or two seconds.
    Reorder,
    /// A vendor's API answers with this status and does nothing.
    HttpStatus {
        status: u16,
        /// Seconds for `Retry-After`.
        #[serde(default)]
        retry_after: Option<u32>,
        /// Whether the body is the vendor's own JSON error; else it is a bare proxy page.
        #[serde(default)]
        json: bool,
    },
    /// The effect happens, the answer is lost.
    TakenButNoAnswer {
        #[serde(default)]
        how: NoAnswer,
    },
    /// The connection is cut before anything happens.
    RefuseConnection,
    /// What is younger than this (real milliseconds) is not yet in lists.
    LagMs { ms: u64 },
}

/// How an answer gets lost after the effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoAnswer {
    /// The connection is cut.
    #[default]
    Cut,
    /// Nothing comes until the client gives up (two minutes at most).
    Stall,
    /// A gateway answers 500, 502 or 504 in the vendor's place.
    #[serde(rename = "500")]
    Internal,
    #[serde(rename = "502")]
    BadGateway,
    #[serde(rename = "503")]
    Unavailable,
    #[serde(rename = "504")]
    GatewayTimeout,
    /// 200 with a body that is not JSON.
    Garbled,
}

/// One thing that may go wrong: where it is and whom it concerns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Occasion<'a> {
    /// Callee's number, if known.
    pub to: &'a str,
    /// Call sid or conversation id, if known.
    pub call: &'a str,
    /// Event name, if there is one.
    pub event: &'a str,
    /// The subscription that the event belongs to: `completed` for every final status.
    pub class: &'a str,
}

/// The rules in force and the count of occasions, from which the draws are made.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
    occasions: HashMap<String, u32>,
}

impl Faults {
    /// Replaces all rules.
    pub fn replace(&mut self, rules: Vec<Rule>) {
        self.rules = rules;
        self.occasions.clear();
    }

    /// Adds a rule.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// The rules with how often each fired.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What goes wrong at this occasion. The draw depends on the seed, the place, the number and how often that
    /// place was passed for that number, so that two runs with one seed meet the same faults.
    pub fn draw(&mut self, seed: u64, place: &str, occasion: Occasion<'_>) -> Vec<Kind> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let key = format!("{place} {} {}", if occasion.to.is_empty() { "-" } else { occasion.to }, occasion.event);
        let count = self.occasions.entry(key.clone()).or_default();
        *count += 1;
        let nth = count.to_string();
        let mut kinds = Vec::new();
        for (index, rule) in self.rules.iter_mut().enumerate() {
            if !rule.concerns(place, occasion) || rule.times.is_some_and(|left| rule.fired >= left) {
                continue;
            }
            if Dice::new(seed, &["fault", &index.to_string(), &key, &nth]).unit() < rule.probability {
                rule.fired += 1;
                kinds.push(rule.kind);
            }
        }
        kinds
    }

    /// The longest list lag in force at a place, in milliseconds (not drawn: a list lags or does not).
    #[must_use]
    pub fn lag_ms(&self, place: &str) -> u64 {
        let lag = |rule: &Rule| match rule.kind {
            Kind::LagMs { ms } if rule.place == place || rule.place == "*" => Some(ms),
            _ => None,
        };
        self.rules.iter().filter_map(lag).max().unwrap_or(0).min(86_400_000)
    }
}

impl Rule {
    fn concerns(&self, place: &str, occasion: Occasion<'_>) -> bool {
        (self.place == "*" || self.place == place)
            && self.to.as_ref().is_none_or(|to| occasion.to.ends_with(to.as_str()))
            && self.call.as_ref().is_none_or(|call| occasion.call == call)
            && self.event.as_ref().is_none_or(|event| occasion.event == event || occasion.class == event)
    }
}
