//! What may be sent of a campaign, for the description of the API; [`super::parse`] reads it by hand, so that everything that
//! is wrong is named at once.

use std::collections::BTreeMap;

use elevenwire::campaign::{Budget, Cap, RetryChoice, Schedule, Texts, Voicemail};
use elevenwire::guard::{Purpose, Windows};
use elevenwire::variables;
use jiff::civil::Date;
use serde_json::Value;

/// A new campaign and a change of one differ in what has to be said.
macro_rules! wish {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "describes what is read by hand")]
        pub(crate) struct $name {
            $($own)*
            /// Caller id; any of the agent's when it is not said.
            #[schema(max_length = 32, example = "+14155550100")]
            from: Option<String>,
            /// When it runs.
            schedule: Option<Schedule>,
            /// Windows per weekday in the callee's time. A weekday that is not listed is closed.
            windows: Option<Windows>,
            /// No calls on these days.
            #[schema(value_type = Option<Vec<Date>>)]
            excluded_dates: Option<Vec<Date>>,
            /// Calls that it has on the line at once; 5 when it is not said.
            #[schema(minimum = 1, maximum = 10_000)]
            max_concurrent: Option<u32>,
            /// Calls a second, at most; 1 when it is not said.
            #[schema(minimum = 0.001, maximum = 100)]
            rate: Option<f64>,
            /// Attempts that a contact is given, over all outcomes; 3 when it is not said.
            #[schema(minimum = 1, maximum = 20)]
            max_attempts: Option<u32>,
            /// Per outcome: after how long it is tried again, and how often.
            #[schema(example = json!({"busy": {"delay_secs": 900, "most": 2}, "no_answer": null}))]
            retries: Option<BTreeMap<String, RetryChoice>>,
            /// Whether a voicemail is tried again or is the end.
            voicemail: Option<Voicemail>,
            /// Seconds after the start after which a contact is not worth calling any more.
            #[schema(minimum = 60, maximum = 31_622_400)]
            expires_after_secs: Option<u64>,
            /// Attempts per number in rolling windows, over all campaigns.
            #[schema(max_items = 10)]
            caps: Option<Vec<Cap>>,
            /// Seconds to let it ring; the agent's when it is not said.
            #[schema(minimum = 5, maximum = 600)]
            ring_timeout_secs: Option<u32>,
            /// Where it pauses by itself.
            budget: Option<Budget>,
            /// What a marketing call must say.
            texts: Option<Texts>,
            /// Variables that every call has; a contact's own come first.
            #[schema(value_type = Option<BTreeMap<String, variables::Plain>>, example = json!({"shop": "Corner"}))]
            variables: Option<BTreeMap<String, Value>>,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            id: Value,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            state: Value,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            because: Value,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            decided_by: Value,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            created_at: Value,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            updated_at: Value,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            started_at: Value,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            ended_at: Value,
            /// Of an answer that is sent back: ignored.
            #[schema(value_type = Value, required = false)]
            progress: Value,
        }
    };
}

wish! {
    /// A campaign that is new.
    CampaignWish {
        /// Its name.
        #[schema(min_length = 1, max_length = 200, pattern = r"\S", example = "Recall")]
        name: String,
        /// Name of a registered agent.
        #[schema(min_length = 1, example = "demo")]
        agent: String,
        /// Why people are called.
        purpose: Purpose,
    }
}

wish! {
    /// What is to be changed of a campaign.
    CampaignChange {
        /// Its name.
        #[schema(min_length = 1, max_length = 200, pattern = r"\S", example = "Recall")]
        name: Option<String>,
        /// Name of a registered agent.
        #[schema(min_length = 1, example = "demo")]
        agent: Option<String>,
        /// Why people are called.
        purpose: Option<Purpose>,
    }
}
