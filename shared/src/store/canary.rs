//! The canary: a call to a number of the owner's that a schedule asks for, and how long it takes from end to end.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::call::{Outcome, State};

/// Who asks for it, in `calls.requested_by`. No token has this name: a colon ends the name of a token.
pub const ASKER: &str = "schedule:canary";

/// Seconds within which it is to be home. It rings and talks for three minutes; what no webhook brings is fetched within half
/// an hour.
pub const GRACE_SECS: i32 = 3600;

/// After this long without another one its schedule does not run: weekdays alone leave three days.
pub const SILENT_AFTER: SignedDuration = SignedDuration::from_hours(4 * 24);

/// A canary, without its number. The times are seconds; `null` where one of their ends is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Canary {
    /// Its call.
    pub call_id: Uuid,
    /// When it was written down.
    pub asked_at: Timestamp,
    /// Where it stands.
    pub state: State,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// Why it was not placed, in our words.
    pub because: Option<String>,
    /// A stop covered it while it waited.
    pub stopped: bool,
    /// Whether the agent was on the line.
    pub agent_connected: Option<bool>,
    /// When its outcome, transcript and recording were home.
    pub settled_at: Option<Timestamp>,
    /// From being written down to being settled.
    pub end_to_end_secs: Option<f64>,
    /// Of these: until it rang.
    pub to_ringing_secs: Option<f64>,
    /// Until it was answered.
    pub ringing_secs: Option<f64>,
    /// From the answer to the start of the conversation, by the agents' vendor's clock.
    pub to_agent_secs: Option<f64>,
    /// From the end to being settled.
    pub to_settled_secs: Option<f64>,
}

impl Canary {
    /// It went all the way: answered, by the agent as well, and everything is home.
    #[must_use]
    pub fn came_home(&self) -> bool {
        self.settled_at.is_some() && self.outcome == Some(Outcome::Answered) && self.agent_connected == Some(true)
    }

    /// It is not settled, and still has time.
    #[must_use]
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        self.settled_at.is_none() && now.duration_since(self.asked_at).as_secs() < i64::from(GRACE_SECS)
    }
}

/// The last canary that has a result, or should have one; the one under way where there is no other. By `calls_token_day`.
pub const LAST: &str = "
select c.id, c.created_at, c.state, c.outcome, case when c.outcome in ('blocked', 'expired') then c.reason end,
    coalesce(c.outcome, 'expired') = 'expired' and exists (select 1 from stops s
        where s.at < c.expires_at and coalesce(s.lifted_at, 'infinity') > c.created_at and (s.scope = 'all'
            or (s.scope = 'agent' and s.value = c.agent) or (s.scope = 'from' and s.value = c.from_number))),
    c.agent_connected, c.settled_at,
    extract(epoch from c.settled_at - c.created_at)::float8, extract(epoch from c.ringing_at - c.created_at)::float8,
    extract(epoch from c.answered_at - c.ringing_at)::float8, extract(epoch from v.started_at - c.answered_at)::float8,
    extract(epoch from c.settled_at - c.ended_at)::float8
from (select * from calls where requested_by = $1 order by created_at desc limit 2) c
left join conversations v on v.conversation_id = c.conversation_id
order by c.settled_at is null and c.created_at > $2 - make_interval(secs => $3), c.created_at desc limit 1";

/// How long the canaries took that came home in a span of time. Of one that is rung every minute, the last ten are looked at.
pub const HOME: &str = "
select extract(epoch from settled_at - created_at)::float8
from (select * from calls where requested_by = $1 order by created_at desc limit 10) c
where outcome = 'answered' and agent_connected and settled_at >= $2 and settled_at < $3";

impl Store {
    /// The last canary, if there ever was one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last_canary(&self, now: Timestamp) -> Result<Option<Canary>, StoreError> {
        let mut session = self.session().await?;
        let typed = [(&ASKER as _, Type::TEXT), (&now as _, Type::TIMESTAMPTZ), (&GRACE_SECS as _, Type::INT4)];
        Ok(session.client()?.query_typed_opt(LAST, &typed).await?.as_ref().map(canary))
    }
}

fn canary(row: &Row) -> Canary {
    // The two vendors' clocks differ.
    let secs = |place: usize| row.get::<_, Option<f64>>(place).map(|secs| secs.max(0.0));
    Canary {
        call_id: row.get(0),
        asked_at: row.get(1),
        state: State::parse(row.get(2)).unwrap_or(State::Unknown),
        outcome: row.get::<_, Option<&str>>(3).and_then(Outcome::parse),
        because: row.get(4),
        stopped: row.get(5),
        agent_connected: row.get(6),
        settled_at: row.get(7),
        end_to_end_secs: secs(8),
        to_ringing_secs: secs(9),
        ringing_secs: secs(10),
        to_agent_secs: secs(11),
        to_settled_secs: secs(12),
    }
}
