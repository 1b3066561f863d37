//! Figures of one campaign, of caller ids, and of the machinery.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// Attempts of a campaign that its figures look at: the last ones. A figure over more would not be another.
pub const LAST_ATTEMPTS: i64 = 20_000;
/// Contacts that wait, the next ones first.
const NEXT_CONTACTS: i64 = 20_000;
/// Calls of a caller id that its health rests on.
const CALLER_ID_CALLS: i64 = 500;

/// Attempts of one hour in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceHour {
    /// The hour's beginning.
    pub hour: Timestamp,
    /// One of the numbers; all have the same area code.
    pub number: String,
    /// The zone that the owner gave.
    pub zone: Option<String>,
    /// Attempts that ended.
    pub calls: i64,
    /// Of these, answered.
    pub answered: i64,
}

/// Contacts that fall due in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueHour {
    /// The hour's beginning.
    pub hour: Timestamp,
    /// First attempts.
    pub first: i64,
    /// Attempts again.
    pub again: i64,
}

const PLACES: &str = "
select date_bin('1 hour', coalesce(placed_at, claimed_at), timestamptz '1970-01-01 00:00:00Z'), min(to_number),
    callee->>'timezone', count(*), count(*) filter (where outcome = 'answered')
from (select * from calls where campaign_id = $1 order by created_at desc limit $2) c
where asks > 0 and outcome is not null and coalesce(placed_at, claimed_at) is not null
group by 1, 3, left(to_number, 5)";

/// The limit keeps the planner from making a hash of the whole table of conversations.
const FUNNEL: &str = "
select jsonb_build_object('attempts', count(*) filter (where asks > 0),
    'successful', count(*) filter (where v.successful = 'success'),
    'judged', count(*) filter (where v.successful in ('success', 'failure')),
    'seconds', coalesce(sum(v.duration_seconds), 0), 'credits', coalesce(sum(v.cost), 0))
from (select * from calls where campaign_id = $1 order by created_at desc limit $2) c
left join lateral (select * from conversations v where v.conversation_id = c.conversation_id limit 1) v on true";

const DUE: &str = "
select date_bin('1 hour', due_at, timestamptz '1970-01-01 00:00:00Z'), count(*) filter (where attempts = 0),
    count(*) filter (where attempts > 0)
from (select due_at, attempts from contacts where campaign_id = $1 and status = 'waiting' order by due_at, id limit $2) k
group by 1 order by 1 limit 48";

const CALLER_IDS: &str = "
select coalesce(jsonb_agg(jsonb_build_object('number', n.number, 'rests_until', r.rests_until, 'because', r.because,
    'calls', s.calls, 'answered', s.answered, 'refused', s.refused, 'last', s.last) order by n.number), '[]')
from unnest($1::text[]) n (number) left join caller_ids r on r.number = n.number
cross join lateral (
    select count(*) as calls, count(*) filter (where outcome = 'answered') as answered,
        count(*) filter (where outcome = 'network_blocked') as refused, max(ended_at) as last
    from (select outcome, ended_at from calls where from_number = n.number and ended_at >= $2
        order by ended_at desc limit $3) l) s";

const MACHINERY: &str = "
select jsonb_build_object(
    'due', (select jsonb_build_object('count', count(*), 'oldest', min(due_at)) from calls
        where state in ('intent', 'placing') and due_at < $1),
    'settling', (select jsonb_build_object('count', count(*), 'oldest', min(settle_at)) from calls where settle_at < $1),
    'recordings', (select jsonb_build_object('count', count(*), 'oldest', min(audio_at)) from conversations
        where audio_at < $1),
    'imports', (select jsonb_build_object('count', count(*), 'oldest', min(updated_at)) from imports
        where state in ('queued', 'running')),
    'webhooks', (select coalesce(jsonb_agg(to_jsonb(w) order by w.event_type, w.result), '[]') from (
        select event_type, result, count(*) as count, max(received_at) as last from deliveries
        where received_at >= $2 group by 1, 2) w),
    'days', (select coalesce(jsonb_agg(to_jsonb(d) order by d.day desc), '[]') from (
        select (coalesce(claimed_at, created_at) at time zone 'UTC')::date as day, count(*) as placed,
            count(*) filter (where settled_at is not null) as settled,
            count(*) filter (where healed_at is not null) as healed,
            count(*) filter (where outcome = 'unknown') as given_up,
            count(*) filter (where double_dial) as double_dials
        from calls where coalesce(claimed_at, created_at) >= $3 and asks > 0 group by 1) d))";

impl Store {
    /// When and where a campaign's last attempts were made, and how many were answered.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn attempts_by_place(&self, campaign: Uuid) -> Result<Vec<PlaceHour>, StoreError> {
        let typed = [(&campaign.to_string() as _, Type::TEXT), (&LAST_ATTEMPTS as _, Type::INT8)];
        let rows = self.session().await?.client()?.query_typed(PLACES, &typed).await?;
        let read = |row: &tokio_postgres::Row| PlaceHour {
            hour: row.get(0),
            number: row.get(1),
            zone: row.get(2),
            calls: row.get(3),
            answered: row.get(4),
        };
        Ok(rows.iter().map(read).collect())
    }

    /// What a campaign's last attempts came to: attempts, success as its agent judges, seconds, credits.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn campaign_results(&self, campaign: Uuid) -> Result<Value, StoreError> {
        let typed = [(&campaign.to_string() as _, Type::TEXT), (&LAST_ATTEMPTS as _, Type::INT8)];
        let mut session = self.session().await?;
        Ok(session.client()?.query_typed_one(FUNNEL, &typed).await?.get(0))
    }

    /// When a campaign's contacts are due that wait.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_by_hour(&self, campaign: Uuid) -> Result<Vec<DueHour>, StoreError> {
        let typed = [(&campaign as _, Type::UUID), (&NEXT_CONTACTS as _, Type::INT8)];
        let rows = self.session().await?.client()?.query_typed(DUE, &typed).await?;
        Ok(rows.iter().map(|row| DueHour { hour: row.get(0), first: row.get(1), again: row.get(2) }).collect())
    }

    /// The health of caller ids: whether they rest, and what their last calls since `since` came to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn caller_id_health(&self, numbers: &[String], since: Timestamp) -> Result<Value, StoreError> {
        let typed =
            [(&numbers as _, Type::TEXT_ARRAY), (&since as _, Type::TIMESTAMPTZ), (&CALLER_ID_CALLS as _, Type::INT8)];
        let mut session = self.session().await?;
        Ok(session.client()?.query_typed_one(CALLER_IDS, &typed).await?.get(0))
    }

    /// How the machinery stands: what is overdue, webhooks since `day`, the settlement of each day since `week`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn machinery(&self, now: Timestamp, day: Timestamp, week: Timestamp) -> Result<Value, StoreError> {
        let typed = [(&now as _, Type::TIMESTAMPTZ), (&day as _, Type::TIMESTAMPTZ), (&week as _, Type::TIMESTAMPTZ)];
        let mut session = self.session().await?;
        Ok(session.client()?.query_typed_one(MACHINERY, &typed).await?.get(0))
    }
}
