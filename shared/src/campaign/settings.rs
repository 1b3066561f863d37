//! What the owner of a campaign asks for. Stored whole, as JSON; every field has its default, so that older rows stay readable.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::call::Outcome;
use crate::guard::{self, Rules, TimeZoneName, Windows};

/// Texts without which a marketing campaign cannot start, by field.
pub const MARKETING_TEXTS: [&str; 4] = ["identity", "ai_disclosure", "recording", "opt_out"];

/// Everything that a campaign is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Settings {
    /// When it runs.
    pub schedule: Schedule,
    /// Windows per weekday in the callee's time: `{"monday": [{"from": "09:00", "to": "17:30"}]}`. A weekday that is not
    /// listed is closed. Missing: every lawful hour.
    pub windows: Option<Windows>,
    /// No calls on these days, in the campaign's zone if it has one, else in the callee's.
    pub excluded_dates: Vec<Date>,
    /// Calls that it has on the line at once.
    #[schema(minimum = 1, maximum = 10_000)]
    pub max_concurrent: u32,
    /// Calls a second, at most; the carrier's rate is shared by all campaigns.
    #[schema(minimum = 0.001, maximum = 100)]
    pub rate: f64,
    /// Attempts that a contact is given, over all outcomes.
    #[schema(minimum = 1, maximum = 20)]
    pub max_attempts: u32,
    /// Per outcome: after how long it is tried again, and how often. What is not listed follows the defaults.
    #[schema(value_type = BTreeMap<String, RetryChoice>, example = json!({"busy": {"delay_secs": 900, "most": 2}, "no_answer": null}))]
    pub retries: BTreeMap<String, Option<RetryRule>>,
    /// Whether a voicemail is tried again or is the end.
    pub voicemail: Voicemail,
    /// Seconds after the start after which a contact is not worth calling any more.
    #[schema(minimum = 60, maximum = 31_622_400)]
    pub expires_after_secs: Option<u64>,
    /// Attempts per number in rolling windows, over all campaigns; the law's own caps hold besides.
    #[schema(max_items = 10)]
    pub caps: Vec<Cap>,
    /// Seconds to let it ring; the agent's when missing.
    #[schema(minimum = 5, maximum = 600)]
    pub ring_timeout_secs: Option<u32>,
    /// Where it stops by itself.
    pub budget: Budget,
    /// What a marketing call must say; given to the agent as variables `text_*`.
    pub texts: Texts,
    /// Variables that every call has; a contact's own come first.
    #[schema(value_type = Object, example = json!({"shop": "Corner"}))]
    pub variables: serde_json::Map<String, serde_json::Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            windows: None,
            excluded_dates: Vec::new(),
            max_concurrent: 5,
            rate: 1.0,
            max_attempts: 3,
            retries: BTreeMap::new(),
            voicemail: Voicemail::Done,
            expires_after_secs: None,
            caps: Vec::new(),
            ring_timeout_secs: None,
            budget: Budget::default(),
            texts: Texts::default(),
            variables: serde_json::Map::new(),
        }
    }
}

/// When a campaign runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// Not before; missing: as soon as it is started.
    pub start_at: Option<Timestamp>,
    /// Not after.
    pub end_at: Option<Timestamp>,
    /// IANA zone in which excluded dates are meant.
    #[schema(example = "America/Chicago")]
    pub timezone: Option<String>,
}

/// After how long an outcome is tried again, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRule {
    /// Seconds after the end of the attempt.
    #[schema(minimum = 1, maximum = 2_592_000)]
    pub delay_secs: u64,
    /// How often this outcome is tried again.
    #[schema(maximum = 20)]
    pub most: u32,
}

/// A rule for an outcome, or that it is not tried again. For the description of the API.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RetryChoice(pub Option<RetryRule>);

/// What a voicemail means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Voicemail {
    /// The contact is done.
    #[default]
    Done,
    /// It is tried again.
    Retry,
}

/// A cap on attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Most attempts …
    #[schema(minimum = 1, maximum = 100)]
    pub attempts: u32,
    /// … within so many seconds.
    #[schema(minimum = 60, maximum = 2_678_400)]
    pub within_secs: u64,
}

/// Where a campaign pauses by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Attempts in all.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub max_calls: Option<u64>,
    /// Money, in the currency of the agents' vendor.
    #[schema(exclusive_minimum = 0)]
    pub max_spend: Option<f64>,
}

/// What a marketing call must say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Texts {
    /// Who calls: name and number of the business.
    #[schema(max_length = 1000)]
    pub identity: Option<String>,
    /// That an artificial voice speaks.
    #[schema(max_length = 1000)]
    pub ai_disclosure: Option<String>,
    /// That the call is recorded.
    #[schema(max_length = 1000)]
    pub recording: Option<String>,
    /// How to say no to further calls.
    #[schema(max_length = 1000)]
    pub opt_out: Option<String>,
}

impl Texts {
    /// By field, in the order of [`MARKETING_TEXTS`].
    #[must_use]
    pub fn all(&self) -> [(&'static str, Option<&str>); 4] {
        let [identity, ai_disclosure, recording, opt_out] = MARKETING_TEXTS;
        [
            (identity, self.identity.as_deref()),
            (ai_disclosure, self.ai_disclosure.as_deref()),
            (recording, self.recording.as_deref()),
            (opt_out, self.opt_out.as_deref()),
        ]
    }

    /// Those that are missing or blank.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
        self.all().into_iter().filter(|(_, text)| blank(*text)).map(|(name, _)| name).collect()
    }
}

impl Settings {
    /// The rules of the guard with what the owner asks for: it can only narrow them.
    #[must_use]
    pub fn narrow(&self, rules: &Rules) -> Rules {
        let within = |cap: &Cap| std::time::Duration::from_secs(cap.within_secs);
        Rules {
            windows: self.windows.clone(),
            excluded_dates: self.excluded_dates.clone(),
            campaign_zone: self.schedule.timezone.as_deref().and_then(|zone| TimeZoneName::parse(zone).ok()),
            caps: self.caps.iter().map(|cap| guard::Cap { attempts: cap.attempts, within: within(cap) }).collect(),
            ..rules.clone()
        }
    }

    /// The rule for an outcome; `None` ends the contact.
    #[must_use]
    pub fn retry(&self, outcome: Outcome) -> Option<RetryRule> {
        // Whoever declined, and a number that does not exist, are never asked again, whatever is listed.
        if !Self::may_retry(outcome) {
            return None;
        }
        if let Some(rule) = self.retries.get(outcome.as_str()) {
            return *rule;
        }
        let (delay_secs, most) = match outcome {
            Outcome::Busy => (15 * 60, 3),
            Outcome::NoAnswer => (2 * 3600, 2),
            Outcome::Screened => (4 * 3600, 1),
            Outcome::Voicemail if self.voicemail == Voicemail::Retry => (4 * 3600, 2),
            // Somebody picked up and heard nothing: soon, and once.
            Outcome::Abandoned => (30 * 60, 1),
            Outcome::Failed => (10 * 60, 2),
            Outcome::NetworkBlocked => (6 * 3600, 1),
            Outcome::Canceled => (10 * 60, 3),
            // A call that was never found may have rung: a day is given to it.
            Outcome::Unknown => (24 * 3600, 1),
            _ => return None,
        };
        Some(RetryRule { delay_secs, most })
    }

    /// Whether an outcome may be tried again at all.
    #[must_use]
    pub fn may_retry(outcome: Outcome) -> bool {
        !matches!(outcome, Outcome::Answered | Outcome::Declined | Outcome::Unreachable | Outcome::Blocked)
    }
}
